//! Energy per launch and all that is known of how good the number is.

use serde::Serialize;

use crate::{CacheMode, Energy, EnergyDetail};

use super::Throttle;
use super::prior::Scope;

/// Which reading an estimate rests on.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Energy counter.
    Counter,
    /// Integral of power over short windows.
    Instant,
    /// Integral of power over the last second.
    Average,
}

impl Source {
    /// In words.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Counter => "energy counter",
            Self::Instant => "instant power",
            Self::Average => "average power",
        }
    }
}

/// What a reader of a report should know.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Flag {
    /// The two estimates differ by more than the warning limit.
    Crosscheck,
    /// The two estimates differ by more than the limit of refusal, and the caller publishes all the same.
    Disagree,
    /// The board has one usable reading only.
    OneEstimate,
    /// The sensor sees part of the time; phases were randomised, and the interval says what that leaves.
    PartTime,
    /// A window was kept although the temperature moved.
    Temperature,
    /// A window was kept although the clock moved.
    Clock,
    /// A window was kept although a thermal or hardware slowdown was active.
    Slowdown,
    /// Idle power before and after differ by more than a tenth.
    Idle,
    /// The window was cut at its longest: fewer launches or sensor updates than the protocol asks for.
    ShortWindow,
    /// The kernel is slow: fewer trials or bursts than the protocol asks for.
    SlowKernel,
    /// The reading includes the processor of a superchip.
    Module,
    /// The queue ran dry at some polls.
    Starved,
    /// The sensor could not be characterised: what is published of its architecture was believed.
    Uncharacterised,
}

impl Flag {
    /// Name in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Crosscheck => "crosscheck",
            Self::Disagree => "disagree",
            Self::OneEstimate => "one-estimate",
            Self::PartTime => "part-time",
            Self::Temperature => "temperature",
            Self::Clock => "clock",
            Self::Slowdown => "slowdown",
            Self::Idle => "idle",
            Self::ShortWindow => "short-window",
            Self::SlowKernel => "slow-kernel",
            Self::Module => "module",
            Self::Starved => "starved",
            Self::Uncharacterised => "uncharacterised",
        }
    }
}

/// One stretch of steady load that was measured; a trial is one or several.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Window {
    /// Trial it belongs to, from 0.
    pub trial: usize,
    /// Start on the stage's clock, when the counter ticked.
    pub from_s: f64,
    /// End on the stage's clock, when the counter ticked.
    pub to_s: f64,
    /// Launches in it, fractions included.
    pub launches: f64,
    /// By the first source.
    pub energy_j: f64,
    /// By the second.
    pub second_j: Option<f64>,
}

/// Half widths of 95 % intervals, per launch, before they are put together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Terms {
    /// Spread over trials.
    pub trials_j: f64,
    /// When exactly the counter ticked and launches ended.
    pub tick_j: f64,
    /// What a part-time sensor did not see.
    pub coverage_j: f64,
}

impl Terms {
    /// Root of the sum of squares.
    #[must_use]
    pub fn together_j(&self) -> f64 {
        self.trials_j.hypot(self.tick_j).hypot(self.coverage_j)
    }
}

/// Energy of one launch.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct EnergyReport {
    /// Per launch, idle included.
    pub energy_j: f64,
    /// Per launch, idle subtracted.
    pub net_j: f64,
    /// Half width of the 95 % interval for comparisons on one board.
    pub relative_j: f64,
    /// What it is made of.
    pub terms: Terms,
    /// Half width of what the sensor's gain may be off by: the same for every row of the board.
    pub systematic_j: f64,
    /// What `energy_j` rests on.
    pub source: Source,
    /// What the second estimate rests on.
    pub second_source: Option<Source>,
    /// Second estimate per launch, over the same windows.
    pub second_j: Option<f64>,
    /// Second over first.
    pub crosscheck: Option<f64>,
    /// What the sensor covers.
    pub scope: Scope,
    /// Mean power in the windows.
    pub power_w: f64,
    /// Idle power: mean of before and after.
    pub idle_w: f64,
    /// Before the first launch.
    pub idle_before_w: f64,
    /// After the last, with the clocks still up.
    pub idle_after_w: f64,
    /// Time of one launch in the windows: the time base of `energy_j`.
    pub launch_s: f64,
    /// Measured time of one trial, mean.
    pub window_s: f64,
    /// Trials accepted.
    pub trials: usize,
    /// Trials thrown away for temperature, clock or slowdown.
    pub discarded: usize,
    /// Every stretch measured.
    pub windows: Vec<Window>,
    /// Mean core clock under load.
    pub clock_hz: Option<f64>,
    /// Mean memory clock under load.
    pub memory_clock_hz: Option<f64>,
    /// Clock-event reasons seen in the windows.
    pub throttle: Throttle,
    /// Before the first window.
    pub temperature_before_c: Option<f64>,
    /// After the last.
    pub temperature_after_c: Option<f64>,
    /// State of the caches: launches are back to back.
    pub regime: CacheMode,
    /// What a reader should know.
    pub flags: Vec<Flag>,
}

impl EnergyReport {
    /// Half width of the 95 % interval for comparisons across boards: relative and systematic together.
    #[must_use]
    pub fn absolute_j(&self) -> f64 {
        self.relative_j.hypot(self.systematic_j)
    }
}

impl From<&EnergyReport> for Energy {
    fn from(report: &EnergyReport) -> Self {
        Self {
            energy_j: report.energy_j,
            net_j: report.net_j,
            uncertainty_j: report.relative_j,
            power_w: report.power_w,
            idle_w: report.idle_w,
            window_s: report.window_s,
            detail: EnergyDetail {
                systematic_j: Some(report.systematic_j),
                second_j: report.second_j,
                crosscheck: report.crosscheck,
                trials: u64::try_from(report.trials).ok(),
                time_s: Some(report.launch_s),
                clock_hz: report.clock_hz,
                throttle_reasons: Some(report.throttle.to_string()).filter(|text| !text.is_empty()),
                temperature_before_c: report.temperature_before_c,
                temperature_after_c: report.temperature_after_c,
                regime: Some(report.regime),
                sensor: Some(report.source.name().to_owned()),
                scope: Some(report.scope.name().to_owned()),
                character: None,
                flags: report.flags.iter().map(|flag| flag.name().to_owned()).collect(),
            },
        }
    }
}
