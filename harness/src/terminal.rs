//! Standard output for data, standard error for talk.

use std::io::Write;

use comfy_table::{ContentArrangement, Table, presets};
use serde::Serialize;

use crate::fail::Fail;

/// Prints a line of data. A reader that has gone away (`| head`) is not an error.
pub fn say(line: impl std::fmt::Display) {
    // A broken pipe means that the reader has seen enough.
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Prints talk on standard error.
pub fn note(line: impl std::fmt::Display) {
    // Nothing is left to tell it to where standard error is closed.
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Prints an error and its hint.
pub fn complain(fail: &Fail) {
    note(format_args!("error: {fail}"));
    if let Some(hint) = &fail.hint {
        note(format_args!("hint: {hint}"));
    }
}

/// Prints `value` as indented JSON.
///
/// # Errors
/// Never for our own types; a value that is no JSON is a defect worth a message.
pub fn json(value: &impl Serialize) -> Result<(), Fail> {
    let text = serde_json::to_string_pretty(value).map_err(|error| Fail::new(format!("output is no JSON: {error}")))?;
    say(text);
    Ok(())
}

/// A plain table: header, hairline, rows.
#[must_use]
pub fn table(header: &[&str], rows: Vec<Vec<String>>) -> Table {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Dynamic).set_header(header.to_vec());
    for row in rows {
        table.add_row(row);
    }
    table
}

/// Seconds with an SI prefix and three significant figures.
#[must_use]
pub fn seconds(value: f64) -> String {
    let (scale, unit) = match value.abs() {
        v if v >= 1.0 => (1.0, "s"),
        v if v >= 1e-3 => (1e3, "ms"),
        v if v >= 1e-6 => (1e6, "µs"),
        _ => (1e9, "ns"),
    };
    format!("{} {unit}", significant(value * scale))
}

/// Three significant figures.
#[must_use]
pub fn significant(value: f64) -> String {
    let places = if value == 0.0 || !value.is_finite() {
        0
    } else {
        #[allow(clippy::cast_possible_truncation)] // a small exponent
        let exponent = value.abs().log10().floor() as i32;
        usize::try_from((2 - exponent).clamp(0, 12)).unwrap_or(0)
    };
    format!("{value:.places$}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_have_three_significant_digits_and_their_unit() {
        for (value, expected) in
            [(0.001_234_5, "1.23 ms"), (12.34, "12.3 s"), (4.2e-8, "42.0 ns"), (1.5e-5, "15.0 µs"), (123.4, "123 s")]
        {
            assert_eq!(seconds(value), expected);
        }
    }
}
