//! Settings in force, and what stood before them.

use std::ops::DerefMut;

use serde::{Deserialize, Serialize};

use super::{Attempt, Limits, Refused, Setting, Wish};
use crate::devices::cuda::power::{Absent, Read};

/// Clocks come in steps of 15 MHz; one that stands within a step is held.
const STEP_MHZ: u32 = 15;

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
    pub fn of(limits: &mut (impl Limits + ?Sized), wish: &Wish) -> Read<Self> {
        let power_limit_mw = wish.power_limit_mw.map(|_| limits.power_limit_mw()).transpose()?;
        let (clock, memory_clock) = (wish.clock_mhz.is_some(), wish.memory_clock_mhz.is_some());
        Ok(Self { board: limits.board(), power_limit_mw, clock, memory_clock })
    }

    /// Adds what was read `later`, of the same board. What was read first is what stood before any change: it stays.
    pub fn join(&mut self, later: &Self) {
        self.power_limit_mw = self.power_limit_mw.or(later.power_limit_mw);
        self.clock |= later.clock;
        self.memory_clock |= later.memory_clock;
    }

    /// Whether it says what to put back of `setting`.
    #[must_use]
    pub const fn holds(&self, setting: Setting) -> bool {
        match setting {
            Setting::Clock => self.clock,
            Setting::MemoryClock => self.memory_clock,
            Setting::PowerLimit => self.power_limit_mw.is_some(),
        }
    }

    /// Takes `setting` over from `other`.
    const fn take(&mut self, setting: Setting, other: &Self) {
        match setting {
            Setting::Clock => self.clock = other.clock,
            Setting::MemoryClock => self.memory_clock = other.memory_clock,
            Setting::PowerLimit => self.power_limit_mw = other.power_limit_mw,
        }
    }

    fn nothing(board: &str) -> Self {
        Self { board: board.to_owned(), ..Self::default() }
    }

    /// Puts `setting` back where it was saved.
    fn put_back(&self, setting: Setting, limits: &mut (impl Limits + ?Sized)) -> Result<(), Refused> {
        let done = match (setting, self.power_limit_mw) {
            _ if !self.holds(setting) => Ok(()),
            (Setting::Clock, _) => limits.reset_clock(),
            (Setting::MemoryClock, _) => limits.reset_memory_clock(),
            (Setting::PowerLimit, before) => before.map_or(Ok(()), |milliwatts| limits.set_power_limit_mw(milliwatts)),
        };
        done.map_err(|why| Refused { setting, attempt: Attempt::PutBack, why })
    }
}

/// Puts back what stood before. Safe to call twice, and after a guard has done it.
///
/// # Errors
/// What could not be put back, in words; the rest was.
pub fn restore(limits: &mut (impl Limits + ?Sized), saved: &Saved) -> Result<(), String> {
    let board = limits.board();
    if board != saved.board {
        return Err(format!("settings of board `{}` cannot be put back on board `{board}`", saved.board));
    }
    let failed: Vec<String> =
        Setting::ALL.into_iter().filter_map(|setting| saved.put_back(setting, limits).err()).map(|why| why.to_string()).collect();
    if failed.is_empty() { Ok(()) } else { Err(failed.join("; ")) }
}

/// What became of one setting.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Held {
    /// Nothing was asked for.
    #[default]
    Unasked,
    /// Read back under load.
    Held,
    /// Accepted by the driver, and not seen to stand.
    Requested,
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

    /// What can be said of two together, or of one at two moments: the worse.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |held: &Self| match held {
            Self::Unasked => 0,
            Self::Held => 1,
            Self::Requested => 2,
            Self::Denied(_) => 3,
        };
        if rank(&other) > rank(&self) { other } else { self }
    }

    fn judge(&mut self, asked: u32, seen: Read<u32>, step: u32) {
        let stands = seen.is_ok_and(|seen| asked.abs_diff(seen) <= step);
        match self {
            Self::Requested if stands => *self = Self::Held,
            Self::Held if !stands => *self = Self::Requested,
            _ => {}
        }
    }
}

/// Settings in force until this is dropped.
#[derive(Debug)]
pub struct Guard<L: DerefMut<Target: Limits>> {
    limits: L,
    wish: Wish,
    /// What stood before, of all that was or is to be changed.
    saved: Saved,
    /// What was changed and is to be put back.
    owed: Saved,
    held: [Held; 3],
}

impl<L: DerefMut<Target: Limits>> Guard<L> {
    /// Nothing is set yet.
    pub fn new(mut limits: L) -> Self {
        let nothing = Saved::nothing(&limits.board());
        Self { limits, wish: Wish::default(), saved: nothing.clone(), owed: nothing, held: Default::default() }
    }

    /// Sets what is wished, where `saved` was read before. A setting that is refused is [`Held::Denied`]; the others are set all the same.
    pub fn apply(limits: L, wish: Wish, saved: Saved) -> Self {
        let mut guard = Self::new(limits);
        guard.saved = saved;
        // What was refused stands in `held`.
        let _ = guard.change(wish);
        guard
    }

    /// Reads what `wish` will change, where it has not been read, and gives all that stood before: whoever may have to put it back is told this first.
    ///
    /// # Errors
    /// [`Refused`] where the power limit cannot be read.
    pub fn save(&mut self, wish: &Wish) -> Result<Saved, Refused> {
        let power_limit_mw = wish.power_limit_mw.filter(|_| !self.saved.holds(Setting::PowerLimit));
        let read = Saved::of(&mut *self.limits, &Wish { power_limit_mw, ..*wish });
        self.saved.join(&read.map_err(|why| Refused::set(Setting::PowerLimit, why))?);
        Ok(self.saved.clone())
    }

    /// Makes `wish` what is in force: what it names is set, what it leaves alone is put back.
    ///
    /// # Errors
    /// The first setting that was [`Refused`]; the others are changed all the same.
    pub fn change(&mut self, wish: Wish) -> Result<(), Refused> {
        self.save(&wish)?;
        let before = std::mem::replace(&mut self.wish, wish);
        let mut first = Ok(());
        for setting in Setting::ALL {
            let wished = setting.wished(&wish);
            if wished == setting.wished(&before) && !matches!(self.held[setting as usize], Held::Denied(_)) {
                continue;
            }
            let done = match wished {
                Some(value) => self.set(setting, value),
                None => self.put_back(setting),
            };
            self.held[setting as usize] = match &done {
                Err(refused) => Held::Denied(refused.why.to_string()),
                Ok(()) if wished.is_some() => Held::Requested,
                Ok(()) => Held::Unasked,
            };
            first = first.and(done);
        }
        first
    }

    fn set(&mut self, setting: Setting, value: u32) -> Result<(), Refused> {
        let untouched = !self.owed.holds(setting);
        // Owed before it is changed, so that a panic in the middle is covered too.
        self.owed.take(setting, &self.saved);
        let done = setting.set(&mut *self.limits, value);
        if untouched && matches!(done, Err(Absent::Denied(_) | Absent::Unsupported(_))) {
            self.owed.take(setting, &Saved::default());
        }
        done.map_err(|why| Refused::set(setting, why))
    }

    fn put_back(&mut self, setting: Setting) -> Result<(), Refused> {
        self.owed.put_back(setting, &mut *self.limits)?;
        self.owed.take(setting, &Saved::default());
        Ok(())
    }

    /// What is in force, or was asked to be.
    #[must_use]
    pub const fn wish(&self) -> Wish {
        self.wish
    }

    /// What became of `setting`.
    #[must_use]
    pub const fn of(&self, setting: Setting) -> &Held {
        &self.held[setting as usize]
    }

    /// What can be said of all settings together: the worst.
    #[must_use]
    pub fn held(&self) -> Held {
        self.held.iter().cloned().fold(Held::default(), Held::and)
    }

    /// Reads back. Call it while the kernel runs, or give the core clock that was read then: an idle board lowers its clocks whatever is locked.
    pub fn read_back(&mut self, clock_mhz: Option<u32>) {
        for setting in self.wish.settings() {
            let (seen, step) = match (setting, clock_mhz) {
                (Setting::Clock, Some(mhz)) => (Ok(mhz), STEP_MHZ),
                (Setting::Clock | Setting::MemoryClock, _) => (setting.read(&mut *self.limits), STEP_MHZ),
                (Setting::PowerLimit, _) => (setting.read(&mut *self.limits), 0),
            };
            let asked = setting.wished(&self.wish).unwrap_or_default();
            self.held[setting as usize].judge(asked, seen, step);
        }
    }

    /// Puts everything back now, and forgets what stood before: the next wish reads it anew.
    ///
    /// # Errors
    /// The first setting that could not be put back, in words; it is tried again by the next call and when this is dropped.
    pub fn restore(&mut self) -> Result<(), String> {
        self.change(Wish::default()).map_err(|refused| refused.to_string())?;
        self.saved = Saved::nothing(&self.saved.board);
        Ok(())
    }
}

impl<L: DerefMut<Target: Limits>> Drop for Guard<L> {
    fn drop(&mut self) {
        if self.owed != Saved::nothing(&self.owed.board) {
            // Nobody is left to tell: the parent process restores once more from what it was told.
            let _ = restore(&mut *self.limits, &self.owed);
        }
    }
}
