//! Interleaved rounds over all points of a group.
//!
//! Every round takes one sample of every point that is not finished, in an order drawn anew, and samples of a reference point at its start and middle.
//! Sampling point by point instead makes the host's clock drift look like a difference between configurations: it was seen to cost
//! 12 % regret between two processes where rounds cost 0.5–2.4 %.
//!
//! Where points name clocks or a power limit, those of one setting stand together within a round, the settings in an order drawn anew.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};

use tilecast_kernels::devices::cuda::power::Held;
use tilecast_kernels::oracle::{Verdict, Verification};
use tilecast_kernels::random::Random;
use tilecast_kernels::{CacheMode, Sample};

use super::blocks::{Asked, blocks, round};
use super::session::{Session, SessionFail, unexpected};
use super::stop::verdict;
use super::{Outcome, Timing};
use crate::fail::Fail;
use crate::plan::{Group, Point};
use crate::spec::Measure;
use crate::worker::{Ask, Said};

/// Requests sent ahead within a round: enough that the worker never waits, few enough that Ctrl-C is answered soon.
const AHEAD: usize = 16;

/// Samples recovered from a journal with the rounds they were taken in, by point key.
pub type Recovered = HashMap<String, Vec<(u32, Sample)>>;

/// What measuring a group needs to know.
#[derive(Debug)]
pub struct GroupContext<'a> {
    /// Protocol settings.
    pub measure: Measure,
    /// Seed of the order.
    pub seed: u64,
    /// Set by Ctrl-C.
    pub interrupted: &'a AtomicBool,
    /// Samples taken before, of points that were not finished.
    pub recovered: &'a Recovered,
}

/// Where samples and outcomes go, as they come.
pub trait Sink {
    /// A sample was taken.
    ///
    /// # Errors
    /// Where it cannot be stored; measuring stops.
    fn sample(&mut self, point: &Point, round: u32, sample: &Sample) -> Result<(), Fail>;
    /// A point is finished, one way or the other.
    ///
    /// # Errors
    /// Where it cannot be stored; measuring stops.
    fn outcome(&mut self, group: &Group, point: &Point, outcome: &Outcome) -> Result<(), Fail>;
}

/// How measuring a group ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// Every point has an outcome.
    Complete,
    /// Ctrl-C; samples so far are stored.
    Interrupted,
}

/// Measures the points of `group` that `done` does not hold.
///
/// # Errors
/// [`Fail`] where no worker can be started any more or the sink cannot store; failures of points are outcomes, not errors.
pub fn measure_group(
    session: &mut Session,
    group: &Group,
    done: &dyn Fn(&Point) -> bool,
    context: &GroupContext<'_>,
    sink: &mut dyn Sink,
) -> Result<Ended, Fail> {
    let points = group.points.iter().enumerate().filter(|(_, point)| !done(point));
    let tracks: Vec<Track<'_>> = points.map(|(slot, point)| Track::new(slot, point, context.recovered)).collect();
    let tracks: Vec<Track<'_>> = blocks(tracks, |track| track.point.limits).into_iter().flat_map(|(_, tracks)| tracks).collect();
    if tracks.is_empty() {
        return Ok(Ended::Complete);
    }
    let reference = tracks.iter().position(|track| track.point.is_default);
    // Next best is one that needs nothing of the board that may be denied.
    let reference = reference.or_else(|| tracks.iter().position(|track| track.point.limits.is_empty())).unwrap_or(0);
    let taken = group.points.iter().filter_map(|point| context.recovered.get(&point.key)).flatten();
    let first = taken.map(|(round, _)| round + 1).max().unwrap_or(0);
    let mut rounds = Rounds { session, group, context, sink, tracks, reference, first, reference_times: Vec::new() };
    let ended = rounds.run()?;
    match rounds.session.ask(&Ask::Forget) {
        Ok(_) | Err(SessionFail::Lost(_) | SessionFail::Refused { .. } | SessionFail::Denied(_)) => Ok(ended),
        Err(SessionFail::Over(fail)) => Err(fail),
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not prepared in the present worker.
    Cold,
    /// Prepared, verified and warm.
    Ready,
    /// Has its outcome.
    Done,
}

struct Track<'p> {
    slot: usize,
    point: &'p Point,
    state: State,
    iterations: u64,
    spent_s: f64,
    outcome: Outcome,
    timing: Timing,
}

impl<'p> Track<'p> {
    fn new(slot: usize, point: &'p Point, recovered: &Recovered) -> Self {
        let samples: Vec<Sample> = recovered.get(&point.key).into_iter().flatten().map(|(_, sample)| *sample).collect();
        #[allow(clippy::cast_precision_loss)] // call counts
        let spent_s = samples.iter().map(|sample| sample.wall_s * sample.iterations as f64).sum();
        let rounds = u32::try_from(samples.len()).unwrap_or(u32::MAX);
        let timing = Timing { samples, rounds, ..Timing::default() };
        Self { slot, point, state: State::Cold, iterations: 1, spent_s, outcome: Outcome::pending(), timing }
    }

    fn times(&self) -> Vec<f64> {
        self.timing.samples.iter().map(|sample| sample.time_s).collect()
    }
}

struct Rounds<'a, 'p> {
    session: &'a mut Session,
    group: &'p Group,
    context: &'a GroupContext<'a>,
    sink: &'a mut dyn Sink,
    tracks: Vec<Track<'p>>,
    reference: usize,
    /// Number of the first round: those before it were an earlier invocation's.
    first: u32,
    /// Fastest reference sample of each round.
    reference_times: Vec<f64>,
}

impl Rounds<'_, '_> {
    fn run(&mut self) -> Result<Ended, Fail> {
        let mut round = self.first;
        while self.tracks.iter().any(|track| track.state != State::Done) {
            self.ready_all()?;
            self.settle()?;
            if self.stopped() {
                return Ok(Ended::Interrupted);
            }
            let order = self.order(round);
            if order.is_empty() {
                continue;
            }
            self.round(round, order)?;
            if self.stopped() {
                return Ok(Ended::Interrupted);
            }
            round += 1;
        }
        Ok(Ended::Complete)
    }

    fn stopped(&self) -> bool {
        self.context.interrupted.load(Ordering::Relaxed)
    }

    /// Points to sample in this round, in an order drawn anew.
    fn order(&self, round: u32) -> Vec<usize> {
        let mut order: Vec<usize> = (0..self.tracks.len()).filter(|&i| self.tracks[i].state == State::Ready).collect();
        let mut random = Random::stream(self.context.seed, u64::from(round) + 1);
        for i in (1..order.len()).rev() {
            order.swap(i, random.below(i + 1));
        }
        order
    }

    fn ready_all(&mut self) -> Result<(), Fail> {
        for i in 0..self.tracks.len() {
            if self.tracks[i].state == State::Cold && !self.stopped() {
                match self.ready(i) {
                    Ok(()) => self.tracks[i].state = State::Ready,
                    Err(fail) => self.fail(i, fail)?,
                }
            }
        }
        Ok(())
    }

    /// Prepares, verifies and warms point `i` in the present worker.
    fn ready(&mut self, i: usize) -> Result<(), SessionFail> {
        let Track { slot, point, .. } = self.tracks[i];
        let (cache, sample_s) = (self.group.cache, self.context.measure.sample_s);
        let prepare = Ask::Prepare { slot, problem: Box::new((*point.problem).clone()), config: (*point.config).clone() };
        let prepared = self.session.ask(&prepare)?;
        let Said::Prepared { prepare_s, note, time_basis, quality, code, .. } = prepared else {
            return Err(unexpected(&prepared));
        };
        let track = &mut self.tracks[i];
        track.timing.basis = time_basis;
        track.outcome = Outcome { prepare_s: Some(prepare_s), note, quality, code, ..track.outcome.clone() };
        let verified = self.session.ask(&Ask::Verify { slot })?;
        let Said::Verified { verification } = verified else { return Err(unexpected(&verified)) };
        self.judge(i, verification)?;
        let warmed = self.session.ask(&Ask::Warm { slot, sample_s, cache })?;
        let Said::Warmed(warmed) = warmed else { return Err(unexpected(&warmed)) };
        let track = &mut self.tracks[i];
        track.timing.warmup += warmed.calls;
        track.outcome.locked = warmed.locked;
        track.iterations = if cache == CacheMode::Cold { 1 } else { warmed.iterations };
        Ok(())
    }

    /// Stores what the oracle found; a wrong result is the point's outcome.
    fn judge(&mut self, i: usize, verification: Verification) -> Result<(), SessionFail> {
        let wrong = match &verification.verdict {
            Verdict::Correct => None,
            Verdict::Incorrect(found) => Some(found.clone()),
        };
        self.tracks[i].outcome.verification = Some(verification);
        wrong.map_or(Ok(()), |reason| Err(SessionFail::Refused { status: "incorrect".to_owned(), reason }))
    }

    fn round(&mut self, number: u32, order: Vec<usize>) -> Result<(), Fail> {
        let asked = round(order, |i| self.tracks[i].point.limits, self.tracks[self.reference].point.limits);
        let mut reference = f64::INFINITY;
        let (mut sent, mut received) = (0, 0);
        while received < asked.len() && !(self.stopped() && sent == received) {
            let answer = self.exchange(&asked, &mut sent, received);
            match (asked[received], answer) {
                (_, Err(SessionFail::Over(fail))) => return Err(fail),
                (Asked::Reference, Ok(sample)) => reference = reference.min(sample.time_s),
                (Asked::Point(i), Ok(sample)) => self.keep(i, number, sample)?,
                (asked, Err(fail)) => {
                    let lost = matches!(fail, SessionFail::Lost(_));
                    let culprit = if let Asked::Point(i) = asked { i } else { self.reference };
                    self.fail(culprit, fail)?;
                    if lost {
                        break;
                    }
                }
            }
            received += 1;
        }
        if reference.is_finite() {
            self.reference_times.push(reference);
        }
        Ok(())
    }

    /// Sends ahead and takes the answer to request `received`. After Ctrl-C only what was already asked is awaited.
    fn exchange(&mut self, asked: &[Asked], sent: &mut usize, received: usize) -> Result<Sample, SessionFail> {
        while *sent < asked.len() && *sent < received + AHEAD && !self.stopped() {
            let track = &self.tracks[if let Asked::Point(i) = asked[*sent] { i } else { self.reference }];
            self.session.send(&Ask::Sample { slot: track.slot, iterations: track.iterations, cache: self.group.cache });
            *sent += 1;
        }
        match self.session.receive()? {
            Said::Sampled { sample } => Ok(sample),
            other => Err(unexpected(&other)),
        }
    }

    fn keep(&mut self, i: usize, round: u32, sample: Sample) -> Result<(), Fail> {
        let track = &mut self.tracks[i];
        #[allow(clippy::cast_precision_loss)] // call counts
        let lasted = sample.wall_s * sample.iterations as f64;
        track.spent_s += lasted;
        track.timing.rounds += 1;
        track.timing.samples.push(sample);
        self.sink.sample(track.point, round, &sample)
    }

    /// Finishes the points that have been sampled enough.
    fn settle(&mut self) -> Result<(), Fail> {
        for i in 0..self.tracks.len() {
            let track = &self.tracks[i];
            if track.state != State::Ready {
                continue;
            }
            let Some(stop) = verdict(&track.times(), track.spent_s, &self.context.measure, self.context.seed) else { continue };
            self.tracks[i].timing.stop = Some(stop);
            match self.finish(i) {
                Ok(()) => self.conclude(i)?,
                Err(fail) => self.fail(i, fail)?,
            }
        }
        Ok(())
    }

    /// Verifies what repetition left, and measures energy.
    fn finish(&mut self, i: usize) -> Result<(), SessionFail> {
        let Track { slot, iterations, .. } = self.tracks[i];
        let finished = self.session.finish(&Ask::Finish { slot, iterations, energy_s: self.context.measure.energy_s })?;
        let Said::Finished { verification, energy, energy_reason, locked } = finished else { return Err(unexpected(&finished)) };
        let outcome = &mut self.tracks[i].outcome;
        (outcome.energy, outcome.energy_reason, outcome.locked) = (energy.map(|energy| *energy), energy_reason, locked);
        self.judge(i, verification)
    }

    fn fail(&mut self, i: usize, fail: SessionFail) -> Result<(), Fail> {
        if let SessionFail::Over(fail) = fail {
            return Err(fail);
        }
        if matches!(fail, SessionFail::Lost(_)) {
            self.tracks.iter_mut().filter(|track| track.state == State::Ready).for_each(|track| track.state = State::Cold);
        }
        if self.tracks[i].state == State::Done {
            return Ok(());
        }
        let (status, reason) = fail.row();
        let track = &mut self.tracks[i];
        if let SessionFail::Denied(reason) = fail {
            track.outcome.locked = Held::Denied(reason);
        }
        track.outcome = Outcome { status, reason: Some(reason), ..track.outcome.clone() };
        self.conclude(i)
    }

    fn conclude(&mut self, i: usize) -> Result<(), Fail> {
        let drift = drift(&self.reference_times);
        let track = &mut self.tracks[i];
        track.state = State::Done;
        track.timing.drift = drift;
        if !track.timing.samples.is_empty() {
            track.outcome.timing = Some(std::mem::take(&mut track.timing));
        }
        self.sink.outcome(self.group, track.point, &track.outcome)
    }
}

/// Slowest over fastest round of the reference point, minus one.
fn drift(reference: &[f64]) -> Option<f64> {
    let fastest = reference.iter().copied().reduce(f64::min)?;
    let slowest = reference.iter().copied().reduce(f64::max)?;
    Some(slowest / fastest - 1.0)
}
