//! The vendor's libraries: opened by path where one is given, looked for where the dynamic loader looks, and never needed to build or to plan.
//!
//! cudarc searches by bare names only, `libcuda.so` before `libcuda.so.1`. A library opened here by its path is given those names too (`alias`), so that
//! the loader hands it out for them whatever lies in its folders, and no environment variable has to be set before the program starts. Afterwards it is
//! asked whether calls really go there.

mod alias;

use std::ffi::{CStr, c_void};
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

/// Opened by path with the names given to it, kept until the process ends: cudarc holds pointers into them.
static OPENED: Mutex<Vec<(PathBuf, Library, Vec<alias::Alias>)>> = Mutex::new(Vec::new());

/// A library as cudarc and other libraries ask for it.
struct Wanted {
    /// Names that it may be asked for by, beside its own.
    names: &'static [&'static str],
    /// A function that it exports.
    function: &'static str,
    /// Where cudarc's calls of that function go, if it finds any library.
    used: fn() -> Option<*const c_void>,
}

/// Asks cudarc's `$library` for `$function`.
macro_rules! wanted {
    ($library:ident, $function:literal, $names:expr) => {
        Wanted {
            names: &$names,
            function: $function,
            used: || {
                // SAFETY: loads a library under one of its names, where there is one; the function is not called.
                unsafe {
                    use cudarc::$library::sys;
                    if !sys::is_culib_present() {
                        return None;
                    }
                    sys::culib().get::<*const c_void>($function.as_bytes()).ok().map(|function| *function)
                }
            },
        }
    };
}

// Libraries of the toolkit ask for the driver by its SONAME, which another driver may lack.
const DRIVER: Wanted = wanted!(driver, "cuInit", ["libcuda.so", "libcuda.so.1"]);
const COMPILER: Wanted = wanted!(nvrtc, "nvrtcVersion", ["libnvrtc.so"]);
const BLAS: Wanted = wanted!(cublas, "cublasCreate_v2", ["libcublas.so"]);
const BLAS_LT: Wanted = wanted!(cublaslt, "cublasLtCreate", ["libcublasLt.so"]);

impl Libraries {
    /// Opens the driver where its path is given. Call it before anything else that touches CUDA.
    ///
    /// # Errors
    /// [`DeviceError::Library`] naming the path and the loader's reason, or the library that the process uses in its place.
    pub fn open_driver(&self) -> Result<(), DeviceError> {
        self.cuda.as_deref().map_or(Ok(()), |path| open(path, &DRIVER))
    }

    /// Opens the compiler where its path is given.
    ///
    /// # Errors
    /// As [`Libraries::open_driver`].
    pub fn open_compiler(&self) -> Result<(), DeviceError> {
        // The compiler looks for a driver by itself; it must meet the one that was asked for.
        self.open_driver()?;
        self.nvrtc.as_deref().map_or(Ok(()), |path| open(path, &COMPILER))
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
            open(&lt, &BLAS_LT)?;
        }
        open(path, &BLAS)
    }
}

fn open(path: &Path, wanted: &Wanted) -> Result<(), DeviceError> {
    let mut opened = OPENED.lock().unwrap_or_else(PoisonError::into_inner);
    if opened.iter().any(|(known, ..)| known == path) {
        return Ok(());
    }
    let refused = |reason| DeviceError::Library { name: path.display().to_string(), reason };
    // SAFETY: loading runs the library's initialisers; the user named this one.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_GLOBAL) }
        .map_err(|error| refused(format!("could not be loaded: {}", std::error::Error::source(&error).unwrap_or(&error))))?;
    // A name that cannot be given may not be needed: what follows tells.
    let names = wanted.names.iter().filter_map(|name| alias::give(path, name).ok()).collect();
    // SAFETY: the function is not called.
    let named = unsafe { library.get::<*const c_void>(wanted.function.as_bytes()) }.map(|function| *function);
    opened.push((path.to_owned(), library, names));
    let Ok(named) = named else {
        return Err(refused(format!("has no function `{}`: it is another library", wanted.function)));
    };
    match (wanted.used)() {
        Some(used) if used == named => Ok(()),
        Some(used) => Err(refused(format!(
            "was named, but this process uses `{}` in its place: take that out of the loader's folders (`LD_LIBRARY_PATH`)",
            origin(used)
        ))),
        None => Err(refused("was named, but what this process finds by its names is another library, or none".to_owned())),
    }
}

/// The file that a function lies in.
fn origin(function: *const c_void) -> String {
    let mut info = libc::Dl_info {
        dli_fname: std::ptr::null(),
        dli_fbase: std::ptr::null_mut(),
        dli_sname: std::ptr::null(),
        dli_saddr: std::ptr::null_mut(),
    };
    // SAFETY: a valid place; the name belongs to the loader and stays while the library is open, which it is.
    unsafe {
        if libc::dladdr(function, &raw mut info) == 0 || info.dli_fname.is_null() {
            return "another library".to_owned();
        }
        CStr::from_ptr(info.dli_fname).to_string_lossy().into_owned()
    }
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

/// A function that the driver in use exports beside CUDA's own, as the virtual GPU does for its clock; `None` where it exports none of that name.
///
/// # Safety
/// `F` is the function's type, a function pointer. The driver was started: without one, cudarc panics.
pub(super) unsafe fn driver_symbol<F: Copy>(name: &str) -> Option<F> {
    // SAFETY: the caller's guarantee. The driver stays loaded, since cudarc holds it.
    unsafe { cudarc::driver::sys::culib().get::<F>(name.as_bytes()) }.ok().map(|symbol| *symbol)
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
