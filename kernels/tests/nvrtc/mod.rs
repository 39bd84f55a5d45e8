//! The run-time compiler that `TILECAST_NVRTC` names; without it tests say that they were skipped.

use std::path::{Path, PathBuf};

use tilecast_kernels::devices::cuda::Libraries;
use tilecast_kernels::devices::cuda::compile::{CompileOptions, Compiler, Lines};

/// Path of the library; `None`, with a word on it, where there is none.
pub(crate) fn library() -> Option<PathBuf> {
    let path = std::env::var_os("TILECAST_NVRTC").map(PathBuf::from);
    if path.is_none() {
        println!("skipped: CUDA kernels were not compiled: TILECAST_NVRTC is not set (scripts/setup-cuda prints it)");
    }
    path
}

/// CUTLASS's headers, in the folder that `TILECAST_CUTLASS_INCLUDE` names.
pub(crate) fn cutlass() -> Option<PathBuf> {
    std::env::var_os("TILECAST_CUTLASS_INCLUDE").filter(|value| !value.is_empty()).map(PathBuf::from)
}

/// A compiler that keeps what it makes in `cache`.
pub(crate) fn open(library: PathBuf, cache: &Path) -> Compiler {
    let libraries = Libraries { nvrtc: Some(library), ..Libraries::default() };
    let options = CompileOptions { libraries, cache: cache.to_owned(), cutlass: cutlass(), lines: Lines::Dropped };
    Compiler::open(options).expect("the compiler that TILECAST_NVRTC names")
}
