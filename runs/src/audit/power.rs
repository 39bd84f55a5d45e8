//! Power outside its range, or read while nothing ran.

use super::table::{Part, Table, figure, percent};
use super::{Check, Finding, Severity};
use crate::device::{Rate, lookup};
use crate::frame::{FrameError, texts};
use crate::schema::col;

/// Gain error of board sensors, and their absolute error in watts (NVML states ±5 W; single boards were found within 5 %).
const GAIN: f64 = 1.05;
const OFFSET_W: f64 = 5.0;
/// No board of the catalogue idles below this share of its limit.
const LEAST: f64 = 0.02;
/// Busy below this share of the time is idle.
const BUSY: f64 = 0.05;
/// Power up to this multiple of idle power is idle power.
const IDLE: f64 = 1.10;
/// At this share of its peak rate a device draws more than [`ASLEEP`] of its limit.
const AT_WORK: f64 = 0.30;
const ASLEEP: f64 = 0.20;

/// Rows whose power the board cannot draw.
pub(super) fn range(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let (power, idle) = (table.reals(col::power_w)?, table.reals(col::idle_w)?);
    let limits = limits(table)?;
    let mut findings = Vec::new();
    for part in &table.parts {
        let rows: Vec<usize> = part.ok.iter().copied().filter(|row| power[*row] > 0.0).collect();
        let above = |row: &usize| power[*row] > limits[*row] * GAIN + OFFSET_W;
        let below = |row: &usize| below(power[*row], idle[*row], limits[*row]);
        let wrong: Vec<usize> = rows.iter().copied().filter(|row| above(row) || below(row)).collect();
        if wrong.is_empty() {
            continue;
        }
        let count = wrong.iter().filter(|row| above(row)).count();
        let detail = format!(
            "{}: power is above the board's limit in {count} and below idle power in {} of {} rows with power",
            part.name(),
            wrong.len() - count,
            rows.len()
        );
        let shows = |row: usize| {
            format!("power_w = {}, limit {} W, idle {} W", figure(power[row]), figure(limits[row]), figure(idle[row]))
        };
        let finding = Finding::new(&Check::POWER_RANGE, Severity::Error, (wrong.len(), rows.len()), detail).about(col::power_w);
        findings.push(finding.showing(table.examples(wrong, shows)));
    }
    Ok(findings)
}

/// Below idle power, measured or what any board draws.
fn below(power: f64, idle: f64, limit: f64) -> bool {
    power < idle / GAIN - OFFSET_W || power < limit * LEAST
}

/// The limit that the row states, else the catalogue's; NaN where neither is known.
fn limits(table: &Table<'_>) -> Result<Vec<f64>, FrameError> {
    let mut limits = table.reals(col::power_limit_w)?;
    for part in &table.parts {
        let known = lookup(&part.device).device.and_then(|device| device.facts.power_limit_w).unwrap_or(f64::NAN);
        for row in &part.ok {
            if !limits[*row].is_finite() {
                limits[*row] = known;
            }
        }
    }
    Ok(limits)
}

/// Rows whose power was read while the device did nothing.
pub(super) fn idle(table: &Table<'_>) -> Result<Vec<Finding>, FrameError> {
    let readings = Readings {
        power: table.reals(col::power_w)?,
        idle: table.reals(col::idle_w)?,
        busy: table.reals(col::utilisation)?,
        warned: warned(table)?,
        limits: limits(table)?,
        peak_share: peak_share(table)?,
    };
    Ok(table.parts.iter().filter_map(|part| of_part(table, part, &readings)).collect())
}

struct Readings {
    power: Vec<f64>,
    idle: Vec<f64>,
    busy: Vec<f64>,
    warned: Vec<bool>,
    limits: Vec<f64>,
    peak_share: Vec<f64>,
}

impl Readings {
    /// Why the power of `row` is idle power, if it is.
    fn why(&self, row: usize) -> Option<String> {
        let power = self.power[row];
        if self.busy[row] < BUSY {
            return Some(format!("power_w = {} at utilisation {}", figure(power), percent(self.busy[row])));
        }
        if power <= self.idle[row] * IDLE {
            return Some(format!("power_w = {}, idle_w = {}", figure(power), figure(self.idle[row])));
        }
        if self.peak_share[row] >= AT_WORK && power < ASLEEP * self.limits[row] {
            let (share, limit) = (percent(self.peak_share[row]), figure(self.limits[row]));
            return Some(format!("power_w = {} at {share} of the peak rate of a device of {limit} W", figure(power)));
        }
        self.warned[row].then(|| format!("power_w = {}, `power-at-idle` in its warnings", figure(power)))
    }
}

fn of_part(table: &Table<'_>, part: &Part, readings: &Readings) -> Option<Finding> {
    // Below any idle power the value itself is wrong, not the moment: `power-out-of-range`.
    let possible =
        |row: &usize| readings.power[*row] > 0.0 && !below(readings.power[*row], readings.idle[*row], readings.limits[*row]);
    let rows: Vec<usize> = part.ok.iter().copied().filter(possible).collect();
    let wrong: Vec<usize> = rows.iter().copied().filter(|row| readings.why(*row).is_some()).collect();
    if wrong.is_empty() {
        return None;
    }
    #[allow(clippy::cast_precision_loss)] // fewer than 2^53 rows
    let share = percent(wrong.len() as f64 / rows.len() as f64);
    let detail =
        format!("{}: in {share} of the {} rows with power it was read while the device was idle", part.name(), rows.len());
    let finding = Finding::new(&Check::POWER_IDLE, Severity::Error, (wrong.len(), rows.len()), detail).about(col::power_w);
    Some(finding.showing(table.examples(wrong, |row| readings.why(row).unwrap_or_default())))
}

/// Rows whose importer saw it.
fn warned(table: &Table<'_>) -> Result<Vec<bool>, FrameError> {
    if table.frame.column(col::warnings).is_err() {
        return Ok(vec![false; table.rows]);
    }
    let said = |text: &str| text.split(',').any(|id| id == "power-at-idle");
    Ok(texts(table.frame, col::warnings)?.iter().map(|text| text.as_deref().is_some_and(said)).collect())
}

/// Achieved rate over the catalogue's peak; NaN where unknown.
fn peak_share(table: &Table<'_>) -> Result<Vec<f64>, FrameError> {
    let (work, dtypes) = (table.reals(col::useful_flop)?, table.codes(col::dtype)?);
    let mut shares = vec![f64::NAN; table.rows];
    for part in &table.parts {
        let Some(device) = lookup(&part.device).device else { continue };
        let peaks: Vec<Option<f64>> = dtypes.values.iter().map(|dtype| device.peak_flop_per_s(Rate::of_dtype(dtype)?)).collect();
        for row in &part.ok {
            shares[*row] = peaks[dtypes.of[*row] as usize].map_or(f64::NAN, |peak| work[*row] / table.time[*row] / peak);
        }
    }
    Ok(shares)
}
