//! Clocks, their limits and what holds them down.

use std::ffi::c_uint;

use super::calls::{Desk, device_calls, set, set_list};
use super::settings::{memory_clocks, sm_clocks};
use super::status::Status;
use crate::driver::ffi::Out;

/// Reasons NVML can give here.
const SUPPORTED_REASONS: u64 = 1 | 2 | 4 | 8 | 32 | 64 | 128;

device_calls! {
    /// A clock now, MHz: 0 graphics, 1 multiprocessors, 2 memory, 3 video.
    fn nvmlDeviceGetClockInfo(desk, kind: c_uint, clock: Out<c_uint>) {
        set(clock, now(desk, kind)?)
    }

    /// A clock by kind and by what of it: 0 now, 1 and 2 the application clock and its default, 3 the highest boost.
    fn nvmlDeviceGetClock(desk, kind: c_uint, which: c_uint, clock: Out<c_uint>) {
        set(clock, match which {
            0 => now(desk, kind)?,
            1 => application(desk, kind)?,
            2 | 3 => most(desk, kind)?,
            _ => return Err(Status::InvalidArgument),
        })
    }

    /// The highest clock, MHz.
    fn nvmlDeviceGetMaxClockInfo(desk, kind: c_uint, clock: Out<c_uint>) {
        set(clock, most(desk, kind)?)
    }

    /// The same.
    fn nvmlDeviceGetMaxCustomerBoostClock(desk, kind: c_uint, clock: Out<c_uint>) {
        set(clock, most(desk, kind)?)
    }

    /// Application clocks.
    fn nvmlDeviceGetApplicationsClock(desk, kind: c_uint, clock: Out<c_uint>) {
        set(clock, application(desk, kind)?)
    }

    /// Their defaults.
    fn nvmlDeviceGetDefaultApplicationsClock(desk, kind: c_uint, clock: Out<c_uint>) {
        set(clock, most(desk, kind)?)
    }

    /// Sets them: both must be clocks the card has.
    fn nvmlDeviceSetApplicationsClocks(desk, memory: c_uint, sm: c_uint) {
        desk.may_set()?;
        if !memory_clocks(desk.card.profile).contains(&memory) || !sm_clocks(desk.card.profile).contains(&sm) {
            return Err(Status::InvalidArgument);
        }
        desk.card.settings.application_mhz = Some((memory, sm));
        Ok(())
    }

    /// Lets the card decide again.
    fn nvmlDeviceResetApplicationsClocks(desk) {
        desk.may_set()?;
        desk.card.settings.application_mhz = None;
        Ok(())
    }

    /// Memory clocks the card has, MHz.
    fn nvmlDeviceGetSupportedMemoryClocks(desk, count: Out<c_uint>, clocks: Out<c_uint>) {
        set_list(count, clocks, &memory_clocks(desk.card.profile))
    }

    /// Multiprocessor clocks it has beside a memory clock, MHz.
    fn nvmlDeviceGetSupportedGraphicsClocks(desk, memory: c_uint, count: Out<c_uint>, clocks: Out<c_uint>) {
        if !memory_clocks(desk.card.profile).contains(&memory) {
            return Err(Status::NotFound);
        }
        set_list(count, clocks, &sm_clocks(desk.card.profile))
    }

    /// Locks the multiprocessor clock, MHz.
    fn nvmlDeviceSetGpuLockedClocks(desk, low: c_uint, high: c_uint) {
        desk.may_set()?;
        desk.card.lock_sm(low, high)
    }

    /// Unlocks it.
    fn nvmlDeviceResetGpuLockedClocks(desk) {
        desk.may_set()?;
        desk.card.settings.locked_sm_mhz = None;
        Ok(())
    }

    /// Locks the memory clock, MHz; from Ampere on.
    fn nvmlDeviceSetMemoryLockedClocks(desk, low: c_uint, high: c_uint) {
        desk.may_set()?;
        if desk.card.profile.compute.0 < 8 {
            return Err(Status::NotSupported);
        }
        desk.card.lock_memory(low, high)
    }

    /// Unlocks it.
    fn nvmlDeviceResetMemoryLockedClocks(desk) {
        desk.may_set()?;
        desk.card.settings.locked_memory_mhz = None;
        Ok(())
    }

    /// What holds the clock down, as a set of bits.
    fn nvmlDeviceGetCurrentClocksEventReasons(desk, reasons: Out<u64>) {
        set(reasons, desk.card.pace().1)
    }

    /// The same under its older name.
    fn nvmlDeviceGetCurrentClocksThrottleReasons(desk, reasons: Out<u64>) {
        set(reasons, desk.card.pace().1)
    }

    /// Which bits there are.
    fn nvmlDeviceGetSupportedClocksEventReasons(_desk, reasons: Out<u64>) {
        set(reasons, SUPPORTED_REASONS)
    }

    /// The same under its older name.
    fn nvmlDeviceGetSupportedClocksThrottleReasons(_desk, reasons: Out<u64>) {
        set(reasons, SUPPORTED_REASONS)
    }

    /// `nvmlPstates_t`.
    fn nvmlDeviceGetPerformanceState(desk, state: Out<c_uint>) {
        set(state, desk.card.performance_state())
    }

    /// The same under its older name.
    fn nvmlDeviceGetPowerState(desk, state: Out<c_uint>) {
        set(state, desk.card.performance_state())
    }

    /// The range of a clock in a performance state, MHz.
    fn nvmlDeviceGetMinMaxClockOfPState(desk, kind: c_uint, state: c_uint, low: Out<c_uint>, high: Out<c_uint>) {
        if state > 15 {
            return Err(Status::InvalidArgument);
        }
        let clocks = if kind == 2 { memory_clocks(desk.card.profile) } else { sm_clocks(desk.card.profile) };
        set(low, clocks.last().copied().unwrap_or(0))?;
        set(high, most(desk, kind)?)
    }

    /// Boost cannot be switched.
    fn nvmlDeviceGetAutoBoostedClocksEnabled(_desk, _enabled: Out<c_uint>, _default: Out<c_uint>) {
        Err(Status::NotSupported)
    }
}

fn now(desk: &Desk<'_>, kind: u32) -> Result<u32, Status> {
    match kind {
        0 | 1 | 3 => Ok(desk.card.pace().0),
        2 => Ok(desk.card.memory_mhz()),
        _ => Err(Status::InvalidArgument),
    }
}

fn most(desk: &Desk<'_>, kind: u32) -> Result<u32, Status> {
    match kind {
        0 | 1 | 3 => Ok(desk.card.profile.boost_mhz),
        2 => Ok(desk.card.profile.memory_mhz),
        _ => Err(Status::InvalidArgument),
    }
}

fn application(desk: &Desk<'_>, kind: u32) -> Result<u32, Status> {
    match (desk.card.settings.application_mhz, kind) {
        (Some((_, sm)), 0 | 1 | 3) => Ok(sm),
        (Some((memory, _)), 2) => Ok(memory),
        _ => most(desk, kind),
    }
}
