//! Device names → devices.

use std::path::Path;

use tilecast_kernels::devices::cpu::CpuDevice;
use tilecast_kernels::devices::cuda::Architecture;
use tilecast_kernels::{Device, DeviceInfo};

use crate::fail::Fail;

/// Where the machine describes itself.
const SYSFS: &str = "/sys";

/// The device used where none is named.
pub const DEFAULT: &str = "cpu";

/// A GPU of which only the architecture is known (`sm_89`), for plans and listings without one.
///
/// # Errors
/// [`Fail`] naming the architectures there are.
pub fn assume(arch: &str) -> Result<DeviceInfo, Fail> {
    match Architecture::parse(arch) {
        Ok(arch) => Ok(DeviceInfo::assumed(arch)),
        Err(error) => Err(Fail::new(error.to_string())),
    }
}

/// Opens `cpu`, `cpu:1t`.
///
/// # Errors
/// [`Fail`] with the limit and a hint.
pub fn open(spec: &str) -> Result<Box<dyn Device>, Fail> {
    let hint = "`tilecast devices` lists what can be measured here";
    match spec.split(':').next() {
        Some("cpu") => match CpuDevice::open(spec, Path::new(SYSFS)) {
            Ok(device) => Ok(Box::new(device)),
            Err(error) => Err(Fail::new(error.to_string()).hint(hint)),
        },
        Some("cuda") => {
            Err(Fail::new(format!("device `{spec}` cannot be opened: this version measures on the CPU only")).hint(hint))
        }
        _ => Err(Fail::new(format!("unknown device `{spec}`")).hint("a device is `cpu` or `cpu:1t`")),
    }
}
