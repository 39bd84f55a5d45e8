//! Clocks and power limit as axes of a sweep: set with read-back, and put back on every way out.
//!
//! The order is: [`Axes::check`] a [`Wish`]; [`Guard::save`] what it will change; the worker tells its parent; [`Guard::change`]. The guard puts everything back when it is
//! dropped: at the end, on an error, on a panic, on an interrupt that unwinds. Where the worker is killed, its parent calls [`restore`] with what it was told.

mod guard;

use std::borrow::Cow;
use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Config, DeviceError, DeviceInfo, DeviceKind, Misfit, Named, Parameter, Value};

use super::{Absent, Read};

pub use guard::{Guard, Held, Saved, restore};

/// Knob: core clock in MHz.
pub const CLOCK: &str = "nvml_clock";
/// Knob: memory clock in MHz.
pub const MEMORY_CLOCK: &str = "nvml_memory_clock";
/// Knob: power limit in watts.
pub const POWER_LIMIT: &str = "nvml_power_limit";
/// Up to so many clocks are listed where one is refused; of more, the range.
const LISTED: usize = 6;

/// What a board lets be set, in the order in which it is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Setting {
    /// Core clock, MHz.
    Clock,
    /// Memory clock, MHz.
    MemoryClock,
    /// Power limit, mW.
    PowerLimit,
}

impl Setting {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Clock, Self::MemoryClock, Self::PowerLimit];

    /// The knob that names it.
    #[must_use]
    pub const fn knob(self) -> &'static str {
        match self {
            Self::Clock => CLOCK,
            Self::MemoryClock => MEMORY_CLOCK,
            Self::PowerLimit => POWER_LIMIT,
        }
    }

    /// Its value in `wish`.
    const fn wished(self, wish: &Wish) -> Option<u32> {
        match self {
            Self::Clock => wish.clock_mhz,
            Self::MemoryClock => wish.memory_clock_mhz,
            Self::PowerLimit => wish.power_limit_mw,
        }
    }

    fn set(self, limits: &mut (impl Limits + ?Sized), value: u32) -> Read<()> {
        match self {
            Self::Clock => limits.lock_clock_mhz(value),
            Self::MemoryClock => limits.lock_memory_clock_mhz(value),
            Self::PowerLimit => limits.set_power_limit_mw(value),
        }
    }

    fn read(self, limits: &mut (impl Limits + ?Sized)) -> Read<u32> {
        match self {
            Self::Clock => limits.clock_mhz(),
            Self::MemoryClock => limits.memory_clock_mhz(),
            Self::PowerLimit => limits.power_limit_mw(),
        }
    }
}

/// Whether `name` is the knob of a setting of the board, which every family has on a GPU.
#[must_use]
pub fn is_limit(name: &str) -> bool {
    Setting::ALL.iter().any(|setting| setting.knob() == name)
}

/// The settings that a sweep may name on `device`, as knobs. None is swept where none is named, so none has values of its own; what the board at hand allows is
/// only known once it is asked ([`Axes`]). A CPU has none.
#[must_use]
pub fn knobs(device: &DeviceInfo) -> Vec<Parameter> {
    // Far beyond any board: the board itself says what it allows.
    let any = (1, 100_000);
    match device.kind {
        DeviceKind::Cpu => Vec::new(),
        DeviceKind::Cuda => vec![
            Parameter::int(CLOCK, any, &[], "core clock in MHz, locked; the board's own choice where not named"),
            Parameter::int(MEMORY_CLOCK, any, &[], "memory clock in MHz, locked; the board's own choice where not named"),
            Parameter::int(POWER_LIMIT, any, &[], "power limit in W; as it stands where not named"),
        ],
    }
}

/// `config` without the settings of the board: what its family knows.
#[must_use]
pub fn kernel(config: &Config) -> Cow<'_, Config> {
    if !config.0.0.iter().any(|(name, _)| is_limit(name)) {
        return Cow::Borrowed(config);
    }
    let rest = config.0.0.iter().filter(|(name, _)| !is_limit(name));
    Cow::Owned(Config(Named(rest.cloned().collect())))
}

/// `kernel` with the settings that stand in `config`.
#[must_use]
pub fn under(mut kernel: Config, config: &Config) -> Config {
    kernel.0.0.extend(config.0.0.iter().filter(|(name, _)| is_limit(name)).cloned());
    kernel
}

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
    /// The settings among the knobs of a configuration; [`kernel`] gives the rest.
    ///
    /// # Errors
    /// [`Misfit`] where a value is no whole number of MHz or W.
    pub fn of(config: &Config) -> Result<Self, Misfit> {
        let number = |name: &str, scale: u64| match config.value(name) {
            None => Ok(None),
            Some(Value::Int(value)) => u32::try_from(value.saturating_mul(scale)).map(Some).map_err(|_| unfit(name, value)),
            Some(other) => Err(unfit(name, other)),
        };
        Ok(Self {
            clock_mhz: number(CLOCK, 1)?,
            memory_clock_mhz: number(MEMORY_CLOCK, 1)?,
            power_limit_mw: number(POWER_LIMIT, 1000)?,
        })
    }

    /// Nothing is to be set.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    /// The settings that are to be set.
    pub fn settings(self) -> impl Iterator<Item = Setting> {
        Setting::ALL.into_iter().filter(move |setting| setting.wished(&self).is_some())
    }
}

fn unfit(name: &str, value: impl fmt::Display) -> Misfit {
    Misfit::new(format!("`{name}={value}` is not a whole number of MHz (clocks) or W (power limit)"))
}

/// A setting that the board did not take, or did not take back.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{}` {attempt}: {why}", .setting.knob())]
pub struct Refused {
    /// Which.
    pub setting: Setting,
    /// What was tried.
    pub attempt: Attempt,
    /// Why not.
    pub why: Absent,
}

/// What was tried with a setting.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Attempt {
    /// To change it.
    Set,
    /// To put back what stood before.
    PutBack,
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Set => "cannot be set",
            Self::PutBack => "was not put back",
        })
    }
}

impl Refused {
    /// `setting` cannot be changed.
    #[must_use]
    pub const fn set(setting: Setting, why: Absent) -> Self {
        Self { setting, attempt: Attempt::Set, why }
    }
}

/// What a board lets be set, or why it does not.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Axes {
    /// Core clocks, descending as NVML gives them.
    pub clocks_mhz: Read<Vec<u32>>,
    /// Memory clocks.
    pub memory_clocks_mhz: Read<Vec<u32>>,
    /// Least and most power limit, in mW.
    pub power_limit_range_mw: Read<(u32, u32)>,
}

impl Axes {
    /// Asks the board.
    pub fn of(limits: &mut (impl Limits + ?Sized)) -> Self {
        Self {
            clocks_mhz: limits.clocks_mhz(),
            memory_clocks_mhz: limits.memory_clocks_mhz(),
            power_limit_range_mw: limits.power_limit_range_mw(),
        }
    }

    /// Accepts a wish or says what is wrong with it.
    ///
    /// # Errors
    /// [`DeviceError::Misfit`] with the value and what the board allows; [`DeviceError::Setting`] where it allows nothing.
    pub fn check(&self, wish: &Wish) -> Result<(), DeviceError> {
        for setting in wish.settings() {
            let asked = setting.wished(wish).unwrap_or_default();
            let (legal, words) = self.allowed(setting, asked).map_err(|why| Refused::set(setting, why))?;
            if !legal {
                let shown = if setting == Setting::PowerLimit { asked / 1000 } else { asked };
                return Err(Misfit::new(format!("`{}={shown}` cannot be set: the board offers {words}", setting.knob())).into());
            }
        }
        Ok(())
    }

    /// Each setting with what the board allows, in words.
    #[must_use]
    pub fn words(&self) -> Vec<String> {
        let words = |setting: Setting| match self.allowed(setting, 0) {
            Ok((_, words)) => format!("`{}` {words}", setting.knob()),
            Err(why) => format!("`{}` cannot be swept: {why}", setting.knob()),
        };
        Setting::ALL.into_iter().map(words).collect()
    }

    /// Whether `asked` is allowed, and what is.
    fn allowed(&self, setting: Setting, asked: u32) -> Read<(bool, String)> {
        let clocks = match setting {
            Setting::Clock => self.clocks_mhz.as_ref(),
            Setting::MemoryClock => self.memory_clocks_mhz.as_ref(),
            Setting::PowerLimit => {
                let (least, most) = self.power_limit_range_mw.clone()?;
                let words = format!("{} to {} W", least.div_ceil(1000), most / 1000);
                return Ok(((least..=most).contains(&asked), words));
            }
        };
        let clocks = clocks.map_err(Clone::clone)?;
        Ok((clocks.contains(&asked), offered(clocks, asked)?))
    }
}

/// Clocks in words: all of a few, else how many from where to where and those next to `asked`.
fn offered(clocks: &[u32], asked: u32) -> Read<String> {
    let (Some(least), Some(most)) = (clocks.iter().min(), clocks.iter().max()) else {
        return Err(Absent::Unsupported("the board lists no clock".to_owned()));
    };
    if clocks.len() <= LISTED {
        let all: Vec<String> = clocks.iter().map(ToString::to_string).collect();
        return Ok(format!("{} MHz", all.join(", ")));
    }
    let range = format!("{} clocks from {least} to {most} MHz", clocks.len());
    let next: Vec<String> =
        [clocks.iter().filter(|clock| **clock < asked).max(), clocks.iter().filter(|clock| **clock > asked).min()]
            .into_iter()
            .flatten()
            .map(ToString::to_string)
            .collect();
    // Nothing is asked for where the clocks are only listed.
    Ok(if asked == 0 { range } else { format!("{range}, next to it {}", next.join(" and ")) })
}

#[cfg(test)]
mod tests;
