//! One row before it joins a frame: what the journal stores as a line and what importers produce.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// One value of a [`Row`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Cell {
    /// A flag.
    Flag(bool),
    /// An integer.
    Int(i64),
    /// A finite real.
    Real(f64),
    /// Text.
    Text(String),
    /// Raw samples.
    Reals(Vec<f64>),
}

/// Column name → value; absent means null. Names are those of [`crate::schema`].
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Row(pub BTreeMap<String, Cell>);

impl Row {
    /// Sets `name` to `value`.
    pub fn set(&mut self, name: impl Into<String>, value: impl Into<Cell>) -> &mut Self {
        self.0.insert(name.into(), value.into());
        self
    }

    /// Sets `name` where there is a value, leaves it null otherwise.
    pub fn set_some(&mut self, name: impl Into<String>, value: Option<impl Into<Cell>>) -> &mut Self {
        if let Some(value) = value {
            self.set(name, value);
        }
        self
    }

    /// The text under `name`, if it is text.
    #[must_use]
    pub fn text(&self, name: &str) -> Option<&str> {
        match self.0.get(name) {
            Some(Cell::Text(text)) => Some(text),
            _ => None,
        }
    }

    /// The number under `name`, if it is an integer or a real.
    #[must_use]
    pub fn real(&self, name: &str) -> Option<f64> {
        match self.0.get(name) {
            Some(Cell::Real(value)) => Some(*value),
            #[allow(clippy::cast_precision_loss)] // counts and sizes stay below 2^53
            Some(Cell::Int(value)) => Some(*value as f64),
            _ => None,
        }
    }
}

macro_rules! from {
    ($($from:ty => $variant:ident),*) => { $(impl From<$from> for Cell { fn from(value: $from) -> Self { Cell::$variant(value.into()) } })* };
}
from!(bool => Flag, i64 => Int, u32 => Int, i32 => Int, f64 => Real, String => Text, &str => Text, Vec<f64> => Reals);
