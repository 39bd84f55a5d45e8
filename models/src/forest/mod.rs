//! Regression forests: CART on bootstrap samples (Breiman 2001) and extra-trees (Geurts et al. 2006), with linfa's traits.
//!
//! linfa 0.8 has classification trees only. Parameters go unchecked ([`ForestParams`]) → checked ([`ForestValidParams`]) →
//! [`Forest`], which predicts. Same data and seed give the same bytes whatever the number of threads: every tree has its own
//! random stream, sums are exact, and predictions add trees in order.
//!
//! | module | holds |
//! |---|---|
//! | `params`, `error` | what may be asked, and what is refused |
//! | `codes`, `target`, `rows` | features, targets and samples in the form trees grow from |
//! | `grow`, `histogram`, `search` | growing one tree |
//! | `tree`, `predict` | walking down |
//! | `oob`, `importance` | out-of-bag predictions, permutation importance |

mod codes;
mod error;
mod grow;
mod histogram;
mod importance;
mod oob;
mod params;
mod predict;
mod rows;
mod search;
mod target;
mod tree;

use linfa::DatasetBase;
use linfa::traits::Fit;
use ndarray::{Array1, Array2, ArrayView2};
use rayon::prelude::*;
use serde::{Deserialize, Serialize};

pub use error::ForestError;
pub use importance::Importance;
pub use oob::OutOfBag;
pub use params::{ForestParams, ForestValidParams, MAX_TREES, MaxFeatures, Sampling, Splitter};
pub use target::Range;

pub(crate) use codes::Grid;
pub(crate) use tree::{Node, Tree};

use crate::rng::Rng;

/// Most training rows: beyond it a packed target would keep fewer than 16 bits.
pub const MAX_ROWS: usize = 1 << 22;
/// Most features: a node has 16 bits for the feature.
pub const MAX_COLUMNS: usize = 1 << 16;

/// A fitted forest.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Forest {
    pub(crate) params: ForestValidParams,
    pub(crate) rows: usize,
    pub(crate) range: Range,
    pub(crate) grid: Grid,
    pub(crate) trees: Vec<Tree>,
}

impl Fit<Array2<f64>, Array1<f64>, ForestError> for ForestValidParams {
    type Object = Forest;

    /// Fits on records (rows × features) and one target per row.
    ///
    /// # Errors
    /// Where there are no rows or no features, where a value is NaN or infinite, where lengths differ, or with row weights.
    fn fit(&self, dataset: &DatasetBase<Array2<f64>, Array1<f64>>) -> Result<Forest, ForestError> {
        if dataset.weights().is_some() {
            return Err(ForestError::Weights);
        }
        Forest::fit(self, dataset.records.view(), &dataset.targets.to_vec())
    }
}

impl Forest {
    /// Fits on `x` (rows × features) and one target per row.
    ///
    /// # Errors
    /// As [`Fit::fit`].
    pub fn fit(params: &ForestValidParams, x: ArrayView2<'_, f64>, y: &[f64]) -> Result<Self, ForestError> {
        check(x, y)?;
        let (grid, levels) = Grid::new(x);
        let range = Range::of(y.iter().copied());
        let targets = target::Targets::new(y, range);
        let trees = if grid.widest() <= 1 << 8 {
            plant::<u8>(params, &grid.table(x, 16), &grid, &levels, &targets)
        } else {
            plant::<u16>(params, &grid.table(x, 8), &grid, &levels, &targets)
        };
        Ok(Self { params: params.clone(), rows: x.nrows(), range, grid, trees })
    }

    /// Number of features it was fitted on.
    #[must_use]
    pub fn features(&self) -> usize {
        self.grid.features()
    }

    /// Number of trees.
    #[must_use]
    pub fn trees(&self) -> usize {
        self.trees.len()
    }

    /// Number of nodes of all trees, leaves included.
    #[must_use]
    pub fn nodes(&self) -> usize {
        self.trees.iter().map(|tree| tree.nodes.len()).sum()
    }

    /// Range of the training targets, which no prediction leaves.
    #[must_use]
    pub fn range(&self) -> Range {
        self.range
    }
}

/// Grows all trees, in parallel.
fn plant<C: codes::Code>(
    params: &ForestValidParams,
    table: &codes::Table<C>,
    grid: &Grid,
    levels: &codes::Levels,
    targets: &target::Targets,
) -> Vec<Tree> {
    let layout = histogram::Layout::new(grid);
    let ground = grow::Ground { table, levels, layout: &layout, targets, params };
    let rows = table.codes.len() / table.stride;
    let trees = (0..params.trees as u64).into_par_iter();
    trees
        .map(|tree| {
            let items = targets.items(&rows::draw(params.sampling, rows, params.seed, tree));
            grow::Grower::new(&ground, items, Rng::new(params.seed, 2 * tree + 1)).grow()
        })
        .collect()
}

fn check(x: ArrayView2<'_, f64>, y: &[f64]) -> Result<(), ForestError> {
    let (rows, columns) = x.dim();
    if rows == 0 || columns == 0 {
        return Err(ForestError::Empty { rows, columns });
    }
    if rows > MAX_ROWS || columns > MAX_COLUMNS {
        return Err(ForestError::TooLarge { rows, columns });
    }
    if rows != y.len() {
        return Err(ForestError::Lengths { rows, targets: y.len() });
    }
    if let Some((row, &value)) = y.iter().enumerate().find(|(_, value)| !value.is_finite()) {
        return Err(ForestError::Target { row, value });
    }
    check_finite(x)
}

fn check_finite(x: ArrayView2<'_, f64>) -> Result<(), ForestError> {
    match x.indexed_iter().find(|(_, value)| !value.is_finite()) {
        Some(((row, column), &value)) => Err(ForestError::Feature { row, column, value }),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
