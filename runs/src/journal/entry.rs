//! What the lines of a journal hold.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use super::JournalError;
use crate::row::{Cell, Row};

/// One line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Entry {
    /// The first line: what is being swept.
    Header(Header),
    /// Samples of one point in one round, before its result is known.
    Sample(SampleEntry),
    /// A finished point: one row of the frame.
    Result(Row),
}

/// The first line of a journal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Header {
    /// `major.minor` of the schema.
    pub schema_version: String,
    /// Hash of what was asked.
    pub sweep_id: String,
    /// This run.
    pub run_id: String,
    /// The sweep spec, as read.
    pub spec_text: String,
    /// File name of the spec.
    pub spec_name: String,
    /// Device slug.
    pub device: String,
    /// When the run began, RFC 3339, UTC.
    pub started_at: String,
    /// Number of points planned.
    pub points: usize,
    /// Whatever else the writer wants to keep; `pid` and `host` name the writer when the journal is found locked.
    #[serde(default)]
    pub meta: Map<String, Value>,
}

/// Samples of one point in one round.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SampleEntry {
    /// The point.
    pub experiment_id: String,
    /// Round, from 0.
    pub round: u32,
    /// Time per call of each sample, in seconds.
    pub time_s: Vec<f64>,
    /// Wall time per call of each sample, in seconds.
    pub wall_s: Vec<f64>,
    /// Involuntary context switches over these samples.
    pub switches: i64,
    /// Calls per sample.
    pub iterations: i64,
    /// Whatever else the writer wants to keep.
    #[serde(default)]
    pub extra: Map<String, Value>,
}

impl Entry {
    /// The line with its line feed.
    pub(super) fn to_line(&self) -> Result<Vec<u8>, JournalError> {
        self.check_finite()?;
        let mut line = serde_json::to_vec(self)?;
        line.push(b'\n');
        Ok(line)
    }

    /// JSON writes NaN as null, which would read back as another type: refused here, where the name is still known.
    fn check_finite(&self) -> Result<(), JournalError> {
        match self {
            Self::Header(_) => Ok(()),
            Self::Sample(sample) => {
                check("time_s", &sample.time_s)?;
                check("wall_s", &sample.wall_s)
            }
            Self::Result(row) => row.0.iter().try_for_each(|(name, cell)| match cell {
                Cell::Real(value) => check(name, &[*value]),
                Cell::Reals(values) => check(name, values),
                _ => Ok(()),
            }),
        }
    }
}

fn check(name: &str, values: &[f64]) -> Result<(), JournalError> {
    match values.iter().find(|value| !value.is_finite()) {
        Some(value) => Err(JournalError::NotFinite { name: name.to_owned(), value: *value }),
        None => Ok(()),
    }
}
