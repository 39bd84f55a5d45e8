//! What can be wrong with another tool's file.

use std::io;
use std::path::PathBuf;

use crate::frame::FrameError;
use crate::journal::io_hint;
use crate::store::StoreError;

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
    /// Named `.zip`, but is none.
    #[error("file `{}`: is named `.zip` but begins with `{found}`, zip begins with `50 4b 03 04`", path.display())]
    NotZip {
        /// The file.
        path: PathBuf,
        /// First bytes, hexadecimal.
        found: String,
    },
    /// An archive that is damaged, or without what is looked for.
    #[error("file `{}`: zip archive cannot be used: {why}", path.display())]
    BadZip {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
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
    /// A line or record that no table has.
    #[error("file `{}`: a record is longer than {limit} bytes", path.display())]
    LongRecord {
        /// The file.
        path: PathBuf,
        /// The limit in bytes.
        limit: u64,
    },
    /// A row that does not fit its header.
    #[error("file `{}`: line `{line}` has {found} cells, the header has {expected}", path.display())]
    Ragged {
        /// The file.
        path: PathBuf,
        /// Line, from 1.
        line: u64,
        /// Cells found.
        found: usize,
        /// Cells of the header.
        expected: usize,
    },
    /// A Parquet file that cannot be read.
    #[error("file `{}`: is no readable parquet: {why}", path.display())]
    BadParquet {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        why: String,
    },
    /// A mapping file that is wrong, or does not fit the table.
    #[error("mapping `{mapping}`: {why}")]
    Mapping {
        /// The mapping's name or file.
        mapping: String,
        /// What is wrong.
        why: String,
        /// What to do about it.
        hint: Option<String>,
    },
    /// The rows could not be stored.
    #[error(transparent)]
    Store(#[from] StoreError),
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
        format: String,
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
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Io { source, .. } => io_hint(source),
            Self::Empty { .. } => Some("the download or the run that wrote it may have failed"),
            Self::NotGzip { .. } | Self::NotZip { .. } => {
                Some("rename the file if it is not compressed; a web page in its place means a failed download")
            }
            Self::BadGzip { .. } | Self::BadZip { .. } | Self::BadParquet { .. } => Some("fetch or copy the file again"),
            Self::LongRecord { .. } => Some("a quote that is never closed makes one record of the rest of the file"),
            Self::Ragged { .. } => Some("quote cells that hold the delimiter; name another delimiter in the mapping"),
            Self::Mapping { hint, .. } => hint.as_deref(),
            Self::Store(source) => source.hint(),
            Self::TooLarge { .. } => Some("raise the limit if the file is meant to be this large"),
            Self::Encoding { .. } => Some("save the file as UTF-8"),
            Self::NotJson { .. } => {
                Some("of a Kernel Tuner cache a cut end is repaired, of no other format; check that the file is whole")
            }
            Self::WrongKind { .. } => Some("check the format given to `import`"),
            Self::Frame { source, .. } => source.hint(),
        }
    }
}
