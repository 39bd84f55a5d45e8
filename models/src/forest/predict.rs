//! Predictions of a forest: the mean of its trees.

use linfa::traits::PredictInplace;
use ndarray::{Array1, Array2, ArrayView2};
use rayon::prelude::*;

use super::codes::Code;
use super::tree::ABREAST;
use super::{Forest, ForestError, check_finite};

/// Fewest and most rows per unit of parallel work. Each unit reads the whole forest (20 MB at full depth), so many rows must
/// share a pass: 2,048 rows took 1.5 times the CPU time of 16,384.
const CHUNK: (usize, usize) = (512, 16_384);

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
        Ok(if self.grid.widest() <= 1 << 8 { self.sums_by::<u8, S>(x, take) } else { self.sums_by::<u16, S>(x, take) })
    }

    fn sums_by<C: Code, S: Sum>(&self, x: ArrayView2<'_, f64>, take: impl Fn(f32) -> S + Sync) -> Vec<S> {
        match self.features() {
            ..=16 => self.sums_of::<C, S, 16>(x, take),
            17..=64 => self.sums_of::<C, S, 64>(x, take),
            65..=256 => self.sums_of::<C, S, 256>(x, take),
            _ => self.sums_of_wide::<C, S>(x, take),
        }
    }

    fn sums_of<C: Code, S: Sum, const WIDTH: usize>(&self, x: ArrayView2<'_, f64>, take: impl Fn(f32) -> S + Sync) -> Vec<S> {
        let table = self.grid.table::<C>(x, WIDTH);
        let (rows, _) = table.codes.as_chunks::<WIDTH>();
        let mut sums = vec![S::default(); x.nrows()];
        let chunk = x.nrows().div_ceil(rayon::current_num_threads()).clamp(CHUNK.0, CHUNK.1);
        sums.par_chunks_mut(chunk).zip(rows.par_chunks(chunk)).for_each(|(sums, rows)| self.sum_chunk(sums, rows, &take));
        sums
    }

    /// Adds up the trees for one chunk of rows. Rows go down in the order of their codes: neighbours then share most of their
    /// nodes and reach leaves at similar depths, which spares cache misses.
    fn sum_chunk<C: Code, S: Sum, const WIDTH: usize>(&self, sums: &mut [S], rows: &[[C; WIDTH]], take: &impl Fn(f32) -> S) {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_unstable_by_key(|&row| (rows[row], row));
        let sorted: Vec<[C; WIDTH]> = order.iter().map(|&row| rows[row]).collect();
        let (groups, rest) = sorted.as_chunks::<ABREAST>();
        let mut ordered = vec![S::default(); rows.len()];
        for tree in &self.trees {
            let (group_sums, rest_sums) = ordered.split_at_mut(groups.len() * ABREAST);
            for (sums, group) in group_sums.chunks_exact_mut(ABREAST).zip(groups) {
                sums.iter_mut().zip(tree.walk(group)).for_each(|(sum, value)| sum.add(take(value)));
            }
            rest_sums.iter_mut().zip(rest).for_each(|(sum, row)| sum.add(take(tree.walk_one(row))));
        }
        order.into_iter().zip(ordered).for_each(|(row, sum)| sums[row] = sum);
    }

    /// The same for more than 256 features, row by row.
    fn sums_of_wide<C: Code, S: Sum>(&self, x: ArrayView2<'_, f64>, take: impl Fn(f32) -> S + Sync) -> Vec<S> {
        let table = self.grid.table::<C>(x, 1);
        let sum_of = |row| {
            let mut sum = S::default();
            self.trees.iter().for_each(|tree| sum.add(take(tree.walk_one(table.row(row)))));
            sum
        };
        (0..x.nrows()).into_par_iter().map(sum_of).collect()
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
