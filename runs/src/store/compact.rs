//! Many small files of a partition → one, and which file counts where two hold the same run.
//!
//! A partition is written anew as `compacted-NNNNNN.parquet`; the files it was made of are removed afterwards. A reader that finds both takes a run from its own file first,
//! then from the compaction with the higher number, so that a crash between the steps doubles nothing, and a run that is written again later replaces its compacted rows.
//! Runs with an open journal keep their own files: sealing writes them whole.

use std::collections::{BTreeMap, HashSet};
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use polars::prelude::*;
use serde::Serialize;

use super::read::{read_columns, read_file, walk};
use super::{DEPTH, Store, StoreError, failed, write};
use crate::frame::{self, FrameError};
use crate::journal::{self, sync_folder};
use crate::schema::col;

/// Begins the name of a file that holds many runs.
const COMPACTED: &str = "compacted-";

/// What a compaction did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Compaction {
    /// Partitions that had several files and now have one more compact one.
    pub partitions: usize,
    /// Files before, over all partitions.
    pub files_before: usize,
    /// Files after.
    pub files_after: usize,
    /// Rows in the files written.
    pub rows: usize,
    /// What was left as it was, and why.
    pub left: Vec<String>,
}

/// Number of a compacted file; `None` for a run's own.
fn generation(path: &Path) -> Option<u64> {
    path.file_stem()?.to_str()?.strip_prefix(COMPACTED)?.parse().ok()
}

/// Files of one folder in the order in which they count: runs' own, then compactions, the newest first.
pub(super) fn ranked(mut paths: Vec<PathBuf>) -> Vec<PathBuf> {
    // `None` sorts before `Some`.
    paths.sort_by_key(|path| (generation(path).map(std::cmp::Reverse), path.clone()));
    paths
}

/// Runs met in the files of one folder, in the order of [`ranked`].
#[derive(Default)]
pub(super) struct Seen {
    folder: PathBuf,
    /// Runs of files that count before this one.
    before: HashSet<String>,
    /// Runs of files that count as much as this one.
    beside: HashSet<String>,
    generation: Option<u64>,
}

impl Seen {
    /// The rows of `frame`, read from `path`, that no file counting before it holds.
    pub(super) fn rest(&mut self, path: &Path, frame: DataFrame) -> Result<DataFrame, FrameError> {
        let folder = path.parent().unwrap_or(Path::new(""));
        if folder != self.folder {
            *self = Self { folder: folder.to_owned(), ..Self::default() };
        }
        let generation = generation(path);
        if generation != self.generation {
            self.before.extend(std::mem::take(&mut self.beside));
            self.generation = generation;
        }
        let runs = frame.column(col::run_id)?.str()?.clone();
        self.beside.extend(runs.unique()?.iter().flatten().map(str::to_owned));
        if self.before.is_disjoint(&self.beside) {
            return Ok(frame);
        }
        let keep = runs.iter().map(|run| run.is_none_or(|run| !self.before.contains(run)));
        Ok(frame.filter(&BooleanChunked::from_iter_values("keep".into(), keep))?)
    }
}

/// Compacts every partition of `store` that has more than one file.
pub(super) fn compact(store: &Store) -> Result<Compaction, StoreError> {
    let mut paths = Vec::new();
    walk(store.root(), DEPTH, &mut paths)?;
    let mut folders: BTreeMap<PathBuf, Vec<PathBuf>> = BTreeMap::new();
    for path in paths {
        folders.entry(path.parent().map(Path::to_owned).unwrap_or_default()).or_default().push(path);
    }
    let open = open_runs(store)?;
    let mut done = Compaction::default();
    for (folder, paths) in folders {
        done.files_before += paths.len();
        let removed = partition(&folder, ranked(paths.clone()), &open, &mut done)?;
        done.files_after += paths.len() - removed + usize::from(removed > 0);
    }
    Ok(done)
}

/// Runs whose journal is not sealed.
fn open_runs(store: &Store) -> Result<HashSet<String>, StoreError> {
    let mut open = HashSet::new();
    for path in journal::list(&store.journal_folder())? {
        if let Some(recovered) = journal::read(&path)? {
            open.insert(recovered.header.run_id);
        }
    }
    Ok(open)
}

/// Number of files that were put together into one.
fn partition(folder: &Path, paths: Vec<PathBuf>, open: &HashSet<String>, done: &mut Compaction) -> Result<usize, StoreError> {
    let (mut frames, mut taken) = (Vec::new(), Vec::new());
    let mut seen = Seen::default();
    let number = paths.iter().filter_map(|path| generation(path)).max().map_or(1, |last| last + 1);
    for path in paths {
        let identity = Identity::of(&path)?;
        let contents = read_file(&path)?;
        if let Some(warning) = contents.warnings.first() {
            done.left.push(format!("`{}` left as it is: {warning}", folder.display()));
            return Ok(0);
        }
        let rest = seen.rest(&path, contents.frame)?;
        let runs = frame::texts(&rest, col::run_id)?;
        if let Some(run) = runs.iter().flatten().find(|run| open.contains(*run)) {
            done.left.push(format!("`{}` left as it is: run `{run}` is still open", path.display()));
            continue;
        }
        frames.push(rest);
        taken.push((path, identity));
    }
    if taken.len() < 2 {
        return Ok(0);
    }
    let mut all = frame::concat(&frames)?;
    write::write_file(folder, &format!("{COMPACTED}{number:06}"), &mut all)?;
    done.partitions += 1;
    done.rows += all.height();
    for (path, identity) in &taken {
        identity.remove(path, folder)?;
    }
    sync_folder(folder).map_err(failed("sync the folder", folder))?;
    Ok(taken.len())
}

/// Takes the rows of a run out of a compacted file; a file of a run's own is left alone. All columns stay, also those of newer programs.
pub(super) fn without(path: &Path, run_id: &str) -> Result<(), StoreError> {
    if generation(path).is_none() {
        return Ok(());
    }
    let runs = read_columns(path, Some(vec![col::run_id.to_owned()]))?;
    let keep: Vec<bool> = frame::texts(&runs, col::run_id)?.iter().map(|run| run.as_deref() != Some(run_id)).collect();
    if keep.iter().all(|keep| *keep) {
        return Ok(());
    }
    if !keep.contains(&true) {
        return fs::remove_file(path).map_err(failed("remove the file", path));
    }
    let keep = BooleanChunked::from_iter_values("keep".into(), keep.into_iter());
    let mut rest = read_columns(path, None)?.filter(&keep).map_err(FrameError::from)?;
    let (folder, name) = (path.parent().unwrap_or(Path::new("")), path.file_stem().unwrap_or_default().to_string_lossy());
    write::write_file(folder, &name, &mut rest).map(|_| ())
}

/// Tells whether a file is the one that was read.
struct Identity(u64, Option<std::time::SystemTime>, u64);

impl Identity {
    fn of(path: &Path) -> Result<Self, StoreError> {
        fs::metadata(path).map(|found| Self::from(&found)).map_err(failed("look at the file", path))
    }

    fn from(found: &Metadata) -> Self {
        use std::os::unix::fs::MetadataExt;
        Self(found.len(), found.modified().ok(), found.ino())
    }

    fn same(&self, found: &Metadata) -> bool {
        let other = Self::from(found);
        (self.0, self.1, self.2) == (other.0, other.1, other.2)
    }

    /// Removes the file if it still is what was read. It is moved aside first: a run that is written in between keeps its new file.
    fn remove(&self, path: &Path, folder: &Path) -> Result<(), StoreError> {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let aside = folder.join(format!(".{name}.old"));
        match fs::rename(path, &aside) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(()),
            other => other.map_err(failed("move the file", path))?,
        }
        let found = fs::metadata(&aside).map_err(failed("look at the file", &aside))?;
        if self.same(&found) {
            return fs::remove_file(&aside).map_err(failed("remove the file", &aside));
        }
        fs::rename(&aside, path).map_err(failed("move the file", &aside))
    }
}
