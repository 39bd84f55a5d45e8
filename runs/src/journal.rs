//! One open journal per run: a line per record, synced before the next point starts, so that `kill -9` loses at most the
//! point in flight.
//!
//! `<store>/journal/<run_id>.jsonl` holds a header line, then samples and results in the order they were made. The file is locked
//! while a process writes it. Sealing turns the results into Parquet and moves the file to `journal/sealed/`
//! ([`crate::store::Store::seal`]).

mod entry;
mod error;
mod recover;

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::path::{Path, PathBuf};

pub use entry::{Entry, Header, SampleEntry};
pub use error::JournalError;
pub use error::io_hint;
pub use recover::Recovered;

use crate::store::Store;

/// A journal open for writing; the lock goes with it.
#[derive(Debug)]
pub struct Journal {
    file: File,
    path: PathBuf,
    header: Header,
    /// Length in bytes up to the last complete line.
    good: u64,
}

impl Journal {
    /// Begins the journal of a run; the header is on disk when this returns.
    ///
    /// # Errors
    /// [`JournalError::Busy`] or [`JournalError::Begun`] where the same sweep has an unsealed journal; what the system refuses.
    pub fn create(store: &Store, header: &Header) -> Result<Self, JournalError> {
        let folder = store.journal_folder();
        fs::create_dir_all(&folder).map_err(failed("create the folder", &folder))?;
        let _turn = Turn::take(&folder)?;
        if let Some(found) = find(&folder, &header.sweep_id)? {
            lock(&found.file, &found.path, &found.header)?;
            return Err(JournalError::Begun { path: found.path, sweep_id: header.sweep_id.clone() });
        }
        let path = folder.join(format!("{}.jsonl", header.run_id));
        let file = OpenOptions::new().read(true).append(true).create(true).open(&path).map_err(failed("create it", &path))?;
        lock(&file, &path, header)?;
        if read_header(&path)?.is_some() {
            return Err(JournalError::Begun { path, sweep_id: header.sweep_id.clone() });
        }
        // What a process left that died within its header line.
        file.set_len(0).map_err(failed("truncate it", &path))?;
        let mut journal = Self { file, path, header: header.clone(), good: 0 };
        journal.append(&Entry::Header(header.clone())).inspect_err(|_| {
            // An empty journal helps nobody; the error that led here is the one to show.
            let _ = fs::remove_file(&journal.path);
        })?;
        journal.sync()?;
        sync_folder(&folder).map_err(failed("sync the folder", &folder))?;
        Ok(journal)
    }

    /// Takes up the unsealed journal of `sweep_id`, if there is one.
    ///
    /// A cut last line is truncated away; its bytes are kept beside the journal as `<run_id>.tail`.
    ///
    /// # Errors
    /// [`JournalError::Busy`] where another process writes it, [`JournalError::Broken`] where a complete line is no record.
    pub fn resume(store: &Store, sweep_id: &str) -> Result<Option<(Self, Recovered)>, JournalError> {
        let folder = store.journal_folder();
        // Looked for before the lock is taken: where there is nothing to take up nothing is written, and a store may be one that can only be read.
        if find(&folder, sweep_id)?.is_none() {
            return Ok(None);
        }
        let _turn = Turn::take(&folder)?;
        let Some(found) = find(&folder, sweep_id)? else { return Ok(None) };
        let Found { mut file, path, header } = found;
        lock(&file, &path, &header)?;
        let mut bytes = Vec::new();
        file.read_to_end(&mut bytes).map_err(failed("read it", &path))?;
        let parsed = recover::parse(&path, &bytes)?;
        if parsed.good < bytes.len() {
            let tail = path.with_extension("tail");
            fs::write(&tail, &bytes[parsed.good..]).map_err(failed("keep the cut tail", &tail))?;
            file.set_len(parsed.good as u64).map_err(failed("truncate it", &path))?;
        }
        let recovered = parsed.recovered.expect("a journal found by its header has one");
        Ok(Some((Self { file, path, header, good: parsed.good as u64 }, recovered)))
    }

    /// Appends one record in one write; [`Journal::sync`] makes it last.
    ///
    /// # Errors
    /// A full disk and the like: the journal then ends after its last complete line, as if the call had not been made.
    pub fn append(&mut self, entry: &Entry) -> Result<(), JournalError> {
        let line = entry.to_line()?;
        if let Err(source) = self.file.write_all(&line) {
            self.file.set_len(self.good).map_err(failed("truncate it after a failed write", &self.path))?;
            return Err(failed("append to it", &self.path)(source));
        }
        self.good += line.len() as u64;
        Ok(())
    }

    /// Moves the file to `sealed`, and gives up the lock.
    pub(crate) fn retire(self, sealed: &Path) -> Result<PathBuf, JournalError> {
        fs::create_dir_all(sealed).map_err(failed("create the folder", sealed))?;
        let folder = self.path.parent().expect("a journal lies in a folder");
        let _turn = Turn::take(folder)?;
        let target = sealed.join(self.path.file_name().expect("a journal has a name"));
        fs::rename(&self.path, &target).map_err(failed("move it", &self.path))?;
        sync_folder(sealed).and_then(|()| sync_folder(folder)).map_err(failed("sync the folder", folder))?;
        Ok(target)
    }

    /// Returns when everything appended is on disk (`fdatasync`).
    ///
    /// # Errors
    /// What the system refuses.
    pub fn sync(&self) -> Result<(), JournalError> {
        self.file.sync_data().map_err(failed("sync it", &self.path))
    }

    /// The file.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Its header.
    #[must_use]
    pub fn header(&self) -> &Header {
        &self.header
    }
}

/// Closing alone is not enough: a child that another thread is just starting shares the lock until it has begun its own program.
impl Drop for Journal {
    fn drop(&mut self) {
        // Where unlocking fails, closing still unlocks, only later.
        let _ = self.file.unlock();
    }
}

/// Reads a journal without locking or repairing it; `None` where not even its header is complete.
pub(crate) fn read(path: &Path) -> Result<Option<Recovered>, JournalError> {
    let bytes = fs::read(path).map_err(failed("read it", path))?;
    Ok(recover::parse(path, &bytes)?.recovered)
}

/// Unsealed journals of a folder, in order of name.
pub(crate) fn list(folder: &Path) -> Result<Vec<PathBuf>, JournalError> {
    let mut paths = Vec::new();
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(paths),
        Err(error) => return Err(failed("list the folder", folder)(error)),
    };
    for entry in entries {
        let path = entry.map_err(failed("list the folder", folder))?.path();
        if path.extension().is_some_and(|extension| extension == "jsonl") && path.is_file() {
            paths.push(path);
        }
    }
    paths.sort();
    Ok(paths)
}

/// Turns into an error about `path`.
pub(crate) fn failed(action: &'static str, path: &Path) -> impl FnOnce(io::Error) -> JournalError {
    let path = path.to_owned();
    move |source| JournalError::Io { action, path, source }
}

/// Makes names in `folder` last. Folders cannot be opened for syncing everywhere; where they cannot, the rename stands alone.
pub(crate) fn sync_folder(folder: &Path) -> io::Result<()> {
    if cfg!(unix) { File::open(folder)?.sync_all() } else { Ok(()) }
}

/// The right to look for a sweep's journal and create it: held for moments, so that two processes that start the same sweep at
/// once cannot both find nothing.
struct Turn(File);

impl Drop for Turn {
    fn drop(&mut self) {
        // As for a journal.
        let _ = self.0.unlock();
    }
}

impl Turn {
    fn take(folder: &Path) -> Result<Self, JournalError> {
        let path = folder.join(".lock");
        let file = OpenOptions::new().write(true).create(true).truncate(false).open(&path);
        let file = file.map_err(failed("open the lock", &path))?;
        file.lock().map_err(failed("lock the folder", &path))?;
        Ok(Self(file))
    }
}

struct Found {
    file: File,
    path: PathBuf,
    header: Header,
}

fn find(folder: &Path, sweep_id: &str) -> Result<Option<Found>, JournalError> {
    for path in list(folder)? {
        let Some(header) = read_header(&path)? else { continue };
        if header.sweep_id == sweep_id {
            let file = OpenOptions::new().read(true).append(true).open(&path).map_err(failed("open it", &path))?;
            return Ok(Some(Found { file, path, header }));
        }
    }
    Ok(None)
}

/// The first line only: journals may be long. A foreign sweep's broken or newer header is that sweep's trouble, not ours.
fn read_header(path: &Path) -> Result<Option<Header>, JournalError> {
    let file = File::open(path).map_err(failed("open it", path))?;
    let mut line = Vec::new();
    let mut reader = io::BufReader::new(file);
    io::BufRead::read_until(&mut reader, b'\n', &mut line).map_err(failed("read it", path))?;
    if !line.ends_with(b"\n") {
        return Ok(None);
    }
    Ok(match serde_json::from_slice(&line) {
        Ok(Entry::Header(header)) => Some(header),
        _ => None,
    })
}

fn lock(file: &File, path: &Path, header: &Header) -> Result<(), JournalError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err(JournalError::Busy { path: path.to_owned(), sweep_id: header.sweep_id.clone(), holder: holder(header) })
        }
        Err(TryLockError::Error(error)) => Err(failed("lock it", path)(error)),
    }
}

fn holder(header: &Header) -> String {
    let pid = header.meta.get("pid").map(|pid| format!("process {pid}"));
    let host = header.meta.get("host").and_then(|host| host.as_str()).map(|host| format!(" on {host}"));
    format!("{}{}", pid.unwrap_or_else(|| "another process".to_owned()), host.unwrap_or_default())
}
