//! google/benchmark results: repetitions of one benchmark become the samples of one row.
//!
//! Times are real (wall) times per iteration, already means over `iterations` calls. Where a file holds aggregates only, the median
//! is taken, else the mean.

use serde_json::{Map, Value};

use super::draft::{Context, Draft, MS, NOT_VERIFIED, NS, Outcome, Timing, US, samples};
use super::json::{array, cell_of_text, document, number, plain, text};
use super::source::Source;
use super::{Document, Format, ImportError, Options};
use crate::row::Cell;
use crate::schema::col;

/// One benchmark and what was measured of it.
struct Group {
    run_name: String,
    repetitions: Vec<Map<String, Value>>,
    aggregates: Vec<Map<String, Value>>,
}

/// Imports results.
pub(super) fn import(source: &Source<'_>, options: &Options) -> Result<Document, ImportError> {
    let format = Format::GoogleBenchmark.name();
    let mut document = document(source, format)?;
    let benchmarks = array(source, format, &mut document.root, "benchmarks")?;
    let machine = match document.root.get("context") {
        Some(Value::Object(machine)) => machine.clone(),
        _ => return Err(source.wrong(format, "there is no object `context`")),
    };
    let threads = number(&machine, "num_cpus").unwrap_or_default();
    let host = text(&machine, "host_name").unwrap_or_else(|| "unknown host".to_owned());
    let mut context = Context::new(format, source, Some(&format!("{host} cpu {threads}t")), options);
    if options.device.is_none() {
        context.device_kind = Some("cpu");
        context.found.warning = None;
    }
    let rows = groups(source, benchmarks)?.into_iter().map(|group| {
        let mut draft = draft(group);
        draft.more.set(col::host, host.as_str());
        if let Some(at) = text(&machine, "date") {
            draft.extra.insert("date".to_owned(), at.into());
        }
        draft.row(&context)
    });
    let mut rows: Vec<_> = rows.collect();
    if let Some(row) = rows.first_mut() {
        let mut extra: Map<String, Value> =
            row.text(col::extra).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        extra.insert("context".to_owned(), Value::Object(machine.clone()));
        row.set(col::extra, Value::Object(extra).to_string());
    }
    let warnings = context.found.warning.iter().cloned().collect();
    Ok(Document { rows, run_id: context.run_id(), warnings, repaired: document.repaired })
}

/// In order of first appearance.
fn groups(source: &Source<'_>, benchmarks: Vec<Value>) -> Result<Vec<Group>, ImportError> {
    let mut groups: Vec<Group> = Vec::new();
    let mut places = std::collections::HashMap::new();
    for (at, benchmark) in benchmarks.into_iter().enumerate() {
        let wrong = |why: &str| source.wrong(Format::GoogleBenchmark.name(), format!("benchmark {at} {why}"));
        let Value::Object(benchmark) = benchmark else { return Err(wrong("is no object")) };
        let name = text(&benchmark, "run_name").or_else(|| text(&benchmark, "name"));
        let run_name = name.ok_or_else(|| wrong("has no `name`"))?;
        let place = *places.entry(run_name.clone()).or_insert_with(|| {
            groups.push(Group { run_name, repetitions: Vec::new(), aggregates: Vec::new() });
            groups.len() - 1
        });
        match text(&benchmark, "run_type").as_deref() {
            Some("aggregate") => groups[place].aggregates.push(benchmark),
            _ => groups[place].repetitions.push(benchmark),
        }
    }
    Ok(groups)
}

fn draft(group: Group) -> Draft {
    let mut parts = group.run_name.split('/');
    let mut draft = Draft::new(parts.next().unwrap_or_default());
    let arguments: Vec<&str> = parts.collect();
    set_axes(&mut draft, &arguments);
    let (outcome, main) = outcome(&group);
    draft.outcome = outcome;
    let Some(main) = main else { return draft };
    draft.warnings.push(NOT_VERIFIED);
    // Of an aggregate it is the number of repetitions.
    let calls = number(main, "iterations").filter(|_| !group.repetitions.is_empty());
    if let Some(iterations) = calls.filter(|iterations| iterations.fract() == 0.0 && *iterations < 9e15) {
        #[allow(clippy::cast_possible_truncation)] // checked
        draft.more.set(col::iterations, iterations as i64);
    }
    if let Some(rate) = number(main, "bytes_per_second").filter(|rate| rate.is_finite()) {
        draft.more.set(col::reported_bytes_per_s, rate);
    }
    let known = ["name", "run_name", "run_type", "real_time", "iterations", "repetition_index", "family_index"];
    let rest = main.iter().filter(|(name, _)| !known.contains(&name.as_str()));
    draft.extra = rest.map(|(name, value)| (name.clone(), value.clone())).collect();
    draft
}

/// `512/threads:4/real_time`: named arguments are axes under their names, of a matrix product the first three bare ones m, n and k.
fn set_axes(draft: &mut Draft, arguments: &[&str]) {
    let like_gemm = draft.family.contains("gemm") || draft.family.contains("matmul");
    let bare = arguments.iter().filter(|argument| argument.parse::<i64>().is_ok()).count();
    let mut at = 0;
    for argument in arguments {
        match argument.split_once(':') {
            Some((name, value)) if name == "threads" => draft.knobs.push((name.to_owned(), cell_of_text(value))),
            Some((name, value)) => draft.axes.push((name.to_owned(), cell_of_text(value))),
            None if argument.parse::<i64>().is_ok() => {
                let name = if like_gemm && bare == 3 { ["m", "n", "k"][at].to_owned() } else { format!("arg_{at}") };
                draft.axes.push((name, cell_of_text(argument)));
                at += 1;
            }
            None => draft.knobs.push((format!("option_{argument}"), Cell::Int(1))),
        }
    }
}

fn outcome(group: &Group) -> (Outcome, Option<&Map<String, Value>>) {
    let failed = |run: &&Map<String, Value>| run.get("error_occurred").and_then(Value::as_bool) == Some(true);
    if let Some(run) = group.repetitions.iter().find(failed) {
        let why = run.get("error_message").map(plain).unwrap_or_default();
        return (Outcome::failed("runtime_error", format!("the benchmark reports `{why}`")), Some(run));
    }
    let time = |run: &Map<String, Value>| number(run, "real_time").map(|time| time * unit(run));
    if group.repetitions.is_empty() {
        let named = |name: &str| group.aggregates.iter().find(|run| text(run, "aggregate_name").as_deref() == Some(name));
        let found = named("median").map(|run| (run, "median")).or_else(|| named("mean").map(|run| (run, "mean")));
        return match found {
            Some((run, statistic)) => (Outcome::reported(time(run), 1.0, statistic).basis("host"), Some(run)),
            None => (Outcome::failed("not_run", "the file has neither repetitions nor a mean"), None),
        };
    }
    let main = group.repetitions.first();
    match samples(group.repetitions.iter().map(time), 1.0) {
        Ok(samples) => (Outcome::Timed(Timing { samples, reported: None, basis: Some("host") }), main),
        Err(why) => (Outcome::failed("runtime_error", why), main),
    }
}

/// Seconds of a benchmark's `time_unit`, nanoseconds by default.
fn unit(run: &Map<String, Value>) -> f64 {
    match text(run, "time_unit").as_deref() {
        Some("s") => 1.0,
        Some("ms") => MS,
        Some("us") => US,
        _ => NS,
    }
}
