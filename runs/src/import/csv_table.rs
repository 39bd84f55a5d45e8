//! CSV as text cells, record by record, within bounds whatever the file holds.

use std::cell::Cell;
use std::io::{self, Read};
use std::rc::Rc;

use csv::StringRecord;
use polars::prelude::*;

use super::ImportError;
use super::source::{LongRecord, Source};

/// Bytes of a record, above which a file is no table: a quote that is never closed would gather all of the file in memory.
pub(super) const LONGEST_RECORD: u64 = 1 << 20;
/// Bytes that the parser holds at once.
const BUFFER: usize = 1 << 16;
/// Columns, above which a file is no table of results.
const MOST_COLUMNS: usize = 4096;
/// Text bytes of a batch, at which it is given even if it has few rows.
pub(super) const BATCH_BYTES: usize = 64 << 20;

/// Whether two columns may have the same name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Headers {
    /// Refused: a cell must not be read under the wrong name.
    Unique,
    /// Allowed, for formats that tell them apart by position.
    Repeated,
}

/// Stops a record that does not end, and remembers the last byte.
struct Guard<'r> {
    inner: &'r mut dyn Read,
    left: Rc<Cell<u64>>,
    last: Rc<Cell<u8>>,
}

impl Read for Guard<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let length = self.inner.read(buffer)?;
        if let Some(last) = length.checked_sub(1).and_then(|at| buffer.get(at)) {
            self.last.set(*last);
        }
        let left = self.left.get().checked_sub(length as u64);
        self.left.set(left.ok_or_else(|| io::Error::other(LongRecord { limit: LONGEST_RECORD }))?);
        Ok(length)
    }
}

/// A table being read.
pub(super) struct CsvTable<'s, 'r> {
    source: &'s Source<'s>,
    reader: csv::Reader<Guard<'r>>,
    left: Rc<Cell<u64>>,
    last: Rc<Cell<u8>>,
    header: Vec<String>,
    record: StringRecord,
    /// Line and cells of a last row that was cut.
    cut: Option<(u64, usize)>,
}

impl<'s, 'r> CsvTable<'s, 'r> {
    /// Reads the header. A column without a name is called `column_N`, from 1: data frames write their index so.
    pub(super) fn new(
        source: &'s Source<'s>,
        format: &str,
        reader: &'r mut dyn Read,
        delimiter: u8,
        headers: Headers,
    ) -> Result<Self, ImportError> {
        let left = Rc::new(Cell::new(LONGEST_RECORD + BUFFER as u64));
        let last = Rc::new(Cell::new(b'\n'));
        let guard = Guard { inner: reader, left: Rc::clone(&left), last: Rc::clone(&last) };
        let mut builder = csv::ReaderBuilder::new();
        let reader = builder.has_headers(false).flexible(true).delimiter(delimiter).buffer_capacity(BUFFER).from_reader(guard);
        let mut table = Self { source, reader, left, last, header: Vec::new(), record: StringRecord::new(), cut: None };
        if !table.read()? {
            return Err(ImportError::Empty { path: source.path.clone() });
        }
        if table.record.len() > MOST_COLUMNS {
            return Err(source.wrong(format, format!("the header has {} columns, at most {MOST_COLUMNS}", table.record.len())));
        }
        let named = |(at, name): (usize, &str)| match name.trim() {
            "" => format!("column_{}", at + 1),
            name => name.to_owned(),
        };
        table.header = table.record.iter().enumerate().map(named).collect();
        let twice = table.header.iter().enumerate().find(|(at, name)| table.header[..*at].contains(name));
        if let (Headers::Unique, Some((_, name))) = (headers, twice) {
            return Err(source.wrong(format, format!("the header names column `{name}` twice")));
        }
        Ok(table)
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// What was left out at the end, if anything.
    pub(super) fn cut(&self) -> Option<String> {
        let (line, cells) = self.cut?;
        Some(format!("line `{line}` is cut after {cells} of {} cells: left out", self.header.len()))
    }

    /// At the end: whether the last row, taken as whole, may have been cut within its last cell. Many sound files end so.
    pub(super) fn doubt(&self) -> Option<String> {
        let open = self.cut.is_none() && !matches!(self.last.get(), b'\n' | b'\r');
        open.then(|| "the last line has no line end: if the file was cut, its last cell is short".to_owned())
    }

    fn read(&mut self) -> Result<bool, ImportError> {
        let read = self.reader.read_record(&mut self.record).map_err(|error| self.refused(error))?;
        self.left.set(LONGEST_RECORD + BUFFER as u64);
        Ok(read)
    }

    fn refused(&self, error: csv::Error) -> ImportError {
        let shown = error.to_string();
        match error.into_kind() {
            csv::ErrorKind::Io(error) => self.source.failed(error),
            csv::ErrorKind::Utf8 { pos, err } => {
                let line = pos.map_or(0, |position| position.line());
                self.source.encoding(format!("line `{line}`: {err}"))
            }
            _ => self.source.failed(io::Error::other(shown)),
        }
    }

    /// The next row, with a cell for each column. A short last row is left out: the file was cut.
    pub(super) fn row(&mut self) -> Result<Option<&StringRecord>, ImportError> {
        if self.cut.is_some() || !self.read()? {
            return Ok(None);
        }
        if self.record.len() == self.header.len() {
            return Ok(Some(&self.record));
        }
        let (line, found) = (self.record.position().map_or(0, csv::Position::line), self.record.len());
        if found < self.header.len() && !self.read()? {
            self.cut = Some((line, found));
            return Ok(None);
        }
        Err(ImportError::Ragged { path: self.source.path.clone(), line, found, expected: self.header.len() })
    }

    /// The next rows as text columns, at most `rows`. `None` at the end.
    pub(super) fn batch(&mut self, rows: usize) -> Result<Option<Vec<Column>>, ImportError> {
        let builder = |name: &String| StringChunkedBuilder::new(name.as_str().into(), rows.min(1 << 14));
        let mut columns: Vec<StringChunkedBuilder> = self.header.iter().map(builder).collect();
        let (mut height, mut bytes) = (0, 0);
        while height < rows && bytes < BATCH_BYTES {
            let Some(record) = self.row()? else { break };
            bytes += record.as_slice().len();
            columns.iter_mut().zip(record.iter()).for_each(|(column, cell)| column.append_value(cell));
            height += 1;
        }
        if height == 0 {
            return Ok(None);
        }
        Ok(Some(columns.into_iter().map(|column| column.finish().into_column()).collect()))
    }
}
