//! What can go wrong with a journal.

use std::io;
use std::path::PathBuf;

/// Why a journal cannot be written, resumed or read.
#[derive(Debug, thiserror::Error)]
pub enum JournalError {
    /// The system refused.
    #[error("journal `{}`: cannot {action}: {source}", path.display())]
    Io {
        /// What was tried, as a verb.
        action: &'static str,
        /// The file or folder.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Another live process writes the same sweep.
    #[error("journal `{}`: sweep `{sweep_id}` is being written by {holder}", path.display())]
    Busy {
        /// The locked file.
        path: PathBuf,
        /// The sweep.
        sweep_id: String,
        /// Who holds it, as far as the journal says (`process 123 on host`).
        holder: String,
    },
    /// The sweep has an unsealed journal already: it is resumed, not created again.
    #[error("journal `{}`: sweep `{sweep_id}` is already begun", path.display())]
    Begun {
        /// The journal found.
        path: PathBuf,
        /// The sweep.
        sweep_id: String,
    },
    /// A line that is not the cut last one is no record.
    #[error("journal `{}`: line {line} is broken: {why}", path.display())]
    Broken {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: usize,
        /// What is wrong with it.
        why: String,
    },
    /// The journal was written by a newer tilecast.
    #[error("journal `{}`: schema version `{found}`, this program reads up to `{ours}`", path.display())]
    TooNew {
        /// The file.
        path: PathBuf,
        /// Its version.
        found: String,
        /// Our version.
        ours: String,
    },
    /// A record holds NaN or infinity, which JSON has no word for.
    #[error("journal record: `{name}` = `{value}`, expected a finite number")]
    NotFinite {
        /// The field or column.
        name: String,
        /// Its value.
        value: f64,
    },
    /// A record that cannot be written as JSON.
    #[error("journal record: {0}")]
    Json(#[from] serde_json::Error),
}

impl JournalError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { source, .. } => io_hint(source),
            Self::Busy { .. } => Some("wait for it to end, or write to another store with `--out`"),
            Self::Begun { .. } => Some("run the same command again to resume it"),
            Self::Broken { .. } => {
                Some("the file was changed by hand or the disk failed: repair or remove that line, or move the journal away")
            }
            Self::TooNew { .. } => Some("update tilecast, or use the version that wrote the journal"),
            Self::NotFinite { .. } => Some("leave out what has no value, and say why in `reason`"),
            Self::Json(_) => None,
        }
    }
}

/// Advice for an error of the file system.
#[must_use]
pub fn io_hint(error: &io::Error) -> Option<&'static str> {
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded | io::ErrorKind::FileTooLarge => {
            Some("free some space and run the same command again: what was recorded before is kept")
        }
        io::ErrorKind::PermissionDenied => Some("check who owns the folder, or choose another with `--out`"),
        io::ErrorKind::ReadOnlyFilesystem => Some("the file system is mounted read-only: choose another folder with `--out`"),
        io::ErrorKind::NotADirectory | io::ErrorKind::AlreadyExists => {
            Some("a file stands where a folder is needed: choose another path with `--out`")
        }
        io::ErrorKind::IsADirectory => Some("a folder stands where a file is needed: name a file"),
        io::ErrorKind::NotFound => Some("check the path"),
        _ => None,
    }
}
