//! Counts over the rows of an import: failures and warnings, as lines for the user.

use std::collections::BTreeMap;

use polars::prelude::DataFrame;

use crate::frame::{FrameError, texts};
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
        for status in texts(frame, col::status)?.into_iter().flatten() {
            count(&mut self.by_status, &status);
        }
        let warned = frame.column(col::warnings)?;
        if warned.null_count() < warned.len() {
            for warnings in texts(frame, col::warnings)?.into_iter().flatten() {
                warnings.split(',').for_each(|warning| count(&mut self.warnings, warning));
            }
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

fn count(counts: &mut BTreeMap<String, usize>, name: &str) {
    match counts.get_mut(name) {
        Some(count) => *count += 1,
        None => {
            counts.insert(name.to_owned(), 1);
        }
    }
}
