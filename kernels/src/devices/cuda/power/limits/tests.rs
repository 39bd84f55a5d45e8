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
    type Way = fn(Guard<'_>) -> Result<(), String>;
    let ways: [(&str, Way); 4] = [
        ("asked to", |guard| guard.restore()),
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
}

#[test]
fn read_back_tells_held_from_requested_from_denied() {
    let cases = [(1980, true, "held", "held"), (1200, true, "requested", "held"), (1980, false, "denied", "denied")];
    for (capped_mhz, may, clock, power) in cases {
        let fake = Fake::new();
        (fake.0.borrow_mut().capped_mhz, fake.0.borrow_mut().may) = (capped_mhz, may);
        let mut limits = fake.clone();
        let mut guard = Guard::apply(&mut limits, WISH, saved(&fake));
        guard.read_back();
        assert_eq!((guard.clock.name(), guard.power_limit.name()), (Some(clock), Some(power)), "capped at {capped_mhz}");
        if let Held::Denied(why) = &guard.clock {
            assert_eq!(why, "`nvmlDeviceSet…` is denied to this user");
        }
    }
}

#[test]
fn a_wish_is_taken_out_of_a_configuration_and_checked_against_the_board() {
    let config = |pairs: &[(&str, Value)]| Config(Named(pairs.iter().map(|(n, v)| ((*n).to_owned(), v.clone())).collect()));
    let mixed = config(&[("tile_m", 64.into()), (CLOCK, 1410.into()), (POWER_LIMIT, 200.into())]);
    let (wish, rest) = Wish::of(&mixed).expect("whole numbers");
    assert_eq!(wish, Wish { memory_clock_mhz: None, ..WISH });
    assert_eq!(rest, config(&[("tile_m", 64.into())]));
    assert!(Wish::of(&config(&[(CLOCK, "high".into())])).is_err());

    let axes = Axes::of(&mut Fake::new());
    assert_eq!(axes.check(&wish), Ok(()));
    let refused = [
        (
            Wish { clock_mhz: Some(1411), ..wish },
            "`nvml_clock=1411` cannot be set: the nearest clock the board offers is 1410 MHz",
        ),
        (Wish { power_limit_mw: Some(90_000), ..wish }, "`nvml_power_limit=90` is outside 100 to 350 W"),
    ];
    for (wish, expected) in refused {
        assert_eq!(axes.check(&wish).map_err(|misfit| misfit.to_string()), Err(expected.to_owned()));
    }
    let none = Axes { reasons: vec![format!("`{POWER_LIMIT}`: not offered")], ..Axes::default() };
    let refused = none.check(&Wish { power_limit_mw: Some(200_000), ..Wish::default() }).map_err(|misfit| misfit.to_string());
    assert_eq!(refused, Err("`nvml_power_limit=200` cannot be set: not offered".to_owned()));
    let names: Vec<_> = axes.parameters().iter().map(|parameter| (parameter.name, parameter.values.len())).collect();
    assert_eq!(names, [(CLOCK, 4), (MEMORY_CLOCK, 2), (POWER_LIMIT, 4)]);
}
