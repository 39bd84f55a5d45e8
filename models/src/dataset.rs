//! The rows of a frame that can be learned from, and the two halves that keep fitting from seeing what it is tested on.

use std::collections::BTreeMap;

use polars::prelude::*;
use sha2::{Digest, Sha256};
use tilecast_runs::frame::{ints, reals};
use tilecast_runs::schema::col;

use crate::ModelError;
use crate::named::named;
use crate::table::texts_or_empty;

/// What is predicted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Target {
    /// `time_s`, seconds per call.
    Time,
    /// `energy_j`, joules per call.
    Energy,
    /// `power_w`, watts.
    Power,
}

named!(Target, "target", { Time = "time", Energy = "energy", Power = "power" });

impl Target {
    /// Column of the target.
    #[must_use]
    pub fn column(self) -> &'static str {
        match self {
            Self::Time => col::time_s,
            Self::Energy => col::energy_j,
            Self::Power => col::power_w,
        }
    }

    /// Column that says why it is absent.
    fn reason(self) -> &'static str {
        match self {
            Self::Time => col::reason,
            Self::Energy | Self::Power => col::energy_reason,
        }
    }
}

/// Rows with status `ok`, role `point` and a positive target, one per experiment.
#[derive(Clone, Debug)]
pub struct Dataset {
    pub(crate) frame: DataFrame,
    pub(crate) target: Target,
    /// Target per row, the median over duplicates.
    pub(crate) values: Vec<f64>,
    /// Row of the frame it was made from, per row; the first of duplicates.
    pub(crate) origin: Vec<usize>,
    /// Rows that were merged into another row of the same `experiment_id`.
    pub duplicates: usize,
    /// Rows of the frame that cannot be learned from: failed, skipped, not a `point`, or without target.
    pub unusable: usize,
}

/// Rows a model may be fitted on.
#[derive(Clone, Debug)]
pub struct Train(pub(crate) Dataset);

/// Rows a model is tested on; nothing that fits takes one.
#[derive(Clone, Debug)]
pub struct Test(pub(crate) Dataset);

impl Dataset {
    /// The usable rows of `frame`.
    ///
    /// # Errors
    /// No usable row, or simulated and measured rows together.
    pub fn new(frame: &DataFrame, target: Target) -> Result<Self, ModelError> {
        let usable = usable(frame, target)?;
        if usable.is_empty() {
            return Err(no_target(frame, target)?);
        }
        check_sources(frame, &usable)?;
        let ids = texts_or_empty(frame, col::experiment_id)?;
        let mut groups: BTreeMap<&str, Vec<(usize, f64)>> = BTreeMap::new();
        let mut order = Vec::new();
        for &(row, value) in &usable {
            let group = groups.entry(&ids[row]).or_default();
            if group.is_empty() || ids[row].is_empty() {
                order.push((row, value));
            }
            group.push((row, value));
        }
        let value = |&(row, value): &(usize, f64)| {
            if ids[row].is_empty() { value } else { median(groups[ids[row].as_str()].iter().map(|pair| pair.1).collect()) }
        };
        let (values, origin): (Vec<f64>, Vec<usize>) = (order.iter().map(value).collect(), order.iter().map(|pair| pair.0).collect());
        let (duplicates, unusable) = (usable.len() - order.len(), frame.height() - usable.len());
        Ok(Self { frame: take(frame, &origin)?, target, values, origin, duplicates, unusable })
    }

    /// Number of rows.
    #[must_use]
    pub fn rows(&self) -> usize {
        self.values.len()
    }

    /// The rows numbered `rows`, in that order.
    pub(crate) fn select(&self, rows: &[usize]) -> Result<Self, ModelError> {
        let values = rows.iter().map(|&row| self.values[row]).collect();
        let origin = rows.iter().map(|&row| self.origin[row]).collect();
        Ok(Self { frame: take(&self.frame, rows)?, target: self.target, values, origin, duplicates: 0, unusable: 0 })
    }

    /// Everything as training rows.
    #[must_use]
    pub fn into_train(self) -> Train {
        Train(self)
    }

    /// Hash over experiments and targets, in hexadecimal: which data a model was fitted on.
    pub(crate) fn fingerprint(&self) -> Result<String, ModelError> {
        let mut hash = Sha256::new();
        for (id, value) in texts_or_empty(&self.frame, col::experiment_id)?.iter().zip(&self.values) {
            hash.update(id.as_bytes());
            hash.update([0]);
            hash.update(value.to_le_bytes());
        }
        Ok(hash.finalize().iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }
}

/// Rows and targets of the usable rows.
fn usable(frame: &DataFrame, target: Target) -> Result<Vec<(usize, f64)>, ModelError> {
    let (status, role) = (texts_or_empty(frame, col::status)?, texts_or_empty(frame, col::role)?);
    if frame.column(target.column()).is_err() {
        return Ok(Vec::new());
    }
    let values = reals(frame, target.column())?.into_iter().enumerate();
    let fits = |row: &usize| status[*row] == "ok" && (role[*row].is_empty() || role[*row] == "point");
    Ok(values.filter_map(|(row, value)| Some((row, value.filter(|value| value.is_finite() && *value > 0.0)?))).filter(|(row, _)| fits(row)).collect())
}

fn no_target(frame: &DataFrame, target: Target) -> Result<ModelError, ModelError> {
    let reason = texts_or_empty(frame, target.reason())?.into_iter().find(|reason| !reason.is_empty());
    Ok(ModelError::NoTarget { column: target.column(), rows: frame.height(), reason })
}

fn check_sources(frame: &DataFrame, usable: &[(usize, f64)]) -> Result<(), ModelError> {
    let sources = texts_or_empty(frame, col::source)?;
    let simulated = usable.iter().filter(|(row, _)| sources[*row] == "vgpu").count();
    let measured = usable.len() - simulated;
    if simulated > 0 && measured > 0 { Err(ModelError::MixedSources { simulated, measured }) } else { Ok(()) }
}

/// The rows numbered `rows` of a frame.
pub(crate) fn take(frame: &DataFrame, rows: &[usize]) -> Result<DataFrame, ModelError> {
    #[allow(clippy::cast_possible_truncation)] // Polars counts rows in 32 bits here
    let rows: Vec<IdxSize> = rows.iter().map(|&row| row as IdxSize).collect();
    Ok(frame.take(&IdxCa::from_vec("rows".into(), rows))?)
}

/// Median of at least one value; the mean of the middle two for an even number.
pub(crate) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    if values.len() % 2 == 1 { values[middle] } else { values[middle - 1] / 2.0 + values[middle] / 2.0 }
}

/// One text per row that names its group by `column`; integers are shown.
pub(crate) fn keys(frame: &DataFrame, column: &str) -> Result<Vec<String>, ModelError> {
    if frame.column(column).is_ok_and(|column| column.dtype().is_integer()) {
        return Ok(ints(frame, column)?.into_iter().map(|key| key.map(|key| key.to_string()).unwrap_or_default()).collect());
    }
    texts_or_empty(frame, column)
}
