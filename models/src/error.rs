//! Everything that can go wrong between a frame and a prediction.

use crate::forest::ForestError;

/// Why data could not be used, a model not fitted, or a prediction not made.
#[derive(Debug, thiserror::Error)]
pub enum ModelError {
    /// Columns the model or the target needs are absent.
    #[error("frame lacks columns {}, the model needs them", quoted(.columns))]
    MissingColumns {
        /// Their names.
        columns: Vec<String>,
    },
    /// No row can be used.
    #[error("frame has {rows} rows but none with status `ok` and a positive `{column}`{}", because(.reason))]
    NoTarget {
        /// Column of the target.
        column: &'static str,
        /// Rows in the frame.
        rows: usize,
        /// Reason given in the frame, if any.
        reason: Option<String>,
    },
    /// Simulated and measured rows in one frame.
    #[error("frame mixes {simulated} simulated rows (source `vgpu`) with {measured} measured ones, a model takes one kind only")]
    MixedSources {
        /// Rows from the virtual GPU.
        simulated: usize,
        /// Other rows.
        measured: usize,
    },
    /// A grouped split with nothing to hold out.
    #[error("split `{split}` needs at least 2 different {what}, the data has {groups}")]
    OneGroup {
        /// Name of the split.
        split: &'static str,
        /// What the groups are.
        what: &'static str,
        /// Groups found.
        groups: usize,
    },
    /// A number of folds that makes no sense.
    #[error("number of folds is {folds}, must be 2 to {limit}")]
    Folds {
        /// Asked for.
        folds: usize,
        /// Rows or groups there are.
        limit: usize,
    },
    /// Too few rows to fit and hold out.
    #[error("data has {rows} usable rows, at least {least} are needed")]
    TooFewRows {
        /// Rows there are.
        rows: usize,
        /// Rows needed.
        least: usize,
    },
    /// A word that names nothing.
    #[error("{what} `{given}` is unknown, must be one of {}", quoted(.known))]
    Unknown {
        /// What was to be named: preset, split, target.
        what: &'static str,
        /// The word.
        given: String,
        /// What there is.
        known: Vec<String>,
    },
    /// The preset has nothing to work with in this frame.
    #[error("preset `{preset}` cannot be fitted: {reason}")]
    Unfit {
        /// Name of the preset.
        preset: &'static str,
        /// What is missing.
        reason: String,
    },
    /// From the forest.
    #[error(transparent)]
    Forest(#[from] ForestError),
    /// From reading the frame.
    #[error(transparent)]
    Frame(#[from] tilecast_runs::frame::FrameError),
    /// From Polars.
    #[error(transparent)]
    Polars(#[from] polars::prelude::PolarsError),
}

impl ModelError {
    /// Advice, where there is any.
    #[must_use]
    pub fn hint(&self) -> Option<&'static str> {
        match self {
            Self::MissingColumns { .. } => {
                Some("predict for rows with the same problem axes, knobs and roofs as the model was fitted on")
            }
            Self::NoTarget { .. } => Some("choose another target, or measure where the quantity can be read"),
            Self::MixedSources { .. } => Some("keep simulated sweeps in a store of their own"),
            Self::OneGroup { .. } => Some("choose split `rows`, or measure more shapes, configurations or devices"),
            Self::TooFewRows { .. } => Some("measure more points"),
            Self::Folds { .. } => Some("ask for fewer folds, or measure more of what is held out"),
            Self::Unknown { .. } => Some("choose one of those"),
            Self::Unfit { .. } => Some("choose another preset, or measure points that differ"),
            Self::Frame(source) => source.hint(),
            Self::Forest(_) | Self::Polars(_) => None,
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}

fn because(reason: &Option<String>) -> String {
    reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default()
}
