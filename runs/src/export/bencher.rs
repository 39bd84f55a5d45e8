//! Bencher Metric Format: `{benchmark: {measure: {value, lower_value, upper_value}}}`.
//!
//! `latency` is in nanoseconds, as Bencher's built-in measure of that name; `energy` in joules; `power` in watts. Bounds are the ends
//! of our 95 % intervals, left out where there are none.

use std::path::Path;

use polars::prelude::DataFrame;
use serde_json::{Map, Value, json};

use super::{ExportError, Exported, plain};
use crate::frame;
use crate::row::Row;
use crate::schema::col;

/// Nanoseconds in a second.
const NS: f64 = 1e9;

pub(super) fn export(frame: &DataFrame, out: &Path) -> Result<Exported, ExportError> {
    let mut benchmarks = Map::new();
    for row in frame::to_rows(frame)? {
        let measures = measures(&row);
        if row.text(col::status) == Some("ok") && !measures.is_empty() {
            benchmarks.insert(free_name(&benchmarks, name(&row)), Value::Object(measures));
        }
    }
    if benchmarks.is_empty() {
        return Err(ExportError::Nothing {
            format: "bencher",
            why: "no row of status `ok` has a time, energy or power".to_owned(),
        });
    }
    let (rows, all) = (benchmarks.len(), frame.height());
    let warning =
        (rows < all).then(|| format!("{} of {all} rows are not `ok` or have no time, energy or power: left out", all - rows));
    let file = plain::text(out, &format!("{:#}\n", Value::Object(benchmarks)))?;
    Ok(Exported { files: vec![file], rows, warnings: warning.into_iter().collect() })
}

fn name(row: &Row) -> String {
    let part = |name: &str| row.text(name).unwrap_or_default();
    let mode = row.text(col::cache_mode).map(|mode| format!(" {mode}")).unwrap_or_default();
    format!("{} [{}]{mode} on {}", part(col::problem), part(col::config), part(col::device))
}

/// The same experiment may stand in a store several times; none of its rows is lost.
fn free_name(taken: &Map<String, Value>, name: String) -> String {
    if !taken.contains_key(&name) {
        return name;
    }
    let numbered = (2u32..).map(|number| format!("{name} #{number}"));
    numbered.into_iter().find(|name| !taken.contains_key(name)).unwrap_or(name)
}

fn measures(row: &Row) -> Map<String, Value> {
    let mut measures = Map::new();
    let mut put = |name: &str, value: Option<f64>, lower: Option<f64>, upper: Option<f64>| {
        let Some(value) = value else { return };
        let mut measure = Map::new();
        measure.insert("value".to_owned(), json!(value));
        for (name, bound) in [("lower_value", lower), ("upper_value", upper)] {
            if let Some(bound) = bound {
                measure.insert(name.to_owned(), json!(bound));
            }
        }
        measures.insert(name.to_owned(), Value::Object(measure));
    };
    let real = |name: &str| row.real(name);
    let ns = |name: &str| real(name).map(|time| time * NS);
    put("latency", ns(col::time_s), ns(col::time_lo_s), ns(col::time_hi_s));
    let (energy, half) = (real(col::energy_j), real(col::energy_uncertainty_j));
    let bound = |sign: f64| energy.zip(half).map(|(energy, half)| energy + sign * half);
    put("energy", energy, bound(-1.0), bound(1.0));
    put("power", real(col::power_w), None, None);
    measures
}
