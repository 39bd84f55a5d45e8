//! nvbench JSON (file version 1.0.0): a benchmark per kernel family, axes from problem and knobs, samples as sidecars
//! `<file>-bin/N.bin` and `<file>-freqs-bin/N.bin` of little-endian `f32`.
//!
//! nvbench's compare scripts read `meta.version.json.string`; `devices` (equal on both sides); of a benchmark `name`, `devices`,
//! `axes[]{name, type, flags}`; of a state `name`, `device`, `axis_values[]{name, type, value}`, `is_skipped` and the summaries
//! `nv/cold/time/gpu/mean` and `…/stdev/relative` (data named `value` of type `float64`). All of them are written.

mod state;

use std::fs;
use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;
use serde_json::{Map, Value, json};

use self::state::{axes, new_state};
use super::group::{Entry, entries, left_out};
use super::{ExportError, Exported, plain};
use crate::device;
use crate::import::{FREQUENCIES, FREQUENCIES_TAG, STATE, TIMES_TAG};
use crate::schema::col;

/// Sidecars of one kind.
struct Sidecars {
    /// Name of their folder, beside the file.
    folder: String,
    written: Vec<Vec<u8>>,
}

impl Sidecars {
    fn new(out: &Path, kind: &str) -> Self {
        let name = out.file_name().unwrap_or_default().to_string_lossy().into_owned();
        Self { folder: format!("{name}-{kind}"), written: Vec::new() }
    }

    /// The name of the file that will hold `values`. Single precision, as nvbench itself has them.
    #[allow(clippy::cast_possible_truncation)] // the format's precision
    fn add(&mut self, values: &[f64]) -> String {
        self.written.push(values.iter().flat_map(|value| (*value as f32).to_le_bytes()).collect());
        format!("{}/{}.bin", self.folder, self.written.len() - 1)
    }

    fn write(&self, out: &Path) -> Result<Vec<PathBuf>, ExportError> {
        let folder = out.with_file_name(&self.folder);
        let mut paths = Vec::new();
        for (number, bytes) in self.written.iter().enumerate() {
            let path = folder.join(format!("{number}.bin"));
            let failed = |source| ExportError::Io { path: path.clone(), source };
            fs::create_dir_all(&folder).map_err(failed)?;
            fs::write(&path, bytes).map_err(failed)?;
            paths.push(path);
        }
        Ok(paths)
    }
}

pub(super) fn export(frame: &DataFrame, out: &Path) -> Result<Exported, ExportError> {
    let entries = entries(frame)?;
    let (rows, warnings) = (entries.len(), left_out(frame, entries.len()).into_iter().collect());
    if entries.is_empty() {
        return Err(ExportError::Nothing { format: "nvbench", why: "there are no rows of role `point`".to_owned() });
    }
    let mut sidecars = [Sidecars::new(out, "bin"), Sidecars::new(out, "freqs-bin")];
    // One imported file is written as it was; rows of several sources get a file of their own.
    let first = entries[0].text(col::run_id).to_owned();
    let one_file = entries.iter().all(|entry| entry.extra.contains_key(STATE) && entry.text(col::run_id) == first);
    let root = if one_file { imported(entries, &mut sidecars) } else { new_file(&entries, &mut sidecars) };
    let mut files = vec![plain::text(out, &format!("{:#}\n", Value::Object(root)))?];
    for sidecars in &sidecars {
        files.extend(sidecars.write(out)?);
    }
    Ok(Exported { files, rows, warnings })
}

/// The file that all rows came from: states in their order, samples in sidecars again.
fn imported(mut entries: Vec<Entry>, sidecars: &mut [Sidecars; 2]) -> Map<String, Value> {
    let place = |entry: &Entry, name: &str| entry.extra.get(name).and_then(Value::as_u64).unwrap_or(u64::MAX);
    entries.sort_by_key(|entry| (place(entry, "benchmark_at"), place(entry, "state_at")));
    let mut root = entries.iter().find_map(|entry| entry.object("file")).cloned().unwrap_or_else(|| meta(&[]));
    let mut benchmarks: Vec<(u64, Map<String, Value>, Vec<Value>)> = Vec::new();
    for entry in &entries {
        let at = place(entry, "benchmark_at");
        if benchmarks.last().is_none_or(|(last, ..)| *last != at) {
            benchmarks.push((at, Map::from_iter([("name".to_owned(), entry.text(col::kernel).into())]), Vec::new()));
        }
        let Some((_, benchmark, states)) = benchmarks.last_mut() else { continue };
        if let Some(known) = entry.object("benchmark") {
            *benchmark = known.clone();
        }
        states.push(Value::Object(state_again(entry, sidecars)));
    }
    let whole = benchmarks.into_iter().map(|(_, mut benchmark, states)| {
        benchmark.insert("states".to_owned(), states.into());
        Value::Object(benchmark)
    });
    root.insert("benchmarks".to_owned(), whole.collect());
    root
}

fn state_again(entry: &Entry, sidecars: &mut [Sidecars; 2]) -> Map<String, Value> {
    let mut state = entry.object(STATE).cloned().unwrap_or_default();
    let frequencies: Vec<f64> =
        entry.extra.get(FREQUENCIES).and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_f64).collect();
    let [times, clocks] = sidecars;
    let sets = [(times, TIMES_TAG, entry.samples()), (clocks, FREQUENCIES_TAG, frequencies.as_slice())];
    for (sidecars, prefix, values) in sets {
        let summaries = state.get_mut("summaries").and_then(Value::as_array_mut).into_iter().flatten();
        let tagged = summaries
            .filter_map(Value::as_object_mut)
            .find(|summary| summary.get("tag").and_then(Value::as_str).is_some_and(|tag| tag.starts_with(prefix)));
        if let Some(data) = tagged.filter(|_| !values.is_empty()).and_then(|summary| summary.get_mut("data")) {
            let name = sidecars.add(values);
            let entries = data.as_array_mut().into_iter().flatten().filter_map(Value::as_object_mut);
            for entry in entries.filter(|entry| entry.get("name").and_then(Value::as_str) == Some("filename")) {
                entry.insert("value".to_owned(), name.clone().into());
            }
        }
    }
    state
}

/// A file for rows from anywhere.
fn new_file(entries: &[Entry], sidecars: &mut [Sidecars; 2]) -> Map<String, Value> {
    let mut devices: Vec<&str> = Vec::new();
    let mut families: Vec<(&str, Vec<&Entry>)> = Vec::new();
    for entry in entries {
        let (device, family) = (entry.text(col::device), entry.text(col::family));
        if !devices.contains(&device) {
            devices.push(device);
        }
        match families.iter_mut().find(|(known, _)| *known == family) {
            Some((_, rows)) => rows.push(entry),
            None => families.push((family, vec![entry])),
        }
    }
    let number = |entry: &Entry| devices.iter().position(|device| *device == entry.text(col::device)).unwrap_or(0);
    let mut benchmarks = Vec::with_capacity(families.len());
    for (index, (family, rows)) in families.into_iter().enumerate() {
        let axes = axes(&rows);
        let [times, _] = sidecars;
        let states: Vec<Value> =
            rows.iter().map(|entry| Value::Object(new_state(entry, &axes, number(entry), |values| times.add(values)))).collect();
        let mut used: Vec<usize> = rows.iter().map(|entry| number(entry)).collect();
        used.sort_unstable();
        used.dedup();
        let shown: Vec<Value> = axes.iter().map(state::Axis::to_json).collect();
        benchmarks.push(json!({ "name": family, "index": index, "devices": used, "axes": shown, "states": states }));
    }
    let named: Vec<(&str, &str)> = devices
        .iter()
        .map(|device| {
            let entry = entries.iter().find(|entry| entry.text(col::device) == *device);
            (*device, entry.map_or(*device, |entry| entry.text(col::device_name)))
        })
        .collect();
    let mut root = meta(&named);
    root.insert("benchmarks".to_owned(), benchmarks.into());
    root
}

/// Versions and devices; of a device what the catalogue knows.
fn meta(devices: &[(&str, &str)]) -> Map<String, Value> {
    let version = env!("CARGO_PKG_VERSION");
    let device = |(id, (slug, name)): (usize, &(&str, &str))| {
        let mut out = Map::new();
        out.insert("id".to_owned(), id.into());
        out.insert("name".to_owned(), (*name).into());
        if let Some(known) = device::lookup(slug).device {
            let facts = &known.facts;
            let numbers = [
                ("number_of_sms", facts.sm_count.map(f64::from)),
                ("sm_default_clock_rate", facts.boost_clock_hz),
                #[allow(clippy::cast_precision_loss)] // sizes of memory
                ("global_memory_size", facts.memory_bytes.map(|bytes| bytes as f64)),
                ("global_memory_bus_bandwidth", facts.memory_bandwidth_bytes_per_s),
                #[allow(clippy::cast_precision_loss)] // sizes of memory
                ("l2_cache_size", facts.l2_bytes.map(|bytes| bytes as f64)),
            ];
            #[allow(clippy::cast_possible_truncation)] // whole numbers below 2^53
            out.extend(numbers.into_iter().filter_map(|(name, value)| Some((name.to_owned(), Value::from(value? as i64)))));
        }
        Value::Object(out)
    };
    let devices: Vec<Value> = devices.iter().enumerate().map(device).collect();
    let json = json!({ "major": 1, "minor": 0, "patch": 0, "string": "1.0.0" });
    let mut root = Map::new();
    root.insert("meta".to_owned(), json!({ "argv": [], "version": { "json": json, "tilecast": { "string": version } } }));
    root.insert("devices".to_owned(), devices.into());
    root
}
