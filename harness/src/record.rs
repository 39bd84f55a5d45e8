//! A measured point becomes a row. The only place that knows both the kernels' types and the columns.

use tilecast_kernels::devices::cuda::power::{Held, Throttle};
use tilecast_kernels::oracle::Verification;
use tilecast_kernels::{
    CacheMode, Config, DeviceInfo, DeviceKind, EnergyDetail, EnergySource, KernelFacts, Named, Problem, Roof, Value, stable_id,
};
use tilecast_runs::row::{Cell, Row};
use tilecast_runs::schema::{KNOB, PROBLEM, ROOF, TRAFFIC, VERSION, col};

use crate::measure::stats::Samples;
use crate::measure::{HEADLINE, Outcome, Timing};
use crate::plan::{Point, Role};

/// Queueing a call above this share of its time, the GPU waits for the host. A queue that is full holds the host up too, but thousands of calls of a sample
/// are queued before it is.
const LAUNCH_BOUND: f64 = 0.9;

/// What all rows of one run share.
#[derive(Clone, Debug)]
pub struct RunFacts {
    /// This invocation.
    pub run_id: String,
    /// What was asked.
    pub sweep_id: String,
    /// Spec's name.
    pub spec: String,
    /// Seed.
    pub seed: u64,
    /// Host name.
    pub host: String,
    /// Device.
    pub device: DeviceInfo,
    /// Where energy would come from.
    pub energy: EnergySource,
    /// Measured roofs.
    pub roofs: Vec<Roof>,
}

/// The row of a point: what was asked, on what, and what came of it.
#[must_use]
pub fn measured(facts: &RunFacts, point: &Point, cache: CacheMode, outcome: &Outcome, finished_at: String) -> Row {
    let mut row = asked(facts, point, cache);
    row.set(col::source, source(&facts.device)).set(col::measured_at, finished_at).set(col::status, outcome.status.as_str());
    row.set_some(col::reason, outcome.reason.clone());
    row.set_some(col::prepare_s, outcome.prepare_s);
    row.set_some(col::quality_error, outcome.quality);
    if let Some(code) = &outcome.code {
        set_code(&mut row, code);
    }
    if let Some(verification) = &outcome.verification {
        set_errors(&mut row, verification);
    }
    if let Some(timing) = &outcome.timing {
        set_timing(&mut row, timing, facts);
    }
    set_energy(&mut row, &facts.energy, outcome);
    row.set_some(col::clocks_locked, outcome.locked.name());
    if outcome.locked == Held::Held {
        row.set_some(col::power_limit_w, point.limits.power_limit_mw.map(|milliwatts| f64::from(milliwatts) / 1e3));
    }
    if let Some(note) = &outcome.note {
        row.set(col::extra, serde_json::json!({ "note": note }).to_string());
    }
    row
}

/// `cpu`, `cuda`, or `vgpu` where the device's times are modelled.
fn source(device: &DeviceInfo) -> &'static str {
    if device.gpu.as_ref().is_some_and(|gpu| gpu.simulated) { "vgpu" } else { device.kind.name() }
}

/// The row of a configuration that its family refused.
#[must_use]
pub fn refused(facts: &RunFacts, problem: &Problem, config: &Config, reason: &str) -> Row {
    let mut row = shared(facts);
    let ids = [problem.to_string(), problem.seed.to_string(), config.to_string(), facts.device.slug.clone()];
    row.set(col::experiment_id, stable_id(&ids.each_ref().map(String::as_str)))
        .set(col::source, source(&facts.device))
        .set(col::role, "point")
        .set(col::status, "constraint")
        .set(col::reason, reason);
    set_problem(&mut row, problem, config);
    row
}

/// The row of a point that has not run: everything but its outcome. Recommendations are made of these.
#[must_use]
pub fn asked(facts: &RunFacts, point: &Point, cache: CacheMode) -> Row {
    let mut row = shared(facts);
    row.set(col::experiment_id, point.experiment_id.as_str())
        .set(col::cache_mode, cache.name())
        .set(col::is_default, point.is_default)
        .set(col::status, "not_run")
        .set(col::source, "predicted");
    match &point.role {
        Role::Point => row.set(col::role, "point"),
        Role::Baseline { of } => row.set(col::role, "baseline").set(col::baseline_of, of.as_str()),
    };
    set_problem(&mut row, &point.problem, &point.config);
    set_work(&mut row, point);
    row
}

fn shared(facts: &RunFacts) -> Row {
    let mut row = Row::default();
    row.set(col::schema_version, format!("{}.{}", VERSION.0, VERSION.1))
        .set(col::run_id, facts.run_id.as_str())
        .set(col::sweep_id, facts.sweep_id.as_str())
        .set(col::tool_version, env!("CARGO_PKG_VERSION"))
        .set(col::host, facts.host.as_str())
        .set(col::spec, facts.spec.as_str())
        .set(col::seed, signed(facts.seed));
    set_device(&mut row, facts);
    row
}

fn set_device(row: &mut Row, facts: &RunFacts) {
    let device = &facts.device;
    row.set(col::device, device.slug.as_str())
        .set(col::device_kind, device.kind.name())
        .set(col::device_name, device.name.as_str())
        .set(col::device_isa, device.isa.join(","))
        .set(col::device_memory_bytes, signed(device.memory_bytes))
        .set(col::device_llc_bytes, signed(device.llc_bytes()))
        .set(col::os, device.os.as_str());
    match &device.gpu {
        Some(gpu) => row
            .set(col::driver, gpu.driver.as_str())
            .set(col::device_sms, i64::from(gpu.sms))
            .set(col::device_clock_hz, gpu.clock_hz)
            .set(col::device_uuid, gpu.uuid.as_str()),
        None => row.set(col::device_threads, signed(device.threads)),
    };
    for roof in &facts.roofs {
        row.set(format!("{ROOF}{}", roof.name), roof.value);
        row.set(format!("{ROOF}{}_low", roof.name), roof.low);
        row.set(format!("{ROOF}{}_high", roof.name), roof.high);
    }
}

fn set_problem(row: &mut Row, problem: &Problem, config: &Config) {
    row.set(col::problem_id, problem.id())
        .set(col::config_id, config.id())
        .set(col::family, problem.family.as_str())
        .set(col::problem, problem.to_string())
        .set(col::dtype, problem.dtype.name())
        .set(col::config, config.to_string());
    row.set_some(col::group, tilecast_kernels::family(&problem.family).map(|family| family.card().group));
    set_named(row, PROBLEM, &problem.axes);
    set_named(row, KNOB, config);
}

fn set_named(row: &mut Row, prefix: &str, named: &Named) {
    for (name, value) in &named.0 {
        let cell = match value {
            Value::Int(value) => Cell::Int(signed(*value)),
            Value::Real(value) => Cell::Real(*value),
            Value::Text(value) => Cell::Text(value.clone()),
        };
        row.set(format!("{prefix}{name}"), cell);
    }
}

fn set_work(row: &mut Row, point: &Point) {
    let work = &point.work;
    row.set(col::useful_flop, work.useful_flop)
        .set(col::dense_flop, work.dense_flop)
        .set(col::executed_flop, work.executed_flop)
        .set(col::compulsory_bytes, work.compulsory_bytes)
        .set(col::workspace_bytes, work.workspace_bytes)
        .set(col::launches, signed(work.launches));
    for (level, bytes) in &work.traffic {
        row.set(format!("{TRAFFIC}{}_bytes", level.name()), *bytes);
    }
}

fn set_code(row: &mut Row, code: &KernelFacts) {
    row.set(col::code_id, code.code_id.as_str())
        .set(col::compiler, code.compiler.as_str())
        .set(col::registers, i64::from(code.registers))
        .set(col::spill_bytes, i64::from(code.spill_bytes))
        .set(col::shared_static_bytes, i64::from(code.shared_static_bytes))
        .set(col::shared_dynamic_bytes, i64::from(code.shared_dynamic_bytes))
        .set(col::threads_per_block, i64::from(code.threads_per_block))
        .set(col::blocks, signed(code.blocks))
        .set(col::blocks_per_sm, i64::from(code.blocks_per_sm))
        .set(col::occupancy, code.occupancy)
        .set(col::occupancy_limiter, code.occupancy_limiter.as_str())
        .set(col::waves, code.waves);
}

fn set_errors(row: &mut Row, verification: &Verification) {
    // An infinite error (a NaN where none belongs) has no number; the reason says it.
    let finite = |value: f64| Some(value).filter(|value| value.is_finite());
    row.set_some(col::max_abs_err, finite(verification.max_abs_err));
    row.set_some(col::max_rel_err, finite(verification.max_rel_err));
    row.set_some(col::err_bound_ratio, finite(verification.bound_ratio));
    row.set(col::checked_share, verification.rows_checked);
}

#[allow(clippy::cast_precision_loss)] // counts of samples
fn set_timing(row: &mut Row, timing: &Timing, facts: &RunFacts) {
    let times: Vec<f64> = timing.samples.iter().map(|sample| sample.time_s).collect();
    let walls: Vec<f64> = timing.samples.iter().map(|sample| sample.wall_s).collect();
    if let Some(samples) = Samples::new(&times) {
        let (low, high) = samples.interval(HEADLINE, facts.seed);
        row.set(col::time_s, samples.quantile(HEADLINE))
            .set(col::time_statistic, "p10")
            .set(col::time_min_s, samples.min())
            .set(col::time_median_s, samples.quantile(0.5))
            .set(col::time_q1_s, samples.quantile(0.25))
            .set(col::time_q3_s, samples.quantile(0.75))
            .set(col::time_lo_s, low)
            .set(col::time_hi_s, high)
            .set(col::noise, samples.noise());
    }
    row.set_some(col::time_wall_s, Samples::new(&walls).map(|samples| samples.quantile(0.5)));
    let iterations = timing.samples.iter().map(|sample| sample.iterations).max().unwrap_or(1);
    row.set(col::time_basis, timing.basis.as_str())
        .set(col::samples, signed(times.len() as u64))
        .set(col::iterations, signed(iterations))
        .set(col::warmup, signed(timing.warmup))
        .set(col::rounds, i64::from(timing.rounds))
        .set(col::switches, signed(timing.samples.iter().map(|sample| sample.switches).sum()))
        .set(col::time_samples_s, times)
        .set(col::wall_samples_s, walls);
    match facts.device.kind {
        DeviceKind::Cpu => {
            let contended = timing.samples.iter().filter(|sample| sample.wall_s > 1.05 * sample.cpu_s.max(sample.time_s)).count();
            row.set(col::contended_share, contended as f64 / timing.samples.len().max(1) as f64);
        }
        DeviceKind::Cuda => {
            let queueing: Vec<f64> = timing.samples.iter().map(|sample| sample.cpu_s).collect();
            row.set_some(col::queue_s, Samples::new(&queueing).map(|samples| samples.quantile(0.5)));
        }
    }
    row.set_some(col::stop_reason, timing.stop.map(|stop| stop.name()));
    row.set_some(col::drift, timing.drift);
    let mean = |values: Vec<f64>| (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64);
    row.set_some(col::launch_s, mean(timing.samples.iter().filter_map(|sample| sample.launch_s).collect()));
    row.set_some(col::clock_hz, mean(timing.samples.iter().filter_map(|sample| sample.clock_hz).collect()));
    let throttle = timing.samples.iter().filter_map(|sample| sample.throttle).reduce(|all, bits| all | bits);
    row.set_some(col::throttle_reasons, throttle.map(|bits| Throttle(bits).to_string()));
    row.set_some(col::warnings, warnings(row));
}

/// Whether a row deserves a warning.
type Deserved = fn(&Row) -> bool;

/// What a reader should know before trusting a measured row: identifier, which is a heading in `docs/measuring.md`, and when it is given.
pub const WARNINGS: [(&str, Deserved); 4] = [
    ("noisy", |row| above(row, col::noise, 0.10)),
    ("contended", |row| above(row, col::contended_share, 0.5)),
    ("drift", |row| above(row, col::drift, 0.10)),
    // Behind a flush there is time to queue a call.
    ("launch-bound", |row| {
        let hot = row.text(col::cache_mode) == Some(CacheMode::Hot.name());
        hot && row.real(col::time_s).is_some_and(|time| above(row, col::queue_s, LAUNCH_BOUND * time))
    }),
];

fn above(row: &Row, name: &str, limit: f64) -> bool {
    row.real(name).is_some_and(|value| value > limit)
}

fn warnings(row: &Row) -> Option<String> {
    let found: Vec<&str> = WARNINGS.iter().filter(|(_, found)| found(row)).map(|(id, _)| *id).collect();
    (!found.is_empty()).then(|| found.join(","))
}

fn set_energy(row: &mut Row, source: &EnergySource, outcome: &Outcome) {
    let unavailable = |reason: &String| EnergySource::Unavailable(reason.clone());
    match outcome.energy_reason.as_ref().map(unavailable).as_ref().unwrap_or(source) {
        EnergySource::Unavailable(reason) => row.set(col::energy_source, "unavailable").set(col::energy_reason, reason.as_str()),
        EnergySource::Rapl => row.set(col::energy_source, "rapl"),
        EnergySource::Nvml => row.set(col::energy_source, "nvml"),
    };
    let Some(energy) = &outcome.energy else { return };
    row.set(col::energy_j, energy.energy_j)
        .set(col::energy_net_j, energy.net_j)
        .set(col::energy_uncertainty_j, energy.uncertainty_j)
        .set(col::power_w, energy.power_w)
        .set(col::idle_w, energy.idle_w)
        .set(col::energy_window_s, energy.window_s);
    set_energy_detail(row, &energy.detail);
}

fn set_energy_detail(row: &mut Row, detail: &EnergyDetail) {
    row.set_some(col::energy_systematic_j, detail.systematic_j)
        .set_some(col::energy_second_j, detail.second_j)
        .set_some(col::energy_crosscheck, detail.crosscheck)
        .set_some(col::energy_trials, detail.trials.map(signed))
        .set_some(col::energy_time_s, detail.time_s)
        .set_some(col::energy_regime, detail.regime.map(CacheMode::name))
        .set_some(col::temperature_before_c, detail.temperature_before_c)
        .set_some(col::temperature_after_c, detail.temperature_after_c)
        .set_some(col::energy_clock_hz, detail.clock_hz)
        .set_some(col::energy_throttle_reasons, detail.throttle_reasons.clone())
        .set_some(col::energy_sensor, detail.sensor.clone())
        .set_some(col::energy_scope, detail.scope.clone())
        .set_some(col::energy_character, detail.character.clone());
    row.set_some(col::energy_flags, Some(detail.flags.join(",")).filter(|flags| !flags.is_empty()));
}

fn signed(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_bound_by_launching_where_queueing_takes_as_long_as_the_call_and_nothing_hides_it() {
        for (cache, queue_s, expected) in [
            (CacheMode::Hot, Some(4.9e-6), Some("launch-bound")),
            (CacheMode::Hot, Some(2e-6), None),
            (CacheMode::Cold, Some(4.9e-6), None),
            (CacheMode::Hot, None, None),
        ] {
            let mut row = Row::default();
            row.set(col::time_s, 5e-6).set(col::cache_mode, cache.name()).set_some(col::queue_s, queue_s);
            assert_eq!(warnings(&row).as_deref(), expected, "{cache:?} {queue_s:?}");
        }
    }
}
