//! Device names → devices, and where the libraries of a GPU are.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use tilecast_kernels::devices::cpu::CpuDevice;
use tilecast_kernels::devices::cuda::compile::{CompileOptions, Lines};
use tilecast_kernels::devices::cuda::power::{Nvml, Saved, Selector, restore};
use tilecast_kernels::devices::cuda::{Architecture, CudaDevice, Libraries};
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

/// Where the libraries of a GPU are, where the loader does not find them by itself.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct CudaArgs {
    /// CUDA driver (libcuda.so.1) [env: TILECAST_CUDA_LIB]
    #[arg(long, help_heading = "CUDA", value_name = "PATH")]
    cuda_lib: Option<PathBuf>,
    /// NVML (libnvidia-ml.so.1) [env: TILECAST_NVML_LIB]
    #[arg(long, help_heading = "CUDA", value_name = "PATH")]
    nvml_lib: Option<PathBuf>,
    /// Run-time compiler (libnvrtc.so.13) [env: TILECAST_NVRTC]
    #[arg(long, help_heading = "CUDA", value_name = "PATH")]
    nvrtc_lib: Option<PathBuf>,
    /// cuBLAS (libcublas.so.13) [env: TILECAST_CUBLAS_LIB]
    #[arg(long, help_heading = "CUDA", value_name = "PATH")]
    cublas_lib: Option<PathBuf>,
    /// CUTLASS's include folder, for `gemm_cutlass` [env: TILECAST_CUTLASS_INCLUDE]
    #[arg(long, help_heading = "CUDA", value_name = "FOLDER")]
    cutlass_include: Option<PathBuf>,
}

/// What was asked for last; one process works with one set of libraries, since they stay loaded.
static ASKED: Mutex<Option<CudaArgs>> = Mutex::new(None);

/// A path of the environment; an empty one is none.
fn environment(name: &str) -> Option<PathBuf> {
    std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from)
}

impl CudaArgs {
    /// Uses these from now on.
    pub fn apply(&self) {
        *ASKED.lock().unwrap_or_else(PoisonError::into_inner) = Some(self.clone());
    }

    fn asked() -> Self {
        ASKED.lock().unwrap_or_else(PoisonError::into_inner).clone().unwrap_or_default()
    }

    fn options(self) -> CompileOptions {
        let or = |given: Option<PathBuf>, name| given.or_else(|| environment(name));
        CompileOptions {
            libraries: Libraries {
                cuda: or(self.cuda_lib, "TILECAST_CUDA_LIB"),
                nvrtc: or(self.nvrtc_lib, "TILECAST_NVRTC"),
                nvml: or(self.nvml_lib, "TILECAST_NVML_LIB"),
                cublas: or(self.cublas_lib, "TILECAST_CUBLAS_LIB"),
            },
            cache: cache_folder(),
            cutlass: or(self.cutlass_include, "TILECAST_CUTLASS_INCLUDE"),
            lines: Lines::default(),
        }
    }
}

/// The options of the last [`CudaArgs::apply`] as arguments for a worker; it reads the same environment.
#[must_use]
pub fn cuda_arguments() -> Vec<String> {
    let CudaArgs { cuda_lib, nvml_lib, nvrtc_lib, cublas_lib, cutlass_include } = CudaArgs::asked();
    [
        ("--cuda-lib", cuda_lib),
        ("--nvml-lib", nvml_lib),
        ("--nvrtc-lib", nvrtc_lib),
        ("--cublas-lib", cublas_lib),
        ("--cutlass-include", cutlass_include),
    ]
    .into_iter()
    .filter_map(|(name, path)| Some([name.to_owned(), path?.display().to_string()]))
    .flatten()
    .collect()
}

/// What a GPU is opened with: options given, then the environment, then the loader's own search.
#[must_use]
pub fn cuda_options() -> CompileOptions {
    CudaArgs::asked().options()
}

/// Puts back what stood before clocks or power limit of a board were changed.
///
/// # Errors
/// What could not be put back, in words.
pub fn put_back(saved: &Saved) -> Result<(), String> {
    let board = Nvml::open(cuda_options().libraries.nvml.as_deref(), &Selector::Uuid(saved.board.clone()));
    restore(&mut board.map_err(|why| format!("settings of board `{}` were not put back: {why}", saved.board))?, saved)
}

/// Where compiled kernels are kept: `TILECAST_CUDA_CACHE`, or `tilecast/cuda` in the user's cache folder, or in the temporary one.
fn cache_folder() -> PathBuf {
    let user = || environment("XDG_CACHE_HOME").or_else(|| Some(environment("HOME")?.join(".cache")));
    environment("TILECAST_CUDA_CACHE").unwrap_or_else(|| user().unwrap_or_else(std::env::temp_dir).join("tilecast").join("cuda"))
}

/// Opens `cpu`, `cpu:1t`, `cuda:0`.
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
        Some("cuda") => match CudaDevice::open(spec, cuda_options()) {
            Ok(device) => Ok(Box::new(device)),
            Err(error) => Err(Fail::new(error.to_string()).hint(format!("{hint}; `--cuda-lib PATH` names a driver elsewhere"))),
        },
        _ => Err(Fail::new(format!("unknown device `{spec}`")).hint("a device is `cpu`, `cpu:1t` or `cuda:0`")),
    }
}
