//! A whole worker on a board made of numbers: what is set when, what is told first, what is put back.

use std::cell::RefCell;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use tilecast_kernels::devices::cuda::Architecture;
use tilecast_kernels::devices::cuda::power::Read;
use tilecast_kernels::oracle::{Verdict, Verification};
use tilecast_kernels::{
    CacheMode, Config, DeviceInfo, Dtype, Energy, EnergySource, Family, Loaded, Named, Preparation, Problem, Roof,
};

use super::*;
use crate::worker::{Ask, Reply, Said, serve};

/// Batches that go by before a clock that was locked begins to move.
const LATE: u32 = 7;
/// Clock of a board that is left as it is, MHz.
const FREE: u32 = 1980;
/// Length of a batch.
const BATCH_S: f64 = 0.05;

/// The board and what happened on it.
#[derive(Debug)]
struct World {
    locked: Option<u32>,
    power_mw: u32,
    /// Clock now, and batches until it follows what is locked.
    clock: u32,
    late: u32,
    may: bool,
    /// The batch with this number panics.
    panics_at: usize,
    batches: usize,
    /// Locks and unlocks, in order.
    changes: Vec<Option<u32>>,
}

type Shared = Rc<RefCell<World>>;

fn world() -> Shared {
    Rc::new(RefCell::new(World {
        locked: None,
        power_mw: 300_000,
        clock: FREE,
        late: 0,
        may: true,
        panics_at: usize::MAX,
        batches: 0,
        changes: Vec::new(),
    }))
}

struct Settings(Shared);

impl Settings {
    fn lock(&self, mhz: Option<u32>) -> Read<()> {
        let mut world = self.0.borrow_mut();
        if !world.may {
            return Err(Absent::Denied("`nvmlDeviceSetGpuLockedClocks` is denied to this user".into()));
        }
        (world.locked, world.late) = (mhz, if mhz.is_some() { LATE } else { 1 });
        world.changes.push(mhz);
        Ok(())
    }
}

impl Limits for Settings {
    fn board(&mut self) -> String {
        "GPU-fake".into()
    }
    fn power_limit_mw(&mut self) -> Read<u32> {
        Ok(self.0.borrow().power_mw)
    }
    fn power_limit_range_mw(&mut self) -> Read<(u32, u32)> {
        Ok((100_000, 300_000))
    }
    fn set_power_limit_mw(&mut self, milliwatts: u32) -> Read<()> {
        self.0.borrow_mut().power_mw = milliwatts;
        Ok(())
    }
    fn clocks_mhz(&mut self) -> Read<Vec<u32>> {
        Ok(vec![1980, 1800, 1200])
    }
    fn memory_clocks_mhz(&mut self) -> Read<Vec<u32>> {
        Err(Absent::Unsupported("`nvmlDeviceGetSupportedMemoryClocks` is not offered by this board".into()))
    }
    fn lock_clock_mhz(&mut self, mhz: u32) -> Read<()> {
        self.lock(Some(mhz))
    }
    fn reset_clock(&mut self) -> Read<()> {
        self.lock(None)
    }
    fn lock_memory_clock_mhz(&mut self, _mhz: u32) -> Read<()> {
        unreachable!("not offered")
    }
    fn reset_memory_clock(&mut self) -> Read<()> {
        unreachable!("not offered")
    }
    fn clock_mhz(&mut self) -> Read<u32> {
        Ok(self.0.borrow().clock)
    }
    fn memory_clock_mhz(&mut self) -> Read<u32> {
        Err(Absent::Unsupported("not offered".into()))
    }
}

struct Fake {
    world: Shared,
    info: DeviceInfo,
}

impl Device for Fake {
    fn info(&self) -> &DeviceInfo {
        &self.info
    }
    fn roofs(&self) -> Vec<Roof> {
        Vec::new()
    }
    fn energy_source(&self) -> EnergySource {
        EnergySource::Unavailable("a fake".into())
    }
    fn load(&self, _family: &'static dyn Family, _problem: &Problem) -> Result<Box<dyn Loaded>, DeviceError> {
        Ok(Box::new(Runs { world: Rc::clone(&self.world), slots: 0 }))
    }
    fn limits(&self) -> Result<Box<dyn Limits>, String> {
        Ok(Box::new(Settings(Rc::clone(&self.world))))
    }
}

struct Runs {
    world: Shared,
    slots: usize,
}

impl Loaded for Runs {
    fn prepare(&mut self, config: &Config) -> Result<Preparation, DeviceError> {
        assert_eq!(config.to_string(), "tile=16", "the family sees its own knobs only");
        self.slots += 1;
        Ok(Preparation { slot: self.slots - 1, prepare_s: 0.0, note: None, code: None })
    }
    fn verify(&mut self, _slot: usize) -> Result<Verification, DeviceError> {
        Ok(Verification { verdict: Verdict::Correct, max_abs_err: 0.0, max_rel_err: 0.0, bound_ratio: 0.0, rows_checked: 1.0 })
    }
    fn recheck(&mut self, slot: usize) -> Result<Verification, DeviceError> {
        self.verify(slot)
    }
    fn spoil(&mut self, _slot: usize) -> Result<(), DeviceError> {
        unreachable!("no fault is planted here")
    }
    fn sample(&mut self, _slot: usize, iterations: u64, _cache: CacheMode) -> Result<Sample, DeviceError> {
        let mut world = self.world.borrow_mut();
        world.batches += 1;
        assert!(world.batches != world.panics_at, "planted");
        world.late = world.late.saturating_sub(1);
        if world.late == 0 {
            world.clock = world.locked.unwrap_or(FREE);
        }
        #[allow(clippy::cast_precision_loss)] // a few calls
        let wall_s = BATCH_S / iterations as f64;
        let clock_hz = f64::from(world.clock) * 1e6;
        Ok(Sample { time_s: 1.0 / clock_hz, wall_s, iterations, clock_hz: Some(clock_hz), ..Sample::default() })
    }
    fn time_basis(&self, _slot: usize) -> &'static str {
        "event"
    }
    fn energy(&mut self, _slot: usize, _window_s: f64) -> Result<Option<Energy>, DeviceError> {
        Ok(None)
    }
    fn quality(&mut self) -> Option<f64> {
        None
    }
}

fn prepare(slot: usize, knobs: &[(&str, u64)]) -> Ask {
    let family = tilecast_kernels::family("gemm_tiled").expect("in the registry");
    let problem = Box::new(family.problem(Dtype::F32, &[], 1).expect("its defaults"));
    let knobs = [("tile", 16)].iter().chain(knobs).map(|(name, value)| ((*name).to_owned(), (*value).into()));
    Ask::Prepare { slot, problem, config: Config(Named(knobs.collect())) }
}

fn warm(slot: usize) -> Ask {
    Ask::Warm { slot, sample_s: 1e-3, cache: CacheMode::Hot }
}

fn sample(slot: usize) -> Ask {
    Ask::Sample { slot, iterations: 1000, cache: CacheMode::Hot }
}

fn finish(slot: usize) -> Ask {
    Ask::Finish { slot, iterations: 1000, energy_s: 1.0 }
}

/// What a worker on `world` answers until its input ends.
fn answers(world: &Shared, asks: &[Ask]) -> Vec<Said> {
    let device = Fake { world: Rc::clone(world), info: DeviceInfo::assumed(Architecture::new(8, 9)) };
    let lines: Vec<String> = asks.iter().map(|ask| serde_json::to_string(ask).expect("plain")).collect();
    let mut output = Vec::new();
    serve(&device, Cursor::new(lines.join("\n")), &mut output, None).expect("memory takes all");
    let said = |line: &str| serde_json::from_str::<Reply>(line).expect("its own words").said;
    String::from_utf8(output).expect("text").lines().map(said).collect()
}

const CLOCK: &str = "nvml_clock";

#[test]
fn samples_are_taken_under_the_clock_of_their_point_and_not_before_it_stands_still() {
    let world = world();
    let points: [&[(&str, u64)]; 3] = [&[(CLOCK, 1200)], &[(CLOCK, 1800)], &[]];
    let expected = [1.2e9, 1.8e9, f64::from(FREE) * 1e6];
    let mut asks: Vec<Ask> = points.iter().enumerate().map(|(slot, knobs)| prepare(slot, knobs)).collect();
    let order = [0, 0, 1, 2, 2, 0];
    asks.extend([0, 1, 2].map(warm));
    asks.extend(order.map(sample));
    asks.extend([0, 1, 2].map(finish));
    asks.push(Ask::Forget);
    let said = answers(&world, &asks);
    let clocks: Vec<f64> =
        said.iter().filter_map(|said| if let Said::Sampled { sample } = said { sample.clock_hz } else { None }).collect();
    assert_eq!(clocks, order.map(|slot| expected[slot]));
    let seen: Vec<Option<&str>> = said
        .iter()
        .filter_map(|said| if let Said::Finished { locked, .. } = said { Some(locked.name()) } else { None })
        .collect();
    assert_eq!(seen, [Some("held"), Some("held"), None]);
    let [a, b] = [Some(1200), Some(1800)];
    assert_eq!(world.borrow().changes, [a, b, None, a, b, None, a, b, None], "changed only where the next point differs");
    assert!(matches!(said.last(), Some(Said::Forgotten { kept: None })));
}

#[test]
fn what_stands_is_told_before_anything_is_changed_and_put_back_on_every_way_out() {
    let limits: &[(&str, u64)] = &[(CLOCK, 1200), ("nvml_power_limit", 150)];
    let world = world();
    let said = answers(&world, &[prepare(0, limits)]);
    let Said::Prepared { saved: Some(saved), .. } = &said[0] else { panic!("{said:?}") };
    let told = (saved.board.as_str(), saved.power_limit_mw, saved.clock, saved.memory_clock);
    assert_eq!(told, ("GPU-fake", Some(300_000), true, false));
    assert!(world.borrow().changes.is_empty(), "preparing changes nothing");
    // The sweep is gone in mid-measurement.
    answers(&world, &[prepare(0, limits), Ask::Verify { slot: 0 }, sample(0)]);
    assert_eq!((world.borrow().locked, world.borrow().power_mw), (None, 300_000));
    assert_eq!(world.borrow().changes, [Some(1200), None]);
    // A defect in a kernel's host code.
    let batches = world.borrow().batches;
    world.borrow_mut().panics_at = batches + 3;
    let asks = [prepare(0, limits), Ask::Verify { slot: 0 }, sample(0)];
    assert!(catch_unwind(AssertUnwindSafe(|| answers(&world, &asks))).is_err());
    assert_eq!((world.borrow().locked, world.borrow().power_mw), (None, 300_000));
    assert_eq!(world.borrow().changes.len(), 4, "it was changed and put back");
}

#[test]
fn a_point_without_settings_reaches_for_no_board() {
    let world = world();
    let said = answers(&world, &[prepare(0, &[]), Ask::Verify { slot: 0 }, warm(0), finish(0), Ask::Forget]);
    let asked = matches!(&said[0], Said::Prepared { saved: None, .. });
    assert!(asked && world.borrow().changes.is_empty(), "{said:?}");
}

#[test]
fn what_the_board_does_not_offer_or_allow_costs_its_own_points() {
    let illegal = "`nvml_clock=1300` cannot be set: the board offers 1980, 1800, 1200 MHz";
    let absent = "`nvml_memory_clock` cannot be set: `nvmlDeviceGetSupportedMemoryClocks` is not offered by this board";
    for (knob, value, status, words) in [(CLOCK, 1300, "constraint", illegal), ("nvml_memory_clock", 810, "unsupported", absent)]
    {
        let said = answers(&world(), &[prepare(0, &[(knob, value)])]);
        let Said::Refused { status: found, reason } = &said[0] else { panic!("{said:?}") };
        assert_eq!((found.as_str(), reason.as_str()), (status, words));
    }
    let world = world();
    world.borrow_mut().may = false;
    let limits: &[(&str, u64)] = &[(CLOCK, 1200), ("nvml_power_limit", 150)];
    let asks = [prepare(0, limits), prepare(1, &[]), Ask::Verify { slot: 0 }, Ask::Verify { slot: 1 }, sample(1), Ask::Forget];
    let said = answers(&world, &asks);
    let Said::Denied { reason } = &said[2] else { panic!("{said:?}") };
    assert_eq!(reason, "`nvml_clock` cannot be set: `nvmlDeviceSetGpuLockedClocks` is denied to this user");
    assert!(matches!(said[3..], [Said::Verified { .. }, Said::Sampled { .. }, Said::Forgotten { kept: None }]), "{said:?}");
    assert_eq!(world.borrow().power_mw, 300_000, "what else the point asked for was put back");
}

#[test]
fn what_cannot_be_put_back_is_told() {
    let mut hand = Hand::default();
    let world = world();
    let device = Fake { world: Rc::clone(&world), info: DeviceInfo::assumed(Architecture::new(8, 9)) };
    let wish = Wish { clock_mhz: Some(1200), ..Wish::default() };
    hand.look(&device, wish).expect("offered");
    hand.hold(wish).expect("allowed");
    world.borrow_mut().may = false;
    let kept = hand.release().expect("denied by now");
    assert_eq!(kept, "`nvml_clock` was not put back: `nvmlDeviceSetGpuLockedClocks` is denied to this user");
    assert!(hand.hold(Wish::default()).is_err(), "nothing is timed under a clock that nobody asked for");
}
