//! What can be wrong with a question.

use crate::frame::FrameError;

/// Why a frame cannot be asked this.
#[derive(Debug, thiserror::Error)]
pub enum QueryError {
    /// The expression is no expression.
    #[error("expression `{text}`: found {found} at character {at}, expected {expected}")]
    Syntax {
        /// The whole expression.
        text: String,
        /// What stands there: `` `word` `` or `the end`.
        found: String,
        /// Place, counted from 1.
        at: usize,
        /// What may stand there.
        expected: &'static str,
    },
    /// Parentheses and `not` inside each other without end.
    #[error("expression is nested deeper than {limit} levels")]
    Depth {
        /// Levels allowed.
        limit: usize,
    },
    /// No column of this name.
    #[error("column `{name}` is not in the store")]
    NoColumn {
        /// As asked.
        name: String,
        /// Advice: the nearest name, or some that there are.
        advice: String,
    },
    /// A short name that stands for several columns.
    #[error("column `{name}` may be any of {}", quoted(.known))]
    Ambiguous {
        /// As asked.
        name: String,
        /// What it may stand for.
        known: Vec<String>,
    },
    /// Two sides that cannot be compared.
    #[error("`{left}` holds {kind}, compared with {other}")]
    Types {
        /// Column or literal.
        left: String,
        /// What it holds.
        kind: &'static str,
        /// The other side.
        other: String,
    },
    /// A column of lists where one value per row is needed.
    #[error("column `{name}` holds {kind}, expected {expected}")]
    Kind {
        /// The column.
        name: String,
        /// What it holds.
        kind: &'static str,
        /// What is needed.
        expected: &'static str,
    },
    /// A word that names no way to sum up.
    #[error("unknown aggregate `{word}`")]
    Aggregate {
        /// As asked.
        word: String,
    },
    /// A frame that is not of the schema.
    #[error(transparent)]
    Frame(#[from] FrameError),
    /// Polars refused.
    #[error("frame: {0}")]
    Polars(#[from] polars::prelude::PolarsError),
}

impl QueryError {
    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<&str> {
        match self {
            Self::Syntax { .. } => {
                Some("write for example `family = 'gemm_tiled' and time_s < 1e-3 and knob.tile_m in (64, 128)`")
            }
            Self::Depth { .. } => Some("leave out some parentheses"),
            Self::NoColumn { advice, .. } => Some(advice),
            Self::Ambiguous { .. } => Some("write the whole name"),
            Self::Types { .. } => Some("put texts in quotes, numbers without; `--schema` lists what columns hold"),
            Self::Kind { .. } => Some("`--schema` lists what columns hold"),
            Self::Aggregate { .. } => Some(
                "count, distinct, sum, mean, std, min, max, median or a quantile such as p10 or p99.9; `p90(power_w)` names the column",
            ),
            Self::Frame(error) => error.hint(),
            Self::Polars(_) => None,
        }
    }
}

fn quoted(names: &[String]) -> String {
    names.iter().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
}
