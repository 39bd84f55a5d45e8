//! The statistics of a row's samples.

/// Quantiles of samples in seconds.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Statistics {
    pub(super) min: f64,
    pub(super) q1: f64,
    pub(super) median: f64,
    pub(super) q3: f64,
}

impl Statistics {
    /// `None` for no samples. Samples are finite.
    pub(super) fn of(samples: &[f64]) -> Option<Self> {
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        let min = *sorted.first()?;
        Some(Self { min, q1: quantile(&sorted, 0.25), median: quantile(&sorted, 0.5), q3: quantile(&sorted, 0.75) })
    }

    /// Interquartile range over median.
    pub(super) fn noise(&self) -> f64 {
        (self.q3 - self.q1) / self.median
    }
}

/// Linear between order statistics (Hyndman and Fan, type 7: the default of R and NumPy).
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sample counts are small
fn quantile(sorted: &[f64], share: f64) -> f64 {
    let at = share * (sorted.len() - 1) as f64;
    let below = at.floor() as usize;
    let above = (below + 1).min(sorted.len() - 1);
    sorted[below] + (sorted[above] - sorted[below]) * (at - at.floor())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_lie_between_order_statistics() {
        let check = |samples: &[f64], expected: [f64; 4]| {
            let found = Statistics::of(samples).expect("samples");
            assert_eq!([found.min, found.q1, found.median, found.q3], expected);
        };
        check(&[2.0], [2.0, 2.0, 2.0, 2.0]);
        check(&[3.0, 1.0], [1.0, 1.5, 2.0, 2.5]);
        check(&[4.0, 1.0, 3.0, 2.0], [1.0, 1.75, 2.5, 3.25]);
        assert!(Statistics::of(&[]).is_none());
    }
}
