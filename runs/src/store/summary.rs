//! What runs a store holds.

use std::collections::{BTreeMap, BTreeSet};

use polars::prelude::DataFrame;
use serde::Serialize;

use crate::frame::{FrameError, texts};
use crate::schema::col;

/// One run of a store.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct RunSummary {
    /// The run.
    pub run_id: String,
    /// The sweep it belongs to.
    pub sweep_id: String,
    /// Where its rows come from (`cpu`, `import:kernel-tuner`), in order.
    pub sources: BTreeSet<String>,
    /// Devices measured.
    pub devices: BTreeSet<String>,
    /// Families measured.
    pub families: BTreeSet<String>,
    /// Number of rows.
    pub points: usize,
    /// Rows by status.
    pub by_status: BTreeMap<String, usize>,
    /// When the first point was finished, RFC 3339, UTC.
    pub first_measured_at: Option<String>,
    /// When the last one was.
    pub last_measured_at: Option<String>,
}

/// The runs of a frame, in order of `run_id`.
///
/// # Errors
/// A column of `runs::schema` is absent or of another type.
pub fn summarise(frame: &DataFrame) -> Result<Vec<RunSummary>, FrameError> {
    let names = [col::run_id, col::sweep_id, col::source, col::device, col::family, col::status, col::measured_at];
    let columns = names.into_iter().map(|name| texts(frame, name)).collect::<Result<Vec<_>, _>>()?;
    let mut runs: BTreeMap<String, RunSummary> = BTreeMap::new();
    let [runs_of, rest @ ..] = columns.as_slice() else { return Ok(Vec::new()) };
    for (row, run) in runs_of.iter().enumerate() {
        let [sweep, source, device, family, status, at] = std::array::from_fn(|column| rest[column][row].clone());
        let Some(run) = run.clone() else { continue };
        let summary = runs.entry(run.clone()).or_insert_with(|| RunSummary { run_id: run, ..RunSummary::default() });
        summary.sweep_id = sweep.unwrap_or_default();
        summary.sources.extend(source);
        summary.devices.extend(device);
        summary.families.extend(family);
        summary.points += 1;
        *summary.by_status.entry(status.unwrap_or_default()).or_default() += 1;
        if at.is_some() {
            // RFC 3339 in UTC sorts as text.
            summary.first_measured_at = summary.first_measured_at.take().map_or(at.clone(), |first| Some(first).min(at.clone()));
            summary.last_measured_at = summary.last_measured_at.take().max(at);
        }
    }
    Ok(runs.into_values().collect())
}
