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

impl Forest {
    /// Predictions for the rows of `x`.
    ///
    /// # Errors
    /// Where `x` has another number of features than the training rows, or a value is NaN or infinite.
    pub fn predict(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>, ForestError> {
        Ok(self.sums(x)?.into_iter().map(|sum| self.restore(sum)).collect())
    }

    #[allow(clippy::cast_precision_loss)]
    fn restore(&self, sum: f64) -> f64 {
        self.range.restore(sum / self.trees.len() as f64)
    }

    /// Per row, the sum of the trees' values on the scale −1 … 1.
    fn sums(&self, x: ArrayView2<'_, f64>) -> Result<Vec<f64>, ForestError> {
        if x.ncols() != self.features() {
            return Err(ForestError::Width { expected: self.features(), found: x.ncols() });
        }
        check_finite(x)?;
        Ok(if self.grid.widest() <= 1 << 8 { self.sums_by::<u8>(x) } else { self.sums_by::<u16>(x) })
    }

    fn sums_by<C: Code>(&self, x: ArrayView2<'_, f64>) -> Vec<f64> {
        match self.features() {
            ..=16 => self.sums_of::<C, 16>(x),
            17..=64 => self.sums_of::<C, 64>(x),
            65..=256 => self.sums_of::<C, 256>(x),
            _ => self.sums_of_wide::<C>(x),
        }
    }

    fn sums_of<C: Code, const WIDTH: usize>(&self, x: ArrayView2<'_, f64>) -> Vec<f64> {
        let table = self.grid.table::<C>(x, WIDTH);
        let (rows, _) = table.codes.as_chunks::<WIDTH>();
        let mut sums = vec![0.0; x.nrows()];
        let chunk = x.nrows().div_ceil(rayon::current_num_threads()).clamp(CHUNK.0, CHUNK.1);
        sums.par_chunks_mut(chunk).zip(rows.par_chunks(chunk)).for_each(|(sums, rows)| self.sum_chunk(sums, rows));
        sums
    }

    /// Adds up the trees for one chunk of rows. Rows go down in the order of their codes: neighbours then share most of their
    /// nodes and reach leaves at similar depths, which spares cache misses.
    fn sum_chunk<C: Code, const WIDTH: usize>(&self, sums: &mut [f64], rows: &[[C; WIDTH]]) {
        let mut order: Vec<usize> = (0..rows.len()).collect();
        order.sort_unstable_by_key(|&row| (rows[row], row));
        let sorted: Vec<[C; WIDTH]> = order.iter().map(|&row| rows[row]).collect();
        let (groups, rest) = sorted.as_chunks::<ABREAST>();
        let mut ordered = vec![0.0; rows.len()];
        for tree in &self.trees {
            let (group_sums, rest_sums) = ordered.split_at_mut(groups.len() * ABREAST);
            for (sums, group) in group_sums.chunks_exact_mut(ABREAST).zip(groups) {
                sums.iter_mut().zip(tree.walk(group)).for_each(|(sum, value)| *sum += f64::from(value));
            }
            rest_sums.iter_mut().zip(rest).for_each(|(sum, row)| *sum += f64::from(tree.walk_one(row)));
        }
        order.into_iter().zip(ordered).for_each(|(row, sum)| sums[row] = sum);
    }

    /// The same for more than 256 features, row by row.
    fn sums_of_wide<C: Code>(&self, x: ArrayView2<'_, f64>) -> Vec<f64> {
        let table = self.grid.table::<C>(x, 1);
        let sum_of = |row| self.trees.iter().map(|tree| f64::from(tree.walk_one(table.row(row)))).sum();
        (0..x.nrows()).into_par_iter().map(sum_of).collect()
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
