//! KTT results (2.x): durations in the file's `TimeUnit`, power in milliwatts, energy in joules.

use serde_json::{Map, Value};

use super::draft::{Context, Draft, MS, NS, Outcome, US};
use super::json::{array, cell, document, number, plain, text};
use super::kernel_tuner::rfc_3339;
use super::source::Source;
use super::{Document, FILE, Format, ImportError, Options};
use crate::schema::col;

/// Imports results.
pub(super) fn import(source: &Source<'_>, options: &Options) -> Result<Document, ImportError> {
    let format = Format::Ktt.name();
    let mut document = document(source, format)?;
    let results = array(source, format, &mut document.root, "Results")?;
    let metadata = match document.root.get("Metadata") {
        Some(Value::Object(metadata)) => metadata.clone(),
        _ => return Err(source.wrong(format, "there is no object `Metadata`")),
    };
    let unit_s = match text(&metadata, "TimeUnit").as_deref() {
        Some("Nanoseconds") => NS,
        Some("Microseconds") => US,
        Some("Milliseconds") => MS,
        Some("Seconds") => 1.0,
        other => {
            let found = other.unwrap_or("nothing").to_owned();
            let why = format!("`TimeUnit` is `{found}`, expected `Nanoseconds`, `Microseconds`, `Milliseconds` or `Seconds`");
            return Err(source.wrong(format, why));
        }
    };
    let context = Context::new(format, source, text(&metadata, "Device").as_deref(), options);
    // Of the whole file, in UTC and without saying so: KTT streams days and time since the epoch of the system's clock.
    let written_at = text(&metadata, "Timestamp").and_then(|at| rfc_3339(&format!("{}Z", at.trim_end_matches('Z'))));
    let mut file = Some(Value::Object(document.root));
    let mut rows = Vec::with_capacity(results.len());
    for (at, result) in results.into_iter().enumerate() {
        let Value::Object(result) = result else {
            return Err(source.wrong(format, format!("result {at} is no object")));
        };
        let mut draft = draft(result, unit_s);
        draft.more.set_some(col::measured_at, written_at.as_deref());
        draft.extra.extend(file.take().map(|file| (FILE.to_owned(), file)));
        rows.push(draft.row(&context));
    }
    let warnings = context.found.warning.iter().cloned().collect();
    Ok(Document { rows, run_id: context.run_id(), warnings, repaired: document.repaired })
}

fn draft(mut result: Map<String, Value>, unit_s: f64) -> Draft {
    let mut draft = Draft::new(&text(&result, "KernelName").unwrap_or_default());
    result.shift_remove("KernelName");
    if let Some(Value::Array(pairs)) = result.shift_remove("Configuration") {
        let pair = |pair: &Value| {
            let pair = pair.as_object()?;
            Some((text(pair, "Name")?, cell(pair.get("Value")?)?))
        };
        draft.knobs = pairs.iter().filter_map(pair).collect();
    }
    let status = result.shift_remove("Status").map(|status| plain(&status)).unwrap_or_default();
    draft.outcome = match status.as_str() {
        "Ok" => Outcome::reported(number(&result, "TotalDuration"), unit_s, "mean").basis("event"),
        "ValidationFailed" => Outcome::failed("incorrect", "ktt reports `ValidationFailed`"),
        "CompilationFailed" => Outcome::failed("compile_error", "ktt reports `CompilationFailed`"),
        "DeviceLimitsExceeded" => Outcome::failed("unsupported", "ktt reports `DeviceLimitsExceeded`"),
        other => Outcome::failed("runtime_error", format!("ktt reports `{other}`")),
    };
    if matches!(draft.outcome, Outcome::Timed(_)) {
        result.shift_remove("TotalDuration");
    }
    if let Some(overhead) = number(&result, "CompilationOverhead").filter(|overhead| *overhead >= 0.0) {
        draft.more.set(col::prepare_s, overhead * unit_s);
    }
    if let Some(Value::Array(computations)) = result.get("ComputationResults") {
        set_energy(&mut draft, computations);
        draft.more.set(col::launches, i64::try_from(computations.len()).unwrap_or(i64::MAX));
    }
    draft.extra = result;
    draft
}

/// Energy of all launches together; power only where there is one launch, as nothing says how powers would add up.
fn set_energy(draft: &mut Draft, computations: &[Value]) {
    let all = |name: &str| -> Option<Vec<f64>> {
        computations.iter().map(|computation| number(computation.as_object()?, name)).collect()
    };
    if let Some(joules) = all("EnergyConsumption") {
        draft.more.set(col::energy_j, joules.iter().sum::<f64>());
    }
    if let Some([milliwatts]) = all("PowerUsage").as_deref() {
        draft.more.set(col::power_w, milliwatts * 1e-3);
    }
}
