//! The cache file as Kernel Tuner writes it.

use std::path::Path;

use serde_json::{Map, Value};

pub(super) use crate::import::json::plain;
use crate::import::{Format, ImportError, repair};

/// A cache file, checked for what an import needs.
pub(super) struct Cache {
    pub(super) device_name: String,
    pub(super) kernel_name: String,
    pub(super) problem_size: Value,
    /// Names of the tuned parameters, in the order of the entries' keys.
    pub(super) params: Vec<String>,
    /// Values of the parameters, where the file lists them.
    pub(super) values: Map<String, Value>,
    pub(super) entries: Map<String, Value>,
    /// All members but `cache`, for a cache to be written again.
    pub(super) file: Map<String, Value>,
    pub(super) repaired: Option<String>,
}

/// Entries lie two objects deep: the file's and `cache`.
const ENTRY_DEPTH: usize = 2;

/// Well-formed files are parsed as they are; others as a repaired copy.
pub(super) fn parse(path: &Path, text: &str) -> Result<Cache, ImportError> {
    if let Ok(root) = serde_json::from_str(text) {
        return check(path, root, None);
    }
    let plain = repair::to_json(text);
    let mut done = plain.what;
    let root = serde_json::from_str(&plain.text).or_else(|error| {
        let not_json = || ImportError::NotJson { path: path.to_owned(), why: error.to_string() };
        let closed = repair::close(&plain.text, ENTRY_DEPTH).filter(|_| error.is_eof()).ok_or_else(not_json)?;
        done.push(closed.what);
        serde_json::from_str(&closed.text).map_err(|_| not_json())
    })?;
    check(path, root, Some(format!("repaired on a copy: {}", done.join("; "))))
}

fn check(path: &Path, root: Value, repaired: Option<String>) -> Result<Cache, ImportError> {
    let wrong = |why: &str| ImportError::WrongKind {
        path: path.to_owned(),
        format: Format::KernelTuner.name().to_owned(),
        why: why.to_owned(),
    };
    let Value::Object(mut root) = root else { return Err(wrong("the outermost value is no object")) };
    let Some(Value::Object(entries)) = root.shift_remove("cache") else { return Err(wrong("there is no object `cache`")) };
    if entries.is_empty() {
        return Err(wrong("`cache` has no entries"));
    }
    let values = match root.get("tune_params") {
        Some(Value::Object(values)) => values.clone(),
        _ => Map::new(),
    };
    let params: Vec<String> = match root.get("tune_params_keys") {
        Some(Value::Array(keys)) => keys.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => values.keys().cloned().collect(),
    };
    if params.is_empty() {
        return Err(wrong("neither `tune_params_keys` nor `tune_params` names a parameter"));
    }
    let text = |name: &str| root.get(name).and_then(Value::as_str).unwrap_or_default().trim().to_owned();
    Ok(Cache {
        device_name: text("device_name"),
        kernel_name: text("kernel_name"),
        problem_size: root.get("problem_size").cloned().unwrap_or(Value::Null),
        params,
        values,
        entries,
        repaired,
        file: root,
    })
}
