//! Columns on their way to a frame of the schema.

use std::collections::BTreeMap;

use polars::prelude::*;

use crate::frame::FrameError;
use crate::schema::{self, COLUMNS, Kind, ROOF, TRAFFIC};

/// The columns of a batch that have values; the rest is null.
pub(super) struct Assembled {
    rows: usize,
    columns: BTreeMap<String, Column>,
}

impl Assembled {
    pub(super) fn new(rows: usize) -> Self {
        Self { rows, columns: BTreeMap::new() }
    }

    /// Takes a column under its name; a later one replaces an earlier one.
    pub(super) fn put(&mut self, column: Column) {
        self.columns.insert(column.name().to_string(), column);
    }

    /// The same text in all rows.
    pub(super) fn text(&mut self, name: &str, value: &str) {
        self.put(StringChunked::full(name.into(), value, self.rows).into_column());
    }

    /// A value of a mapping in all rows.
    pub(super) fn constant(&mut self, name: &str, value: &toml::Value) {
        let real = kind_of(name) == Some(Kind::Real);
        match value {
            toml::Value::String(text) => self.text(name, text),
            #[allow(clippy::cast_precision_loss)] // a count or size
            toml::Value::Integer(value) if real => {
                self.put(Float64Chunked::full(name.into(), *value as f64, self.rows).into_column());
            }
            toml::Value::Integer(value) => self.put(Int64Chunked::full(name.into(), *value, self.rows).into_column()),
            toml::Value::Float(value) => self.put(Float64Chunked::full(name.into(), *value, self.rows).into_column()),
            toml::Value::Boolean(value) => self.put(BooleanChunked::full(name.into(), *value, self.rows).into_column()),
            _ => {}
        }
    }

    /// All fixed columns in their order, then the open ones by name.
    pub(super) fn frame(mut self) -> Result<DataFrame, FrameError> {
        let mut columns = Vec::with_capacity(COLUMNS.len() + self.columns.len());
        for fixed in COLUMNS {
            let null = || Column::full_null(fixed.name.into(), self.rows, &data_type(fixed.kind));
            columns.push(self.columns.remove(fixed.name).unwrap_or_else(null));
        }
        columns.extend(self.columns.into_values());
        Ok(DataFrame::new(self.rows, columns)?)
    }
}

/// Storage type of a column whose name fixes it; axes and knobs are typed by content.
pub(super) fn kind_of(name: &str) -> Option<Kind> {
    let real = [TRAFFIC, ROOF].iter().any(|prefix| name.starts_with(prefix));
    if real { Some(Kind::Real) } else { schema::column(name).map(|column| column.kind) }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::String,
        Kind::Int => DataType::Int64,
        Kind::Real => DataType::Float64,
        Kind::Flag => DataType::Boolean,
        Kind::Reals => DataType::List(Box::new(DataType::Float64)),
    }
}
