//! Typed access to TOML tables in which every key must be known.

use tilecast_kernels::Value;
use toml::{Table, Value as Toml};

use crate::fail::{Fail, unknown};

/// A table whose keys have been checked.
pub(super) struct Known<'a> {
    table: &'a Table,
    place: String,
}

impl<'a> Known<'a> {
    /// Refuses keys that are not in `keys`.
    pub(super) fn new(table: &'a Table, place: impl Into<String>, keys: &[&str]) -> Result<Self, Fail> {
        let place = place.into();
        match table.keys().find(|key| !keys.contains(&key.as_str())) {
            Some(key) => Err(unknown("key", key, keys.iter().copied()).within(&place)),
            None => Ok(Self { table, place }),
        }
    }

    pub(super) fn place(&self) -> &str {
        &self.place
    }

    pub(super) fn raw(&self, key: &str) -> Option<&'a Toml> {
        self.table.get(key)
    }

    pub(super) fn text(&self, key: &str) -> Result<Option<&'a str>, Fail> {
        self.typed(key, "text", Toml::as_str)
    }

    pub(super) fn flag(&self, key: &str) -> Result<Option<bool>, Fail> {
        self.typed(key, "true or false", Toml::as_bool)
    }

    /// An integer within `range`, both ends included.
    pub(super) fn int(&self, key: &str, range: (u64, u64)) -> Result<Option<u64>, Fail> {
        let Some(value) = self.raw(key) else { return Ok(None) };
        let number = value.as_integer().and_then(|v| u64::try_from(v).ok());
        int(&format!("{key} = {value}"), number, range).map(Some).map_err(|fail| fail.within(&self.place))
    }

    /// A number above the first of `range` and at most the second.
    pub(super) fn real(&self, key: &str, range: (f64, f64)) -> Result<Option<f64>, Fail> {
        let Some(value) = self.raw(key) else { return Ok(None) };
        #[allow(clippy::cast_precision_loss)] // small settings
        let number = value.as_float().or_else(|| value.as_integer().map(|v| v as f64));
        real(&format!("{key} = {value}"), number, range).map(Some).map_err(|fail| fail.within(&self.place))
    }

    /// A list of words, or one word.
    pub(super) fn words(&self, key: &str) -> Result<Option<Vec<&'a str>>, Fail> {
        let Some(value) = self.raw(key) else { return Ok(None) };
        let items = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
        let words: Option<Vec<&str>> = items.iter().map(Toml::as_str).collect();
        match words {
            Some(words) if !words.is_empty() => Ok(Some(words)),
            Some(_) => Err(self.empty(key)),
            None => Err(self.wrong(key, value, "a list of words")),
        }
    }

    fn typed<T>(&self, key: &str, wanted: &str, get: impl Fn(&'a Toml) -> Option<T>) -> Result<Option<T>, Fail> {
        self.raw(key).map(|value| get(value).ok_or_else(|| self.wrong(key, value, wanted))).transpose()
    }

    pub(super) fn wrong(&self, key: &str, value: &Toml, wanted: &str) -> Fail {
        Fail::new(format!("`{key} = {value}` is not {wanted}")).within(&self.place)
    }

    pub(super) fn empty(&self, key: &str) -> Fail {
        Fail::new(format!("`{key}` is an empty list; a sweep needs at least one value")).within(&self.place)
    }
}

/// `number` where it is within `min..=max`; `shown` is how it was written.
pub(super) fn int(shown: &str, number: Option<u64>, (min, max): (u64, u64)) -> Result<u64, Fail> {
    let within = number.filter(|v| (min..=max).contains(v));
    within.ok_or_else(|| Fail::new(format!("`{shown}` is not an integer from {min} to {max}")))
}

/// `number` where it is above `above` and at most `most`; `shown` is how it was written.
pub(super) fn real(shown: &str, number: Option<f64>, (above, most): (f64, f64)) -> Result<f64, Fail> {
    let within = number.filter(|v| *v > above && *v <= most);
    within.ok_or_else(|| Fail::new(format!("`{shown}` is not a number above {above} and at most {most}")))
}

/// A scalar, or a list of scalars, as parameter values.
pub(super) fn values(name: &str, value: &Toml, place: &str) -> Result<Vec<Value>, Fail> {
    let items = value.as_array().map_or_else(|| std::slice::from_ref(value), Vec::as_slice);
    if items.is_empty() {
        return Err(Fail::new(format!("`{name}` is an empty list; a sweep needs at least one value")).within(place));
    }
    items.iter().map(|item| scalar(name, item).map_err(|fail| fail.within(place))).collect()
}

fn scalar(name: &str, value: &Toml) -> Result<Value, Fail> {
    match value {
        Toml::Integer(v) => {
            u64::try_from(*v).map(Value::Int).map_err(|_| Fail::new(format!("`{name} = {v}` is negative; sizes count up from 0")))
        }
        Toml::Float(v) if v.is_finite() => Ok(Value::Real(*v)),
        Toml::String(v) => Ok(Value::Text(v.clone())),
        other => Err(Fail::new(format!("`{name} = {other}` is not a number or a word"))),
    }
}
