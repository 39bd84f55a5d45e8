//! Headline times against their samples and against what the source reports.

use super::ratio::{explain, middle, unit};
use super::table::{Part, Table, figure};
use super::{Check, Finding, Severity};
use crate::frame::FrameError;
use crate::schema::col;

/// Rounding of a stored text may move a time by so much.
const ROUNDED: f64 = 1e-3;

/// Rows whose time lies outside its samples, or differs from the reported time by a unit.
pub(super) fn check(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let (low, high) = bounds(table)?;
    let reported = table.reals(col::time_reported_s)?;
    let mut findings = Vec::new();
    for part in &table.parts {
        findings.extend(outside(table, part, &low, &high));
        findings.extend(by_unit(table, part, &reported));
    }
    Ok(findings)
}

/// Smallest and largest sample per row, or the stored minimum and quartile where samples are not kept; NaN where neither is.
fn bounds(table: &Table<'_>) -> Result<(Vec<f64>, Vec<f64>), FrameError> {
    let (mut low, mut high) = (table.reals(col::time_min_s)?, vec![f64::NAN; table.rows]);
    for row in (0..table.rows).filter(|row| !table.samples(*row).is_empty()) {
        low[row] = table.samples(row).iter().copied().fold(f64::INFINITY, f64::min);
        high[row] = table.samples(row).iter().copied().fold(0.0, f64::max);
    }
    Ok((low, high))
}

fn outside(table: &Table<'_>, part: &Part, low: &[f64], high: &[f64]) -> Option<Finding> {
    let known: Vec<usize> = part.ok.iter().copied().filter(|row| low[*row] > 0.0 && table.time[*row] > 0.0).collect();
    let wrong = |row: &usize| table.time[*row] < low[*row] * (1.0 - ROUNDED) || table.time[*row] > high[*row] * (1.0 + ROUNDED);
    let wrong: Vec<usize> = known.iter().copied().filter(wrong).collect();
    let (typical, _) = middle(&mut wrong.iter().map(|row| table.time[*row] / low[*row]).collect::<Vec<_>>())?;
    let unit = unit(typical).map(|unit| format!("; typically {unit}")).unwrap_or_default();
    let detail = format!("{}: `time_s` is not between the smallest and the largest sample{unit}", part.name());
    let shows =
        |row: usize| format!("time_s = {}, samples from {} to {}", figure(table.time[row]), figure(low[row]), figure(high[row]));
    let finding = Finding::new(&Check::TIME, Severity::Error, (wrong.len(), known.len()), detail).about(col::time_s);
    Some(finding.showing(table.examples(wrong, shows)))
}

/// A mean may be far from a median; a factor of 1000 may not.
fn by_unit(table: &Table<'_>, part: &Part, reported: &[f64]) -> Option<Finding> {
    let known: Vec<usize> = part.ok.iter().copied().filter(|row| reported[*row] > 0.0 && table.time[*row] > 0.0).collect();
    let far = |row: &usize| !(0.01..=100.0).contains(&(table.time[*row] / reported[*row]));
    let wrong: Vec<usize> = known.iter().copied().filter(far).collect();
    let (typical, _) = middle(&mut wrong.iter().map(|row| table.time[*row] / reported[*row]).collect::<Vec<_>>())?;
    let detail = format!("{}: `time_s` over `time_reported_s` is {}: {}", part.name(), figure(typical), explain(typical));
    let shows = |row: usize| format!("time_s = {}, time_reported_s = {}", figure(table.time[row]), figure(reported[row]));
    let finding = Finding::new(&Check::TIME, Severity::Error, (wrong.len(), known.len()), detail).about(col::time_reported_s);
    Some(finding.showing(table.examples(wrong, shows)))
}
