//! The clock a device lives by: the wall's, or the virtual GPU's own, which its driver exports with a few more calls.

use super::library::driver_symbol;
use crate::devices::cpu::wall_s;

/// `vgpuNow(device)`: nanoseconds of virtual time.
type Now = unsafe extern "C" fn(i32) -> u64;
/// `vgpuAdvance(device, nanoseconds)`: lets virtual time pass.
type Advance = unsafe extern "C" fn(i32, u64);

/// `vgpuTrueEnergy(device, from, to)`: joules between two moments.
type TrueEnergy = unsafe extern "C" fn(i32, u64, u64) -> f64;

/// `vgpuGuard(address, bytes)`: kernels must not touch them.
type Guard = unsafe extern "C" fn(u64, u64) -> u32;

/// `vgpuRepeat(launches, times)`: makes the last launches so many times more, where that changes nothing.
type Repeat = unsafe extern "C" fn(u64, u64) -> u64;

/// A clock in seconds, and a way to wait on it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Clock {
    /// The machine's.
    Wall,
    /// The virtual GPU's.
    Virtual { now: Now, advance: Advance, repeat: Option<Repeat>, ordinal: i32 },
}

impl Clock {
    /// The clock of device `ordinal`: the driver's own where the device is `simulated`.
    pub(super) fn of(ordinal: i32, simulated: bool) -> Self {
        if !simulated {
            return Self::Wall;
        }
        // SAFETY: these names are the virtual GPU's, with these types; no other driver exports them.
        let pair = unsafe { (driver_symbol::<Now>("vgpuNow"), driver_symbol::<Advance>("vgpuAdvance")) };
        match pair {
            (Some(now), Some(advance)) => {
                // SAFETY: as above.
                let repeat = unsafe { driver_symbol::<Repeat>("vgpuRepeat") };
                Self::Virtual { now, advance, repeat, ordinal }
            }
            _ => Self::Wall,
        }
    }

    /// Seconds from an arbitrary origin.
    #[allow(clippy::cast_precision_loss)] // nanoseconds below 2^53 are 104 days
    pub(super) fn now_s(self) -> f64 {
        match self {
            Self::Wall => wall_s(),
            // SAFETY: the driver's function, on a device that it has.
            Self::Virtual { now, ordinal, .. } => unsafe { now(ordinal) as f64 * 1e-9 },
        }
    }

    /// Energy that the GPU took between two moments, J, by the virtual GPU's own model.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // positive counts of nanoseconds
    pub(super) fn true_energy_j(self, from_s: f64, to_s: f64) -> Option<f64> {
        let Self::Virtual { ordinal, .. } = self else { return None };
        let ns = |seconds: f64| (seconds.max(0.0) * 1e9) as u64;
        // SAFETY: the name is the virtual GPU's, with this type, and the device is one that it has.
        unsafe { driver_symbol::<TrueEnergy>("vgpuTrueEnergy").map(|energy| energy(ordinal, ns(from_s), ns(to_s))) }
    }

    /// Tells the virtual GPU that kernels have no business in `bytes` at `address`, the start or the end of an allocation: any access is a fault.
    /// A real one has no such call, and nothing happens.
    pub(super) fn guard(self, address: u64, bytes: u64) {
        if let Self::Virtual { .. } = self {
            // SAFETY: the name is the virtual GPU's, with this type; it checks the range.
            unsafe { driver_symbol::<Guard>("vgpuGuard").map(|guard| guard(address, bytes)) };
        }
    }

    /// Makes the last `launches` launches up to `times` times more without a call for each; says how many times. None on a real GPU, where they have
    /// to be made, and none of kernels that have to be run to know what they leave.
    pub(super) fn repeat(self, launches: u64, times: u64) -> u64 {
        match self {
            // SAFETY: the driver's function.
            Self::Virtual { repeat: Some(repeat), .. } => unsafe { repeat(launches, times) },
            _ => 0,
        }
    }

    /// Lets `seconds` pass with nothing to do.
    pub(super) fn wait(self, seconds: f64) {
        let seconds = seconds.max(0.0);
        match self {
            Self::Wall => std::thread::sleep(std::time::Duration::from_secs_f64(seconds)),
            #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a positive count of nanoseconds
            // SAFETY: as above.
            Self::Virtual { advance, ordinal, .. } => unsafe { advance(ordinal, (seconds * 1e9) as u64) },
        }
    }
}
