//! A problem in the processor's memory, and its configurations.

use std::cell::OnceCell;
use std::rc::Rc;

use super::clock::pin_to;
use super::device::Machine;
use super::stopwatch::{Meter, Stopwatch, Times};
use super::{CpuIo, CpuProgram, Pages, energy, info, rapl::Rapl, thread_cpu_s, wall_s};
use crate::oracle::{self, Reference, Verification};
use crate::{
    CacheMode, Config, DeviceError, Energy, EnergySource, Family, Loaded, Misfit, Preparation, Problem, Sample, Tensor,
    check_dtype,
};

/// One problem's operands, output, scratch and prepared programs.
pub(super) struct CpuLoaded {
    machine: Rc<Machine>,
    family: &'static dyn Family,
    problem: Problem,
    operands: Vec<Tensor>,
    output: Tensor,
    scratch: Pages,
    programs: Vec<Box<dyn CpuProgram>>,
    reference: OnceCell<Reference>,
    quality: OnceCell<Option<f64>>,
    /// Whose result the output holds.
    last: Option<usize>,
}

impl CpuLoaded {
    /// Fills the operands. From here on the calling thread measures, on the first processor.
    pub(super) fn new(machine: Rc<Machine>, family: &'static dyn Family, problem: &Problem) -> Result<Self, DeviceError> {
        family.check_problem(problem)?;
        check_dtype(family, problem.dtype, &machine.info)?;
        let config = family.default_config(problem, &machine.info);
        let bytes = family.resident_bytes(problem, &config, &machine.info);
        DeviceError::unless_room("the operands", bytes, info::memory().available)?;
        pin_to(0);
        Ok(Self {
            machine,
            family,
            problem: problem.clone(),
            operands: family.operands(problem),
            output: family.output(problem),
            scratch: Pages::zeroed(0),
            programs: Vec::new(),
            reference: OnceCell::new(),
            quality: OnceCell::new(),
            last: None,
        })
    }

    fn check(&self, config: &Config) -> Result<(), DeviceError> {
        for knob in self.family.knobs(&self.machine.info) {
            let Some(value) = config.value(knob.name) else {
                return Err(Misfit::new(format!("`{}` is missing from the configuration", knob.name)).into());
            };
            knob.domain.accept(knob.name, value)?;
        }
        self.family.check(&self.problem, config, &self.machine.info)?;
        let scratch = self.family.work(&self.problem, config, &self.machine.info).workspace_bytes;
        DeviceError::unless_room("scratch", scratch, info::memory().available)
    }

    fn call(&mut self, slot: usize) {
        self.last = Some(slot);
        let mut io =
            CpuIo { operands: &self.operands, output: &mut self.output, scratch: &mut self.scratch, team: self.machine.team() };
        self.programs[slot].run(&mut io);
    }

    fn timed(&mut self, slot: usize, calls: u64) -> Times {
        let machine = Rc::clone(&self.machine);
        let program = &self.programs[slot];
        let watch = Stopwatch::start(Meter::new(machine.team(), program.threads(), program.crew()));
        (0..calls).for_each(|_| self.call(slot));
        watch.stop()
    }

    fn compare(&self) -> Verification {
        let reference = self.reference.get_or_init(|| self.family.reference(&self.problem, &self.operands));
        oracle::check(&self.output, reference)
    }
}

impl Loaded for CpuLoaded {
    fn prepare(&mut self, config: &Config) -> Result<Preparation, DeviceError> {
        self.check(config)?;
        let source = self.family.cpu().expect("checked when the problem was loaded");
        let start = thread_cpu_s();
        let program = source.prepare(&self.problem, config, &self.operands)?;
        let prepare_s = thread_cpu_s() - start;
        if program.scratch_bytes() > self.scratch.bytes() {
            self.scratch = Pages::zeroed(program.scratch_bytes());
        }
        let note = program.note();
        self.programs.push(program);
        Ok(Preparation { slot: self.programs.len() - 1, prepare_s, note, code: None })
    }

    fn verify(&mut self, slot: usize) -> Result<Verification, DeviceError> {
        DeviceError::unless_prepared(slot, self.programs.len())?;
        self.output.poison();
        self.call(slot);
        Ok(self.compare())
    }

    fn recheck(&mut self, slot: usize) -> Result<Verification, DeviceError> {
        DeviceError::unless_prepared(slot, self.programs.len())?;
        DeviceError::unless_held(slot, self.last)?;
        Ok(self.compare())
    }

    fn spoil(&mut self, slot: usize) -> Result<(), DeviceError> {
        DeviceError::unless_held(slot, self.last)?;
        self.output.poison();
        Ok(())
    }

    /// Hot: `iterations` calls back to back, timed as one, after one untimed call where there are several. Cold: every call timed for itself
    /// after a flush; reading the clocks then adds some 0.5 µs to each, which matters below 10 µs. The output is poisoned first, so that
    /// [`Loaded::recheck`] sees what the timed calls wrote.
    fn sample(&mut self, slot: usize, iterations: u64, cache: CacheMode) -> Result<Sample, DeviceError> {
        DeviceError::unless_prepared(slot, self.programs.len())?;
        let iterations = iterations.max(1);
        self.output.poison();
        let times = match cache {
            CacheMode::Hot => {
                if iterations > 1 {
                    self.call(slot);
                }
                self.timed(slot, iterations)
            }
            CacheMode::Cold => {
                let machine = Rc::clone(&self.machine);
                let threads = self.programs[slot].threads();
                let cold = |_| {
                    machine.flush().run(machine.team(), threads);
                    self.timed(slot, 1)
                };
                (0..iterations).map(cold).fold(Times::default(), Times::plus)
            }
        };
        Ok(times.per_call(iterations))
    }

    fn time_basis(&self, slot: usize) -> &'static str {
        match self.programs.get(slot).map(|program| program.threads()) {
            Some(threads) if threads > 1 => "critical_cpu",
            _ => "thread_cpu",
        }
    }

    fn energy(&mut self, slot: usize, window_s: f64) -> Result<Option<Energy>, DeviceError> {
        DeviceError::unless_prepared(slot, self.programs.len())?;
        if let EnergySource::Unavailable(_) = self.machine.energy {
            return Ok(None);
        }
        let mut meter = Rapl::open(&self.machine.sysfs).map_err(DeviceError::Sensor)?;
        energy::measure(
            &mut energy::Stage {
                meter: &mut meter,
                clock: &mut wall_s,
                idle: &mut |s| std::thread::sleep(std::time::Duration::from_secs_f64(s.max(0.0))),
                call: &mut || self.call(slot),
            },
            window_s,
        )
        .map(Some)
    }

    fn quality(&mut self) -> Option<f64> {
        *self.quality.get_or_init(|| self.family.quality(&self.problem, &self.operands))
    }
}
