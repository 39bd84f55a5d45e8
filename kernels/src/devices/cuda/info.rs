//! What the driver says of its GPUs, without making a context on any: one that only plans leaves no trace on the board.

use cudarc::driver::DriverError;
use cudarc::driver::result::{self, device};
use cudarc::driver::sys::{self, CUdevice_attribute as A};

use super::door::{guarded, no_device, refused};
use super::library::{Libraries, driver_present};
use super::{Architecture, Gpu};
use crate::{Cache, DeviceError, DeviceInfo, DeviceKind};

/// Driver that this program's calls need: `cuEventElapsedTime_v2` came with CUDA 12.8.
const OLDEST: i32 = 12080;
/// End of a virtual GPU's name.
const VIRTUAL: &str = "(virtual)";

/// Ordinal asked for by `cuda` or `cuda:N`.
///
/// # Errors
/// [`DeviceError::NotFound`] for anything else.
pub(super) fn ordinal(spec: &str) -> Result<i32, DeviceError> {
    let rest = match spec {
        "cuda" => Some("0"),
        _ => spec.strip_prefix("cuda:"),
    };
    rest.filter(|digits| digits.bytes().all(|b| b.is_ascii_digit())).and_then(|digits| digits.parse().ok()).ok_or_else(|| {
        DeviceError::NotFound { spec: spec.to_owned(), reason: "is not a GPU: expected `cuda:N` with N from 0".to_owned() }
    })
}

/// Starts the driver and counts its GPUs. `spec` is what was asked for, for the message.
///
/// # Errors
/// [`DeviceError::NotFound`] with the reason where there is no driver, no GPU or too old a driver.
pub(super) fn start(spec: &str, libraries: &Libraries) -> Result<i32, DeviceError> {
    libraries.open_driver()?;
    let absent = |reason: String| DeviceError::NotFound { spec: spec.to_owned(), reason };
    if !driver_present() {
        return Err(absent("cannot be opened: no CUDA driver (libcuda.so.1) was found".to_owned()));
    }
    guarded("cuInit", || {
        let refusal = |error: DriverError| absent(no_device(error));
        result::init().map_err(refusal)?;
        let version = version()?;
        if version < OLDEST {
            let (has, needs) = (dotted(version), dotted(OLDEST));
            return Err(absent(format!("cannot be opened: its driver supports CUDA {has}; {needs} or later is needed")));
        }
        device::get_count().map_err(refusal)
    })
}

/// The GPUs that the driver has.
///
/// # Errors
/// As `start`.
pub fn found(libraries: &Libraries) -> Result<Vec<DeviceInfo>, DeviceError> {
    let count = start("cuda", libraries)?;
    (0..count).map(|ordinal| describe(&format!("cuda:{ordinal}"), ordinal, count)).collect()
}

/// Describes GPU `ordinal` of `count`.
pub(super) fn describe(spec: &str, ordinal: i32, count: i32) -> Result<DeviceInfo, DeviceError> {
    if ordinal >= count {
        let reason = match count {
            0 => "cannot be opened: the driver finds no GPU".to_owned(),
            1 => "does not exist: the driver has one GPU, `cuda:0`".to_owned(),
            _ => format!("does not exist: the driver has {count} GPUs, `cuda:0` to `cuda:{}`", count - 1),
        };
        return Err(DeviceError::NotFound { spec: spec.to_owned(), reason });
    }
    guarded("cuDeviceGetAttribute", || asked(spec, ordinal))
}

fn asked(spec: &str, ordinal: i32) -> Result<DeviceInfo, DeviceError> {
    let device = device::get(ordinal).map_err(|error| refused("cuDeviceGet", error))?;
    let name = device::get_name(device).map_err(|error| refused("cuDeviceGetName", error))?;
    let gpu = limits(device, name.ends_with(VIRTUAL))?;
    let l2 = attribute(device, A::CU_DEVICE_ATTRIBUTE_L2_CACHE_SIZE)?;
    // SAFETY: the device exists.
    let memory = unsafe { device::total_mem(device) }.map_err(|error| refused("cuDeviceTotalMem", error))?;
    Ok(DeviceInfo {
        spec: spec.to_owned(),
        kind: DeviceKind::Cuda,
        slug: slug(&name),
        threads: u64::from(gpu.sms) * u64::from(gpu.threads_per_sm),
        isa: vec![gpu.arch.name()],
        caches: vec![
            Cache { level: 1, bytes: gpu.shared_per_sm.into(), shared_by: gpu.threads_per_sm.into() },
            Cache { level: 2, bytes: l2.into(), shared_by: u64::from(gpu.sms) * u64::from(gpu.threads_per_sm) },
        ],
        memory_bytes: memory as u64,
        os: crate::devices::cpu::os(),
        gpu: Some(gpu),
        name,
    })
}

fn limits(device: sys::CUdevice, simulated: bool) -> Result<Gpu, DeviceError> {
    let ask = |what| attribute(device, what);
    let small = |what| ask(what).map(|value| u8::try_from(value).unwrap_or(0));
    let arch = Architecture::new(
        small(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR)?,
        small(A::CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR)?,
    );
    Ok(Gpu {
        arch,
        sms: ask(A::CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT)?,
        threads_per_sm: ask(A::CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR)?,
        blocks_per_sm: ask(A::CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR)?,
        registers_per_sm: ask(A::CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR)?,
        shared_per_sm: ask(A::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR)?,
        shared_per_block: ask(A::CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_BLOCK_OPTIN)?,
        shared_reserved: ask(A::CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK)?,
        clock_hz: 1e3 * f64::from(ask(A::CU_DEVICE_ATTRIBUTE_CLOCK_RATE)?),
        driver: dotted(version()?),
        uuid: uuid(device),
        simulated,
    })
}

fn attribute(device: sys::CUdevice, what: A) -> Result<u32, DeviceError> {
    // SAFETY: the device exists.
    let value = unsafe { device::get_attribute(device, what) }.map_err(|error| refused("cuDeviceGetAttribute", error))?;
    Ok(u32::try_from(value).unwrap_or(0))
}

fn version() -> Result<i32, DeviceError> {
    let mut version = 0;
    // SAFETY: a valid place for an int.
    unsafe { sys::cuDriverGetVersion(&raw mut version) }.result().map_err(|error| refused("cuDriverGetVersion", error))?;
    Ok(version)
}

/// Where GPU `ordinal` sits on the bus, as NVML reads it: `00000000:01:00.0`.
pub(super) fn address(ordinal: i32) -> Result<String, DeviceError> {
    guarded("cuDeviceGetAttribute", || {
        let device = device::get(ordinal).map_err(|error| refused("cuDeviceGet", error))?;
        let [domain, bus, slot] =
            [A::CU_DEVICE_ATTRIBUTE_PCI_DOMAIN_ID, A::CU_DEVICE_ATTRIBUTE_PCI_BUS_ID, A::CU_DEVICE_ATTRIBUTE_PCI_DEVICE_ID]
                .map(|what| attribute(device, what));
        Ok(format!("{:08x}:{:02x}:{:02x}.0", domain?, bus?, slot?))
    })
}

/// 12080 → `12.8`.
fn dotted(version: i32) -> String {
    format!("{}.{}", version / 1000, version % 1000 / 10)
}

/// `GPU-xxxxxxxx-xxxx-…`, as NVIDIA's tools print it; empty where the driver does not say.
fn uuid(device: sys::CUdevice) -> String {
    let Ok(uuid) = device::get_uuid(device) else { return String::new() };
    #[allow(clippy::cast_sign_loss)] // characters are bytes
    let hex: String = uuid.bytes.iter().map(|&byte| format!("{:02x}", byte as u8)).collect();
    format!("GPU-{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
}

/// `NVIDIA GeForce RTX 4070` → `rtx-4070`; a virtual one keeps that it is.
fn slug(name: &str) -> String {
    let lower = name.to_lowercase();
    let words = lower.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !["", "nvidia", "geforce"].contains(word));
    words.collect::<Vec<_>>().join("-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gpu_is_named_by_its_number() {
        for (spec, expected) in [("cuda", Some(0)), ("cuda:0", Some(0)), ("cuda:12", Some(12))] {
            assert_eq!(ordinal(spec).ok(), expected, "{spec}");
        }
        for spec in ["cuda:", "cuda:-1", "cuda:x", "cuda:99999999999", "cuda0", "gpu"] {
            let said = ordinal(spec).map_err(|error| error.to_string());
            assert_eq!(said, Err(format!("device `{spec}` is not a GPU: expected `cuda:N` with N from 0")));
        }
        let said = |ordinal, count| describe("cuda:9", ordinal, count).map_err(|error| error.to_string()).map(|info| info.slug);
        assert_eq!(said(9, 1), Err("device `cuda:9` does not exist: the driver has one GPU, `cuda:0`".to_owned()));
        assert_eq!(said(9, 0), Err("device `cuda:9` cannot be opened: the driver finds no GPU".to_owned()));
    }

    #[test]
    fn slugs_are_short_and_say_what_is_virtual() {
        for (name, expected) in [
            ("NVIDIA GeForce RTX 4070", "rtx-4070"),
            ("NVIDIA H100 80GB HBM3", "h100-80gb-hbm3"),
            ("NVIDIA A100-SXM4-40GB", "a100-sxm4-40gb"),
            ("GeForce RTX 2080 Ti", "rtx-2080-ti"),
            ("NVIDIA GeForce RTX 4070 (virtual)", "rtx-4070-virtual"),
        ] {
            assert_eq!(slug(name), expected);
        }
        assert_eq!((dotted(12080), dotted(13000), dotted(11080)), ("12.8".into(), "13.0".into(), "11.8".into()));
    }
}
