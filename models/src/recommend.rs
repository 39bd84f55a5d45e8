//! The candidates a model thinks best.

use polars::prelude::DataFrame;
use serde::Serialize;

use crate::ModelError;
use crate::fit::Predictor;

/// One candidate.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Ranked {
    /// Row of the candidates' frame.
    pub row: usize,
    /// Predicted value in the target's unit.
    pub predicted: f64,
    /// Lower end of the 90 % interval.
    pub lo: Option<f64>,
    /// Upper end.
    pub hi: Option<f64>,
}

/// The `top` candidates with the smallest prediction, best first; equal ones in the order given. A frame of candidates has the columns of
/// runs, without targets.
///
/// # Errors
/// As [`Predictor::predict`].
pub fn rank(predictor: &Predictor, candidates: &DataFrame, top: usize) -> Result<Vec<Ranked>, ModelError> {
    let predictions = predictor.predict(candidates)?.into_iter().enumerate();
    let ranked = |(row, p): (usize, crate::Prediction)| Ranked { row, predicted: p.value, lo: p.lo, hi: p.hi };
    let mut all: Vec<Ranked> = predictions.map(ranked).collect();
    all.sort_by(|a, b| a.predicted.total_cmp(&b.predicted));
    all.truncate(top);
    Ok(all)
}
