//! Knobs that change nothing, and how many experiments the rows then are.

use super::clusters::{Columns, Keys, clusters};
use super::effect::{self, Inert, expected_range};
use super::table::{Part, Table, percent};
use super::{Check, Finding, Severity};
use crate::frame::FrameError;
use crate::quantile::median;
use crate::schema::col;

/// Fewest sets of exact repeats that give an estimate of noise.
const REPEATED: usize = 20;
/// Interquartile range of normal deviates in standard deviations.
const IQR: f64 = 1.349;

/// The inert knobs of one part.
pub(super) struct PartInert {
    /// Place of the part in [`Table::parts`].
    pub(super) part: usize,
    /// Knob and what it did.
    knobs: Vec<(String, Inert)>,
    /// Rows by their key without all inert knobs, where they are repeats without them: sorted, runs of equal keys are experiments.
    pub(super) joint: Option<Vec<(u64, u32)>>,
}

/// Inert knobs of every part that has some.
pub(super) fn inert(table: &Table<'_>) -> Result<Vec<PartInert>, FrameError> {
    let (noise, columns) = (table.reals(col::noise)?, Columns::read(table)?);
    let mut found = Vec::new();
    for (place, part) in table.parts.iter().enumerate() {
        let keys = Keys::of(table, &columns, part);
        let noise = noise_of(table, part, &keys, &noise);
        let knobs = keys.columns.iter().enumerate().filter(|(_, column)| column.is_knob());
        let found_in: Vec<(usize, Inert)> =
            knobs.filter_map(|(at, _)| Some((at, effect::inert(&keys, at, &part.points, &table.time, noise)?))).collect();
        if found_in.is_empty() {
            continue;
        }
        let columns: Vec<usize> = found_in.iter().map(|(column, _)| *column).collect();
        let joint = keys.sorted(&part.points, &columns);
        let limit = found_in.iter().map(|(_, inert)| inert.spread).fold(0.01_f64, f64::max) * 3.0;
        let joint = spread(table, &joint).is_some_and(|spread| spread <= limit).then_some(joint);
        let knobs = found_in.into_iter().map(|(column, inert)| (keys.columns[column].name.clone(), inert)).collect();
        found.push(PartInert { part: place, knobs, joint });
    }
    Ok(found)
}

/// Relative noise of one row: from rows that agree in all columns, else from the samples within rows.
fn noise_of(table: &Table<'_>, part: &Part, keys: &Keys<'_>, noise: &[f64]) -> Option<f64> {
    let sorted = keys.sorted(&part.points, &[]);
    if clusters(&sorted).filter(|cluster| cluster.len() > 1).count() >= REPEATED {
        return spread(table, &sorted);
    }
    let mut within: Vec<f64> = part.points.iter().map(|row| noise[*row] / IQR).filter(|noise| noise.is_finite()).collect();
    median(&mut within)
}

/// Typical relative spread within clusters of at least two rows.
fn spread(table: &Table<'_>, sorted: &[(u64, u32)]) -> Option<f64> {
    let of = |cluster: &[(u64, u32)]| {
        let logs = || cluster.iter().map(|(_, row)| table.time[*row as usize].ln());
        (logs().fold(f64::MIN, f64::max) - logs().fold(f64::MAX, f64::min)) / expected_range(cluster.len())
    };
    median(&mut clusters(sorted).filter(|cluster| cluster.len() > 1).map(of).collect::<Vec<_>>())
}

/// One finding per knob and part.
pub(super) fn findings(table: &Table<'_>, inert: &[PartInert]) -> Vec<Finding> {
    inert.iter().flat_map(|found| found.knobs.iter().map(|(knob, effect)| finding(table, found, knob, effect))).collect()
}

fn finding(table: &Table<'_>, found: &PartInert, knob: &str, effect: &Inert) -> Finding {
    let part = &table.parts[found.part];
    let detail = format!(
        "{}: in {} groups of rows that differ only in `{knob}` the time varies by {} (standard deviation, median over groups), and no value is \
         consistently faster or slower (largest shift {}){}",
        part.name(),
        effect.clusters,
        percent(effect.spread),
        percent(effect.shift),
        experiments(found, part.points.len()),
    );
    let time = |row: usize| format!("time_s = {}", super::table::figure(table.time[row]));
    let rows = found.joint.as_ref().map_or_else(|| part.points.iter().copied().take(2).collect(), |joint| widest(joint));
    Finding::new(&Check::INERT_KNOB, Severity::Warning, (effect.rows, part.points.len()), detail)
        .about(knob)
        .showing(table.examples(rows, time))
}

/// What the rows are without the knobs that change nothing.
#[allow(clippy::cast_precision_loss)] // fewer than 2^53 rows
fn experiments(found: &PartInert, rows: usize) -> String {
    let Some(joint) = &found.joint else { return String::new() };
    let sizes: Vec<usize> = clusters(joint).map(<[_]>::len).collect();
    let (least, most) = (sizes.iter().min().copied().unwrap_or(0), sizes.iter().max().copied().unwrap_or(0));
    let repeats = if least == most { format!("{least}") } else { format!("{:.1} on average", rows as f64 / sizes.len() as f64) };
    let names: Vec<String> = found.knobs.iter().map(|(knob, _)| format!("`{knob}`")).collect();
    format!("; without {} the {rows} rows are {} distinct experiments × {repeats} repeats", names.join(", "), sizes.len())
}

/// The largest experiment's rows.
fn widest(joint: &[(u64, u32)]) -> Vec<usize> {
    let largest = clusters(joint).max_by_key(|cluster| cluster.len()).unwrap_or_default();
    largest.iter().map(|(_, row)| *row as usize).collect()
}
