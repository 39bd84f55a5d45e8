//! A store stays the same to its readers while files are put together, whatever is interrupted, and merges without doubles.

mod records;

use std::fs;
use std::path::{Path, PathBuf};

use records::{files, header, row};
use tempfile::{TempDir, tempdir};
use tilecast_runs::frame;
use tilecast_runs::journal::{Entry, Journal};
use tilecast_runs::row::Row;
use tilecast_runs::schema::col;
use tilecast_runs::store::{Read, Store};

fn store() -> (TempDir, Store) {
    let folder = tempdir().expect("a folder");
    let store = Store::create(folder.path().join("st")).expect("a store");
    (folder, store)
}

fn rows(run_id: &str, points: &[&str], device: &str) -> Vec<Row> {
    let on_device = |point: &&str| {
        let mut row = row(run_id, point);
        row.set(col::device, device);
        row
    };
    points.iter().map(on_device).collect()
}

fn write(store: &Store, run_id: &str, points: &[&str], device: &str) {
    let rows = rows(run_id, points, device);
    store.write(&frame::from_rows(&rows).expect("rows fit"), run_id).expect("written");
}

/// `run/point`, sorted.
fn points(store: &Store) -> Vec<String> {
    let frame = store.read(Read::default()).expect("readable").frame;
    let (runs, points) =
        (frame::texts(&frame, col::run_id).expect("runs"), frame::texts(&frame, col::experiment_id).expect("points"));
    let mut all: Vec<String> =
        runs.into_iter().zip(points).map(|(run, point)| format!("{}/{}", run.expect("run"), point.expect("point"))).collect();
    all.sort();
    all
}

fn parquet(store: &Store) -> Vec<PathBuf> {
    files(store.root()).into_iter().filter(|path| path.extension().is_some_and(|extension| extension == "parquet")).collect()
}

fn names(store: &Store) -> Vec<String> {
    parquet(store).iter().map(|path| path.file_name().expect("a name").to_string_lossy().into_owned()).collect()
}

fn many(store: &Store) {
    for run in 0..5 {
        write(store, &format!("r{run}"), &["a", "b"], "cpu-2t");
        write(store, &format!("s{run}"), &["a"], "gpu");
    }
}

#[test]
fn compacting_leaves_one_file_per_partition_and_every_row() {
    let (_folder, store) = store();
    many(&store);
    let before = points(&store);
    let done = store.compact().expect("compacted");
    assert_eq!((done.partitions, done.files_before, done.files_after, done.rows), (2, 10, 2, 15));
    assert_eq!(names(&store), ["compacted-000001.parquet", "compacted-000001.parquet"]);
    assert_eq!(points(&store), before);
    assert_eq!(files(store.root()).len(), 2, "nothing is left beside them");
    let again = store.compact().expect("compacted");
    assert_eq!((again.partitions, again.files_before, again.files_after), (0, 2, 2));
    write(&store, "r9", &["a"], "cpu-2t");
    assert_eq!(store.compact().expect("compacted").partitions, 1);
    assert_eq!(names(&store), ["compacted-000002.parquet", "compacted-000001.parquet"]);
    assert_eq!(points(&store).len(), before.len() + 1);
}

#[test]
fn a_run_written_again_after_compaction_replaces_its_rows() {
    let (_folder, store) = store();
    write(&store, "r", &["a", "b", "c"], "cpu-2t");
    write(&store, "q", &["a"], "cpu-2t");
    store.compact().expect("compacted");
    write(&store, "r", &["a", "d"], "cpu-2t");
    assert_eq!(points(&store), ["q/a", "r/a", "r/d"]);
    store.compact().expect("compacted");
    assert_eq!(points(&store), ["q/a", "r/a", "r/d"]);
    assert_eq!(parquet(&store).len(), 1);
}

#[test]
fn an_import_again_replaces_rows_that_a_compaction_put_together_on_another_device() {
    let (_folder, store) = store();
    let import = |run_id: &str, points: &[&str], device: &str| {
        let rows = rows(run_id, points, device);
        let mut staged = store.stage().expect("a place");
        staged.take(&frame::from_rows(&rows).expect("rows fit"), run_id).expect("written");
        staged.commit().expect("moved");
    };
    import("f1", &["a", "b"], "t4");
    import("f2", &["c", "d"], "t4");
    store.compact().expect("compacted");
    import("f1", &["a", "b"], "l4");
    assert_eq!(points(&store), ["f1/a", "f1/b", "f2/c", "f2/d"]);
    import("f2", &["c"], "l4");
    assert_eq!(points(&store), ["f1/a", "f1/b", "f2/c"]);
    assert_eq!(names(&store), ["f1.parquet", "f2.parquet"], "a compaction of which nothing is left is gone");
}

#[test]
fn whatever_files_a_crash_leaves_behind_no_row_is_doubled_or_lost() {
    let (_folder, store) = store();
    for run in ["r1", "r2", "r3"] {
        write(&store, run, &["a", "b"], "cpu-2t");
    }
    let originals: Vec<(PathBuf, Vec<u8>)> =
        parquet(&store).into_iter().map(|path| (path.clone(), fs::read(path).expect("readable"))).collect();
    let before = points(&store);
    store.compact().expect("compacted");
    let first = parquet(&store).remove(0);
    let first_bytes = fs::read(&first).expect("readable");
    write(&store, "r4", &["a"], "cpu-2t");
    let own = (first.with_file_name("r4.parquet"), fs::read(first.with_file_name("r4.parquet")).expect("readable"));
    let mut with_fourth = before.clone();
    with_fourth.push("r4/a".to_owned());
    store.compact().expect("compacted");
    // Every subset of the files that the two compactions removed may still be there after a crash.
    let removed: Vec<(PathBuf, Vec<u8>)> = originals.into_iter().chain([(first, first_bytes), own]).collect();
    for subset in 0..1_u32 << removed.len() {
        for (at, (path, bytes)) in removed.iter().enumerate() {
            if subset & (1 << at) == 0 {
                let _ = fs::remove_file(path);
            } else {
                fs::write(path, bytes).expect("written");
            }
        }
        assert_eq!(points(&store), with_fourth, "subset {subset:b}");
    }
    store.compact().expect("compacted");
    assert_eq!((points(&store), parquet(&store).len()), (with_fourth, 1));
}

#[test]
fn runs_that_are_still_open_keep_their_files() {
    let (_folder, store) = store();
    write(&store, "done", &["a"], "cpu-2t");
    write(&store, "also", &["a"], "cpu-2t");
    write(&store, "open", &["a"], "cpu-2t");
    let mut journal = Journal::create(&store, &header("s", "open")).expect("created");
    journal.append(&Entry::Result(row("open", "a"))).expect("appended");
    journal.append(&Entry::Result(row("open", "b"))).expect("appended");
    let before = points(&store);
    let done = store.compact().expect("compacted");
    assert!(done.left.iter().any(|left| left.contains("run `open` is still open")), "{:?}", done.left);
    assert_eq!(names(&store), ["compacted-000001.parquet", "open.parquet"]);
    assert_eq!(points(&store), before);
    store.seal(journal).expect("sealed");
    assert_eq!(points(&store), before);
}

#[test]
fn a_damaged_file_stops_compaction_and_nothing_is_lost() {
    let (_folder, store) = store();
    write(&store, "r1", &["a"], "cpu-2t");
    write(&store, "r2", &["a"], "cpu-2t");
    let path = parquet(&store).remove(0);
    let bytes = fs::read(&path).expect("readable");
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("cut");
    let error = store.compact().expect_err("damaged");
    assert!(error.to_string().contains("r1.parquet"), "{error}");
    fs::write(&path, bytes).expect("mended");
    assert_eq!(points(&store), ["r1/a", "r2/a"]);
}

#[test]
fn merging_takes_every_row_once_and_keeps_repeats_within_a_store() {
    let folder = tempdir().expect("a folder");
    let make = |name: &str| Store::create(folder.path().join(name)).expect("a store");
    let (a, b, c) = (make("a"), make("b"), make("c"));
    write(&a, "r1", &["a", "b"], "cpu-2t");
    write(&b, "r1", &["b", "c"], "cpu-2t");
    // The same experiment twice in one run: repeats.
    write(&b, "r2", &["x", "x"], "gpu");
    let journal = Journal::create(&b, &header("s", "open")).and_then(|mut open| {
        open.append(&Entry::Result(row("open", "j")))?;
        Ok(open)
    });
    let first = c.merge(&a).expect("merged");
    assert_eq!((first.rows, first.added, first.duplicates, first.runs), (2, 2, 0, 1));
    let second = c.merge(&b).expect("merged");
    assert_eq!((second.rows, second.added, second.duplicates, second.runs), (5, 4, 1, 3));
    let all = ["open/j", "r1/a", "r1/b", "r1/c", "r2/x", "r2/x"];
    assert_eq!(points(&c), all);
    assert_eq!(c.merge(&b).expect("merged").added, 0, "merging again adds nothing");
    c.compact().expect("compacted");
    write(&a, "r1", &["a", "b", "d"], "cpu-2t");
    assert_eq!(c.merge(&a).expect("merged").added, 1, "into compacted rows of the same run");
    assert_eq!(points(&c), ["open/j", "r1/a", "r1/b", "r1/c", "r1/d", "r2/x", "r2/x"]);
    assert_eq!(points(&a).len() + points(&b).len(), 8, "the sources are as they were");
    drop(journal);
}

#[test]
fn readers_beside_a_compaction_see_every_row_once() {
    let (_folder, store) = store();
    many(&store);
    let before = points(&store);
    let root: &Path = store.root();
    std::thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let store = Store::open(root).expect("a store");
            (0..40).for_each(|_| assert_eq!(points(&store), before));
        });
        for round in 0..10 {
            store.compact().expect("compacted");
            write(&store, &format!("r{}", round % 5), &["a", "b"], "cpu-2t");
        }
        reader.join().expect("no reader saw anything else");
    });
}
