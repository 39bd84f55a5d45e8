//! Finding a node's split: through its histogram, through its rows, or at random thresholds.
//!
//! The gain of a split with sums S and weights W is, up to a constant of the node, (S_left·W − S·W_left)² / (W_left·W_right): the
//! fall in weighted variance with one division.

use super::codes::Code;
use super::grow::{Contest, Grower, Split, View};

/// Buffers of the searches.
#[derive(Default)]
pub(crate) struct Scratch {
    codes: Vec<usize>,
    bins: Vec<i64>,
    pairs: Vec<(usize, i64)>,
    order: Vec<u16>,
    sums: Vec<i64>,
}

impl<C: Code> Grower<'_, C> {
    /// Best split by the node's histogram.
    pub(crate) fn search_histogram(&mut self, view: &View<'_>, features: &[u16], histogram: &[i64]) -> Option<Split> {
        let mut contest = Contest::new();
        for &feature in features {
            let bins = histogram[self.ground.layout.bins(feature as usize)].iter().copied().enumerate();
            if self.scan(view, feature, bins, &mut contest) {
                self.varying.push(feature);
            }
        }
        contest.best
    }

    /// Best split by the rows themselves.
    pub(crate) fn search_small(&mut self, view: &View<'_>, features: &[u16]) -> Option<Split> {
        let mut contest = Contest::new();
        for &feature in features {
            if self.best_of(view, feature, &mut contest) {
                self.varying.push(feature);
            }
        }
        contest.best
    }

    /// Best or random split among `allowed` features in random order; goes on until one of them varies.
    pub(crate) fn search_some(&mut self, view: &View<'_>, features: &[u16], allowed: usize) -> Option<Split> {
        let mut order = std::mem::take(&mut self.scratch.order);
        order.clear();
        order.extend_from_slice(features);
        let mut contest = Contest::new();
        for drawn in 0..order.len() {
            if drawn >= allowed && !self.varying.is_empty() {
                self.varying.extend_from_slice(&order[drawn..]);
                break;
            }
            let other = drawn + self.rng.below(order.len() - drawn);
            order.swap(drawn, other);
            let varies = match self.ground.params.splitter {
                super::Splitter::Best => self.best_of(view, order[drawn], &mut contest),
                super::Splitter::Random => self.random_of(view, order[drawn], &mut contest),
            };
            if varies {
                self.varying.push(order[drawn]);
            }
        }
        self.scratch.order = order;
        contest.best
    }

    /// One random threshold per feature. Goes row by row over whole rows of codes, which the compiler turns into vectors.
    pub(crate) fn search_random(&mut self, view: &View<'_>, features: &[u16]) -> Option<Split> {
        let table = self.ground.table;
        let mut lows = table.row(view.items[0].row as usize).to_vec();
        let mut highs = lows.clone();
        for item in &view.items[1..] {
            let codes = table.row(item.row as usize);
            lows.iter_mut().zip(codes).for_each(|(low, &code)| *low = (*low).min(code));
            highs.iter_mut().zip(codes).for_each(|(high, &code)| *high = (*high).max(code));
        }
        for &feature in features {
            let (low, high) = (lows[feature as usize].index(), highs[feature as usize].index());
            if low < high {
                lows[feature as usize] = C::from_index(self.threshold_between(feature, low, high));
                self.varying.push(feature);
            }
        }
        let sums = self.sums_up_to(view, &lows);
        let varying = std::mem::take(&mut self.varying);
        let mut contest = Contest::new();
        for &feature in &varying {
            let low = lows[feature as usize].index();
            self.offer(view, Split { feature, low, high: low + 1, left: sums[feature as usize] }, &mut contest);
        }
        (self.scratch.sums, self.varying) = (sums, varying);
        contest.best
    }

    /// Per feature, the packed sum of the rows whose code is at most the feature's threshold.
    fn sums_up_to(&mut self, view: &View<'_>, thresholds: &[C]) -> Vec<i64> {
        let mut sums = std::mem::take(&mut self.scratch.sums);
        sums.clear();
        sums.resize(thresholds.len(), 0);
        for item in view.items {
            let codes = self.ground.table.row(item.row as usize);
            for ((sum, code), threshold) in sums.iter_mut().zip(codes).zip(thresholds) {
                *sum += if code <= threshold { item.packed } else { 0 };
            }
        }
        sums
    }

    /// A code in `low..high`, drawn uniformly over the values between the two.
    fn threshold_between(&mut self, feature: u16, low: usize, high: usize) -> usize {
        if high == low + 1 {
            return low;
        }
        let levels = &self.ground.levels[feature as usize][low..=high];
        let (first, last) = (levels[0], levels[high - low]);
        let drawn = first + self.rng.unit() * (last - first);
        low + levels[1..high - low].partition_point(|&level| level <= drawn)
    }

    /// Offers the best split of one feature; false where the feature is constant in the node.
    fn best_of(&mut self, view: &View<'_>, feature: u16, contest: &mut Contest) -> bool {
        let Some((low, high)) = self.gather(view, feature) else { return false };
        let rows = view.items.len();
        let packed = view.items.iter().map(|item| item.packed);
        if high - low < 4 * rows {
            let mut bins = std::mem::take(&mut self.scratch.bins);
            bins.clear();
            bins.resize(high - low + 1, 0);
            self.scratch.codes.iter().zip(packed).for_each(|(&code, packed)| bins[code - low] += packed);
            self.scan(view, feature, bins.iter().enumerate().map(|(bin, &sum)| (low + bin, sum)), contest);
            self.scratch.bins = bins;
        } else {
            let mut pairs = std::mem::take(&mut self.scratch.pairs);
            pairs.clear();
            pairs.extend(self.scratch.codes.iter().copied().zip(packed));
            pairs.sort_unstable();
            pairs.dedup_by(|next, kept| next.0 == kept.0 && (kept.1 += next.1) == ());
            self.scan(view, feature, pairs.iter().copied(), contest);
            self.scratch.pairs = pairs;
        }
        true
    }

    /// Offers one random split of one feature; false where the feature is constant in the node.
    fn random_of(&mut self, view: &View<'_>, feature: u16, contest: &mut Contest) -> bool {
        let Some((low, high)) = self.gather(view, feature) else { return false };
        let threshold = self.threshold_between(feature, low, high);
        let left = view.items.iter().zip(&self.scratch.codes).filter(|(_, code)| **code <= threshold);
        let left = left.map(|(item, _)| item.packed).sum();
        self.offer(view, Split { feature, low: threshold, high: threshold + 1, left }, contest);
        true
    }

    /// Copies the node's codes of one feature, returns the smallest and the largest where they differ.
    fn gather(&mut self, view: &View<'_>, feature: u16) -> Option<(usize, usize)> {
        let (codes, mut low, mut high) = (&mut self.scratch.codes, usize::MAX, 0);
        codes.clear();
        for item in view.items {
            let code = self.ground.table.row(item.row as usize)[feature as usize].index();
            (low, high) = (low.min(code), high.max(code));
            codes.push(code);
        }
        (low < high).then_some((low, high))
    }

    /// Offers every split between the non-empty ones of `bins` (code, packed sum; ascending); true where there is any.
    #[inline]
    fn scan(&mut self, view: &View<'_>, feature: u16, bins: impl Iterator<Item = (usize, i64)>, contest: &mut Contest) -> bool {
        let (mut left, mut low, mut varies) = (0, 0, false);
        for (code, sum) in bins.filter(|(_, sum)| *sum != 0) {
            if left != 0 {
                varies = true;
                self.offer(view, Split { feature, low, high: code, left }, contest);
            }
            left += sum;
            low = code;
        }
        varies
    }

    /// Offers one split, unless a side is too light.
    #[inline]
    fn offer(&mut self, view: &View<'_>, split: Split, contest: &mut Contest) {
        let (sum, weight) = self.ground.targets.unpack(split.left);
        let rest = view.weight - weight;
        #[allow(clippy::cast_precision_loss)]
        let least = self.ground.params.min_leaf as f64;
        if weight < least || rest < least {
            return;
        }
        let difference = sum * view.weight - view.sum * weight;
        contest.offer(difference * difference / (weight * rest), split, &mut self.rng);
    }
}
