//! Kernel Tuner caches: times in milliseconds, failures by the tool's words.

use std::path::Path;

use polars::prelude::DataFrame;
use serde_json::{Map, Value, json};

use super::group::{Entry, Group, Written, write_each};
use super::{ExportError, Exported};
use crate::scale::in_unit;
use crate::schema::col;

/// Milliseconds in seconds.
const MS: f64 = 1e-3;

/// Members of `extra` that an import put there.
const OURS: [&str; 3] = [crate::import::ASKED, crate::import::FILE, "roof_source"];

pub(super) fn export(frame: &DataFrame, out: &Path) -> Result<Exported, ExportError> {
    write_each(frame, "kernel-tuner", out, cache)
}

fn cache(group: &Group) -> Written {
    let file =
        group.rows.iter().find_map(|entry| entry.object(crate::import::FILE).filter(|file| file.contains_key("tune_params")));
    let mut root = file.cloned().unwrap_or_else(|| header(group));
    let mut entries = Map::new();
    let mut repeats = 0;
    for entry in &group.rows {
        let knobs = entry.knobs();
        let values = || knobs.iter().map(|(_, value)| crate::import::plain(value)).collect::<Vec<_>>().join(",");
        let key = entry.key().map_or_else(values, str::to_owned);
        let mut written = cache_entry(entry, knobs);
        if let Some(kernel) = entry.row.text(col::kernel).filter(|kernel| *kernel != group.kernel()) {
            written.insert("kernel_name".to_owned(), kernel.into());
        }
        repeats += usize::from(entries.insert(key, Value::Object(written)).is_some());
    }
    let rows = entries.len();
    root.insert("cache".to_owned(), Value::Object(entries));
    let warning =
        (repeats > 0).then(|| format!("{repeats} rows repeat a configuration, of which a cache holds one: the last is written"));
    Written { text: format!("{}\n", Value::Object(root)), rows, warning }
}

/// What a cache says of itself, from rows that did not come from one.
fn header(group: &Group) -> Map<String, Value> {
    let Some(first) = group.rows.first() else { return Map::new() };
    let mut values: Vec<(String, Vec<Value>)> = Vec::new();
    for (name, value) in group.rows.iter().flat_map(Entry::knobs) {
        match values.iter_mut().find(|(known, _)| *known == name) {
            Some((_, known)) if known.contains(&value) => {}
            Some((_, known)) => known.push(value),
            None => values.push((name, vec![value])),
        }
    }
    let sizes: Vec<Value> = first.axes().into_iter().map(|(_, value)| value).filter(Value::is_number).collect();
    let keys: Vec<&String> = values.iter().map(|(name, _)| name).collect();
    let mut root = Map::new();
    root.insert("device_name".to_owned(), first.text(col::device_name).into());
    root.insert("kernel_name".to_owned(), group.kernel().into());
    root.insert("problem_size".to_owned(), sizes.into());
    root.insert("tune_params_keys".to_owned(), json!(keys));
    root.insert(
        "tune_params".to_owned(),
        Value::Object(values.into_iter().map(|(name, values)| (name, values.into())).collect()),
    );
    root.insert("objective".to_owned(), "time".into());
    root
}

fn cache_entry(entry: &Entry, knobs: Vec<(String, Value)>) -> Map<String, Value> {
    let real = |name: &str| entry.row.real(name);
    let mut out: Map<String, Value> = knobs.into_iter().collect();
    if entry.text(col::status) == "ok" {
        if let Some(time) = real(col::time_reported_s).or_else(|| real(col::time_s)) {
            out.insert("time".to_owned(), in_unit(time, MS));
        }
        let samples = entry.samples();
        if !samples.is_empty() {
            out.insert("times".to_owned(), samples.iter().map(|sample| in_unit(*sample, MS)).collect());
        }
    } else if !entry.extra.contains_key("time") {
        let word = match entry.text(col::status) {
            "constraint" | "unsupported" => "InvalidConfig",
            "compile_error" => "CompilationFailedConfig",
            _ => "RuntimeFailedConfig",
        };
        out.insert("time".to_owned(), word.into());
    }
    if let Some(prepare) = real(col::prepare_s) {
        out.insert("compile_time".to_owned(), in_unit(prepare, MS));
    }
    for (name, column) in [("nvml_energy", col::energy_j), ("nvml_power", col::power_w)] {
        if let Some(value) = real(column) {
            out.insert(name.to_owned(), value.into());
        }
    }
    if let Some(at) = entry.row.text(col::measured_at) {
        out.insert("timestamp".to_owned(), crate::import::of_rfc_3339(at).into());
    }
    // Extras of rows from elsewhere are in that tool's units: they stay behind.
    if entry.text(col::source) == "import:kernel-tuner" {
        let kept = entry.extra.iter().filter(|(name, _)| !OURS.contains(&name.as_str()));
        out.extend(kept.map(|(name, value)| (name.clone(), value.clone())));
    }
    out
}
