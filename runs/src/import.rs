//! Other tools' files as frames of runs, with nothing lost: failures stay rows, unknown columns go to `extra`.
//!
//! Documents (JSON) are held in memory and have a size limit; tables (CSV, Parquet) are read in batches, so that memory does not grow
//! with the file. `docs/importing.md` describes formats and mapping files.

mod clblast;
mod csv_table;
mod cutlass;
mod draft;
mod error;
mod format;
mod google_benchmark;
mod hyperfine;
mod json;
mod kernel_tuner;
mod ktt;
mod nvbench;
mod repair;
mod source;
mod statistics;
mod t4;
mod table;
mod tally;
mod triton;

use std::collections::BTreeMap;
use std::path::Path;

use polars::prelude::DataFrame;

pub use draft::WARNINGS;
pub use error::ImportError;
pub use format::Format;
pub use table::Mapping;

pub(crate) use self::json::{ASKED, plain, value_of};
pub(crate) use self::kernel_tuner::{FILE, of_rfc_3339};
pub(crate) use self::nvbench::{FREQUENCIES, FREQUENCIES_TAG, STATE, TIMES_TAG};
use self::source::Source;
pub(crate) use self::t4::OURS as T4_OURS;
use self::tally::Tally;
use crate::frame;
use crate::row::Row;
use crate::store::StoreError;

/// How much a file may unpack to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Bytes after unpacking.
    pub max_bytes: u64,
    /// Bytes after unpacking per byte before, once 64 MiB are passed.
    pub max_ratio: u64,
    /// Bytes of a document (JSON), which is held in memory whole.
    pub max_document_bytes: u64,
}

impl Default for Limits {
    /// 64 GiB, 200 to 1 (caches pack 5 to 8 to 1), and 512 MiB for documents (parsed they take up to ten times as much).
    fn default() -> Self {
        Self { max_bytes: 64 << 30, max_ratio: 200, max_document_bytes: 512 << 20 }
    }
}

/// What the file does not say and the user may.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Options {
    /// Bounds on unpacking.
    pub limits: Limits,
    /// Device, in place of the one the file or its name gives.
    pub device: Option<String>,
    /// Inner dimension of a matrix product, which Kernel Tuner's problem size leaves out.
    pub k: Option<i64>,
    /// How the columns of a table are read; needed for [`Format::Table`].
    pub mapping: Option<Mapping>,
}

/// What a file held, all at once.
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

/// What an import in batches went through.
#[derive(Clone, Debug)]
pub struct Report {
    /// The run the rows form.
    pub run_id: String,
    /// Number of rows.
    pub rows: usize,
    /// Rows by status.
    pub by_status: BTreeMap<String, usize>,
    /// What is uncertain about them.
    pub warnings: Vec<String>,
    /// What was repaired on a copy of the file, if anything.
    pub repaired: Option<String>,
}

/// Takes the rows of an import, batch by batch. The run's id is known from the first batch on. Tables give them from another thread, so
/// that the next batch is made while one is taken.
pub type Sink<'a> = dyn FnMut(&DataFrame, &str) -> Result<(), StoreError> + Send + 'a;

/// What an importer of documents makes of one.
struct Document {
    rows: Vec<Row>,
    run_id: String,
    warnings: Vec<String>,
    repaired: Option<String>,
}

/// Imports a file whole.
///
/// # Errors
/// The file cannot be read, or is not of the format; single bad entries become failed rows instead.
pub fn import(format: Format, path: &Path, options: &Options) -> Result<Imported, ImportError> {
    whole(|sink| import_into(format, path, options, sink))
}

/// Imports bytes as if from a file called `name`. Sidecars are not looked for.
///
/// # Errors
/// As [`import`].
pub fn import_bytes(format: Format, name: &Path, bytes: &[u8], options: &Options) -> Result<Imported, ImportError> {
    let source = Source::bytes(name, bytes, options.limits)?;
    whole(|sink| run(format, &source, options, sink))
}

/// Imports a file in batches.
///
/// # Errors
/// As [`import`], and what `sink` says. Batches taken before are then incomplete.
pub fn import_into(format: Format, path: &Path, options: &Options, sink: &mut Sink<'_>) -> Result<Report, ImportError> {
    let source = Source::open(path, options.limits)?;
    run(format, &source, options, sink)
}

fn whole(import: impl FnOnce(&mut Sink<'_>) -> Result<Report, ImportError>) -> Result<Imported, ImportError> {
    let mut frames = Vec::new();
    let report = import(&mut |frame, _| {
        frames.push(frame.clone());
        Ok(())
    })?;
    let frame = frame::concat(&frames).map_err(StoreError::from)?;
    Ok(Imported { frame, run_id: report.run_id, warnings: report.warnings, repaired: report.repaired })
}

fn run(format: Format, source: &Source<'_>, options: &Options, sink: &mut Sink<'_>) -> Result<Report, ImportError> {
    let document = match format {
        Format::KernelTuner => kernel_tuner::import(source, options)?,
        Format::T4 => t4::import(source, options)?,
        Format::Cutlass => return cutlass::import(source, options, sink),
        Format::Nvbench => nvbench::import(source, options)?,
        Format::Ktt => ktt::import(source, options)?,
        Format::Clblast => clblast::import(source, options)?,
        Format::Triton => triton::import(source, options)?,
        Format::GoogleBenchmark => google_benchmark::import(source, options)?,
        Format::Hyperfine => hyperfine::import(source, options)?,
        Format::Gpperf | Format::UciSgemm | Format::Table => return table::import(format, source, options, sink),
    };
    let frame = frame_of(source, &document.rows)?;
    let mut tally = Tally::default();
    tally.take(&frame).map_err(|error| in_file(source, error))?;
    sink(&frame, &document.run_id)?;
    let mut warnings = document.warnings;
    warnings.extend(tally.lines());
    let Tally { rows, by_status, .. } = tally;
    Ok(Report { run_id: document.run_id, rows, by_status, warnings, repaired: document.repaired })
}

fn frame_of(source: &Source<'_>, rows: &[Row]) -> Result<DataFrame, ImportError> {
    frame::from_rows(rows).map_err(|error| in_file(source, error))
}

fn in_file(source: &Source<'_>, error: frame::FrameError) -> ImportError {
    ImportError::Frame { path: source.path.clone(), source: error }
}
