//! Whether a knob changes the time at all.
//!
//! Rows equal in everything but the knob form a cluster. If the knob reaches nothing, the values of the knob are mere labels within a cluster:
//! no value is consistently slower, neither over all clusters nor over those that share some other value, and the spread within a cluster is
//! that of repeats. A knob whose effect depends on others has no consistent value over all clusters, but has one over those that share the
//! right other value. On two exhaustive GEMM spaces (Kernel Tuner, 17,956 rows each) the largest such shift is at least 5 % for every knob;
//! on a log whose knobs reached nothing (GPPerf, 16,128 rows) it is below 0.1 %.

use super::clusters::{Keys, clusters};
use crate::quantile::median;

/// Fewest clusters from which anything is concluded.
const CLUSTERS: usize = 8;
/// A shift below this is none, however certain.
const SHIFT: f64 = 0.002;
/// Spread that needs no estimate of noise to count as repeats'.
const QUIET: f64 = 0.01;
/// Multiple of known noise that still counts as repeats'.
const NOISES: f64 = 3.0;
/// Largest spread that can pass for noise where none is known.
const LOUD: f64 = 0.10;
/// Standard deviations of a sign test over all clusters, and over the many groups that share a value.
const CERTAIN: (f64, f64) = (3.0, 4.5);
/// Pairs of neighbouring clusters that make agreement of signs mean something.
const PAIRS: usize = 30;

/// What a knob did in one part.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Inert {
    /// Clusters it was seen in.
    pub(super) clusters: usize,
    /// Rows in them.
    pub(super) rows: usize,
    /// Typical relative spread within a cluster, as a standard deviation.
    pub(super) spread: f64,
    /// Largest median shift of one of its values.
    pub(super) shift: f64,
}

/// One value of the knob in one cluster.
struct Shift {
    /// Logarithm of its mean time over the cluster's median.
    log: f64,
    level: u32,
    /// A row of it: all rows of a cluster agree in the other columns.
    row: u32,
    cluster: u32,
}

/// The knob's column `knob` over `rows`: `Some` where it changes nothing. `noise` is the relative noise of one row, where it is known.
pub(super) fn inert(keys: &Keys<'_>, knob: usize, rows: &[usize], time: &[f64], noise: Option<f64>) -> Option<Inert> {
    let (shifts, spreads) = shifts(keys, knob, rows, time);
    let count = spreads.len();
    if count < CLUSTERS {
        return None;
    }
    let spread = median(&mut spreads.clone())?;
    let quiet = spread <= QUIET.max(NOISES * noise.unwrap_or(0.0));
    if !quiet && (noise.is_some() || spread > LOUD) {
        return None;
    }
    let overall = largest(&shifts, |_| 0, CERTAIN.0)?;
    let grouped = |column: usize| largest(&shifts, |shift| keys.columns[column].codes.of[shift.row as usize], CERTAIN.1);
    let others: Vec<usize> = (0..keys.columns.len()).filter(|column| *column != knob).collect();
    if !others.iter().all(|column| grouped(*column).is_some()) {
        return None;
    }
    if !quiet {
        let verdicts: Vec<bool> = others.iter().filter_map(|column| disagree(keys, knob, *column, &shifts)).collect();
        if verdicts.is_empty() || verdicts.contains(&false) {
            return None;
        }
    }
    Some(Inert { clusters: count, rows: members(keys, knob, rows), spread, shift: overall })
}

/// Shifts of all values in all clusters with at least two, and each cluster's spread as a standard deviation.
fn shifts(keys: &Keys<'_>, knob: usize, rows: &[usize], time: &[f64]) -> (Vec<Shift>, Vec<f64>) {
    let codes = &keys.columns[knob].codes.of;
    let (mut shifts, mut spreads) = (Vec::new(), Vec::new());
    let mut levels: Vec<(u32, f64, u32)> = Vec::new();
    for cluster in clusters(&keys.sorted(rows, &[knob])) {
        if cluster.iter().all(|(_, row)| codes[*row as usize] == codes[cluster[0].1 as usize]) {
            continue;
        }
        levels.clear();
        levels.extend(cluster.iter().map(|(_, row)| (codes[*row as usize], time[*row as usize].ln(), *row)));
        levels.sort_unstable_by_key(|level| level.0);
        let means: Vec<(u32, f64, u32)> = levels.chunk_by(|a, b| a.0 == b.0).map(mean).collect();
        let mut logs: Vec<f64> = means.iter().map(|mean| mean.1).collect();
        let centre = median(&mut logs).unwrap_or_default();
        let range = logs.iter().copied().fold(f64::MIN, f64::max) - logs.iter().copied().fold(f64::MAX, f64::min);
        let number = u32::try_from(spreads.len()).expect("fewer clusters than rows");
        shifts.extend(means.iter().map(|(level, log, row)| Shift {
            log: log - centre,
            level: *level,
            row: *row,
            cluster: number,
        }));
        spreads.push(range / expected_range(means.len()));
    }
    (shifts, spreads)
}

#[allow(clippy::cast_precision_loss)] // few rows per cluster
fn mean(rows: &[(u32, f64, u32)]) -> (u32, f64, u32) {
    (rows[0].0, rows.iter().map(|row| row.1).sum::<f64>() / rows.len() as f64, rows[0].2)
}

/// Expected range of so many normal deviates in standard deviations (d₂ of control charts; Tippett 1925).
pub(super) fn expected_range(count: usize) -> f64 {
    const D2: [f64; 11] = [1.0, 1.0, 1.128, 1.693, 2.059, 2.326, 2.534, 2.704, 2.847, 2.970, 3.078];
    D2.get(count).copied().unwrap_or(3.3)
}

/// The largest median shift of one value within groups of clusters; `None` where one is above [`SHIFT`] and consistent.
fn largest(shifts: &[Shift], group: impl Fn(&Shift) -> u32, certain: f64) -> Option<f64> {
    let mut sorted: Vec<(u64, f64)> =
        shifts.iter().map(|shift| ((u64::from(group(shift)) << 32) | u64::from(shift.level), shift.log)).collect();
    sorted.sort_unstable_by_key(|shift| shift.0);
    let mut largest = 0.0_f64;
    for group in sorted.chunk_by(|a, b| a.0 == b.0).filter(|group| group.len() >= CLUSTERS) {
        let mut logs: Vec<f64> = group.iter().map(|shift| shift.1).collect();
        let middle = median(&mut logs)?;
        if middle.abs() > SHIFT && signs(&logs) > certain {
            return None;
        }
        largest = largest.max(middle.abs());
    }
    Some(largest)
}

/// Standard deviations by which one sign outweighs the other; zeros say nothing.
#[allow(clippy::cast_precision_loss)] // fewer than 2^53 rows
fn signs(values: &[f64]) -> f64 {
    let above = values.iter().filter(|value| **value > 0.0).count() as f64;
    let below = values.iter().filter(|value| **value < 0.0).count() as f64;
    if above + below > 0.0 { (above - below).abs() / (above + below).sqrt() } else { 0.0 }
}

/// Whether the same value shifts clusters that differ only in `column` in unrelated directions, as noise does and an effect does not.
/// `None` where there are too few such pairs to say.
#[allow(clippy::cast_precision_loss)] // fewer than 2^53 rows
fn disagree(keys: &Keys<'_>, knob: usize, column: usize, shifts: &[Shift]) -> Option<bool> {
    let key = |shift: &Shift| keys.key(shift.row as usize, &[knob, column]);
    let mut sorted: Vec<(u64, u32, u32, f64)> =
        shifts.iter().map(|shift| (key(shift), shift.level, shift.cluster, shift.log)).collect();
    sorted.sort_unstable_by_key(|shift| (shift.0, shift.1, shift.2));
    let pairs: Vec<f64> = sorted
        .chunk_by(|a, b| (a.0, a.1) == (b.0, b.1))
        .flat_map(|group| group.chunks_exact(2).map(|pair| pair[0].3 * pair[1].3))
        .collect();
    if pairs.len() < PAIRS {
        return None;
    }
    let (same, other) =
        (pairs.iter().filter(|pair| **pair > 0.0).count() as f64, pairs.iter().filter(|pair| **pair < 0.0).count() as f64);
    Some((same - other) / (same + other).max(1.0).sqrt() < CERTAIN.1)
}

/// Rows in clusters where the knob takes at least two values.
fn members(keys: &Keys<'_>, knob: usize, rows: &[usize]) -> usize {
    let codes = &keys.columns[knob].codes.of;
    let sorted = keys.sorted(rows, &[knob]);
    let varied = |cluster: &&[(u64, u32)]| cluster.iter().any(|(_, row)| codes[*row as usize] != codes[cluster[0].1 as usize]);
    clusters(&sorted).filter(varied).map(<[_]>::len).sum()
}
