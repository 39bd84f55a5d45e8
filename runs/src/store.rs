//! A store: a folder of Parquet files and open journals.
//!
//! `device=<slug>/family=<id>/<run_id>.parquet` holds the rows of one run on one device and family. The folders are layout
//! only: all columns are in the files, so files may be copied together from other machines. Each file is written under a
//! temporary name and renamed, and belongs to one run: concurrent writers never share one.
//!
//! Sealing writes the Parquet files first and moves the journal to `journal/sealed/` last. After a crash between the two, readers
//! leave out journal rows that Parquet holds already, and sealing again writes the same files.

mod compact;
mod error;
mod merge;
mod migrate;
mod read;
mod staged;
mod summary;
mod write;

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;

pub use compact::Compaction;
pub use error::StoreError;
pub use merge::Merged;
pub use staged::Staged;
pub use summary::{RunSummary, summarise};

use crate::frame;
use crate::journal::{self, Journal};

/// Depth of `device=…/family=…` in a shard's folder in the store, and one to spare.
const DEPTH: usize = 4;

/// A folder of runs.
#[derive(Clone, Debug)]
pub struct Store {
    root: PathBuf,
}

/// Whether rows of unsealed journals are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Journals {
    /// Read them, without those that are in Parquet already.
    Include,
    /// Sealed runs only.
    Leave,
}

/// What happens at a file that cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Faults {
    /// Reading fails.
    Refuse,
    /// The file is left out, with a warning.
    Warn,
}

/// How to read a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// Open journals.
    pub journals: Journals,
    /// Unreadable files.
    pub faults: Faults,
}

impl Default for Read {
    /// Everything, or an error.
    fn default() -> Self {
        Self { journals: Journals::Include, faults: Faults::Refuse }
    }
}

/// What was read.
#[derive(Clone, Debug)]
pub struct Contents {
    /// All rows.
    pub frame: DataFrame,
    /// What was left out, and why.
    pub warnings: Vec<String>,
}

impl Store {
    /// An existing store.
    ///
    /// # Errors
    /// The path does not exist or is a file.
    pub fn open(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let root = path.as_ref().to_owned();
        match fs::metadata(&root) {
            Ok(found) if found.is_dir() => Ok(Self { root }),
            Ok(_) => Err(StoreError::NotAFolder { path: root }),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(StoreError::NotFound { path: root }),
            Err(error) => Err(failed("open the folder", &root)(error)),
        }
    }

    /// A store to write to: made where there is none.
    ///
    /// # Errors
    /// The path is a file, or the folder cannot be made.
    pub fn create(path: impl AsRef<Path>) -> Result<Self, StoreError> {
        let root = path.as_ref();
        if root.is_file() {
            return Err(StoreError::NotAFolder { path: root.to_owned() });
        }
        fs::create_dir_all(root).map_err(failed("create the folder", root))?;
        Self::open(root)
    }

    /// Its folder.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where open journals lie.
    #[must_use]
    pub fn journal_folder(&self) -> PathBuf {
        self.root.join("journal")
    }

    /// Writes the rows of run `run_id`, one file per device and family; files of the same run are replaced. Returns the files.
    ///
    /// # Errors
    /// A full disk and the like; nothing half-written is left.
    pub fn write(&self, frame: &DataFrame, run_id: &str) -> Result<Vec<PathBuf>, StoreError> {
        write::write(&self.root, frame, run_id)
    }

    /// Writes the results of a journal as Parquet, then moves the journal to `journal/sealed/`. Of a point with two results the
    /// later counts. Returns the files.
    ///
    /// # Errors
    /// As [`Store::write`]; the journal then stays where it was and can be sealed again.
    pub fn seal(&self, journal: Journal) -> Result<Vec<PathBuf>, StoreError> {
        journal.sync()?;
        let results = journal::read(journal.path())?.map(|recovered| recovered.results).unwrap_or_default();
        let frame = frame::from_rows(&read::last_of_each(results))?;
        let paths = self.write(&frame, &journal.header().run_id)?;
        journal.retire(&self.journal_folder().join("sealed"))?;
        Ok(paths)
    }

    /// All rows, of the current schema.
    ///
    /// # Errors
    /// The first file that cannot be read, unless [`Faults::Warn`].
    pub fn read(&self, how: Read) -> Result<Contents, StoreError> {
        read::read(self, how)
    }

    /// Writes each partition that has several files as one. Readers and writers beside it see every row once at any time; a crash leaves the store whole.
    ///
    /// # Errors
    /// A file that cannot be read or written; partitions done before stay done.
    pub fn compact(&self) -> Result<Compaction, StoreError> {
        compact::compact(self)
    }

    /// Adds the rows of `from`, open journals included, that are not here yet: a row is known by its run, experiment, problem, configuration, role, rival and cache mode.
    ///
    /// # Errors
    /// A file that cannot be read or written; runs added before stay.
    pub fn merge(&self, from: &Self) -> Result<Merged, StoreError> {
        merge::merge(self, from)
    }

    /// What runs it holds, open ones included.
    ///
    /// # Errors
    /// As [`Store::read`].
    pub fn runs(&self) -> Result<Vec<RunSummary>, StoreError> {
        Ok(summarise(&self.read(Read::default())?.frame)?)
    }
}

/// Turns into an error about `path`.
fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> StoreError {
    let path = path.to_owned();
    move |source| StoreError::Io { action, path, source }
}
