//! A device whose speed changed: by its reference kernel, within the samples of rows, and between repeats over a run.

use super::table::{Part, Table, figure, percent};
use super::twins::Twins;
use super::{Check, Finding, Severity};
use crate::frame::FrameError;
use crate::quantile::{self, median};
use crate::schema::col;

/// Movement of the reference, or of the samples of a row, that counts: as in `docs/measuring.md`.
const MOVED: f64 = 0.10;
/// Fewest samples whose course says anything.
const SAMPLES: usize = 6;
/// Share of rows that must move the same way to be more than noise.
const TOGETHER: f64 = 0.25;
/// Movement between repeats that counts, and standard errors it must exceed.
const BETWEEN: f64 = 0.03;
const ERRORS: f64 = 5.0;
/// Fewest repeats at each end of a run.
const REPEATS: usize = 20;

/// Drift of every part, by whichever witness there is.
pub(super) fn check(table: &Table<'_>, twins: &Twins) -> Result<Vec<Finding>, FrameError> {
    let (reference, moments) = (table.reals(col::drift)?, table.codes(col::measured_at)?);
    let mut findings = Vec::new();
    for part in &table.parts {
        findings.extend(by_reference(table, part, &reference));
        findings.extend(within_rows(table, part));
        findings.extend(between_repeats(table, part, twins, &moments));
    }
    Ok(findings)
}

fn by_reference(table: &Table<'_>, part: &Part, reference: &[f64]) -> Option<Finding> {
    let judged: Vec<usize> = part.ok.iter().copied().filter(|row| reference[*row].is_finite()).collect();
    let moved: Vec<usize> = judged.iter().copied().filter(|row| reference[*row] > MOVED).collect();
    let typical = median(&mut moved.iter().map(|row| reference[*row]).collect::<Vec<_>>())?;
    let detail = format!(
        "{}: the reference kernel moved by more than {:.0} %, typically by {}",
        part.name(),
        MOVED * 100.0,
        percent(typical)
    );
    let finding = Finding::new(&Check::DRIFT, Severity::Warning, (moved.len(), judged.len()), detail).about(col::drift);
    Some(finding.showing(table.examples(moved, |row| format!("drift = {}", percent(reference[row])))))
}

/// Last third of the samples over the first, the very first sample apart; NaN where there are too few.
fn course(samples: &[f64]) -> f64 {
    if samples.len() < SAMPLES {
        return f64::NAN;
    }
    let rest = &samples[1..];
    let third = rest.len() / 3;
    let middle = |samples: &[f64]| median(&mut samples.to_vec()).unwrap_or(f64::NAN);
    middle(&rest[rest.len() - third..]) / middle(&rest[..third])
}

/// Rows whose samples rise or fall: a finding where many do, and mostly the same way.
#[allow(clippy::cast_precision_loss)] // fewer than 2^53 rows
fn within_rows(table: &Table<'_>, part: &Part) -> Option<Finding> {
    let courses: Vec<(usize, f64)> =
        part.ok.iter().map(|row| (*row, course(table.samples(*row)))).filter(|(_, course)| course.is_finite()).collect();
    let up = courses.iter().copied().filter(|(_, course)| *course > 1.0 + MOVED).collect::<Vec<_>>();
    let down = courses.iter().copied().filter(|(_, course)| *course < 1.0 / (1.0 + MOVED)).collect::<Vec<_>>();
    let (more, fewer) = if up.len() >= down.len() { (up, down) } else { (down, up) };
    let apart = more.len() as f64 - fewer.len() as f64;
    if more.len() < 3 || apart < TOGETHER * courses.len() as f64 {
        return None;
    }
    let typical = median(&mut more.iter().map(|(_, course)| *course).collect::<Vec<_>>())?;
    let detail = format!(
        "{}: in {} of rows the last third of the samples is {} × the first third",
        part.name(),
        percent(more.len() as f64 / courses.len() as f64),
        figure(typical)
    );
    let shows = |row: usize| format!("last third of samples {} × the first", figure(course(table.samples(row))));
    let finding = Finding::new(&Check::DRIFT, Severity::Warning, (more.len(), courses.len()), detail).about(col::time_samples_s);
    Some(finding.showing(table.examples(more.into_iter().map(|(row, _)| row), shows)))
}

/// Repeats early in the run against repeats late in it, each over the middle of its experiment.
#[allow(clippy::cast_precision_loss)] // fewer than 2^53 rows
fn between_repeats(table: &Table<'_>, part: &Part, twins: &Twins, moments: &super::table::Codes) -> Option<Finding> {
    let mut course: Vec<(&str, f64, usize)> = Vec::new();
    for rows in twins.repeats(part) {
        let mut times: Vec<f64> = rows.iter().map(|row| table.time[*row]).collect();
        let middle = median(&mut times)?;
        let timed = rows.iter().filter(|row| moments.of[**row] != 0);
        course.extend(
            timed.map(|row| (moments.values[moments.of[*row] as usize].as_str(), (table.time[*row] / middle).ln(), *row)),
        );
    }
    // RFC 3339 in UTC sorts as text.
    course.sort_by(|a, b| (a.0, a.2).cmp(&(b.0, b.2)));
    let third = course.len() / 3;
    if third < REPEATS {
        return None;
    }
    let ends = [&course[..third], &course[course.len() - third..]].map(|end| ends(end.iter().map(|one| one.1).collect()));
    let [(early, spread_early), (late, spread_late)] = [ends[0]?, ends[1]?];
    let error = (spread_early.powi(2) + spread_late.powi(2)).sqrt() * 1.253 / (third as f64).sqrt();
    let moved = (late - early).exp() - 1.0;
    if moved.abs() < BETWEEN || (late - early).abs() < ERRORS * error {
        return None;
    }
    let (first, last) = (course[0].0, course[course.len() - 1].0);
    let detail = format!(
        "{}: repeats late in the run (until {last}) take {} {} than early ones (from {first})",
        part.name(),
        percent(moved.abs()),
        if moved > 0.0 { "longer" } else { "less" }
    );
    let shows =
        |row: usize| format!("time_s = {}, measured at {}", figure(table.time[row]), moments.values[moments.of[row] as usize]);
    let examples = [course[0].2, course[course.len() - 1].2];
    let finding =
        Finding::new(&Check::DRIFT, Severity::Warning, (course.len(), part.points.len()), detail).about(col::measured_at);
    Some(finding.showing(table.examples(examples, shows)))
}

/// Middle of some logarithms, and their spread as a standard deviation by the interquartile range.
fn ends(mut logs: Vec<f64>) -> Option<(f64, f64)> {
    let middle = quantile::of(&mut logs, 0.5)?;
    Some((middle, (quantile::of_sorted(&logs, 0.75)? - quantile::of_sorted(&logs, 0.25)?) / 1.349))
}
