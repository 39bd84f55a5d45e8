//! Counts over the rows of an import: failures and warnings, as lines for the user.

use std::collections::BTreeMap;

use polars::prelude::DataFrame;

use crate::frame::FrameError;
use crate::schema::col;

/// Rows by status and by warning.
#[derive(Clone, Debug, Default)]
pub(super) struct Tally {
    pub(super) rows: usize,
    pub(super) by_status: BTreeMap<String, usize>,
    warnings: BTreeMap<String, usize>,
}

impl Tally {
    /// Adds the rows of a frame.
    pub(super) fn take(&mut self, frame: &DataFrame) -> Result<(), FrameError> {
        self.rows += frame.height();
        for (status, rows) in counts(frame, col::status)? {
            count(&mut self.by_status, status, rows);
        }
        for (warnings, rows) in counts(frame, col::warnings)? {
            warnings.split(',').for_each(|warning| count(&mut self.warnings, warning, rows));
        }
        Ok(())
    }

    /// One line per warning identifier and per failure status, with its number of rows.
    pub(super) fn lines(&self) -> Vec<String> {
        let failed = self.by_status.iter().filter(|(status, _)| *status != "ok");
        let counts = self.warnings.iter().chain(failed);
        counts.map(|(name, count)| format!("{name}: {count} of {} rows", self.rows)).collect()
    }
}

/// Rows by text of a column. There are few texts, mostly in long runs: only the end of a run is looked up.
fn counts<'f>(frame: &'f DataFrame, name: &str) -> Result<BTreeMap<&'f str, usize>, FrameError> {
    let mut counts = BTreeMap::new();
    let column = frame.column(name)?;
    if column.null_count() == column.len() {
        return Ok(counts);
    }
    let (mut last, mut run) = (None, 0);
    let mut end = |text: Option<&'f str>, run| {
        if let Some(text) = text {
            *counts.entry(text).or_default() += run;
        }
    };
    for text in column.str()?.iter() {
        if text != last {
            end(last, run);
            (last, run) = (text, 0);
        }
        run += 1;
    }
    end(last, run);
    Ok(counts)
}

fn count(counts: &mut BTreeMap<String, usize>, name: &str, rows: usize) {
    *counts.entry(name.to_owned()).or_default() += rows;
}
