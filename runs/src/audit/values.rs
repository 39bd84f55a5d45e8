//! Values that no measurement gives.

use super::table::Table;
use super::{Check, Finding, Severity};
use crate::frame::{FrameError, open_columns};
use crate::schema::{PROBLEM, col};

/// Quantities that are above zero wherever they are known.
const POSITIVE: [&str; 8] = [
    col::time_s,
    col::time_min_s,
    col::time_median_s,
    col::energy_j,
    col::power_w,
    col::useful_flop,
    col::compulsory_bytes,
    col::clock_hz,
];
/// Axes that are no sizes: scaling factors may be zero or negative.
const FACTORS: [&str; 2] = ["problem.alpha", "problem.beta"];

/// One finding per column with values that are not positive, in rows with status `ok`.
pub(super) fn check(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let sizes = open_columns(table.frame, PROBLEM).into_iter().filter(|name| !FACTORS.contains(&name.as_str()));
    let numeric = |name: &String| table.frame.column(name).is_ok_and(|column| column.dtype().is_integer());
    let names: Vec<String> = POSITIVE.iter().map(|name| (*name).to_owned()).chain(sizes.filter(numeric)).collect();
    let mut findings = Vec::new();
    for name in names {
        let values = table.reals(&name)?;
        let known = (0..table.rows).filter(|row| table.ok[*row] && !values[*row].is_nan());
        let known: Vec<usize> = known.collect();
        let wrong: Vec<usize> = known.iter().copied().filter(|row| values[*row] <= 0.0 || values[*row].is_infinite()).collect();
        if wrong.is_empty() {
            continue;
        }
        let detail = format!("`{name}` is zero, negative or infinite in {} of {} rows", wrong.len(), known.len());
        let finding = Finding::new(&Check::IMPOSSIBLE, Severity::Error, (wrong.len(), known.len()), detail).about(&name);
        findings.push(finding.showing(table.examples(wrong, |row| format!("{name} = {}", values[row]))));
    }
    Ok(findings)
}
