//! Tables with the columns of the schema: Parquet, CSV, lines of JSON.

use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use polars::prelude::*;

use super::ExportError;
use crate::frame::{self, FrameError};

/// Rows that are turned to text at once.
const PIECE: usize = 1 << 14;

pub(super) fn parquet(frame: &DataFrame, out: &Path) -> Result<Vec<PathBuf>, ExportError> {
    let mut frame = frame.clone();
    written(out, |file| {
        let writer = ParquetWriter::new(file).with_compression(ParquetCompression::Zstd(None));
        writer.finish(&mut frame).map(|_| ()).map_err(|error| io::Error::other(error.to_string()))
    })
}

/// CSV has no lists: samples are JSON lists between quotes.
pub(super) fn csv(frame: &DataFrame, out: &Path) -> Result<Vec<PathBuf>, ExportError> {
    let mut flat = frame.clone();
    for name in frame.get_column_names_owned() {
        if let DataType::List(_) = frame.column(&name).map_err(FrameError::from)?.dtype() {
            let shown = frame::lists(frame, &name)?.into_iter().map(|list| list.map(|values| format!("{values:?}")));
            let column = StringChunked::from_iter_options(name, shown).into_column();
            flat.with_column(column).map_err(FrameError::from)?;
        }
    }
    written(out, |file| CsvWriter::new(file).finish(&mut flat).map_err(|error| io::Error::other(error.to_string())))
}

pub(super) fn ndjson(frame: &DataFrame, out: &Path) -> Result<Vec<PathBuf>, ExportError> {
    let mut pieces = Vec::new();
    for start in (0..frame.height()).step_by(PIECE) {
        pieces.push(frame.slice(i64::try_from(start).unwrap_or(i64::MAX), PIECE));
    }
    written(out, |file| {
        for piece in &pieces {
            let rows = frame::to_rows(piece).map_err(|error| io::Error::other(error.to_string()))?;
            for row in rows {
                serde_json::to_writer(&mut *file, &row)?;
                file.write_all(b"\n")?;
            }
        }
        Ok(())
    })
}

/// The text of a file.
pub(super) fn text(out: &Path, text: &str) -> Result<PathBuf, ExportError> {
    written(out, |file| file.write_all(text.as_bytes()))?;
    Ok(out.to_owned())
}

/// Whole or not there: under a temporary name first, then renamed.
pub(super) fn written(
    out: &Path,
    fill: impl FnOnce(&mut BufWriter<File>) -> io::Result<()>,
) -> Result<Vec<PathBuf>, ExportError> {
    let failed = |source| ExportError::Io { path: out.to_owned(), source };
    let mut name = out.file_name().unwrap_or_default().to_os_string();
    name.push(".part");
    let temporary = out.with_file_name(name);
    let write = || {
        if let Some(folder) = out.parent().filter(|folder| !folder.as_os_str().is_empty()) {
            fs::create_dir_all(folder)?;
        }
        let mut file = BufWriter::new(File::create(&temporary)?);
        fill(&mut file)?;
        file.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        fs::rename(&temporary, out)
    };
    write().map_err(|error| {
        // The error that led here is the one to show.
        let _ = fs::remove_file(&temporary);
        failed(error)
    })?;
    Ok(vec![out.to_owned()])
}
