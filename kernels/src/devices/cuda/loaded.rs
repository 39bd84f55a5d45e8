//! A problem in a GPU's memory, and its configurations.

use std::cell::OnceCell;
use std::rc::Rc;

use super::context::{Context, Event, Memory};
use super::device::Machine;
use super::door::guarded;
use super::facts::{Told, facts, heaviest, threads};
use super::launch::{Call, Place, Places, Ready};
use super::timing::{self, LaunchCost};
use super::{Compiled, CudaProgram, CudaSource};
use crate::devices::cpu::{involuntary_switches, memory, wall_s};
use crate::oracle::{self, Reference, Verification};
use crate::{
    CacheMode, Config, DeviceError, Energy, Family, KernelFacts, Loaded, Misfit, Preparation, Problem, Sample, Tensor,
    check_dtype,
};

/// Cold calls queued between two waits: enough that the GPU never idles, few enough events.
const COLD_AHEAD: u64 = 32;
/// Bytes of a NaN in every floating-point type: what scratch holds before a verification.
const NAN_BYTE: u8 = 0xff;

/// One problem's operands, output, scratch and prepared configurations.
pub(super) struct CudaLoaded {
    machine: Rc<Machine>,
    context: Rc<Context>,
    family: &'static dyn Family,
    problem: Problem,
    /// As the family gives them, for the reference.
    operands: Vec<Tensor>,
    /// Seconds that making the kernels' own operands of them took.
    projected_s: Option<f64>,
    memories: Vec<Memory>,
    places: Vec<Place>,
    host_output: Tensor,
    output: Memory,
    /// What the output holds before a run; `None` where there is no room for it on the device, and it is uploaded each time.
    poison: Option<Memory>,
    poisoned: Vec<u8>,
    scratch: Option<Memory>,
    slots: Vec<Slot>,
    events: [Event; 2],
    reference: OnceCell<Reference>,
    quality: OnceCell<Option<f64>>,
    /// Whose result the output holds.
    last: Option<usize>,
}

struct Slot {
    ready: Vec<Ready>,
    cost: Option<LaunchCost>,
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
        room_for("the operands on the host", bytes, memory().available)?;
        room_for("the operands", bytes, context.free_bytes()?)?;
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
            machine,
            context,
            family,
            problem: problem.clone(),
        })
    }

    fn check(&self, config: &Config) -> Result<(), DeviceError> {
        let info = &self.machine.info;
        for knob in self.family.knobs(info) {
            let Some(value) = config.value(knob.name) else {
                return Err(Misfit::new(format!("`{}` is missing from the configuration", knob.name)).into());
            };
            knob.domain.accept(knob.name, value)?;
        }
        Ok(self.family.check(&self.problem, config, info)?)
    }

    /// Uploads what the kernels take: the operands, or what the family makes of them. Once per problem.
    fn upload(&mut self, source: &dyn CudaSource) -> Result<f64, DeviceError> {
        if let Some(seconds) = self.projected_s {
            return Ok(seconds);
        }
        let start = wall_s();
        let made = source.prepared(&self.problem, &self.operands);
        let seconds = if made.is_some() { wall_s() - start } else { 0.0 };
        for tensor in made.as_ref().unwrap_or(&self.operands) {
            let bytes = tensor.guarded_bytes();
            let memory = self.context.memory(&format!("operand `{}`", tensor.name), bytes.len() as u64)?;
            memory.upload(bytes)?;
            self.places.push(Place::of(tensor, memory.address()));
            self.memories.push(memory);
        }
        self.projected_s = Some(seconds);
        Ok(seconds)
    }

    fn prepared(&mut self, config: &Config) -> Result<Preparation, DeviceError> {
        self.check(config)?;
        let source = self.family.cuda().expect("checked when the problem was loaded");
        let projected_s = self.upload(source)?;
        match source.program(&self.problem, config, &self.machine.info) {
            CudaProgram::Compiled(compiled) => self.compiled(&compiled, projected_s),
            CudaProgram::Vendor(_) => {
                Err(DeviceError::Library { name: "cuBLAS".to_owned(), reason: "is not called by this version".to_owned() })
            }
        }
    }

    fn compiled(&mut self, compiled: &Compiled, projected_s: f64) -> Result<Preparation, DeviceError> {
        let machine = Rc::clone(&self.machine);
        let (code, module) = machine.load(&compiled.unit)?;
        self.grow_scratch(compiled.scratch_bytes)?;
        let ready = |launch| {
            let fixed = code.kernel(launch_name(launch)).map_or(0, |kernel| kernel.shared_static_bytes);
            Ready::new(launch, &module, fixed, machine.gpu())
        };
        let ready = compiled.launches.iter().map(ready).collect::<Result<Vec<_>, DeviceError>>()?;
        let launch = heaviest(&compiled.launches);
        let told = if machine.gpu().simulated { None } else { Some(told(&ready, launch)?) };
        let facts: KernelFacts = facts(&code, launch, machine.gpu(), told);
        self.slots.push(Slot { ready, cost: None });
        let note = None;
        Ok(Preparation { slot: self.slots.len() - 1, prepare_s: projected_s + code.compile_s, note, code: Some(facts) })
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
        Places { operands: self.places.clone(), output: Place::of(&self.host_output, self.output.address()), scratch }
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
        Call::new(&self.slots[slot].ready, &self.places())?.queue(&self.context)?;
        self.context.wait()?;
        self.compare()
    }

    /// Queues `calls` calls between two events and waits for them; `while_running` is asked once all are queued.
    fn stretch(&mut self, slot: usize, calls: u64, while_running: &mut dyn FnMut()) -> Result<Stretch, DeviceError> {
        self.last = Some(slot);
        let places = self.places();
        let mut call = Call::new(&self.slots[slot].ready, &places)?;
        let clock = self.machine.clock;
        let [first, last] = &self.events;
        let start = clock.now_s();
        first.record()?;
        for _ in 0..calls {
            call.queue(&self.context)?;
        }
        last.record()?;
        let queueing_s = clock.now_s() - start;
        while_running();
        last.wait()?;
        Ok(Stretch { event_s: first.seconds_to(last)?, wall_s: clock.now_s() - start, queueing_s })
    }

    /// What a stretch pays once, fitted the first time it is asked for and kept.
    fn cost(&mut self, slot: usize) -> Result<LaunchCost, DeviceError> {
        if let Some(cost) = self.slots[slot].cost {
            return Ok(cost);
        }
        self.stretch(slot, 1, &mut || {})?;
        let single_s = self.stretch(slot, 2, &mut || {})?.event_s / 2.0;
        let mut stretches = Vec::new();
        if single_s < timing::CORRECTED_BELOW_S {
            let calls = timing::stretch(single_s);
            for n in (0..timing::PAIRS).flat_map(|_| [calls, 2 * calls]) {
                stretches.push((n, self.stretch(slot, n, &mut || {})?.event_s));
            }
        }
        let cost = timing::fit(&stretches).unwrap_or(LaunchCost { per_call_s: single_s, fixed_s: 0.0 });
        self.slots[slot].cost = Some(cost);
        Ok(cost)
    }

    fn hot(&mut self, slot: usize, calls: u64, while_running: &mut dyn FnMut()) -> Result<Stretch, DeviceError> {
        if calls > 1 {
            Call::new(&self.slots[slot].ready, &self.places())?.queue(&self.context)?;
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
        flush: &super::flush::Flush,
        while_running: &mut dyn FnMut(),
    ) -> Result<Stretch, DeviceError> {
        self.last = Some(slot);
        let places = self.places();
        let mut call = Call::new(&self.slots[slot].ready, &places)?;
        let clock = self.machine.clock;
        let mut pairs = Vec::new();
        let mut queueing_s = 0.0;
        for _ in 0..calls {
            let pair = (self.context.event()?, self.context.event()?);
            flush.queue(&self.context)?;
            let start = clock.now_s();
            pair.0.record()?;
            call.queue(&self.context)?;
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
        let cost = self.cost(slot)?;
        self.poison()?;
        let machine = Rc::clone(&self.machine);
        let (mut clock_hz, mut throttle) = (None, None);
        let mut look = || {
            if let Some(gauge) = machine.gauge.borrow_mut().as_mut() {
                (clock_hz, throttle) = (gauge.clock_hz(), gauge.throttle());
            }
        };
        let switches = involuntary_switches();
        let (stretch, starts) = match cache {
            CacheMode::Hot => (self.hot(slot, iterations, &mut look)?, 1),
            CacheMode::Cold => (self.cold(slot, iterations, &mut look)?, iterations),
        };
        #[allow(clippy::cast_precision_loss)] // call counts
        let (n, fixed_s) = (iterations as f64, cost.fixed_s * starts as f64);
        Ok(Sample {
            time_s: timing::per_call(stretch.event_s, iterations, fixed_s),
            wall_s: stretch.wall_s / n,
            cpu_s: stretch.queueing_s / n,
            iterations,
            switches: involuntary_switches() - switches,
            launch_s: Some(cost.fixed_s),
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

    fn known(&self, slot: usize) -> Result<(), DeviceError> {
        if slot < self.slots.len() {
            return Ok(());
        }
        Err(DeviceError::System { call: "slot", reason: format!("slot `{slot}` of {} was not prepared", self.slots.len()) })
    }
}

fn launch_name(launch: &super::Launch) -> &'static str {
    launch.kernel
}

/// What the driver says of `launch`.
fn told(ready: &[Ready], launch: &super::Launch) -> Result<Told, DeviceError> {
    let found = ready.iter().find(|ready| ready.launch == *launch).expect("the launch is among them");
    let [registers, shared_static_bytes, _] = found.function.told()?;
    let blocks_per_sm = found.function.resident(threads(launch), launch.dynamic_shared_bytes)?;
    Ok(Told { registers, shared_static_bytes, blocks_per_sm })
}

/// Refuses what would not fit, before an allocation fails half way.
fn room_for(what: &str, needed: f64, available: u64) -> Result<(), DeviceError> {
    #[allow(clippy::cast_precision_loss)] // memory sizes
    if needed <= available as f64 {
        return Ok(());
    }
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // saturates, for a message
    Err(DeviceError::Memory { what: what.to_owned(), needed: needed as u64, available })
}

impl Loaded for CudaLoaded {
    fn prepare(&mut self, config: &Config) -> Result<Preparation, DeviceError> {
        self.inside("prepare", |loaded| loaded.prepared(config))
    }

    fn verify(&mut self, slot: usize) -> Result<Verification, DeviceError> {
        self.known(slot)?;
        self.inside("verify", |loaded| loaded.verified(slot))
    }

    fn recheck(&mut self, slot: usize) -> Result<Verification, DeviceError> {
        self.known(slot)?;
        if self.last != Some(slot) {
            return Err(DeviceError::System {
                call: "recheck",
                reason: format!("the output does not hold the result of slot `{slot}`"),
            });
        }
        self.inside("recheck", |loaded| loaded.compare())
    }

    /// Hot: `iterations` calls back to back between two events, after one untimed call where there are several. Cold: every call between two
    /// events of its own, after a flush. What a stretch of calls pays once is fitted per slot and taken off where it matters
    /// (`Sample::launch_s`). The output is poisoned first, so that [`Loaded::recheck`] sees what the timed calls wrote.
    fn sample(&mut self, slot: usize, iterations: u64, cache: CacheMode) -> Result<Sample, DeviceError> {
        self.known(slot)?;
        self.inside("sample", |loaded| loaded.sampled(slot, iterations.max(1), cache))
    }

    fn time_basis(&self, _slot: usize) -> &'static str {
        "event"
    }

    fn energy(&mut self, slot: usize, _window_s: f64) -> Result<Option<Energy>, DeviceError> {
        self.known(slot)?;
        Ok(None)
    }

    fn quality(&mut self) -> Option<f64> {
        *self.quality.get_or_init(|| self.family.quality(&self.problem, &self.operands))
    }
}
