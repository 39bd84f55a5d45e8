//! Clocks and power limit as axes of a sweep: set with read-back, and put back on every way out.
//!
//! The order is: [`Saved::of`] what a [`Wish`] will change; the worker tells its parent; [`Guard::apply`]. The guard puts everything back when it is
//! dropped: at the end, on an error, on a panic, on an interrupt that unwinds. Where the worker is killed, its parent calls [`restore`] with what it was told.

use serde::{Deserialize, Serialize};

use crate::{Config, Misfit, Named, Parameter, Value};

use super::{Absent, Read};

/// Knob: core clock in MHz.
pub const CLOCK: &str = "nvml_clock";
/// Knob: memory clock in MHz.
pub const MEMORY_CLOCK: &str = "nvml_memory_clock";
/// Knob: power limit in watts.
pub const POWER_LIMIT: &str = "nvml_power_limit";
/// Clocks come in steps of 15 MHz; one that stands within a step is held.
const STEP_MHZ: f64 = 15.0;

/// The settings of one board.
pub trait Limits {
    /// Stable name of the board.
    fn board(&mut self) -> String;
    /// Power limit set, in mW.
    ///
    /// # Errors
    /// [`Absent`] as for every call here: not offered, denied, or the board is gone.
    fn power_limit_mw(&mut self) -> Read<u32>;
    /// Least and most that may be set.
    ///
    /// # Errors
    /// [`Absent`].
    fn power_limit_range_mw(&mut self) -> Read<(u32, u32)>;
    /// Sets the limit.
    ///
    /// # Errors
    /// [`Absent`].
    fn set_power_limit_mw(&mut self, milliwatts: u32) -> Read<()>;
    /// Core clocks that can be locked.
    ///
    /// # Errors
    /// [`Absent`].
    fn clocks_mhz(&mut self) -> Read<Vec<u32>>;
    /// Memory clocks that can be locked.
    ///
    /// # Errors
    /// [`Absent`].
    fn memory_clocks_mhz(&mut self) -> Read<Vec<u32>>;
    /// Locks the core clock.
    ///
    /// # Errors
    /// [`Absent`].
    fn lock_clock_mhz(&mut self, mhz: u32) -> Read<()>;
    /// Unlocks it.
    ///
    /// # Errors
    /// [`Absent`].
    fn reset_clock(&mut self) -> Read<()>;
    /// Locks the memory clock.
    ///
    /// # Errors
    /// [`Absent`].
    fn lock_memory_clock_mhz(&mut self, mhz: u32) -> Read<()>;
    /// Unlocks it.
    ///
    /// # Errors
    /// [`Absent`].
    fn reset_memory_clock(&mut self) -> Read<()>;
    /// Core clock now.
    ///
    /// # Errors
    /// [`Absent`].
    fn clock_mhz(&mut self) -> Read<u32>;
    /// Memory clock now.
    ///
    /// # Errors
    /// [`Absent`].
    fn memory_clock_mhz(&mut self) -> Read<u32>;
}

/// What is to be set; `None` leaves a setting alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Wish {
    /// Core clock.
    pub clock_mhz: Option<u32>,
    /// Memory clock.
    pub memory_clock_mhz: Option<u32>,
    /// Power limit.
    pub power_limit_mw: Option<u32>,
}

impl Wish {
    /// The settings among the knobs of a configuration, and the configuration without them, which is what its family knows.
    ///
    /// # Errors
    /// [`Misfit`] where a value is no whole number of MHz or W.
    pub fn of(config: &Config) -> Result<(Self, Config), Misfit> {
        let number = |name: &str, scale: u64| match config.value(name) {
            None => Ok(None),
            Some(Value::Int(value)) => u32::try_from(value.saturating_mul(scale)).map(Some).map_err(|_| unfit(name, value)),
            Some(other) => Err(unfit(name, other)),
        };
        let wish = Self {
            clock_mhz: number(CLOCK, 1)?,
            memory_clock_mhz: number(MEMORY_CLOCK, 1)?,
            power_limit_mw: number(POWER_LIMIT, 1000)?,
        };
        let rest = config.0.0.iter().filter(|(name, _)| ![CLOCK, MEMORY_CLOCK, POWER_LIMIT].contains(&name.as_str()));
        Ok((wish, Config(Named(rest.cloned().collect()))))
    }

    /// Nothing is to be set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

fn unfit(name: &str, value: impl std::fmt::Display) -> Misfit {
    Misfit::new(format!("`{name}={value}` is not a whole number of MHz (clocks) or W (power limit)"))
}

/// What a board lets be set, before anything is.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Axes {
    /// Core clocks, descending as NVML gives them.
    pub clocks_mhz: Vec<u32>,
    /// Memory clocks.
    pub memory_clocks_mhz: Vec<u32>,
    /// Least and most power limit, in mW.
    pub power_limit_range_mw: Option<(u32, u32)>,
    /// Why an axis is not there.
    pub reasons: Vec<String>,
}

impl Axes {
    /// Asks the board.
    pub fn of(limits: &mut dyn Limits) -> Self {
        let mut reasons = Vec::new();
        let mut keep = |name: &str, why: Absent| reasons.push(format!("`{name}`: {why}"));
        let clocks_mhz = limits.clocks_mhz().unwrap_or_else(|why| {
            keep(CLOCK, why);
            Vec::new()
        });
        let memory_clocks_mhz = limits.memory_clocks_mhz().unwrap_or_else(|why| {
            keep(MEMORY_CLOCK, why);
            Vec::new()
        });
        let power_limit_range_mw = limits.power_limit_range_mw().map_err(|why| keep(POWER_LIMIT, why)).ok();
        Self { clocks_mhz, memory_clocks_mhz, power_limit_range_mw, reasons }
    }

    /// The axes as knobs, each with the values a sweep takes where it names none: what the board may do at most, and three steps below.
    #[must_use]
    pub fn parameters(&self) -> Vec<Parameter> {
        let clock = |name, clocks: &[u32], doc| {
            let (least, most) = (clocks.iter().min()?, clocks.iter().max()?);
            let step = (clocks.len() / 4).max(1);
            let values: Vec<u64> = clocks.iter().step_by(step).take(4).map(|&mhz| mhz.into()).collect();
            Some(Parameter::int(name, ((*least).into(), (*most).into()), &values, doc))
        };
        let power = self.power_limit_range_mw.map(|(least, most)| {
            let (least, most) = (u64::from(least.div_ceil(1000)), u64::from(most / 1000));
            let values: Vec<u64> = (0..4).map(|step| most - (most - least) * step / 4).collect();
            Parameter::int(POWER_LIMIT, (least, most), &values, "power limit in watts")
        });
        [
            clock(CLOCK, &self.clocks_mhz, "core clock in MHz"),
            clock(MEMORY_CLOCK, &self.memory_clocks_mhz, "memory clock in MHz"),
            power,
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    /// Accepts a wish or says what is wrong with it.
    ///
    /// # Errors
    /// [`Misfit`] with the value and what the board allows.
    pub fn check(&self, wish: &Wish) -> Result<(), Misfit> {
        for (name, asked, clocks) in
            [(CLOCK, wish.clock_mhz, &self.clocks_mhz), (MEMORY_CLOCK, wish.memory_clock_mhz, &self.memory_clocks_mhz)]
        {
            let Some(asked) = asked.filter(|asked| !clocks.contains(asked)) else { continue };
            let near = clocks.iter().min_by_key(|clock| clock.abs_diff(asked));
            let hint = near.map_or_else(|| self.why(name), |near| format!("the nearest clock the board offers is {near} MHz"));
            return Err(Misfit::new(format!("`{name}={asked}` cannot be set: {hint}")));
        }
        match (wish.power_limit_mw, self.power_limit_range_mw) {
            (Some(asked), Some((least, most))) if !(least..=most).contains(&asked) => {
                let (asked, least, most) = (asked / 1000, least.div_ceil(1000), most / 1000);
                Err(Misfit::new(format!("`{POWER_LIMIT}={asked}` is outside {least} to {most} W")))
            }
            (Some(asked), None) => {
                Err(Misfit::new(format!("`{POWER_LIMIT}={}` cannot be set: {}", asked / 1000, self.why(POWER_LIMIT))))
            }
            _ => Ok(()),
        }
    }

    fn why(&self, name: &str) -> String {
        let prefix = format!("`{name}`: ");
        let reason = self.reasons.iter().find_map(|reason| reason.strip_prefix(&prefix));
        reason.unwrap_or("the board offers no such setting").to_owned()
    }
}

/// What stood before, of the settings that a wish changes. The worker tells its parent before it changes anything.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Saved {
    /// The board.
    pub board: String,
    /// Power limit to put back.
    pub power_limit_mw: Option<u32>,
    /// The core clock is to be unlocked. NVML does not tell an earlier lock, so a lock of the administrator's is lost.
    pub clock: bool,
    /// The memory clock is to be unlocked.
    pub memory_clock: bool,
}

impl Saved {
    /// Reads what `wish` would change.
    ///
    /// # Errors
    /// [`Absent`] where the power limit is to be changed and cannot be read: then it could not be put back, and is not touched.
    pub fn of(limits: &mut dyn Limits, wish: &Wish) -> Read<Self> {
        let power_limit_mw = wish.power_limit_mw.map(|_| limits.power_limit_mw()).transpose()?;
        let (clock, memory_clock) = (wish.clock_mhz.is_some(), wish.memory_clock_mhz.is_some());
        Ok(Self { board: limits.board(), power_limit_mw, clock, memory_clock })
    }
}

/// Puts back what stood before. Safe to call twice, and after a guard has done it.
///
/// # Errors
/// What could not be put back, in words; the rest was.
pub fn restore(limits: &mut dyn Limits, saved: &Saved) -> Result<(), String> {
    let board = limits.board();
    if board != saved.board {
        return Err(format!("settings of board `{}` cannot be put back on board `{board}`", saved.board));
    }
    let mut failed = Vec::new();
    let mut keep = |name: &str, done: Read<()>| failed.extend(done.err().map(|why| format!("`{name}` was not put back: {why}")));
    if saved.clock {
        keep(CLOCK, limits.reset_clock());
    }
    if saved.memory_clock {
        keep(MEMORY_CLOCK, limits.reset_memory_clock());
    }
    if let Some(milliwatts) = saved.power_limit_mw {
        keep(POWER_LIMIT, limits.set_power_limit_mw(milliwatts));
    }
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// What became of one setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Held {
    /// Nothing was asked for.
    #[default]
    Unasked,
    /// Accepted by the driver, and not seen to stand.
    Requested,
    /// Read back under load.
    Held,
    /// Refused, and why.
    Denied(String),
}

impl Held {
    /// Word in rows; `None` where nothing was asked.
    #[must_use]
    pub const fn name(&self) -> Option<&'static str> {
        match self {
            Self::Unasked => None,
            Self::Requested => Some("requested"),
            Self::Held => Some("held"),
            Self::Denied(_) => Some("denied"),
        }
    }
}

/// Settings in force until this is dropped.
pub struct Guard<'a> {
    limits: &'a mut dyn Limits,
    wish: Wish,
    saved: Saved,
    /// Core clock.
    pub clock: Held,
    /// Memory clock.
    pub memory_clock: Held,
    /// Power limit.
    pub power_limit: Held,
    armed: bool,
}

impl<'a> Guard<'a> {
    /// Sets what is wished. A setting that is refused is [`Held::Denied`]; the others are set all the same.
    pub fn apply(limits: &'a mut dyn Limits, wish: Wish, saved: Saved) -> Self {
        // The guard stands before the first change, so that a panic in the middle is covered too.
        let unset = Held::default();
        let mut guard =
            Self { limits, wish, saved, clock: unset.clone(), memory_clock: unset.clone(), power_limit: unset, armed: true };
        let requested = |done: Read<()>| done.map_or_else(|why| Held::Denied(why.to_string()), |()| Held::Requested);
        if let Some(mhz) = wish.clock_mhz {
            guard.clock = requested(guard.limits.lock_clock_mhz(mhz));
        }
        if let Some(mhz) = wish.memory_clock_mhz {
            guard.memory_clock = requested(guard.limits.lock_memory_clock_mhz(mhz));
        }
        if let Some(milliwatts) = wish.power_limit_mw {
            guard.power_limit = requested(guard.limits.set_power_limit_mw(milliwatts));
        }
        guard
    }

    /// Reads back. Call it while the kernel runs: an idle board lowers its clocks whatever is locked.
    pub fn read_back(&mut self) {
        let (clock, memory) = (self.limits.clock_mhz(), self.limits.memory_clock_mhz());
        self.clock.judge(self.wish.clock_mhz, clock, STEP_MHZ);
        self.memory_clock.judge(self.wish.memory_clock_mhz, memory, STEP_MHZ);
        let limit = self.limits.power_limit_mw();
        self.power_limit.judge(self.wish.power_limit_mw, limit, 0.0);
    }

    /// Puts everything back now.
    ///
    /// # Errors
    /// As [`restore`].
    pub fn restore(mut self) -> Result<(), String> {
        self.armed = false;
        restore(self.limits, &self.saved)
    }
}

impl Held {
    fn judge(&mut self, asked: Option<u32>, seen: Read<u32>, step: f64) {
        let stands = asked.zip(seen.ok()).is_some_and(|(asked, seen)| (f64::from(asked) - f64::from(seen)).abs() <= step);
        match self {
            Self::Requested if stands => *self = Self::Held,
            Self::Held if !stands => *self = Self::Requested,
            _ => {}
        }
    }
}

impl Drop for Guard<'_> {
    fn drop(&mut self) {
        if self.armed {
            // Nobody is left to tell: the parent process restores once more from what it was told.
            let _ = restore(self.limits, &self.saved);
        }
    }
}

#[cfg(test)]
mod tests;
