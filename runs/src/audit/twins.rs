//! What a split of rows at random would leak: repeats of one experiment on both sides.

use std::collections::HashMap;

use super::clusters::clusters;
use super::knobs::PartInert;
use super::table::{Part, Table, percent};
use super::{Check, Finding, Severity};
use crate::frame::FrameError;
use crate::schema::col;

/// Share of rows held out at random.
const HELD_OUT: f64 = 0.2;
/// Share of held-out rows with a twin from which the score is one of repeats.
const LEAKS: f64 = 0.10;

/// Which experiment each point belongs to: by `experiment_id`, or by all that has an effect where some knobs have none.
pub(super) struct Twins {
    /// Experiment by row; only points have one.
    group: Vec<u32>,
    sizes: Vec<u32>,
}

impl Twins {
    /// Rows of each experiment of `part` that stands more than once.
    pub(super) fn repeats(&self, part: &Part) -> Vec<Vec<usize>> {
        let mut groups: HashMap<u32, Vec<usize>> = HashMap::new();
        for row in part.points.iter().filter(|row| self.sizes[self.group[**row] as usize] > 1) {
            groups.entry(self.group[*row]).or_default().push(*row);
        }
        let mut groups: Vec<Vec<usize>> = groups.into_values().collect();
        groups.sort_unstable();
        groups
    }
}

/// The experiments of all points.
pub(super) fn groups(table: &Table<'_>, inert: &[PartInert]) -> Result<Twins, FrameError> {
    let experiments = table.codes(col::experiment_id)?;
    let mut twins = Twins { group: vec![0; table.rows], sizes: vec![0] };
    for (place, part) in table.parts.iter().enumerate() {
        match inert.iter().find(|found| found.part == place).and_then(|found| found.joint.as_ref()) {
            Some(joint) => clusters(joint).for_each(|cluster| twins.add(cluster.iter().map(|(_, row)| *row as usize))),
            None => {
                let mut by_id: HashMap<u32, Vec<usize>> = HashMap::new();
                part.points.iter().for_each(|row| by_id.entry(experiments.of[*row]).or_default().push(*row));
                // Rows without an id are experiments of their own.
                by_id.remove(&0).unwrap_or_default().into_iter().for_each(|row| twins.add(std::iter::once(row)));
                by_id.into_values().for_each(|rows| twins.add(rows.into_iter()));
            }
        }
    }
    Ok(twins)
}

impl Twins {
    fn add(&mut self, rows: impl Iterator<Item = usize>) {
        let number = u32::try_from(self.sizes.len()).expect("fewer experiments than rows");
        let mut size = 0;
        for row in rows {
            self.group[row] = number;
            size += 1;
        }
        self.sizes.push(size);
    }
}

/// How many rows of a random fifth would have a twin among the rest.
#[allow(clippy::cast_precision_loss)] // fewer than 2^53 rows
pub(super) fn check(table: &Table<'_>, twins: &Twins) -> Vec<Finding> {
    let size = |row: &usize| f64::from(twins.sizes[twins.group[*row] as usize]);
    let with_twin: Vec<usize> = table.points.iter().copied().filter(|row| size(row) > 1.0).collect();
    // A held-out row is without twin where all others of its experiment are held out too.
    let leaked: f64 = table.points.iter().map(|row| 1.0 - HELD_OUT.powf(size(row) - 1.0)).sum();
    let share = leaked / table.points.len().max(1) as f64;
    if share < LEAKS {
        return Vec::new();
    }
    let experiments = twins.sizes.iter().filter(|size| **size > 0).count();
    let detail = format!(
        "{} of the rows that a random 80/20 split holds out have a twin among the rows fitted on: {} points are {experiments} experiments",
        percent(share),
        table.points.len()
    );
    let shows = |row: usize| format!("one of {} rows of its experiment", twins.sizes[twins.group[row] as usize]);
    let finding = Finding::new(&Check::TWINS, Severity::Warning, (with_twin.len(), table.points.len()), detail);
    vec![finding.showing(table.examples(with_twin, shows))]
}
