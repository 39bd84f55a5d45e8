//! Named values: what problem axes and configuration knobs are made of.

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use crate::Misfit;

/// One value of an axis or a knob.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Value {
    /// A count or a size.
    Int(u64),
    /// A real, such as `alpha`.
    Real(f64),
    /// A choice, such as a layout.
    Text(String),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Int(value) => value.fmt(f),
            Self::Real(value) => value.fmt(f),
            Self::Text(value) => value.fmt(f),
        }
    }
}

impl From<u64> for Value {
    fn from(value: u64) -> Self {
        Self::Int(value)
    }
}
impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}
impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

/// What values a parameter may take.
#[derive(Clone, Debug, PartialEq)]
pub enum Domain {
    /// Integers from `min` to `max`, both included.
    Int {
        /// Smallest legal value.
        min: u64,
        /// Largest legal value.
        max: u64,
    },
    /// Any finite real.
    Real,
    /// One of a list of words.
    Choice(Vec<&'static str>),
}

impl Domain {
    /// Accepts `value` or says what is wrong with it.
    ///
    /// # Errors
    /// [`Misfit`] naming the parameter, the value and the limit.
    pub fn accept(&self, name: &str, value: &Value) -> Result<(), Misfit> {
        match (self, value) {
            (Self::Int { min, max }, Value::Int(v)) if min <= v && v <= max => Ok(()),
            (Self::Int { min, max }, _) => Err(Misfit::new(format!("`{name}={value}` is not an integer from {min} to {max}"))),
            (Self::Real, Value::Real(v)) if v.is_finite() => Ok(()),
            (Self::Real, Value::Int(_)) => Ok(()),
            (Self::Real, _) => Err(Misfit::new(format!("`{name}={value}` is not a finite number"))),
            (Self::Choice(words), Value::Text(v)) if words.contains(&v.as_str()) => Ok(()),
            (Self::Choice(words), _) => Err(Misfit::new(format!("`{name}={value}` is not one of {}", words.join(", ")))),
        }
    }
}

/// A problem axis or a configuration knob, as a family declares it.
#[derive(Clone, Debug, PartialEq)]
pub struct Parameter {
    /// Name in specs, frames and messages.
    pub name: &'static str,
    /// Legal values.
    pub domain: Domain,
    /// Values swept where a spec names none. For an axis the first is its default; empty only for what is left out where it is not named, such as the clock of a board.
    pub values: Vec<Value>,
    /// One sentence.
    pub doc: &'static str,
}

impl Parameter {
    /// An integer parameter.
    #[must_use]
    pub fn int(name: &'static str, (min, max): (u64, u64), values: &[u64], doc: &'static str) -> Self {
        Self { name, domain: Domain::Int { min, max }, values: values.iter().map(|&v| v.into()).collect(), doc }
    }

    /// A real parameter.
    #[must_use]
    pub fn real(name: &'static str, values: &[f64], doc: &'static str) -> Self {
        Self { name, domain: Domain::Real, values: values.iter().map(|&v| v.into()).collect(), doc }
    }

    /// A choice among words.
    #[must_use]
    pub fn choice(name: &'static str, words: &[&'static str], swept: &[&'static str], doc: &'static str) -> Self {
        Self { name, domain: Domain::Choice(words.to_vec()), values: swept.iter().map(|&v| v.into()).collect(), doc }
    }
}

/// Bytes that the text of a configuration hardly ever exceeds.
const TEXT_BYTES: usize = 160;

/// Named values in a fixed order (the order in which the family declares them).
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Named(pub Vec<(String, Value)>);

impl Named {
    /// The value called `name`.
    #[must_use]
    pub fn value(&self, name: &str) -> Option<&Value> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, v)| v)
    }

    /// The integer called `name`.
    ///
    /// # Panics
    /// Where there is none: a checked problem or configuration holds every parameter its family declares.
    #[must_use]
    pub fn int(&self, name: &str) -> u64 {
        match self.value(name) {
            Some(Value::Int(value)) => *value,
            other => panic!("`{name}` is not an integer parameter of a checked problem or configuration: {other:?}"),
        }
    }

    /// The integer called `name` as an index.
    ///
    /// # Panics
    /// As [`Named::int`].
    #[must_use]
    pub fn size(&self, name: &str) -> usize {
        usize::try_from(self.int(name)).expect("sizes fit the address space")
    }

    /// The number called `name`.
    ///
    /// # Panics
    /// As [`Named::int`].
    #[must_use]
    pub fn real(&self, name: &str) -> f64 {
        match self.value(name) {
            Some(Value::Real(value)) => *value,
            #[allow(clippy::cast_precision_loss)] // reals given as small integers
            Some(Value::Int(value)) => *value as f64,
            other => panic!("`{name}` is not a real parameter of a checked problem or configuration: {other:?}"),
        }
    }

    /// The word called `name`.
    ///
    /// # Panics
    /// As [`Named::int`].
    #[must_use]
    pub fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Some(Value::Text(value)) => value,
            other => panic!("`{name}` is not a choice parameter of a checked problem or configuration: {other:?}"),
        }
    }

    /// The same with `name` set to `value`.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<Value>) -> Self {
        let value = value.into();
        match self.0.iter_mut().find(|(n, _)| n == name) {
            Some(slot) => slot.1 = value,
            None => self.0.push((name.to_owned(), value)),
        }
        self
    }

    /// What `Display` writes, in memory taken once: plans hold some hundred thousand of these texts against each other.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = String::with_capacity(TEXT_BYTES);
        write!(text, "{self}").expect("a string takes what it is given");
        text
    }

    /// Completes `given` with defaults from `declared` and checks every value.
    ///
    /// # Errors
    /// [`Misfit`] for a name that is not declared or a value outside its domain.
    pub fn complete(given: &[(String, Value)], declared: &[Parameter]) -> Result<Self, Misfit> {
        if let Some((name, _)) = given.iter().find(|(name, _)| !declared.iter().any(|p| p.name == name)) {
            return Err(Misfit::new(format!("`{name}` is not a parameter here")));
        }
        declared
            .iter()
            .map(|parameter| {
                let value = given.iter().find(|(name, _)| name == parameter.name).map_or(&parameter.values[0], |(_, v)| v);
                parameter.domain.accept(parameter.name, value)?;
                Ok((parameter.name.to_owned(), value.clone()))
            })
            .collect::<Result<_, _>>()
            .map(Self)
    }
}

impl fmt::Display for Named {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, (name, value)) in self.0.iter().enumerate() {
            // Word by word: plans write some hundred thousand of these.
            f.write_str(if i == 0 { "" } else { " " })?;
            f.write_str(name)?;
            f.write_str("=")?;
            match value {
                Value::Text(value) => f.write_str(value)?,
                number => write!(f, "{number}")?,
            }
        }
        Ok(())
    }
}
