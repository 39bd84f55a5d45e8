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
mod texts;
mod unit;

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
        let mut import = Import { builder, tally: Tally::default(), source, sink };
        while let Some(columns) = table.batch(BATCH_ROWS)? {
            import.take(&columns)?;
        }
        import.report(table.cut())
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
    let mut import = Import { builder, tally: Tally::default(), source, sink };
    while let Some(columns) = table.batch(BATCH_ROWS)? {
        import.take(&columns)?;
    }
    import.report(None)
}

struct Import<'a, 'b> {
    builder: Builder<'a>,
    tally: Tally,
    source: &'a Source<'a>,
    sink: &'a mut Sink<'b>,
}

impl Import<'_, '_> {
    fn take(&mut self, columns: &[Column]) -> Result<(), ImportError> {
        let frame = self.builder.frame(columns).map_err(|error| in_file(self.source, error))?;
        self.tally.take(&frame).map_err(|error| in_file(self.source, error))?;
        (self.sink)(&frame, self.builder.run_id())?;
        Ok(())
    }

    fn report(self, cut: Option<String>) -> Result<Report, ImportError> {
        if self.tally.rows == 0 {
            return Err(self.source.wrong(self.builder.format(), "the table has no rows"));
        }
        let run_id = self.builder.run_id().to_owned();
        let mut warnings = self.builder.warnings();
        warnings.extend(self.tally.lines());
        Ok(Report { run_id, rows: self.tally.rows, by_status: self.tally.by_status, warnings, repaired: cut })
    }
}
