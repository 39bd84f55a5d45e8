//! What can be wrong with another tool's file.

use std::io;
use std::path::PathBuf;

use crate::frame::FrameError;
use crate::journal::io_hint;

/// Why a file cannot be imported.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// The system refused.
    #[error("file `{}`: cannot read it: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The system's answer.
        source: io::Error,
    },
    /// Nothing in it.
    #[error("file `{}`: is empty", path.display())]
    Empty {
        /// The file.
        path: PathBuf,
    },
    /// Named `.gz`, but is none.
    #[error("file `{}`: is named `.gz` but begins with `{found}`, gzip begins with `1f 8b`", path.display())]
    NotGzip {
        /// The file.
        path: PathBuf,
        /// First bytes, hexadecimal.
        found: String,
    },
    /// Compressed data that is cut or damaged.
    #[error("file `{}`: compressed data is damaged or cut: {source}", path.display())]
    BadGzip {
        /// The file.
        path: PathBuf,
        /// What the decoder says.
        source: io::Error,
    },
    /// More data than allowed.
    #[error("file `{}`: unpacks to more than {limit} bytes ({why})", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
        /// Which limit it is.
        why: &'static str,
    },
    /// Text in another encoding than UTF-8.
    #[error("file `{}`: is not UTF-8 text ({why})", path.display())]
    Encoding {
        /// The file.
        path: PathBuf,
        /// What it is instead.
        why: String,
    },
    /// No JSON, and not repairable.
    #[error("file `{}`: is not JSON: {why}", path.display())]
    NotJson {
        /// The file.
        path: PathBuf,
        /// What the parser says.
        why: String,
    },
    /// JSON of another kind.
    #[error("file `{}`: is not of format `{format}`: {why}", path.display())]
    WrongKind {
        /// The file.
        path: PathBuf,
        /// The format asked for.
        format: &'static str,
        /// What is missing or of another type.
        why: String,
    },
    /// Rows that do not fit the schema.
    #[error("file `{}`: {source}", path.display())]
    Frame {
        /// The file.
        path: PathBuf,
        /// What does not fit.
        source: FrameError,
    },
}

impl ImportError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::Io { source, .. } => io_hint(source),
            Self::Empty { .. } => Some("the download or the run that wrote it may have failed"),
            Self::NotGzip { .. } => {
                Some("rename the file if it is not compressed; a web page in its place means a failed download")
            }
            Self::BadGzip { .. } => Some("fetch or copy the file again"),
            Self::TooLarge { .. } => Some("raise the limit if the file is meant to be this large"),
            Self::Encoding { .. } => Some("save the file as UTF-8"),
            Self::NotJson { .. } => Some("only a cut end is repaired; check that the file is a Kernel Tuner cache"),
            Self::WrongKind { .. } => Some("check the format given to `import`"),
            Self::Frame { source, .. } => source.hint(),
        }
    }
}
