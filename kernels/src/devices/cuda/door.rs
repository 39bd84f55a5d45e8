//! The one door to cudarc: what panics there becomes an error in our words, and error codes become sentences.

use std::cell::Cell;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

use cudarc::driver::DriverError;
use cudarc::driver::sys::CUresult;

use crate::DeviceError;

thread_local! {
    /// How many doors this thread is inside of; its panics are then reported by the door and not printed.
    static INSIDE: Cell<u32> = const { Cell::new(0) };
}

/// Runs work that calls into the vendor's libraries. cudarc panics where a library or one of its functions is missing; here that is an error.
///
/// # Errors
/// What `work` gives, or [`DeviceError::Library`] for what was missing, or [`DeviceError::System`] for any other panic.
pub(super) fn guarded<T>(call: &'static str, work: impl FnOnce() -> Result<T, DeviceError>) -> Result<T, DeviceError> {
    quiet_inside();
    INSIDE.set(INSIDE.get() + 1);
    let done = catch_unwind(AssertUnwindSafe(work));
    INSIDE.set(INSIDE.get() - 1);
    done.unwrap_or_else(|panic| {
        let text = panic.downcast_ref::<String>().map(String::as_str).or_else(|| panic.downcast_ref::<&str>().copied());
        Err(translated(call, text.unwrap_or("panicked")))
    })
}

/// Keeps the default report of a panic from the terminal while a thread is inside a door.
fn quiet_inside() {
    static HOOK: Once = Once::new();
    HOOK.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            if INSIDE.get() == 0 {
                before(info);
            }
        }));
    });
}

/// cudarc's panics, which are text only.
fn translated(call: &'static str, text: &str) -> DeviceError {
    let library = |name: &str| match name {
        "cuda" => "CUDA driver (libcuda.so.1)".to_owned(),
        other => format!("lib{other}.so"),
    };
    if let Some(rest) = text.split("Unable to dynamically load the \"").nth(1) {
        let name = library(rest.split('"').next().unwrap_or("cuda"));
        return DeviceError::Library { name, reason: "was not found in the loader's folders".to_owned() };
    }
    if let Some(rest) = text.split("Missing symbol ").nth(1) {
        let symbol = rest.split(':').next().unwrap_or(rest);
        let reason = format!("has no function `{symbol}`: it is too old for this program");
        return DeviceError::Library { name: library(owner(symbol)), reason };
    }
    DeviceError::System { call, reason: text.to_owned() }
}

/// Library that a function belongs to, by its prefix.
fn owner(symbol: &str) -> &'static str {
    let prefixes = [("nvrtc", "nvrtc"), ("cublasLt", "cublasLt"), ("cublas", "cublas"), ("nvml", "nvidia-ml")];
    prefixes.iter().find(|(prefix, _)| symbol.starts_with(prefix)).map_or("cuda", |(_, library)| library)
}

/// A driver's error code as an error of ours. Codes that poison the context for good become [`DeviceError::Poisoned`].
pub(super) fn refused(call: &'static str, error: DriverError) -> DeviceError {
    let words = words(error);
    if poisons(error.0) { DeviceError::Poisoned { call, reason: words } } else { DeviceError::System { call, reason: words } }
}

/// Name and sentence of an error code, as the driver gives them.
pub(super) fn words(error: DriverError) -> String {
    let name = error.error_name().ok().map(|name| name.to_string_lossy().into_owned());
    let sentence = error.error_string().ok().map(|text| text.to_string_lossy().into_owned());
    match (name, sentence) {
        (Some(name), Some(sentence)) => format!("{sentence} ({name})"),
        (Some(name), None) => name,
        _ => format!("{:?}", error.0),
    }
}

/// Errors after which every further call on the context fails: CUDA driver API, "CUresult", entries that say the process must be ended.
fn poisons(code: CUresult) -> bool {
    use CUresult as E;
    matches!(
        code,
        E::CUDA_ERROR_ECC_UNCORRECTABLE
            | E::CUDA_ERROR_ILLEGAL_ADDRESS
            | E::CUDA_ERROR_LAUNCH_TIMEOUT
            | E::CUDA_ERROR_ASSERT
            | E::CUDA_ERROR_HARDWARE_STACK_ERROR
            | E::CUDA_ERROR_ILLEGAL_INSTRUCTION
            | E::CUDA_ERROR_MISALIGNED_ADDRESS
            | E::CUDA_ERROR_INVALID_ADDRESS_SPACE
            | E::CUDA_ERROR_INVALID_PC
            | E::CUDA_ERROR_LAUNCH_FAILED
            | E::CUDA_ERROR_CONTEXT_IS_DESTROYED
            | E::CUDA_ERROR_CONTAINED
    )
}

/// Why no device can be had, for the codes that starting a driver gives.
pub(super) fn no_device(error: DriverError) -> String {
    use CUresult as E;
    match error.0 {
        E::CUDA_ERROR_NO_DEVICE => "cannot be opened: the driver finds no GPU".to_owned(),
        E::CUDA_ERROR_SYSTEM_DRIVER_MISMATCH => {
            "cannot be opened: the driver's library and its kernel module differ in version; a restart of the machine loads the new module".to_owned()
        }
        E::CUDA_ERROR_COMPAT_NOT_SUPPORTED_ON_DEVICE => {
            "cannot be opened: the compatibility driver does not support this GPU".to_owned()
        }
        E::CUDA_ERROR_STUB_LIBRARY => "cannot be opened: the library found is the toolkit's stub, not a driver".to_owned(),
        E::CUDA_ERROR_DEVICE_UNAVAILABLE => "cannot be opened: another process holds the GPU exclusively".to_owned(),
        E::CUDA_ERROR_NOT_PERMITTED | E::CUDA_ERROR_OPERATING_SYSTEM => {
            format!("cannot be opened: no permission to use the GPU's device files ({:?})", error.0)
        }
        _ => format!("cannot be opened: {}", words(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cudarc_panics_with_becomes_a_sentence() {
        for (panic, expected) in [
            (
                "Unable to dynamically load the \"cuda\" shared library - searched for library names: [\"libcuda.so\"].",
                "library `CUDA driver (libcuda.so.1)` was not found in the loader's folders",
            ),
            (
                "Unable to dynamically load the \"nvrtc\" shared library - searched for library names: [].",
                "library `libnvrtc.so` was not found in the loader's folders",
            ),
            (
                "Missing symbol cuEventElapsedTime_v2: dlsym failed",
                "library `CUDA driver (libcuda.so.1)` has no function `cuEventElapsedTime_v2`: it is too old for this program",
            ),
            (
                "Missing symbol nvrtcInstallBundledHeaders: dlsym failed",
                "library `libnvrtc.so` has no function `nvrtcInstallBundledHeaders`: it is too old for this program",
            ),
            ("index out of bounds", "test failed: index out of bounds"),
        ] {
            let said = guarded("test", || -> Result<(), _> { panic!("{panic}") }).map_err(|error| error.to_string());
            assert_eq!(said, Err(expected.to_owned()));
        }
        assert_eq!(guarded("test", || Ok(7)).ok(), Some(7));
    }
}
