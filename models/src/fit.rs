//! From training rows to a [`Predictor`], and from a frame to predictions.

use std::collections::BTreeSet;

use linfa::ParamGuard;
use ndarray::{Array2, ArrayView2};
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use tilecast_runs::schema::col;

use crate::ModelError;
use crate::baseline::{Linear, Nearest};
use crate::dataset::{Dataset, Target, Train, median};
use crate::features::{Recipe, Wealth};
use crate::forest::Forest;
use crate::preset::Preset;
use crate::prior::Prior;
use crate::split::Split;
use crate::table::texts_or_empty;

/// What to fit.
#[derive(Clone, Debug, PartialEq)]
pub struct FitOptions {
    /// Quantity to predict.
    pub target: Target,
    /// Model.
    pub preset: Preset,
    /// Seed of everything random.
    pub seed: u64,
    /// Trees of a forest; 100 is the usual.
    pub trees: usize,
    /// What intervals are calibrated on: groups held out like this. `None` takes whole problems where there are at least five, else rows.
    pub calibrate: Option<Split>,
}

impl Default for FitOptions {
    fn default() -> Self {
        Self { target: Target::Time, preset: Preset::Default, seed: 0, trees: 100, calibrate: None }
    }
}

/// One prediction in the target's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Prediction {
    /// Predicted value.
    pub value: f64,
    /// Lower end of the 90 % interval; `None` where there were too few rows to calibrate.
    pub lo: Option<f64>,
    /// Upper end.
    pub hi: Option<f64>,
}

/// A fitted model.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Predictor {
    pub(crate) target: Target,
    pub(crate) preset: Preset,
    pub(crate) seed: u64,
    pub(crate) trees: usize,
    pub(crate) rows: usize,
    pub(crate) families: BTreeSet<String>,
    pub(crate) devices: BTreeSet<String>,
    pub(crate) fingerprint: String,
    pub(crate) tool_version: String,
    pub(crate) prior: Prior,
    pub(crate) recipe: Recipe,
    pub(crate) model: Model,
    /// Half width of the 90 % interval of ln(actual / predicted).
    pub(crate) half_width: Option<f64>,
}

/// The fitted part of each preset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Model {
    /// Predicts ln(target / prior).
    LogForest(Forest),
    /// Predicts the target itself.
    LinearForest(Forest),
    /// ln(target / prior) is one number.
    Constant(f64),
    /// Predicts ln(target / prior).
    Loglinear(Linear),
    /// Predicts ln(target / prior).
    Nearest(Nearest),
}

/// Share of intervals that should hold the truth.
const COVERAGE: f64 = 0.9;
/// Fewest rows to calibrate intervals on: the 90 % quantile of fewer is their maximum or does not exist.
const LEAST_CALIBRATION: usize = 10;

/// Fits on all usable rows of `frame`.
///
/// # Errors
/// No usable rows, simulated and measured rows together, or nothing that varies to learn from.
pub fn fit(frame: &DataFrame, options: &FitOptions) -> Result<Predictor, ModelError> {
    fit_train(&Dataset::new(frame, options.target)?.into_train(), options)
}

/// Fits on training rows. The target is the one the rows were made for. Intervals are split-conformal: the same model is
/// fitted on four fifths, and the 90 % quantile of |ln(actual / predicted)| over the rest (Vovk et al. 2005; with the
/// finite-sample correction ⌈0.9 (n + 1)⌉) becomes the half width.
///
/// # Errors
/// As [`fit`].
pub fn fit_train(Train(data): &Train, options: &FitOptions) -> Result<Predictor, ModelError> {
    let mut predictor = fit_only(data, options)?;
    predictor.half_width = calibrate(data, options)?;
    Ok(predictor)
}

pub(crate) fn fit_only(data: &Dataset, options: &FitOptions) -> Result<Predictor, ModelError> {
    let prior = prior(data, options.preset)?;
    let (recipe, x) = match options.preset {
        Preset::Roofline => (Recipe::default(), Array2::zeros((data.rows(), 0))),
        Preset::Default => Recipe::choose(&data.frame, Wealth::Engineered, &prior)?,
        Preset::Gpperf => Recipe::choose(&data.frame, Wealth::Raw, &prior)?,
        Preset::Loglinear | Preset::Nearest => Recipe::choose(&data.frame, Wealth::Logs, &prior)?,
    };
    if options.preset != Preset::Roofline && recipe.features.is_empty() {
        let reason = format!("no problem axis or knob varies over the {} training rows", data.rows());
        return Err(ModelError::Unfit { preset: options.preset.name(), reason });
    }
    let logs = log_targets(data, &prior)?;
    let model = fit_model(x.view(), &logs, &data.values, options)?;
    Ok(Predictor {
        target: data.target,
        preset: options.preset,
        seed: options.seed,
        trees: options.trees,
        rows: data.rows(),
        families: met(data, col::family)?,
        devices: met(data, col::device)?,
        fingerprint: data.fingerprint()?,
        tool_version: env!("CARGO_PKG_VERSION").to_owned(),
        prior,
        recipe,
        model,
        half_width: None,
    })
}

/// The texts of `column` among the training rows.
fn met(data: &Dataset, column: &str) -> Result<BTreeSet<String>, ModelError> {
    Ok(texts_or_empty(&data.frame, column)?.into_iter().filter(|text| !text.is_empty()).collect())
}

/// Time and energy grow with the prior; power does not.
fn prior(data: &Dataset, preset: Preset) -> Result<Prior, ModelError> {
    let prior = if data.target == Target::Power { Prior::None } else { Prior::of(&data.frame)? };
    Ok(match (preset, prior) {
        (Preset::Gpperf | Preset::Loglinear, _) => Prior::None,
        (Preset::Nearest, Prior::Roofline { work, .. }) => Prior::Flop { work },
        (_, prior) => prior,
    })
}

fn log_targets(data: &Dataset, prior: &Prior) -> Result<Vec<f64>, ModelError> {
    let seconds = prior.seconds(&data.frame)?;
    Ok(data.values.iter().zip(seconds).map(|(value, seconds)| (value / seconds).ln()).collect())
}

fn fit_model(x: ArrayView2<'_, f64>, logs: &[f64], values: &[f64], options: &FitOptions) -> Result<Model, ModelError> {
    let unfit = |reason| ModelError::Unfit { preset: options.preset.name(), reason };
    let forest = |y| -> Result<Forest, ModelError> {
        let params = options.preset.forest(options.trees, options.seed).expect("only forest presets come here").check()?;
        Ok(Forest::fit(&params, x, y)?)
    };
    Ok(match options.preset {
        Preset::Default => Model::LogForest(forest(logs)?),
        Preset::Gpperf => Model::LinearForest(forest(values)?),
        Preset::Roofline => Model::Constant(median(logs.to_vec())),
        Preset::Loglinear => Model::Loglinear(Linear::fit(x, logs).map_err(unfit)?),
        Preset::Nearest => Model::Nearest(Nearest::fit(x, logs)),
    })
}

/// Half width of the interval, `None` where there are too few rows.
fn calibrate(data: &Dataset, options: &FitOptions) -> Result<Option<f64>, ModelError> {
    let mut split = options.calibrate.unwrap_or(Split::Shape);
    if split.groups(data)? < 5 {
        split = Split::Rows;
    }
    if data.rows() < 5 * LEAST_CALIBRATION {
        return Ok(None);
    }
    let fold = split.folds(data, None, options.seed)?.swap_remove(0);
    let (Train(rest), held_out) = fold.halves(data)?;
    let predictor = match fit_only(&rest, options) {
        Err(ModelError::Unfit { .. }) => return Ok(None),
        other => other?,
    };
    let predicted = predictor.values(&held_out.0.frame)?;
    let mut errors: Vec<f64> = predicted.iter().zip(&held_out.0.values).map(|(p, a)| (a / p).ln().abs()).collect();
    errors.sort_unstable_by(f64::total_cmp);
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let rank = (COVERAGE * (errors.len() as f64 + 1.0)).ceil() as usize;
    Ok(if rank <= errors.len() { Some(errors[rank - 1]) } else { errors.last().copied() })
}

impl Predictor {
    /// Predictions for every row of `frame`, in the target's unit.
    ///
    /// # Errors
    /// Names the columns that the model was fitted on and `frame` lacks.
    pub fn predict(&self, frame: &DataFrame) -> Result<Vec<Prediction>, ModelError> {
        let interval = |value: f64| {
            let factor = self.half_width.map(f64::exp);
            Prediction { value, lo: factor.map(|factor| value / factor), hi: factor.map(|factor| value * factor) }
        };
        Ok(self.values(frame)?.into_iter().map(interval).collect())
    }

    pub(crate) fn values(&self, frame: &DataFrame) -> Result<Vec<f64>, ModelError> {
        let x = self.recipe.matrix(frame, &self.prior)?;
        let seconds = self.prior.seconds(frame)?;
        let unfit = |reason| ModelError::Unfit { preset: self.preset.name(), reason };
        let logs = match &self.model {
            Model::LinearForest(forest) => return Ok(forest.try_predict(x.view())?),
            Model::LogForest(forest) => forest.try_predict(x.view())?,
            Model::Constant(log) => vec![*log; frame.height()],
            Model::Loglinear(linear) => linear.predict(x.view()),
            Model::Nearest(nearest) => nearest.predict(x.view()).map_err(unfit)?,
        };
        Ok(logs.into_iter().zip(seconds).map(|(log, seconds)| log.exp() * seconds).collect())
    }

    /// Quantity it predicts.
    #[must_use]
    pub fn target(&self) -> Target {
        self.target
    }

    /// Preset it was fitted with.
    #[must_use]
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// Rows it was fitted on.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Kernel families among those rows. Of any other it knows nothing, though [`Predictor::predict`] gives a number.
    #[must_use]
    pub fn families(&self) -> &BTreeSet<String> {
        &self.families
    }

    /// Devices among those rows. What it says of another rests on that device's roofs alone.
    #[must_use]
    pub fn devices(&self) -> &BTreeSet<String> {
        &self.devices
    }

    /// Hash of the experiments and targets it was fitted on, 32 hexadecimal digits.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    /// Names of its features, in order; empty for `roofline`.
    #[must_use]
    pub fn features(&self) -> Vec<String> {
        self.recipe.features.iter().map(crate::features::Feature::name).collect()
    }
}
