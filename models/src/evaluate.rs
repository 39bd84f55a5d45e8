//! Scores of models on rows they did not see, per split and preset.

use polars::prelude::DataFrame;
use serde::Serialize;
use tilecast_runs::schema::col;

use crate::ModelError;
use crate::dataset::{Dataset, Target, Test};
use crate::fit::{FitOptions, fit_train};
use crate::preset::Preset;
use crate::score::{choice, mape, mdape, r2, r2_log};
use crate::split::Split;
use crate::table::texts_or_empty;

/// What to evaluate.
#[derive(Clone, Debug, PartialEq)]
pub struct EvaluateOptions {
    /// Quantity to predict.
    pub target: Target,
    /// Models.
    pub presets: Vec<Preset>,
    /// Ways to hold out.
    pub splits: Vec<Split>,
    /// Number of folds; `None` as in [`Split::folds`].
    pub folds: Option<usize>,
    /// Seed of splits and models.
    pub seed: u64,
    /// Trees of a forest.
    pub trees: usize,
}

impl Default for EvaluateOptions {
    fn default() -> Self {
        let (presets, splits) = (vec![Preset::Default], vec![Split::Rows]);
        Self { target: Target::Time, presets, splits, folds: None, seed: 0, trees: 100 }
    }
}

/// Scores of one preset on one split, as fractions. Test rows of all folds are scored together.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Score {
    /// Quantity predicted.
    pub target: Target,
    /// How rows were held out.
    pub split: Split,
    /// Model.
    pub preset: Preset,
    /// Training rows; with several folds their mean, rounded.
    pub n_train: usize,
    /// Test rows of all folds together.
    pub n_test: usize,
    /// Mean absolute percentage error.
    pub mape: f64,
    /// Median absolute percentage error.
    pub mdape: f64,
    /// R² in the target's unit; null where the test rows have one value.
    pub r2: Option<f64>,
    /// R² of logarithms.
    pub r2_log: Option<f64>,
    /// Kendall's τ within contests, weighted by rows: a contest is one problem of one family on one device in one cache mode.
    pub tau: Option<f64>,
    /// Regret of the row predicted best, mean over contests.
    pub top1: f64,
    /// Regret of the best of the five rows predicted best, mean over contests.
    pub top5: f64,
    /// Number of folds.
    pub folds: usize,
    /// Share of test rows inside their 90 % interval; null without intervals.
    pub coverage: Option<f64>,
    /// Mean width of the interval over the prediction.
    pub width: Option<f64>,
}

/// One test row.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Parity {
    /// Row of the frame given.
    pub row: usize,
    /// How it was held out.
    pub split: Split,
    /// Model.
    pub preset: Preset,
    /// Fold, from 0.
    pub fold: usize,
    /// Measured value.
    pub actual: f64,
    /// Predicted value.
    pub predicted: f64,
    /// Lower end of the 90 % interval.
    pub lo: Option<f64>,
    /// Upper end.
    pub hi: Option<f64>,
}

/// Scores and the test rows behind them.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// One per split and preset, in the order asked.
    pub scores: Vec<Score>,
    /// Every test row, in the order of scores.
    pub parity: Vec<Parity>,
    /// Rows merged into another of the same experiment.
    pub duplicates: usize,
    /// Rows that cannot be learned from: failed, skipped, not a point, or without target.
    pub unusable: usize,
}

/// Evaluates `options.presets` on `options.splits` of the usable rows.
///
/// # Errors
/// No usable rows, a split with one group, or a preset that cannot be fitted.
pub fn evaluate(frame: &DataFrame, options: &EvaluateOptions) -> Result<Evaluation, ModelError> {
    let data = Dataset::new(frame, options.target)?;
    let (duplicates, unusable) = (data.duplicates, data.unusable);
    let contests = contests(frame)?;
    let (mut scores, mut parity) = (Vec::new(), Vec::new());
    for &split in &options.splits {
        for &preset in &options.presets {
            let (n_train, folds, rows) = test(&data, options, split, preset)?;
            scores.push(score(options.target, split, preset, (n_train, folds), &rows, &contests));
            parity.extend(rows);
        }
    }
    Ok(Evaluation { scores, parity, duplicates, unusable })
}

/// Mean number of training rows, number of folds, and the test rows of all folds.
fn test(
    data: &Dataset,
    options: &EvaluateOptions,
    split: Split,
    preset: Preset,
) -> Result<(usize, usize, Vec<Parity>), ModelError> {
    let folds = split.folds(data, options.folds, options.seed)?;
    let (mut trained, mut rows) = (0, Vec::new());
    for (number, fold) in folds.iter().enumerate() {
        let (train, Test(held_out)) = fold.halves(data)?;
        trained += fold.train.len();
        let fit_options =
            FitOptions { target: options.target, preset, seed: options.seed, trees: options.trees, calibrate: Some(split) };
        let predictions = fit_train(&train, &fit_options)?.predict(&held_out.frame)?;
        let known = held_out.origin.iter().zip(&held_out.values);
        rows.extend(known.zip(predictions).map(|((&row, &actual), predicted)| {
            let (lo, hi) = (predicted.lo, predicted.hi);
            Parity { row, split, preset, fold: number, actual, predicted: predicted.value, lo, hi }
        }));
    }
    Ok(((trained + folds.len() / 2) / folds.len(), folds.len(), rows))
}

/// What each row's configuration competes for: one problem of one family on one device in one cache mode. Across devices or modes times
/// differ for reasons that no choice of a configuration has.
fn contests(frame: &DataFrame) -> Result<Vec<String>, ModelError> {
    let mut contests = vec![String::new(); frame.height()];
    for name in [col::family, col::device, col::problem_id, col::cache_mode] {
        for (contest, part) in contests.iter_mut().zip(texts_or_empty(frame, name)?) {
            *contest += &format!("{part}\n");
        }
    }
    Ok(contests)
}

fn score(
    target: Target,
    split: Split,
    preset: Preset,
    (n_train, folds): (usize, usize),
    rows: &[Parity],
    contests: &[String],
) -> Score {
    let actual: Vec<f64> = rows.iter().map(|row| row.actual).collect();
    let predicted: Vec<f64> = rows.iter().map(|row| row.predicted).collect();
    let groups: Vec<String> = rows.iter().map(|row| contests[row.row].clone()).collect();
    let choice = choice(&actual, &predicted, &groups);
    Score {
        target,
        split,
        preset,
        n_train,
        n_test: rows.len(),
        mape: mape(&actual, &predicted),
        mdape: mdape(&actual, &predicted),
        r2: r2(&actual, &predicted),
        r2_log: r2_log(&actual, &predicted),
        tau: choice.tau,
        top1: choice.top1,
        top5: choice.top5,
        folds,
        coverage: over(rows, |row, lo, hi| f64::from(u8::from((lo..=hi).contains(&row.actual)))),
        width: over(rows, |row, lo, hi| (hi - lo) / row.predicted),
    }
}

/// Mean of `value` over the rows that have an interval.
#[allow(clippy::cast_precision_loss)]
fn over(rows: &[Parity], value: impl Fn(&Parity, f64, f64) -> f64) -> Option<f64> {
    let values: Vec<f64> = rows.iter().filter_map(|row| Some(value(row, row.lo?, row.hi?))).collect();
    (!values.is_empty()).then(|| values.iter().sum::<f64>() / values.len() as f64)
}
