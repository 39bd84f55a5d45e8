//! Histograms of packed targets per feature and code, for nodes with many rows.

use super::codes::{Code, Grid, Table};
use super::target::Item;

/// Where each feature's bins lie in a histogram.
pub(crate) struct Layout {
    offsets: Vec<usize>,
}

/// Buffers that are free.
#[derive(Default)]
pub(crate) struct Histograms(Vec<Vec<i64>>);

impl Layout {
    pub(crate) fn new(grid: &Grid) -> Self {
        let mut end = 0;
        let offsets = std::iter::once(0).chain(grid.cuts.iter().map(|cuts| {
            end += cuts.len() + 1;
            end
        }));
        Self { offsets: offsets.collect() }
    }

    /// Number of features, constant ones included.
    pub(crate) fn features(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Features that take more than one value.
    #[allow(clippy::cast_possible_truncation)] // at most MAX_COLUMNS features
    pub(crate) fn varying(&self) -> Vec<u16> {
        (0..self.features()).filter(|&feature| self.bins(feature).len() > 1).map(|feature| feature as u16).collect()
    }

    pub(crate) fn bins(&self, feature: usize) -> std::ops::Range<usize> {
        self.offsets[feature]..self.offsets[feature + 1]
    }

    /// Whether going through all bins costs less than it saves: with fewer row-feature pairs than bins the search through the
    /// rows themselves is quicker (fit of the 2080 Ti data: 1 and 2 equal, 4 slower).
    pub(crate) fn pays(&self, rows: usize, features: &[u16]) -> bool {
        let bins: usize = features.iter().map(|&feature| self.bins(feature as usize).len()).sum();
        rows * features.len() >= bins
    }

    /// Adds `items` to `histogram`.
    pub(crate) fn fill<C: Code>(&self, histogram: &mut [i64], table: &Table<C>, items: &[Item], features: &[u16]) {
        let plan: Vec<(usize, usize)> = features.iter().map(|&f| (f as usize, self.offsets[f as usize])).collect();
        for item in items {
            let codes = table.row(item.row as usize);
            for &(feature, offset) in &plan {
                histogram[offset + codes[feature].index()] += item.packed;
            }
        }
    }
}

impl Histograms {
    /// A histogram of zeros.
    pub(crate) fn take(&mut self, layout: &Layout) -> Vec<i64> {
        let mut histogram = self.0.pop().unwrap_or_default();
        histogram.clear();
        histogram.resize(layout.offsets[layout.features()], 0);
        histogram
    }

    pub(crate) fn give_back(&mut self, histogram: Option<Vec<i64>>) {
        self.0.extend(histogram);
    }
}
