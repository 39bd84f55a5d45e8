//! States and axes of rows that did not come from nvbench.

use serde_json::{Map, Value, json};

use crate::export::group::Entry;
use crate::import::TIMES_TAG;
use crate::schema::col;

/// An axis of a benchmark: a problem axis, a knob, or what else tells rows apart.
pub(super) struct Axis {
    name: String,
    kind: Kind,
    values: Vec<Value>,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Int,
    Real,
    Text,
}

impl Kind {
    fn name(self) -> &'static str {
        match self {
            Self::Int => "int64",
            Self::Real => "float64",
            Self::Text => "string",
        }
    }
}

impl Axis {
    pub(super) fn to_json(&self) -> Value {
        let value = |value: &Value| {
            let value = if self.kind == Kind::Text { Value::from(text(value)) } else { value.clone() };
            json!({ "input_string": text(&value), "description": "", "value": value })
        };
        let values: Vec<Value> = self.values.iter().map(value).collect();
        json!({ "name": self.name, "type": self.kind.name(), "flags": "", "values": values })
    }
}

/// All that tells the rows of a family apart, in order of first appearance.
pub(super) fn axes(rows: &[&Entry]) -> Vec<Axis> {
    let mut axes: Vec<Axis> = Vec::new();
    for (name, value) in rows.iter().flat_map(|entry| named(entry)) {
        match axes.iter_mut().find(|axis| axis.name == name) {
            Some(axis) if axis.values.contains(&value) => {}
            Some(axis) => axis.values.push(value),
            None => axes.push(Axis { name, kind: Kind::Text, values: vec![value] }),
        }
    }
    for axis in &mut axes {
        axis.kind = if axis.values.iter().all(Value::is_i64) {
            Kind::Int
        } else if axis.values.iter().all(Value::is_number) {
            Kind::Real
        } else {
            Kind::Text
        };
    }
    axes
}

/// Axes, element type, cache mode and knobs of a row. A knob called as an axis is gets its prefix.
fn named(entry: &Entry) -> Vec<(String, Value)> {
    let mut named = entry.axes();
    for (name, column) in [("dtype", col::dtype), ("cache_mode", col::cache_mode)] {
        named.extend(entry.row.text(column).map(|text| (name.to_owned(), Value::from(text))));
    }
    for (name, value) in entry.knobs().into_iter().filter(|(_, value)| !value.is_null()) {
        let name = if named.iter().any(|(known, _)| *known == name) { format!("knob.{name}") } else { name };
        named.push((name, value));
    }
    named
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A state. `sidecar` stores samples and gives the name of their file.
pub(super) fn new_state(
    entry: &Entry,
    axes: &[Axis],
    device: usize,
    sidecar: impl FnOnce(&[f64]) -> String,
) -> Map<String, Value> {
    let mut name = format!("Device={device}");
    let mut axis_values = Vec::new();
    for (axis, value) in named(entry) {
        let kind = axes.iter().find(|known| known.name == axis).map_or(Kind::Text, |axis| axis.kind);
        name += &format!(" {axis}={}", text(&value));
        // 64-bit numbers are strings in the format: JSON readers may round them.
        axis_values.push(json!({ "name": axis, "type": kind.name(), "value": text(&value) }));
    }
    let ok = entry.text(col::status) == "ok";
    let mut state = Map::new();
    state.insert("name".to_owned(), name.into());
    state.insert("device".to_owned(), device.into());
    state.insert("type_config_index".to_owned(), 0.into());
    state.insert("axis_values".to_owned(), axis_values.into());
    state.insert("summaries".to_owned(), if ok { summaries(entry, sidecar).into() } else { Value::Null });
    state.insert("is_skipped".to_owned(), (!ok).into());
    if !ok {
        let reason = entry.row.text(col::reason).unwrap_or("no reason given");
        state.insert("skip_reason".to_owned(), format!("{}: {reason}", entry.text(col::status)).into());
    }
    state
}

fn summary(tag: &str, name: &str, hint: &str, value: f64) -> Value {
    let (kind, value) = match hint {
        "sample_size" => ("int64", format!("{value:.0}")),
        _ => ("float64", value.to_string()),
    };
    json!({ "tag": tag, "name": name, "hint": hint, "data": [{ "name": "value", "type": kind, "value": value }] })
}

fn summaries(entry: &Entry, sidecar: impl FnOnce(&[f64]) -> String) -> Vec<Value> {
    let real = |name: &str| entry.row.real(name);
    let samples = entry.samples();
    let (mean, deviation) = moments(samples).map_or((real(col::time_s), None), |(mean, deviation)| (Some(mean), Some(deviation)));
    let time = "nv/cold/time/gpu";
    // Rows with a mean only have no deviation: their spread is unknown, and the interquartile range stands for it where it is known.
    let relative = deviation.zip(mean).map(|(deviation, mean)| deviation / mean).or(real(col::noise).map(|noise| noise / 1.349));
    let known = [
        ("nv/cold/sample_size".to_owned(), "Samples", "sample_size", real(col::samples)),
        (format!("{time}/mean"), "GPU Time", "duration", mean),
        (format!("{time}/stdev/absolute"), "Deviation", "duration", deviation),
        (format!("{time}/stdev/relative"), "Noise", "percentage", relative),
        (format!("{time}/min"), "Min", "duration", real(col::time_min_s)),
        (format!("{time}/median"), "Median", "duration", real(col::time_median_s)),
        (format!("{time}/q1"), "Q1", "duration", real(col::time_q1_s)),
        (format!("{time}/q3"), "Q3", "duration", real(col::time_q3_s)),
        ("nv/cold/sm_clock_rate/mean".to_owned(), "Clock", "frequency", real(col::clock_hz)),
        ("nv/cold/bw/global/bytes_per_second".to_owned(), "GlobalMem BW", "byte_rate", real(col::reported_bytes_per_s)),
        ("tilecast/energy".to_owned(), "Energy (J)", "", real(col::energy_j)),
        ("tilecast/power".to_owned(), "Power (W)", "", real(col::power_w)),
    ];
    let mut summaries: Vec<Value> =
        known.into_iter().filter_map(|(tag, name, hint, value)| Some(summary(&tag, name, hint, value?))).collect();
    if !samples.is_empty() {
        let data = json!([
            { "name": "filename", "type": "string", "value": sidecar(samples) },
            { "name": "size", "type": "int64", "value": samples.len().to_string() },
        ]);
        let tag = format!("{TIMES_TAG}nv/cold/sample_times");
        let hidden = "Not needed in table.";
        summaries
            .push(json!({ "tag": tag, "name": "Samples Times File", "hint": "file/sample_times", "hide": hidden, "data": data }));
    }
    summaries
}

/// Mean and sample standard deviation.
#[allow(clippy::cast_precision_loss)] // sample counts are small
fn moments(samples: &[f64]) -> Option<(f64, f64)> {
    if samples.is_empty() {
        return None;
    }
    let count = samples.len() as f64;
    let mean = samples.iter().sum::<f64>() / count;
    let squares = samples.iter().map(|sample| (sample - mean).powi(2)).sum::<f64>();
    Some((mean, if count > 1.0 { (squares / (count - 1.0)).sqrt() } else { 0.0 }))
}
