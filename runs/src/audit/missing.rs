//! Targets missing in part of the rows; simulated rows among measured ones.

use std::collections::BTreeMap;

use super::table::{Part, Table, percent};
use super::{Check, Finding, Severity};
use crate::frame::FrameError;
use crate::schema::col;

/// Below this share a gap is an accident.
const FEW: f64 = 0.05;

/// Time missing in a row that is `ok`, and power or energy that some rows of a source have and others lack.
pub(super) fn check(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let reasons = table.codes(col::energy_reason)?;
    let (power, energy) = (table.reals(col::power_w)?, table.reals(col::energy_j)?);
    let mut findings = Vec::new();
    for name in [col::time_s, col::power_w, col::energy_j] {
        let values = table.reals(name)?;
        for part in &table.parts {
            // What no row has was never measured, and the rows say why: that is no gap. Only a row without any target is no measurement.
            let any = part.ok.iter().any(|row| values[*row].is_finite());
            let other = part.ok.iter().any(|row| power[*row].is_finite() || energy[*row].is_finite());
            if any || (name == col::time_s && !other) {
                findings.extend(of_part(table, part, name, &values, &reasons));
            }
        }
    }
    Ok(findings)
}

fn of_part(table: &Table<'_>, part: &Part, name: &str, values: &[f64], reasons: &super::table::Codes) -> Option<Finding> {
    let missing: Vec<usize> = part.ok.iter().copied().filter(|row| !values[*row].is_finite()).collect();
    let time = name == col::time_s;
    if missing.is_empty() {
        return None;
    }
    #[allow(clippy::cast_precision_loss)] // fewer than 2^53 rows
    let share = missing.len() as f64 / part.ok.len() as f64;
    let severity = match () {
        () if time => Severity::Error,
        () if share >= FEW => Severity::Warning,
        () => Severity::Info,
    };
    let detail = format!("{}: `{name}` is missing in {} of {} rows with status `ok`", part.name(), percent(share), part.ok.len());
    let reason = |row: usize| match reasons.values[reasons.of[row] as usize].as_str() {
        "" => format!("{name} is null"),
        reason => format!("{name} is null: {reason}"),
    };
    let finding = Finding::new(&Check::MISSING, severity, (missing.len(), part.ok.len()), detail).about(name);
    Some(finding.showing(table.examples(missing, reason)))
}

/// Simulated rows among measured ones.
pub(super) fn mixed(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let mut sources: BTreeMap<&str, Vec<usize>> = BTreeMap::new();
    for part in &table.parts {
        sources.entry(&part.source).or_default().extend(&part.ok);
    }
    let simulated = sources.get("vgpu").cloned().unwrap_or_default();
    let rows: usize = sources.values().map(Vec::len).sum();
    if simulated.is_empty() || simulated.len() == rows {
        return Ok(Vec::new());
    }
    let detail = format!("{} simulated rows (source `vgpu`) stand among {} others", simulated.len(), rows - simulated.len());
    let finding = Finding::new(&Check::MIXED, Severity::Warning, (simulated.len(), rows), detail).about(col::source);
    Ok(vec![finding.showing(table.examples(simulated, |_| "source = vgpu".to_owned()))])
}
