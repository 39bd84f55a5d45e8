//! When a point has been sampled enough.

use super::stats::Samples;
use crate::spec::Measure;

/// Statistic a CPU point is ranked by: repeatable to 0.6–1.4 % between processes on a shared machine where the median moves 1.4–1.6 %.
pub const HEADLINE: f64 = 0.10;

/// Samples taken whatever they cost.
const FLOOR: usize = 3;

/// Why sampling stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopReason {
    /// The interval is as narrow as asked.
    Noise,
    /// The ceiling of samples is reached.
    MaxSamples,
    /// The point has used its kernel time.
    Time,
}

impl StopReason {
    /// Name in frames.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Noise => "noise",
            Self::MaxSamples => "max_samples",
            Self::Time => "time",
        }
    }
}

/// Half width of the 95 % interval of the headline over the headline.
#[must_use]
fn relative_half_width(samples: &Samples, seed: u64) -> f64 {
    let (low, high) = samples.interval(HEADLINE, seed);
    (high - low) / 2.0 / samples.quantile(HEADLINE)
}

/// Whether to stop after `times`, which cost `spent_s` of kernel time. `None` means to go on.
#[must_use]
pub(super) fn verdict(times: &[f64], spent_s: f64, measure: &Measure, seed: u64) -> Option<StopReason> {
    if times.len() < FLOOR {
        return None;
    }
    if times.len() >= measure.max_samples as usize {
        return Some(StopReason::MaxSamples);
    }
    if spent_s >= measure.point_s {
        return Some(StopReason::Time);
    }
    let quiet = || Samples::new(times).is_some_and(|samples| relative_half_width(&samples, seed) <= measure.max_noise);
    (times.len() >= measure.min_samples as usize && quiet()).then_some(StopReason::Noise)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sampling_stops_on_noise_between_a_floor_and_a_ceiling() {
        let measure = Measure { min_samples: 5, max_samples: 8, max_noise: 0.02, point_s: 1.0, ..Measure::default() };
        let noisy = [1.0, 2.0, 1.5, 3.0, 1.2, 2.5, 1.1, 1.9];
        for (times, spent, expected) in [
            (&[1.0, 1.0][..], 9.0, None),
            (&[1.0; 4], 0.1, None),
            (&[1.0; 5], 0.1, Some(StopReason::Noise)),
            (&noisy[..5], 0.1, None),
            (&noisy[..3], 1.0, Some(StopReason::Time)),
            (&noisy, 0.1, Some(StopReason::MaxSamples)),
        ] {
            assert_eq!(verdict(times, spent, &measure, 1), expected, "{times:?} after {spent} s");
        }
    }
}
