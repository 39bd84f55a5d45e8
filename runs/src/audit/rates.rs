//! Rates that sources state, against FLOP and bytes over time.

use super::ratio::{explain_rate, middle, unit};
use super::table::{Part, Table, figure};
use super::{Check, Finding, Severity};
use crate::device::lookup;
use crate::extra::{Extra, Value};
use crate::frame::FrameError;
use crate::schema::col;

/// A stated rate may be that of another statistic of the samples, or count scaling of C: within so much it agrees.
const RATE: f64 = 0.05;
/// Single rows may be noisier.
const ROW: f64 = 0.25;
/// A bandwidth's bytes are the source's own count: only a ratio that is constant to so much is one of units.
const TIGHT: f64 = 0.005;

/// Stated FLOP/s against FLOP over time.
pub(super) fn flop(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let (work, seconds) = (table.reals(col::useful_flop)?, seconds(table)?);
    let mut stated = vec![(col::reported_flop_per_s.to_owned(), table.reals(col::reported_flop_per_s)?)];
    stated.extend(in_extra(table, flop_unit)?);
    let mut findings = Vec::new();
    for (name, values) in stated {
        for part in &table.parts {
            let ratio = |row: usize| values[row] / (work[row] / seconds[row]);
            findings.extend(disagreement(table, part, &name, ratio));
        }
    }
    Ok(findings)
}

fn disagreement(table: &Table<'_>, part: &Part, name: &str, ratio: impl Fn(usize) -> f64) -> Option<Finding> {
    let rows: Vec<usize> = part.ok.iter().copied().filter(|row| ratio(*row).is_finite() && ratio(*row) > 0.0).collect();
    let (typical, _) = middle(&mut rows.iter().map(|row| ratio(*row)).collect::<Vec<_>>())?;
    let off = (typical - 1.0).abs() > RATE;
    let wrong: Vec<usize> =
        if off { rows.clone() } else { rows.iter().copied().filter(|row| (ratio(*row) - 1.0).abs() > ROW).collect() };
    if wrong.is_empty() {
        return None;
    }
    let detail = if off {
        format!("{}: `{name}` over FLOP / time is {}: {}", part.name(), figure(typical), explain_rate(typical))
    } else {
        format!("{}: `{name}` differs from FLOP / time by more than {:.0} % in single rows", part.name(), ROW * 100.0)
    };
    let shows = |row: usize| format!("{name} is {} × FLOP / time", figure(ratio(row)));
    let finding = Finding::new(&Check::RATE, Severity::Warning, (wrong.len(), rows.len()), detail).about(name);
    Some(finding.showing(table.examples(wrong, shows)))
}

/// Stated bandwidths against compulsory bytes over time, and roofs against the catalogue: only where a unit explains the ratio.
pub(super) fn bytes(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let (work, seconds) = (table.reals(col::compulsory_bytes)?, seconds(table)?);
    let mut stated = vec![(col::reported_bytes_per_s.to_owned(), table.reals(col::reported_bytes_per_s)?)];
    stated.extend(in_extra(table, byte_unit)?);
    let roof = table.reals("roof.dram_bytes_per_s")?;
    let mut findings = Vec::new();
    for part in &table.parts {
        for (name, values) in &stated {
            let ratio = |row: usize| values[row] / (work[row] / seconds[row]);
            findings.extend(of_units(table, part, name, "compulsory bytes / time", ratio));
        }
        if let Some(known) = lookup(&part.device).device.and_then(|device| device.facts.memory_bandwidth_bytes_per_s) {
            findings.extend(of_units(table, part, "roof.dram_bytes_per_s", "the catalogue's bandwidth", |row| roof[row] / known));
        }
    }
    Ok(findings)
}

fn of_units(table: &Table<'_>, part: &Part, name: &str, against: &str, ratio: impl Fn(usize) -> f64) -> Option<Finding> {
    let rows: Vec<usize> = part.ok.iter().copied().filter(|row| ratio(*row).is_finite() && ratio(*row) > 0.0).collect();
    let (typical, width) = middle(&mut rows.iter().map(|row| ratio(*row)).collect::<Vec<_>>())?;
    let explained = unit(typical)?;
    if width > TIGHT {
        return None;
    }
    let detail = format!("{}: `{name}` over {against} is {}: {explained}", part.name(), figure(typical));
    let shows = |row: usize| format!("{name} is {} × {against}", figure(ratio(row)));
    let finding = Finding::new(&Check::BANDWIDTH, Severity::Warning, (rows.len(), rows.len()), detail).about(name);
    Some(finding.showing(table.examples(rows, shows)))
}

/// The time that the source's own figures are about: what it reports, where that differs from ours.
pub(super) fn seconds(table: &Table<'_>) -> Result<Vec<f64>, FrameError> {
    let reported = table.reals(col::time_reported_s)?;
    Ok(reported.iter().zip(&table.time).map(|(reported, time)| if reported.is_finite() { *reported } else { *time }).collect())
}

/// Members of `extra` that a unit is found for, scaled by it.
fn in_extra(table: &Table<'_>, unit: fn(&str) -> Option<f64>) -> Result<Vec<(String, Vec<f64>)>, FrameError> {
    if table.frame.column(col::extra).is_err() {
        return Ok(Vec::new());
    }
    let extra = Extra::read(table.frame, |key| unit(key).is_some())?;
    let scaled = |key: &str| {
        let values = extra.get(key).unwrap_or_default();
        let factor = unit(key).unwrap_or(f64::NAN);
        let number = |value: &Option<Value>| value.as_ref().and_then(Value::number).map_or(f64::NAN, |number| number * factor);
        (format!("extra.{key}"), values.iter().map(number).collect())
    };
    Ok(extra.keys().map(scaled).collect())
}

/// FLOP/s in the unit that a name states: `GFLOP/s`, `gflops_src`, `TFLOPS`; not per watt, and not a count of FLOP.
fn flop_unit(key: &str) -> Option<f64> {
    let name = key.to_lowercase();
    let per_watt = ["watt", "per_w", "/w", "joule", "per_j"].iter().any(|word| name.contains(word));
    let rate = ["flops", "flop/s", "flop_per_s"].iter().any(|word| name.contains(word));
    if per_watt || !rate {
        return None;
    }
    [("gflop", 1e9), ("tflop", 1e12), ("mflop", 1e6)].iter().find(|(word, _)| name.contains(word)).map(|(_, factor)| *factor)
}

/// Bytes per second in the unit that a name states: `GB/s`, `GiB/s`, `bandwidth_gbs`.
fn byte_unit(key: &str) -> Option<f64> {
    let name = key.to_lowercase();
    let units = [
        ("gib/s", 1_073_741_824.0),
        ("gb/s", 1e9),
        ("gb_per_s", 1e9),
        ("_gbs", 1e9),
        ("gbps", 1e9),
        ("tb/s", 1e12),
        ("mb/s", 1e6),
    ];
    units.iter().find(|(word, _)| name.contains(word)).map(|(_, factor)| *factor)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_state_their_units_or_are_left_alone() {
        for (name, expected) in [
            ("GFLOP/s", Some(1e9)),
            ("gflops_src", Some(1e9)),
            ("TFLOPS", Some(1e12)),
            ("gflops_per_w_src", None),
            ("GFLOPS/W", None),
            ("gflop", None),
            ("time", None),
        ] {
            assert_eq!(flop_unit(name), expected, "{name}");
        }
        for (name, expected) in
            [("GB/s", Some(1e9)), ("GiB/s", Some(1_073_741_824.0)), ("bandwidth_gbs", Some(1e9)), ("bytes", None)]
        {
            assert_eq!(byte_unit(name), expected, "{name}");
        }
    }
}
