//! Out-of-bag predictions: each row by the trees that did not draw it, an honest score without a hold-out.

use ndarray::ArrayView2;
use rayon::prelude::*;

use super::codes::Code;
use super::rows::{Draws, draw};
use super::{Forest, ForestError, Sampling, check};

/// Out-of-bag predictions of the training rows.
#[derive(Clone, Debug, PartialEq)]
pub struct OutOfBag {
    /// Prediction per training row; `None` where every tree drew the row.
    pub predictions: Vec<Option<f64>>,
    /// R² over the rows that have a prediction; NaN where fewer than two have one or their targets are all equal.
    pub r2: f64,
}

impl Forest {
    /// Out-of-bag predictions and score, given the rows and targets the forest was fitted on.
    ///
    /// # Errors
    /// Where the forest was fitted without bootstrap, or the rows cannot be those it was fitted on.
    pub fn out_of_bag(&self, x: ArrayView2<'_, f64>, y: &[f64]) -> Result<OutOfBag, ForestError> {
        if self.params.sampling == Sampling::Every {
            return Err(ForestError::NoBootstrap);
        }
        check(x, y)?;
        if x.ncols() != self.features() {
            return Err(ForestError::Width { expected: self.features(), found: x.ncols() });
        }
        if x.nrows() != self.rows {
            return Err(ForestError::Lengths { rows: x.nrows(), targets: self.rows });
        }
        let sums = if self.grid.widest() <= 1 << 8 { self.bag_sums::<u8>(x) } else { self.bag_sums::<u16>(x) };
        let predictions: Vec<Option<f64>> =
            sums.iter().map(|&(sum, trees)| (trees > 0).then(|| self.range.restore(sum / f64::from(trees)))).collect();
        let r2 = r2(&predictions, y);
        Ok(OutOfBag { predictions, r2 })
    }

    /// Per row, sum and number of the trees that did not draw it. Trees are added in order, blocks of them in parallel.
    fn bag_sums<C: Code>(&self, x: ArrayView2<'_, f64>) -> Vec<(f64, u32)> {
        let table = self.grid.table::<C>(x, 1);
        let of_tree = |(number, tree): (usize, &super::Tree)| -> Vec<Option<f32>> {
            let draws = draw(self.params.sampling, self.rows, self.params.seed, number as u64);
            let Draws::Counted(counts) = draws else { return Vec::new() };
            let rows = counts.iter().enumerate();
            rows.map(|(row, &drawn)| (drawn == 0).then(|| tree.walk_one(table.row(row)))).collect()
        };
        let mut sums = vec![(0.0, 0); self.rows];
        for (block, trees) in self.trees.chunks(16).enumerate() {
            let values: Vec<_> = trees.par_iter().enumerate().map(|(i, tree)| of_tree((block * 16 + i, tree))).collect();
            for value in values {
                let seen = sums.iter_mut().zip(value).filter_map(|(sum, value)| value.map(|value| (sum, value)));
                seen.for_each(|(sum, value)| *sum = (sum.0 + f64::from(value), sum.1 + 1));
            }
        }
        sums
    }
}

#[allow(clippy::cast_precision_loss)]
fn r2(predictions: &[Option<f64>], y: &[f64]) -> f64 {
    let pairs: Vec<(f64, f64)> = predictions.iter().zip(y).filter_map(|(p, &y)| p.map(|p| (p, y))).collect();
    let mean = pairs.iter().map(|pair| pair.1).sum::<f64>() / pairs.len() as f64;
    let left: f64 = pairs.iter().map(|(p, y)| (p - y).powi(2)).sum();
    1.0 - left / pairs.iter().map(|(_, y)| (y - mean).powi(2)).sum::<f64>()
}
