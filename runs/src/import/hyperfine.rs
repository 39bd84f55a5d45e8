//! hyperfine results: whole commands, in seconds of wall time.

use serde_json::{Map, Value};

use super::draft::{Context, Draft, NOT_VERIFIED, Outcome, Timing, samples, seconds};
use super::json::{array, cell_of_text, document, number, number_of, plain, text};
use super::source::Source;
use super::{Document, Format, ImportError, Options};
use crate::row::Cell;
use crate::schema::col;

/// Imports results.
pub(super) fn import(source: &Source<'_>, options: &Options) -> Result<Document, ImportError> {
    let format = Format::Hyperfine.name();
    let mut document = document(source, format)?;
    let results = array(source, format, &mut document.root, "results")?;
    let mut context = Context::new(format, source, None, options);
    if options.device.is_none() {
        context.device_kind = Some("cpu");
    }
    let mut rows = Vec::with_capacity(results.len());
    for (at, result) in results.into_iter().enumerate() {
        let wrong = |why: &str| source.wrong(format, format!("result {at} {why}"));
        let Value::Object(result) = result else { return Err(wrong("is no object")) };
        let command = text(&result, "command").ok_or_else(|| wrong("has no text `command`"))?;
        rows.push(draft(&command, result).row(&context));
    }
    let warnings = context.found.warning.iter().cloned().collect();
    Ok(Document { rows, run_id: context.run_id(), warnings, repaired: document.repaired })
}

fn draft(command: &str, mut result: Map<String, Value>) -> Draft {
    let mut draft = Draft::new("command");
    draft.kernel = Some(command.to_owned());
    draft.axes = vec![("command".to_owned(), Cell::Text(command.to_owned()))];
    if let Some(Value::Object(parameters)) = result.shift_remove("parameters") {
        draft.knobs = parameters.iter().map(|(name, value)| (name.clone(), cell_of_text(&plain(value)))).collect();
    }
    draft.outcome = outcome(&result);
    if let Outcome::Timed(_) = draft.outcome {
        draft.warnings.push(NOT_VERIFIED);
        for known in ["mean", "median", "min", "times"] {
            result.shift_remove(known);
        }
    }
    if let Some(peak) = result.get("memory_usage_byte").and_then(Value::as_array) {
        let peak = peak.iter().filter_map(number_of).fold(f64::NAN, f64::max);
        if peak.is_finite() && peak > 0.0 {
            draft.more.set(col::workspace_bytes, peak);
        }
    }
    result.shift_remove("command");
    draft.extra = result;
    draft
}

fn outcome(result: &Map<String, Value>) -> Outcome {
    let codes = result.get("exit_codes").and_then(Value::as_array);
    let failed = codes.and_then(|codes| codes.iter().find(|code| code.as_i64() != Some(0)));
    if let Some(code) = failed {
        return Outcome::failed("runtime_error", format!("the command ended with code `{}`", plain(code)));
    }
    let Some(Value::Array(times)) = result.get("times").filter(|times| **times != Value::Array(Vec::new())) else {
        return Outcome::reported(number(result, "mean"), 1.0, "mean").basis("host");
    };
    let reported = number(result, "mean").and_then(|mean| seconds(mean, 1.0).ok()).map(|mean| (mean, "mean"));
    match samples(times.iter().map(number_of), 1.0) {
        Ok(samples) => Outcome::Timed(Timing { samples, reported, basis: Some("host") }),
        Err(why) => Outcome::failed("runtime_error", why),
    }
}
