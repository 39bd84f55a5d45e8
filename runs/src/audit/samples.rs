//! Samples within a row: a cold first one.

use super::table::{Part, Table, figure, percent};
use super::{Check, Finding, Severity};
use crate::frame::FrameError;
use crate::quantile::median;
use crate::schema::col;

/// First sample over the median of the others from which it is cold.
const COLD: f64 = 1.5;
/// Share of rows from which this is a habit of the tool and no accident.
const HABIT: f64 = 0.10;

/// First sample over the median of the others; NaN where there are fewer than three samples.
pub(super) fn first_ratio(samples: &[f64]) -> f64 {
    match samples {
        [first, rest @ ..] if rest.len() >= 2 => first / median(&mut rest.to_vec()).unwrap_or(f64::NAN),
        _ => f64::NAN,
    }
}

/// Rows whose first sample is cold. A warning where it is the rule, or where the headline is a mean that contains it.
pub(super) fn check(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let statistic = table.codes(col::time_statistic)?;
    let means: Vec<bool> = statistic.values.iter().map(|name| name == "mean").collect();
    Ok(table.parts.iter().filter_map(|part| of_part(table, part, |row| means[statistic.of[row] as usize])).collect())
}

fn of_part(table: &Table<'_>, part: &Part, mean: impl Fn(usize) -> bool) -> Option<Finding> {
    let ratios: Vec<(usize, f64)> =
        part.ok.iter().map(|row| (*row, first_ratio(table.samples(*row)))).filter(|(_, ratio)| ratio.is_finite()).collect();
    let cold: Vec<(usize, f64)> = ratios.iter().copied().filter(|(_, ratio)| *ratio > COLD).collect();
    let typical = median(&mut cold.iter().map(|(_, ratio)| *ratio).collect::<Vec<_>>())?;
    #[allow(clippy::cast_precision_loss)] // fewer than 2^53 rows
    let share = cold.len() as f64 / ratios.len() as f64;
    let severity = if share > HABIT || cold.iter().any(|(row, _)| mean(*row)) { Severity::Warning } else { Severity::Info };
    let detail = format!(
        "{}: in {} of rows the first sample is over {COLD} × the median of the others, typically {} ×",
        part.name(),
        percent(share),
        figure(typical)
    );
    let shows = |row: usize| format!("first sample {} × the others", figure(first_ratio(table.samples(row))));
    let finding = Finding::new(&Check::COLD, severity, (cold.len(), ratios.len()), detail).about(col::time_samples_s);
    Some(finding.showing(table.examples(cold.into_iter().map(|(row, _)| row), shows)))
}
