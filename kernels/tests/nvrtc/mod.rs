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

/// A compiler that keeps what it makes in `cache`, and knows CUTLASS where its folder is given.
pub(crate) fn open(library: PathBuf, cache: &Path, cutlass: Option<PathBuf>) -> Compiler {
    let libraries = Libraries { nvrtc: Some(library), ..Libraries::default() };
    let options = CompileOptions { libraries, cache: cache.to_owned(), cutlass, lines: Lines::Dropped };
    Compiler::open(options).expect("the compiler that TILECAST_NVRTC names")
}
