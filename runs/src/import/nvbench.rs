//! nvbench results: JSON (file version 1.0.0 and older ones) with sidecar samples, or CSV.
//!
//! Times are GPU times of isolated ("cold") launches, where there are none of batches ("hot"); `cache_mode` says which. Axes that name sizes or types are the problem's, others are knobs. Of a JSON
//! state everything is kept in `extra`, so that it can be written again.

mod state;
mod table;

use std::collections::HashMap;

use serde_json::{Map, Value};

use self::state::State;
use super::draft::Context;
use super::json::{array, document, number, text};
use super::source::Source;
use super::{Document, Format, ImportError, Options};
use crate::row::{Cell, Row};

/// `cache_mode` of isolated launches, before each of which caches are flushed.
const COLD: &str = "cold";
/// `cache_mode` of launches back to back.
const HOT: &str = "hot";

/// Member of a row's `extra` that holds its state.
pub(crate) const STATE: &str = "state";
/// Member of a row's `extra` that holds its clock samples.
pub(crate) const FREQUENCIES: &str = "sample_freqs_hz";
/// Beginnings of the tags that point to sidecars.
pub(crate) const TIMES_TAG: &str = "nv/json/bin:";
/// The same for clock samples.
pub(crate) const FREQUENCIES_TAG: &str = "nv/json/freqs-bin:";

/// Imports results of either kind.
pub(super) fn import(source: &Source<'_>, options: &Options) -> Result<Document, ImportError> {
    match source.first_character()? {
        Some(b'{' | b'[') => from_json(source, options),
        _ => table::import(source, options),
    }
}

fn from_json(source: &Source<'_>, options: &Options) -> Result<Document, ImportError> {
    let format = Format::Nvbench.name();
    let mut document = document(source, format)?;
    let benchmarks = array(source, format, &mut document.root, "benchmarks")?;
    let devices = Devices::of(source, document.root.get("devices"), options);
    let ours = document.root.get("meta").and_then(|meta| meta.get("version")?.get("tilecast")).is_some();
    let mut file = document.root;
    let mut rows = Vec::new();
    let mut warnings = devices.warnings();
    for (at, benchmark) in benchmarks.into_iter().enumerate() {
        let wrong = |why: &str| source.wrong(format, format!("benchmark {at} {why}"));
        let Value::Object(mut benchmark) = benchmark else { return Err(wrong("is no object")) };
        let name = text(&benchmark, "name").ok_or_else(|| wrong("has no `name`"))?;
        let Some(Value::Array(states)) = benchmark.shift_remove("states") else { continue };
        let mut file = Some((std::mem::take(&mut file), benchmark));
        let benchmark_at = at;
        for (at, state) in states.into_iter().enumerate() {
            let Value::Object(state) = state else {
                return Err(source.wrong(format, format!("state {at} of benchmark `{name}` is no object")));
            };
            let context = devices.context(&state);
            let state = State::read(source, &name, state, ours);
            warnings.extend(state.warnings);
            let mut draft = state.draft;
            draft.extra.insert("benchmark_at".to_owned(), benchmark_at.into());
            draft.extra.insert("state_at".to_owned(), at.into());
            if let Some((root, benchmark)) = file.take() {
                draft.extra.insert("benchmark".to_owned(), Value::Object(benchmark));
                if !root.is_empty() {
                    draft.extra.insert("file".to_owned(), Value::Object(root));
                }
            }
            rows.push(draft.row(context));
        }
    }
    if rows.is_empty() {
        return Err(source.wrong(format, "no benchmark has states"));
    }
    Ok(Document { rows, run_id: devices.fallback.run_id(), warnings, repaired: document.repaired })
}

/// The devices of a file, by their number.
struct Devices<'a> {
    by_id: HashMap<i64, Context<'a>>,
    fallback: Context<'a>,
}

impl<'a> Devices<'a> {
    fn of(source: &'a Source<'a>, devices: Option<&Value>, options: &Options) -> Self {
        let format = Format::Nvbench.name();
        let listed = devices.and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let context = |device: &Value| {
            let device = device.as_object()?;
            let context = Context::new(format, source, text(device, "name").as_deref(), options);
            Some((device.get("id")?.as_i64()?, context))
        };
        let by_id = listed.iter().filter_map(context).collect();
        Self { by_id, fallback: Context::new(format, source, None, options) }
    }

    fn context(&self, state: &Map<String, Value>) -> &Context<'a> {
        let id = state.get("device").and_then(Value::as_i64);
        id.and_then(|id| self.by_id.get(&id)).unwrap_or(&self.fallback)
    }

    fn warnings(&self) -> Vec<String> {
        let used: Vec<&Context<'_>> = if self.by_id.is_empty() { vec![&self.fallback] } else { self.by_id.values().collect() };
        used.into_iter().filter_map(|context| context.found.warning.clone()).collect()
    }
}

/// Names of axes that describe the problem; the rest are choices.
fn is_problem(name: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let names = [
        "m", "n", "k", "batch", "b", "t", "dtype", "type", "size", "elements", "elems", "bytes", "rows", "cols", "columns",
        "layout", "inputs", "length", "entropy", "seed",
    ];
    names.contains(&name.split(['{', ' ']).next().unwrap_or_default())
}

/// `M` and `m` are the same axis here.
fn axis_name(name: &str) -> String {
    match name {
        "M" | "N" | "K" => name.to_ascii_lowercase(),
        _ => name.to_owned(),
    }
}

/// Element types as nvbench prints type axes.
fn dtype(name: &str) -> Option<&'static str> {
    Some(match name {
        "F16" | "__half" | "half" => "f16",
        "BF16" | "__nv_bfloat16" => "bf16",
        "F32" | "float" => "f32",
        "F64" | "double" => "f64",
        "I8" | "int8_t" => "i8",
        _ => return None,
    })
}

/// A whole number of a column, where it is one.
fn whole(row: &mut Row, name: &str, value: Option<f64>) {
    if let Some(value) = value.filter(|value| value.fract() == 0.0 && (0.0..9e15).contains(value)) {
        #[allow(clippy::cast_possible_truncation)] // checked
        row.set(name, Cell::Int(value as i64));
    }
}

/// The `value` entry of a summary's data.
fn summary_value(summary: &Map<String, Value>) -> Option<f64> {
    let data = summary.get("data")?.as_array()?;
    let entry = data.iter().filter_map(Value::as_object).find(|entry| text(entry, "name").as_deref() == Some("value"))?;
    number(entry, "value")
}
