//! The worker's side.

use std::collections::HashMap;
use std::io::{BufRead, Write};

use tilecast_kernels::devices::cpu::wall_s;
use tilecast_kernels::devices::cuda::power::limits::kernel;
use tilecast_kernels::devices::cuda::power::{Absent, Held, Refused, Wish};
use tilecast_kernels::{CacheMode, Config, Device, DeviceError, Loaded, Problem, Sample};

use super::held::Hand;
use super::message::{Ask, Busy, Fault, FaultKind, Reply, Said, Warmed};
use super::steady::{AFTER_CHANGE_S, Until, Warmup};

/// Length of a batch while clocks are on their way.
const SETTLING_BATCH_S: f64 = AFTER_CHANGE_S / 10.0;
/// A warm-up makes at least this many calls: code, translations and predictors are loaded by then.
const WARM_CALLS: u64 = 10;

/// Answers requests from `input` on `output` until `input` ends.
///
/// # Errors
/// Where `input` or `output` break, which means that the sweep is gone.
pub fn serve(device: &dyn Device, input: impl BufRead, mut output: impl Write, fault: Option<Fault>) -> std::io::Result<()> {
    let (hand, busy) = (Hand::default(), Busy::default());
    let mut bench = Bench { device, loaded: Vec::new(), slots: HashMap::new(), hand, fault, busy };
    for line in input.lines() {
        let ask: Ask = serde_json::from_str(&line?)?;
        bench.busy = Busy::default();
        let said = bench.answer(&ask).unwrap_or_else(|error| refusal(&error));
        let lost = matches!(said, Said::DeviceLost { .. });
        let reply = Reply { said, busy: bench.busy };
        serde_json::to_writer(&mut output, &reply)?;
        output.write_all(b"\n")?;
        output.flush()?;
        if lost {
            break;
        }
    }
    Ok(())
}

fn refusal(error: &DeviceError) -> Said {
    let status = match error {
        DeviceError::Poisoned { .. } => return Said::DeviceLost { reason: error.to_string() },
        DeviceError::Setting(Refused { why: Absent::Denied(_), .. }) => return Said::Denied { reason: error.to_string() },
        DeviceError::Setting(Refused { why: Absent::Unsupported(_), .. }) => "unsupported",
        DeviceError::Setting(Refused { why: Absent::Lost(_), .. }) => "runtime_error",
        DeviceError::Misfit(_) => "constraint",
        DeviceError::Compile { .. } => "compile_error",
        DeviceError::Library { .. } | DeviceError::NotFound { .. } => "unsupported",
        DeviceError::Memory { .. } | DeviceError::Sensor(_) | DeviceError::System { .. } => "runtime_error",
    };
    Said::Refused { status: status.to_owned(), reason: error.to_string() }
}

struct Bench<'a> {
    device: &'a dyn Device,
    loaded: Vec<(String, Box<dyn Loaded>)>,
    slots: HashMap<usize, Slot>,
    hand: Hand,
    fault: Option<Fault>,
    busy: Busy,
}

#[derive(Clone)]
struct Slot {
    loaded: usize,
    inner: usize,
    config: String,
    /// Clocks and power limit under which it runs.
    wish: Wish,
    /// What was seen of them while it was timed.
    locked: Held,
}

impl Bench<'_> {
    fn answer(&mut self, ask: &Ask) -> Result<Said, DeviceError> {
        match ask {
            Ask::Info => Ok(Said::Info { device: Box::new(self.device.info().clone()), energy: self.device.energy_source() }),
            Ask::Roofs => {
                let start = wall_s();
                let roofs = self.device.roofs();
                self.busy.sensor_s += wall_s() - start;
                Ok(Said::Roofs { roofs })
            }
            Ask::Prepare { slot, problem, config } => self.prepare(*slot, problem, config),
            Ask::Verify { slot } => self.verify(*slot),
            Ask::Warm { slot, sample_s, cache } => self.warm(*slot, *sample_s, *cache).map(Said::Warmed),
            Ask::Sample { slot, iterations, cache } => {
                self.timed(*slot, *iterations, *cache).map(|sample| Said::Sampled { sample })
            }
            Ask::Finish { slot, iterations, energy_s } => self.finish(*slot, *iterations, *energy_s),
            Ask::Ahead { points } => {
                let known = |(problem, config): &(Problem, Config)| {
                    Some((tilecast_kernels::family(&problem.family)?, problem.clone(), config.clone()))
                };
                self.device.ahead(points.iter().filter_map(known).collect());
                Ok(Said::Begun)
            }
            Ask::Forget => {
                self.slots.clear();
                self.loaded.clear();
                Ok(Said::Forgotten { kept: self.hand.release() })
            }
        }
    }

    fn prepare(&mut self, slot: usize, problem: &Problem, config: &Config) -> Result<Said, DeviceError> {
        let start = wall_s();
        let wish = Wish::of(config)?;
        let saved = self.hand.look(self.device, wish)?;
        let loaded = self.load(problem)?;
        let bench = &mut self.loaded[loaded].1;
        let prepared = bench.prepare(&kernel(config))?;
        let quality = bench.quality();
        let time_basis = bench.time_basis(prepared.slot).to_owned();
        let locked = Held::default();
        self.slots.insert(slot, Slot { loaded, inner: prepared.slot, config: config.to_string(), wish, locked });
        self.busy.prepare_s += wall_s() - start;
        let code = prepared.code.map(Box::new);
        Ok(Said::Prepared { prepare_s: prepared.prepare_s, note: prepared.note, time_basis, quality, code, saved })
    }

    fn load(&mut self, problem: &Problem) -> Result<usize, DeviceError> {
        let id = problem.id();
        if let Some(at) = self.loaded.iter().position(|(known, _)| *known == id) {
            return Ok(at);
        }
        let family = tilecast_kernels::family(&problem.family).ok_or_else(|| DeviceError::NotFound {
            spec: self.device.info().spec.clone(),
            reason: format!("has no family `{}`", problem.family),
        })?;
        self.loaded.push((id, self.device.load(family, problem)?));
        Ok(self.loaded.len() - 1)
    }

    fn slot(&mut self, slot: usize) -> Result<(Slot, &mut dyn Loaded), DeviceError> {
        let Some(found) = self.slots.get(&slot).cloned() else {
            return Err(DeviceError::System { call: "worker", reason: format!("slot {slot} was not prepared") });
        };
        let loaded = self.loaded[found.loaded].1.as_mut();
        Ok((found, loaded))
    }

    /// The fault that befalls `slot`.
    fn planted(&mut self, slot: usize) -> Result<Option<FaultKind>, DeviceError> {
        let config = self.slot(slot)?.0.config;
        Ok(self.fault.as_ref().filter(|fault| config.contains(&fault.at)).map(|fault| fault.kind))
    }

    /// Has the clocks and the power limit of `slot` in force.
    fn hold(&mut self, slot: usize) -> Result<(), DeviceError> {
        let wish = self.slot(slot)?.0.wish;
        self.hand.hold(wish)
    }

    fn verify(&mut self, slot: usize) -> Result<Said, DeviceError> {
        self.hold(slot)?;
        let start = wall_s();
        let (slot, loaded) = self.slot(slot)?;
        let verification = loaded.verify(slot.inner)?;
        self.busy.verify_s += wall_s() - start;
        Ok(Said::Verified { verification })
    }

    /// A sample that counts: none is taken before clocks that were changed stand still.
    fn timed(&mut self, slot: usize, iterations: u64, cache: CacheMode) -> Result<Sample, DeviceError> {
        self.hold(slot)?;
        let mut warmup = Warmup::new(self.until());
        let mut calls = iterations;
        while self.hand.is_unsettled() && !warmup.is_over() {
            let sample = self.sample(slot, calls, cache)?;
            warmup.add(sample);
            calls = self.batch(iterations, sample.time_s, cache);
            self.hand.settle(warmup.is_steady());
        }
        // A clock that never stood still is waited for once; the stopping rule sees the noise.
        self.hand.settle(true);
        if self.planted(slot)? == Some(FaultKind::Late) {
            crash();
        }
        let sample = self.sample(slot, iterations, cache)?;
        let locked = self.hand.seen(&sample);
        if let Some(slot) = self.slots.get_mut(&slot) {
            slot.locked = std::mem::take(&mut slot.locked).and(locked);
        }
        Ok(sample)
    }

    /// What a warm-up of what is in force waits for.
    fn until(&self) -> Until {
        let least_s = if self.hand.is_unsettled() { AFTER_CHANGE_S } else { 0.0 };
        let clock_hz = self.hand.wish().clock_mhz.map(|mhz| f64::from(mhz) * 1e6);
        Until { gpu: self.device.info().gpu.is_some(), least_s, clock_hz }
    }

    /// Calls in a batch of a warm-up: those of a sample, or more while clocks are on their way, which takes longer than samples do.
    fn batch(&self, iterations: u64, time_s: f64, cache: CacheMode) -> u64 {
        match cache {
            CacheMode::Hot if self.hand.is_unsettled() => iterations.max(calls_for(SETTLING_BATCH_S, time_s)),
            CacheMode::Hot | CacheMode::Cold => iterations,
        }
    }

    fn sample(&mut self, slot: usize, iterations: u64, cache: CacheMode) -> Result<Sample, DeviceError> {
        let start = wall_s();
        match self.planted(slot)? {
            Some(FaultKind::Crash) => crash(),
            Some(FaultKind::Hang) => hang(),
            Some(FaultKind::Wild) => return super::wild::run(self.device),
            Some(FaultKind::Late | FaultKind::Wrong) | None => {}
        }
        let (slot, loaded) = self.slot(slot)?;
        let sample = loaded.sample(slot.inner, iterations, cache)?;
        #[allow(clippy::cast_precision_loss)] // call counts
        let kernel_s = sample.wall_s * sample.iterations as f64;
        self.busy.kernel_s += kernel_s;
        self.busy.flush_s += (wall_s() - start - kernel_s).max(0.0);
        Ok(sample)
    }

    /// Runs batches until the last three agree in time and clock, or the cap has passed.
    fn warm(&mut self, slot: usize, sample_s: f64, cache: CacheMode) -> Result<Warmed, DeviceError> {
        self.hold(slot)?;
        let mut warmup = Warmup::new(self.until());
        let (mut batch, mut calls) = (1, 0);
        loop {
            let sample = self.sample(slot, batch, cache)?;
            warmup.add(sample);
            calls += batch;
            let iterations = calls_for(sample_s, sample.time_s);
            batch = self.batch(iterations, sample.time_s, cache);
            if (warmup.is_steady() && calls >= WARM_CALLS.min(iterations)) || warmup.is_over() {
                self.hand.settle(true);
                return Ok(Warmed { calls, iterations, time_s: sample.time_s, locked: self.hand.seen(&sample) });
            }
        }
    }

    fn finish(&mut self, slot: usize, iterations: u64, energy_s: f64) -> Result<Said, DeviceError> {
        self.hold(slot)?;
        self.sample(slot, iterations, CacheMode::Hot)?;
        let start = wall_s();
        let planted = self.planted(slot)?;
        let (slot, loaded) = self.slot(slot)?;
        if planted == Some(FaultKind::Wrong) {
            loaded.spoil(slot.inner)?;
        }
        let verification = loaded.recheck(slot.inner)?;
        let checked = wall_s();
        // A sensor that fails costs the energy, not the point.
        let (energy, energy_reason) = match loaded.energy(slot.inner, energy_s) {
            Ok(energy) => (energy.map(Box::new), None),
            Err(DeviceError::Sensor(reason)) => (None, Some(reason)),
            Err(error) => return Err(error),
        };
        self.busy.verify_s += checked - start;
        self.busy.sensor_s += wall_s() - checked;
        Ok(Said::Finished { verification, energy, energy_reason, locked: slot.locked })
    }
}

/// Calls that last `sample_s` together, at least one.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a small positive count
fn calls_for(sample_s: f64, time_s: f64) -> u64 {
    if time_s > 0.0 { ((sample_s / time_s).ceil() as u64).clamp(1, 1 << 20) } else { 1 << 10 }
}

/// More than once: the standard library's handler for stack overflows swallows the first signal that no instruction caused.
fn crash() -> ! {
    let kill = format!("kill -SEGV {}", std::process::id());
    while std::process::Command::new("sh").args(["-c", &kill]).status().is_ok() {}
    std::process::abort()
}

fn hang() -> ! {
    loop {
        std::thread::park();
    }
}
