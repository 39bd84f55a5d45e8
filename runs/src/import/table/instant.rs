//! Points in time as RFC 3339 in UTC.

use std::borrow::Cow;

/// Seconds since 1970 as `2024-11-12T00:34:04Z`, with milliseconds where there are some. `None` outside the years 1970 to 9999.
pub(super) fn of_unix(seconds: f64) -> Option<String> {
    if !(0.0..253_402_300_800.0).contains(&seconds) {
        return None;
    }
    #[allow(clippy::cast_possible_truncation)] // below 2^48
    let milliseconds = (seconds * 1e3).round() as i64;
    let (days, rest) = (milliseconds.div_euclid(86_400_000), milliseconds.rem_euclid(86_400_000));
    let (year, month, day) = civil(days);
    let (hour, minute, second, milli) = (rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000);
    let fraction = if milli == 0 { String::new() } else { format!(".{milli:03}") };
    Some(format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}{fraction}Z"))
}

/// Days since 1970 as year, month and day of the Gregorian calendar (Hinnant, "chrono-compatible low-level date algorithms").
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let (era, of_era) = (shifted.div_euclid(146_097), shifted.rem_euclid(146_097));
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    (year_of_era + era * 400 + i64::from(month <= 2), month, day)
}

/// The text itself, where it looks like RFC 3339 in UTC.
pub(super) fn of_text(text: Cow<'_, str>) -> Option<Cow<'_, str>> {
    let shape = b"dddd-dd-ddTdd:dd:dd";
    let bytes = text.as_bytes();
    let fits = bytes.len() > shape.len()
        && text.ends_with('Z')
        && shape.iter().zip(bytes).all(|(shape, byte)| if *shape == b'd' { byte.is_ascii_digit() } else { shape == byte });
    fits.then_some(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn seconds_since_1970_are_dates() {
        for (seconds, expected) in [
            (0.0, Some("1970-01-01T00:00:00Z")),
            (951_782_400.0, Some("2000-02-29T00:00:00Z")),
            (1_731_372_844.0, Some("2024-11-12T00:54:04Z")),
            (1_731_372_844.5, Some("2024-11-12T00:54:04.500Z")),
            (253_402_300_799.0, Some("9999-12-31T23:59:59Z")),
            (-1.0, None),
            (1e300, None),
            (f64::NAN, None),
        ] {
            assert_eq!(of_unix(seconds).as_deref(), expected, "{seconds}");
        }
    }

    #[test]
    fn only_what_looks_like_rfc_3339_is_taken_as_it_is() {
        assert!(of_text("2023-12-22T09:54:05.5Z".into()).is_some());
        for text in ["", "yesterday", "2023-12-22 09:54:05Z", "2023-12-22T09:54:05+01:00"] {
            assert_eq!(of_text(text.into()), None, "{text}");
        }
    }
}
