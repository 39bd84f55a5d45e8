//! Knobs and axes with one value.

use std::collections::BTreeMap;

use super::table::{Table, number};
use super::{Check, Finding, Severity};
use crate::frame::{FrameError, open_columns};
use crate::schema::{KNOB, PROBLEM};

/// Below so many points one value is no wonder.
const POINTS: usize = 8;

/// Per family, the knobs and axes that have the same value in all points.
pub(super) fn check(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let mut families: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for part in &table.parts {
        families.entry(&part.family).or_default().extend(&part.points);
    }
    let names = [open_columns(table.frame, KNOB), open_columns(table.frame, PROBLEM)].concat();
    let columns = names.into_iter().map(|name| Ok((table.codes(&name)?, name))).collect::<Result<Vec<_>, FrameError>>()?;
    let mut findings = Vec::new();
    for (family, rows) in families.into_iter().filter(|(_, rows)| rows.len() >= POINTS) {
        let present: Vec<_> = columns.iter().filter(|(codes, _)| rows.iter().any(|row| codes.of[*row] != 0)).collect();
        let constant: Vec<_> = present.iter().filter(|(codes, _)| !codes.vary(&rows)).collect();
        if constant.is_empty() {
            continue;
        }
        let shown: Vec<String> =
            constant.iter().map(|(codes, name)| format!("`{name}` = {}", codes.values[codes.of[rows[0]] as usize])).collect();
        let detail = format!(
            "{family}: {} with one value over {} points: {}",
            number(constant.len(), "column"),
            rows.len(),
            shown.join(", ")
        );
        findings.push(Finding::new(&Check::CONSTANT, Severity::Info, (constant.len(), present.len()), detail).about(family));
    }
    Ok(findings)
}
