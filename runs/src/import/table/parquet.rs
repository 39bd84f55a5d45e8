//! Parquet in slices, one row group at a time, each of bounded size: a text that is stored once may stand in every row.

use std::fs::File;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use polars::io::mmap::MmapBytesReader;
use polars::io::parquet::metadata::FileMetadataRef;
use polars::prelude::*;

use crate::claims;
use crate::import::ImportError;
use crate::import::csv_table::{BATCH_BYTES, LONGEST_RECORD};
use crate::import::source::{Seekable, Source};

/// A table being read. Only the slice in hand is decoded.
pub(super) struct ParquetTable<'s> {
    /// Rows decoded and not yet given.
    held: Option<DataFrame>,
    source: &'s Source<'s>,
    file: Seekable,
    metadata: FileMetadataRef,
    header: Vec<String>,
    group: usize,
    row: usize,
}

impl<'s> ParquetTable<'s> {
    /// Reads the footer.
    pub(super) fn open(source: &'s Source<'s>) -> Result<Self, ImportError> {
        let file = source.seekable()?;
        let footer = handle(&file).map_err(|error| bad(source, error.to_string()))?;
        claims::check_footer(footer).map_err(|why| bad(source, why))?;
        let read = |reader: ParquetReader<Box<dyn MmapBytesReader>>| {
            let mut reader = reader;
            let metadata = reader.get_metadata()?.clone();
            let header = reader.schema()?.iter_names().map(ToString::to_string).collect();
            Ok((metadata, header))
        };
        let (metadata, header) = guarded(source, || read(ParquetReader::new(handle(&file)?)))?;
        Ok(Self { held: None, source, file, metadata, header, group: 0, row: 0 })
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The next rows, at most `rows` and not much more than [`BATCH_BYTES`] of text, none across row groups. `None` at the end.
    pub(super) fn batch(&mut self, rows: usize) -> Result<Option<Vec<Column>>, ImportError> {
        if self.held.as_ref().is_none_or(|held| held.height() == 0) {
            self.held = self.slice(rows)?;
        }
        let Some(held) = self.held.take() else { return Ok(None) };
        let fits = self.fitting(&held)?;
        self.held = Some(held.slice(i64::try_from(fits).unwrap_or(i64::MAX), held.height() - fits));
        Ok(Some(held.head(Some(fits)).columns().to_vec()))
    }

    /// How many of the first rows are a batch: their texts are counted in full, however often one is stored.
    fn fitting(&self, frame: &DataFrame) -> Result<usize, ImportError> {
        let texts = frame.columns().iter().filter_map(|column| column.str().ok());
        let mut lengths = vec![0; frame.height()];
        for text in texts {
            for (length, cell) in lengths.iter_mut().zip(text.iter()) {
                *length += cell.map_or(0, str::len);
            }
        }
        let mut bytes = 0;
        for (row, length) in lengths.into_iter().enumerate() {
            if length as u64 > LONGEST_RECORD {
                return Err(ImportError::LongRecord { path: self.source.path.clone(), limit: LONGEST_RECORD });
            }
            bytes += length;
            if bytes > BATCH_BYTES {
                return Ok(row.max(1));
            }
        }
        Ok(frame.height())
    }

    /// The next rows as they are stored.
    fn slice(&mut self, rows: usize) -> Result<Option<DataFrame>, ImportError> {
        while let Some(group) = self.metadata.row_groups.get(self.group) {
            let height = group.num_rows();
            if self.row >= height {
                (self.group, self.row) = (self.group + 1, 0);
                continue;
            }
            if self.row == 0 {
                self.check_pages()?;
            }
            // What is stored in full is decoded in full: of wide rows fewer are taken.
            let most = (BATCH_BYTES / (group.total_byte_size() / height).max(1)).max(1);
            let slice = (self.row, rows.min(most).min(height - self.row));
            let mut metadata = (*self.metadata).clone();
            metadata.num_rows = height;
            metadata.row_groups = vec![group.clone()];
            let frame = guarded(self.source, || {
                let mut reader = ParquetReader::new(handle(&self.file)?).read_parallel(ParallelStrategy::Columns);
                reader.set_metadata(Arc::new(metadata));
                reader.with_slice(Some(slice)).finish()
            })?;
            // A damaged page may give a column of its own length, which Polars takes into the frame.
            let lengths = frame.columns().iter().map(Column::len).chain([frame.height()]);
            if let Some(found) = lengths.into_iter().find(|length| *length != slice.1) {
                let why = format!("row group `{}` has {found} of {} rows", self.group, slice.1);
                return Err(bad(self.source, why));
            }
            self.row += slice.1;
            return Ok(Some(frame));
        }
        Ok(None)
    }

    /// Refuses what the decoder would take on trust.
    fn check_pages(&self) -> Result<(), ImportError> {
        let file = handle(&self.file).map_err(|error| bad(self.source, error.to_string()))?;
        claims::check_pages(file, &self.metadata, self.group..self.group + 1).map_err(|why| bad(self.source, why))
    }
}

fn handle(file: &Seekable) -> PolarsResult<Box<dyn MmapBytesReader>> {
    Ok(match file {
        Seekable::File(file) => Box::new(File::try_clone(file)?),
        Seekable::Bytes(bytes) => Box::new(Cursor::new(bytes.clone())),
    })
}

/// Damage reaches code that was not written for it: a panic there is the file's fault, not ours.
fn guarded<T>(source: &Source<'_>, read: impl FnOnce() -> PolarsResult<T>) -> Result<T, ImportError> {
    catch_unwind(AssertUnwindSafe(read))
        .map_err(|_| bad(source, "it is damaged inside".to_owned()))?
        .map_err(|error| bad(source, error.to_string()))
}

fn bad(source: &Source<'_>, why: String) -> ImportError {
    ImportError::BadParquet { path: source.path.clone(), why }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::import::Limits;

    /// A table of one text in all rows, which is stored once.
    fn repeated(length: usize, rows: usize) -> Vec<u8> {
        let text = "x".repeat(length);
        let texts = StringChunked::from_iter_values("note".into(), std::iter::repeat_n(text.as_str(), rows)).into_column();
        let mut frame = DataFrame::new(rows, vec![texts, Column::new("t".into(), vec![1.0; rows])]).expect("a frame");
        let mut bytes = Vec::new();
        ParquetWriter::new(&mut bytes).with_compression(ParquetCompression::Zstd(None)).finish(&mut frame).expect("written");
        bytes
    }

    #[test]
    fn a_batch_is_bounded_by_its_texts_however_small_the_file() {
        let (length, rows) = (20_000, 10_000);
        let bytes = repeated(length, rows);
        assert!(bytes.len() < 1 << 20, "{} bytes for 200 MB of text", bytes.len());
        let source = Source::bytes(Path::new("t.parquet"), &bytes, Limits::default()).expect("bytes");
        let mut table = ParquetTable::open(&source).expect("a table");
        let mut heights = Vec::new();
        while let Some(columns) = table.batch(1 << 17).expect("readable") {
            assert!(columns.iter().all(|column| column.len() == columns[0].len()));
            heights.push(columns[0].len());
        }
        assert!(heights.iter().all(|height| height * length <= BATCH_BYTES) && heights.len() > 2, "{heights:?}");
        assert_eq!(heights.iter().sum::<usize>(), rows);
    }

    #[test]
    fn a_cell_longer_than_a_record_is_refused() {
        let bytes = repeated((1 << 20) + 1, 1);
        let source = Source::bytes(Path::new("t.parquet"), &bytes, Limits::default()).expect("bytes");
        let error = ParquetTable::open(&source).and_then(|mut table| table.batch(10)).expect_err("too long");
        assert_eq!(error.to_string(), "file `t.parquet`: a record is longer than 1048576 bytes");
    }
}
