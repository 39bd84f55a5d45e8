use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;

use super::*;

/// A board whose settings outlive whoever changes them.
#[derive(Clone, Debug, PartialEq)]
struct State {
    power_mw: u32,
    clock: Option<u32>,
    memory_clock: Option<u32>,
    /// Clock under load, whatever was locked.
    capped_mhz: u32,
    may: bool,
    sets: usize,
    /// The set call with this number panics.
    panics_at: usize,
}

#[derive(Clone)]
struct Fake(Rc<RefCell<State>>);

impl Fake {
    fn new() -> Self {
        Self(Rc::new(RefCell::new(State {
            power_mw: 350_000,
            clock: None,
            memory_clock: None,
            capped_mhz: 1980,
            may: true,
            sets: 0,
            panics_at: usize::MAX,
        })))
    }
    fn set(&self, change: impl FnOnce(&mut State)) -> Read<()> {
        let mut state = self.0.borrow_mut();
        state.sets += 1;
        assert!(state.sets != state.panics_at, "planted");
        if !state.may {
            return Err(Absent::Denied("`nvmlDeviceSet…` is denied to this user".into()));
        }
        change(&mut state);
        Ok(())
    }
    fn settings(&self) -> (u32, Option<u32>, Option<u32>) {
        let state = self.0.borrow();
        (state.power_mw, state.clock, state.memory_clock)
    }
}

impl Limits for Fake {
    fn board(&mut self) -> String {
        "GPU-1".into()
    }
    fn power_limit_mw(&mut self) -> Read<u32> {
        Ok(self.0.borrow().power_mw)
    }
    fn power_limit_range_mw(&mut self) -> Read<(u32, u32)> {
        Ok((100_000, 350_000))
    }
    fn set_power_limit_mw(&mut self, milliwatts: u32) -> Read<()> {
        self.set(|state| state.power_mw = milliwatts)
    }
    fn clocks_mhz(&mut self) -> Read<Vec<u32>> {
        Ok((0..80).map(|step| 1980 - 15 * step).collect())
    }
    fn memory_clocks_mhz(&mut self) -> Read<Vec<u32>> {
        Ok(vec![1593, 810])
    }
    fn lock_clock_mhz(&mut self, mhz: u32) -> Read<()> {
        self.set(|state| state.clock = Some(mhz))
    }
    fn reset_clock(&mut self) -> Read<()> {
        self.set(|state| state.clock = None)
    }
    fn lock_memory_clock_mhz(&mut self, mhz: u32) -> Read<()> {
        self.set(|state| state.memory_clock = Some(mhz))
    }
    fn reset_memory_clock(&mut self) -> Read<()> {
        self.set(|state| state.memory_clock = None)
    }
    fn clock_mhz(&mut self) -> Read<u32> {
        let state = self.0.borrow();
        Ok(state.clock.unwrap_or(1980).min(state.capped_mhz))
    }
    fn memory_clock_mhz(&mut self) -> Read<u32> {
        Ok(self.0.borrow().memory_clock.unwrap_or(1593))
    }
}

const WISH: Wish = Wish { clock_mhz: Some(1410), memory_clock_mhz: Some(810), power_limit_mw: Some(200_000) };
const BEFORE: (u32, Option<u32>, Option<u32>) = (350_000, None, None);
const SET: (u32, Option<u32>, Option<u32>) = (200_000, Some(1410), Some(810));

fn saved(fake: &Fake) -> Saved {
    Saved::of(&mut fake.clone(), &WISH).expect("readable")
}

#[test]
fn settings_are_put_back_at_the_end_on_an_error_and_on_a_panic() {
    type Way = fn(Guard<&mut Fake>) -> Result<(), String>;
    let ways: [(&str, Way); 4] = [
        ("asked to", |mut guard| guard.restore()),
        ("dropped", |guard| {
            drop(guard);
            Ok(())
        }),
        ("an error returned past it", |_guard| Err("a kernel failed".into())),
        ("a panic", |_guard| panic!("planted")),
    ];
    for (name, way) in ways {
        let fake = Fake::new();
        let mut limits = fake.clone();
        let guard = Guard::apply(&mut limits, WISH, saved(&fake));
        assert_eq!(fake.settings(), SET, "{name}");
        let _ = catch_unwind(AssertUnwindSafe(|| way(guard)));
        assert_eq!(fake.settings(), BEFORE, "{name}");
    }
}

#[test]
fn a_panic_between_two_settings_is_put_back_too() {
    for panics_at in 1..=3 {
        let fake = Fake::new();
        fake.0.borrow_mut().panics_at = panics_at;
        let (saved, mut limits) = (saved(&fake), fake.clone());
        let died = catch_unwind(AssertUnwindSafe(|| drop(Guard::apply(&mut limits, WISH, saved))));
        assert!(died.is_err());
        assert_eq!(fake.settings(), BEFORE, "panic at setting {panics_at}");
    }
}

#[test]
fn a_wish_after_another_sets_what_differs_and_puts_back_what_it_leaves_alone() {
    let fake = Fake::new();
    let mut guard = Guard::new(Box::new(fake.clone()));
    let clock = |mhz| Wish { clock_mhz: Some(mhz), ..Wish::default() };
    let steps = [
        (clock(1200), (350_000, Some(1200), None), 1),
        (clock(1200), (350_000, Some(1200), None), 1),
        (WISH, SET, 4),
        (Wish { clock_mhz: Some(1800), ..WISH }, (200_000, Some(1800), Some(810)), 5),
        (clock(1800), (350_000, Some(1800), None), 7),
        (Wish::default(), BEFORE, 8),
    ];
    for (wish, settings, sets) in steps {
        assert_eq!(guard.change(wish), Ok(()));
        assert_eq!((fake.settings(), fake.0.borrow().sets), (settings, sets), "{wish:?}");
    }
    // What stood before the first change is what is told and put back, however often the limit was changed since.
    guard.change(WISH).expect("allowed");
    let lower = Wish { power_limit_mw: Some(150_000), ..WISH };
    let told = guard.save(&lower).expect("readable");
    guard.change(lower).expect("allowed");
    assert_eq!((told.power_limit_mw, fake.settings().0), (Some(350_000), 150_000));
    drop(guard);
    assert_eq!(fake.settings(), BEFORE);
}

#[test]
fn what_was_read_first_is_what_is_put_back() {
    let first = Saved { board: "GPU-1".into(), power_limit_mw: Some(350_000), clock: true, memory_clock: false };
    let mut all = first.clone();
    all.join(&Saved { power_limit_mw: Some(150_000), memory_clock: true, ..first.clone() });
    assert_eq!(all, Saved { memory_clock: true, ..first });
}

#[test]
fn the_parent_puts_back_what_a_killed_worker_left() {
    let fake = Fake::new();
    let mut limits = fake.clone();
    // The worker's line to its parent, sent before anything changes.
    let told = serde_json::to_string(&saved(&fake)).expect("plain data");
    let guard = Guard::apply(&mut limits, WISH, saved(&fake));
    // Killed: nothing of the worker runs any more, no destructor either.
    std::mem::forget(guard);
    assert_eq!(fake.settings(), SET);
    let told: Saved = serde_json::from_str(&told).expect("its own words");
    for _ in 0..2 {
        restore(&mut fake.clone(), &told).expect("allowed");
        assert_eq!(fake.settings(), BEFORE);
    }
    let elsewhere = Saved { board: "GPU-2".into(), ..told };
    let error = restore(&mut fake.clone(), &elsewhere).expect_err("another board");
    assert_eq!(error, "settings of board `GPU-2` cannot be put back on board `GPU-1`");
}

#[test]
fn what_was_not_changed_is_not_put_back() {
    let fake = Fake::new();
    let wish = Wish { clock_mhz: Some(1410), ..Wish::default() };
    let saved = Saved::of(&mut fake.clone(), &wish).expect("readable");
    let mut limits = fake.clone();
    let guard = Guard::apply(&mut limits, wish, saved);
    fake.0.borrow_mut().power_mw = 300_000; // somebody else, meanwhile
    drop(guard);
    assert_eq!(fake.settings(), (300_000, None, None));

    // Refused, so never changed: a lock of somebody else's stays.
    let fake = Fake::new();
    (fake.0.borrow_mut().may, fake.0.borrow_mut().clock) = (false, Some(990));
    let mut guard = Guard::new(Box::new(fake.clone()));
    let refused = guard.change(wish).expect_err("denied");
    assert_eq!(refused.to_string(), "`nvml_clock` cannot be set: `nvmlDeviceSet…` is denied to this user");
    fake.0.borrow_mut().may = true;
    assert_eq!((guard.restore(), fake.settings().1), (Ok(()), Some(990)));
}

#[test]
fn what_cannot_be_put_back_is_said_and_tried_again() {
    let fake = Fake::new();
    let mut guard = Guard::new(Box::new(fake.clone()));
    guard.change(WISH).expect("allowed");
    fake.0.borrow_mut().may = false;
    let said = "`nvml_clock` was not put back: `nvmlDeviceSet…` is denied to this user";
    assert_eq!(guard.restore(), Err(said.to_owned()));
    assert_eq!(guard.held().name(), Some("denied"), "what stands is not what was asked for");
    fake.0.borrow_mut().may = true;
    drop(guard);
    assert_eq!(fake.settings(), BEFORE);
}

#[test]
fn read_back_tells_held_from_requested_from_denied() {
    let cases = [(1980, true, "held", "held"), (1200, true, "requested", "held"), (1980, false, "denied", "denied")];
    for (capped_mhz, may, clock, power) in cases {
        let fake = Fake::new();
        (fake.0.borrow_mut().capped_mhz, fake.0.borrow_mut().may) = (capped_mhz, may);
        let mut limits = fake.clone();
        let mut guard = Guard::apply(&mut limits, WISH, saved(&fake));
        guard.read_back(None);
        let [of_clock, of_power] = [Setting::Clock, Setting::PowerLimit].map(|setting| guard.of(setting).name());
        assert_eq!((of_clock, of_power), (Some(clock), Some(power)), "capped at {capped_mhz}");
        assert_eq!(guard.held().name(), Some(clock), "the worst is what is said of all");
        if let Held::Denied(why) = guard.of(Setting::Clock) {
            assert_eq!(why, "`nvmlDeviceSet…` is denied to this user");
        }
        // A clock that was read under load counts before one that is read now.
        guard.read_back(Some(1200));
        assert_eq!(guard.of(Setting::Clock).name(), Some(if may { "requested" } else { "denied" }));
    }
}

fn config(pairs: &[(&str, Value)]) -> Config {
    Config(Named(pairs.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect()))
}

#[test]
fn settings_are_taken_out_of_a_configuration_and_laid_on_another() {
    let mixed = config(&[("tile_m", 64.into()), (CLOCK, 1410.into()), (POWER_LIMIT, 200.into())]);
    assert_eq!(Wish::of(&mixed), Ok(Wish { memory_clock_mhz: None, ..WISH }));
    assert_eq!(*kernel(&mixed), config(&[("tile_m", 64.into())]));
    assert_eq!(under(config(&[("tile_m", 32.into())]), &mixed).to_string(), "tile_m=32 nvml_clock=1410 nvml_power_limit=200");
    assert!(Wish::of(&config(&[(CLOCK, "high".into())])).is_err());
    let plain = config(&[("tile_m", 64.into())]);
    assert!(matches!(kernel(&plain), Cow::Borrowed(_)) && Wish::of(&plain).is_ok_and(|wish| wish.is_empty()));
}

#[test]
fn a_gpu_has_the_knobs_of_its_board_and_a_cpu_has_none() {
    let gpu = DeviceInfo::assumed(crate::devices::cuda::Architecture::new(8, 9));
    let names: Vec<&str> = knobs(&gpu).iter().map(|knob| knob.name).collect();
    assert_eq!(names, Setting::ALL.map(Setting::knob));
    assert!(names.iter().all(|name| is_limit(name)) && !is_limit("tile_m"));
    assert!(knobs(&DeviceInfo { kind: DeviceKind::Cpu, ..gpu }).is_empty());
}

#[test]
fn a_wish_is_held_against_what_the_board_allows() {
    let wish = Wish { memory_clock_mhz: None, ..WISH };
    let axes = Axes::of(&mut Fake::new());
    assert!(axes.check(&wish).is_ok());
    let clocks = "the board offers 80 clocks from 795 to 1980 MHz";
    let refused = [
        (Wish { clock_mhz: Some(1411), ..wish }, format!("`nvml_clock=1411` cannot be set: {clocks}, next to it 1410 and 1425")),
        (Wish { clock_mhz: Some(2000), ..wish }, format!("`nvml_clock=2000` cannot be set: {clocks}, next to it 1980")),
        (
            Wish { memory_clock_mhz: Some(800), ..wish },
            "`nvml_memory_clock=800` cannot be set: the board offers 1593, 810 MHz".into(),
        ),
        (
            Wish { power_limit_mw: Some(90_000), ..wish },
            "`nvml_power_limit=90` cannot be set: the board offers 100 to 350 W".into(),
        ),
    ];
    for (wish, expected) in refused {
        let found = axes.check(&wish).expect_err("illegal");
        assert!(matches!(found, DeviceError::Misfit(_)));
        assert_eq!(found.to_string(), expected);
    }
    let none = Axes { power_limit_range_mw: Err(Absent::Unsupported("not offered".into())), ..axes };
    let found = none.check(&wish).expect_err("nothing to set");
    assert!(matches!(found, DeviceError::Setting(_)));
    assert_eq!(found.to_string(), "`nvml_power_limit` cannot be set: not offered");
    assert_eq!(
        none.words(),
        [
            "`nvml_clock` 80 clocks from 795 to 1980 MHz",
            "`nvml_memory_clock` 1593, 810 MHz",
            "`nvml_power_limit` cannot be swept: not offered"
        ]
    );
}
