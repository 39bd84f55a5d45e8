//! Writing a frame as Parquet files, each whole or not there.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use polars::polars_utils::compression::ZstdLevel;
use polars::prelude::*;

use super::{StoreError, failed};
use crate::frame::{self, FrameError};
use crate::id::{id, slug};
use crate::journal::sync_folder;
use crate::schema::col;

/// Writes one file per device and family; returns their paths.
pub(super) fn write(root: &Path, frame: &DataFrame, run_id: &str) -> Result<Vec<PathBuf>, StoreError> {
    let mut paths = Vec::new();
    for ((device, family), rows) in partitions(frame)? {
        let folder = root.join(format!("device={}", path_part(&device))).join(format!("family={}", path_part(&family)));
        fs::create_dir_all(&folder).map_err(failed("create the folder", &folder))?;
        let mut part = match rows.len() == frame.height() {
            true => frame.clone(),
            false => frame.take(&IdxCa::from_vec("rows".into(), rows)).map_err(FrameError::from)?,
        };
        paths.push(write_file(&folder, &path_part(run_id), &mut part)?);
    }
    Ok(paths)
}

/// Rows by device and family.
fn partitions(frame: &DataFrame) -> Result<BTreeMap<(String, String), Vec<IdxSize>>, FrameError> {
    let mut parts: BTreeMap<_, Vec<IdxSize>> = BTreeMap::new();
    let (devices, families) = (frame::text_column(frame, col::device)?, frame::text_column(frame, col::family)?);
    for (row, (device, family)) in devices.iter().zip(families.iter()).enumerate() {
        let device = device.ok_or(FrameError::Missing { row, column: col::device })?;
        let family = family.ok_or(FrameError::Missing { row, column: col::family })?;
        let index = IdxSize::try_from(row).expect("a frame has fewer rows than its own index type counts");
        parts.entry((device, family)).or_default().push(index);
    }
    Ok(parts.into_iter().map(|((device, family), rows)| ((device.to_owned(), family.to_owned()), rows)).collect())
}

/// The columns hold the true names; folders only need to be safe and apart.
pub(super) fn path_part(name: &str) -> String {
    let plain = name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
    if plain && !name.is_empty() && !name.starts_with('.') {
        return name.to_owned();
    }
    format!("{}-{}", slug(name, '-'), &id(&[name])[..8])
}

/// Under a temporary name first, synced, then renamed: a reader sees the whole file or none, and a full disk leaves the old one.
pub(super) fn write_file(folder: &Path, name: &str, part: &mut DataFrame) -> Result<PathBuf, StoreError> {
    let path = folder.join(format!("{name}.parquet"));
    let (file, temporary) = temporary(folder, name)?;
    fill(&file, &temporary, part).inspect_err(|_| {
        // The error that led here is the one to show.
        let _ = fs::remove_file(&temporary);
    })?;
    fs::rename(&temporary, &path).map_err(failed("rename the file", &temporary))?;
    sync_folder(folder).map_err(failed("sync the folder", folder))?;
    Ok(path)
}

/// A new file of its own for each writer, also of the same run (the same file imported twice at once): the last rename stands.
fn temporary(folder: &Path, name: &str) -> Result<(File, PathBuf), StoreError> {
    let mut attempt = 0u32;
    loop {
        let path = folder.join(format!(".{name}.{attempt}.part"));
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(file) => return Ok((file, path)),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists && attempt < 1000 => attempt += 1,
            Err(error) => return Err(failed("create the file", &path)(error)),
        }
    }
}

fn fill(file: &File, path: &Path, part: &mut DataFrame) -> Result<(), StoreError> {
    let mut target = Target { file, refused: None };
    // Half of each row is digits of hashes, which level 3 packs no better than level 1 in twice the time. Smallest and largest values are
    // left out: a store is read whole, and finding them in texts costs as much as writing them.
    let level = ZstdLevel::try_new(1).map_err(FrameError::from)?;
    let statistics = StatisticsOptions { min_value: false, max_value: false, ..StatisticsOptions::default() };
    let writer =
        ParquetWriter::new(&mut target).with_compression(ParquetCompression::Zstd(Some(level))).with_statistics(statistics);
    let done = writer.finish(part);
    if let Some(refused) = target.refused {
        return Err(failed("write the file", path)(refused));
    }
    done.map_err(FrameError::from)?;
    file.sync_all().map_err(failed("sync the file", path))
}

/// Keeps the system's error: Polars passes it on as text only, and a full disk would look like bad data.
struct Target<'a> {
    file: &'a File,
    refused: Option<io::Error>,
}

impl Write for Target<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.file.write(bytes).map_err(|error| {
            let kind = error.kind();
            self.refused.get_or_insert(error);
            kind.into()
        })
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}
