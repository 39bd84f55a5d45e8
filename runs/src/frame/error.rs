//! What can be wrong with rows and frames.

use polars::prelude::PolarsError;

/// Why rows are no frame, or a frame no rows.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// A row has a column that the schema does not know.
    #[error("row {row}: column `{column}` = `{value}` is not in the schema")]
    UnknownColumn {
        /// Index of the row, from 0.
        row: usize,
        /// The column.
        column: String,
        /// Its value.
        value: String,
    },
    /// A row has a value of another type than the schema says.
    #[error("row {row}: column `{column}` = `{value}`, expected {expected}")]
    WrongType {
        /// Index of the row, from 0.
        row: usize,
        /// The column.
        column: String,
        /// Its value.
        value: String,
        /// The type it should have.
        expected: &'static str,
    },
    /// A real is NaN or infinite: what has no value is null.
    #[error("row {row}: column `{column}` = `{value}`, expected a finite number")]
    NotFinite {
        /// Index of the row, from 0.
        row: usize,
        /// The column.
        column: String,
        /// Its value.
        value: String,
    },
    /// A row lacks a required column.
    #[error("row {row}: column `{column}` is absent, every row carries it")]
    Missing {
        /// Index of the row, from 0.
        row: usize,
        /// The column.
        column: &'static str,
    },
    /// A frame lacks the column asked for.
    #[error("frame: column `{column}` is absent")]
    NoColumn {
        /// The column.
        column: String,
    },
    /// A frame's column has another type than asked for, or than another frame has.
    #[error("frame: column `{column}` has type `{found}`, expected {expected}")]
    ColumnType {
        /// The column.
        column: String,
        /// The type found.
        found: String,
        /// The type expected.
        expected: String,
    },
    /// Polars refused.
    #[error("frame: {0}")]
    Polars(#[from] PolarsError),
}

impl FrameError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::UnknownColumn { .. } => {
                Some("fixed columns are listed in docs/schema.md; open ones begin with problem., knob., traffic. or roof.")
            }
            Self::NotFinite { .. } => Some("leave out what has no value, and say why in `reason`"),
            Self::ColumnType { .. } => Some("the files were written by different versions, or a column was changed by hand"),
            _ => None,
        }
    }
}
