//! How much better a model looks on rows held out at random than on shapes it has not seen.

use std::collections::BTreeMap;

use polars::prelude::DataFrame;
use tilecast_runs::audit::{Check, Example, Finding, Severity};
use tilecast_runs::schema::col;

use crate::ModelError;
use crate::dataset::{Dataset, Target, Test, take};
use crate::fit::{FitOptions, fit_only};
use crate::score::mape;
use crate::shape::shapes;
use crate::split::{FOLDS, Fold, Split, balance, by_key};
use crate::table::texts_or_empty;

/// Rows that a quick look takes at most.
const ROWS: usize = 4000;
/// Rows among which repeats are merged first, to get there.
const CANDIDATES: usize = 8 * ROWS;
/// Fewest rows and shapes from which a gap says anything.
const LEAST: (usize, usize) = (100, 8);
/// Trees of the quick forest.
const TREES: usize = 30;
/// The gap that counts: so many times the random error, and so much more of the value.
const RATIO: f64 = 3.0;
const APART: f64 = 0.05;

/// One held-out row: its place, and how far off the prediction was, as a fraction.
struct Miss {
    row: usize,
    actual: f64,
    predicted: f64,
}

impl Miss {
    fn error(&self) -> f64 {
        (self.predicted - self.actual).abs() / self.actual
    }
}

/// The gap between random and grouped scores of a quick forest on run time, where it is large. Repeats are merged first: twins are another finding.
///
/// `None` where there are too few rows or shapes, where simulated and measured rows stand together, or where nothing varies to learn from.
///
/// # Errors
/// A column of the schema holds another type than it should.
pub fn leakage(frame: &DataFrame, seed: u64) -> Result<Option<Finding>, ModelError> {
    let all = by_key(shapes(frame)?);
    if all.len() < LEAST.1 {
        return Ok(None);
    }
    let data = match Dataset::new(&take(frame, &sample(all, CANDIDATES))?, Target::Time) {
        Err(ModelError::NoTarget { .. } | ModelError::MixedSources { .. }) => return Ok(None),
        other => other?,
    };
    let data = data.select(&sample(by_key(shapes(&data.frame)?), ROWS))?;
    let shapes = by_key(shapes(&data.frame)?);
    let count = shapes.len();
    if data.rows() < LEAST.0 || count < LEAST.1 {
        return Ok(None);
    }
    let at_random = Split::Rows.folds(&data, None, seed)?;
    let by_shape = balance(shapes.into_values().collect(), FOLDS, data.rows(), seed);
    let (random, grouped) = match (misses(&data, &at_random, seed), misses(&data, &by_shape, seed)) {
        (Err(ModelError::Unfit { .. }), _) | (_, Err(ModelError::Unfit { .. })) => return Ok(None),
        (random, grouped) => (random?, grouped?),
    };
    let (at_random, by_shape) = (score(&random), score(&grouped));
    if by_shape < RATIO * at_random || by_shape - at_random < APART {
        return Ok(None);
    }
    finding(&data, count, (at_random, by_shape), grouped).map(Some)
}

/// Rows for a quick look: as many of each shape, evenly spread.
fn sample(shapes: BTreeMap<String, Vec<usize>>, most: usize) -> Vec<usize> {
    let each = (most / shapes.len().max(1)).max(1);
    let apart = shapes.len().div_ceil(most).max(1);
    let few = |rows: Vec<usize>| {
        let step = rows.len().div_ceil(each).max(1);
        rows.into_iter().step_by(step)
    };
    let mut rows: Vec<usize> = shapes.into_values().step_by(apart).flat_map(few).collect();
    rows.sort_unstable();
    rows
}

fn misses(data: &Dataset, folds: &[Fold], seed: u64) -> Result<Vec<Miss>, ModelError> {
    let options = FitOptions { trees: TREES, seed, ..FitOptions::default() };
    let mut misses = Vec::new();
    for fold in folds {
        let (train, Test(held_out)) = fold.halves(data)?;
        let predicted = fit_only(&train.0, &options)?.values(&held_out.frame)?;
        let both = fold.test.iter().zip(&held_out.values).zip(predicted);
        misses.extend(both.map(|((&row, &actual), predicted)| Miss { row, actual, predicted }));
    }
    Ok(misses)
}

fn score(misses: &[Miss]) -> f64 {
    let (actual, predicted): (Vec<f64>, Vec<f64>) = misses.iter().map(|miss| (miss.actual, miss.predicted)).unzip();
    mape(&actual, &predicted)
}

fn finding(data: &Dataset, shapes: usize, (random, grouped): (f64, f64), mut misses: Vec<Miss>) -> Result<Finding, ModelError> {
    misses.sort_by(|a, b| b.error().total_cmp(&a.error()));
    let bad = misses.iter().filter(|miss| miss.error() > RATIO * random).count();
    let detail = format!(
        "a forest on {} experiments over {shapes} shapes misses run time by {:.1} % (mean) on rows held out at random, by {:.1} % on shapes held \
         out whole",
        data.rows(),
        random * 100.0,
        grouped * 100.0
    );
    let [runs, ids, configs] = [col::run_id, col::experiment_id, col::config].map(|name| texts_or_empty(&data.frame, name));
    let (runs, ids, configs) = (runs?, ids?, configs?);
    let example = |miss: &Miss| Example {
        run_id: runs[miss.row].clone(),
        experiment_id: ids[miss.row].clone(),
        config: configs[miss.row].clone(),
        shows: format!("time_s = {:.3e}, predicted without its shape {:.3e}", miss.actual, miss.predicted),
    };
    let examples = misses.iter().take(3).map(example).collect();
    Ok(Finding::new(&Check::SPLIT_GAP, Severity::Warning, (bad, misses.len()), detail).about(col::problem_id).showing(examples))
}
