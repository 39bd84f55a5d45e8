//! Quantiles of plain numbers.

/// Linear between order statistics (Hyndman and Fan, type 7: the default of R and NumPy); `None` for no numbers.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // fewer than 2^53 rows
pub(crate) fn of_sorted(sorted: &[f64], share: f64) -> Option<f64> {
    let last = sorted.len().checked_sub(1)?;
    let at = share.clamp(0.0, 1.0) * last as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(last);
    Some(sorted[below] + (sorted[above] - sorted[below]) * (at - at.floor()))
}

/// The same of numbers in any order, which are sorted on the way.
pub(crate) fn of(values: &mut [f64], share: f64) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    of_sorted(values, share)
}

/// The middle value, without sorting all: the mean of the middle two for an even number.
pub(crate) fn median(values: &mut [f64]) -> Option<f64> {
    if values.is_empty() {
        return None;
    }
    let middle = values.len() / 2;
    let even = values.len().is_multiple_of(2);
    let (below, upper, _) = values.select_nth_unstable_by(middle, f64::total_cmp);
    let upper = *upper;
    let lower = below.iter().copied().max_by(f64::total_cmp).filter(|_| even);
    Some(lower.map_or(upper, |lower| lower / 2.0 + upper / 2.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_and_medians_agree_with_values_worked_out_by_hand() {
        for (values, share, expected) in [
            (vec![], 0.5, None),
            (vec![2.0], 0.9, Some(2.0)),
            (vec![4.0, 1.0, 3.0, 2.0], 0.25, Some(1.75)),
            (vec![4.0, 1.0, 3.0, 2.0], 1.0, Some(4.0)),
            (vec![3.0, 1.0, 2.0], 0.5, Some(2.0)),
        ] {
            assert_eq!(of(&mut values.clone(), share), expected, "{values:?}");
            assert_eq!(median(&mut values.clone()), of(&mut values.clone(), 0.5), "{values:?}");
        }
    }
}
