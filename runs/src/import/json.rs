//! JSON documents: parsed with Python's words allowed, and read member by member.

use serde_json::{Map, Value};

use super::ImportError;
use super::repair;
use super::source::Source;
use crate::row::Cell;

/// A parsed document.
pub(super) struct Document {
    pub(super) root: Map<String, Value>,
    /// What was changed on a copy to parse it.
    pub(super) repaired: Option<String>,
}

/// The document's root object. Words that JSON has not (`NaN`, `Infinity`) and commas before closing braces are mended on a copy; a
/// cut file is refused. Nesting is limited to 128 levels by the parser.
pub(super) fn document(source: &Source<'_>, format: &str) -> Result<Document, ImportError> {
    let text = source.text(".json")?;
    let (root, repaired) = match serde_json::from_str::<Value>(&text) {
        Ok(root) => (root, None),
        Err(_) => {
            let plain = repair::to_json(&text);
            let root = serde_json::from_str(&plain.text)
                .map_err(|error| ImportError::NotJson { path: source.path.clone(), why: error.to_string() })?;
            (root, Some(format!("repaired on a copy: {}", plain.what.join("; "))))
        }
    };
    match root {
        Value::Object(root) => Ok(Document { root, repaired }),
        _ => Err(source.wrong(format, "the outermost value is no object")),
    }
}

/// The non-empty array `name`, taken out of `object`.
pub(super) fn array(
    source: &Source<'_>,
    format: &str,
    object: &mut Map<String, Value>,
    name: &str,
) -> Result<Vec<Value>, ImportError> {
    match object.shift_remove(name) {
        Some(Value::Array(values)) if !values.is_empty() => Ok(values),
        Some(Value::Array(_)) => Err(source.wrong(format, format!("`{name}` has no entries"))),
        _ => Err(source.wrong(format, format!("there is no array `{name}`"))),
    }
}

/// The text `name` of an object, trimmed, if it is not empty.
pub(super) fn text(object: &Map<String, Value>, name: &str) -> Option<String> {
    object.get(name).and_then(Value::as_str).map(str::trim).filter(|text| !text.is_empty()).map(str::to_owned)
}

/// The number `name`, also where it stands as text (nvbench writes 64-bit numbers so).
pub(super) fn number(object: &Map<String, Value>, name: &str) -> Option<f64> {
    object.get(name).and_then(number_of)
}

/// A number or a text that is one.
pub(super) fn number_of(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.trim().parse().ok(),
        _ => None,
    }
}

/// The text form of a value: strings without quotes.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A value as a knob or axis: flags as 0 and 1, structures as text.
pub(super) fn cell(value: &Value) -> Option<Cell> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => Cell::Int(i64::from(*flag)),
        Value::Number(number) => match number.as_i64() {
            Some(int) => Cell::Int(int),
            None => Cell::Real(number.as_f64().filter(|real| real.is_finite())?),
        },
        other => Cell::Text(plain(other)),
    })
}

/// Member of a row's `extra` with what its knobs do not say of the configuration: the source's key, and values that [`cell`] changes.
pub(crate) const ASKED: &str = "asked";

/// Members of a configuration that do not come back from their cells: flags, `1.0`, null, structures, and texts that look like numbers.
pub(super) fn changed<'v>(members: impl Iterator<Item = (&'v String, &'v Value)>) -> Map<String, Value> {
    let changed = |value: &Value| cell(value).is_none_or(|cell| value_of(&cell) != *value);
    members.filter(|(_, value)| changed(value)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

/// A knob or axis as JSON: the way back from [`cell`]. Whole reals are integers and texts that are numbers numbers: a column is real
/// where one of its values is, and text where one of them is.
pub(crate) fn value_of(cell: &Cell) -> Value {
    match cell {
        Cell::Flag(flag) => Value::Bool(*flag),
        Cell::Int(int) => (*int).into(),
        #[allow(clippy::cast_possible_truncation)] // checked
        Cell::Real(real) if real.fract() == 0.0 && real.abs() < 9e15 => (*real as i64).into(),
        Cell::Real(real) => (*real).into(),
        Cell::Text(text) => match cell_of_text(text) {
            Cell::Text(_) => text.as_str().into(),
            number => value_of(&number),
        },
        Cell::Reals(values) => values.clone().into(),
    }
}

/// A text as a knob or axis: a number where it is one.
pub(super) fn cell_of_text(text: &str) -> Cell {
    let text = text.trim();
    if let Ok(int) = text.parse::<i64>() {
        return Cell::Int(int);
    }
    match text.parse::<f64>() {
        // Words such as `inf` and `nan` parse as numbers and are none here.
        Ok(real) if real.is_finite() && text.bytes().any(|byte| byte.is_ascii_digit()) => Cell::Real(real),
        _ => Cell::Text(text.to_owned()),
    }
}
