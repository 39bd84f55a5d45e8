//! Targets as whole numbers. A target is scaled to its range and rounded to a grid of at least 2¹⁶ steps each side of the
//! middle (2³⁴ at 16,000 rows); a row drawn `w` times is stored as one number, `w × target` in the high bits and `w` in the low ones.
//! Sums of such numbers are exact in any order, one addition counts both, and a histogram minus one half of it is exactly
//! the other half.

use super::rows::Draws;

/// The packing for one training set.
#[derive(Clone, Debug)]
pub(crate) struct Targets {
    /// Grid value of every row.
    steps: Vec<i64>,
    /// Dense rank of every row's grid value: equal ranks are equal targets.
    ranks: Vec<u32>,
    /// Bits that hold the number of draws.
    weight_bits: u32,
    /// Grid steps per half range.
    per_half: f64,
}

/// A row of a tree's sample.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    /// `w × target` and `w`, packed.
    pub(crate) packed: i64,
    /// Row of the training table.
    pub(crate) row: u32,
    /// Rank of its target.
    pub(crate) rank: u32,
}

/// The range of the training targets. Predictions never leave it.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Range {
    /// Smallest training target.
    pub low: f64,
    /// Largest training target.
    pub high: f64,
}

impl Range {
    /// Range of finite targets, at least one.
    pub(crate) fn of(targets: impl Iterator<Item = f64>) -> Self {
        targets.fold(Self { low: f64::INFINITY, high: f64::NEG_INFINITY }, |range, y| Self {
            low: range.low.min(y),
            high: range.high.max(y),
        })
    }

    fn middle(self) -> f64 {
        self.low / 2.0 + self.high / 2.0
    }

    fn half(self) -> f64 {
        self.high / 2.0 - self.low / 2.0
    }

    /// From the scale −1 … 1 back to targets.
    pub(crate) fn restore(self, scaled: f64) -> f64 {
        (self.middle() + self.half() * scaled).clamp(self.low, self.high)
    }

    /// To the scale −1 … 1; 0 where all targets are equal.
    pub(crate) fn scale(self, target: f64) -> f64 {
        if self.half() > 0.0 { ((target - self.middle()) / self.half()).clamp(-1.0, 1.0) } else { 0.0 }
    }
}

impl Targets {
    /// Packing of `y` (finite, 1 to [`super::MAX_ROWS`] rows).
    #[allow(clippy::cast_possible_truncation)] // at most 2⁴⁸ steps; ranks count rows
    pub(crate) fn new(y: &[f64], range: Range) -> Self {
        let weight_bits = usize::BITS - y.len().leading_zeros();
        // |Σ w·step| < 2^(bits + weight_bits) must fit in the 63 − weight_bits bits above the weights.
        let bits = (62 - 2 * weight_bits).min(48);
        let per_half = f64::from(bits).exp2();
        let steps: Vec<i64> = y.iter().map(|&target| (range.scale(target) * per_half).round() as i64).collect();
        let mut distinct = steps.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let ranks = steps.iter().map(|step| distinct.partition_point(|other| other < step) as u32).collect();
        Self { steps, ranks, weight_bits, per_half }
    }

    /// The rows that a tree drew, each once.
    #[allow(clippy::cast_possible_truncation)] // rows are at most 2²²
    pub(crate) fn items(&self, draws: &Draws) -> Vec<Item> {
        let item = |row: usize, weight: u32| Item {
            packed: ((self.steps[row] * i64::from(weight)) << self.weight_bits) + i64::from(weight),
            row: row as u32,
            rank: self.ranks[row],
        };
        match draws {
            Draws::Every(rows) => (0..*rows).map(|row| item(row, 1)).collect(),
            Draws::Counted(counts) => {
                counts.iter().enumerate().filter(|(_, weight)| **weight > 0).map(|(row, &weight)| item(row, weight)).collect()
            }
        }
    }

    /// Sum of targets (in grid steps) and number of draws in a packed sum.
    #[inline]
    #[allow(clippy::cast_precision_loss)] // sums of steps may round in the 53rd bit, weights are exact
    pub(crate) fn unpack(&self, packed: i64) -> (f64, f64) {
        let weight = packed & ((1 << self.weight_bits) - 1);
        ((packed >> self.weight_bits) as f64, weight as f64)
    }

    /// Mean target of a packed sum on the scale −1 … 1.
    #[allow(clippy::cast_possible_truncation)] // stored as f32: half of 1e-7 of the range
    pub(crate) fn mean(&self, packed: i64) -> f32 {
        let (sum, weight) = self.unpack(packed);
        (sum / weight / self.per_half) as f32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packed_sums_unpack_exactly() {
        let y = [-3.0, 5.0, 1.0, 1.0];
        let range = Range::of(y.into_iter());
        let targets = Targets::new(&y, range);
        let items = targets.items(&Draws::Counted(vec![2, 1, 0, 3]));
        assert_eq!(items.iter().map(|item| item.row).collect::<Vec<_>>(), [0, 1, 3]);
        let all: i64 = items.iter().map(|item| item.packed).sum();
        assert_eq!(targets.unpack(all).1, 6.0);
        assert!((range.restore(f64::from(targets.mean(all))) - 2.0 / 6.0).abs() < 1e-6);
        assert_eq!(all - items[1].packed - items[2].packed, items[0].packed, "subtraction is exact, negative sums included");
        assert_eq!(targets.ranks, [0, 2, 1, 1]);
    }

    #[test]
    fn the_extreme_sum_still_fits() {
        let rows = 1 << 15;
        for target in [-1.0, 1.0] {
            let mut y = vec![target; rows];
            y[0] = -target;
            let targets = Targets::new(&y, Range::of(y.iter().copied()));
            let sum: i64 = targets.items(&Draws::Every(rows)).iter().map(|item| item.packed).sum();
            let (steps, weight) = targets.unpack(sum);
            assert_eq!(weight, rows as f64);
            assert_eq!(steps, target * (rows as f64 - 2.0) * targets.per_half);
        }
    }

    #[test]
    fn huge_and_equal_targets_survive_scaling() {
        let range = Range { low: -f64::MAX, high: f64::MAX };
        assert_eq!(range.restore(range.scale(f64::MAX)), f64::MAX);
        let flat = Range { low: 4.2, high: 4.2 };
        assert_eq!(flat.restore(flat.scale(4.2)), 4.2);
    }
}
