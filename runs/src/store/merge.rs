//! Rows of several stores in one, each once.

use std::collections::{BTreeMap, HashSet};

use polars::prelude::*;
use serde::Serialize;

use super::read::KEY;
use super::{Read, Store, StoreError};
use crate::frame::{self, FrameError};
use crate::schema::col;

/// What merging a store brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Merged {
    /// Rows it held.
    pub rows: usize,
    /// Rows that the target lacked and now has.
    pub added: usize,
    /// Rows that the target had already.
    pub duplicates: usize,
    /// Runs that were written.
    pub runs: usize,
}

/// The measurement that a row is, over stores: those of one run that agree in everything that tells points apart.
type Key = Vec<Option<String>>;

/// Adds to `target` what `from` holds and it lacks. Repeats within `from` stay repeats.
pub(super) fn merge(target: &Store, from: &Store) -> Result<Merged, StoreError> {
    let theirs = from.read(Read::default())?.frame;
    let ours = target.read(Read::default())?.frame;
    let known: HashSet<Key> = keys(&ours)?.into_iter().collect();
    let keys = keys(&theirs)?;
    let mut by_run: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    let mut merged = Merged { rows: theirs.height(), ..Merged::default() };
    for (row, key) in keys.iter().enumerate() {
        if known.contains(key) {
            merged.duplicates += 1;
        } else {
            by_run.entry(key[0].clone().unwrap_or_default()).or_default().push(row);
        }
    }
    let our_runs = frame::texts(&ours, col::run_id)?;
    for (run, rows) in by_run {
        // A file holds all that a store has of a run on a device and family: what the target has already goes with it.
        let held: Vec<usize> = (0..ours.height()).filter(|row| our_runs[*row].as_deref() == Some(run.as_str())).collect();
        let new = take(&theirs, &rows)?;
        let held = held_beside(&take(&ours, &held)?, &new)?;
        target.write(&frame::concat(&[held, new])?, &run)?;
        merged.added += rows.len();
        merged.runs += 1;
    }
    Ok(merged)
}

/// The rows of `held` in partitions that `new` is going to rewrite.
fn held_beside(held: &DataFrame, new: &DataFrame) -> Result<DataFrame, FrameError> {
    let partitions = |frame: &DataFrame| -> Result<Vec<[Option<String>; 2]>, FrameError> {
        let (devices, families) = (frame::texts(frame, col::device)?, frame::texts(frame, col::family)?);
        Ok(devices.into_iter().zip(families).map(|(device, family)| [device, family]).collect())
    };
    let rewritten: HashSet<_> = partitions(new)?.into_iter().collect();
    let rows: Vec<usize> = partitions(held)?
        .iter()
        .enumerate()
        .filter(|(_, partition)| rewritten.contains(*partition))
        .map(|(row, _)| row)
        .collect();
    take(held, &rows)
}

fn keys(frame: &DataFrame) -> Result<Vec<Key>, FrameError> {
    let columns = KEY.iter().map(|name| frame::texts(frame, name)).collect::<Result<Vec<_>, _>>()?;
    Ok((0..frame.height()).map(|row| columns.iter().map(|column| column[row].clone()).collect()).collect())
}

fn take(frame: &DataFrame, rows: &[usize]) -> Result<DataFrame, FrameError> {
    let index = |row: &usize| IdxSize::try_from(*row).expect("a frame has fewer rows than its own index type counts");
    Ok(frame.take(&IdxCa::from_vec("rows".into(), rows.iter().map(index).collect()))?)
}
