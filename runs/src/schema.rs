//! The columns of a run frame: one row is one configuration on one problem on one device, measured, failed, skipped,
//! imported or predicted.
//!
//! Fixed columns are listed in [`COLUMNS`]. Four prefixes open families of columns whose names come from the kernel family or
//! the device: [`PROBLEM`] (`problem.m`), [`KNOB`] (`knob.tile_m`), [`TRAFFIC`] (`traffic.l2_bytes`) and [`ROOF`] (`roof.dram_bytes_per_s`).
//! Every quantity ends in its unit: `_s`, `_j`, `_w`, `_hz`, `_bytes`, `_flop`, `_flop_per_s`; what has none is a count, a ratio or text.

mod markdown;

pub use markdown::markdown;

/// Version of this schema, stored in every row. The major is refused when newer than ours; older majors are migrated by name.
pub const VERSION: (u32, u32) = (1, 2);

/// Prefix of problem axes (`problem.m`, `problem.layout`): integer, real or text.
pub const PROBLEM: &str = "problem.";
/// Prefix of configuration knobs (`knob.tile_m`, `knob.isa`): integer, real or text.
pub const KNOB: &str = "knob.";
/// Prefix of modelled traffic per memory level in bytes per call (`traffic.l1_bytes`).
pub const TRAFFIC: &str = "traffic.";
/// Prefix of measured roofs of the device (`roof.flop_per_s`, `roof.dram_bytes_per_s`, each with `_low` and `_high`).
pub const ROOF: &str = "roof.";

/// Storage type of a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// UTF-8 text.
    Text,
    /// Signed 64-bit integer.
    Int,
    /// 64-bit float; never NaN, absent values are null.
    Real,
    /// True or false.
    Flag,
    /// List of 64-bit floats (raw samples).
    Reals,
}

/// One fixed column.
#[derive(Clone, Copy, Debug)]
pub struct Column {
    /// Name, with its unit as suffix.
    pub name: &'static str,
    /// Storage type.
    pub kind: Kind,
    /// Group under which `docs/schema.md` lists it.
    pub group: &'static str,
    /// Whether every row carries it.
    pub required: bool,
    /// What it means, in a sentence.
    pub doc: &'static str,
}

macro_rules! columns {
    ($($group:literal { $($name:ident: $kind:ident $($req:ident)? = $doc:literal;)* })*) => {
        /// Names of the fixed columns, as constants: a typo is a compile error.
        #[allow(missing_docs, non_upper_case_globals)]
        pub mod col { $($(pub const $name: &str = stringify!($name);)*)* }
        /// All fixed columns, in the order they are stored and documented.
        pub const COLUMNS: &[Column] = &[$($(Column {
            name: stringify!($name), kind: Kind::$kind, group: $group, required: columns!(@req $($req)?), doc: $doc,
        },)*)*];
    };
    (@req required) => { true };
    (@req) => { false };
}

columns! {
    "identity" {
        schema_version: Text required = "`major.minor` of the schema that wrote the row.";
        run_id: Text required = "One invocation of a sweep or an import.";
        sweep_id: Text required = "Hash of what was asked: spec, device, seed. The same command has the same id, which is how it resumes.";
        experiment_id: Text required = "Hash of what really ran (effective configuration, problem, device, cache mode, library called): duplicates under different labels collapse here.";
        problem_id: Text required = "Hash of family, problem axes, data type and seed.";
        config_id: Text required = "Hash of the knob values as asked.";
    }
    "provenance" {
        source: Text required = "`cpu`, `cuda`, `vgpu` (simulated), `import:<tool>` or `predicted`.";
        tool_version: Text required = "Version of the program that wrote the row.";
        measured_at: Text = "When the point was finished, RFC 3339, UTC.";
        host: Text = "Host name of the machine that measured.";
        spec: Text = "File name of the sweep spec.";
        seed: Int = "Seed of data and order.";
        source_file: Text = "File a row was imported from.";
        source_sha256: Text = "SHA-256 of that file as it was read.";
        warnings: Text = "Warning identifiers, comma separated; each is a heading in `docs/measuring.md`.";
        extra: Text = "Columns of the source that have no place here, as a JSON object.";
    }
    "device" {
        device: Text required = "Short stable name, also the partition of the store (`amd-epyc-2t`, `rtx-2080-ti`).";
        device_kind: Text required = "`cpu` or `cuda`; imported rows also `hip`, `other` or `unknown`.";
        device_name: Text required = "Name as the device or the source gives it.";
        device_threads: Int = "Hardware threads used (CPU).";
        device_isa: Text = "Instruction sets usable by kernels, comma separated (CPU), or architecture (`sm_89`).";
        device_memory_bytes: Int = "Main or device memory.";
        device_llc_bytes: Int = "Last-level cache as reported.";
        os: Text = "Operating system and kernel.";
        driver: Text = "Driver version (GPU).";
        device_sms: Int = "Multiprocessors (GPU).";
        device_clock_hz: Real = "Highest clock of the multiprocessors (GPU).";
        device_uuid: Text = "Unique id of the board (GPU).";
    }
    "problem" {
        family: Text required = "Kernel family (`gemm_tiled`).";
        group: Text = "Group of the family (`dense`, `block structured`).";
        problem: Text required = "Stable text form of the problem.";
        dtype: Text = "Element type of the operands.";
    }
    "knobs" {
        config: Text required = "Stable text form of the configuration.";
        kernel: Text = "Name of the kernel that ran, as the device or the source gives it.";
        is_default: Flag = "True where the configuration is the family's default for this problem and device.";
        role: Text = "`point`, `reference` (drift probe) or `baseline` (the dense rival).";
        baseline_of: Text = "For a baseline: `problem_id` of the structured problem it rivals.";
    }
    "work" {
        useful_flop: Real = "FLOP of the algorithm, per call.";
        dense_flop: Real = "FLOP the dense rival needs for the same result, per call.";
        executed_flop: Real = "FLOP executed with padding, per call.";
        compulsory_bytes: Real = "Each input read once, each output written once, per call.";
        workspace_bytes: Real = "Scratch memory beyond operands.";
        launches: Int = "Kernel launches or passes per call.";
        reported_flop_per_s: Real = "Rate of arithmetic that the source states, in the unit it states.";
        reported_bytes_per_s: Real = "Rate of memory traffic that the source states, in the unit it states.";
    }
    "code" {
        code_id: Text = "Hash of text, definitions, compiler and architecture of what was compiled for the point.";
        compiler: Text = "Run-time compiler with its version (`nvrtc 13.5`).";
        registers: Int = "32-bit registers per thread.";
        spill_bytes: Int = "Bytes spilled to local memory, per thread.";
        shared_static_bytes: Int = "Shared memory fixed by the code, per block.";
        shared_dynamic_bytes: Int = "Shared memory asked for at the launch, per block.";
        threads_per_block: Int = "Threads per block.";
        blocks: Int = "Blocks of the largest launch.";
        blocks_per_sm: Int = "Blocks resident per multiprocessor.";
        occupancy: Real = "Resident over possible threads of a multiprocessor.";
        occupancy_limiter: Text = "What allows no more resident blocks: `registers`, `shared memory`, `threads` or `blocks`.";
        waves: Real = "Blocks over blocks resident on the whole device.";
    }
    "outcome" {
        status: Text required = "`ok`, `incorrect`, `not_verified`, `unsupported`, `compile_error`, `runtime_error`, `timeout`, `constraint` or `not_run`.";
        reason: Text = "Why, where the status is not `ok`: subject, value, limit.";
        max_abs_err: Real = "Largest absolute error against the f64 reference.";
        max_rel_err: Real = "Largest error relative to the largest reference magnitude.";
        err_bound_ratio: Real = "Largest error over its bound; above 1 is incorrect.";
        checked_share: Real = "Share of the output's rows that were compared; below 1 where a reference of all would take too long.";
        quality_error: Real = "Relative error of the structured operator against the dense one it approximates (Frobenius); null where exact.";
    }
    "timing" {
        cache_mode: Text = "`hot` (back to back) or `cold` (caches flushed before each sample).";
        time_s: Real = "Headline time per call: the statistic of `time_statistic` over `time_samples_s`.";
        time_statistic: Text = "`p10`, `median`, `mean` or `min`.";
        time_basis: Text = "What was timed: `thread_cpu`, `critical_cpu` (busiest thread), `event`, `host` or `unknown`.";
        time_min_s: Real = "Fastest sample.";
        time_median_s: Real = "Median sample.";
        time_q1_s: Real = "First quartile.";
        time_q3_s: Real = "Third quartile.";
        time_lo_s: Real = "Lower end of the 95 % bootstrap interval of the headline.";
        time_hi_s: Real = "Upper end of that interval.";
        time_wall_s: Real = "Median wall time per call.";
        time_reported_s: Real = "Time the source tool reported, where it differs from ours.";
        noise: Real = "Interquartile range over median of the samples.";
        samples: Int = "Number of samples.";
        iterations: Int = "Calls per sample.";
        warmup: Int = "Calls before the first sample.";
        rounds: Int = "Interleaved rounds the point took part in.";
        stop_reason: Text = "`noise`, `max_samples`, `time`, `fixed` or `interrupted`.";
        launch_s: Real = "What a stretch of calls pays once beyond its calls (hot: intercept of time against calls; cold: two events without a call), already taken off `time_s` (GPU).";
        queue_s: Real = "Median time the host took to queue a call (GPU); where it is about `time_s`, the host was the limit and not the kernel.";
        prepare_s: Real = "One-time preparation (packing of weights, projection, compilation), timed apart.";
        switches: Int = "Involuntary context switches over all samples.";
        contended_share: Real = "Share of samples whose wall time exceeded CPU time by more than 5 % (CPU).";
        drift: Real = "Movement of the reference kernel over the rounds of this problem (slowest over fastest round − 1, each by its fastest sample).";
        time_samples_s: Reals = "All samples, in the order taken.";
        wall_samples_s: Reals = "Wall time of each sample.";
    }
    "clocks and thermal" {
        clock_hz: Real = "Mean core clock while measuring.";
        clocks_locked: Text = "`requested`, `held`, `denied` or null.";
        throttle_reasons: Text = "Clock-event reasons seen.";
        temperature_before_c: Real = "Temperature before the samples.";
        temperature_after_c: Real = "Temperature after them.";
    }
    "energy" {
        energy_source: Text = "`rapl`, `nvml`, `import` or `unavailable`.";
        energy_reason: Text = "Why there is no energy, where there is none.";
        energy_j: Real = "Energy per call over the measured window, idle included.";
        energy_net_j: Real = "The same with idle power subtracted.";
        energy_uncertainty_j: Real = "Half width of the 95 % interval of `energy_j`.";
        power_w: Real = "Mean power over the window.";
        idle_w: Real = "Idle power measured around it.";
        power_limit_w: Real = "Board power limit in force.";
        utilisation: Real = "Share of time the device was busy while power was read, 0 to 1, as the source says.";
        energy_window_s: Real = "Length of the window.";
        energy_systematic_j: Real = "Half width of what the sensor's gain may be off by, per call; the same for all rows of a board, so left out when they are compared.";
        energy_second_j: Real = "An independent estimate of `energy_j` over the same windows.";
        energy_trials: Int = "Windows that were accepted.";
        energy_time_s: Real = "Time per call in the windows: the time base of `energy_j`.";
        energy_regime: Text = "State of the caches in the windows; flushes are no part of them, so `hot`.";
        energy_crosscheck: Real = "Second estimate over the first; null where the sensor offers only one.";
        energy_clock_hz: Real = "Mean core clock in the windows.";
        energy_throttle_reasons: Text = "Clock-event reasons seen in the windows.";
        energy_sensor: Text = "Reading that `energy_j` rests on: `energy counter`, `instant power` or `average power` (NVML).";
        energy_scope: Text = "What that reading covers: `board`, or the `module` of a superchip (NVML).";
        energy_character: Text = "What was found of the board's readings (periods, windows, lags; where they differ from what is published), as a JSON object (NVML).";
        energy_flags: Text = "What to know of the energy, comma separated; each is described in `docs/measuring.md`.";
    }
}

/// The fixed column called `name`.
#[must_use]
pub fn column(name: &str) -> Option<&'static Column> {
    COLUMNS.iter().find(|column| column.name == name)
}

/// True for names that belong to one of the open prefixes.
#[must_use]
pub fn is_open(name: &str) -> bool {
    [PROBLEM, KNOB, TRAFFIC, ROOF].iter().any(|prefix| name.len() > prefix.len() && name.starts_with(prefix))
}

/// [`VERSION`] as it stands in rows: `major.minor`.
#[must_use]
pub fn version_text() -> String {
    format!("{}.{}", VERSION.0, VERSION.1)
}

/// The version in `text` (`major.minor`), if it is one.
#[must_use]
pub fn parse_version(text: &str) -> Option<(u32, u32)> {
    let (major, minor) = text.split_once('.')?;
    Some((major.parse().ok()?, minor.parse().ok()?))
}
