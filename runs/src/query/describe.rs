//! What a frame holds: its columns, and how many rows of what.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::*;
use serde::Serialize;

use super::QueryError;
use super::columns::{Values, values};
use crate::frame::{FrameError, texts};
use crate::schema::{self, col};

/// One column of a frame.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ColumnSummary {
    /// Its name.
    pub name: String,
    /// `text`, `integer`, `real`, `flag` or `list of reals`.
    pub kind: &'static str,
    /// Rows that have a value.
    pub present: usize,
    /// Different values; null for lists.
    pub distinct: Option<usize>,
    /// Smallest number or first text.
    pub min: Option<String>,
    /// Largest number or last text.
    pub max: Option<String>,
    /// What the schema says it is; open columns have the meaning their family gives them.
    pub meaning: &'static str,
}

/// All columns, in the frame's order.
///
/// # Errors
/// A column that cannot be read.
pub fn describe(frame: &DataFrame) -> Result<Vec<ColumnSummary>, QueryError> {
    frame.columns().iter().map(|column| summary(frame, column)).collect()
}

fn summary(frame: &DataFrame, column: &Column) -> Result<ColumnSummary, QueryError> {
    let name = column.name().as_str();
    let mut summary = ColumnSummary {
        name: name.to_owned(),
        kind: kind(column.dtype()),
        present: column.len() - column.null_count(),
        distinct: None,
        min: None,
        max: None,
        meaning: schema::column(name).map_or_else(|| open(name), |column| column.doc),
    };
    if matches!(column.dtype(), DataType::List(_)) {
        return Ok(summary);
    }
    match values(frame, name)? {
        Values::Numbers(numbers) => {
            let present: Vec<f64> = numbers.into_iter().flatten().collect();
            summary.distinct = Some(present.iter().map(|number| number.to_bits()).collect::<BTreeSet<_>>().len());
            summary.min = present.iter().copied().min_by(f64::total_cmp).map(|number| number.to_string());
            summary.max = present.iter().copied().max_by(f64::total_cmp).map(|number| number.to_string());
        }
        Values::Texts(texts) => {
            let present: BTreeSet<String> = texts.into_iter().flatten().collect();
            summary.distinct = Some(present.len());
            (summary.min, summary.max) = (present.first().cloned(), present.last().cloned());
        }
        Values::Flags(flags) => {
            let present: BTreeSet<bool> = flags.into_iter().flatten().collect();
            summary.distinct = Some(present.len());
            (summary.min, summary.max) = (present.first().map(bool::to_string), present.last().map(bool::to_string));
        }
    }
    Ok(summary)
}

fn kind(found: &DataType) -> &'static str {
    match found {
        DataType::String | DataType::Null => "text",
        DataType::Boolean => "flag",
        DataType::List(_) => "list of reals",
        found if found.is_integer() => "integer",
        _ => "real",
    }
}

fn open(name: &str) -> &'static str {
    match name.split_once('.').map(|(prefix, _)| prefix) {
        Some("problem") => "Axis of the problem.",
        Some("knob") => "Knob of the configuration.",
        Some("traffic") => "Modelled bytes per call at a memory level.",
        Some("roof") => "Roof of the device.",
        _ => "",
    }
}

/// Rows by what they are.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Counts {
    /// By `source`.
    pub by_source: BTreeMap<String, usize>,
    /// By `device`.
    pub by_device: BTreeMap<String, usize>,
    /// By `family`.
    pub by_family: BTreeMap<String, usize>,
    /// By `status`.
    pub by_status: BTreeMap<String, usize>,
}

/// Rows of `frame` by source, device, family and status.
///
/// # Errors
/// One of these columns is absent or no text.
pub fn counts(frame: &DataFrame) -> Result<Counts, FrameError> {
    let by = |name: &str| -> Result<BTreeMap<String, usize>, FrameError> {
        let mut counts = BTreeMap::new();
        for value in texts(frame, name)? {
            *counts.entry(value.unwrap_or_default()).or_insert(0) += 1;
        }
        Ok(counts)
    };
    Ok(Counts {
        by_source: by(col::source)?,
        by_device: by(col::device)?,
        by_family: by(col::family)?,
        by_status: by(col::status)?,
    })
}
