//! Predictions of a forest: the mean of its trees.

use linfa::traits::PredictInplace;
use ndarray::{Array1, Array2, ArrayView2};
use rayon::prelude::*;

use super::codes::{Code, Table};
use super::tree::ABREAST;
use super::{Forest, ForestError, check_finite};

/// Rows per unit of parallel work: their codes and sums stay in the second-level cache beside one tree.
const CHUNK: usize = 2048;

/// Mean and spread of the trees at one row.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moments {
    /// Mean of the trees' predictions, the forest's prediction.
    pub(crate) mean: f64,
    /// Standard deviation of the trees' predictions.
    pub(crate) spread: f64,
}

impl Forest {
    /// Predictions for the rows of `x`.
    ///
    /// # Errors
    /// Where `x` has another number of features than the training rows, or a value is NaN or infinite.
    pub fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>, ForestError> {
        Ok(self.sums(x, |value| f64::from(value))?.into_iter().map(|sum| self.restore(sum)).collect())
    }

    /// Mean and spread over the trees for the rows of `x`.
    pub(crate) fn moments(&self, x: ArrayView2<'_, f64>) -> Result<Vec<Moments>, ForestError> {
        let sums = self.sums(x, Pair::new)?;
        Ok(sums.into_iter().map(|pair| self.moments_of(pair)).collect())
    }

    #[allow(clippy::cast_precision_loss)]
    fn moments_of(&self, pair: Pair) -> Moments {
        let (count, unit) = (self.trees.len() as f64, self.range.high / 2.0 - self.range.low / 2.0);
        let variance = (pair.squares / count - (pair.sum / count).powi(2)).max(0.0);
        Moments { mean: self.restore(pair.sum), spread: variance.sqrt() * unit }
    }

    #[allow(clippy::cast_precision_loss)]
    fn restore(&self, sum: f64) -> f64 {
        self.range.restore(sum / self.trees.len() as f64)
    }

    fn sums<S: Sum>(&self, x: ArrayView2<'_, f64>, take: impl Fn(f32) -> S + Sync) -> Result<Vec<S>, ForestError> {
        if x.ncols() != self.features() {
            return Err(ForestError::Width { expected: self.features(), found: x.ncols() });
        }
        check_finite(x)?;
        if self.grid.widest() <= 1 << 8 {
            Ok(self.sums_of(&self.grid.table::<u8>(x, 1), x.nrows(), take))
        } else {
            Ok(self.sums_of(&self.grid.table::<u16>(x, 1), x.nrows(), take))
        }
    }

    fn sums_of<C: Code, S: Sum>(&self, table: &Table<C>, rows: usize, take: impl Fn(f32) -> S + Sync) -> Vec<S> {
        let mut sums = vec![S::default(); rows];
        sums.par_chunks_mut(CHUNK).enumerate().for_each(|(chunk, sums)| {
            for tree in &self.trees {
                let mut groups = sums.chunks_exact_mut(ABREAST);
                let mut row = chunk * CHUNK;
                for group in &mut groups {
                    let values = tree.walk(table, row);
                    group.iter_mut().zip(values).for_each(|(sum, value)| sum.add(take(value)));
                    row += ABREAST;
                }
                for sum in groups.into_remainder() {
                    sum.add(take(tree.walk_one(table.row(row))));
                    row += 1;
                }
            }
        });
        sums
    }
}

/// What is added up over the trees.
trait Sum: Copy + Default + Send + Sync {
    fn add(&mut self, other: Self);
}

impl Sum for f64 {
    #[inline]
    fn add(&mut self, other: Self) {
        *self += other;
    }
}

/// Sum and sum of squares.
#[derive(Clone, Copy, Default)]
struct Pair {
    sum: f64,
    squares: f64,
}

impl Pair {
    fn new(value: f32) -> Self {
        let value = f64::from(value);
        Self { sum: value, squares: value * value }
    }
}

impl Sum for Pair {
    #[inline]
    fn add(&mut self, other: Self) {
        self.sum += other.sum;
        self.squares += other.squares;
    }
}

impl PredictInplace<Array2<f64>, Array1<f64>> for Forest {
    /// Predicts in place. linfa's trait has no way to refuse: use [`Forest::predict`] for rows that were not checked.
    ///
    /// # Panics
    /// Where [`Forest::predict`] would return an error, or `y` has another length than `x` has rows.
    fn predict_inplace<'a>(&'a self, x: &'a Array2<f64>, y: &mut Array1<f64>) {
        let predicted = self.predict(x.view()).unwrap_or_else(|error| panic!("{error}"));
        assert_eq!(predicted.len(), y.len(), "one target per row");
        y.assign(&Array1::from(predicted));
    }

    fn default_target(&self, x: &Array2<f64>) -> Array1<f64> {
        Array1::zeros(x.nrows())
    }
}
