//! Parquet in slices, one row group at a time.

use std::fs::File;
use std::io::Cursor;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use polars::io::mmap::MmapBytesReader;
use polars::io::parquet::metadata::FileMetadataRef;
use polars::prelude::*;

use crate::import::ImportError;
use crate::import::source::{Seekable, Source};
use crate::pages;

/// A table being read. Only the slice in hand is decoded.
pub(super) struct ParquetTable<'s> {
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
        let read = |reader: ParquetReader<Box<dyn MmapBytesReader>>| {
            let mut reader = reader;
            let metadata = reader.get_metadata()?.clone();
            let header = reader.schema()?.iter_names().map(ToString::to_string).collect();
            Ok((metadata, header))
        };
        let (metadata, header) = guarded(source, || read(ParquetReader::new(handle(&file)?)))?;
        Ok(Self { source, file, metadata, header, group: 0, row: 0 })
    }

    pub(super) fn header(&self) -> &[String] {
        &self.header
    }

    /// The next rows, at most `rows`, none across row groups. `None` at the end.
    pub(super) fn batch(&mut self, rows: usize) -> Result<Option<Vec<Column>>, ImportError> {
        while let Some(group) = self.metadata.row_groups.get(self.group) {
            let height = group.num_rows();
            if self.row >= height {
                (self.group, self.row) = (self.group + 1, 0);
                continue;
            }
            if self.row == 0 {
                self.check_pages()?;
            }
            let slice = (self.row, rows.min(height - self.row));
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
            return Ok(Some(frame.columns().to_vec()));
        }
        Ok(None)
    }

    /// Refuses what the decoder would take on trust.
    fn check_pages(&self) -> Result<(), ImportError> {
        let file = handle(&self.file).map_err(|error| bad(self.source, error.to_string()))?;
        pages::check(file, &self.metadata, self.group..self.group + 1).map_err(|why| bad(self.source, why))
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
