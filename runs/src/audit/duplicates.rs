//! One experiment under several labels.

use std::collections::HashMap;

use super::table::{Table, number};
use super::{Check, Finding, Severity};
use crate::frame::FrameError;
use crate::schema::col;

/// Experiments that stand under more than one configuration.
pub(super) fn check(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let (experiments, configs) = (table.codes(col::experiment_id)?, table.codes(col::config_id)?);
    let mut groups: HashMap<u32, Vec<usize>> = HashMap::new();
    for row in table.points.iter().copied().filter(|row| experiments.of[*row] != 0) {
        groups.entry(experiments.of[row]).or_default().push(row);
    }
    let mut doubled: Vec<Vec<usize>> = groups.into_values().filter(|rows| rows.len() > 1 && configs.vary(rows)).collect();
    if doubled.is_empty() {
        return Ok(Vec::new());
    }
    doubled.sort_unstable_by_key(|rows| (std::cmp::Reverse(rows.len()), rows[0]));
    let rows: usize = doubled.iter().map(Vec::len).sum();
    let (least, most) = (doubled.last().map_or(0, Vec::len), doubled[0].len());
    let each = if least == most { format!("{most} rows each") } else { format!("{least} to {most} rows each") };
    let detail = format!("{} under more than one label, {each}", number(doubled.len(), "experiment"));
    let finding = Finding::new(&Check::DUPLICATES, Severity::Warning, (rows, table.points.len()), detail);
    let time = |row: usize| format!("time_s = {}", super::table::figure(table.time[row]));
    Ok(vec![finding.showing(table.examples(doubled[0].iter().copied(), time))])
}
