//! The models that are no forests, on linfa: what a forest has to beat.

use linfa::Dataset as LinfaDataset;
use linfa::traits::Fit;
use linfa_linear::LinearRegression;
use linfa_nn::{CommonNearestNeighbour, NearestNeighbour, distance::L2Dist};
use ndarray::{Array1, Array2, ArrayView2, Axis, concatenate};
use serde::{Deserialize, Serialize};

/// Centre and scale of every feature.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Scaling {
    mean: Vec<f64>,
    deviation: Vec<f64>,
}

impl Scaling {
    /// Of columns that vary, at least one row.
    fn of(x: ArrayView2<'_, f64>) -> Self {
        let mean = x.mean_axis(Axis(0)).map(|mean| mean.to_vec()).unwrap_or_default();
        Self { mean, deviation: x.std_axis(Axis(0), 0.0).mapv(|d| if d > 0.0 { d } else { 1.0 }).to_vec() }
    }

    fn apply(&self, x: ArrayView2<'_, f64>) -> Array2<f64> {
        let (mean, deviation) = (Array1::from(self.mean.clone()), Array1::from(self.deviation.clone()));
        (x.to_owned() - &mean) / &deviation
    }
}

/// Least squares with an intercept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Linear {
    scaling: Scaling,
    weights: Vec<f64>,
    intercept: f64,
}

/// Ridge in units of one row's variance: too small to move a coefficient, enough for features that depend on each other.
const RIDGE: f64 = 1e-6;

impl Linear {
    pub(crate) fn fit(x: ArrayView2<'_, f64>, y: &[f64]) -> Result<Self, String> {
        let scaling = Scaling::of(x);
        #[allow(clippy::cast_precision_loss)]
        let rows = y.len() as f64;
        let intercept = y.iter().sum::<f64>() / rows;
        let ridge = Array2::eye(x.ncols()) * (RIDGE * rows).sqrt();
        let scaled = scaling.apply(x);
        let padded = concatenate(Axis(0), &[scaled.view(), ridge.view()]).map_err(|error| error.to_string())?;
        let targets = y.iter().map(|y| y - intercept).chain(std::iter::repeat_n(0.0, x.ncols())).collect();
        let model = LinearRegression::new().with_intercept(false);
        let fitted = model.fit(&LinfaDataset::new(padded, targets)).map_err(|error| error.to_string())?;
        Ok(Self { scaling, weights: fitted.params().to_vec(), intercept })
    }

    pub(crate) fn predict(&self, x: ArrayView2<'_, f64>) -> Vec<f64> {
        (self.scaling.apply(x).dot(&Array1::from(self.weights.clone())) + self.intercept).to_vec()
    }
}

/// The nearest training row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Nearest {
    scaling: Scaling,
    points: Vec<Vec<f64>>,
    values: Vec<f64>,
}

impl Nearest {
    pub(crate) fn fit(x: ArrayView2<'_, f64>, y: &[f64]) -> Self {
        let scaling = Scaling::of(x);
        let points = scaling.apply(x).rows().into_iter().map(|row| row.to_vec()).collect();
        Self { scaling, points, values: y.to_vec() }
    }

    pub(crate) fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>, String> {
        let points: Vec<f64> = self.points.concat();
        let points = Array2::from_shape_vec((self.points.len(), x.ncols()), points).map_err(|error| error.to_string())?;
        let tree = CommonNearestNeighbour::KdTree.from_batch(&points, L2Dist).map_err(|error| error.to_string())?;
        let nearest = |row: ndarray::ArrayView1<'_, f64>| {
            let found = tree.k_nearest(row, 1).map_err(|error| error.to_string())?;
            found.first().map(|(_, at)| self.values[*at]).ok_or_else(|| "no training row".to_owned())
        };
        self.scaling.apply(x).rows().into_iter().map(nearest).collect()
    }
}
