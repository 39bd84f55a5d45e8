//! What can go wrong with a store.

use std::io;
use std::path::PathBuf;

use crate::frame::FrameError;
use crate::journal::{JournalError, io_hint};

/// Why a store cannot be opened, read or written.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// The system refused.
    #[error("store `{}`: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// There is nothing at the path.
    #[error("store `{}`: no such folder", path.display())]
    NotFound {
        /// The path.
        path: PathBuf,
    },
    /// A file stands where the store should be.
    #[error("store `{}`: is a file, expected a folder", path.display())]
    NotAFolder {
        /// The path.
        path: PathBuf,
    },
    /// Another process writes the same file of the same run.
    #[error("store `{}`: another process is writing this file", path.display())]
    Busy {
        /// The file.
        path: PathBuf,
    },
    /// A file is no readable Parquet.
    #[error("store file `{}`: {why}", path.display())]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A file was written by a newer tilecast.
    #[error("store file `{}`: schema version `{found}`, this program reads up to `{ours}`", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
        /// Our version.
        ours: String,
    },
    /// A file's version is no version, or one that there never was.
    #[error("store file `{}`: schema version `{found}` is unknown, this program reads `{ours}`", path.display())]
    UnknownVersion {
        /// The file.
        path: PathBuf,
        /// What it says.
        found: String,
        /// Our version.
        ours: String,
    },
    /// A file's rows do not fit the schema.
    #[error("store file `{}`: {source}", path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: FrameError,
    },
    /// Rows to be written do not fit the schema.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// A journal of the store.
    #[error(transparent)]
    Journal(#[from] JournalError),
}

impl StoreError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { source, .. } => io_hint(source),
            Self::NotFound { .. } => Some("check the path; `sweep` and `import` make a store with `--out`"),
            Self::NotAFolder { .. } => Some("a store is a folder: give the folder, not a file in it"),
            Self::Busy { .. } => Some("wait for it to end, or write to another store with `--out`"),
            Self::Corrupt { .. } => {
                Some("move the file away to read the rest; if `journal/sealed` holds its run, put that back into `journal`")
            }
            Self::TooNew { .. } => Some("update tilecast, or use the version that wrote the store"),
            Self::UnknownVersion { .. } => Some("the file was not written by tilecast, or was changed: move it away"),
            Self::File { source, .. } | Self::Frame(source) => source.hint(),
            Self::Journal(source) => source.hint(),
        }
    }
}
