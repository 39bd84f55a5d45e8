//! What a board's power sensors really do, found from a square wave of load.

use serde::{Deserialize, Serialize};

use crate::random::Random;

use super::fit::{self, Busy};
use super::load::Load;
use super::measure::offered;
use super::prior::{Scope, prior};
use super::statistics::{count, quantile};
use super::trace::Series;
use super::trial::{Watch, Work};
use super::{Flag, Prior, Reading, Sensor, Source, Stage, Unavailable};

/// One long step first, which a one-second average needs: idle, load, idle.
const LONG_S: [f64; 3] = [1.5, 2.0, 1.5];
/// Then pulses and pauses of random length, so that they fall on every phase of the sensor's period.
const PULSE_S: (f64, f64) = (0.05, 0.35);
const PULSES: usize = 22;
/// Longest that a square wave may take, and what its pulses take at least: one launch runs, and two are queued behind it when it ends.
pub(super) const CHARACTERISE_S: f64 = 45.0;
const PULSE_LAUNCHES: f64 = 3.0;
/// Polls are this far apart: a twentieth of the shortest period known.
const POLL_S: f64 = 1e-3;
/// A fit that explains less of a reading's variance than this says nothing.
const EXPLAINED: f64 = 0.5;
/// Time constants after which an exponential is within 0.1 % of its end.
const SETTLED: f64 = 7.0;

/// How a reading answers to a step of load.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Rise {
    /// Within its averaging window, of tens of milliseconds.
    Instant,
    /// As a low pass.
    Exponential {
        /// Time constant.
        tau_s: f64,
    },
    /// A straight line over about a second: a moving average.
    Ramp,
}

/// What was found of one power reading.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// From one update to the next.
    pub period_s: f64,
    /// Time that one value averages.
    pub window_s: f64,
    /// From the end of that window until the value is shown.
    pub lag_s: f64,
    /// Answer to a step.
    pub rise: Rise,
    /// Share of the reading's variance that this explains; 0 where it is the prior.
    pub explained: f64,
}

impl Response {
    /// From a step of load until a value that knows nothing of the time before is shown.
    #[must_use]
    pub fn settle_s(&self) -> f64 {
        self.lag_s + self.period_s + if let Rise::Exponential { tau_s } = self.rise { SETTLED * tau_s } else { self.window_s }
    }

    /// How much later than the power itself its reading stands, on average.
    #[must_use]
    pub fn shift_s(&self) -> f64 {
        self.lag_s + self.period_s / 2.0 + if let Rise::Exponential { tau_s } = self.rise { tau_s } else { self.window_s / 2.0 }
    }

    /// Share of the time that the reading sees.
    #[must_use]
    pub fn coverage(&self) -> f64 {
        if matches!(self.rise, Rise::Exponential { .. }) { 1.0 } else { (self.window_s / self.period_s).min(1.0) }
    }
}

/// What was found of an energy counter.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tick {
    /// From one change to the next.
    pub period_s: f64,
    /// Median change.
    pub step_j: f64,
}

/// What is known of a board's sensors. Stored in every row with an energy that rests on it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Character {
    /// Power over a short window.
    pub instant: Option<Response>,
    /// Power over the last second.
    pub average: Option<Response>,
    /// The energy counter.
    pub counter: Option<Tick>,
    /// What the readings cover, by the prior.
    #[serde(default)]
    pub scope: Scope,
    /// Where what was found is not what is published.
    pub notes: Vec<String>,
}

/// Where nothing is known: the slowest period seen, so that windows are rather too long.
const UNKNOWN: Response = Response { period_s: 0.1, window_s: 0.1, lag_s: 0.1, rise: Rise::Instant, explained: 0.0 };

impl Character {
    /// What is published of an architecture, for a board that was not characterised.
    #[must_use]
    pub fn published(architecture: &str) -> Self {
        let of = |reading| prior(architecture, reading).map(|prior| published(&prior));
        let scope = prior(architecture, Reading::Instant).map(|prior| prior.scope).unwrap_or_default();
        Self { instant: of(Reading::Instant), average: of(Reading::Average), counter: None, scope, notes: Vec::new() }
    }

    /// What was found, or where nothing could be, what is published and the flag that says so.
    ///
    /// # Errors
    /// The kernel's own failure, which is no fault of the sensor.
    pub fn believed(found: Result<Self, Unavailable>, architecture: &str) -> Result<(Self, Option<Flag>), Unavailable> {
        match found {
            Ok(character) => Ok((character, None)),
            Err(why @ Unavailable::Kernel(_)) => Err(why),
            Err(_) => Ok((Self::published(architecture), Some(Flag::Uncharacterised))),
        }
    }

    /// Time between updates of `source`.
    #[must_use]
    pub fn period_s(&self, source: Source) -> f64 {
        match source {
            Source::Counter => self.counter.map_or(UNKNOWN.period_s, |tick| tick.period_s),
            Source::Instant | Source::Average => self.response(source).period_s,
        }
    }

    /// Time from the start of load until `source` shows nothing older. The counter adds up what the power reading sees.
    #[must_use]
    pub fn settle_s(&self, source: Source) -> f64 {
        self.response(source).settle_s() + if source == Source::Counter { 2.0 * self.period_s(source) } else { 0.0 }
    }

    /// How much later than the power itself a reading of `source` stands; 0 for the counter, whose windows are its own ticks.
    #[must_use]
    pub fn shift_s(&self, source: Source) -> f64 {
        if source == Source::Counter { 0.0 } else { self.response(source).shift_s() }
    }

    /// Share of the time that `source` sees. A counter inherits the blind spots of the instant reading.
    #[must_use]
    pub fn coverage(&self, source: Source) -> f64 {
        self.response(source).coverage()
    }

    fn response(&self, source: Source) -> Response {
        match source {
            Source::Average => self.average.unwrap_or(Response { window_s: 1.0, rise: Rise::Ramp, ..UNKNOWN }),
            Source::Instant | Source::Counter => self.instant.unwrap_or(UNKNOWN),
        }
    }
}

fn published(prior: &Prior) -> Response {
    let window_s = prior.window_s.unwrap_or(prior.period_s);
    let rise = if prior.reading == Reading::Average { Rise::Ramp } else { Rise::Instant };
    // A lag of one period is on the safe side: it only lengthens what is left out.
    Response { period_s: prior.period_s, window_s, lag_s: prior.period_s, rise, explained: 0.0 }
}

/// Finds out what the sensors of a board do by running the stage's kernel in a square wave for about 15 s, [`Unavailable::Slow`] kernels excepted. Best with a kernel of high power.
///
/// # Errors
/// [`Unavailable`] as for a measurement; [`Unavailable::StoodStill`] where a reading does not change between load and idle.
pub fn characterise(
    stage: &mut dyn Stage,
    sensor: &mut dyn Sensor,
    architecture: &str,
    seed: u64,
) -> Result<Character, Unavailable> {
    sensor.attributable()?;
    let (sources, reasons) = offered(sensor)?;
    if sources.is_empty() {
        return Err(Unavailable::NoSensor(reasons));
    }
    let load = Load::calibrate(stage)?;
    let needed_s = lasts_s(load.launch_s);
    if needed_s > CHARACTERISE_S {
        return Err(Unavailable::Slow { launch_s: load.launch_s, needed_s, limit_s: CHARACTERISE_S });
    }
    let mut watch = Watch::new(load, sensor, sources.clone(), POLL_S).seeded(seed).within(CHARACTERISE_S);
    let busy = wave(&mut watch, seed)?;
    watch.sensor.attributable()?;
    let record = watch.clear();
    watch.require_movement()?;
    let mut character = Character::published(architecture);
    let published = character.clone();
    if sources.contains(&Source::Counter) {
        character.counter = tick(record.of(Source::Counter));
    }
    for source in sources {
        let found = response(record.of(source), &busy);
        match source {
            Source::Instant => character.instant = found.or(character.instant),
            Source::Average => character.average = found.or(character.average),
            Source::Counter => {}
        }
    }
    character.notes = notes(&character, &published);
    Ok(character)
}

/// How long the square wave takes with launches of `launch_s`, about.
fn lasts_s(launch_s: f64) -> f64 {
    let mean_s = f64::midpoint(PULSE_S.0, PULSE_S.1);
    LONG_S.iter().sum::<f64>() + LONG_S[2] + count(PULSES) * (mean_s + mean_s.max(PULSE_LAUNCHES * launch_s))
}

/// Plays the square wave; gives the times at which the GPU was busy.
fn wave(watch: &mut Watch<'_>, seed: u64) -> Result<Busy, Unavailable> {
    let mut random = Random::new(seed);
    let mut draw = || PULSE_S.0 + (PULSE_S.1 - PULSE_S.0) * (random.signed() + 1.0) / 2.0;
    let mut spans = Vec::new();
    rest(watch, LONG_S[0])?;
    spans.push(pulse(watch, LONG_S[1])?);
    rest(watch, LONG_S[2])?;
    for _ in 0..PULSES {
        spans.push(pulse(watch, draw())?);
        rest(watch, draw())?;
    }
    rest(watch, LONG_S[2])?;
    Ok(Busy::new(spans))
}

fn rest(watch: &mut Watch<'_>, seconds: f64) -> Result<(), Unavailable> {
    let start = watch.clock_s();
    while watch.poll(Work::Rest)? < start + seconds {}
    Ok(())
}

fn pulse(watch: &mut Watch<'_>, seconds: f64) -> Result<(f64, f64), Unavailable> {
    let start = watch.clock_s();
    while watch.poll(Work::Feed)? < start + seconds {}
    while !watch.load.is_done()? {
        watch.poll(Work::Rest)?;
    }
    Ok((start, watch.clock_s()))
}

/// Median time between updates. Values that happen to repeat make gaps of several periods: those count as several.
fn period_s(series: &Series) -> Option<f64> {
    let gaps = series.gaps();
    if gaps.len() < 5 {
        return None;
    }
    // Not the least, which one late poll makes absurdly short; not the median, which repeats make twice too long.
    let rough = quantile(&gaps, 0.25);
    let single: Vec<f64> = gaps.iter().map(|gap| gap / (gap / rough).round().max(1.0)).collect();
    Some(quantile(&single, 0.5)).filter(|period| *period > 0.0)
}

fn tick(counter: &Series) -> Option<Tick> {
    let steps: Vec<f64> = counter.changes.windows(2).map(|pair| pair[1].value - pair[0].value).collect();
    Some(Tick { period_s: period_s(counter)?, step_j: quantile(&steps, 0.5) })
}

fn response(series: &Series, busy: &Busy) -> Option<Response> {
    let period_s = period_s(series)?;
    let samples: Vec<(f64, f64)> = series.changes.iter().map(|change| (change.time_s, change.value)).collect();
    let fit = fit::step_response(&samples, busy).filter(|fit| fit.explained > EXPLAINED)?;
    let (window_s, rise) = match fit.shape {
        fit::Shape::Boxcar(window_s) => (window_s, if window_s >= 0.5 { Rise::Ramp } else { Rise::Instant }),
        fit::Shape::Exponential(tau_s) => (period_s, Rise::Exponential { tau_s }),
    };
    Some(Response { period_s, window_s, lag_s: fit.lag_s, rise, explained: fit.explained })
}

fn notes(found: &Character, published: &Character) -> Vec<String> {
    let pairs = [("instant", found.instant, published.instant), ("average", found.average, published.average)];
    let mut notes = Vec::new();
    for (name, found, published) in pairs {
        let Some((found, published)) = found.zip(published) else { continue };
        for (what, f, p) in
            [("updates every", found.period_s, published.period_s), ("averages", found.window_s, published.window_s)]
        {
            if f > 1.5 * p || p > 1.5 * f {
                notes.push(format!(
                    "{name} power {what} {:.0} ms; {:.0} ms are published for this architecture",
                    f * 1e3,
                    p * 1e3
                ));
            }
        }
    }
    notes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::cuda::power::Stamped;

    #[test]
    fn a_period_is_found_through_repeats_and_late_polls() {
        let mut series = Series::default();
        let mut time_s = 0.0;
        for update in 0..40 {
            // Every third value repeats the one before.
            let value = f64::from(update - i32::from(update % 3 == 2));
            for _ in 0..20 {
                series.push(time_s, Stamped::plain(value));
                time_s += 0.005;
            }
        }
        let period = period_s(&series).expect("enough changes");
        assert!((period - 0.1).abs() < 0.005, "{period}");
        assert_eq!(series.changes.len(), 26);
    }

    #[test]
    fn own_stamps_tell_the_period_of_a_value_that_stands_still() {
        let mut series = Series::default();
        for poll in 0..200 {
            let stamp_s = Some(f64::from(poll / 10) * 0.02);
            series.push(f64::from(poll) * 0.002, Stamped { value: 50.0, stamp_s });
        }
        assert!((period_s(&series).expect("stamps") - 0.02).abs() < 1e-9);
    }
}
