//! The energy protocol: idle, warm-up, trials of tick-aligned windows, idle; then the two estimates are held against each other.

use crate::CacheMode;
use crate::random::Random;

use super::load::Load;
use super::prior::Scope;
use super::report::Terms;
use super::statistics::{NORMAL, count, half_width, mean};
use super::trial::{Plan, Trial, Watch, mean_of, read};
use super::{Absent, Character, EnergyReport, Flag, Sensor, Source, Stage, Throttle, Unavailable, Window};

/// A window holds at least so many launches and so many updates of its slowest reading (Yang and others; measuring ≥ 20 updates keeps what one
/// update is worth below 5 % of a window).
const LAUNCHES: f64 = 32.0;
const UPDATES: f64 = 20.0;
/// A source is part-time below this share of its period.
const FULL: f64 = 0.9;
/// Share of polls that may find the queue empty: above the first the report says so, above the second there is none.
const DRY_FLAG: f64 = 0.01;
const DRY_LIMIT: f64 = 0.1;

/// [`Settings::max_s`]: enough for everything asked of a kernel of 0.4 s on a part-time sensor.
pub(super) const MEASURE_S: f64 = 150.0;
/// Fewest trials that have a spread.
const TRIALS: usize = 3;
/// Launches beside those of bursts and idle times: two of calibrating, the rest in the queue when warm-up and idle time begin.
const EXTRA_LAUNCHES: f64 = 8.0;
/// Launches of a burst outside its window: the cut, and what is queued when it ends.
const BURST_LAUNCHES: f64 = 4.0;

/// What to do where two estimates differ by more than [`Settings::refuse`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disagreement {
    /// No energy, and the reason.
    Refuse,
    /// The first estimate, flagged.
    Publish,
}

/// How to measure.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// Shortest window of a trial.
    pub min_window_s: f64,
    /// Longest: a slow kernel gets fewer launches than the protocol asks for, and the report says so.
    pub max_window_s: f64,
    /// Longest measurement. Where all that is asked for would take longer, as with slow kernels, there are fewer trials and bursts, and the report
    /// says so; where not even the least fits, there is no energy.
    pub max_s: f64,
    /// Windows per measurement, at least 3.
    pub trials: usize,
    /// Trials that may be thrown away.
    pub discards: usize,
    /// Bursts per trial where the sensor sees part of the time, each after a random pause: Yang and others use eight shifts.
    pub phases: usize,
    /// Idle time measured before and again after.
    pub idle_s: f64,
    /// Longest warm-up.
    pub max_warm_up_s: f64,
    /// A trial whose temperature moves further is thrown away.
    pub max_temperature_change_c: f64,
    /// A trial whose clock moves further (share of its mean) is thrown away.
    pub max_clock_change: f64,
    /// Deviation of the cross-check from 1 above which a report is flagged.
    pub warn: f64,
    /// Deviation above which there is none.
    pub refuse: f64,
    /// Whether that may be overridden.
    pub disagreement: Disagreement,
    /// What the sensor's gain may be off by (share, 95 %): ±5 % by NVIDIA's documentation and over the boards of Yang and others.
    pub gain: f64,
    /// Seed of the random pauses and moments of polling. Measurements of one seed in one state of the sensor err alike, so that they are no repeats of
    /// each other.
    pub seed: u64,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            min_window_s: 2.0,
            max_window_s: 12.0,
            max_s: MEASURE_S,
            trials: 4,
            discards: 2,
            phases: 8,
            idle_s: 2.5,
            max_warm_up_s: 10.0,
            max_temperature_change_c: 2.0,
            max_clock_change: 0.05,
            warn: 0.05,
            refuse: 0.15,
            disagreement: Disagreement::Refuse,
            gain: 0.05,
            seed: 0,
        }
    }
}

/// Measures the energy of one launch of the stage's kernel, back to back.
///
/// # Errors
/// [`Unavailable`] with the reason: nothing to read, a reading that dies or stands still, MIG, another process, estimates that disagree, a queue
/// that runs dry, or the kernel's own failure.
pub fn measure(
    stage: &mut dyn Stage,
    sensor: &mut dyn Sensor,
    character: &Character,
    settings: &Settings,
) -> Result<EnergyReport, Unavailable> {
    sensor.attributable()?;
    let (first, second) = choose(sensor)?;
    let load = Load::calibrate(stage)?;
    let (plan, cut) = plan((first, second), character, settings, load.launch_s)?;
    let sources = [Some(first), second].into_iter().flatten().collect();
    let mut watch = Watch::new(load, sensor, sources, plan.poll_s).seeded(settings.seed).within(settings.max_s);
    let idle_before_w = watch.idle_power_w(&plan, settings.idle_s)?;
    watch.warm_up(&plan, settings.max_warm_up_s)?;
    watch.load.drain()?;
    watch.load.dry_share();
    let mut run = trials(&mut watch, &plan, settings)?;
    let dry = watch.load.dry_share();
    let idle_after_w = watch.idle_power_w(&plan, settings.idle_s)?;
    watch.require_movement()?;
    watch.sensor.attributable()?;
    if dry > DRY_LIMIT {
        return Err(Unavailable::Starved { share: dry });
    }
    run.flag(dry > DRY_FLAG, Flag::Starved);
    cut.into_iter().for_each(|flag| run.flag(true, flag));
    run.flag((idle_before_w - idle_after_w).abs() > 0.1 * idle_before_w, Flag::Idle);
    report(run, &Basis { plan: &plan, character, settings, idle_before_w, idle_after_w })
}

/// The readings there are, best first: the counter, then instant power, then the average. All three have their reason where none is there.
fn choose(sensor: &mut dyn Sensor) -> Result<(Source, Option<Source>), Unavailable> {
    let (found, reasons) = offered(sensor)?;
    let mut found = found.into_iter();
    let first = found.next().ok_or(Unavailable::NoSensor(reasons))?;
    Ok((first, found.next()))
}

/// Readings that answer, and the reasons of those that do not.
pub(super) fn offered(sensor: &mut dyn Sensor) -> Result<(Vec<Source>, String), Unavailable> {
    let (mut found, mut reasons) = (Vec::new(), Vec::new());
    for source in [Source::Counter, Source::Instant, Source::Average] {
        match read(sensor, source) {
            Ok(_) => found.push(source),
            Err(Absent::Lost(reason)) => return Err(Unavailable::of(source.name(), 0.0, Absent::Lost(reason))),
            Err(absent) => reasons.push(format!("{}: {absent}", source.name())),
        }
    }
    Ok((found, reasons.join("; ")))
}

/// How to cut trials, and what had to be left out of what the protocol asks for.
fn plan(
    used: (Source, Option<Source>),
    character: &Character,
    settings: &Settings,
    launch_s: f64,
) -> Result<(Plan, Vec<Flag>), Unavailable> {
    let phases = if character.coverage(used.0) < FULL { settings.phases.max(1) } else { 1 };
    let asked = (settings.trials.max(TRIALS), settings.discards, phases);
    let (trials, _, _) = asked;
    // What is worth least goes first.
    let fewer = [4, 2, 1].map(|most| (TRIALS, 0, phases.min(most)));
    let ladder = [asked, (trials, 0, phases), (TRIALS, 0, phases)].into_iter().chain(fewer);
    let mut needed_s = 0.0;
    for rung in ladder {
        let (plan, short) = cut(used, character, settings, (launch_s, rung));
        needed_s = lasts_s(&plan, settings);
        if needed_s <= settings.max_s {
            let flags = [(short, Flag::ShortWindow), ((plan.trials, plan.segments) != (trials, phases), Flag::SlowKernel)];
            return Ok((plan, flags.into_iter().filter(|(raised, _)| *raised).map(|(_, flag)| flag).collect()));
        }
    }
    Err(Unavailable::Slow { launch_s, needed_s, limit_s: settings.max_s })
}

/// A plan of so many trials, discards and bursts for launches of `launch_s`, and whether its windows had to be cut short.
fn cut(
    (first, second): (Source, Option<Source>),
    character: &Character,
    settings: &Settings,
    (launch_s, (trials, discards, segments)): (f64, (usize, usize, usize)),
) -> (Plan, bool) {
    let used: Vec<Source> = [Some(first), second].into_iter().flatten().collect();
    let period_s = used.iter().map(|source| character.period_s(*source)).fold(0.0, f64::max);
    let settle_s = used.iter().map(|source| character.settle_s(*source)).fold(0.0, f64::max);
    let lag_s = used.iter().map(|source| character.shift_s(*source)).fold(0.0, f64::max);
    let wanted = settings.min_window_s.max(LAUNCHES * launch_s).max(UPDATES * period_s).max(lag_s + 1.0);
    let window_s = wanted.min(settings.max_window_s);
    // Each burst loses up to one tick at either end.
    let segment_s = (window_s / count(segments)).max(4.0 * period_s) + if first == Source::Counter { period_s } else { 0.0 };
    let shift_s = [Source::Counter, Source::Instant, Source::Average].map(|source| character.shift_s(source));
    let fastest = used.iter().map(|source| character.period_s(*source)).fold(f64::INFINITY, f64::min);
    let poll_s = (fastest / 20.0).clamp(5e-4, 2e-3);
    let beat_s = character.period_s(first);
    let plan =
        Plan { first, second, settle_s, segment_s, segments, trials, discards, launch_s, period_s, beat_s, shift_s, poll_s };
    (plan, wanted > window_s)
}

/// Longest that a measurement by `plan` takes: every discard used, the warm-up as long as it may be.
fn lasts_s(plan: &Plan, settings: &Settings) -> f64 {
    let burst_s = plan.beat_s + plan.settle_s + plan.segment_s + plan.tail_s() + BURST_LAUNCHES * plan.launch_s;
    let idle_s = plan.settle_s + settings.idle_s + plan.tail_s();
    let bursts = count((plan.trials + plan.discards) * plan.segments);
    bursts * burst_s + 2.0 * idle_s + plan.settle_s + settings.max_warm_up_s + EXTRA_LAUNCHES * plan.launch_s
}

/// Trials accepted so far and what happened on the way.
struct Run {
    trials: Vec<Trial>,
    discarded: usize,
    flags: Vec<Flag>,
}

impl Run {
    fn flag(&mut self, raised: bool, flag: Flag) {
        if raised && !self.flags.contains(&flag) {
            self.flags.push(flag);
        }
    }
}

fn trials(watch: &mut Watch<'_>, plan: &Plan, settings: &Settings) -> Result<Run, Unavailable> {
    let mut random = Random::new(settings.seed);
    let mut run = Run { trials: Vec::new(), discarded: 0, flags: Vec::new() };
    while run.trials.len() < plan.trials {
        let trial = watch.trial(plan, run.trials.len(), &mut random)?;
        let faults = unsteady(&trial, settings);
        if !faults.is_empty() && run.discarded < plan.discards {
            run.discarded += 1;
            continue;
        }
        faults.into_iter().for_each(|fault| run.flag(true, fault));
        run.trials.push(trial);
    }
    Ok(run)
}

/// Why a trial is not to be taken.
fn unsteady(trial: &Trial, settings: &Settings) -> Vec<Flag> {
    let health = &trial.health;
    let faults = [
        (health.temperature_change_c() > settings.max_temperature_change_c, Flag::Temperature),
        (health.clock_change() > settings.max_clock_change, Flag::Clock),
        (health.throttle.is_unsteady(), Flag::Slowdown),
    ];
    faults.into_iter().filter(|(raised, _)| *raised).map(|(_, flag)| flag).collect()
}

/// What a report rests on beside its trials.
struct Basis<'a> {
    plan: &'a Plan,
    character: &'a Character,
    settings: &'a Settings,
    idle_before_w: f64,
    idle_after_w: f64,
}

fn report(mut run: Run, basis: &Basis<'_>) -> Result<EnergyReport, Unavailable> {
    let windows: Vec<Window> = run.trials.iter().flat_map(|trial| trial.windows.iter().copied()).collect();
    let energies: Vec<f64> = run.trials.iter().map(Trial::energy_j).collect();
    let (energy_j, idle_w) = (mean(&energies), f64::midpoint(basis.idle_before_w, basis.idle_after_w));
    let (time_s, launches) =
        (run.trials.iter().map(Trial::duration_s).sum::<f64>(), run.trials.iter().map(Trial::launches).sum::<f64>());
    let launch_s = time_s / launches;
    let terms = terms(&run.trials, &energies, basis);
    let second_j = second(&windows);
    let crosscheck = second_j.map(|second| second / energy_j);
    check(&mut run, basis, crosscheck)?;
    let health = |of: fn(&Trial) -> &Vec<f64>| mean_of(run.trials.iter().flat_map(of));
    let temperatures: Vec<f64> = run.trials.iter().flat_map(|trial| trial.health.temperatures_c.iter().copied()).collect();
    Ok(EnergyReport {
        energy_j,
        net_j: energy_j - idle_w * launch_s,
        relative_j: terms.together_j(),
        terms,
        systematic_j: basis.settings.gain * energy_j,
        source: basis.plan.first,
        second_source: basis.plan.second.filter(|_| second_j.is_some()),
        second_j,
        crosscheck,
        scope: basis.character.scope,
        power_w: windows.iter().map(|window| window.energy_j).sum::<f64>() / time_s,
        idle_w,
        idle_before_w: basis.idle_before_w,
        idle_after_w: basis.idle_after_w,
        launch_s,
        window_s: time_s / count(run.trials.len()),
        trials: run.trials.len(),
        discarded: run.discarded,
        clock_hz: health(|trial| &trial.health.clocks_hz),
        memory_clock_hz: health(|trial| &trial.health.memory_clocks_hz),
        throttle: run.trials.iter().fold(Throttle::default(), |all, trial| all.and(trial.health.throttle)),
        temperature_before_c: temperatures.first().copied(),
        temperature_after_c: temperatures.last().copied(),
        regime: CacheMode::Hot,
        windows,
        flags: run.flags,
    })
}

/// Second estimate per launch over all windows; `None` unless every window has one.
fn second(windows: &[Window]) -> Option<f64> {
    let sum = windows.iter().map(|window| window.second_j).sum::<Option<f64>>()?;
    Some(sum / windows.iter().map(|window| window.launches).sum::<f64>()).filter(|second| second.is_finite())
}

fn terms(trials: &[Trial], energies: &[f64], basis: &Basis<'_>) -> Terms {
    let energy_j = mean(energies);
    // Relative variance of the mean of the trials' windows, from not knowing their ends better than to a poll.
    let edges = trials.iter().map(|trial| trial.edge_s2 / trial.duration_s().powi(2)).sum::<f64>() / count(trials.len()).powi(2);
    let each: Vec<f64> = trials.iter().flat_map(|trial| &trial.windows).map(|window| window.energy_j / window.launches).collect();
    let unseen = 1.0 - basis.character.coverage(basis.plan.first).min(1.0);
    Terms {
        trials_j: half_width(energies),
        tick_j: NORMAL * edges.sqrt() * energy_j,
        coverage_j: if unseen > 1.0 - FULL { half_width(&each) * unseen.sqrt() } else { 0.0 },
    }
}

/// Holds the two estimates against each other and sets the flags that come of it.
fn check(run: &mut Run, basis: &Basis<'_>, crosscheck: Option<f64>) -> Result<(), Unavailable> {
    let settings = basis.settings;
    run.flag(basis.character.coverage(basis.plan.first) < FULL, Flag::PartTime);
    run.flag(basis.character.scope == Scope::Module, Flag::Module);
    let (Some(ratio), Some(second)) = (crosscheck, basis.plan.second) else {
        run.flag(true, Flag::OneEstimate);
        return Ok(());
    };
    let apart = (ratio - 1.0).abs();
    if apart > settings.refuse && settings.disagreement == Disagreement::Refuse {
        let (first, second) = (basis.plan.first.name(), second.name());
        return Err(Unavailable::Disagree { first, second, ratio, limit: settings.refuse });
    }
    run.flag(apart > settings.refuse, Flag::Disagree);
    run.flag(apart > settings.warn && apart <= settings.refuse, Flag::Crosscheck);
    Ok(())
}
