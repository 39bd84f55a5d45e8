//! Looking at a frame of runs: which rows, which columns, in what order, summed up how.
//!
//! | module | holds |
//! |---|---|
//! | `token`, `parse` | the text of an expression → [`Expr`] |
//! | `columns` | what a name in an expression means in a frame |
//! | `evaluate` | an expression over a frame → the rows where it is true |
//! | `arrange` | choosing and ordering columns and rows |
//! | `group` | groups and what is computed over each |
//! | `describe` | columns and counts of a frame |
//!
//! The language of `--where`: comparisons (`=`, `!=`, `<`, `<=`, `>`, `>=`) of columns with numbers, quoted texts, `true`, `false` and other columns;
//! `in (…)`, `between … and …`, `like '…'` (`%` any text, `_` one character, case ignored), `is null`, `is not null`; joined with `and`, `or`,
//! `not` and parentheses. A comparison with null is neither true nor false, as in SQL.

mod arrange;
mod columns;
mod describe;
mod error;
mod evaluate;
mod group;
mod parse;
mod token;

pub use arrange::{head, select, sort};
pub use columns::resolve;
pub use describe::{ColumnSummary, Counts, counts, describe};
pub use error::QueryError;
pub use evaluate::{filter, rows_where};
pub use group::{Aggregate, group};
pub use parse::{Compare, Expr, Literal, Operand, parse};
