//! An import that is not yet part of the store: readers see all of it or nothing, whatever happens on the way.

use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;

use super::write::path_part;
use super::{Store, StoreError, compact, failed, write};
use crate::journal::sync_folder;

/// Rows of one run, written part by part beside the store's own files and moved in by [`Staged::commit`]. Dropped before, it leaves
/// nothing behind.
#[derive(Debug)]
pub struct Staged {
    root: PathBuf,
    /// In the store, under a name that readers skip.
    folder: PathBuf,
    run_id: Option<String>,
    parts: usize,
}

impl Store {
    /// A place for the rows of one run.
    ///
    /// # Errors
    /// The folder cannot be made.
    pub fn stage(&self) -> Result<Staged, StoreError> {
        let mut attempt = 0u32;
        loop {
            let folder = self.root().join(format!(".staged-{attempt}"));
            match fs::create_dir(&folder) {
                Ok(()) => return Ok(Staged { root: self.root().to_owned(), folder, run_id: None, parts: 0 }),
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1000 => attempt += 1,
                Err(error) => return Err(failed("create the folder", &folder)(error)),
            }
        }
    }
}

impl Staged {
    /// Writes some rows of the run: one file per device and family.
    ///
    /// # Errors
    /// A full disk and the like.
    pub fn take(&mut self, frame: &DataFrame, run_id: &str) -> Result<(), StoreError> {
        write::write(&self.folder, frame, &part_name(run_id, self.parts))?;
        self.run_id = Some(run_id.to_owned());
        self.parts += 1;
        Ok(())
    }

    /// Moves the files into the store and takes away what was there of the same run before, compacted rows included: the run is replaced,
    /// also where it now has fewer parts or another device. Returns the files.
    ///
    /// # Errors
    /// A file cannot be moved; those moved before are then in the store.
    pub fn commit(self) -> Result<Vec<PathBuf>, StoreError> {
        let (mut moved, mut folders) = (BTreeSet::new(), BTreeSet::new());
        let Some(run_id) = self.run_id.clone() else { return Ok(Vec::new()) };
        for staged in partition_files(&self.folder)? {
            let relative = staged.strip_prefix(&self.folder).unwrap_or(&staged).to_owned();
            let path = self.root.join(relative);
            let folder = path.parent().unwrap_or(&self.root).to_owned();
            fs::create_dir_all(&folder).map_err(failed("create the folder", &folder))?;
            fs::rename(&staged, &path).map_err(failed("rename the file", &staged))?;
            moved.insert(path);
            folders.insert(folder);
        }
        for folder in folders {
            sync_folder(&folder).map_err(failed("sync the folder", &folder))?;
        }
        for old in partition_files(&self.root)? {
            if is_part_of(&old, &run_id) && !moved.contains(&old) {
                fs::remove_file(&old).map_err(failed("remove the file", &old))?;
            } else if !moved.iter().any(|path| path.parent() == old.parent()) {
                // Beside a file of the run's own its compacted rows do not count.
                compact::without(&old, &run_id)?;
            }
        }
        Ok(moved.into_iter().collect())
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        // Left-overs are skipped by readers; there is nobody to tell here.
        let _ = fs::remove_dir_all(&self.folder);
    }
}

/// The first part has the run's own name, as a run of one part has.
fn part_name(run_id: &str, part: usize) -> String {
    if part == 0 { run_id.to_owned() } else { format!("{}.{part:04}", path_part(run_id)) }
}

fn is_part_of(path: &Path, run_id: &str) -> bool {
    let stem = path.file_stem().map(|stem| stem.to_string_lossy().into_owned()).unwrap_or_default();
    let Some(rest) = stem.strip_prefix(&path_part(run_id)) else { return false };
    rest.is_empty()
        || rest.strip_prefix('.').is_some_and(|part| part.len() >= 4 && part.bytes().all(|byte| byte.is_ascii_digit()))
}

/// Parquet files under `device=…/family=…`.
fn partition_files(root: &Path) -> Result<Vec<PathBuf>, StoreError> {
    let mut files = Vec::new();
    for device in folders(root, "device=")? {
        for family in folders(&device, "family=")? {
            for entry in fs::read_dir(&family).map_err(failed("list the folder", &family))? {
                let path = entry.map_err(failed("list the folder", &family))?.path();
                if path.extension().is_some_and(|extension| extension == "parquet") {
                    files.push(path);
                }
            }
        }
    }
    Ok(files)
}

fn folders(root: &Path, prefix: &str) -> Result<Vec<PathBuf>, StoreError> {
    let mut found = Vec::new();
    for entry in fs::read_dir(root).map_err(failed("list the folder", root))? {
        let entry = entry.map_err(failed("list the folder", root))?;
        if entry.file_name().to_string_lossy().starts_with(prefix) && entry.path().is_dir() {
            found.push(entry.path());
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_belong_to_their_run_only() {
        for (file, expected) in [
            ("run-1.parquet", true),
            ("run-1.0001.parquet", true),
            ("run-1.00010.parquet", true),
            ("run-11.parquet", false),
            ("run-1.1.parquet", false),
            ("run-1.old.parquet", false),
            ("run.parquet", false),
        ] {
            assert_eq!(is_part_of(Path::new(file), "run-1"), expected, "{file}");
        }
        assert_eq!((part_name("run-1", 0).as_str(), part_name("run-1", 12).as_str()), ("run-1", "run-1.0012"));
    }
}
