//! Which columns a model leans on: shuffle one column of the frame, make all features again, and see how much worse it gets.
//!
//! Shuffling the column, not the feature, counts everything that is derived from it together.

use polars::prelude::*;
use serde::Serialize;
use tilecast_runs::frame::open_columns;
use tilecast_runs::schema::{KNOB, PROBLEM, col};

use crate::ModelError;
use crate::dataset::Dataset;
use crate::fit::Predictor;
use crate::rng::Rng;
use crate::score::mape;

/// Importance of one column.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnImportance {
    /// Column of the frame.
    pub column: String,
    /// Increase of the mean absolute percentage error, as a fraction.
    pub increase: f64,
}

/// Permutation importance of the problem axes, knobs, data type, device and family of `frame`, largest first. Rows the model was not
/// fitted on give the honest answer; on its own training rows importances are exaggerated.
///
/// # Errors
/// As [`Predictor::predict`], and where no row has the model's target.
pub fn importance(predictor: &Predictor, frame: &DataFrame, seed: u64) -> Result<Vec<ColumnImportance>, ModelError> {
    let data = Dataset::new(frame, predictor.target())?;
    let base = mape(&data.values, &predictor.values(&data.frame)?);
    let fixed = [col::dtype, col::device, col::family].into_iter().filter(|name| data.frame.column(name).is_ok()).map(str::to_owned);
    let columns = [open_columns(&data.frame, PROBLEM), open_columns(&data.frame, KNOB), fixed.collect()].concat();
    let mut all = Vec::new();
    for (stream, column) in columns.into_iter().enumerate() {
        if data.frame.column(&column)?.n_unique()? < 2 {
            continue;
        }
        let shuffled = shuffle(&data.frame, &column, &mut Rng::new(seed, stream as u64))?;
        all.push(ColumnImportance { column, increase: mape(&data.values, &predictor.values(&shuffled)?) - base });
    }
    all.sort_by(|a, b| b.increase.total_cmp(&a.increase));
    Ok(all)
}

fn shuffle(frame: &DataFrame, column: &str, rng: &mut Rng) -> Result<DataFrame, ModelError> {
    #[allow(clippy::cast_possible_truncation)] // Polars counts rows in 32 bits here
    let mut rows: Vec<IdxSize> = (0..frame.height() as IdxSize).collect();
    rng.shuffle(&mut rows);
    let moved = frame.column(column)?.take(&IdxCa::from_vec("rows".into(), rows))?;
    let mut frame = frame.clone();
    frame.with_column(moved)?;
    Ok(frame)
}
