//! What can stop a page from being written.

/// Why no page came out.
#[derive(Debug, thiserror::Error)]
pub enum ReportError {
    /// The frame has no rows.
    #[error("frame has no rows: a page needs at least one run")]
    Empty,
    /// The frame holds nothing but predictions.
    #[error("frame has {rows} rows and all of them are `predicted`: a page needs at least one run")]
    OnlyPredicted {
        /// Rows in the frame.
        rows: usize,
    },
    /// Simulated rows beside measured ones.
    #[error(
        "frame mixes {simulated} rows of source `vgpu` with {others} rows of source `{other}`: simulated times never share a page with measured ones"
    )]
    MixedSources {
        /// Rows of the virtual device.
        simulated: usize,
        /// Rows of any other source.
        others: usize,
        /// One of the other sources.
        other: String,
    },
    /// A required column is absent.
    #[error("frame has no column `{column}`, which schema {version} requires")]
    MissingColumn {
        /// Name of the column.
        column: &'static str,
        /// Schema this crate reads.
        version: String,
    },
    /// A column cannot be read as what the schema says it is.
    #[error("column `{column}` has type `{found}`, expected {expected}")]
    ColumnType {
        /// Name of the column.
        column: String,
        /// Type found in the frame.
        found: String,
        /// What the schema asks for.
        expected: &'static str,
    },
    /// Polars refused an operation.
    #[error("frame cannot be read: {0}")]
    Frame(#[from] polars::error::PolarsError),
}

impl ReportError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> &'static str {
        match self {
            Self::Empty => "check the store path and the filters; `tilecast runs STORE` lists what is there",
            Self::OnlyPredicted { .. } => "measure or import some points first, then report on the same store",
            Self::MixedSources { .. } => "keep simulated sweeps in a store of their own",
            Self::MissingColumn { .. } | Self::ColumnType { .. } => {
                "the frame was not written by this schema; read it through the store, which migrates old rows"
            }
            Self::Frame(_) => "audit the store: `tilecast audit STORE`",
        }
    }
}
