//! Power, energy, limits, temperature, use.

use std::ffi::{c_int, c_uint};

use super::calls::{device_calls, set};
use super::status::Status;
use crate::driver::ffi::Out;

/// `nvmlUtilization_t`, per cent.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // NVML's names
pub struct Utilization {
    pub gpu: c_uint,
    pub memory: c_uint,
}

/// `nvmlViolationTime_t`: microseconds and nanoseconds, as NVML has it.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // NVML's names
pub struct ViolationTime {
    pub reference_time: u64,
    pub violation_time: u64,
}

/// `nvmlTemperature_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // NVML's names
pub struct Temperature {
    pub version: c_uint,
    pub sensor: c_uint,
    pub temperature: c_int,
}

/// `NVML_STRUCT_VERSION(Temperature, 1)`.
const TEMPERATURE_V1: u32 = 1 << 24 | size_of::<Temperature>() as u32;
/// The window utilisation is taken over, ns.
const UTILISATION_NS: u64 = 166_000_000;

device_calls! {
    /// Power, mW: the reading the scenario's `usage` names.
    fn nvmlDeviceGetPowerUsage(desk, power: Out<c_uint>) {
        let reading = desk.card.power_usage()?;
        set(power, milli(reading.power_w))
    }

    /// The energy counter, mJ.
    fn nvmlDeviceGetTotalEnergyConsumption(desk, energy: Out<u64>) {
        let (mj, _) = desk.card.energy_mj()?;
        set(energy, mj)
    }

    /// The limit in force, mW.
    fn nvmlDeviceGetEnforcedPowerLimit(desk, limit: Out<c_uint>) {
        set(limit, milli(desk.card.settings.limit_w))
    }

    /// The limit that was set, mW.
    fn nvmlDeviceGetPowerManagementLimit(desk, limit: Out<c_uint>) {
        set(limit, milli(desk.card.settings.limit_w))
    }

    /// The limit after start-up, mW.
    fn nvmlDeviceGetPowerManagementDefaultLimit(desk, limit: Out<c_uint>) {
        set(limit, desk.card.profile.tdp_w * 1000)
    }

    /// What can be set, mW.
    fn nvmlDeviceGetPowerManagementLimitConstraints(desk, low: Out<c_uint>, high: Out<c_uint>) {
        set(low, desk.card.profile.limit_w.0 * 1000)?;
        set(high, desk.card.profile.limit_w.1 * 1000)
    }

    /// Always on.
    fn nvmlDeviceGetPowerManagementMode(_desk, mode: Out<c_uint>) {
        set(mode, 1)
    }

    /// Sets the limit, mW. Kernels enqueued from now on heed it.
    fn nvmlDeviceSetPowerManagementLimit(desk, limit: c_uint) {
        desk.may_set()?;
        let (low, high) = desk.card.profile.limit_w;
        if !(low * 1000..=high * 1000).contains(&limit) {
            return Err(Status::InvalidArgument);
        }
        desk.card.settings.limit_w = f64::from(limit) / 1000.0;
        Ok(())
    }

    /// Degrees Celsius of the GPU (sensor 0).
    fn nvmlDeviceGetTemperature(desk, sensor: c_uint, temperature: Out<c_uint>) {
        if sensor != 0 {
            return Err(Status::InvalidArgument);
        }
        set(temperature, desk.card.temperature_c().round() as c_uint)
    }

    /// The same in a structure.
    fn nvmlDeviceGetTemperatureV(desk, temperature: Out<Temperature>) {
        let asked = temperature.get().ok_or(Status::InvalidArgument)?;
        if asked.version != TEMPERATURE_V1 {
            return Err(Status::ArgumentVersionMismatch);
        }
        if asked.sensor != 0 {
            return Err(Status::InvalidArgument);
        }
        set(temperature, Temperature { temperature: desk.card.temperature_c().round() as c_int, ..asked })
    }

    /// Where the card slows down and where it stops.
    fn nvmlDeviceGetTemperatureThreshold(_desk, threshold: c_uint, temperature: Out<c_uint>) {
        set(temperature, match threshold {
            0 => 95,
            1 => 90,
            3 => 85,
            _ => return Err(Status::NotSupported),
        })
    }

    /// Share of the last sixth of a second in which kernels ran, and in which memory moved, per cent.
    fn nvmlDeviceGetUtilizationRates(desk, rates: Out<Utilization>) {
        let (gpu, memory) = desk.card.traces.utilisation(desk.card.clock.now_ns(), UTILISATION_NS);
        set(rates, Utilization { gpu: (gpu * 100.0).round() as c_uint, memory: (memory * 100.0).round() as c_uint })
    }

    /// How long the power limit (policy 0) held the clock down.
    fn nvmlDeviceGetViolationStatus(desk, policy: c_uint, time: Out<ViolationTime>) {
        let now = desk.card.clock.now_ns();
        let violated = match policy {
            0 => desk.card.traces.capped_ns(now),
            1..=5 | 10 | 11 => 0,
            _ => return Err(Status::InvalidArgument),
        };
        set(time, ViolationTime { reference_time: now / 1000, violation_time: violated })
    }

    /// No fan is described.
    fn nvmlDeviceGetFanSpeed(_desk, _speed: Out<c_uint>) {
        Err(Status::NotSupported)
    }

    /// No fan is described.
    fn nvmlDeviceGetFanSpeed_v2(_desk, _fan: c_uint, _speed: Out<c_uint>) {
        Err(Status::NotSupported)
    }

    /// No fan is described.
    fn nvmlDeviceGetNumFans(_desk, count: Out<c_uint>) {
        set(count, 0)
    }
}

/// Thousandths, rounded.
pub(super) fn milli(value: f64) -> u32 {
    (value * 1000.0).round() as u32
}
