//! What can be wrong with parameters and data.

/// Why a forest could not be fitted or asked.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum ForestError {
    /// A parameter outside its range.
    #[error("forest parameter `{name}` is `{value}`, {limit}")]
    Parameter {
        /// Name of the parameter.
        name: &'static str,
        /// The value given.
        value: String,
        /// What it may be.
        limit: &'static str,
    },
    /// No rows, or no columns.
    #[error("training data has {rows} rows and {columns} features, at least one of each is needed")]
    Empty {
        /// Number of rows.
        rows: usize,
        /// Number of features.
        columns: usize,
    },
    /// More rows or features than the node format holds.
    #[error("training data has {rows} rows and {columns} features, at most {} and {} fit", super::MAX_ROWS, super::MAX_COLUMNS)]
    TooLarge {
        /// Number of rows.
        rows: usize,
        /// Number of features.
        columns: usize,
    },
    /// Features and targets disagree.
    #[error("training data has {rows} rows but {targets} targets")]
    Lengths {
        /// Rows of the features.
        rows: usize,
        /// Number of targets.
        targets: usize,
    },
    /// A feature is NaN or infinite.
    #[error("feature {column} of row {row} is `{value}`, features must be finite")]
    Feature {
        /// Row, from 0.
        row: usize,
        /// Column, from 0.
        column: usize,
        /// The value.
        value: f64,
    },
    /// A target is NaN or infinite.
    #[error("target of row {row} is `{value}`, targets must be finite")]
    Target {
        /// Row, from 0.
        row: usize,
        /// The value.
        value: f64,
    },
    /// The rows to predict have another number of features than the training rows.
    #[error("rows have {found} features, the forest was fitted on {expected}")]
    Width {
        /// Features the forest was fitted on.
        expected: usize,
        /// Features given.
        found: usize,
    },
    /// The dataset carries weights.
    #[error("dataset has row weights, the forest does not support them")]
    Weights,
    /// The forest was fitted without a bootstrap, so no row is out of bag.
    #[error("forest was fitted on every row, out-of-bag predictions need the bootstrap")]
    NoBootstrap,
    /// An error of linfa's own.
    #[error("{0}")]
    Linfa(String),
}

impl From<linfa::Error> for ForestError {
    fn from(error: linfa::Error) -> Self {
        Self::Linfa(error.to_string())
    }
}
