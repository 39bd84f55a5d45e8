//! Polls sensors beside a load, and cuts windows of steady load out of what it saw.

use crate::random::Random;

use super::load::{Load, float};
use super::statistics::{count, mean, quantile};
use super::trace::{Series, Unwrap};
use super::{Absent, Sensor, Source, Stamped, Throttle, Unavailable, Window};

/// Clocks and clock-event reasons are looked at this often: each look takes time from polling power.
const HEALTH_S: f64 = 0.1;
/// Stream of random numbers for the moments of polls; the pauses of trials have one of their own.
const JITTER: u64 = 0x70_11;
/// A counter that has not ticked twice this long after it should have stands still.
const PATIENCE_S: f64 = 2.0;
/// Fractions of multiples of this fill an interval evenly, however many there are.
const GOLDEN: f64 = 0.618_033_988_749_895;

/// How a trial is cut.
#[derive(Clone, Debug)]
pub(super) struct Plan {
    pub(super) first: Source,
    pub(super) second: Option<Source>,
    /// From the start of load until every reading has forgotten what came before.
    pub(super) settle_s: f64,
    /// Steady time measured per burst of load.
    pub(super) segment_s: f64,
    /// Bursts per trial, each at another phase of the sensor's period where there are several.
    pub(super) segments: usize,
    /// Trials, and how many more may be thrown away.
    pub(super) trials: usize,
    pub(super) discards: usize,
    /// Time of one launch.
    pub(super) launch_s: f64,
    /// Slowest update of the readings used.
    pub(super) period_s: f64,
    /// Update of the first source.
    pub(super) beat_s: f64,
    /// How much later than the power itself a reading of it shows, by source.
    pub(super) shift_s: [f64; 3],
    /// Time between polls.
    pub(super) poll_s: f64,
}

impl Plan {
    pub(super) fn shift_s(&self, source: Source) -> f64 {
        self.shift_s[source as usize]
    }

    /// Load goes on so long after the last tick, so that the shifted power readings still are of load.
    pub(super) fn tail_s(&self) -> f64 {
        [Some(self.first), self.second].into_iter().flatten().map(|s| self.shift_s(s)).fold(0.0, f64::max) + 3.0 * self.poll_s
    }
}

/// What was seen of clocks and temperature.
#[derive(Clone, Debug, Default)]
pub(super) struct Health {
    pub(super) clocks_hz: Vec<f64>,
    pub(super) memory_clocks_hz: Vec<f64>,
    pub(super) temperatures_c: Vec<f64>,
    pub(super) throttle: Throttle,
    next_s: f64,
}

impl Health {
    fn add(&mut self, other: Self) {
        self.clocks_hz.extend(other.clocks_hz);
        self.memory_clocks_hz.extend(other.memory_clocks_hz);
        self.temperatures_c.extend(other.temperatures_c);
        self.throttle = self.throttle.and(other.throttle);
    }

    pub(super) fn temperature_change_c(&self) -> f64 {
        let (first, last) = (self.temperatures_c.first(), self.temperatures_c.last());
        first.zip(last).map_or(0.0, |(first, last)| (last - first).abs())
    }

    /// Between the 5 % and the 95 % quantile, over the mean.
    pub(super) fn clock_change(&self) -> f64 {
        if self.clocks_hz.is_empty() {
            return 0.0;
        }
        (quantile(&self.clocks_hz, 0.95) - quantile(&self.clocks_hz, 0.05)) / mean(&self.clocks_hz)
    }
}

/// Readings since the record was last cleared.
#[derive(Clone, Debug, Default)]
pub(super) struct Record {
    pub(super) power: [Series; 3],
    pub(super) progress: Series,
    pub(super) health: Health,
}

impl Record {
    pub(super) fn of(&self, source: Source) -> &Series {
        &self.power[source as usize]
    }
}

/// One trial.
pub(super) struct Trial {
    pub(super) windows: Vec<Window>,
    /// Sum of the variances of the windows' ends, in s².
    pub(super) edge_s2: f64,
    pub(super) health: Health,
}

impl Trial {
    pub(super) fn duration_s(&self) -> f64 {
        self.windows.iter().map(|window| window.to_s - window.from_s).sum()
    }
    /// Energy per launch by the first source.
    pub(super) fn energy_j(&self) -> f64 {
        self.windows.iter().map(|window| window.energy_j).sum::<f64>() / self.launches()
    }
    pub(super) fn launches(&self) -> f64 {
        self.windows.iter().map(|window| window.launches).sum()
    }
}

/// Whether the GPU is to be kept busy while polling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Work {
    Feed,
    Rest,
}

/// A sensor and a load under one clock.
pub(super) struct Watch<'a> {
    pub(super) load: Load<'a>,
    pub(super) sensor: &'a mut dyn Sensor,
    pub(super) record: Record,
    pub(super) sources: Vec<Source>,
    poll_s: f64,
    origin_s: f64,
    /// Longest that it may take from there.
    limit_s: f64,
    unwrap: Unwrap,
    /// Changes seen, by source, over the life of the watch.
    moved: [usize; 3],
    /// When the first source was last seen to change: where its period stands.
    beat_s: f64,
    /// Polls in step with batches, launches or the sensor would always err to the same side.
    jitter: Random,
}

impl<'a> Watch<'a> {
    pub(super) fn new(load: Load<'a>, sensor: &'a mut dyn Sensor, sources: Vec<Source>, poll_s: f64) -> Self {
        let origin_s = load.stage.clock_s();
        let (record, unwrap) = (Record::default(), Unwrap::default());
        let jitter = Random::stream(0, JITTER);
        let limit_s = f64::INFINITY;
        Self { load, sensor, record, sources, poll_s, origin_s, limit_s, unwrap, moved: [0; 3], beat_s: origin_s, jitter }
    }

    /// Other moments of polling than those of another seed: what they err by must not be the same from one measurement to the next.
    pub(super) fn seeded(self, seed: u64) -> Self {
        Self { jitter: Random::stream(seed, JITTER), ..self }
    }

    /// Gives up after so many seconds.
    pub(super) fn within(self, limit_s: f64) -> Self {
        Self { limit_s, ..self }
    }

    pub(super) fn clock_s(&mut self) -> f64 {
        self.load.stage.clock_s()
    }

    /// Forgets what was seen, and gives it away.
    pub(super) fn clear(&mut self) -> Record {
        for (moved, series) in self.moved.iter_mut().zip(&self.record.power) {
            *moved += series.changes.len();
        }
        if let Some(change) = self.sources.first().and_then(|first| self.record.of(*first).changes.last()) {
            self.beat_s = change.time_s;
        }
        std::mem::take(&mut self.record)
    }

    /// Refuses a source that never changed.
    pub(super) fn require_movement(&mut self) -> Result<(), Unavailable> {
        self.clear();
        let over_s = self.clock_s() - self.origin_s;
        let frozen = self.sources.iter().find(|source| self.moved[**source as usize] == 0);
        frozen.map_or(Ok(()), |source| Err(Unavailable::StoodStill { what: source.name(), over_s }))
    }

    /// Looks at everything once and waits until the next poll is due. Gives the time after.
    pub(super) fn poll(&mut self, work: Work) -> Result<f64, Unavailable> {
        let start = self.clock_s();
        if start - self.origin_s > self.limit_s {
            return Err(Unavailable::Overran { limit_s: self.limit_s });
        }
        let done = match work {
            Work::Feed => self.load.feed()?,
            Work::Rest => self.load.stage.completed()?,
        };
        self.record.progress.push(start, Stamped::plain(float(done)));
        for at in 0..self.sources.len() {
            self.read(self.sources[at])?;
        }
        let (spent, due) = (self.clock_s() - start, self.poll_s * (1.0 + self.jitter.signed() / 2.0));
        if spent < due {
            self.load.stage.idle(due - spent);
        }
        Ok(self.clock_s())
    }

    fn read(&mut self, source: Source) -> Result<(), Unavailable> {
        let before = self.clock_s();
        let read = read(self.sensor, source).map_err(|absent| self.died(source.name(), absent))?;
        let time_s = (before + self.clock_s()) / 2.0;
        let value = if source == Source::Counter { self.unwrap.next(read.value)? } else { read.value };
        self.record.power[source as usize].push(time_s, Stamped { value, ..read });
        Ok(())
    }

    /// A reading that was there at the start and is not any more has died, whatever the library calls it.
    fn died(&mut self, what: &'static str, absent: Absent) -> Unavailable {
        Unavailable::Died { what, after_s: self.clock_s() - self.origin_s, reason: absent.to_string() }
    }

    /// Clocks, reasons and temperature. A board that does not offer them is measured without.
    fn look_after_health(&mut self, now: f64) {
        let health = &mut self.record.health;
        if now < health.next_s {
            return;
        }
        health.next_s = now + HEALTH_S;
        health.clocks_hz.extend(self.sensor.clock_hz());
        health.memory_clocks_hz.extend(self.sensor.memory_clock_hz());
        health.temperatures_c.extend(self.sensor.temperature_c());
        health.throttle = health.throttle.and(self.sensor.throttle().unwrap_or_default());
    }

    /// Bursts of load, and the steady windows in them. The last reading used is taken while kernels still run.
    ///
    /// Bursts start at evenly spread phases of the sensor's period, from a random one on, so that a sensor that sees part of the time sees every part of
    /// a launch alike; windows start at spread phases of a launch, so that cut ones even out.
    pub(super) fn trial(&mut self, plan: &Plan, index: usize, random: &mut Random) -> Result<Trial, Unavailable> {
        let mut trial = Trial { windows: Vec::new(), edge_s2: 0.0, health: Health::default() };
        let mut uniform = || f64::midpoint(random.signed(), 1.0);
        let (first_phase, first_cut) = (uniform(), uniform());
        for segment in 0..plan.segments {
            let health = self.clear().health;
            trial.health.add(health);
            let phase = first_phase + count(segment) / count(plan.segments);
            self.pause_until_phase(plan, phase.fract());
            let cut_s = plan.launch_s * (first_cut + GOLDEN * count(segment)).fract();
            let steady = self.burst(plan, cut_s)?;
            let (window, edge_s2) = self.window(plan, index, steady)?;
            trial.windows.push(window);
            trial.edge_s2 += edge_s2;
        }
        trial.health.add(self.clear().health);
        Ok(trial)
    }

    /// Waits until so much of a period has passed since an update of the first source would have been seen.
    fn pause_until_phase(&mut self, plan: &Plan, phase: f64) {
        let now = self.clock_s();
        let wait_s = (self.beat_s + phase * plan.beat_s - now).rem_euclid(plan.beat_s);
        self.load.stage.idle(wait_s);
    }

    /// Load until everything has settled and `cut_s` more, then `segment_s` and the tail. Gives the settled time.
    fn burst(&mut self, plan: &Plan, cut_s: f64) -> Result<(f64, f64), Unavailable> {
        let from_s = self.mark_progress()? + plan.settle_s + cut_s;
        let to_s = loop {
            let now = self.poll(Work::Feed)?;
            if now > from_s {
                self.look_after_health(now);
            }
            if now >= from_s + plan.segment_s && self.has_edges(plan.first, from_s, now) {
                break now;
            }
            self.check_patience(plan, now - from_s - plan.segment_s)?;
        };
        while self.poll(Work::Feed)? < to_s + plan.tail_s() {}
        self.load.drain()?;
        self.mark_progress()?;
        Ok((from_s, to_s))
    }

    fn mark_progress(&mut self) -> Result<f64, Unavailable> {
        let done = self.load.stage.completed()?;
        let now = self.clock_s();
        self.record.progress.mark(now, float(done));
        Ok(now)
    }

    fn has_edges(&self, source: Source, from_s: f64, to_s: f64) -> bool {
        source != Source::Counter || self.record.of(source).within(from_s, to_s).len() >= 2
    }

    fn check_patience(&self, plan: &Plan, waited_s: f64) -> Result<(), Unavailable> {
        let over_s = PATIENCE_S.max(10.0 * plan.period_s);
        let still = waited_s > over_s && !self.has_edges(plan.first, f64::NEG_INFINITY, f64::INFINITY);
        if still { Err(Unavailable::StoodStill { what: plan.first.name(), over_s: waited_s }) } else { Ok(()) }
    }

    /// Both estimates and the launches over one steady stretch, and the variance of its ends.
    fn window(&self, plan: &Plan, trial: usize, steady: (f64, f64)) -> Result<(Window, f64), Unavailable> {
        let still = |source: Source| Unavailable::StoodStill { what: source.name(), over_s: steady.1 - steady.0 };
        let (energy_j, (from_s, to_s), edge_s2) = self.energy(plan, plan.first, steady).ok_or_else(|| still(plan.first))?;
        let second_j = plan.second.and_then(|source| self.integral(plan, source, (from_s, to_s)));
        let progress = &self.record.progress;
        let ends = progress.interpolate(from_s).zip(progress.interpolate(to_s));
        let counted = progress.slope(from_s, to_s).map(|rate| rate * (to_s - from_s)).or(ends.map(|(a, b)| b - a));
        let launches = counted.filter(|n| *n > 0.0).ok_or_else(|| still(plan.first))?;
        // Launches end at moments known as well as those at which the counter ticks.
        let polls = 2.0 * self.poll_s.powi(2) / 12.0;
        Ok((Window { trial, from_s, to_s, launches, energy_j, second_j }, edge_s2 + polls))
    }

    /// Energy by `source` over a steady stretch, where the stretch really began and ended, and the variance of that in s².
    pub(super) fn energy(&self, plan: &Plan, source: Source, (from_s, to_s): (f64, f64)) -> Option<(f64, (f64, f64), f64)> {
        if source != Source::Counter {
            return Some((self.integral(plan, source, (from_s, to_s))?, (from_s, to_s), 0.0));
        }
        let ticks = self.record.of(source).within(from_s, to_s);
        let (first, last) = (ticks.first()?, ticks.last()?);
        let edge_s2 = (first.gap_s.powi(2) + last.gap_s.powi(2)) / 12.0;
        (last.time_s > first.time_s).then_some((last.value - first.value, (first.time_s, last.time_s), edge_s2))
    }

    fn integral(&self, plan: &Plan, source: Source, (from_s, to_s): (f64, f64)) -> Option<f64> {
        let shift = plan.shift_s(source);
        self.record.of(source).integral(from_s + shift, to_s + shift)
    }

    /// Power while nothing runs, over at least `seconds` after readings have settled.
    pub(super) fn idle_power_w(&mut self, plan: &Plan, seconds: f64) -> Result<f64, Unavailable> {
        self.load.drain()?;
        self.clear();
        let from_s = self.clock_s() + plan.settle_s;
        let to_s = loop {
            let now = self.poll(Work::Rest)?;
            if now >= from_s + seconds && self.has_edges(plan.first, from_s, now) {
                break now;
            }
            self.check_patience(plan, now - from_s - seconds)?;
        };
        while self.poll(Work::Rest)? < to_s + plan.tail_s() {}
        let (energy_j, (from_s, to_s), _) = self
            .energy(plan, plan.first, (from_s, to_s))
            .ok_or(Unavailable::StoodStill { what: plan.first.name(), over_s: seconds })?;
        Ok(energy_j / (to_s - from_s))
    }

    /// Load until clock and temperature stand still from one look to the next, a second apart; `most_s` at most.
    pub(super) fn warm_up(&mut self, plan: &Plan, most_s: f64) -> Result<(), Unavailable> {
        self.clear();
        let start = self.clock_s();
        let mut look_s = start + plan.settle_s.max(0.5);
        loop {
            let now = self.poll(Work::Feed)?;
            self.look_after_health(now);
            if now < look_s {
                continue;
            }
            let seen = std::mem::take(&mut self.record.health);
            if now - start >= most_s || (seen.temperature_change_c() < 1.0 && seen.clock_change() < 0.01) {
                return Ok(());
            }
            look_s = now + 1.0;
        }
    }
}

/// One reading by source.
pub(super) fn read(sensor: &mut dyn Sensor, source: Source) -> Result<Stamped, Absent> {
    match source {
        Source::Counter => sensor.energy_j(),
        Source::Instant => sensor.instant_w(),
        Source::Average => sensor.average_w(),
    }
}

/// Mean of what was seen, if anything was.
pub(super) fn mean_of<'a>(values: impl Iterator<Item = &'a f64>) -> Option<f64> {
    let (sum, n) = values.fold((0.0, 0), |(sum, n), value| (sum + value, n + 1));
    (n > 0).then(|| sum / count(n))
}
