//! The vendor's libraries: opened by path where one is given, looked for where the dynamic loader looks, and never needed to build or to plan.
//!
//! cudarc searches by bare names only. A library opened here by its path, with its symbols global, is what the loader hands out for those names
//! later (it compares sonames), so no environment variable has to be set before the program starts.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_NOW};
use serde::{Deserialize, Serialize};

use crate::DeviceError;

/// Where the libraries are; what is `None` is left to the dynamic loader's search.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Libraries {
    /// The driver, `libcuda.so.1`.
    pub cuda: Option<PathBuf>,
    /// The run-time compiler, `libnvrtc.so.13`.
    pub nvrtc: Option<PathBuf>,
    /// The management library, `libnvidia-ml.so.1`.
    pub nvml: Option<PathBuf>,
    /// cuBLAS, `libcublas.so.13`, with `libcublasLt.so.13` beside it.
    pub cublas: Option<PathBuf>,
}

/// Opened by path, kept until the process ends: cudarc holds pointers into them.
static OPENED: Mutex<Vec<(PathBuf, Library)>> = Mutex::new(Vec::new());

/// Names under which the loader finds the driver.
const DRIVER: [&str; 2] = ["libcuda.so.1", "libcuda.so"];

impl Libraries {
    /// Opens the driver where its path is given. Call it before anything else that touches CUDA.
    ///
    /// # Errors
    /// [`DeviceError::Library`] naming the path and the loader's reason.
    pub fn open_driver(&self) -> Result<(), DeviceError> {
        self.cuda.as_deref().map_or(Ok(()), open)
    }

    /// Opens the compiler where its path is given.
    ///
    /// # Errors
    /// As [`Libraries::open_driver`].
    pub fn open_compiler(&self) -> Result<(), DeviceError> {
        // The compiler looks for a driver by itself; it must meet the one that was asked for.
        self.open_driver()?;
        self.nvrtc.as_deref().map_or(Ok(()), open)
    }

    /// Opens cuBLAS where its path is given.
    ///
    /// # Errors
    /// As [`Libraries::open_driver`].
    pub fn open_blas(&self) -> Result<(), DeviceError> {
        let Some(path) = &self.cublas else { return Ok(()) };
        // cuBLAS needs cuBLASLt, which lies beside it under the same version; a loader that finds it elsewhere is fine too.
        let beside = path.file_name().map(|name| path.with_file_name(name.to_string_lossy().replace("cublas", "cublasLt")));
        if let Some(lt) = beside.filter(|lt| lt.is_file()) {
            open(&lt)?;
        }
        open(path)
    }
}

fn open(path: &Path) -> Result<(), DeviceError> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if opened.iter().any(|(known, _)| known == path) {
        return Ok(());
    }
    // SAFETY: loading runs the library's initialisers; the user named this one.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }.map_err(|error| DeviceError::Library {
        name: path.display().to_string(),
        reason: format!("could not be loaded: {}", std::error::Error::source(&error).unwrap_or(&error)),
    })?;
    opened.push((path.to_owned(), library));
    Ok(())
}

/// Whether a driver can be loaded at all; asked before cudarc's first call, which would panic.
#[must_use]
pub fn driver_present() -> bool {
    // SAFETY: loads and unloads a library under one of the driver's names.
    unsafe { cudarc::driver::sys::is_culib_present() }
}

/// As [`driver_present`], of the run-time compiler.
#[must_use]
pub fn compiler_present() -> bool {
    // SAFETY: as above.
    unsafe { cudarc::nvrtc::sys::is_culib_present() }
}

/// A function that the driver exports beside CUDA's own, as the virtual GPU does for its clock; `None` where it exports none of that name.
///
/// # Safety
/// `F` is the function's type, a function pointer.
pub(super) unsafe fn driver_symbol<F: Copy>(name: &str) -> Option<F> {
    DRIVER.iter().find_map(|library| {
        // SAFETY: the driver is loaded already: its initialisers have run, and this only takes another reference to it.
        let library = unsafe { Library::open(Some(*library), RTLD_NOW) }.ok()?;
        // SAFETY: the caller's guarantee. The driver stays loaded, since cudarc or the list above holds it.
        unsafe { library.get::<F>(name.as_bytes()) }.ok().map(|symbol| *symbol)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_is_no_library_is_named_with_the_loaders_reason() {
        let nowhere = Libraries { cuda: Some("/nowhere/libcuda.so.1".into()), ..Libraries::default() };
        let said = nowhere.open_driver().map_err(|error| error.to_string());
        assert!(said.clone().is_err_and(|e| e.starts_with("library `/nowhere/libcuda.so.1` could not be loaded: ")), "{said:?}");
        assert!(Libraries::default().open_driver().is_ok() && Libraries::default().open_blas().is_ok());
    }
}
