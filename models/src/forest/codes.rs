//! Features as small whole numbers. Each feature's distinct values, in order, become codes 0, 1, 2, …; a tree then compares
//! codes, and histograms are indexed by them. Lossless up to 65,536 distinct values per feature; above, neighbouring values
//! share a code so that codes hold equally many values.
//!
//! A value met only later takes the code of the training value nearest to it.

use ndarray::ArrayView2;
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

/// Most codes of one feature.
const MAX_CODES: usize = 1 << 16;

/// Storage of a code: one byte where no feature has more than 256 values, else two.
pub(crate) trait Code: Copy + Send + Sync + Ord + Default + 'static {
    /// As an index.
    fn index(self) -> usize;
    /// From an index that is known to fit.
    fn from_index(index: usize) -> Self;
}

macro_rules! code {
    ($($kind:ty),*) => { $(impl Code for $kind {
        #[inline]
        fn index(self) -> usize { self as usize }
        #[allow(clippy::cast_possible_truncation)] // the caller knows the largest code
        fn from_index(index: usize) -> Self { index as Self }
    })* };
}
code!(u8, u16);

/// Where the codes of every feature begin and end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Grid {
    /// Per feature, the cuts between neighbouring codes: a value's code is the number of cuts below it.
    pub(crate) cuts: Vec<Vec<f64>>,
}

/// One representative value per code and feature; needed while fitting only.
pub(crate) type Levels = Vec<Vec<f64>>;

/// Row-major codes, `stride` per row.
pub(crate) struct Table<C> {
    pub(crate) codes: Vec<C>,
    pub(crate) stride: usize,
}

impl<C: Code> Table<C> {
    #[inline]
    pub(crate) fn row(&self, row: usize) -> &[C] {
        &self.codes[row * self.stride..][..self.stride]
    }
}

impl Grid {
    /// Grid and levels of the features in `x` (finite, at least one row).
    pub(crate) fn new(x: ArrayView2<'_, f64>) -> (Self, Levels) {
        let columns: Vec<_> = (0..x.ncols()).into_par_iter().map(|feature| levels(x.column(feature).to_vec())).collect();
        let (cuts, levels) = columns.into_iter().unzip();
        (Self { cuts }, levels)
    }

    /// Number of features.
    pub(crate) fn features(&self) -> usize {
        self.cuts.len()
    }

    /// Number of codes of the feature that has the most.
    pub(crate) fn widest(&self) -> usize {
        self.cuts.iter().map(|cuts| cuts.len() + 1).max().unwrap_or(1)
    }

    /// Codes of all rows of `x`, rows padded with code 0 to a multiple of `pad`.
    pub(crate) fn table<C: Code>(&self, x: ArrayView2<'_, f64>, pad: usize) -> Table<C> {
        let stride = self.features().div_ceil(pad) * pad;
        let mut codes = vec![C::default(); x.nrows() * stride];
        for (feature, cuts) in self.cuts.iter().enumerate() {
            for (row, &value) in x.column(feature).iter().enumerate() {
                codes[row * stride + feature] = C::from_index(code(cuts, value));
            }
        }
        Table { codes, stride }
    }
}

/// The number of cuts below `value`. Most features of a sweep have a handful of values: counting beats bisecting there.
#[inline]
fn code(cuts: &[f64], value: f64) -> usize {
    if cuts.len() <= 16 {
        cuts.iter().map(|&cut| usize::from(cut < value)).sum()
    } else {
        cuts.partition_point(|&cut| cut < value)
    }
}

/// Cuts and levels of one feature.
fn levels(mut values: Vec<f64>) -> (Vec<f64>, Vec<f64>) {
    values.sort_unstable_by(f64::total_cmp);
    values.dedup(); // IEEE equality: −0 and 0 are one value
    let share = values.len().div_ceil(MAX_CODES);
    let starts = (share..values.len()).step_by(share);
    let cuts = starts.map(|start| middle(values[start - 1], values[start])).collect();
    let levels = values.chunks(share).map(|chunk| chunk[chunk.len() / 2]).collect();
    (cuts, levels)
}

/// A value `v` with `low <= v < high`, halfway if the arithmetic allows.
pub(crate) fn middle(low: f64, high: f64) -> f64 {
    let middle = low / 2.0 + high / 2.0;
    if middle >= low && middle < high { middle } else { low }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ndarray::{Array2, array};

    #[test]
    fn values_become_their_rank_and_strangers_the_nearest_rank() {
        let x = array![[1.0, 5.0], [4.0, 5.0], [2.0, 5.0], [4.0, 5.0]];
        let (grid, levels) = Grid::new(x.view());
        assert_eq!(levels, [vec![1.0, 2.0, 4.0], vec![5.0]]);
        let table = grid.table::<u8>(array![[-9.0, 0.0], [1.4, 5.0], [1.6, 7.0], [2.9, 1.0], [3.1, 1.0], [9e9, 1.0]].view(), 4);
        let codes: Vec<u8> = (0..6).map(|row| table.row(row)[0]).collect();
        assert_eq!(codes, [0, 0, 1, 1, 2, 2]);
        assert!((0..6).all(|row| table.row(row)[1..] == [0, 0, 0]));
    }

    #[test]
    fn neighbouring_floats_stay_apart() {
        let (low, high) = (1.0, 1.0 + f64::EPSILON);
        for (low, high) in [(low, high), (-high, -low), (0.0, f64::MIN_POSITIVE), (-f64::MAX, f64::MAX)] {
            let middle = middle(low, high);
            assert!(low <= middle && middle < high, "{low} {middle} {high}");
        }
    }

    #[test]
    fn many_values_share_codes_evenly() {
        let many: usize = 3 * MAX_CODES + 5;
        #[allow(clippy::cast_precision_loss)]
        let x = Array2::from_shape_fn((many, 1), |(row, _)| row as f64);
        let (grid, levels) = Grid::new(x.view());
        assert!(grid.widest() <= MAX_CODES, "{}", grid.widest());
        assert_eq!(levels[0].len(), grid.widest());
        let table = grid.table::<u16>(x.view(), 1);
        assert!(table.codes.windows(2).all(|pair| pair[0] <= pair[1]), "order is kept");
    }
}
