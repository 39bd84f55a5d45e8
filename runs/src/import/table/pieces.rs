//! Text columns of a batch, made in pieces on all cores.

use std::ops::Range;

use polars::prelude::*;
use rayon::prelude::*;

/// Rows that one core takes at a time.
pub(super) const PIECE: usize = 8192;

/// The columns that `make` builds of each piece, below each other. `scratch` is made once per core or so and given to each of its pieces.
pub(super) fn in_pieces<S>(
    rows: usize,
    scratch: impl Fn() -> S + Send + Sync,
    make: impl Fn(&mut S, Range<usize>) -> PolarsResult<Vec<StringChunked>> + Send + Sync,
) -> PolarsResult<Vec<Column>> {
    let starts: Vec<usize> = (0..rows).step_by(PIECE).collect();
    let piece = |scratch: &mut S, start: usize| make(scratch, start..(start + PIECE).min(rows));
    let mut pieces = starts.into_par_iter().map_init(scratch, piece).collect::<PolarsResult<Vec<_>>>()?.into_iter();
    let mut columns = pieces.next().unwrap_or_default();
    for piece in pieces {
        for (column, more) in columns.iter_mut().zip(&piece) {
            column.append(more)?;
        }
    }
    Ok(columns.into_iter().map(|column| column.rechunk().into_owned().into_column()).collect())
}
