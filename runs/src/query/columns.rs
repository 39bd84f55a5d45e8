//! What a name in a question means in a frame.

use polars::prelude::*;

use super::QueryError;
use crate::extra::{self, Extra};
use crate::frame::{flags, reals, texts};
use crate::schema::{KNOB, PROBLEM, ROOF, TRAFFIC, col};

/// Prefix under which members of the `extra` object are asked for.
pub(super) const EXTRA: &str = "extra.";

/// The column that `name` stands for: itself, or `problem.`, `knob.`, `traffic.` or `roof.` before it where only one fits.
///
/// # Errors
/// None fits (the nearest is named), or several do.
pub fn resolve(frame: &DataFrame, name: &str) -> Result<String, QueryError> {
    if frame.column(name).is_ok() || is_extra(frame, name) {
        return Ok(name.to_owned());
    }
    let prefixed = [PROBLEM, KNOB, TRAFFIC, ROOF].map(|prefix| format!("{prefix}{name}"));
    let known: Vec<String> = prefixed.into_iter().filter(|name| frame.column(name).is_ok()).collect();
    match known.as_slice() {
        [one] => Ok(one.clone()),
        [] => Err(QueryError::NoColumn { name: name.to_owned(), advice: advice(frame, name) }),
        _ => Err(QueryError::Ambiguous { name: name.to_owned(), known }),
    }
}

fn is_extra(frame: &DataFrame, name: &str) -> bool {
    name.len() > EXTRA.len()
        && name.starts_with(EXTRA)
        && frame.column(col::extra).is_ok_and(|column| column.dtype() == &DataType::String)
}

/// The nearest name, whole or without its prefix; else what there is.
fn advice(frame: &DataFrame, name: &str) -> String {
    let short = |known: &str| known.split_once('.').map_or(known, |(_, rest)| rest).to_owned();
    let distance = |known: &str| strsim::damerau_levenshtein(name, known).min(strsim::damerau_levenshtein(name, &short(known)));
    let names: Vec<&str> = frame.get_column_names().into_iter().map(PlSmallStr::as_str).collect();
    match names.iter().map(|known| (distance(known), *known)).min() {
        Some((near, known)) if near <= 1 + name.chars().count() / 3 => format!("did you mean `{known}`?"),
        _ => {
            let open: Vec<&str> = names.iter().copied().filter(|name| crate::schema::is_open(name)).collect();
            format!("`--schema` lists all {} columns; problem axes and knobs: {}", names.len(), open.join(", "))
        }
    }
}

/// One value per row.
#[derive(Clone, Debug)]
pub(super) enum Values {
    Numbers(Vec<Option<f64>>),
    Texts(Vec<Option<String>>),
    Flags(Vec<Option<bool>>),
}

impl Values {
    pub(super) fn kind(&self) -> &'static str {
        match self {
            Self::Numbers(_) => "numbers",
            Self::Texts(_) => "text",
            Self::Flags(_) => "flags",
        }
    }
}

/// The values of column `name`, a resolved name.
pub(super) fn values(frame: &DataFrame, name: &str) -> Result<Values, QueryError> {
    if frame.column(name).is_err() && is_extra(frame, name) {
        return extra_values(frame, &name[EXTRA.len()..]);
    }
    match frame.column(name)?.dtype() {
        DataType::Boolean => Ok(Values::Flags(flags(frame, name)?)),
        DataType::String => Ok(Values::Texts(texts(frame, name)?)),
        DataType::List(_) => Err(QueryError::Kind { name: name.to_owned(), kind: "lists", expected: "one value per row" }),
        DataType::Null => Ok(Values::Texts(vec![None; frame.height()])),
        _ => Ok(Values::Numbers(reals(frame, name)?)),
    }
}

/// Numbers where all values are numbers, text otherwise.
fn extra_values(frame: &DataFrame, key: &str) -> Result<Values, QueryError> {
    let mut read = Extra::read(frame, |found| found == key)?;
    let Some(found) = read.take(key) else { return Ok(Values::Texts(vec![None; frame.height()])) };
    if found.iter().flatten().all(|value| matches!(value, extra::Value::Number(_))) {
        return Ok(Values::Numbers(found.iter().map(|value| value.as_ref().and_then(extra::Value::number)).collect()));
    }
    Ok(Values::Texts(found.into_iter().map(|value| value.map(|value| value.to_string())).collect()))
}
