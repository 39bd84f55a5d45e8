//! Permutation importance (Breiman 2001): how much worse predictions get when one feature is shuffled.

use ndarray::{Array2, ArrayView2};
use rayon::prelude::*;

use super::{Forest, ForestError, check};
use crate::rng::Rng;

/// Importance of one feature.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Importance {
    /// Feature, from 0.
    pub feature: usize,
    /// Increase of the mean squared error over the rows, in squared units of the target; near 0 (or a little below) where
    /// the feature plays no part.
    pub increase: f64,
}

impl Forest {
    /// Permutation importance of every feature over rows that the forest should not have been fitted on, in feature order.
    /// `repeats` shuffles are averaged.
    ///
    /// # Errors
    /// As [`Forest::predict`], and where lengths differ or there is no row.
    pub fn permutation_importance(
        &self,
        x: ArrayView2<'_, f64>,
        y: &[f64],
        seed: u64,
        repeats: usize,
    ) -> Result<Vec<Importance>, ForestError> {
        check(x, y)?;
        let base = mean_squared(&self.predict(x)?, y);
        let shuffled = |feature: usize, repeat: usize| -> Result<f64, ForestError> {
            let moved = shuffle_column(x, feature, &mut Rng::new(seed, (feature * repeats + repeat) as u64));
            Ok(mean_squared(&self.predict(moved.view())?, y))
        };
        (0..self.features())
            .into_par_iter()
            .map(|feature| {
                let errors: Vec<f64> = (0..repeats.max(1)).map(|repeat| shuffled(feature, repeat)).collect::<Result<_, _>>()?;
                #[allow(clippy::cast_precision_loss)]
                let mean = errors.iter().sum::<f64>() / errors.len() as f64;
                Ok(Importance { feature, increase: mean - base })
            })
            .collect()
    }
}

fn shuffle_column(x: ArrayView2<'_, f64>, feature: usize, rng: &mut Rng) -> Array2<f64> {
    let mut column = x.column(feature).to_vec();
    rng.shuffle(&mut column);
    let mut moved = x.to_owned();
    moved.column_mut(feature).iter_mut().zip(column).for_each(|(to, from)| *to = from);
    moved
}

#[allow(clippy::cast_precision_loss)]
fn mean_squared(predicted: &[f64], actual: &[f64]) -> f64 {
    predicted.iter().zip(actual).map(|(p, a)| (p - a).powi(2)).sum::<f64>() / actual.len() as f64
}
