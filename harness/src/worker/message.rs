//! What the sweep asks of its worker and what the worker says.

use std::str::FromStr;

use serde::{Deserialize, Serialize};
use tilecast_kernels::devices::cuda::power::{Held, Saved};
use tilecast_kernels::oracle::Verification;
use tilecast_kernels::{CacheMode, Config, DeviceInfo, Energy, EnergySource, KernelFacts, Problem, Roof, Sample};

use crate::fail::{Fail, unknown};

/// A request. `slot` is chosen by the sweep and names a prepared point until [`Ask::Forget`].
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case")]
pub enum Ask {
    /// Device, energy source.
    Info,
    /// Measure the roofs.
    Roofs,
    /// Load the problem where it is not loaded yet, and prepare a configuration. Changes nothing of the board: the clocks and the power limit that it names
    /// are in force from [`Ask::Verify`] on, whenever the slot is what runs.
    Prepare {
        /// Handle of the point.
        slot: usize,
        /// Problem.
        problem: Box<Problem>,
        /// Configuration.
        config: Config,
    },
    /// Poison the output, run once, compare.
    Verify {
        /// Handle.
        slot: usize,
    },
    /// Run until steady and choose how many calls make a sample of `sample_s`.
    Warm {
        /// Handle.
        slot: usize,
        /// Length of a sample.
        sample_s: f64,
        /// Cache mode.
        cache: CacheMode,
    },
    /// Take one sample.
    Sample {
        /// Handle.
        slot: usize,
        /// Calls in it.
        iterations: u64,
        /// Cache mode.
        cache: CacheMode,
    },
    /// Run once more, compare what repetition left, and measure energy where there is a sensor.
    Finish {
        /// Handle.
        slot: usize,
        /// Calls before the comparison.
        iterations: u64,
        /// Length of an energy window.
        energy_s: f64,
    },
    /// Begin to compile what will be prepared later, in this order.
    Ahead {
        /// Problems and configurations.
        points: Vec<(Problem, Config)>,
    },
    /// Drop all problems and slots, and put back what was changed of the board.
    Forget,
}

/// An answer, with the time it took inside the worker.
#[derive(Debug, Serialize, Deserialize)]
pub struct Reply {
    /// What was found.
    pub said: Said,
    /// Where the time went.
    pub busy: Busy,
}

/// Content of an answer.
#[derive(Debug, Serialize, Deserialize)]
#[serde(tag = "said", rename_all = "snake_case")]
pub enum Said {
    /// To [`Ask::Info`].
    Info {
        /// The device.
        device: Box<DeviceInfo>,
        /// Where energy would come from.
        energy: EnergySource,
    },
    /// To [`Ask::Roofs`].
    Roofs {
        /// Measured roofs.
        roofs: Vec<Roof>,
    },
    /// To [`Ask::Prepare`].
    Prepared {
        /// One-time preparation.
        prepare_s: f64,
        /// What the kernel says of itself.
        note: Option<String>,
        /// What a sample's `time_s` is.
        time_basis: String,
        /// Approximation error of a structured family.
        quality: Option<f64>,
        /// What is known of the compiled code.
        code: Option<Box<KernelFacts>>,
        /// What stands before the worker changes clocks or power limit: to be put back if the worker is lost. `None` where the slot names none.
        saved: Option<Saved>,
    },
    /// To [`Ask::Verify`].
    Verified {
        /// What comparing found.
        verification: Verification,
    },
    /// To [`Ask::Warm`].
    Warmed(Warmed),
    /// To [`Ask::Sample`].
    Sampled {
        /// The sample.
        sample: Sample,
    },
    /// To [`Ask::Finish`].
    Finished {
        /// What comparing found.
        verification: Verification,
        /// Energy, where there is a sensor.
        energy: Option<Box<Energy>>,
        /// Why there is none, where there is a sensor.
        energy_reason: Option<String>,
        /// What was seen of the slot's clocks and power limit over all its samples.
        locked: Held,
    },
    /// To [`Ask::Ahead`].
    Begun,
    /// To [`Ask::Forget`].
    Forgotten {
        /// What of the board could not be put back, and why.
        kept: Option<String>,
    },
    /// The device refuses everything from now on, and the worker ends; a new one has it anew.
    DeviceLost {
        /// The driver's words.
        reason: String,
    },
    /// The board may not be set as the slot asks; other slots are not affected.
    Denied {
        /// Setting and limit.
        reason: String,
    },
    /// The device refused; other slots are not affected.
    Refused {
        /// Row status (`unsupported`, `runtime_error` …).
        status: String,
        /// Subject, value, limit.
        reason: String,
    },
}

/// Outcome of a warm-up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Warmed {
    /// Calls made.
    pub calls: u64,
    /// Calls that make a sample.
    pub iterations: u64,
    /// Time per call at the end of it.
    pub time_s: f64,
    /// What was seen of the slot's clocks and power limit at the end of it.
    pub locked: Held,
}

/// Wall time inside the worker, by what it was spent on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Busy {
    /// Kernel calls: warm-up and samples.
    pub kernel_s: f64,
    /// Verification, with the f64 reference.
    pub verify_s: f64,
    /// Cache flushes.
    pub flush_s: f64,
    /// Operands and preparation.
    pub prepare_s: f64,
    /// Energy windows and roofs.
    pub sensor_s: f64,
}

impl Busy {
    /// Adds `other`.
    pub fn add(&mut self, other: &Self) {
        self.kernel_s += other.kernel_s;
        self.verify_s += other.verify_s;
        self.flush_s += other.flush_s;
        self.prepare_s += other.prepare_s;
        self.sensor_s += other.sensor_s;
    }
}

/// A fault planted in a worker, so that the sweep's answer to it can be tested: `crash@tile=8` kills the worker with SIGSEGV when it samples
/// the configuration whose text contains `tile=8`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What goes wrong.
    pub kind: FaultKind,
    /// Text of the configurations it befalls.
    pub at: String,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FaultKind {
    /// The worker dies of SIGSEGV.
    Crash,
    /// The same, but not before the first sample that counts: requests for others are on their way then.
    Late,
    /// The worker never answers.
    Hang,
    /// The result is wrong after timing, right before it.
    Wrong,
    /// A kernel of its own stores where nothing is, which takes a GPU's context with it.
    Wild,
}

impl FromStr for Fault {
    type Err = Fail;
    fn from_str(text: &str) -> Result<Self, Fail> {
        let (kind, at) = text.split_once('@').ok_or_else(|| Fail::new(format!("fault `{text}` has no `@`")))?;
        let kind = match kind {
            "crash" => FaultKind::Crash,
            "late" => FaultKind::Late,
            "hang" => FaultKind::Hang,
            "wrong" => FaultKind::Wrong,
            "wild" => FaultKind::Wild,
            other => return Err(unknown("fault", other, ["crash", "late", "hang", "wrong", "wild"])),
        };
        Ok(Self { kind, at: at.to_owned() })
    }
}
