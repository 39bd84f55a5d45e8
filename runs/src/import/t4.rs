//! T4 results of auto-tuners (schema 1.0.0 of the auto-tuning community, as Kernel Tuner writes it).
//!
//! A file names neither kernel nor problem nor device; ours carry them in an object `tilecast` that other readers ignore. The schema
//! says `compilation_time`, the writer `compilation`: both are read. `correctness` is 1 for every row of the writer and proves nothing.

use serde_json::{Map, Value, json};

use super::draft::{Context, Draft, MS, NOT_VERIFIED, NS, Outcome, Timing, US, samples, seconds};
use super::json::{ASKED, array, cell, changed, document, number, plain, text};
use super::source::Source;
use super::{Document, FILE, Format, ImportError, Options};
use crate::scale::comes_back;
use crate::schema::col;

/// Our own object in a file's root, for what the format has no place for; in a result, for what differs between results.
pub(crate) const OURS: &str = "tilecast";

/// Imports results.
pub(super) fn import(source: &Source<'_>, options: &Options) -> Result<Document, ImportError> {
    let format = Format::T4.name();
    let mut document = document(source, format)?;
    let results = array(source, format, &mut document.root, "results")?;
    let unit_s = unit(&document.root);
    let ours = match document.root.get(OURS) {
        Some(Value::Object(ours)) => ours.clone(),
        _ => Map::new(),
    };
    let context = Context::new(format, source, text(&ours, "device_name").as_deref(), options);
    let mut file = Some(document.root);
    let mut rows = Vec::with_capacity(results.len());
    for (at, result) in results.into_iter().enumerate() {
        let Value::Object(result) = result else {
            return Err(source.wrong(format, format!("result {at} is no object")));
        };
        if !result.contains_key("configuration") || !result.contains_key("invalidity") {
            return Err(source.wrong(format, format!("result {at} has no `configuration` or no `invalidity`")));
        }
        let mut draft = draft(result, unit_s, &ours);
        if let Some(file) = file.take() {
            draft.extra.insert(FILE.to_owned(), Value::Object(file));
        }
        rows.push(draft.row(&context));
    }
    let mut warnings: Vec<String> = context.found.warning.iter().cloned().collect();
    if ours.is_empty() {
        warnings.push("kernel and problem are not in the file: rows are of family `unknown`".to_owned());
    }
    Ok(Document { rows, run_id: context.run_id(), warnings, repaired: document.repaired })
}

/// Older files spell it `miliseconds`.
fn unit(root: &Map<String, Value>) -> f64 {
    let unit = root.get("metadata").and_then(Value::as_object).and_then(|metadata| text(metadata, "timeunit"));
    match unit.as_deref() {
        Some("seconds") => 1.0,
        Some("microseconds") => US,
        Some("nanoseconds") => NS,
        _ => MS,
    }
}

fn draft(mut result: Map<String, Value>, unit_s: f64, ours: &Map<String, Value>) -> Draft {
    let mut draft = Draft::new(&text(ours, "kernel_name").unwrap_or_default());
    if let Some(Value::Object(axes)) = ours.get("problem") {
        draft.axes = axes.iter().filter_map(|(name, value)| Some((name.clone(), cell(value)?))).collect();
    }
    draft.dtype = text(ours, "dtype");
    if let Some(Value::Object(knobs)) = result.shift_remove("configuration") {
        draft.knobs = knobs.iter().filter_map(|(name, value)| Some((name.clone(), cell(value)?))).collect();
        let members = changed(knobs.iter());
        if !members.is_empty() {
            result.insert(ASKED.to_owned(), json!({ "members": members }));
        }
    }
    // A kernel of its own, where those of a file differ.
    if let Some(Value::Object(own)) = result.shift_remove(OURS) {
        draft.kernel = text(&own, "kernel_name").or(draft.kernel);
    }
    draft.outcome = outcome(&mut result, unit_s);
    if matches!(draft.outcome, Outcome::Timed(_)) {
        draft.warnings.push(NOT_VERIFIED);
    }
    let times = result.get("times").and_then(Value::as_object);
    let compilation = times.and_then(|times| number(times, "compilation").or_else(|| number(times, "compilation_time")));
    if let Some(compilation) = compilation.filter(|time| *time >= 0.0) {
        draft.more.set(col::prepare_s, compilation * unit_s);
    }
    if let Some(at) = text(&result, "timestamp").and_then(|text| super::kernel_tuner::rfc_3339(&text)) {
        draft.more.set(col::measured_at, at);
    }
    // Everything else stays as it is, to be written again: `measurements`, `times` without the samples, `objectives`, …
    result.shift_remove("invalidity");
    draft.extra = result;
    draft
}

/// Takes the samples (`times.runtimes`) out of the result.
fn outcome(result: &mut Map<String, Value>, unit_s: f64) -> Outcome {
    let invalidity = result.get("invalidity").map(plain).unwrap_or_default();
    let status = match invalidity.as_str() {
        "correct" => "ok",
        "timeout" => "timeout",
        "compile" => "compile_error",
        "correctness" => "incorrect",
        "constraints" => "constraint",
        _ => "runtime_error",
    };
    if status != "ok" {
        return Outcome::failed(status, format!("the tuner reports `{invalidity}`"));
    }
    let reported = reported(result, unit_s);
    let runtimes = match result.get_mut("times") {
        Some(Value::Object(times)) => times.get("runtimes").and_then(Value::as_array).cloned(),
        _ => None,
    };
    let taken = match &runtimes {
        Some(runtimes) => match samples(runtimes.iter().map(super::json::number_of), unit_s) {
            Ok(samples) => samples,
            Err(why) => return Outcome::failed("runtime_error", why),
        },
        None => Vec::new(),
    };
    let unchanged = runtimes.is_some_and(|runtimes| runtimes.iter().all(|runtime| comes_back(runtime, unit_s)));
    if let (true, Some(Value::Object(times))) = (unchanged && !taken.is_empty(), result.get_mut("times")) {
        times.shift_remove("runtimes");
    }
    match reported {
        Ok(None) if taken.is_empty() => Outcome::failed("runtime_error", "the result has no time"),
        Ok(reported) => {
            Outcome::Timed(Timing { samples: taken, reported: reported.map(|time| (time, "mean")), basis: Some("unknown") })
        }
        Err(why) => Outcome::failed("runtime_error", why),
    }
}

/// The first objective's measurement, else the one called `time`; without a unit it is in the file's.
fn reported(result: &Map<String, Value>, unit_s: f64) -> Result<Option<f64>, String> {
    let objective = result.get("objectives").and_then(Value::as_array).and_then(|names| names.first()).and_then(Value::as_str);
    let Some(Value::Array(measurements)) = result.get("measurements") else { return Ok(None) };
    let named = |name: &str| {
        let objects = measurements.iter().filter_map(Value::as_object);
        objects.into_iter().find(|measurement| text(measurement, "name").as_deref() == Some(name))
    };
    let Some(found) = objective.filter(|name| name.starts_with("time")).and_then(named).or_else(|| named("time")) else {
        return Ok(None);
    };
    let unit_s = match text(found, "unit").as_deref() {
        Some("s" | "seconds") => 1.0,
        Some("ms" | "milliseconds") => MS,
        Some("us" | "microseconds") => US,
        Some("ns" | "nanoseconds") => NS,
        _ => unit_s,
    };
    match number(found, "value") {
        Some(value) => seconds(value, unit_s).map(Some),
        None => Err("the time measured is no number".to_owned()),
    }
}
