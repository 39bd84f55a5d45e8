//! Why there is no energy: what stands in `energy_reason`.

use crate::DeviceError;

use super::Absent;

/// Why energy cannot be given. Never a zero, never a number from a data sheet instead.
#[derive(Debug, thiserror::Error)]
pub enum Unavailable {
    /// NVML is missing or does not start.
    #[error("NVML cannot be used: {0}")]
    Library(String),
    /// NVML does not know the board.
    #[error("NVML knows no board `{board}`: {reason}")]
    Board {
        /// As asked for.
        board: String,
        /// In NVML's words.
        reason: String,
    },
    /// The board is partitioned.
    #[error("MIG is on: power and energy are those of the whole board, not of one instance")]
    Mig,
    /// Somebody else is at work on the board.
    #[error("another process is on the GPU ({0}): its energy cannot be told apart")]
    OtherProcess(String),
    /// Neither counter nor power can be read.
    #[error("the board offers no power reading: {0}")]
    NoSensor(String),
    /// A sensor stopped answering.
    #[error("the {what} stopped answering {after_s:.1} s into the measurement: {reason}")]
    Died {
        /// Which reading.
        what: &'static str,
        /// Since the measurement began.
        after_s: f64,
        /// In the sensor's words.
        reason: String,
    },
    /// A sensor answers and never changes.
    #[error("the {what} did not move in {over_s:.1} s of load")]
    StoodStill {
        /// Which reading.
        what: &'static str,
        /// Time waited.
        over_s: f64,
    },
    /// The counter fell and had not wrapped.
    #[error("the energy counter fell from {from_j:.3} J to {to_j:.3} J: the driver was reloaded or the counter was reset")]
    CounterFell {
        /// Before.
        from_j: f64,
        /// After.
        to_j: f64,
    },
    /// Two estimates of the same windows are too far apart for either to be trusted.
    #[error("{second} gives {ratio:.3} of what {first} gives over the same windows; the limit is ±{} %", limit * 100.0)]
    Disagree {
        /// First estimate's source.
        first: &'static str,
        /// Second estimate's source.
        second: &'static str,
        /// Second over first.
        ratio: f64,
        /// Largest deviation from 1.
        limit: f64,
    },
    /// The queue ran dry, so the board was partly idle in the window.
    #[error("launches could not be queued fast enough: the GPU was idle at {share:.0} % of the polls", share = share * 100.0)]
    Starved {
        /// Of polls.
        share: f64,
    },
    /// The kernel is too slow for what the protocol needs at least.
    #[error(
        "a launch takes `{launch_s:.2}` s: its sensors would have to be watched for {needed_s:.0} s, and {limit_s:.0} s are the limit"
    )]
    Slow {
        /// Time of one launch.
        launch_s: f64,
        /// Least time that would be needed.
        needed_s: f64,
        /// Most there is.
        limit_s: f64,
    },
    /// It took longer than was to be expected: launches became slower, or a sensor did.
    #[error("the sensors had been watched for {limit_s} s, which is the limit, before there was a result")]
    Overran {
        /// Most there is.
        limit_s: f64,
    },
    /// The kernel itself failed; no fault of a sensor.
    #[error(transparent)]
    Kernel(#[from] DeviceError),
}

impl Unavailable {
    /// Of a reading that is absent from the start, or that died.
    pub(super) fn of(what: &'static str, after_s: f64, absent: Absent) -> Self {
        match absent {
            Absent::Lost(reason) => Self::Died { what, after_s, reason },
            Absent::Unsupported(reason) | Absent::Denied(reason) => Self::NoSensor(format!("{what}: {reason}")),
        }
    }
}

impl From<Unavailable> for DeviceError {
    /// [`DeviceError::Sensor`] with the reason, or the kernel's own failure.
    fn from(why: Unavailable) -> Self {
        match why {
            Unavailable::Kernel(error) => error,
            other => Self::Sensor(other.to_string()),
        }
    }
}
