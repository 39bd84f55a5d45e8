//! Numbers as a reader wants them: three significant figures, SI prefixes, thin signs.

/// `value` with `figures` significant figures, without an exponent between 0.001 and 100 000, trailing zeros kept.
#[must_use]
pub fn figures(value: f64, figures: usize) -> String {
    if value == 0.0 || !value.is_finite() {
        return if value == 0.0 { "0".into() } else { "–".into() };
    }
    let magnitude = decade(value, figures);
    if !(-3..6).contains(&magnitude) {
        return exponent(value, figures);
    }
    let decimals = usize::try_from((i64::try_from(figures).unwrap_or(3) - 1 - i64::from(magnitude)).max(0)).unwrap_or(0);
    minus(&format!("{value:.decimals$}"))
}

/// The power of ten of `value` after rounding to `figures` figures: 9.996 rounds to 10.0 and has decade 1.
fn decade(value: f64, figures: usize) -> i32 {
    let text = format!("{:.*e}", figures.saturating_sub(1), value.abs());
    text.rsplit('e').next().and_then(|digits| digits.parse().ok()).unwrap_or(0)
}

fn exponent(value: f64, figures: usize) -> String {
    let text = format!("{:.*e}", figures.saturating_sub(1), value);
    let (mantissa, power) = text.split_once('e').unwrap_or((&text, "0"));
    minus(&format!("{mantissa}×10{}", superscript(power)))
}

/// Digits and minus of `text` as superscripts.
#[must_use]
pub fn superscript(text: &str) -> String {
    const DIGITS: [char; 10] = ['⁰', '¹', '²', '³', '⁴', '⁵', '⁶', '⁷', '⁸', '⁹'];
    text.chars().map(|c| c.to_digit(10).map_or(if c == '-' { '⁻' } else { c }, |d| DIGITS[d as usize])).collect()
}

fn minus(text: &str) -> String {
    text.replace('-', "−")
}

/// SI prefix for quantities around `value`: the factor it stands for and its letter.
#[must_use]
pub fn prefix(value: f64) -> (f64, &'static str) {
    const PREFIXES: [(f64, &str); 9] =
        [(1e15, "P"), (1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"), (1.0, ""), (1e-3, "m"), (1e-6, "µ"), (1e-9, "n")];
    // 0.9995 keeps 999.6 µs from being written as 1000 µs.
    PREFIXES.into_iter().find(|(factor, _)| value.abs() >= factor * 0.9995).unwrap_or((1e-9, "n"))
}

/// `value` in `unit` with an SI prefix and three figures: `1.23 ms`.
#[must_use]
pub fn si(value: f64, unit: &str) -> String {
    let (factor, letter) = if value == 0.0 { (1.0, "") } else { prefix(value) };
    format!("{}\u{a0}{letter}{unit}", figures(value / factor, 3))
}

/// A time in seconds.
#[must_use]
pub fn time(seconds: f64) -> String {
    if seconds.abs() >= 1000.0 { format!("{}\u{a0}s", figures(seconds, 4)) } else { si(seconds, "s") }
}

/// A time with its interval, in the prefix and to the decimals of the time: `1.23 ms (1.20–1.26)`.
#[must_use]
pub fn time_with_interval(seconds: f64, interval: Option<(f64, f64)>) -> String {
    let Some((low, high)) = interval else { return time(seconds) };
    let (factor, _) = prefix(seconds);
    let places = places(&figures(seconds / factor, 3));
    format!("{} ({:.places$}–{:.places$})", time(seconds), low / factor, high / factor)
}

/// A ratio: `1.18×`.
#[must_use]
pub fn ratio(value: f64) -> String {
    let two = value < 0.995 || (10.0..100.0).contains(&value);
    format!("{}×", figures(value, if two { 2 } else { 3 }))
}

/// A ratio with its interval to the same decimals: `3.10× (2.90–3.31×)`.
#[must_use]
pub fn ratio_with_interval(value: f64, interval: Option<(f64, f64)>) -> String {
    let Some((low, high)) = interval else { return ratio(value) };
    let text = ratio(value);
    let places = places(text.trim_end_matches('×'));
    format!("{text} ({low:.places$}–{high:.places$}×)")
}

/// Decimals of a number as written.
fn places(text: &str) -> usize {
    text.split_once('.').map_or(0, |(_, decimals)| decimals.len())
}

/// A share as a percentage: one decimal below 10 %, none above.
#[must_use]
pub fn percent(share: f64) -> String {
    if share == 0.0 {
        return "0\u{a0}%".into();
    }
    let value = share * 100.0;
    let decimals = if value.abs() < 0.0995 { 2 } else { usize::from(value.abs() < 9.95) };
    minus(&format!("{value:.decimals$}\u{a0}%"))
}

/// A count with thin spaces between thousands: `17 956`.
#[must_use]
pub fn count(value: usize) -> String {
    let digits = value.to_string();
    let head = digits.len() % 3;
    let mut text = digits[..head].to_string();
    for (index, chunk) in digits.as_bytes()[head..].chunks(3).enumerate() {
        if index > 0 || head > 0 {
            text.push('\u{202f}');
        }
        text.extend(chunk.iter().map(|&byte| byte as char));
    }
    text
}

/// `n` things in words: `1 point`, `12 points`.
#[must_use]
pub fn things(value: usize, singular: &str) -> String {
    format!("{} {singular}{}", count(value), if value == 1 { "" } else { "s" })
}

/// `shown` of `total` things: `6 of 8 problems`, or `8 problems` where all are shown.
#[must_use]
pub fn share_of(shown: usize, total: usize, singular: &str) -> String {
    if shown == total { things(total, singular) } else { format!("{} of {}", count(shown), things(total, singular)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_three_figures() {
        for (value, expected) in [
            (0.0, "0"),
            (1.0, "1.00"),
            (9.996, "10.0"),
            (123.456, "123"),
            (99_999.0, "99999"),
            (-1.5, "−1.50"),
            (0.001_234, "0.00123"),
            (1.5e-5, "1.50×10⁻⁵"),
            (2e9, "2.00×10⁹"),
            (f64::NAN, "–"),
        ] {
            assert_eq!(figures(value, 3), expected, "{value}");
        }
    }

    #[test]
    fn times_choose_their_prefix() {
        for (value, expected) in [
            (1.234e-3, "1.23\u{a0}ms"),
            (999.6e-6, "1.00\u{a0}ms"),
            (4.2e-8, "42.0\u{a0}ns"),
            (12.0, "12.0\u{a0}s"),
            (0.0, "0\u{a0}s"),
        ] {
            assert_eq!(time(value), expected);
        }
        assert_eq!(time_with_interval(1.234e-3, Some((1.2e-3, 1.26e-3))), "1.23\u{a0}ms (1.20–1.26)");
    }

    #[test]
    fn ratios_shares_and_counts_read_well() {
        assert_eq!(ratio(1.178), "1.18×");
        assert_eq!(ratio(12.34), "12×");
        assert_eq!(ratio(0.432), "0.43×");
        assert_eq!(ratio_with_interval(1.0, Some((0.98, 1.0243))), "1.00× (0.98–1.02×)");
        assert_eq!(ratio_with_interval(3.1, Some((2.9, 3.31))), "3.10× (2.90–3.31×)");
        assert_eq!(percent(0.0), "0\u{a0}%");
        assert_eq!(percent(0.1234), "12\u{a0}%");
        assert_eq!(percent(0.0123), "1.2\u{a0}%");
        assert_eq!(percent(0.0004), "0.04\u{a0}%");
        assert_eq!(count(17956), "17\u{202f}956");
        assert_eq!(count(7), "7");
        assert_eq!(count(123_456_789), "123\u{202f}456\u{202f}789");
        assert_eq!(things(1, "point"), "1 point");
    }
}
