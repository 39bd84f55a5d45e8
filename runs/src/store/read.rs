//! Reading all of a store: sealed Parquet files and what open journals hold so far.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::{self, Read as _, Seek};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use polars::prelude::*;

use super::compact::{Seen, ranked};
use super::migrate::{self, OURS};
use super::{Contents, DEPTH, Faults, Journals, Read, Store, StoreError, failed};
use crate::claims;
use crate::frame;
use crate::journal::{self, JournalError};
use crate::row::Row;
use crate::schema::col;

/// Times a store is read anew where a file goes away between listing and opening, as a compaction beside us makes it.
const ATTEMPTS: usize = 4;

pub(super) fn read(store: &Store, how: Read) -> Result<Contents, StoreError> {
    for _ in 1..ATTEMPTS {
        match read_once(store, how) {
            Err(StoreError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
            done => return done,
        }
    }
    read_once(store, how)
}

/// Journals are read before Parquet: what is sealed in between is then in both and left out once, instead of in neither.
fn read_once(store: &Store, how: Read) -> Result<Contents, StoreError> {
    let mut gathered = Gathered { how, frames: Vec::new(), warnings: Vec::new() };
    let open = match how.journals {
        Journals::Include => gathered.journal_rows(store)?,
        Journals::Leave => Vec::new(),
    };
    let mut paths = Vec::new();
    walk(store.root(), DEPTH, &mut paths)?;
    let mut seen = Seen::default();
    for path in by_folder(paths) {
        let part = read_file(&path).and_then(|part| Ok(Contents { frame: seen.rest(&path, part.frame)?, ..part }));
        gathered.take(part)?;
    }
    let open = gathered.not_sealed(open)?;
    if !open.is_empty() {
        gathered.frames.push(frame::from_rows(&open)?);
    }
    Ok(Contents { frame: frame::concat(&gathered.frames)?, warnings: gathered.warnings })
}

/// Folder by folder, each in the order in which its files count.
fn by_folder(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    paths.sort_by(|a, b| a.parent().cmp(&b.parent()));
    paths.chunk_by(|a, b| a.parent() == b.parent()).flat_map(|folder| ranked(folder.to_vec())).collect()
}

struct Gathered {
    how: Read,
    frames: Vec<DataFrame>,
    warnings: Vec<String>,
}

impl Gathered {
    fn take(&mut self, part: Result<Contents, StoreError>) -> Result<(), StoreError> {
        match part {
            Ok(part) => {
                self.warnings.extend(part.warnings);
                self.frames.push(part.frame);
            }
            Err(error) if self.how.faults == Faults::Warn && !gone(&error) => self.warnings.push(error.to_string()),
            Err(error) => return Err(error),
        }
        Ok(())
    }

    /// Results of open journals.
    fn journal_rows(&mut self, store: &Store) -> Result<Vec<Row>, StoreError> {
        let mut rows = Vec::new();
        for path in journal::list(&store.journal_folder())? {
            match journal::read(&path) {
                Ok(Some(recovered)) => rows.extend(recovered.results),
                Ok(None) => self.warnings.push(format!("journal `{}`: no complete line, nothing read", path.display())),
                // Sealed since it was listed: its rows are in Parquet by now.
                Err(JournalError::Io { source, .. }) if source.kind() == io::ErrorKind::NotFound => {}
                Err(error) => self.take(Err(error.into()))?,
            }
        }
        Ok(last_of_each(rows))
    }

    /// Without the rows that a crash between writing Parquet and moving the journal left in both.
    fn not_sealed(&self, rows: Vec<Row>) -> Result<Vec<Row>, StoreError> {
        let sealed = self.sealed_keys(&rows)?;
        Ok(rows.into_iter().filter(|row| !sealed.contains(&key(row))).collect())
    }

    /// Keys of sealed rows of runs that are also in `rows`.
    fn sealed_keys(&self, rows: &[Row]) -> Result<HashSet<Vec<Option<String>>>, StoreError> {
        let runs: HashSet<&str> = rows.iter().filter_map(|row| row.text(col::run_id)).collect();
        let mut keys = HashSet::new();
        for part in &self.frames {
            let columns = KEY.iter().map(|name| frame::texts(part, name)).collect::<Result<Vec<_>, _>>()?;
            for row in 0..part.height() {
                if columns[0][row].as_deref().is_some_and(|run| runs.contains(run)) {
                    keys.insert(columns.iter().map(|column| column[row].clone()).collect());
                }
            }
        }
        Ok(keys)
    }
}

/// A file that is not there any more: not a damaged one.
fn gone(error: &StoreError) -> bool {
    matches!(error, StoreError::Io { source, .. } if source.kind() == io::ErrorKind::NotFound)
}

/// What makes two rows of one run the same measurement; the run stands first.
pub(super) const KEY: [&str; 7] =
    [col::run_id, col::experiment_id, col::problem_id, col::config_id, col::role, col::baseline_of, col::cache_mode];

fn key(row: &Row) -> Vec<Option<String>> {
    KEY.iter().map(|name| row.text(name).map(str::to_owned)).collect()
}

/// A point measured again after a crash is in the journal twice: the later one counts. Order of first appearance is kept.
pub(super) fn last_of_each(rows: Vec<Row>) -> Vec<Row> {
    let mut places: HashMap<Vec<Option<String>>, usize> = HashMap::new();
    let mut kept: Vec<Row> = Vec::with_capacity(rows.len());
    for row in rows {
        match places.entry(key(&row)) {
            std::collections::hash_map::Entry::Occupied(place) => kept[*place.get()] = row,
            std::collections::hash_map::Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(row);
            }
        }
    }
    kept
}

/// Parquet files below `folder`; names with a leading dot are being written.
pub(super) fn walk(folder: &Path, depth: usize, paths: &mut Vec<PathBuf>) -> Result<(), StoreError> {
    for entry in fs::read_dir(folder).map_err(failed("list the folder", folder))? {
        let entry = entry.map_err(failed("list the folder", folder))?;
        let path = entry.path();
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        if path.is_dir() {
            if depth > 0 && !path.ends_with("journal") {
                walk(&path, depth - 1, paths)?;
            }
        } else if path.extension().is_some_and(|extension| extension == "parquet") {
            paths.push(path);
        }
    }
    Ok(())
}

pub(super) fn read_file(path: &Path) -> Result<Contents, StoreError> {
    let current = migrate::to_current(path, read_columns(path, None)?, OURS)?;
    let warnings =
        current.dropped.iter().map(|name| format!("store file `{}`: column `{name}` is not known, left out", path.display()));
    Ok(Contents { warnings: warnings.collect(), frame: current.frame })
}

/// A file as it is, of whatever version; all columns or those named.
pub(super) fn read_columns(path: &Path, names: Option<Vec<String>>) -> Result<DataFrame, StoreError> {
    let mut file = File::open(path).map_err(failed("open the file", path))?;
    let corrupt = |why: String| StoreError::Corrupt { path: path.to_owned(), why };
    check_ends(&mut file).map_err(failed("read the file", path))?.map_err(corrupt)?;
    // Damage between intact ends reaches code that was not written for it: a panic there is this file's fault, not ours.
    catch_unwind(AssertUnwindSafe(|| decode(file, names)))
        .map_err(|_| corrupt("is damaged inside".to_owned()))?
        .map_err(|error| corrupt(format!("is no readable parquet: {error}")))
}

/// Footer and page headers first: the decoder takes them on trust.
fn decode(mut file: File, names: Option<Vec<String>>) -> PolarsResult<DataFrame> {
    let wrong = |why: String| polars_err!(ComputeError: "{why}");
    let headers = file.try_clone()?;
    claims::check_footer(&headers).map_err(wrong)?;
    file.rewind()?;
    let mut reader = ParquetReader::new(file);
    let metadata = reader.get_metadata()?.clone();
    claims::check_pages(headers, &metadata, 0..metadata.row_groups.len()).map_err(wrong)?;
    let frame = reader.with_columns(names).finish()?;
    let whole = frame.columns().iter().all(|column| column.len() == frame.height());
    if whole { Ok(frame) } else { Err(polars_err!(ComputeError: "its columns differ in length")) }
}

/// A Parquet file begins and ends with `PAR1`, with the footer's length before the end: enough to tell a cut file.
fn check_ends(file: &mut File) -> io::Result<Result<(), String>> {
    let length = file.metadata()?.len();
    if length < 12 {
        return Ok(Err(format!("is cut: {length} bytes, a parquet file has at least 12")));
    }
    let mut head = [0u8; 4];
    file.read_exact(&mut head)?;
    let footer = claims::footer(file)?;
    file.rewind()?;
    Ok(match (&head, footer) {
        (b"PAR1", Some(_)) => Ok(()),
        (b"PAR1", None) => Err(format!("is cut: {length} bytes without a parquet footer")),
        _ => Err("is no parquet file".to_owned()),
    })
}
