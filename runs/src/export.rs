//! Frames of runs as files: for other programs, and in other tools' formats.
//!
//! What was imported from a format is written back equal in content: the file's own members lie in `extra` of its first row, and times
//! come out as the numbers they came in as.

mod bencher;
mod error;
mod group;
mod kernel_tuner;
mod nvbench;
mod plain;
mod t4;

use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;

pub use error::ExportError;

/// A format that can be written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// One Parquet file with all columns.
    Parquet,
    /// CSV; samples as JSON lists in their cells.
    Csv,
    /// One JSON object a line, without nulls.
    Ndjson,
    /// Kernel Tuner caches, one per kernel, device, problem and cache mode.
    KernelTuner,
    /// T4 results, one file per kernel, device, problem and cache mode.
    T4,
    /// nvbench JSON with sidecar samples.
    Nvbench,
    /// Bencher Metric Format.
    Bencher,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 7] =
        [Self::Parquet, Self::Csv, Self::Ndjson, Self::KernelTuner, Self::T4, Self::Nvbench, Self::Bencher];

    /// The name on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::Parquet => "parquet",
            Self::Csv => "csv",
            Self::Ndjson => "ndjson",
            Self::KernelTuner => "kernel-tuner",
            Self::T4 => "t4",
            Self::Nvbench => "nvbench",
            Self::Bencher => "bencher",
        }
    }

    /// What is written, in a few words.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Parquet => "one Parquet file, all columns",
            Self::Csv => "CSV, samples as JSON lists",
            Self::Ndjson => "a JSON object per row and line",
            Self::KernelTuner => "Kernel Tuner cache (a folder of them where there are several spaces)",
            Self::T4 => "T4 results of auto-tuners (a folder of them where there are several spaces)",
            Self::Nvbench => "nvbench JSON, samples in sidecars beside it",
            Self::Bencher => "Bencher Metric Format: latency, energy, power with intervals",
        }
    }

    /// The format called `name`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}

/// What an export wrote.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Exported {
    /// Files, the main one first.
    pub files: Vec<PathBuf>,
    /// Rows that stand in them.
    pub rows: usize,
    /// What was left out, and why.
    pub warnings: Vec<String>,
}

/// Writes the rows of `frame` to `out`.
///
/// # Errors
/// The frame is empty or lacks a column of the schema, the file cannot be written, or no row has what the format needs.
pub fn export(frame: &DataFrame, format: Format, out: &Path) -> Result<Exported, ExportError> {
    if frame.height() == 0 {
        return Err(ExportError::Nothing { format: format.name(), why: "there are no rows".to_owned() });
    }
    let whole = |files: Vec<PathBuf>| Exported { files, rows: frame.height(), warnings: Vec::new() };
    match format {
        Format::Parquet => plain::parquet(frame, out).map(whole),
        Format::Csv => plain::csv(frame, out).map(whole),
        Format::Ndjson => plain::ndjson(frame, out).map(whole),
        Format::KernelTuner => kernel_tuner::export(frame, out),
        Format::T4 => t4::export(frame, out),
        Format::Nvbench => nvbench::export(frame, out),
        Format::Bencher => bencher::export(frame, out),
    }
}
