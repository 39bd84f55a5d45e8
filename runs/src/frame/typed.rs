//! Typed access to single columns of a frame.

use polars::prelude::*;

use super::FrameError;

pub(super) fn column_type(column: &Column, found: &DataType, expected: impl Into<String>) -> FrameError {
    FrameError::ColumnType { column: column.name().to_string(), found: found.to_string(), expected: expected.into() }
}

fn named<'a>(frame: &'a DataFrame, name: &str) -> Result<&'a Column, FrameError> {
    frame.column(name).map_err(|_| FrameError::NoColumn { column: name.to_owned() })
}

/// Numbers of column `name`, integers widened.
///
/// # Errors
/// No such column, or it holds no numbers.
pub fn reals(frame: &DataFrame, name: &str) -> Result<Vec<Option<f64>>, FrameError> {
    let column = named(frame, name)?;
    match column.dtype() {
        DataType::Null => Ok(vec![None; column.len()]),
        found if found.is_primitive_numeric() => Ok(column.cast(&DataType::Float64)?.f64()?.iter().collect()),
        found => Err(column_type(column, found, "numbers")),
    }
}

/// Integers of column `name`.
///
/// # Errors
/// No such column, or it holds no integers.
pub fn ints(frame: &DataFrame, name: &str) -> Result<Vec<Option<i64>>, FrameError> {
    let column = named(frame, name)?;
    match column.dtype() {
        DataType::Null => Ok(vec![None; column.len()]),
        found if found.is_integer() => Ok(column.cast(&DataType::Int64)?.i64()?.iter().collect()),
        found => Err(column_type(column, found, "integers")),
    }
}

/// Texts of column `name`.
///
/// # Errors
/// No such column, or it holds no text.
pub fn texts(frame: &DataFrame, name: &str) -> Result<Vec<Option<String>>, FrameError> {
    Ok(text_column(frame, name)?.iter().map(|value| value.map(str::to_owned)).collect())
}

/// The same, not copied: what it holds is shared with the frame.
pub(crate) fn text_column(frame: &DataFrame, name: &str) -> Result<StringChunked, FrameError> {
    let column = named(frame, name)?;
    match column.dtype() {
        DataType::Null => Ok(StringChunked::full_null(name.into(), column.len())),
        DataType::String => Ok(column.str()?.clone()),
        found => Err(column_type(column, found, "text")),
    }
}

/// Flags of column `name`.
///
/// # Errors
/// No such column, or it holds no flags.
pub fn flags(frame: &DataFrame, name: &str) -> Result<Vec<Option<bool>>, FrameError> {
    let column = named(frame, name)?;
    match column.dtype() {
        DataType::Null => Ok(vec![None; column.len()]),
        DataType::Boolean => Ok(column.bool()?.iter().collect()),
        found => Err(column_type(column, found, "flags")),
    }
}

/// Lists of numbers (raw samples) of column `name`.
///
/// # Errors
/// No such column, or it holds no lists of numbers.
pub fn lists(frame: &DataFrame, name: &str) -> Result<Vec<Option<Vec<f64>>>, FrameError> {
    lists_of(named(frame, name)?)
}

pub(super) fn lists_of(column: &Column) -> Result<Vec<Option<Vec<f64>>>, FrameError> {
    match column.dtype() {
        DataType::Null => return Ok(vec![None; column.len()]),
        DataType::List(inner) if inner.is_primitive_numeric() || inner.is_null() => {}
        found => return Err(column_type(column, found, "lists of numbers")),
    }
    let wide = column.cast(&DataType::List(Box::new(DataType::Float64)))?;
    let lists = wide.list()?;
    let mut out = Vec::with_capacity(column.len());
    for index in 0..column.len() {
        let Some(series) = lists.get_as_series(index) else {
            out.push(None);
            continue;
        };
        out.push(Some(series.f64()?.iter().flatten().collect()));
    }
    Ok(out)
}

/// Names of the columns under an open prefix, in the frame's order.
#[must_use]
pub fn open_columns(frame: &DataFrame, prefix: &str) -> Vec<String> {
    let names = frame.get_column_names().into_iter().map(PlSmallStr::as_str);
    names.filter(|name| name.len() > prefix.len() && name.starts_with(prefix)).map(str::to_owned).collect()
}
