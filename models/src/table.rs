//! The numeric and text columns of a frame that a model asks for, read once.

use std::collections::BTreeMap;

use polars::prelude::*;
use tilecast_runs::frame::{reals, texts};

use crate::ModelError;

/// One column: numbers (NaN where null) or texts.
#[derive(Clone, Debug)]
pub(crate) enum Values {
    Numbers(Vec<f64>),
    Texts(Vec<Option<String>>),
}

/// Columns by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Table {
    columns: BTreeMap<String, Values>,
    rows: usize,
}

impl Table {
    /// Reads the columns `names`; an absent one is an error that names all absent ones.
    pub(crate) fn read(frame: &DataFrame, names: &[String]) -> Result<Self, ModelError> {
        let absent: Vec<String> = names.iter().filter(|name| frame.column(name).is_err()).cloned().collect();
        if !absent.is_empty() {
            return Err(ModelError::MissingColumns { columns: absent });
        }
        let read = |name: &String| Ok((name.clone(), values(frame, name)?));
        let columns = names.iter().map(read).collect::<Result<_, ModelError>>()?;
        Ok(Self { columns, rows: frame.height() })
    }

    /// Number of rows.
    pub(crate) fn rows(&self) -> usize {
        self.rows
    }

    /// The number at `name` and `row`; NaN where it is null, text, or not read.
    pub(crate) fn number(&self, name: &str, row: usize) -> f64 {
        match self.columns.get(name) {
            Some(Values::Numbers(numbers)) => numbers[row],
            _ => f64::NAN,
        }
    }

    /// The text at `name` and `row`.
    pub(crate) fn text(&self, name: &str, row: usize) -> Option<&str> {
        match self.columns.get(name) {
            Some(Values::Texts(texts)) => texts[row].as_deref(),
            _ => None,
        }
    }

    /// True where `name` was read and holds numbers.
    pub(crate) fn is_numeric(&self, name: &str) -> bool {
        matches!(self.columns.get(name), Some(Values::Numbers(_)))
    }
}

/// Values of a column; flags count as text.
fn values(frame: &DataFrame, name: &str) -> Result<Values, ModelError> {
    let column = frame.column(name)?;
    if matches!(column.dtype(), DataType::String) {
        return Ok(Values::Texts(texts(frame, name)?));
    }
    if let DataType::Boolean = column.dtype() {
        let flags = column.bool()?.iter().map(|flag| flag.map(|flag| flag.to_string()));
        return Ok(Values::Texts(flags.collect()));
    }
    Ok(Values::Numbers(reals(frame, name)?.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect()))
}

/// Texts of a column, "" where null or where the frame has no such column.
pub(crate) fn texts_or_empty(frame: &DataFrame, name: &str) -> Result<Vec<String>, ModelError> {
    if frame.column(name).is_err() {
        return Ok(vec![String::new(); frame.height()]);
    }
    Ok(texts(frame, name)?.into_iter().map(Option::unwrap_or_default).collect())
}
