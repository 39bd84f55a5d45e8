//! CLBlast tuner results: the least of a few host-timed runs, in milliseconds.

use serde_json::{Map, Value};

use super::draft::{Context, Draft, MS, NOT_VERIFIED, Outcome};
use super::json::{array, cell, document, number, number_of, plain, text};
use super::source::Source;
use super::{Document, FILE, Format, ImportError, Options};
use crate::row::Cell;

/// Imports results.
pub(super) fn import(source: &Source<'_>, options: &Options) -> Result<Document, ImportError> {
    let format = Format::Clblast.name();
    let mut document = document(source, format)?;
    let results = array(source, format, &mut document.root, "results")?;
    let root = document.root;
    let Some(family) = text(&root, "kernel_family") else {
        return Err(source.wrong(format, "there is no text `kernel_family`"));
    };
    let named = ["clblast_device_name", "device", "device_name"].into_iter().find_map(|name| text(&root, name));
    let context = Context::new(format, source, named.as_deref(), options);
    let mut file = Some(Value::Object(root.clone()));
    let mut rows = Vec::with_capacity(results.len());
    for (at, result) in results.into_iter().enumerate() {
        let Value::Object(result) = result else {
            return Err(source.wrong(format, format!("result {at} is no object")));
        };
        let mut draft = draft(&family, &root, result);
        draft.extra.extend(file.take().map(|file| (FILE.to_owned(), file)));
        rows.push(draft.row(&context));
    }
    let warnings = context.found.warning.iter().cloned().collect();
    Ok(Document { rows, run_id: context.run_id(), warnings, repaired: document.repaired })
}

fn draft(family: &str, root: &Map<String, Value>, mut result: Map<String, Value>) -> Draft {
    let mut draft = Draft::new(family);
    if let Some(kernel) = text(&result, "kernel") {
        draft.kernel = Some(kernel);
        result.shift_remove("kernel");
    }
    draft.dtype = root.get("precision").and_then(dtype).map(str::to_owned);
    draft.axes = axes(root);
    if let Some(Value::Object(parameters)) = result.shift_remove("parameters") {
        draft.knobs = parameters.iter().filter_map(|(name, value)| Some((name.clone(), cell(value)?))).collect();
    }
    draft.outcome = Outcome::reported(number(&result, "time"), MS, "min").basis("host");
    if matches!(draft.outcome, Outcome::Timed(_)) {
        result.shift_remove("time");
        draft.warnings.push(NOT_VERIFIED);
    }
    draft.extra = result;
    draft
}

/// `arg_m` and its like; the flags of a call that is no matrix product stay axes as well.
fn axes(root: &Map<String, Value>) -> Vec<(String, Cell)> {
    let named = root.iter().filter_map(|(name, value)| Some((name.strip_prefix("arg_")?, value)));
    let axis = |(name, value): (&str, &Value)| {
        let value = match number_of(value) {
            Some(number) if value.is_string() => cell(&serde_json::json!(number)),
            _ => cell(value),
        };
        let whole = |cell: Cell| match cell {
            #[allow(clippy::cast_possible_truncation)] // checked to be whole and small
            Cell::Real(real) if real.fract() == 0.0 && real.abs() < 9e15 => Cell::Int(real as i64),
            other => other,
        };
        Some((name.to_owned(), whole(value?)))
    };
    named.filter_map(axis).collect()
}

fn dtype(precision: &Value) -> Option<&'static str> {
    Some(match plain(precision).as_str() {
        "16" => "f16",
        "32" => "f32",
        "64" => "f64",
        "3232" => "c32",
        "6464" => "c64",
        _ => return None,
    })
}
