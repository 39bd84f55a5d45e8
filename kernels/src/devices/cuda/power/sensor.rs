//! What a board can be asked: one reading each, or the reason why there is none.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Unavailable;

/// Why a reading is not there.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Absent {
    /// The board, its driver or its library does not offer it.
    #[error("{0}")]
    Unsupported(String),
    /// It is there, and this user may not read it.
    #[error("{0}")]
    Denied(String),
    /// It was there and stopped answering.
    #[error("{0}")]
    Lost(String),
}

/// A reading, or why it is not there.
pub type Read<T> = Result<T, Absent>;

/// A reading with the sensor's own time, where it gives one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stamped {
    /// In the unit of the call: joules or watts.
    pub value: f64,
    /// The sensor's clock in seconds, from an origin of its own. On some drivers it is when the value was taken, on others when it was read.
    pub stamp_s: Option<f64>,
}

impl Stamped {
    /// A reading without a time of its own.
    #[must_use]
    pub const fn plain(value: f64) -> Self {
        Self { value, stamp_s: None }
    }
}

/// The sensors of one board. A call may take microseconds or milliseconds; callers look at the clock before and after.
pub trait Sensor {
    /// Energy counter in joules since some origin. It may wrap at 2³² mJ; it may not otherwise fall.
    ///
    /// # Errors
    /// [`Absent`] where the board has none (before Volta), it may not be read, or it stopped answering.
    fn energy_j(&mut self) -> Read<Stamped>;
    /// Power of the last short window (tens of milliseconds), in watts.
    ///
    /// # Errors
    /// [`Absent`] where the driver offers only an average.
    fn instant_w(&mut self) -> Read<Stamped>;
    /// Power averaged over the last second, in watts.
    ///
    /// # Errors
    /// [`Absent`] where the board has no such reading.
    fn average_w(&mut self) -> Read<Stamped>;
    /// Core (SM) clock in Hz.
    ///
    /// # Errors
    /// [`Absent`] where it cannot be read.
    fn clock_hz(&mut self) -> Read<f64>;
    /// Memory clock in Hz.
    ///
    /// # Errors
    /// [`Absent`] where it cannot be read.
    fn memory_clock_hz(&mut self) -> Read<f64>;
    /// Core temperature in °C, whole degrees.
    ///
    /// # Errors
    /// [`Absent`] where it cannot be read.
    fn temperature_c(&mut self) -> Read<f64>;
    /// Why clocks are below their highest.
    ///
    /// # Errors
    /// [`Absent`] where it cannot be read.
    fn throttle(&mut self) -> Read<Throttle>;
    /// Why energy read here would not be that of this process's kernels: MIG, another process. Asked before and after every measurement.
    ///
    /// # Errors
    /// The reason.
    fn attributable(&mut self) -> Result<(), Unavailable> {
        Ok(())
    }
}

/// Clock-event reasons, as NVML's bits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Throttle(pub u64);

impl Throttle {
    /// NVML's bits (`nvml.h`, `nvmlClocksEventReason…`) and the names in rows.
    const NAMES: [(u64, &'static str); 11] = [
        (0x001, "gpu_idle"),
        (0x002, "clock_setting"),
        (0x004, "power_cap"),
        (0x008, "hw_slowdown"),
        (0x010, "sync_boost"),
        (0x020, "sw_thermal"),
        (0x040, "hw_thermal"),
        (0x080, "hw_power_brake"),
        (0x100, "display_clock"),
        (0x200, "board_limit"),
        (0x400, "reliability"),
    ];
    /// Slowdowns that make a window worthless: they come and go. A power cap or a clock setting is steady and stays.
    const UNSTEADY: u64 = 0x008 | 0x020 | 0x040 | 0x080;

    /// Of two moments.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// A thermal or hardware slowdown was active.
    #[must_use]
    pub const fn is_unsteady(self) -> bool {
        self.0 & Self::UNSTEADY != 0
    }
}

impl fmt::Display for Throttle {
    /// Names, comma separated; nothing for none. Bits without a name stand in hexadecimal.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let named = Self::NAMES.iter().filter(|(bit, _)| self.0 & bit != 0).map(|(_, name)| (*name).to_owned());
        let rest = Self::NAMES.iter().fold(self.0, |rest, (bit, _)| rest & !bit);
        let rest = (rest != 0).then(|| format!("{rest:#x}"));
        f.write_str(&named.chain(rest).collect::<Vec<_>>().join(","))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn throttle_reasons_read_as_names() {
        let cases = [(0, ""), (0x4, "power_cap"), (0x24, "power_cap,sw_thermal"), (0x1001, "gpu_idle,0x1000")];
        for (bits, expected) in cases {
            assert_eq!(Throttle(bits).to_string(), expected);
        }
        assert!(Throttle(0x4).and(Throttle(0x40)).is_unsteady() && !Throttle(0x6).is_unsteady());
    }
}
