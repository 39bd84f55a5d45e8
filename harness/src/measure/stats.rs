//! Order statistics of samples, and how sure they are.

use tilecast_kernels::random::Random;

/// Resamples of a bootstrap interval. 400 put the ends of a 95 % interval within about a tenth of its width, and cost 0.1 ms for 30 samples.
const RESAMPLES: usize = 400;

/// One or more finite, positive samples, sorted.
#[derive(Clone, Debug, PartialEq)]
pub struct Samples(Vec<f64>);

impl Samples {
    /// Sorted samples; `None` where there are none or one is not a positive finite number.
    #[must_use]
    pub fn new(samples: &[f64]) -> Option<Self> {
        if samples.is_empty() || samples.iter().any(|x| !x.is_finite() || *x <= 0.0) {
            return None;
        }
        let mut sorted = samples.to_vec();
        sorted.sort_by(f64::total_cmp);
        Some(Self(sorted))
    }

    /// The `p`-quantile with linear interpolation between order statistics (type 7 of Hyndman and Fan).
    #[must_use]
    pub fn quantile(&self, p: f64) -> f64 {
        quantile(&self.0, p)
    }

    /// Interquartile range over median.
    #[must_use]
    pub fn noise(&self) -> f64 {
        (self.quantile(0.75) - self.quantile(0.25)) / self.quantile(0.5)
    }

    /// 95 % percentile-bootstrap interval of the `p`-quantile.
    #[must_use]
    pub fn interval(&self, p: f64, seed: u64) -> (f64, f64) {
        let mut random = Random::new(seed);
        let mut draw = vec![0.0; self.0.len()];
        let mut estimates: Vec<f64> = (0..RESAMPLES)
            .map(|_| {
                draw.iter_mut().for_each(|x| *x = self.0[random.below(self.0.len())]);
                draw.sort_by(f64::total_cmp);
                quantile(&draw, p)
            })
            .collect();
        estimates.sort_by(f64::total_cmp);
        (quantile(&estimates, 0.025), quantile(&estimates, 0.975))
    }

    /// Smallest sample.
    #[must_use]
    pub fn min(&self) -> f64 {
        self.0[0]
    }
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // an index into a short list
fn quantile(sorted: &[f64], p: f64) -> f64 {
    let at = p * (sorted.len() - 1) as f64;
    let (low, high) = (at.floor() as usize, at.ceil() as usize);
    sorted[low] + (at - low as f64) * (sorted[high] - sorted[low])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_those_of_type_7() {
        for (samples, p, expected) in [
            (vec![3.0], 0.1, 3.0),
            (vec![2.0, 1.0], 0.5, 1.5),
            (vec![4.0, 1.0, 3.0, 2.0], 0.25, 1.75),
            (vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0, 10.0, 11.0], 0.1, 2.0),
        ] {
            assert_eq!(Samples::new(&samples).expect("positive").quantile(p), expected, "{samples:?} {p}");
        }
    }

    #[test]
    fn no_zero_negative_or_missing_sample_becomes_a_statistic() {
        for bad in [vec![], vec![0.0], vec![1.0, -1.0], vec![f64::NAN], vec![f64::INFINITY, 1.0]] {
            assert_eq!(Samples::new(&bad), None, "{bad:?}");
        }
    }

    #[test]
    fn an_interval_holds_its_estimate_and_is_the_same_for_the_same_seed() {
        let samples = Samples::new(&[1.0, 1.1, 1.2, 1.05, 1.4, 1.0, 1.3]).expect("positive");
        let (low, high) = samples.interval(0.1, 7);
        assert!(low <= samples.quantile(0.1) && samples.quantile(0.1) <= high);
        assert_eq!((low, high), samples.interval(0.1, 7));
        assert_eq!(Samples::new(&[2.0; 9]).expect("positive").interval(0.1, 1), (2.0, 2.0));
    }
}
