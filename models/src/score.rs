//! How good predictions are. Fractions, never percent. The argument order is `(actual, predicted)` everywhere.
//!
//! Our own, because linfa 0.8's `r2` takes the truth as argument while its MAPE takes it as receiver, and its R² adds 1e-10 to
//! the denominator, which is wrong for targets in seconds.

use std::collections::BTreeMap;

use crate::dataset::median;

/// Mean of |predicted − actual| / actual.
#[must_use]
pub fn mape(actual: &[f64], predicted: &[f64]) -> f64 {
    mean(&errors(actual, predicted))
}

/// Median of |predicted − actual| / actual.
#[must_use]
pub fn mdape(actual: &[f64], predicted: &[f64]) -> f64 {
    median(errors(actual, predicted))
}

fn errors(actual: &[f64], predicted: &[f64]) -> Vec<f64> {
    actual.iter().zip(predicted).map(|(a, p)| (p - a).abs() / a.abs()).collect()
}

#[allow(clippy::cast_precision_loss)]
fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / values.len() as f64
}

/// 1 − Σ(actual − predicted)² / Σ(actual − mean actual)²; `None` where all actual values are equal.
#[must_use]
pub fn r2(actual: &[f64], predicted: &[f64]) -> Option<f64> {
    let centre = mean(actual);
    let total: f64 = actual.iter().map(|a| (a - centre).powi(2)).sum();
    let left: f64 = actual.iter().zip(predicted).map(|(a, p)| (a - p).powi(2)).sum();
    (total > 0.0).then(|| 1.0 - left / total)
}

/// R² of the logarithms; `None` where a value is not positive or all actual values are equal.
#[must_use]
pub fn r2_log(actual: &[f64], predicted: &[f64]) -> Option<f64> {
    let logs = |values: &[f64]| values.iter().map(|value| value.ln()).collect::<Vec<f64>>();
    let positive = actual.iter().chain(predicted).all(|value| *value > 0.0);
    if positive { r2(&logs(actual), &logs(predicted)) } else { None }
}

/// Kendall's τ-b of two rankings in O(n log n) (Knight 1966); `None` where one side is constant.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn kendall_tau(actual: &[f64], predicted: &[f64]) -> Option<f64> {
    let mut pairs: Vec<(f64, f64)> = actual.iter().copied().zip(predicted.iter().copied()).collect();
    pairs.sort_unstable_by(|a, b| a.0.total_cmp(&b.0).then(a.1.total_cmp(&b.1)));
    let n = pairs.len() as f64;
    let all = n * (n - 1.0) / 2.0;
    let tied_actual = ties(pairs.iter().map(|pair| pair.0.to_bits()));
    let tied_both = ties(pairs.iter().map(|pair| (pair.0.to_bits(), pair.1.to_bits())));
    let mut second: Vec<f64> = pairs.iter().map(|pair| pair.1).collect();
    let swaps = inversions(&mut second) as f64;
    let tied_predicted = ties(second.iter().map(|value| value.to_bits()));
    let agreement = all - tied_actual - tied_predicted + tied_both - 2.0 * swaps;
    let scale = ((all - tied_actual) * (all - tied_predicted)).sqrt();
    (scale > 0.0).then(|| agreement / scale)
}

/// Number of pairs of equal neighbours' runs in a sorted sequence.
#[allow(clippy::cast_precision_loss)]
fn ties<T: PartialEq>(sorted: impl Iterator<Item = T>) -> f64 {
    let (mut pairs, mut run, mut last) = (0.0, 0_usize, None);
    for value in sorted {
        run = if last.as_ref() == Some(&value) { run + 1 } else { 0 };
        pairs += run as f64;
        last = Some(value);
    }
    pairs
}

/// Sorts `values` by merging and counts the pairs that stood in the wrong order.
fn inversions(values: &mut [f64]) -> u64 {
    if values.len() < 2 {
        return 0;
    }
    let middle = values.len() / 2;
    let mut count = inversions(&mut values[..middle]) + inversions(&mut values[middle..]);
    let (left, right) = values.split_at(middle);
    let (mut i, mut j, mut merged) = (0, 0, Vec::with_capacity(values.len()));
    while i < left.len() && j < right.len() {
        if right[j] < left[i] {
            count += (left.len() - i) as u64;
            merged.push(right[j]);
            j += 1;
        } else {
            merged.push(left[i]);
            i += 1;
        }
    }
    merged.extend_from_slice(&left[i..]);
    merged.extend_from_slice(&right[j..]);
    values.copy_from_slice(&merged);
    count
}

/// best of the `k` rows predicted smallest / smallest of all − 1; ties in the prediction go to the earlier row.
#[must_use]
pub fn regret(actual: &[f64], predicted: &[f64], k: usize) -> f64 {
    let mut order: Vec<usize> = (0..actual.len()).collect();
    order.sort_by(|a, b| predicted[*a].total_cmp(&predicted[*b]));
    let smallest = |rows: &[usize]| rows.iter().map(|&row| actual[row]).fold(f64::INFINITY, f64::min);
    smallest(&order[..k.min(order.len())]) / smallest(&order) - 1.0
}

/// Scores of choosing within each contest: among rows that answer the same question.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Choice {
    /// Kendall's τ-b, weighted by rows; `None` where no contest has two different values.
    pub tau: Option<f64>,
    /// Mean regret of the configuration predicted best.
    pub top1: f64,
    /// Mean regret of the best among the five predicted best.
    pub top5: f64,
}

/// Scores within each contest, averaged; `contests` names each row's.
#[must_use]
#[allow(clippy::cast_precision_loss)]
pub fn choice(actual: &[f64], predicted: &[f64], contests: &[String]) -> Choice {
    let mut groups: BTreeMap<&str, (Vec<f64>, Vec<f64>)> = BTreeMap::new();
    for ((actual, predicted), contest) in actual.iter().zip(predicted).zip(contests) {
        let group = groups.entry(contest).or_default();
        group.0.push(*actual);
        group.1.push(*predicted);
    }
    let taus = groups.values().filter_map(|(a, p)| Some((kendall_tau(a, p)?, a.len() as f64)));
    let (sum, weight) = taus.fold((0.0, 0.0), |(sum, weight), (tau, rows)| (sum + tau * rows, weight + rows));
    let average = |k| mean(&groups.values().map(|(a, p)| regret(a, p, k)).collect::<Vec<_>>());
    Choice { tau: (weight > 0.0).then(|| sum / weight), top1: average(1), top5: average(5) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn close(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-12
    }

    #[test]
    fn errors_agree_with_values_worked_out_by_hand() {
        let (actual, predicted) = ([1.0, 2.0, 4.0], [1.1, 1.0, 8.0]);
        assert!(close(mape(&actual, &predicted), (0.1 + 0.5 + 1.0) / 3.0));
        assert!(close(mdape(&actual, &predicted), 0.5));
        let by_hand = (1.0 - 7.0 / 3.0_f64).powi(2) + (2.0 - 7.0 / 3.0_f64).powi(2) + (4.0 - 7.0 / 3.0_f64).powi(2);
        assert!(close(r2(&actual, &predicted).expect("varies"), 1.0 - (0.01 + 1.0 + 16.0) / by_hand));
    }

    #[test]
    fn swapping_truth_and_prediction_changes_the_score() {
        let (actual, predicted) = ([1.0, 2.0], [2.0, 2.0]);
        assert!(close(mape(&actual, &predicted), 0.5) && close(mape(&predicted, &actual), 0.25));
        assert_eq!((r2(&actual, &predicted), r2(&predicted, &actual)), (Some(-1.0), None));
    }

    #[test]
    fn small_targets_score_like_large_ones() {
        let (actual, predicted) = ([1.0, 2.0, 4.0], [1.5, 2.0, 3.0]);
        let micro = |values: [f64; 3]| values.map(|value| value * 1e-6);
        let (large, small) = (r2(&actual, &predicted), r2(&micro(actual), &micro(predicted)));
        assert!(close(large.expect("varies"), small.expect("varies")));
        assert!(close(r2_log(&actual, &actual).expect("varies"), 1.0));
        assert_eq!(r2_log(&actual, &[1.0, -1.0, 2.0]), None);
    }

    #[test]
    fn kendall_tau_agrees_with_counting_all_pairs() {
        let check = |actual: &[f64], predicted: &[f64], expected: Option<f64>| {
            let tau = kendall_tau(actual, predicted);
            assert!(tau == expected || close(tau.expect("tau"), expected.expect("expected")), "{tau:?} {expected:?}");
        };
        check(&[1.0, 2.0, 3.0, 4.0], &[10.0, 20.0, 30.0, 40.0], Some(1.0));
        check(&[1.0, 2.0, 3.0, 4.0], &[4.0, 3.0, 2.0, 1.0], Some(-1.0));
        check(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 4.0, 3.0], Some(4.0 / 6.0));
        // 5 concordant pairs and one tied in the prediction: 5 / √(6·5).
        check(&[1.0, 2.0, 3.0, 4.0], &[1.0, 2.0, 2.0, 3.0], Some(5.0 / 30.0_f64.sqrt()));
        check(&[1.0, 1.0], &[1.0, 2.0], None);
        check(&[1.0], &[1.0], None);
    }

    #[test]
    fn regret_is_what_the_chosen_costs_above_the_best() {
        let (actual, predicted) = ([4.0, 2.0, 3.0, 8.0], [1.0, 9.0, 2.0, 3.0]);
        assert!(close(regret(&actual, &predicted, 1), 1.0));
        assert!(close(regret(&actual, &predicted, 2), 0.5));
        assert!(close(regret(&actual, &predicted, 5), 0.0));
        let problems = ["a", "a", "b", "b"].map(str::to_owned);
        let choice = choice(&actual, &predicted, &problems);
        assert!(close(choice.top1, (1.0 + 0.0) / 2.0) && close(choice.top5, 0.0));
        assert!(close(choice.tau.expect("tau"), 0.0));
    }
}
