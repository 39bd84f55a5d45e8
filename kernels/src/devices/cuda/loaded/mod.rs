//! A problem in a GPU's memory, and its configurations.

mod energy;
mod prepare;

use std::cell::OnceCell;
use std::collections::VecDeque;
use std::rc::Rc;

use super::context::{Context, Event, Memory};
use super::device::Machine;
use super::door::guarded;
use super::flush::Flush;
use super::launch::{Places, first_element};
use super::power::Sensor as _;
use super::program::{Program, Queue};
use super::timing;
use crate::devices::cpu::{involuntary_switches, memory};
use crate::oracle::{self, Reference, Verification};
use crate::{CacheMode, Config, DeviceError, Energy, Family, Loaded, Preparation, Problem, Sample, Tensor, check_dtype};

/// Cold calls queued between two waits: enough that the GPU never idles, few enough events.
const COLD_AHEAD: u64 = 32;
/// Bytes of a NaN in every floating-point type: what scratch holds before a verification.
const NAN_BYTE: u8 = 0xff;

/// One problem's operands, output, scratch and prepared configurations.
pub(super) struct CudaLoaded {
    slots: Vec<Slot>,
    family: &'static dyn Family,
    problem: Problem,
    /// As the family gives them, for the reference.
    operands: Vec<Tensor>,
    /// Seconds that making the kernels' own operands of them took.
    projected_s: Option<f64>,
    memories: Vec<Memory>,
    /// Where each of them has its element (0, 0).
    places: Vec<u64>,
    host_output: Tensor,
    output: Memory,
    /// What the output holds before a run; `None` where there is no room for it on the device, and it is uploaded each time.
    poison: Option<Memory>,
    poisoned: Vec<u8>,
    scratch: Option<Memory>,
    events: [Event; 2],
    reference: OnceCell<Reference>,
    quality: OnceCell<Option<f64>>,
    /// Whose result the output holds.
    last: Option<usize>,
    /// What the last pairs of events behind a flush showed with nothing between them.
    empty: VecDeque<f64>,
    // Last, so that what was made on the device is dropped before it.
    context: Rc<Context>,
    machine: Rc<Machine>,
}

struct Slot {
    program: Program,
    starts: Starts,
}

/// What is known of the cost of starting a hot stretch.
enum Starts {
    /// No call was timed yet.
    Unknown,
    /// Calls are so long that it does not matter.
    Negligible,
    /// The last stretches of `calls` and of twice as many calls, with what they took.
    Fitted { calls: u64, last: VecDeque<(u64, f64)> },
}

/// What a stretch of calls took.
#[derive(Clone, Copy, Default)]
struct Stretch {
    event_s: f64,
    wall_s: f64,
    queueing_s: f64,
}

impl CudaLoaded {
    /// Fills the operands and uploads them.
    pub(super) fn new(machine: Rc<Machine>, family: &'static dyn Family, problem: &Problem) -> Result<Self, DeviceError> {
        family.check_problem(problem)?;
        check_dtype(family, problem.dtype, &machine.info)?;
        let context = Rc::clone(machine.context()?);
        let config = family.default_config(problem, &machine.info);
        let bytes = family.resident_bytes(problem, &config, &machine.info);
        DeviceError::unless_room("the operands on the host", bytes, memory().available)?;
        DeviceError::unless_room("the operands", bytes, context.free_bytes()?)?;
        let mut host_output = family.output(problem);
        host_output.poison();
        let poisoned = host_output.guarded_bytes().to_vec();
        let output = context.memory("the output", poisoned.len() as u64)?;
        let poison = context.memory("the poisoned output", poisoned.len() as u64).ok();
        if let Some(poison) = &poison {
            poison.upload(&poisoned)?;
        }
        Ok(Self {
            operands: family.operands(problem),
            projected_s: None,
            memories: Vec::new(),
            places: Vec::new(),
            poisoned: if poison.is_some() { Vec::new() } else { poisoned },
            host_output,
            output,
            poison,
            scratch: None,
            slots: Vec::new(),
            events: [context.event()?, context.event()?],
            reference: OnceCell::new(),
            quality: OnceCell::new(),
            last: None,
            empty: VecDeque::new(),
            machine,
            context,
            family,
            problem: problem.clone(),
        })
    }

    /// One scratch for all configurations, so that page placement is the same for all.
    fn grow_scratch(&mut self, bytes: u64) -> Result<(), DeviceError> {
        if bytes > self.scratch.as_ref().map_or(0, Memory::bytes) {
            self.context.wait()?;
            self.scratch = None;
            self.scratch = Some(self.context.memory("scratch", bytes)?);
        }
        Ok(())
    }

    fn places(&self) -> Places {
        let scratch = self.scratch.as_ref().map_or(0, Memory::address);
        Places { operands: self.places.clone(), output: first_element(&self.host_output, self.output.address()), scratch }
    }

    /// Queues what makes the output NaN again, canaries included.
    fn poison(&self) -> Result<(), DeviceError> {
        match &self.poison {
            Some(poison) => self.output.copy(poison),
            None => self.output.upload(&self.poisoned),
        }
    }

    fn compare(&mut self) -> Result<Verification, DeviceError> {
        self.output.download(self.host_output.guarded_bytes_mut())?;
        let reference = self.reference.get_or_init(|| self.family.reference(&self.problem, &self.operands));
        Ok(oracle::check(&self.host_output, reference))
    }

    fn verified(&mut self, slot: usize) -> Result<Verification, DeviceError> {
        self.poison()?;
        if let Some(scratch) = &self.scratch {
            self.context.fill(scratch.address(), NAN_BYTE, scratch.bytes())?;
        }
        self.last = Some(slot);
        let machine = Rc::clone(&self.machine);
        Queue::new(&self.slots[slot].program, &self.places(), machine.session()?).call(&self.context)?;
        self.context.wait()?;
        self.compare()
    }

    /// Queues `calls` calls between two events and waits for them; `while_running` is asked once all are queued.
    fn stretch(&mut self, slot: usize, calls: u64, while_running: &mut dyn FnMut()) -> Result<Stretch, DeviceError> {
        self.last = Some(slot);
        let places = self.places();
        let machine = Rc::clone(&self.machine);
        let mut queue = Queue::new(&self.slots[slot].program, &places, machine.session()?);
        let clock = machine.clock;
        let [first, last] = &self.events;
        let start = clock.now_s();
        first.record()?;
        for _ in 0..calls {
            queue.call(&self.context)?;
        }
        last.record()?;
        let queueing_s = clock.now_s() - start;
        while_running();
        last.wait()?;
        Ok(Stretch { event_s: first.seconds_to(last)?, wall_s: clock.now_s() - start, queueing_s })
    }

    /// What a hot stretch pays once. Fitted to stretches that start as those of samples do, behind a call that runs: on an idle queue the host's way to
    /// the first launch would count too. Every sample takes one more pair, so that what is taken off is of its own clocks and not of the first warm-up.
    fn start_s(&mut self, slot: usize) -> Result<f64, DeviceError> {
        let known = !matches!(self.slots[slot].starts, Starts::Unknown);
        if !known {
            self.hot(slot, 1, &mut || {})?;
            let single_s = self.hot(slot, 2, &mut || {})?.event_s / 2.0;
            self.slots[slot].starts = if single_s < timing::CORRECTED_BELOW_S {
                Starts::Fitted { calls: timing::stretch(single_s), last: VecDeque::new() }
            } else {
                Starts::Negligible
            };
        }
        let Starts::Fitted { calls, .. } = self.slots[slot].starts else { return Ok(0.0) };
        let mut fresh = Vec::new();
        for n in (0..if known { 1 } else { timing::PAIRS }).flat_map(|_| [calls, 2 * calls]) {
            fresh.push((n, self.hot(slot, n, &mut || {})?.event_s));
        }
        let Starts::Fitted { last, .. } = &mut self.slots[slot].starts else { return Ok(0.0) };
        timing::keep(last, fresh, 2 * timing::PAIRS);
        Ok(timing::fit(last.make_contiguous()).map_or(0.0, |cost| cost.fixed_s))
    }

    /// What the two events of a cold call show by themselves, in the state of its queue: behind a flush. Every sample looks once more.
    fn pair_s(&mut self) -> Result<f64, DeviceError> {
        let machine = Rc::clone(&self.machine);
        let flush = machine.flush()?;
        let [first, last] = &self.events;
        let mut fresh = Vec::new();
        for _ in 0..if self.empty.is_empty() { timing::PAIRS } else { 1 } {
            flush.queue(&self.context)?;
            first.record()?;
            last.record()?;
            last.wait()?;
            fresh.push(first.seconds_to(last)?);
        }
        timing::keep(&mut self.empty, fresh, timing::PAIRS);
        Ok(timing::median(self.empty.iter().copied().collect()).unwrap_or(0.0))
    }

    /// A stretch behind one untimed call, unless there is one call only and it is long: it would double the time to hide microseconds.
    fn hot(&mut self, slot: usize, calls: u64, while_running: &mut dyn FnMut()) -> Result<Stretch, DeviceError> {
        if calls > 1 || !matches!(self.slots[slot].starts, Starts::Negligible) {
            let machine = Rc::clone(&self.machine);
            Queue::new(&self.slots[slot].program, &self.places(), machine.session()?).call(&self.context)?;
        }
        self.stretch(slot, calls, while_running)
    }

    /// Calls between events of their own, each after a flush that lies outside them.
    fn cold(&mut self, slot: usize, calls: u64, while_running: &mut dyn FnMut()) -> Result<Stretch, DeviceError> {
        let machine = Rc::clone(&self.machine);
        let flush = machine.flush()?;
        let mut whole = Stretch::default();
        let mut left = calls;
        while left > 0 {
            let now = left.min(COLD_AHEAD);
            left -= now;
            let part = self.cold_part(slot, now, flush, while_running)?;
            whole.event_s += part.event_s;
            whole.wall_s += part.wall_s;
            whole.queueing_s += part.queueing_s;
        }
        Ok(whole)
    }

    fn cold_part(
        &mut self,
        slot: usize,
        calls: u64,
        flush: &Flush,
        while_running: &mut dyn FnMut(),
    ) -> Result<Stretch, DeviceError> {
        self.last = Some(slot);
        let places = self.places();
        let machine = Rc::clone(&self.machine);
        let mut queue = Queue::new(&self.slots[slot].program, &places, machine.session()?);
        let clock = machine.clock;
        let mut pairs = Vec::new();
        let mut queueing_s = 0.0;
        for _ in 0..calls {
            let pair = (self.context.event()?, self.context.event()?);
            flush.queue(&self.context)?;
            let start = clock.now_s();
            pair.0.record()?;
            queue.call(&self.context)?;
            pair.1.record()?;
            queueing_s += clock.now_s() - start;
            pairs.push(pair);
        }
        while_running();
        self.context.wait()?;
        let event_s = pairs.iter().map(|(first, last)| first.seconds_to(last)).sum::<Result<f64, _>>()?;
        // Flushes are no part of a call: the time of the calls themselves stands for the wall time.
        Ok(Stretch { event_s, wall_s: event_s, queueing_s })
    }

    fn sampled(&mut self, slot: usize, iterations: u64, cache: CacheMode) -> Result<Sample, DeviceError> {
        let once_s = match cache {
            CacheMode::Hot => self.start_s(slot)?,
            CacheMode::Cold => self.pair_s()?,
        };
        self.poison()?;
        let machine = Rc::clone(&self.machine);
        let (mut clock_hz, mut throttle) = (None, None);
        let mut look = || {
            if let Ok(sensor) = machine.sensor() {
                let mut sensor = sensor.borrow_mut();
                (clock_hz, throttle) = (sensor.clock_hz().ok(), sensor.throttle().ok().map(|reasons| reasons.0));
            }
        };
        let switches = involuntary_switches();
        let (stretch, starts) = match cache {
            CacheMode::Hot => (self.hot(slot, iterations, &mut look)?, 1),
            CacheMode::Cold => (self.cold(slot, iterations, &mut look)?, iterations),
        };
        #[allow(clippy::cast_precision_loss)] // call counts
        let (n, fixed_s) = (iterations as f64, once_s * starts as f64);
        Ok(Sample {
            time_s: timing::per_call(stretch.event_s, iterations, fixed_s),
            wall_s: stretch.wall_s / n,
            cpu_s: stretch.queueing_s / n,
            iterations,
            switches: involuntary_switches() - switches,
            launch_s: Some(once_s),
            clock_hz,
            throttle,
        })
    }

    /// Through the door, with the context current.
    fn inside<T>(
        &mut self,
        call: &'static str,
        work: impl FnOnce(&mut Self) -> Result<T, DeviceError>,
    ) -> Result<T, DeviceError> {
        guarded(call, || {
            self.context.enter()?;
            work(self)
        })
    }
}

impl Loaded for CudaLoaded {
    fn prepare(&mut self, config: &Config) -> Result<Preparation, DeviceError> {
        self.inside("prepare", |loaded| loaded.prepared(config))
    }

    fn verify(&mut self, slot: usize) -> Result<Verification, DeviceError> {
        DeviceError::unless_prepared(slot, self.slots.len())?;
        self.inside("verify", |loaded| loaded.verified(slot))
    }

    fn recheck(&mut self, slot: usize) -> Result<Verification, DeviceError> {
        DeviceError::unless_prepared(slot, self.slots.len())?;
        DeviceError::unless_held(slot, self.last)?;
        self.inside("recheck", |loaded| loaded.compare())
    }

    fn spoil(&mut self, slot: usize) -> Result<(), DeviceError> {
        DeviceError::unless_held(slot, self.last)?;
        self.inside("spoil", |loaded| loaded.poison())
    }

    /// Hot: `iterations` calls back to back between two events, after one untimed call. Cold: every call between two events of its own, after a
    /// flush. What a stretch of calls, or a pair of events, pays once is taken off where it matters (`Sample::launch_s`). The output is poisoned first, so that [`Loaded::recheck`] sees what the timed calls wrote.
    fn sample(&mut self, slot: usize, iterations: u64, cache: CacheMode) -> Result<Sample, DeviceError> {
        DeviceError::unless_prepared(slot, self.slots.len())?;
        self.inside("sample", |loaded| loaded.sampled(slot, iterations.max(1), cache))
    }

    fn time_basis(&self, _slot: usize) -> &'static str {
        "event"
    }

    fn energy(&mut self, slot: usize, window_s: f64) -> Result<Option<Energy>, DeviceError> {
        DeviceError::unless_prepared(slot, self.slots.len())?;
        self.inside("energy", |loaded| loaded.metered(slot, window_s))
    }

    fn quality(&mut self) -> Option<f64> {
        *self.quality.get_or_init(|| self.family.quality(&self.problem, &self.operands))
    }
}
