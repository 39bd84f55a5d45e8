//! Rows, journals and small file systems for the tests of this crate.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::print_stderr)] // says what it skips

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Map;
use tilecast_runs::journal::{Entry, Header, SampleEntry};
use tilecast_runs::row::Row;
use tilecast_runs::schema::{self, COLUMNS, col};

pub fn header(sweep_id: &str, run_id: &str) -> Header {
    Header {
        schema_version: schema::version_text(),
        sweep_id: sweep_id.to_owned(),
        run_id: run_id.to_owned(),
        spec_text: "family = \"gemm_tiled\"\n".to_owned(),
        spec_name: "small.toml".to_owned(),
        device: "cpu-2t".to_owned(),
        started_at: "2026-01-01T00:00:00Z".to_owned(),
        points: 4,
        meta: Map::from_iter([("pid".to_owned(), 42.into())]),
    }
}

pub fn row(run_id: &str, point: &str) -> Row {
    let mut row = Row::default();
    for column in COLUMNS.iter().filter(|column| column.required) {
        row.set(column.name, "x");
    }
    row.set(col::schema_version, schema::version_text()).set(col::run_id, run_id).set(col::experiment_id, point);
    row.set(col::device, "cpu-2t").set(col::family, "gemm_tiled").set(col::status, "ok").set(col::time_s, 1.5e-3);
    row.set(col::time_samples_s, vec![1.5e-3, 1.25e-3]).set("problem.m", 64i64).set("knob.tile_m", 32i64);
    row
}

pub fn sample(point: &str, round: u32) -> Entry {
    Entry::Sample(SampleEntry {
        experiment_id: point.to_owned(),
        round,
        time_s: vec![0.5, 0.1 + 0.2],
        wall_s: vec![0.5, 1e-300],
        switches: 1,
        iterations: 3,
        extra: Map::new(),
    })
}

/// A mounted tmpfs, unmounted on drop.
pub struct Tmpfs {
    folder: tempfile::TempDir,
}

impl Tmpfs {
    /// `None`, with a word on stderr, where this process may not mount.
    pub fn mount(options: &str) -> Option<Self> {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let done = Command::new("mount").args(["-t", "tmpfs", "-o", options, "tilecast-test"]).arg(folder.path()).output();
        if done.is_ok_and(|done| done.status.success()) {
            return Some(Self { folder });
        }
        eprintln!("skipped: mounting a tmpfs is not permitted here");
        None
    }

    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    pub fn remount(&self, options: &str) {
        let done = Command::new("mount").args(["-o", options]).arg(self.path()).status().expect("mount runs");
        assert!(done.success());
    }
}

impl Drop for Tmpfs {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.folder.path()).status();
    }
}

/// All files below a folder, hidden ones too.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}
