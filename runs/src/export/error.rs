//! What can be wrong with an export.

use std::io;
use std::path::PathBuf;

use crate::frame::FrameError;
use crate::journal::io_hint;

/// Why rows cannot be exported.
#[derive(Debug, thiserror::Error)]
pub enum ExportError {
    /// The system refused.
    #[error("file `{}`: cannot write it: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// No row has what the format needs.
    #[error("format `{format}`: {why}")]
    Nothing {
        /// The format.
        format: &'static str,
        /// What is missing.
        why: String,
    },
    /// The frame is not of the schema.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl ExportError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Io { source, .. } => io_hint(source),
            Self::Nothing { .. } => Some("look at the rows with `tilecast runs STORE`"),
            Self::Frame(source) => source.hint(),
        }
    }
}
