//! Members of the `extra` objects of a frame, read once for the keys that matter.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;

use polars::prelude::*;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::frame::FrameError;
use crate::schema::col;

/// A member's value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// A number.
    Number(f64),
    /// Text, a flag or anything nested, as it stands.
    Text(String),
}

impl Value {
    /// The number; also of text that is one.
    #[must_use]
    pub fn number(&self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(*number),
            Self::Text(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Text(text) => f.write_str(text),
        }
    }
}

/// Members by key, one value per row.
#[derive(Clone, Debug, Default)]
pub struct Extra {
    columns: BTreeMap<String, Vec<Option<Value>>>,
}

impl Extra {
    /// The members whose key is `wanted`. What is no JSON object has none; null members are left out.
    ///
    /// # Errors
    /// The column is absent or no text.
    pub fn read(frame: &DataFrame, wanted: impl Fn(&str) -> bool) -> Result<Self, FrameError> {
        let mut all = Self::default();
        let column = frame.column(col::extra).map_err(|_| FrameError::NoColumn { column: col::extra.to_owned() })?;
        if matches!(column.dtype(), DataType::Null) {
            return Ok(all);
        }
        let rows = frame.height();
        for (row, text) in column.str()?.iter().enumerate() {
            let Some(text) = text else { continue };
            let mut reader = serde_json::Deserializer::from_str(text);
            // A row whose `extra` is damaged simply has no members: the auditor reads what it can.
            let _ = reader.deserialize_map(Members { all: &mut all, wanted: &wanted, row, rows });
        }
        Ok(all)
    }

    /// Keys found, in order.
    pub fn keys(&self) -> impl Iterator<Item = &str> {
        self.columns.keys().map(String::as_str)
    }

    /// Values under `key`, one per row.
    #[must_use]
    pub fn get(&self, key: &str) -> Option<&[Option<Value>]> {
        self.columns.get(key).map(Vec::as_slice)
    }

    /// The same, taken out.
    pub fn take(&mut self, key: &str) -> Option<Vec<Option<Value>>> {
        self.columns.remove(key)
    }
}

struct Members<'a, W> {
    all: &'a mut Extra,
    wanted: &'a W,
    row: usize,
    rows: usize,
}

impl<'de, W: Fn(&str) -> bool> Visitor<'de> for Members<'_, W> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        while let Some(key) = map.next_key::<Cow<'de, str>>()? {
            if !(self.wanted)(&key) {
                map.next_value::<IgnoredAny>()?;
                continue;
            }
            let value = match map.next_value::<serde_json::Value>()? {
                serde_json::Value::Null => continue,
                serde_json::Value::Number(number) => number.as_f64().map(Value::Number),
                serde_json::Value::String(text) => Some(Value::Text(text)),
                other => Some(Value::Text(other.to_string())),
            };
            if !self.all.columns.contains_key(key.as_ref()) {
                self.all.columns.insert(key.clone().into_owned(), vec![None; self.rows]);
            }
            self.all.columns.get_mut(key.as_ref()).expect("just put there")[self.row] = value;
        }
        Ok(())
    }
}
