//! Sensors, facts and settings of a board by NVML, loaded at run time.
//!
//! A symbol that the driver's library lacks costs that one reading, with its reason; nothing here panics.

use std::ffi::OsStr;
use std::path::Path;

use nvml_wrapper::Device;
use nvml_wrapper::enum_wrappers::device::{Clock, TemperatureSensor};
use nvml_wrapper::enums::device::{GpuLockedClocksSetting, SampleValue};
use nvml_wrapper::error::NvmlError;
use nvml_wrapper::structs::device::FieldId;
use nvml_wrapper::sys_exports::field_id::{NVML_FI_DEV_POWER_AVERAGE, NVML_FI_DEV_POWER_INSTANT};

use super::board::{Own, architecture, averages};
use super::{Absent, Board, Limits, Process, Read, Sensor, Source, Stamped, Throttle, Unavailable, trial};

/// Names tried where no path is given. Drivers install the first; the second comes with development files only.
const NAMES: [&str; 2] = ["libnvidia-ml.so.1", "libnvidia-ml.so"];

/// How a board is named. CUDA's ordinals are not NVML's: use the UUID or the bus address that CUDA gives.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Selector {
    /// NVML's own index.
    Index(u32),
    /// `GPU-xxxxxxxx-…`.
    Uuid(String),
    /// `domain:bus:device.function`.
    Pci(String),
}

/// Where the short-window reading comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Legacy {
    /// The plain call is instantaneous: GA100 and older.
    Instant,
    /// The plain call averages over a second.
    Average,
    /// Nobody knows.
    Unknown,
}

/// One board by NVML.
#[derive(Debug)]
pub struct Nvml {
    // NVML lives as long as the process: `open` gives one library away for good, so that a device needs no lifetime.
    device: Device<'static>,
    index: u32,
    uuid: String,
    architecture: &'static str,
    legacy: Legacy,
}

impl Nvml {
    /// Loads NVML (from `library`, or where the system finds it) and looks the board up.
    ///
    /// # Errors
    /// [`Unavailable::Library`] where there is no NVML or it does not start, [`Unavailable::Board`] where it does not know the board.
    pub fn open(library: Option<&Path>, selector: &Selector) -> Result<Self, Unavailable> {
        let library: &'static nvml_wrapper::Nvml = Box::leak(Box::new(load(library)?));
        let found = match selector {
            Selector::Index(index) => library.device_by_index(*index),
            Selector::Uuid(uuid) => library.device_by_uuid(uuid.as_str()),
            Selector::Pci(address) => library.device_by_pci_bus_id(address.as_str()),
        };
        let unknown = |error: NvmlError| Unavailable::Board { board: selector.to_string(), reason: error.to_string() };
        let device = found.map_err(unknown)?;
        let capability = device.cuda_compute_capability().ok().map(|capability| (capability.major, capability.minor));
        let architecture = architecture(capability, &device.name().unwrap_or_default());
        let legacy = match averages(architecture) {
            Some(true) => Legacy::Average,
            Some(false) => Legacy::Instant,
            None => Legacy::Unknown,
        };
        let (index, uuid) = (device.index().unwrap_or_default(), device.uuid().unwrap_or_default());
        Ok(Self { device, index, uuid, architecture, legacy })
    }

    /// Key of the table of priors.
    #[must_use]
    pub const fn architecture(&self) -> &'static str {
        self.architecture
    }

    /// Facts, as they are now.
    pub fn board(&mut self) -> Board {
        let watts = |milliwatts: u32| f64::from(milliwatts) * 1e-3;
        let missing = [Source::Counter, Source::Instant, Source::Average]
            .into_iter()
            .filter_map(|source| trial::read(self, source).err().map(|why| (source.name().to_owned(), why.to_string())))
            .collect();
        let device = &self.device;
        let range = device.power_management_limit_constraints().ok();
        Board {
            index: self.index,
            uuid: self.uuid.clone(),
            name: device.name().unwrap_or_default(),
            driver: device.nvml().sys_driver_version().ok(),
            architecture: self.architecture.to_owned(),
            mig: device.mig_mode().ok().map(|mode| mode.current != 0),
            persistence: device.is_in_persistent_mode().ok(),
            compute: processes(device.running_compute_processes().or_else(|_| device.running_compute_processes_v2())),
            graphics: processes(device.running_graphics_processes().or_else(|_| device.running_graphics_processes_v2()))
                .unwrap_or_default(),
            power_limit_w: device.enforced_power_limit().or_else(|_| device.power_management_limit()).ok().map(watts),
            default_power_limit_w: device.power_management_limit_default().ok().map(watts),
            power_limit_range_w: range.map(|range| (watts(range.min_limit), watts(range.max_limit))),
            missing,
        }
    }

    fn field_w(&self, field: u32, name: &str) -> Read<Stamped> {
        let values =
            self.device.field_values_for(&[FieldId(field)]).map_err(|error| absent("nvmlDeviceGetFieldValues", &error))?;
        let sample = values.into_iter().next().and_then(Result::ok);
        let sample = sample.ok_or_else(|| Absent::Unsupported(format!("`{name}` has no value")))?;
        let milliwatts = match sample.value.map_err(|error| absent(name, &error))? {
            SampleValue::U32(value) => f64::from(value),
            #[allow(clippy::cast_precision_loss)] // milliwatts
            SampleValue::U64(value) => value as f64,
            #[allow(clippy::cast_precision_loss)] // milliwatts
            SampleValue::I64(value) => value as f64,
            SampleValue::F64(value) => value,
        };
        #[allow(clippy::cast_precision_loss)] // microseconds since 1970 stay below 2^53
        let stamp_s = (sample.timestamp > 0).then_some(sample.timestamp as f64 * 1e-6);
        Ok(Stamped { value: milliwatts * 1e-3, stamp_s })
    }

    fn legacy_w(&self) -> Read<Stamped> {
        let milliwatts = self.device.power_usage().map_err(|error| absent("nvmlDeviceGetPowerUsage", &error))?;
        Ok(Stamped::plain(f64::from(milliwatts) * 1e-3))
    }

    fn clock(&self, clock: Clock) -> Read<u32> {
        self.device.clock_info(clock).map_err(|error| absent("nvmlDeviceGetClockInfo", &error))
    }
}

fn load(path: Option<&Path>) -> Result<nvml_wrapper::Nvml, Unavailable> {
    let open = |name: &OsStr| nvml_wrapper::Nvml::builder().lib_path(name).init();
    let words = |error: NvmlError| Unavailable::Library(in_words(&error));
    match path {
        Some(path) => open(path.as_os_str()).map_err(words),
        None => open(OsStr::new(NAMES[0]))
            .or_else(|first| {
                // A library that is there and refuses has the better reason.
                if matches!(first, NvmlError::LibloadingError(_)) {
                    open(OsStr::new(NAMES[1])).map_err(|_| first)
                } else {
                    Err(first)
                }
            })
            .map_err(words),
    }
}

/// `dlopen`'s own words stand behind nvml-wrapper's.
fn in_words(error: &NvmlError) -> String {
    match error {
        NvmlError::LibloadingError(inner) => {
            std::error::Error::source(inner).map_or_else(|| inner.to_string(), ToString::to_string)
        }
        other => other.to_string(),
    }
}

fn processes(list: Result<Vec<nvml_wrapper::struct_wrappers::device::ProcessInfo>, NvmlError>) -> Option<Vec<Process>> {
    Some(list.ok()?.into_iter().map(|process| Process { pid: process.pid }).collect())
}

/// A list of NVML's: asked once for its length, once for itself. nvml-wrapper asks once, with room for 128, and takes a list that does not fit for one of zeros;
/// boards have more core clocks than that.
fn list(name: &str, call: &dyn Fn(*mut u32, *mut u32) -> u32) -> Read<Vec<u32>> {
    /// `NVML_SUCCESS`, `NVML_ERROR_INSUFFICIENT_SIZE`.
    const FITS: [u32; 2] = [0, 7];
    let mut count = 0;
    let code = call(&raw mut count, std::ptr::null_mut());
    if !FITS.contains(&code) {
        return Err(absent(name, &NvmlError::from(code)));
    }
    let mut items = vec![0; count as usize];
    match call(&raw mut count, items.as_mut_ptr()) {
        0 => {
            items.truncate(count as usize);
            Ok(items)
        }
        code => Err(absent(name, &NvmlError::from(code))),
    }
}

fn lacks(call: &str) -> Absent {
    Absent::Unsupported(format!("this driver's library has no `{call}`"))
}

/// What kind of absence an error is: of the driver, of permission, or of a board that is gone.
fn absent(call: &str, error: &NvmlError) -> Absent {
    match error {
        NvmlError::FailedToLoadSymbol(_) | NvmlError::FunctionNotFound => lacks(call),
        NvmlError::NotSupported | NvmlError::InvalidArg | NvmlError::UnexpectedVariant(_) => {
            Absent::Unsupported(format!("`{call}` is not offered by this board"))
        }
        NvmlError::NoPermission => Absent::Denied(format!("`{call}` is denied to this user")),
        other => Absent::Lost(format!("`{call}`: {other}")),
    }
}

impl std::fmt::Display for Selector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Index(index) => index.fmt(f),
            Self::Uuid(name) | Self::Pci(name) => name.fmt(f),
        }
    }
}

impl Sensor for Nvml {
    fn energy_j(&mut self) -> Read<Stamped> {
        let millijoules =
            self.device.total_energy_consumption().map_err(|error| absent("nvmlDeviceGetTotalEnergyConsumption", &error))?;
        #[allow(clippy::cast_precision_loss)] // 2^53 mJ are 9 TJ
        Ok(Stamped::plain(millijoules as f64 * 1e-3))
    }

    fn instant_w(&mut self) -> Read<Stamped> {
        match self.field_w(NVML_FI_DEV_POWER_INSTANT, "NVML_FI_DEV_POWER_INSTANT") {
            Err(Absent::Unsupported(_)) if self.legacy == Legacy::Instant => self.legacy_w(),
            other => other,
        }
    }

    fn average_w(&mut self) -> Read<Stamped> {
        match self.field_w(NVML_FI_DEV_POWER_AVERAGE, "NVML_FI_DEV_POWER_AVERAGE") {
            // Where nobody knows what the plain call is, a second is the safe assumption: it only lengthens what is left out.
            Err(Absent::Unsupported(_)) if self.legacy != Legacy::Instant => self.legacy_w(),
            other => other,
        }
    }

    fn clock_hz(&mut self) -> Read<f64> {
        self.clock(Clock::SM).map(|mhz| f64::from(mhz) * 1e6)
    }

    fn memory_clock_hz(&mut self) -> Read<f64> {
        self.clock(Clock::Memory).map(|mhz| f64::from(mhz) * 1e6)
    }

    fn temperature_c(&mut self) -> Read<f64> {
        let read = self.device.temperature(TemperatureSensor::Gpu).map_err(|error| absent("nvmlDeviceGetTemperature", &error))?;
        Ok(f64::from(read))
    }

    fn throttle(&mut self) -> Read<Throttle> {
        if let Ok(reasons) = self.device.nvml().lib().nvmlDeviceGetCurrentClocksEventReasons.as_ref() {
            let mut bits = 0;
            // SAFETY: the handle came from this library, which is never unloaded, and `bits` outlives the call.
            let code = unsafe { reasons(self.device.handle(), &raw mut bits) };
            return if code == 0 {
                Ok(Throttle(bits))
            } else {
                Err(absent("nvmlDeviceGetCurrentClocksEventReasons", &NvmlError::from(code)))
            };
        }
        let reasons = self
            .device
            .current_throttle_reasons()
            .map_err(|error| absent("nvmlDeviceGetCurrentClocksThrottleReasons", &error))?;
        Ok(Throttle(reasons.bits()))
    }

    fn attributable(&mut self) -> Result<(), Unavailable> {
        self.board().obstacle(Own::Present(std::process::id())).map_or(Ok(()), Err)
    }
}

impl Limits for Nvml {
    fn board(&mut self) -> String {
        self.uuid.clone()
    }

    fn power_limit_mw(&mut self) -> Read<u32> {
        self.device.power_management_limit().map_err(|error| absent("nvmlDeviceGetPowerManagementLimit", &error))
    }

    fn power_limit_range_mw(&mut self) -> Read<(u32, u32)> {
        let range = self.device.power_management_limit_constraints();
        let range = range.map_err(|error| absent("nvmlDeviceGetPowerManagementLimitConstraints", &error))?;
        Ok((range.min_limit, range.max_limit))
    }

    fn set_power_limit_mw(&mut self, milliwatts: u32) -> Read<()> {
        let set = self.device.set_power_management_limit(milliwatts);
        set.map_err(|error| absent("nvmlDeviceSetPowerManagementLimit", &error))
    }

    fn clocks_mhz(&mut self) -> Read<Vec<u32>> {
        let memory = self.memory_clocks_mhz()?.into_iter().max().unwrap_or_default();
        let name = "nvmlDeviceGetSupportedGraphicsClocks";
        let call = self.device.nvml().lib().nvmlDeviceGetSupportedGraphicsClocks.as_ref().map_err(|_| lacks(name))?;
        // SAFETY: the handle came from this library, which is never unloaded; `list` gives room for as many clocks as it says.
        list(name, &|count, clocks| unsafe { call(self.device.handle(), memory, count, clocks) })
    }

    fn memory_clocks_mhz(&mut self) -> Read<Vec<u32>> {
        let name = "nvmlDeviceGetSupportedMemoryClocks";
        let call = self.device.nvml().lib().nvmlDeviceGetSupportedMemoryClocks.as_ref().map_err(|_| lacks(name))?;
        // SAFETY: as above.
        list(name, &|count, clocks| unsafe { call(self.device.handle(), count, clocks) })
    }

    fn lock_clock_mhz(&mut self, mhz: u32) -> Read<()> {
        let setting = GpuLockedClocksSetting::Numeric { min_clock_mhz: mhz, max_clock_mhz: mhz };
        self.device.set_gpu_locked_clocks(setting).map_err(|error| absent("nvmlDeviceSetGpuLockedClocks", &error))
    }

    fn reset_clock(&mut self) -> Read<()> {
        self.device.reset_gpu_locked_clocks().map_err(|error| absent("nvmlDeviceResetGpuLockedClocks", &error))
    }

    fn lock_memory_clock_mhz(&mut self, mhz: u32) -> Read<()> {
        self.device.set_mem_locked_clocks(mhz, mhz).map_err(|error| absent("nvmlDeviceSetMemoryLockedClocks", &error))
    }

    fn reset_memory_clock(&mut self) -> Read<()> {
        self.device.reset_mem_locked_clocks().map_err(|error| absent("nvmlDeviceResetMemoryLockedClocks", &error))
    }

    fn clock_mhz(&mut self) -> Read<u32> {
        self.clock(Clock::SM)
    }

    fn memory_clock_mhz(&mut self) -> Read<u32> {
        self.clock(Clock::Memory)
    }
}

#[cfg(test)]
mod tests;
