//! Spreads and intervals of a handful of values.

/// 97.5 % quantiles of Student's t for 1 to 30 degrees of freedom.
const STUDENT_T: [f64; 30] = [
    12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228, 2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110,
    2.101, 2.093, 2.086, 2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042,
];
/// The same of the normal distribution.
pub(super) const NORMAL: f64 = 1.960;

#[allow(clippy::cast_precision_loss)] // a count of samples
pub(super) fn count(n: usize) -> f64 {
    n as f64
}

pub(super) fn mean(values: &[f64]) -> f64 {
    values.iter().sum::<f64>() / count(values.len())
}

/// Half width of the 95 % interval of the mean of `values`; infinite for fewer than two.
pub(super) fn half_width(values: &[f64]) -> f64 {
    if values.len() < 2 {
        return f64::INFINITY;
    }
    let (n, centre) = (count(values.len()), mean(values));
    let variance = values.iter().map(|v| (v - centre).powi(2)).sum::<f64>() / (n - 1.0);
    // Between 30 degrees of freedom and infinity t falls by 4 %: the larger one is on the safe side.
    STUDENT_T[(values.len() - 2).min(STUDENT_T.len() - 1)] * (variance / n).sqrt()
}

/// Value below which a share of the values lies; NaN for none.
pub(super) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an index
    let at = (count(sorted.len().saturating_sub(1)) * share).round() as usize;
    sorted.get(at).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals_follow_student() {
        // Mean 2, standard deviation 1, three values: 4.303 / √3.
        assert!((half_width(&[1.0, 2.0, 3.0]) - 4.303 / 3f64.sqrt()).abs() < 1e-12);
        assert!(half_width(&[1.0]).is_infinite() && half_width(&[]).is_infinite());
        assert!((quantile(&[3.0, 1.0, 2.0], 0.5) - 2.0).abs() < 1e-12 && quantile(&[], 0.5).is_nan());
    }
}
