//! What a family runs on.

use serde::{Deserialize, Serialize};

use crate::devices::cuda::power::{Limits, Refused};
use crate::oracle::Verification;
use crate::{Config, Family, Misfit, Problem};

/// Kind of device.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// The machine's processor.
    Cpu,
    /// A CUDA GPU.
    Cuda,
}

impl DeviceKind {
    /// Name in frames.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cpu => "cpu",
            Self::Cuda => "cuda",
        }
    }
}

/// What is known of a device before anything runs on it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DeviceInfo {
    /// As it is named on the command line (`cpu`, `cpu:1t`, `cuda:0`).
    pub spec: String,
    /// Kind.
    pub kind: DeviceKind,
    /// Short stable name: vendor, model and threads (`amd-epyc-zen4-2t`).
    pub slug: String,
    /// Name as the machine gives it.
    pub name: String,
    /// Hardware threads kernels may use.
    pub threads: u64,
    /// Instruction sets kernels may use, best first (`avx512`, `avx2`, `portable`).
    pub isa: Vec<String>,
    /// Data caches as reported, (level, bytes, shared by how many hardware threads), innermost first.
    pub caches: Vec<Cache>,
    /// Main memory.
    pub memory_bytes: u64,
    /// Operating system and kernel.
    pub os: String,
    /// What is particular to a GPU; `None` on a CPU.
    #[serde(default)]
    pub gpu: Option<crate::devices::cuda::Gpu>,
}

/// One data or unified cache.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cache {
    /// 1, 2 or 3.
    pub level: u8,
    /// Size.
    pub bytes: u64,
    /// Hardware threads that share it.
    pub shared_by: u64,
}

impl DeviceInfo {
    /// The limits of a CUDA GPU.
    ///
    /// # Panics
    /// On a CPU: CUDA sources are asked about GPUs only.
    #[must_use]
    pub fn gpu(&self) -> &crate::devices::cuda::Gpu {
        self.gpu.as_ref().expect("CUDA sources are asked about GPUs only")
    }

    /// Size of the last-level cache; 32 MiB where the machine does not say.
    #[must_use]
    pub fn llc_bytes(&self) -> u64 {
        self.caches.last().map_or(32 << 20, |cache| cache.bytes)
    }
}

/// State of the caches when a sample starts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CacheMode {
    /// Caches flushed before each call.
    Cold,
    /// Calls back to back.
    Hot,
}

impl CacheMode {
    /// Name in frames.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Cold => "cold",
            Self::Hot => "hot",
        }
    }
}

/// One timed sample.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Time per call on the basis of the device (see [`Loaded::time_basis`]).
    pub time_s: f64,
    /// Wall time per call.
    pub wall_s: f64,
    /// CPU time per call, all threads; equals `time_s` for one thread. On a GPU: time the host took to queue the call. Where that is about
    /// `time_s`, the host's launches were the limit and not the kernel.
    pub cpu_s: f64,
    /// Calls in the sample.
    pub iterations: u64,
    /// Involuntary context switches during the sample, all threads.
    pub switches: u64,
    /// What a stretch of calls pays once, beyond its calls (the intercept of time against calls; cold, what its events show without a call): already taken
    /// off `time_s`. A GPU's only.
    #[serde(default)]
    pub launch_s: Option<f64>,
    /// Clock of the cores while the sample ran, where it can be read.
    #[serde(default)]
    pub clock_hz: Option<f64>,
    /// Why the clock was not higher, as NVML's bits, where that can be read.
    #[serde(default)]
    pub throttle: Option<u64>,
}

/// One roof of the device, measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Roof {
    /// Column name without its prefix (`flop_per_s`, `dram_bytes_per_s`).
    pub name: String,
    /// Best over the repeats.
    pub value: f64,
    /// Slowest and fastest repeat.
    pub low: f64,
    /// Fastest repeat.
    pub high: f64,
}

/// What preparing a configuration gave.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Preparation {
    /// Handle for the calls of [`Loaded`].
    pub slot: usize,
    /// One-time preparation (projection, packing of weights, compilation).
    pub prepare_s: f64,
    /// What the kernel says of itself (the kernel a BLAS picked).
    pub note: Option<String>,
    /// What the compiler and the device say of compiled code; `None` where nothing was compiled.
    #[serde(default)]
    pub code: Option<KernelFacts>,
}

/// What is known of compiled GPU code before it runs. With several launches per call: of the one with the most blocks × threads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct KernelFacts {
    /// Id of text, definitions, compiler and architecture.
    pub code_id: String,
    /// Compiler, with its version (`nvrtc 13.5`).
    pub compiler: String,
    /// 32-bit registers per thread.
    pub registers: u32,
    /// Bytes stored to and loaded from local memory by spills, per thread.
    pub spill_bytes: u32,
    /// Shared memory fixed by the code, per block.
    pub shared_static_bytes: u32,
    /// Shared memory asked for at the launch, per block.
    pub shared_dynamic_bytes: u32,
    /// Threads per block.
    pub threads_per_block: u32,
    /// Blocks of the launch.
    pub blocks: u64,
    /// Blocks resident per SM.
    pub blocks_per_sm: u32,
    /// Resident over possible threads.
    pub occupancy: f64,
    /// What allows no more blocks (`registers`, `shared memory`, `threads`, `blocks`).
    pub occupancy_limiter: String,
    /// Blocks over blocks resident on the whole device: the last, partly filled wave counts as its share.
    pub waves: f64,
}

/// Where energy readings come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum EnergySource {
    /// Running average power limit counters of the processor package.
    Rapl,
    /// The sensors of an NVIDIA board.
    Nvml,
    /// No sensor, and why.
    Unavailable(String),
}

/// Energy of one call, from a window of calls back to back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Energy {
    /// Per call, idle included.
    pub energy_j: f64,
    /// Per call, idle subtracted.
    pub net_j: f64,
    /// Half width of the 95 % interval of `energy_j` over trials and counter ticks.
    pub uncertainty_j: f64,
    /// Mean power over the window.
    pub power_w: f64,
    /// Idle power around it.
    pub idle_w: f64,
    /// Length of one window.
    pub window_s: f64,
    /// What else the sensor let be known.
    #[serde(default)]
    pub detail: EnergyDetail,
}

/// Circumstances of an energy measurement; empty where the device does not know them.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct EnergyDetail {
    /// Half width of what the sensor's gain may be off by, per call: shared by every row of the board, so left out when rows of one board are
    /// compared, and added (as the root of squares) to `uncertainty_j` when boards are.
    pub systematic_j: Option<f64>,
    /// An independent estimate of `energy_j` over the same windows.
    pub second_j: Option<f64>,
    /// `second_j` over `energy_j`.
    pub crosscheck: Option<f64>,
    /// Windows that were accepted.
    pub trials: Option<u64>,
    /// Time per call in the windows: the time base of `energy_j`.
    pub time_s: Option<f64>,
    /// Mean core clock over the windows.
    pub clock_hz: Option<f64>,
    /// Clock-event reasons seen in the windows, comma separated.
    pub throttle_reasons: Option<String>,
    /// Before the first window.
    pub temperature_before_c: Option<f64>,
    /// After the last.
    pub temperature_after_c: Option<f64>,
    /// State of the caches in the window; the flush is not part of it, so `hot`.
    pub regime: Option<CacheMode>,
    /// Reading that the energy rests on, where the source has several.
    #[serde(default)]
    pub sensor: Option<String>,
    /// What that reading covers: `board` or `module`.
    #[serde(default)]
    pub scope: Option<String>,
    /// What was found of the readings, as a JSON object.
    #[serde(default)]
    pub character: Option<String>,
    /// What a reader should know, by name (`crosscheck`, `temperature`, …).
    pub flags: Vec<String>,
}

/// A cumulative energy counter, or the reason why there is none.
pub trait PowerMeter {
    /// What it reads.
    fn source(&self) -> EnergySource;
    /// Energy since an arbitrary origin, wrap-around already undone.
    ///
    /// # Errors
    /// [`DeviceError::Sensor`] where the sensor is absent or stops answering.
    fn energy_j(&mut self) -> Result<f64, DeviceError>;
}

/// What can go wrong on a device.
#[derive(Debug, thiserror::Error)]
pub enum DeviceError {
    /// No such device.
    #[error("device `{spec}` {reason}")]
    NotFound {
        /// As typed.
        spec: String,
        /// Why not.
        reason: String,
    },
    /// The configuration cannot run.
    #[error(transparent)]
    Misfit(#[from] Misfit),
    /// Memory ran out.
    #[error("`{what}` needs {needed} B of memory; {available} B are available")]
    Memory {
        /// What was to be allocated.
        what: String,
        /// Bytes asked for.
        needed: u64,
        /// Bytes there are.
        available: u64,
    },
    /// The compiler refused the code.
    #[error("`{kernel}` does not compile for {arch}: {log}")]
    Compile {
        /// Kernel.
        kernel: String,
        /// Architecture.
        arch: String,
        /// The compiler's own words.
        log: String,
    },
    /// A library that a family calls is missing or unusable.
    #[error("library `{name}` {reason}")]
    Library {
        /// Which.
        name: String,
        /// Why not.
        reason: String,
    },
    /// A sensor is absent or died.
    #[error("power sensor: {0}")]
    Sensor(String),
    /// The board's clock or power limit cannot be set, or not be put back.
    #[error(transparent)]
    Setting(#[from] Refused),
    /// The device refuses everything from now on: what was done to it cannot be undone within this process.
    #[error("{call} failed and the device is lost to this process: {reason}")]
    Poisoned {
        /// Call that was refused.
        call: &'static str,
        /// The driver's words.
        reason: String,
    },
    /// The operating system refused.
    #[error("{call} failed: {reason}")]
    System {
        /// System call, or call of a vendor's library.
        call: &'static str,
        /// Its error.
        reason: String,
    },
}

impl DeviceError {
    /// Refuses what would not fit, before an allocation fails half way or the system kills the process.
    pub(crate) fn unless_room(what: &str, needed: f64, available: u64) -> Result<(), Self> {
        #[allow(clippy::cast_precision_loss)] // memory sizes
        if needed <= available as f64 {
            return Ok(());
        }
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates, for a message
        Err(Self::Memory { what: what.to_owned(), needed: needed as u64, available })
    }

    /// Refuses a slot that is none of those prepared.
    pub(crate) fn unless_prepared(slot: usize, prepared: usize) -> Result<(), Self> {
        if slot < prepared {
            return Ok(());
        }
        Err(Self::System { call: "slot", reason: format!("slot `{slot}` of {prepared} was not prepared") })
    }

    /// Refuses to check again what another slot than the `last` one would have written.
    pub(crate) fn unless_held(slot: usize, last: Option<usize>) -> Result<(), Self> {
        if last == Some(slot) {
            return Ok(());
        }
        Err(Self::System { call: "recheck", reason: format!("the output does not hold the result of slot `{slot}`") })
    }
}

/// A device that runs families.
pub trait Device {
    /// What is known of it.
    fn info(&self) -> &DeviceInfo;
    /// Measures its roofs; takes about a second.
    fn roofs(&self) -> Vec<Roof>;
    /// Where energy would come from.
    fn energy_source(&self) -> EnergySource;
    /// Puts the operands of `problem` on the device. Several problems may be loaded at once, so that a structured kernel and its dense
    /// rival are measured in the same rounds.
    ///
    /// # Errors
    /// [`DeviceError`] where they do not fit or the family has no source for the device.
    fn load(&self, family: &'static dyn Family, problem: &Problem) -> Result<Box<dyn Loaded>, DeviceError>;
    /// Says what will be prepared later, in that order: a device that compiles begins with it while others are measured. Replaces what was said
    /// before. Failures show when a point is prepared.
    fn ahead(&self, _points: Vec<(&'static dyn Family, Problem, Config)>) {}
    /// The clocks and the power limit of its board, to be changed.
    ///
    /// # Errors
    /// Why there are none, in words.
    fn limits(&self) -> Result<Box<dyn Limits>, String> {
        Err(format!("device `{}` has no clock or power limit that can be set", self.info().spec))
    }
}

/// A problem on a device: its operands are in place, configurations are prepared into slots and run in any order.
pub trait Loaded {
    /// Prepares a configuration.
    ///
    /// # Errors
    /// [`DeviceError`] where it cannot run; other slots are not affected.
    fn prepare(&mut self, config: &Config) -> Result<Preparation, DeviceError>;
    /// Poisons the output, runs once and compares with the f64 reference (computed once per problem, on first use).
    ///
    /// # Errors
    /// [`DeviceError`] where the run itself fails; a wrong result is a [`Verification`] that says so.
    fn verify(&mut self, slot: usize) -> Result<Verification, DeviceError>;
    /// Compares what the last timed call of `slot` left, without running it again: catches what only repetition breaks.
    /// Call it directly after [`Loaded::sample`] of the same slot.
    ///
    /// # Errors
    /// As [`Loaded::verify`].
    fn recheck(&mut self, slot: usize) -> Result<Verification, DeviceError>;
    /// Poisons the output as if the last call of `slot` had written nothing: a defect that [`Loaded::recheck`] must find.
    ///
    /// # Errors
    /// [`DeviceError`] where the device fails.
    fn spoil(&mut self, slot: usize) -> Result<(), DeviceError>;
    /// Takes one sample of `iterations` calls.
    ///
    /// # Errors
    /// [`DeviceError`] where the run fails.
    fn sample(&mut self, slot: usize, iterations: u64, cache: CacheMode) -> Result<Sample, DeviceError>;
    /// What `time_s` is for `slot`: `thread_cpu`, `critical_cpu` or `event`.
    fn time_basis(&self, slot: usize) -> &'static str;
    /// Measures energy per call of `slot` over windows of at least `window_s`; `None` where there is no sensor.
    ///
    /// # Errors
    /// [`DeviceError`] where a run or the sensor fails.
    fn energy(&mut self, slot: usize, window_s: f64) -> Result<Option<Energy>, DeviceError>;
    /// Relative error of the operator the family approximates, as [`Family::quality`].
    fn quality(&mut self) -> Option<f64>;
}
