//! A stated figure over a recomputed one, and the unit that would explain it.

use crate::quantile;

/// Ratios of units that get mixed up: factor and what it would mean.
const FACTORS: [(f64, &str); 14] = [
    (1e3, "a factor of 1000: milli, kilo or giga taken for the unit beside it"),
    (1e-3, "a factor of 1/1000: milli, kilo or giga taken for the unit beside it"),
    (1e6, "a factor of 10^6: micro or mega taken for the unit itself"),
    (1e-6, "a factor of 10^-6: micro or mega taken for the unit itself"),
    (1e9, "a factor of 10^9: nano or giga taken for the unit itself"),
    (1e-9, "a factor of 10^-9: nano or giga taken for the unit itself"),
    (1.073_741_824, "2^30 over 10^9: GiB taken for GB"),
    (1.0 / 1.073_741_824, "10^9 over 2^30: GB taken for GiB"),
    (1.048_576, "2^20 over 10^6: MiB taken for MB"),
    (1.0 / 1.048_576, "10^6 over 2^20: MB taken for MiB"),
    (1.099_511_627_776, "2^40 over 10^12: TiB taken for TB"),
    (8.0, "a factor of 8: bits taken for bytes"),
    (0.125, "a factor of 1/8: bytes taken for bits"),
    (3600.0, "a factor of 3600: hours taken for seconds"),
];

/// Ways of counting operations that get mixed up: only rates of arithmetic are explained by them.
const COUNTS: [(f64, &str); 2] = [
    (2.0, "a factor of 2: a fused multiply-add counted as one operation or as two"),
    (0.5, "a factor of 1/2: a fused multiply-add counted as one operation or as two"),
];

/// How near a typical ratio must come to a factor to be explained by it.
const NEAR: f64 = 0.01;

/// What the factor `ratio` would mean, if it is one of units.
pub(super) fn unit(ratio: f64) -> Option<&'static str> {
    among(&FACTORS, ratio)
}

fn among(factors: &[(f64, &'static str)], ratio: f64) -> Option<&'static str> {
    factors.iter().find(|(factor, _)| (ratio / factor - 1.0).abs() <= NEAR).map(|(_, meaning)| *meaning)
}

/// The middle and how far the middle half reaches, relative to it; `None` for no ratios.
pub(super) fn middle(ratios: &mut [f64]) -> Option<(f64, f64)> {
    ratios.sort_unstable_by(f64::total_cmp);
    let [low, middle, high] = [0.25, 0.5, 0.75].map(|share| quantile::of_sorted(ratios, share));
    Some((middle?, (high? - low?) / middle?))
}

/// What a ratio says: the unit where there is one, the figure otherwise.
pub(super) fn explain(ratio: f64) -> String {
    said(ratio, unit(ratio))
}

/// The same of a rate of arithmetic, where operations may have been counted in another way.
pub(super) fn explain_rate(ratio: f64) -> String {
    said(ratio, unit(ratio).or_else(|| among(&COUNTS, ratio)))
}

fn said(ratio: f64, explained: Option<&str>) -> String {
    match explained {
        Some(unit) => unit.to_owned(),
        None => format!("a factor of {}, which no unit explains", super::table::figure(ratio)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_units_that_get_mixed_up_are_told_apart() {
        for (ratio, word) in [(1000.0, "1000"), (1.0737, "GiB"), (0.9313, "GB taken for GiB"), (1.0486, "MiB"), (7.99, "bits")] {
            assert!(unit(ratio).is_some_and(|meaning| meaning.contains(word)), "{ratio}: {:?}", unit(ratio));
        }
        for ratio in [1.0, 1.03, 1.3, 2.0, 5.0, 500.0] {
            assert_eq!(unit(ratio), None, "{ratio}");
        }
        assert!(explain_rate(2.0).contains("multiply-add") && !explain(2.0).contains("multiply-add"));
    }
}
