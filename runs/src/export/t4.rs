//! T4 results (schema 1.0.0). What the format has no place for (device, kernel, problem) goes to an object `tilecast` in the root that
//! other readers ignore, and to measurements with units.

use std::path::Path;

use polars::prelude::DataFrame;
use serde_json::{Map, Value, json};

use super::group::{Entry, Group, Written, write_each};
use super::{ExportError, Exported};
use crate::import::T4_OURS;
use crate::scale::in_unit;
use crate::schema::col;

/// Milliseconds in seconds.
const MS: f64 = 1e-3;

pub(super) fn export(frame: &DataFrame, out: &Path) -> Result<Exported, ExportError> {
    write_each(frame, "t4", out, results)
}

fn results(group: &Group) -> Written {
    let known = group.rows.iter().find(|entry| entry.text(col::source) == "import:t4");
    let file = known.and_then(|_| group.rows.iter().find_map(|entry| entry.object("file")));
    let unit = file.and_then(|file| file.get("metadata")?.get("timeunit")?.as_str().map(str::to_owned));
    let unit_s = match unit.as_deref() {
        Some("seconds") => 1.0,
        Some("microseconds") => 1e-6,
        Some("nanoseconds") => 1e-9,
        _ => MS,
    };
    let mut root = file.cloned().unwrap_or_else(|| header(group));
    let named = root.get(T4_OURS).and_then(|ours| ours.get("kernel_name")).cloned().unwrap_or_default();
    let of_row = |entry: &Entry| {
        let mut result = result(entry, unit_s);
        if let Some(kernel) = entry.row.text(col::kernel).filter(|kernel| named != *kernel) {
            result.insert(T4_OURS.to_owned(), json!({ "kernel_name": kernel }));
        }
        Value::Object(result)
    };
    let results: Vec<Value> = group.rows.iter().map(of_row).collect();
    root.insert("results".to_owned(), results.into());
    Written { text: format!("{}\n", Value::Object(root)), rows: group.rows.len(), warning: None }
}

fn header(group: &Group) -> Map<String, Value> {
    let mut root = Map::new();
    root.insert("schema_version".to_owned(), "1.0.0".into());
    root.insert("metadata".to_owned(), json!({ "timeunit": "milliseconds" }));
    if let Some(first) = group.rows.first() {
        let problem: Map<String, Value> = first.axes().into_iter().collect();
        let ours = json!({
            "device_name": first.text(col::device_name),
            "kernel_name": group.kernel(),
            "problem": problem,
            "dtype": first.row.text(col::dtype),
        });
        root.insert(T4_OURS.to_owned(), ours);
    }
    root
}

fn result(entry: &Entry, unit_s: f64) -> Map<String, Value> {
    let imported = entry.text(col::source) == "import:t4";
    let mut out = Map::new();
    if imported {
        let ours = ["file", "roof_source", crate::import::ASKED];
        out.extend(entry.extra.iter().filter(|(name, _)| !ours.contains(&name.as_str())).map(|(n, v)| (n.clone(), v.clone())));
    } else {
        new_result(entry, unit_s, &mut out);
    }
    out.insert("configuration".to_owned(), Value::Object(entry.knobs().into_iter().collect()));
    out.insert("invalidity".to_owned(), invalidity(entry).into());
    let samples = entry.samples();
    if !samples.is_empty() {
        let runtimes: Vec<Value> = samples.iter().map(|sample| in_unit(*sample, unit_s)).collect();
        let times = out.entry("times").or_insert_with(|| json!({}));
        if let Value::Object(times) = times {
            times.entry("runtimes").or_insert_with(|| runtimes.into());
        }
    }
    out
}

fn invalidity(entry: &Entry) -> &'static str {
    match entry.text(col::status) {
        "ok" | "not_verified" => "correct",
        "timeout" => "timeout",
        "compile_error" => "compile",
        "incorrect" => "correctness",
        "constraint" | "unsupported" => "constraints",
        _ => "runtime",
    }
}

/// A result of a row that did not come from the format.
fn new_result(entry: &Entry, unit_s: f64, out: &mut Map<String, Value>) {
    let real = |name: &str| entry.row.real(name);
    if let Some(at) = entry.row.text(col::measured_at) {
        out.insert("timestamp".to_owned(), at.into());
    }
    let mut times = Map::new();
    if let Some(prepare) = real(col::prepare_s) {
        times.insert("compilation".to_owned(), in_unit(prepare, unit_s));
    }
    out.insert("times".to_owned(), Value::Object(times));
    out.insert("objectives".to_owned(), json!(["time"]));
    out.insert("correctness".to_owned(), Value::from(i32::from(entry.text(col::status) == "ok")));
    let mut measurements = Vec::new();
    if let Some(time) = real(col::time_reported_s).or_else(|| real(col::time_s)) {
        measurements.push(json!({ "name": "time", "value": in_unit(time, MS), "unit": "ms" }));
    }
    for (name, column, unit) in [("energy", col::energy_j, "J"), ("power", col::power_w, "W"), ("clock", col::clock_hz, "Hz")] {
        measurements.extend(real(column).map(|value| json!({ "name": name, "value": value, "unit": unit })));
    }
    out.insert("measurements".to_owned(), measurements.into());
}
