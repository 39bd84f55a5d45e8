//! What came of one point.

use tilecast_kernels::devices::cuda::power::Held;
use tilecast_kernels::oracle::Verification;
use tilecast_kernels::{Energy, KernelFacts, Sample};

use super::stop::StopReason;

/// Result of a point: measured, or a status with a reason. Never nothing.
#[derive(Clone, Debug)]
pub struct Outcome {
    /// `ok`, or what went wrong.
    pub status: String,
    /// Why, where it is not `ok`.
    pub reason: Option<String>,
    /// What the oracle found, last.
    pub verification: Option<Verification>,
    /// Approximation error of a structured family.
    pub quality: Option<f64>,
    /// One-time preparation.
    pub prepare_s: Option<f64>,
    /// What the kernel says of itself.
    pub note: Option<String>,
    /// What is known of compiled code before it runs.
    pub code: Option<Box<KernelFacts>>,
    /// Timing, where it was sampled.
    pub timing: Option<Timing>,
    /// Energy, where there is a sensor.
    pub energy: Option<Energy>,
    /// Why there is none, where there is a sensor.
    pub energy_reason: Option<String>,
    /// What became of the clocks and the power limit that it names.
    pub locked: Held,
}

impl Outcome {
    /// A point that is being measured: `ok` unless something is found.
    #[must_use]
    pub fn pending() -> Self {
        Self {
            status: "ok".to_owned(),
            reason: None,
            verification: None,
            quality: None,
            prepare_s: None,
            note: None,
            code: None,
            timing: None,
            energy: None,
            energy_reason: None,
            locked: Held::Unasked,
        }
    }
}

/// Samples of a point and how they were taken.
#[derive(Clone, Debug, Default)]
pub struct Timing {
    /// In the order taken.
    pub samples: Vec<Sample>,
    /// What `time_s` is.
    pub basis: String,
    /// Calls before the first sample.
    pub warmup: u64,
    /// Rounds the point took part in.
    pub rounds: u32,
    /// Why sampling stopped; `None` while it goes on.
    pub stop: Option<StopReason>,
    /// Movement of the reference kernel over the rounds.
    pub drift: Option<f64>,
}
