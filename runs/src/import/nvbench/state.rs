//! One state of a benchmark: its axes, summaries and sidecar samples.

use serde_json::{Map, Value};

use super::{COLD, FREQUENCIES, FREQUENCIES_TAG, HOT, STATE, TIMES_TAG, axis_name, dtype, is_problem, summary_value, whole};
use crate::import::draft::{Draft, NOT_VERIFIED, Outcome, Timing, seconds};
use crate::import::json::{cell_of_text, number, plain, text};
use crate::import::source::Source;
use crate::row::{Cell, Row};
use crate::schema::col;

/// Samples of a state, above which a count is no count.
const MOST_SAMPLES: f64 = 16_777_216.0;

/// A state as far as it is known.
pub(super) struct State {
    pub(super) draft: Draft,
    pub(super) warnings: Vec<String>,
}

impl State {
    /// `ours` is a file that tilecast wrote: its times stand under the tags of cold ones whatever they are, and an axis says what.
    pub(super) fn read(source: &Source<'_>, benchmark: &str, state: Map<String, Value>, ours: bool) -> Self {
        let mut draft = Draft::new(benchmark);
        let mut warnings = Vec::new();
        for axis in state.get("axis_values").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default() {
            if let Some(axis) = axis.as_object() {
                set_axis(&mut draft, axis);
            }
        }
        let summaries: Vec<&Map<String, Value>> =
            state.get("summaries").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object).collect();
        let value = |tag: &str| {
            let tagged = summaries.iter().find(|summary| text(summary, "tag").as_deref() == Some(tag));
            tagged.and_then(|summary| summary_value(summary))
        };
        let mut sidecar = |prefix: &str| match sidecar(source, &summaries, prefix) {
            Ok(values) => values,
            Err(why) => {
                warnings.push(why);
                None
            }
        };
        let (samples, frequencies) = (sidecar(TIMES_TAG), sidecar(FREQUENCIES_TAG));
        // Isolated launches on flushed caches; else launches back to back.
        let cold = value("nv/cold/time/gpu/mean").map(|mean| (mean, COLD));
        let mean = cold.or_else(|| value("nv/batch/time/gpu/mean").map(|mean| (mean, HOT)));
        let mode = mean.filter(|_| samples.is_none()).map_or(COLD, |(_, mode)| mode);
        draft.outcome = outcome(&state, mean.map(|(mean, _)| mean), samples);
        set_summaries(&mut draft.more, &draft.outcome, mode, value);
        if matches!(draft.outcome, Outcome::Timed(_)) {
            draft.warnings.push(NOT_VERIFIED);
            if !ours {
                draft.more.set(col::cache_mode, mode);
            }
        }
        if let Some(frequencies) = frequencies {
            draft.extra.insert(FREQUENCIES.to_owned(), frequencies.into());
        }
        draft.extra.insert(STATE.to_owned(), Value::Object(state));
        Self { draft, warnings }
    }
}

fn set_axis(draft: &mut Draft, axis: &Map<String, Value>) {
    let (Some(name), Some(value)) = (text(axis, "name"), axis.get("value")) else { return };
    let value = plain(value);
    if name == col::cache_mode && [COLD, HOT].contains(&value.as_str()) {
        draft.more.set(col::cache_mode, value);
        return;
    }
    if text(axis, "type").as_deref() == Some("type")
        && let Some(dtype) = dtype(&value)
    {
        draft.dtype.get_or_insert_with(|| dtype.to_owned());
    }
    let cell = match text(axis, "type").as_deref() {
        Some("int64" | "float64") => cell_of_text(&value),
        _ => Cell::Text(value),
    };
    let axes = if is_problem(&name) { &mut draft.axes } else { &mut draft.knobs };
    axes.push((axis_name(&name), cell));
}

fn outcome(state: &Map<String, Value>, mean: Option<f64>, samples: Option<Vec<f64>>) -> Outcome {
    if state.get("is_skipped").and_then(Value::as_bool) == Some(true) {
        let why = text(state, "skip_reason").unwrap_or_else(|| "no reason given".to_owned());
        return Outcome::failed("not_run", format!("nvbench skipped it: {why}"));
    }
    let Some(samples) = samples.filter(|samples| !samples.is_empty()) else {
        return Outcome::reported(mean, 1.0, "mean").basis("event");
    };
    for (at, sample) in samples.iter().enumerate() {
        if let Err(why) = seconds(*sample, 1.0) {
            return Outcome::failed("runtime_error", format!("sample {at}: {why}"));
        }
    }
    let reported = mean.and_then(|mean| seconds(mean, 1.0).ok()).map(|mean| (mean, "mean"));
    Outcome::Timed(Timing { samples, reported, basis: Some("event") })
}

/// Columns that summaries fill; quantiles only where there are no samples to take them from, and none of other launches.
fn set_summaries(row: &mut Row, outcome: &Outcome, mode: &str, value: impl Fn(&str) -> Option<f64>) {
    let positive = |tag: &str| value(tag).filter(|value| value.is_finite() && *value > 0.0);
    row.set_some(col::reported_bytes_per_s, positive("nv/cold/bw/global/bytes_per_second"));
    row.set_some(col::clock_hz, positive("nv/cold/sm_clock_rate/mean"));
    let Outcome::Timed(timing) = outcome else { return };
    if !timing.samples.is_empty() {
        return;
    }
    if mode == HOT {
        whole(row, col::iterations, value("nv/batch/sample_size"));
        return;
    }
    whole(row, col::samples, value("nv/cold/sample_size"));
    for (name, tag) in [
        (col::time_min_s, "nv/cold/time/gpu/min"),
        (col::time_median_s, "nv/cold/time/gpu/median"),
        (col::time_q1_s, "nv/cold/time/gpu/q1"),
        (col::time_q3_s, "nv/cold/time/gpu/q3"),
    ] {
        row.set_some(name, positive(tag));
    }
    row.set_some(col::noise, positive("nv/cold/time/gpu/iqr/relative"));
}

/// Little-endian `f32` values of the file that the summary tagged `prefix…` names. `None` where it names none.
fn sidecar(source: &Source<'_>, summaries: &[&Map<String, Value>], prefix: &str) -> Result<Option<Vec<f64>>, String> {
    let tagged = summaries.iter().find(|summary| text(summary, "tag").is_some_and(|tag| tag.starts_with(prefix)));
    let Some(data) = tagged.and_then(|summary| summary.get("data")).and_then(Value::as_array) else { return Ok(None) };
    let entry = |name: &str| data.iter().filter_map(Value::as_object).find(|entry| text(entry, "name").as_deref() == Some(name));
    let Some(file) = entry("filename").and_then(|entry| text(entry, "value")) else { return Ok(None) };
    let size = entry("size").and_then(|entry| number(entry, "value"));
    let Some(size) = size.filter(|size| (0.0..=MOST_SAMPLES).contains(size)) else {
        return Err(format!("samples `{file}`: the size stated is no count of samples, left out"));
    };
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked
    let wanted = size as usize * 4;
    let Some(bytes) = source.sidecar(&file, wanted as u64) else {
        return Err(format!("samples `{file}` are not beside the file: only summaries are imported"));
    };
    if bytes.len() != wanted {
        return Err(format!("samples `{file}` hold {} of {wanted} bytes: only summaries are imported", bytes.len()));
    }
    let values = bytes.chunks_exact(4).map(|bytes| f64::from(f32::from_le_bytes([bytes[0], bytes[1], bytes[2], bytes[3]])));
    Ok(Some(values.collect()))
}
