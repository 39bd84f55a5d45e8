//! Knobs and axes with one value.

use super::table::{Table, number};
use super::{Check, Finding, Severity};
use crate::frame::{FrameError, open_columns};
use crate::schema::{KNOB, PROBLEM};

/// Below so many points one value is no wonder.
const POINTS: usize = 8;

/// The knobs and axes that have the same value in all points that have one.
pub(super) fn check(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let (mut constant, mut columns) = (Vec::new(), 0);
    for name in [open_columns(table.frame, KNOB), open_columns(table.frame, PROBLEM)].concat() {
        let codes = table.codes(&name)?;
        // Families without the knob do not vary it.
        let present: Vec<usize> = table.points.iter().copied().filter(|row| codes.of[*row] != 0).collect();
        columns += usize::from(!present.is_empty());
        if present.len() >= POINTS && !codes.vary(&present) {
            constant.push(format!("`{name}` = {}", codes.values[codes.of[present[0]] as usize]));
        }
    }
    if constant.is_empty() {
        return Ok(Vec::new());
    }
    let (points, shown) = (table.points.len(), constant.join(", "));
    let detail = format!("{} with one value over {points} points: {shown}", number(constant.len(), "column"));
    Ok(vec![Finding::new(&Check::CONSTANT, Severity::Info, (constant.len(), columns), detail)])
}
