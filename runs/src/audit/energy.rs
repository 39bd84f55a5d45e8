//! Energy against power times time.

use super::ratio::{explain, middle};
use super::table::{Part, Table, figure};
use super::{Check, Finding, Severity};
use crate::frame::FrameError;
use crate::schema::col;

/// Where the middle ratio lies outside, all rows disagree.
const TYPICAL: f64 = 0.2;
/// Time is that of the best or middle call, energy that of all calls in the window: single rows may differ by a factor of two.
const ROW: (f64, f64) = (0.5, 2.0);
/// Values from which the step of a rounded column is read.
const STEPS: usize = 50;

/// `energy_j` over `power_w` × its own time base: `energy_time_s`, which is hot also where `time_s` is cold, else the time the source states.
pub(super) fn check(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let (energy, power) = (table.reals(col::energy_j)?, table.reals(col::power_w)?);
    let base = table.reals(col::energy_time_s)?.into_iter().zip(super::rates::seconds(table)?);
    let seconds = base.map(|(own, other)| if own.is_finite() { own } else { other });
    let product: Vec<f64> = power.iter().zip(seconds).map(|(power, seconds)| power * seconds).collect();
    Ok(table.parts.iter().filter_map(|part| of_part(table, part, &energy, &product)).collect())
}

fn of_part(table: &Table<'_>, part: &Part, energy: &[f64], product: &[f64]) -> Option<Finding> {
    let both = |row: &usize| energy[*row] > 0.0 && product[*row] > 0.0 && energy[*row].is_finite() && product[*row].is_finite();
    let rows: Vec<usize> = part.ok.iter().copied().filter(both).collect();
    let step = step(rows.iter().map(|row| energy[*row]).collect());
    // Where a value is less than ten steps of rounding, rounding alone explains any ratio.
    let fine: Vec<usize> = rows.iter().copied().filter(|row| product[*row] >= 10.0 * step).collect();
    let judged = if fine.is_empty() { &rows } else { &fine };
    let ratio = |row: usize| energy[row] / product[row];
    let (typical, _) = middle(&mut judged.iter().map(|row| ratio(*row)).collect::<Vec<_>>())?;
    let off = !(1.0 - TYPICAL..=1.0 + TYPICAL).contains(&typical);
    let outside = |row: &usize| !(ROW.0..=ROW.1).contains(&ratio(*row)) && (energy[*row] - product[*row]).abs() > step;
    let wrong: Vec<usize> = if off { rows.clone() } else { rows.iter().copied().filter(outside).collect() };
    if wrong.is_empty() {
        return None;
    }
    let detail = if off {
        format!("{}: `energy_j` over `power_w` × time is {}: {}", part.name(), figure(typical), explain(typical))
    } else {
        format!("{}: `energy_j` differs from `power_w` × time by more than a factor of two in single rows", part.name())
    };
    let shows = |row: usize| format!("energy_j = {}, power × time = {} J", figure(energy[row]), figure(product[row]));
    let severity = if off { Severity::Error } else { Severity::Warning };
    let finding = Finding::new(&Check::ENERGY, severity, (wrong.len(), rows.len()), detail).about(col::energy_j);
    Some(finding.showing(table.examples(wrong, shows)))
}

/// The step to which values were rounded: the smallest difference between different ones; next to nothing where they were not.
fn step(mut values: Vec<f64>) -> f64 {
    values.sort_unstable_by(f64::total_cmp);
    values.dedup();
    if values.len() < STEPS {
        return 0.0;
    }
    values.windows(2).map(|pair| pair[1] - pair[0]).fold(f64::MAX, f64::min)
}
