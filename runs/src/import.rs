//! Other tools' files as frames of runs, with nothing lost: failures stay rows, unknown columns go to `extra`.

mod error;
mod kernel_tuner;
mod repair;
mod source;
mod statistics;

use std::path::Path;

use polars::prelude::DataFrame;

pub use error::ImportError;

/// A format that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// Kernel Tuner cache, `.json` or `.json.gz`.
    KernelTuner,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 1] = [Self::KernelTuner];

    /// The name on the command line and in `source` (`import:kernel-tuner`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::KernelTuner => "kernel-tuner",
        }
    }

    /// The format called `name`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// How much a file may unpack to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after unpacking.
    pub max_bytes: u64,
    /// Bytes after unpacking per byte before, once 64 MiB are passed.
    pub max_ratio: u64,
}

impl Default for Limits {
    /// 4 GiB, and 200 to 1 (caches pack 5 to 8 to 1).
    fn default() -> Self {
        Self { max_bytes: 4 << 30, max_ratio: 200 }
    }
}

/// What the file does not say and the user may.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Options {
    /// Bounds on unpacking.
    pub limits: Limits,
    /// Device, in place of the one the file or its name gives.
    pub device: Option<String>,
    /// Inner dimension of a matrix product, which Kernel Tuner's problem size leaves out.
    pub k: Option<i64>,
}

/// What a file held.
#[derive(Clone, Debug)]
pub struct Imported {
    /// Its rows.
    pub frame: DataFrame,
    /// The run they form: the same file has the same id, so that importing twice replaces.
    pub run_id: String,
    /// What is uncertain about them.
    pub warnings: Vec<String>,
    /// What was repaired on a copy of the file, if anything.
    pub repaired: Option<String>,
}

/// Imports a file.
///
/// # Errors
/// The file cannot be read, or is not of the format; single bad entries become failed rows instead.
pub fn import(format: Format, path: &Path, options: &Options) -> Result<Imported, ImportError> {
    let source = source::read(path, options.limits)?;
    match format {
        Format::KernelTuner => kernel_tuner::import(path, &source, options),
    }
}
