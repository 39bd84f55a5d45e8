//! Tables through a mapping: CSV or Parquet in batches, column by column.

mod assembled;
mod batch;
mod cells;
mod devices;
mod energy;
mod instant;
mod kernel;
mod launches;
mod mapping;
mod outcome;
mod parquet;
mod pieces;
mod texts;
mod unit;

use std::panic::resume_unwind;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use polars::prelude::*;

use self::batch::Builder;
use self::parquet::ParquetTable;
use super::csv_table::{CsvTable, Headers};
use super::source::Source;
use super::tally::Tally;
use super::{Format, ImportError, Options, Report, Sink, in_file};

pub use mapping::Mapping;

/// Rows of a batch: some 100 MB with identifiers and texts.
const BATCH_ROWS: usize = 1 << 17;

/// Imports a table.
pub(super) fn import(format: Format, source: &Source<'_>, options: &Options, sink: &mut Sink<'_>) -> Result<Report, ImportError> {
    match format {
        Format::Gpperf => first_that_fits(&["gpperf", "gpperf-tiled-time", "gpperf-tiled-power"], format, source, options, sink),
        Format::UciSgemm => first_that_fits(&["uci-sgemm"], format, source, options, sink),
        _ => {
            let mapping = options.mapping.as_ref().ok_or_else(|| ImportError::Mapping {
                mapping: "table".to_owned(),
                why: "a table needs a mapping of its columns".to_owned(),
                hint: Some(format!("give `--mapping FILE`, or one of the ready ones: {}", Mapping::ready_names().join(", "))),
            })?;
            through(mapping, None, source, options, sink)
        }
    }
}

/// Formats whose files come in several kinds: the header decides.
fn first_that_fits(
    names: &[&str],
    format: Format,
    source: &Source<'_>,
    options: &Options,
    sink: &mut Sink<'_>,
) -> Result<Report, ImportError> {
    let mut refused = None;
    for name in names {
        let mapping = Mapping::ready(name).expect("the ready mappings are part of the program and tested");
        match through(&mapping, Some(format), source, options, sink) {
            Err(error @ ImportError::WrongKind { .. }) => refused = Some(refused.unwrap_or(error)),
            other => return other,
        }
    }
    Err(refused.expect("at least one name"))
}

/// A wrong header is refused before the sink is given anything.
fn through(
    mapping: &Mapping,
    format: Option<Format>,
    source: &Source<'_>,
    options: &Options,
    sink: &mut Sink<'_>,
) -> Result<Report, ImportError> {
    let format = format.map_or_else(|| mapping.name.clone(), |format| format.name().to_owned());
    if source.is_parquet()? {
        return from_parquet(mapping, &format, source, options, sink);
    }
    source.stream(".csv", |reader| {
        let mut table = CsvTable::new(source, &format, reader, mapping.delimiter, Headers::Unique)?;
        let builder = Builder::new(mapping, &format, source, options, table.header())?;
        let mut import = Import { builder, tally: Tally::default(), source };
        import.pass(&mut || table.batch(BATCH_ROWS), sink)?;
        import.report(table.cut(), table.doubt())
    })
}

fn from_parquet(
    mapping: &Mapping,
    format: &str,
    source: &Source<'_>,
    options: &Options,
    sink: &mut Sink<'_>,
) -> Result<Report, ImportError> {
    let mut table = ParquetTable::open(source)?;
    let builder = Builder::new(mapping, format, source, options, table.header())?;
    let mut import = Import { builder, tally: Tally::default(), source };
    import.pass(&mut || table.batch(BATCH_ROWS), sink)?;
    import.report(None, None)
}

/// Gives the next batch of source columns; none at the end.
type Next<'a> = dyn FnMut() -> Result<Option<Vec<Column>>, ImportError> + 'a;

struct Import<'a> {
    builder: Builder<'a>,
    tally: Tally,
    source: &'a Source<'a>,
}

impl Import<'_> {
    /// All batches to the sink. It works on a thread of its own and is handed one frame at a time: writing costs as much as making, and
    /// two frames are all that is ever held.
    fn pass(&mut self, next: &mut Next<'_>, sink: &mut Sink<'_>) -> Result<(), ImportError> {
        let run_id = self.builder.run_id().to_owned();
        thread::scope(|scope| {
            let (hand, frames) = sync_channel::<DataFrame>(0);
            let taker = scope.spawn(move || frames.iter().try_for_each(|frame| sink(&frame, &run_id)));
            let made = self.make(next, &hand);
            drop(hand);
            taker.join().unwrap_or_else(|panic| resume_unwind(panic))?;
            made
        })
    }

    fn make(&mut self, next: &mut Next<'_>, hand: &SyncSender<DataFrame>) -> Result<(), ImportError> {
        while let Some(columns) = next()? {
            let frame = self.builder.frame(&columns).map_err(|error| in_file(self.source, error))?;
            self.tally.take(&frame).map_err(|error| in_file(self.source, error))?;
            if hand.send(frame).is_err() {
                // The sink gave up: it says why.
                break;
            }
        }
        Ok(())
    }

    fn report(self, cut: Option<String>, doubt: Option<String>) -> Result<Report, ImportError> {
        if self.tally.rows == 0 {
            return Err(self.source.wrong(self.builder.format(), "the table has no rows"));
        }
        let run_id = self.builder.run_id().to_owned();
        let mut warnings = self.builder.warnings();
        warnings.extend(doubt);
        warnings.extend(self.tally.lines());
        Ok(Report { run_id, rows: self.tally.rows, by_status: self.tally.by_status, warnings, repaired: cut })
    }
}
