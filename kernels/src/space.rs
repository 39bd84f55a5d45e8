//! Configurations, and why one does not fit.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::problem::stable_id;
use crate::{Named, Parameter};

/// One configuration: a value for every knob its family declares for the device.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Config(pub Named);

impl Config {
    /// 128-bit id of the stable text form, in hexadecimal.
    #[must_use]
    pub fn id(&self) -> String {
        stable_id(&[&self.to_string()])
    }
}

impl std::ops::Deref for Config {
    type Target = Named;
    fn deref(&self) -> &Named {
        &self.0
    }
}

impl fmt::Display for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Why a problem or a configuration cannot run: subject, value, limit.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Misfit(String);

impl Misfit {
    /// A misfit in words: subject first, values in backticks, then the limit.
    pub fn new(reason: impl Into<String>) -> Self {
        Self(reason.into())
    }
}

impl From<Misfit> for String {
    fn from(misfit: Misfit) -> Self {
        misfit.0
    }
}

/// The cartesian product of the knobs' swept values, last knob fastest.
#[must_use]
pub fn product(knobs: &[Parameter]) -> Vec<Config> {
    let mut configs = vec![Named::default()];
    for knob in knobs {
        configs = configs
            .iter()
            .flat_map(|head| {
                knob.values.iter().map(move |value| {
                    let mut named = head.clone();
                    named.0.push((knob.name.to_owned(), value.clone()));
                    named
                })
            })
            .collect();
    }
    configs.into_iter().map(Config).collect()
}
