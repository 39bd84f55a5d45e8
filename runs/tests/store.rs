//! A store gives back what was put in, or says which file is in the way.

mod records;

use std::fs;
use std::path::PathBuf;

use polars::prelude::*;
use records::{Tmpfs, files, header, row};
use tempfile::{TempDir, tempdir};
use tilecast_runs::frame;
use tilecast_runs::import::{Format, Options, import};
use tilecast_runs::journal::{Entry, Journal};
use tilecast_runs::row::Row;
use tilecast_runs::schema::col;
use tilecast_runs::store::{Faults, Journals, Read, Store, StoreError};

fn store() -> (TempDir, Store) {
    let folder = tempdir().expect("a folder");
    let store = Store::create(folder.path().join("st")).expect("a store");
    (folder, store)
}

fn written(store: &Store, run_id: &str, points: &[&str]) -> Vec<PathBuf> {
    let rows: Vec<Row> = points.iter().map(|point| row(run_id, point)).collect();
    store.write(&frame::from_rows(&rows).expect("rows fit"), run_id).expect("written")
}

fn journal(store: &Store, sweep_id: &str, run_id: &str, points: &[&str]) -> Journal {
    let mut journal = Journal::create(store, &header(sweep_id, run_id)).expect("created");
    for point in points {
        journal.append(&Entry::Result(row(run_id, point))).expect("appended");
    }
    journal
}

fn points(store: &Store, how: Read) -> Vec<String> {
    let contents = store.read(how).expect("readable");
    let runs = frame::texts(&contents.frame, col::run_id).expect("runs");
    let points = frame::texts(&contents.frame, col::experiment_id).expect("points");
    let mut all: Vec<String> =
        runs.into_iter().zip(points).map(|(run, point)| format!("{}/{}", run.expect("run"), point.expect("point"))).collect();
    all.sort();
    all
}

#[test]
fn rows_come_back_from_parquet_as_they_went_in() {
    let (_folder, store) = store();
    let mut rows = vec![row("r", "a"), row("r", "b"), row("r", "c")];
    rows[1].set(col::device, "rtx-2080-ti").set("knob.isa", "sm_75");
    rows[2].set(col::family, "monarch").set("knob.tile_m", 2.5).set(col::time_samples_s, Vec::new());
    let paths = store.write(&frame::from_rows(&rows).expect("rows fit"), "r").expect("written");
    let names: Vec<_> = paths.iter().map(|path| path.strip_prefix(store.root()).expect("inside").display().to_string()).collect();
    assert_eq!(
        names,
        [
            "device=cpu-2t/family=gemm_tiled/r.parquet",
            "device=cpu-2t/family=monarch/r.parquet",
            "device=rtx-2080-ti/family=gemm_tiled/r.parquet"
        ]
    );
    let mut read = frame::to_rows(&store.read(Read::default()).expect("readable").frame).expect("rows");
    read.sort_by_key(|row| row.text(col::experiment_id).map(str::to_owned));
    rows.iter_mut().take(2).for_each(|row| _ = row.set("knob.tile_m", 32.0));
    assert_eq!(read, rows);
    assert_eq!(files(store.root()).len(), 3, "no temporary file is left");
}

#[test]
fn names_that_are_no_file_names_stay_inside_the_store() {
    let (folder, store) = store();
    for device in ["../../up", "a/b", "..", "", "a\0b"] {
        let mut hostile = row("../r", "a");
        hostile.set(col::device, device);
        let paths = store.write(&frame::from_rows(&[hostile]).expect("row fits"), "../r").expect("written");
        assert!(
            paths.iter().all(|path| path.starts_with(store.root()) && !path.display().to_string().contains("..")),
            "{paths:?}"
        );
    }
    assert_eq!(files(folder.path()).len(), 5);
    assert_eq!(store.read(Read::default()).expect("readable").frame.height(), 5);
}

#[test]
fn sealing_moves_results_from_journal_to_parquet() {
    let (_folder, store) = store();
    let open = journal(&store, "s", "r", &["a", "b", "a"]);
    assert_eq!(points(&store, Read::default()), ["r/a", "r/b"], "open journals are read, a point measured twice once");
    assert!(points(&store, Read { journals: Journals::Leave, ..Read::default() }).is_empty());
    store.seal(open).expect("sealed");
    assert_eq!(points(&store, Read { journals: Journals::Leave, ..Read::default() }), ["r/a", "r/b"]);
    assert!(Journal::resume(&store, "s").expect("readable").is_none(), "a sealed sweep is not open");
    assert!(store.journal_folder().join("sealed/r.jsonl").is_file());
}

#[test]
fn a_crash_between_the_steps_of_sealing_neither_doubles_nor_loses_rows() {
    let (_folder, store) = store();
    drop(journal(&store, "s", "r", &["a", "b"]));
    written(&store, "r", &["a", "b"]);
    assert_eq!(points(&store, Read::default()), ["r/a", "r/b"]);
    let (mut open, recovered) = Journal::resume(&store, "s").expect("readable").expect("still open");
    assert_eq!(recovered.results.len(), 2);
    open.append(&Entry::Result(row("r", "c"))).expect("appended");
    assert_eq!(points(&store, Read::default()), ["r/a", "r/b", "r/c"]);
    store.seal(open).expect("sealed again");
    assert_eq!(points(&store, Read::default()), ["r/a", "r/b", "r/c"]);
}

#[test]
fn runs_are_summed_up() {
    let (_folder, store) = store();
    let mut rows = vec![row("r1", "a"), row("r1", "b"), row("r1", "c")];
    rows[0].set(col::measured_at, "2026-01-02T00:00:00Z");
    rows[1].set(col::measured_at, "2026-01-01T00:00:00Z").set(col::status, "timeout");
    store.write(&frame::from_rows(&rows).expect("rows fit"), "r1").expect("written");
    drop(journal(&store, "s2", "r2", &["a"]));
    let runs = store.runs().expect("readable");
    assert_eq!(runs.len(), 2);
    assert_eq!((runs[0].run_id.as_str(), runs[0].points), ("r1", 3));
    assert_eq!(runs[0].by_status, [("ok".to_owned(), 2), ("timeout".to_owned(), 1)].into());
    assert_eq!(runs[0].first_measured_at.as_deref(), Some("2026-01-01T00:00:00Z"));
    assert_eq!(runs[0].last_measured_at.as_deref(), Some("2026-01-02T00:00:00Z"));
    assert_eq!(runs[1].families, ["gemm_tiled".to_owned()].into());
}

#[test]
fn a_store_from_the_future_is_refused_by_file_and_version() {
    let (_folder, store) = store();
    let mut newer = row("r", "a");
    newer.set(col::schema_version, "7.1");
    let path = store.write(&frame::from_rows(&[newer]).expect("row fits"), "r").expect("written").remove(0);
    written(&store, "other", &["a"]);
    let error = store.read(Read::default()).expect_err("it is newer");
    let ours = tilecast_runs::schema::version_text();
    let expected = format!("store file `{}`: schema version `7.1`, this program reads up to `{ours}`", path.display());
    assert_eq!(error.to_string(), expected);
    assert!(error.hint().is_some_and(|hint| hint.contains("update")));
    let rest = store.read(Read { faults: Faults::Warn, ..Read::default() }).expect("the rest is readable");
    assert_eq!((rest.frame.height(), rest.warnings), (1, vec![expected]));
}

#[test]
fn a_truncated_parquet_file_is_named_wherever_it_is_cut() {
    let (_folder, store) = store();
    let path = written(&store, "r", &["a", "b", "c"]).remove(0);
    written(&store, "whole", &["a"]);
    let bytes = fs::read(&path).expect("readable");
    let cuts = (0..24).chain((24..bytes.len()).step_by(bytes.len() / 60)).chain(bytes.len() - 12..bytes.len());
    for cut in cuts {
        fs::write(&path, &bytes[..cut]).expect("cut");
        let error = store.read(Read::default()).expect_err("it is cut");
        assert!(matches!(&error, StoreError::Corrupt { path: found, .. } if *found == path), "{cut}: {error}");
        assert!(error.hint().is_some());
        let rest = store.read(Read { faults: Faults::Warn, ..Read::default() }).expect("the rest is readable");
        assert_eq!((rest.frame.height(), rest.warnings.len()), (1, 1));
    }
}

#[test]
fn damage_inside_a_parquet_file_never_panics() {
    let (_folder, store) = store();
    let path = written(&store, "r", &["a", "b", "c"]).remove(0);
    let bytes = fs::read(&path).expect("readable");
    let mut refused = 0;
    for at in (4..bytes.len() - 8).step_by(bytes.len() / 200) {
        let mut damaged = bytes.clone();
        damaged[at] ^= 0xff;
        fs::write(&path, &damaged).expect("written");
        refused += usize::from(store.read(Read::default()).is_err());
    }
    assert!(refused > 0, "some of the damage is seen");
}

#[test]
fn foreign_parquet_is_named() {
    let (_folder, store) = store();
    let path = store.root().join("foreign.parquet");
    let mut foreign = df!("a" => [1i64]).expect("a frame");
    ParquetWriter::new(fs::File::create(&path).expect("created")).finish(&mut foreign).expect("written");
    let error = store.read(Read::default()).expect_err("it is no run");
    assert_eq!(error.to_string(), format!("store file `{}`: frame: column `schema_version` is absent", path.display()));
    fs::write(&path, "no parquet at all").expect("written");
    assert!(store.read(Read::default()).expect_err("it is text").to_string().ends_with("is no parquet file"));
}

#[test]
fn paths_that_are_no_store_are_named() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "x").expect("written");
    let check = |result: Result<Store, StoreError>, expected: &str| {
        let error = result.expect_err("no store");
        assert!(error.to_string().ends_with(expected), "{error}");
        assert!(error.hint().is_some());
    };
    check(Store::open(folder.path().join("none")), "none`: no such folder");
    check(Store::open(&file), "file`: is a file, expected a folder");
    check(Store::create(&file), "file`: is a file, expected a folder");
    check(Store::create(file.join("below")), "cannot create the folder: Not a directory (os error 20)");
}

#[test]
fn a_file_in_the_place_of_a_partition_is_named() {
    let (_folder, store) = store();
    fs::write(store.root().join("device=cpu-2t"), "x").expect("written");
    let error = store.write(&frame::from_rows(&[row("r", "a")]).expect("row fits"), "r").expect_err("in the way");
    assert!(error.to_string().contains("device=cpu-2t/family=gemm_tiled`: cannot create the folder"), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn a_read_only_store_is_read_but_not_written() {
    let Some(disk) = Tmpfs::mount("size=4m") else { return };
    let store = Store::create(disk.path()).expect("a store");
    drop(journal(&store, "s", "open", &["a"]));
    written(&store, "r", &["a"]);
    disk.remount("remount,ro");
    assert_eq!(points(&store, Read::default()), ["open/a", "r/a"]);
    let error = store.write(&frame::from_rows(&[row("r2", "a")]).expect("row fits"), "r2").expect_err("read-only");
    assert!(error.to_string().contains("cannot create the file: Read-only file system"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("read-only")));
    let error = Journal::create(&store, &header("s2", "r2")).expect_err("read-only");
    assert!(error.to_string().contains("Read-only file system"), "{error}");
    let error = Store::create(disk.path().join("below")).expect_err("read-only");
    assert!(error.hint().is_some_and(|hint| hint.contains("read-only")));
}

#[test]
fn a_full_disk_while_sealing_keeps_the_journal() {
    let Some(disk) = Tmpfs::mount("size=128k") else { return };
    let store = Store::create(disk.path()).expect("a store");
    let open = journal(&store, "s", "r", &["a", "b"]);
    let filler = disk.path().join("filler");
    while fs::OpenOptions::new()
        .create(true)
        .append(true)
        .open(&filler)
        .and_then(|mut file| std::io::Write::write_all(&mut file, &[0; 4096]))
        .is_ok()
    {}
    let error = store.seal(open).expect_err("the disk is full");
    assert!(error.to_string().contains("No space left on device"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("free some space")), "{error}");
    assert_eq!(points(&store, Read::default()), ["r/a", "r/b"]);
    fs::remove_file(&filler).expect("freed");
    let (open, _) = Journal::resume(&store, "s").expect("readable").expect("still open");
    store.seal(open).expect("sealed");
    assert_eq!(points(&store, Read { journals: Journals::Leave, ..Read::default() }), ["r/a", "r/b"]);
}

#[test]
fn many_writers_share_a_store_but_no_file() {
    let (_folder, store) = store();
    std::thread::scope(|scope| {
        for writer in 0..6 {
            let store = &store;
            scope.spawn(move || {
                store.seal(journal(store, &format!("s{writer}"), &format!("r{writer}"), &["a", "b"])).expect("sealed")
            });
        }
    });
    assert_eq!(points(&store, Read::default()).len(), 12);
    assert!(files(store.root()).iter().all(|path| !path.display().to_string().contains(".part")));
}

#[test]
fn readers_beside_a_sealing_writer_see_every_row_once() {
    let (_folder, store) = store();
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            for run in 0..20 {
                store.seal(journal(&store, &format!("s{run}"), &format!("r{run:02}"), &["a", "b"])).expect("sealed");
            }
        });
        let mut before = 0;
        while !writer.is_finished() {
            let seen = points(&store, Read::default());
            assert!(seen.windows(2).all(|pair| pair[0] != pair[1]), "{seen:?}");
            assert!(seen.len() >= before, "no row is lost on its way from journal to Parquet");
            before = seen.len();
        }
    });
    assert_eq!(points(&store, Read::default()).len(), 40);
}

#[test]
fn an_imported_file_is_stored_once_however_often_it_is_imported() {
    let (_folder, store) = store();
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/gemm_rtx_2080_ti.json");
    for _ in 0..2 {
        let imported = import(Format::KernelTuner, &path, &Options::default()).expect("a cache");
        store.write(&imported.frame, &imported.run_id).expect("written");
        let read = store.read(Read::default()).expect("readable").frame;
        assert_eq!(frame::to_rows(&read).expect("rows"), frame::to_rows(&imported.frame).expect("rows"));
    }
    assert_eq!(store.runs().expect("readable")[0].sources, ["import:kernel-tuner".to_owned()].into());
}

#[test]
fn a_broken_open_journal_is_an_error_or_a_warning() {
    let (_folder, store) = store();
    written(&store, "r", &["a"]);
    let mut open = journal(&store, "s", "open", &["b"]);
    let text = fs::read_to_string(open.path()).expect("readable");
    open.append(&Entry::Result(row("open", "c"))).expect("appended");
    fs::write(open.path(), format!("{text}broken\n")).expect("written");
    let error = store.read(Read::default()).expect_err("line 3 is broken");
    assert!(error.to_string().contains("line 3 is broken"), "{error}");
    assert!(error.hint().is_some());
    let rest = store.read(Read { faults: Faults::Warn, ..Read::default() }).expect("the rest is readable");
    assert_eq!((rest.frame.height(), rest.warnings.len()), (1, 1));
}
