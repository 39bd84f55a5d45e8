//! A journal survives whatever happens to the process that writes it.

mod records;

use std::fs;
use std::io::Write;

use proptest::prelude::*;
use records::{Tmpfs, header, row, sample};
use tempfile::tempdir;
use tilecast_runs::journal::{Entry, Journal, JournalError, Recovered};
use tilecast_runs::row::{Cell, Row};
use tilecast_runs::schema::col;
use tilecast_runs::store::Store;

fn resume(store: &Store) -> (Journal, Recovered) {
    Journal::resume(store, "sweep").expect("the journal is readable").expect("the sweep is unsealed")
}

fn expect(entries: &[Entry]) -> Recovered {
    let mut expected = Recovered { header: header("sweep", "run"), samples: vec![], results: vec![] };
    for entry in entries {
        match entry {
            Entry::Header(header) => expected.header = header.clone(),
            Entry::Sample(sample) => expected.samples.push(sample.clone()),
            Entry::Result(row) => expected.results.push(row.clone()),
        }
    }
    expected
}

#[test]
fn what_was_appended_is_recovered_bit_by_bit() {
    let folder = tempdir().expect("a folder");
    let store = Store::create(folder.path()).expect("a store");
    let entries = [sample("a", 0), sample("a", 1), Entry::Result(row("run", "a")), Entry::Result(row("run", "b"))];
    let mut journal = Journal::create(&store, &header("sweep", "run")).expect("created");
    for entry in &entries {
        journal.append(entry).expect("appended");
        journal.sync().expect("synced");
    }
    drop(journal);
    assert_eq!(resume(&store).1, expect(&entries));
    assert!(Journal::resume(&store, "another sweep").expect("readable").is_none());
}

fn cell() -> impl Strategy<Value = Cell> {
    prop_oneof![
        any::<bool>().prop_map(Cell::Flag),
        any::<i64>().prop_map(Cell::Int),
        any::<f64>().prop_filter("finite", |value| value.is_finite()).prop_map(Cell::Real),
        "\\PC{0,12}".prop_map(Cell::Text),
        "[\\n\"\\\\\u{0}-\u{20}]{0,4}".prop_map(Cell::Text),
        prop::collection::vec(-1e3..1e3f64, 0..4).prop_map(Cell::Reals),
    ]
}

fn any_row() -> impl Strategy<Value = Row> {
    prop::collection::btree_map("knob\\.[a-z]{1,4}", cell(), 0..4).prop_map(Row)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 12, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_cut_after_any_byte_of_the_last_record_costs_that_record_only(rows in prop::collection::vec(any_row(), 1..4)) {
        let folder = tempdir().expect("a folder");
        let store = Store::create(folder.path()).expect("a store");
        let mut journal = Journal::create(&store, &header("sweep", "run")).expect("created");
        let entries: Vec<Entry> = rows.into_iter().map(Entry::Result).collect();
        let (last, earlier) = entries.split_last().expect("at least one");
        earlier.iter().for_each(|entry| journal.append(entry).expect("appended"));
        let path = journal.path().to_owned();
        let good = fs::metadata(&path).expect("there").len() as usize;
        journal.append(last).expect("appended");
        drop(journal);
        let whole = fs::read(&path).expect("readable");
        for cut in good..whole.len() {
            fs::write(&path, &whole[..cut]).expect("cut");
            let (mut journal, recovered) = resume(&store);
            prop_assert_eq!(&recovered, &expect(earlier), "cut at {}", cut);
            journal.append(last).expect("appended");
            drop(journal);
            prop_assert_eq!(fs::read(&path).expect("readable"), &whole[..]);
            let tail = path.with_extension("tail");
            let kept = if cut > good { fs::read(&tail).expect("the tail is kept") } else { vec![] };
            prop_assert_eq!(kept, &whole[good..cut]);
        }
        prop_assert_eq!(resume(&store).1, expect(&entries));
    }
}

#[test]
fn a_broken_line_that_is_not_the_cut_last_one_is_named() {
    let check = |line: &str, expected: &str| {
        let folder = tempdir().expect("a folder");
        let store = Store::create(folder.path()).expect("a store");
        let mut journal = Journal::create(&store, &header("sweep", "run")).expect("created");
        let path = journal.path().to_owned();
        journal.append(&sample("a", 0)).expect("appended");
        fs::OpenOptions::new().append(true).open(&path).expect("open").write_all(line.as_bytes()).expect("written");
        journal.append(&sample("a", 1)).expect("appended");
        drop(journal);
        let before = fs::read(&path).expect("readable");
        let error = Journal::resume(&store, "sweep").expect_err("the line is broken");
        assert!(matches!(&error, JournalError::Broken { line: 3, .. }), "{error}");
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().is_some());
        assert_eq!(fs::read(&path).expect("readable"), before, "a broken journal is left alone");
    };
    check("{\"result\":{\"a\":\n", "line 3 is broken: EOF while parsing");
    check("\n", "line 3 is broken");
    check("{\"colour\":{}}\n", "unknown variant `colour`");
    let second = serde_json::to_string(&Entry::Header(header("sweep", "run"))).expect("json");
    check(&format!("{second}\n"), "line 3 is broken: a second header");
}

#[test]
fn a_sweep_has_one_writer() {
    let folder = tempdir().expect("a folder");
    let store = Store::create(folder.path()).expect("a store");
    let journal = Journal::create(&store, &header("sweep", "run")).expect("created");
    for error in [
        Journal::resume(&store, "sweep").expect_err("it is being written"),
        Journal::create(&store, &header("sweep", "run-2")).expect_err("it is being written"),
    ] {
        assert!(matches!(&error, JournalError::Busy { .. }), "{error}");
        assert!(error.to_string().ends_with("run.jsonl`: sweep `sweep` is being written by process 42"), "{error}");
        assert!(error.hint().is_some());
    }
    Journal::create(&store, &header("other", "run-3")).expect("another sweep has its own journal");
    drop(journal);
    let error = Journal::create(&store, &header("sweep", "run-2")).expect_err("it is resumed, not begun again");
    assert!(matches!(&error, JournalError::Begun { .. }), "{error}");
    resume(&store);
}

#[test]
fn of_many_that_begin_the_same_sweep_at_once_one_wins() {
    let folder = tempdir().expect("a folder");
    let store = Store::create(folder.path()).expect("a store");
    let results: Vec<_> = std::thread::scope(|scope| {
        let begin = |writer: usize| {
            let store = &store;
            scope.spawn(move || Journal::create(store, &header("sweep", &format!("run-{writer}"))))
        };
        let writers: Vec<_> = (0..8).map(begin).collect();
        writers.into_iter().map(|writer| writer.join().expect("no panic")).collect()
    });
    assert_eq!(results.iter().filter(|result| result.is_ok()).count(), 1);
}

#[test]
fn a_journal_that_died_within_its_header_is_begun_again() {
    let folder = tempdir().expect("a folder");
    let store = Store::create(folder.path()).expect("a store");
    fs::create_dir_all(store.journal_folder()).expect("a folder");
    fs::write(store.journal_folder().join("run.jsonl"), "{\"header\":{\"schema_ver").expect("written");
    assert!(Journal::resume(&store, "sweep").expect("nothing to resume").is_none());
    drop(Journal::create(&store, &header("sweep", "run")).expect("begun again"));
    assert_eq!(resume(&store).1, expect(&[]));
}

#[test]
fn a_journal_from_the_future_is_refused() {
    let folder = tempdir().expect("a folder");
    let store = Store::create(folder.path()).expect("a store");
    let mut newer = header("sweep", "run");
    newer.schema_version = "9.0".to_owned();
    drop(Journal::create(&store, &newer).expect("created"));
    let error = Journal::resume(&store, "sweep").expect_err("it is newer");
    let ours = tilecast_runs::schema::version_text();
    assert!(error.to_string().ends_with(&format!("schema version `9.0`, this program reads up to `{ours}`")), "{error}");
    assert!(error.hint().is_some());
}

#[test]
fn nan_is_refused_before_it_is_written() {
    let folder = tempdir().expect("a folder");
    let store = Store::create(folder.path()).expect("a store");
    let mut journal = Journal::create(&store, &header("sweep", "run")).expect("created");
    let mut bad = row("run", "a");
    bad.set(col::time_s, f64::NAN);
    let error = journal.append(&Entry::Result(bad)).expect_err("NaN");
    assert_eq!(error.to_string(), "journal record: `time_s` = `NaN`, expected a finite number");
    journal.append(&sample("a", 0)).expect("the journal goes on");
    drop(journal);
    assert_eq!(resume(&store).1, expect(&[sample("a", 0)]));
}

#[test]
fn a_full_disk_loses_nothing_already_measured() {
    let Some(disk) = Tmpfs::mount("size=64k") else { return };
    let store = Store::create(disk.path()).expect("a store");
    let mut journal = Journal::create(&store, &header("sweep", "run")).expect("created");
    let mut entries = Vec::new();
    let error = loop {
        let entry = Entry::Result(row("run", &entries.len().to_string()));
        match journal.append(&entry) {
            Ok(()) => entries.push(entry),
            Err(error) => break error,
        }
        assert!(entries.len() < 1000, "64 KiB are full by now");
    };
    assert!(error.to_string().contains("run.jsonl`: cannot append to it: No space left on device"), "{error}");
    assert!(error.hint().is_some_and(|hint| hint.contains("free some space")));
    drop(journal);
    assert_eq!(resume(&store).1, expect(&entries), "every record that was acknowledged is there, and no part of another");
}
