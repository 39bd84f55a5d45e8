//! From event times to the time of one call: what every stretch of calls pays once (starting the first, the events themselves) is told apart from
//! what each call takes.
//!
//! A stretch of n calls takes `fixed + n·per_call`. Both are fitted to stretches of n and 2n calls, several times over, by the median of the
//! slopes between them (Theil and Sen), so that one disturbed stretch moves neither.

use std::collections::VecDeque;

/// Stretches that last longer than this are not corrected: fixed costs of a few microseconds are below 1 % of them.
pub(super) const CORRECTED_BELOW_S: f64 = 1e-3;
/// Pairs of stretches a fit is made of.
pub(super) const PAIRS: usize = 5;
/// Length of the shorter stretch of a fit.
const STRETCH_S: f64 = 3e-4;
/// A fixed cost above this share of a stretch is not believed.
const MOST: f64 = 0.5;

/// What calls of one kernel cost.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct LaunchCost {
    /// Seconds that each further call takes.
    pub(super) per_call_s: f64,
    /// Seconds that a stretch takes beyond its calls.
    pub(super) fixed_s: f64,
}

/// Calls in the shorter stretch of a fit, for calls of about `time_s`.
#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a small positive count
pub(super) fn stretch(time_s: f64) -> u64 {
    ((STRETCH_S / time_s.max(1e-9)).ceil() as u64).clamp(2, 64)
}

/// Fits `(calls, seconds)` of stretches of two lengths; `None` without both.
#[allow(clippy::cast_precision_loss)] // call counts
pub(super) fn fit(stretches: &[(u64, f64)]) -> Option<LaunchCost> {
    let slopes = stretches.iter().enumerate().flat_map(|(i, &(n, t))| {
        let others = stretches[i + 1..].iter().filter(move |(m, _)| *m != n);
        others.map(move |&(m, u)| (u - t) / (m as f64 - n as f64))
    });
    let per_call_s = median(slopes.collect())?.max(0.0);
    let fixed_s = median(stretches.iter().map(|&(n, t)| t - n as f64 * per_call_s).collect())?.max(0.0);
    Some(LaunchCost { per_call_s, fixed_s })
}

/// Seconds per call of a stretch of `calls` that took `total_s`, what it pays once left out.
#[allow(clippy::cast_precision_loss)] // call counts
pub(super) fn per_call(total_s: f64, calls: u64, fixed_s: f64) -> f64 {
    (total_s - fixed_s.min(MOST * total_s)) / calls as f64
}

/// Adds what is `fresh` and drops the oldest beyond `most`.
pub(super) fn keep<T>(last: &mut VecDeque<T>, fresh: Vec<T>, most: usize) {
    last.extend(fresh);
    last.drain(..last.len().saturating_sub(most));
}

pub(super) fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some((values[middle - 1] + values[middle]) / 2.0),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slope_and_intercept_are_found_in_spite_of_a_disturbed_stretch() {
        let (fixed, each) = (4e-6, 2.5e-6);
        #[allow(clippy::cast_precision_loss)]
        let exact = |n: u64| (n, fixed + n as f64 * each);
        let mut stretches: Vec<(u64, f64)> = (0..PAIRS).flat_map(|_| [exact(32), exact(64)]).collect();
        let near = |cost: LaunchCost| (cost.per_call_s / each - 1.0).abs() < 1e-9 && (cost.fixed_s / fixed - 1.0).abs() < 1e-6;
        assert!(fit(&stretches).is_some_and(near));
        stretches[3].1 *= 10.0;
        assert!(fit(&stretches).is_some_and(near), "{:?}", fit(&stretches));
        assert_eq!(fit(&[(8, 1.0), (8, 1.1)]), None);
    }

    #[test]
    fn a_fixed_cost_never_makes_a_call_free() {
        assert!((per_call(1e-4, 10, 1e-5) - 9e-6).abs() < 1e-18);
        assert!((per_call(1e-6, 1, 1e-5) - 0.5e-6).abs() < 1e-18);
        assert_eq!((stretch(1e-6), stretch(1e-4), stretch(1e-3), stretch(0.0)), (64, 3, 2, 64));
    }
}
