//! What is measured stays measured: kill -9, Ctrl-C, two sweeps at once.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Stdio};

use crate::workdir::{SMALL, Workdir};

/// Many samples per point, so that there is time to kill in between.
fn slow() -> String {
    SMALL.replace("max_samples = 6", "max_samples = 400\nmin_samples = 400").replace("point_s = 0.05", "point_s = 5")
}

/// Four points, and eight configurations that are refused: the device has one thread.
const REFUSED: &str = r#"
device = "cpu:1t"
[measure]
max_samples = 6
point_s = 0.05
[[sweep]]
family = "gemm_regblock"
problems = [{ m = 48, n = 40, k = 33 }]
knobs = { isa = "portable", tile_m = 48, tile_n = 48, tile_k = [16, 32], micro_m = 4, micro_n = 8, threads = [1, 2, 3] }
"#;

fn start(dir: &Workdir) -> Child {
    let mut command = dir.command(&["sweep", "slow.toml", "-o", "store", "-q"]);
    command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("the sweep starts")
}

fn journal_text(dir: &Workdir) -> String {
    let Ok(entries) = std::fs::read_dir(dir.path("store/journal")) else { return String::new() };
    let files =
        entries.filter_map(Result::ok).map(|entry| entry.path()).filter(|path| path.extension().is_some_and(|e| e == "jsonl"));
    files.map(|path| String::from_utf8_lossy(&std::fs::read(path).unwrap_or_default()).into_owned()).collect()
}

/// Waits until the journal holds `samples` samples; the sweep itself drives this, a generous bound only guards the test.
fn wait_for_samples(dir: &Workdir, child: &mut Child, samples: usize) {
    while journal_text(dir).matches("\"sample\"").count() < samples {
        let ended = child.try_wait().expect("the child can be asked");
        assert!(ended.is_none(), "the sweep ended before it could be interrupted: {ended:?}");
        std::thread::yield_now();
    }
}

/// The journal of the only run, which was sealed.
fn sealed(dir: &Workdir) -> PathBuf {
    let entries = std::fs::read_dir(dir.path("store/journal/sealed")).expect("sealed");
    let journals: Vec<PathBuf> = entries.map(|entry| entry.expect("readable").path()).collect();
    assert_eq!(journals.len(), 1, "{journals:?}");
    journals[0].clone()
}

/// Puts the sealed journal back where it was open, with those of its lines that `kept` says, and with their numbers.
fn reopen(dir: &Workdir, kept: impl Fn(usize, &str) -> bool) {
    let path = sealed(dir);
    let text = std::fs::read_to_string(&path).expect("text");
    let lines = text.split_inclusive('\n').enumerate();
    let text: String = lines.filter(|(number, line)| kept(*number, line)).map(|(_, line)| line).collect();
    std::fs::write(dir.path("store/journal").join(path.file_name().expect("a name")), text).expect("writable");
    std::fs::remove_file(path).expect("removable");
}

/// Removes the sealed rows.
fn unseal(dir: &Workdir) {
    for entry in std::fs::read_dir(dir.path("store")).expect("a store").map(|entry| entry.expect("readable").path()) {
        if !entry.ends_with("journal") {
            std::fs::remove_dir_all(entry).expect("removable");
        }
    }
}

fn signal(child: &Child, signal: &str) {
    let sent =
        std::process::Command::new("sh").args(["-c", &format!("kill {signal} {}", child.id())]).status().expect("kill runs");
    assert!(sent.success());
}

fn experiments(dir: &Workdir, store: &str) -> BTreeSet<String> {
    dir.rows(store).iter().map(|row| row["experiment_id"].as_str().expect("an id").to_owned()).collect()
}

#[test]
fn kill_nine_loses_at_most_the_sample_in_flight_and_the_same_command_resumes() {
    let dir = Workdir::new();
    dir.file("slow.toml", slow());
    let mut child = start(&dir);
    wait_for_samples(&dir, &mut child, 300);
    child.kill().expect("killed");
    child.wait().expect("dead");
    let before = journal_text(&dir).matches("\"sample\"").count();
    dir.run_to(0, &["sweep", "slow.toml", "-o", "store", "-q"]);

    let whole = Workdir::new();
    whole.file("slow.toml", slow());
    whole.run_to(0, &["sweep", "slow.toml", "-o", "store", "-q"]);
    assert_eq!(experiments(&dir, "store"), experiments(&whole, "store"), "the same points as without interruption");
    assert_eq!(dir.rows("store").len(), 4);

    let mut results: BTreeMap<String, usize> = BTreeMap::new();
    let mut samples = 0;
    for line in BufReader::new(std::fs::File::open(sealed(&dir)).expect("opens")).lines() {
        let entry: serde_json::Value = serde_json::from_str(&line.expect("text")).expect("JSON");
        samples += usize::from(entry.get("sample").is_some());
        if let Some(id) = entry.get("result").and_then(|row| row["experiment_id"].as_str()) {
            *results.entry(id.to_owned()).or_default() += 1;
        }
    }
    assert!(results.values().all(|count| *count == 1), "no point was finished twice: {results:?}");
    assert!(samples >= before, "no journaled sample was lost");
    assert!(dir.rows("store").iter().all(|row| row["rounds"] == row["samples"]), "rounds count on");
    let stored: usize = dir.rows("store").iter().map(|row| row["time_samples_s"].as_array().expect("samples").len()).sum();
    assert_eq!(stored, samples, "every journaled sample is in its row, once");
}

#[test]
fn control_c_leaves_a_clean_store_and_the_same_command_resumes() {
    let dir = Workdir::new();
    dir.file("slow.toml", slow());
    let mut child = start(&dir);
    wait_for_samples(&dir, &mut child, 100);
    signal(&child, "-INT");
    assert_eq!(child.wait().expect("ends").code(), Some(1));
    dir.run_to(0, &["runs", "store", "--json"]);
    let end = dir.json(0, &["sweep", "slow.toml", "-o", "store", "-q", "--json"]);
    assert_eq!(end["by_status"]["ok"], 4, "{end}");
}

#[test]
fn control_c_while_a_recommendation_is_measured_is_told_with_what_was_measured_until_then() {
    let dir = Workdir::new();
    dir.file("small.toml", SMALL.replace("m = 48", "m = [40, 48, 56]"));
    dir.run_to(0, &["sweep", "small.toml", "-o", "store", "-q"]);
    dir.run_to(0, &["fit", "store", "-o", "time.model"]);
    let problem = ["--family", "gemm_tiled", "--problem", "m=384,n=384,k=384", "--device", "cpu:1t"];
    let measure = ["--measure", "5", "-o", "store"];
    let mut command = dir.command(&[&["recommend", "time.model"], &problem[..], &measure].concat());
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().expect("it starts");
    wait_for_samples(&dir, &mut child, 1);
    signal(&child, "-INT");
    let ended = child.wait_with_output().expect("ends");
    let said = String::from_utf8_lossy(&ended.stderr);
    assert_eq!(ended.status.code(), Some(1), "{said}");
    assert!(said.contains("interrupted: `store` keeps what was measured"), "{said}");
    let progress: Vec<(&str, &str)> = said.lines().filter_map(|line| line.split_once(" points,")?.0.split_once('/')).collect();
    assert!(!progress.is_empty() && progress.iter().all(|(done, all)| done != all), "not all was measured: {said}");
}

#[test]
fn the_same_sweep_cannot_run_twice_at_once_on_one_store() {
    let dir = Workdir::new();
    dir.file("slow.toml", slow());
    let mut child = start(&dir);
    wait_for_samples(&dir, &mut child, 8);
    let second = dir.run_to(2, &["sweep", "slow.toml", "-o", "store", "-q"]);
    assert!(second.err.contains("hint: "), "{}", second.err);
    signal(&child, "-INT");
    child.wait().expect("ends");
}

#[test]
fn two_different_sweeps_share_a_store() {
    let dir = Workdir::new();
    dir.file("slow.toml", slow());
    dir.file("small.toml", SMALL.replace("m = 48", "m = 56"));
    let mut child = start(&dir);
    wait_for_samples(&dir, &mut child, 8);
    dir.run_to(0, &["sweep", "small.toml", "-o", "store", "-q"]);
    assert!(child.wait().expect("ends").success());
    assert_eq!(experiments(&dir, "store").len(), 8);
}

#[test]
fn a_kill_among_the_refusals_loses_none_of_them() {
    let dir = Workdir::new();
    dir.file("refused.toml", REFUSED);
    let sweep = ["sweep", "refused.toml", "-o", "store", "-q", "--json"];
    let whole = dir.json(0, &sweep)["by_status"].clone();
    assert_eq!(whole, serde_json::json!({ "constraint": 8, "ok": 4 }));
    let rows = experiments(&dir, "store");
    // The header alone, with one refusal, with all of them.
    for lines in [1, 2, 9] {
        reopen(&dir, |number, _| number < lines);
        unseal(&dir);
        assert_eq!(dir.json(0, &sweep)["by_status"], whole, "after {lines} lines");
        assert_eq!(experiments(&dir, "store"), rows, "after {lines} lines");
    }
}

#[test]
fn a_crash_between_the_files_and_the_sealing_is_mended_by_the_same_command() {
    let dir = Workdir::new();
    dir.file("slow.toml", SMALL);
    let sweep = ["sweep", "slow.toml", "-o", "store", "-q", "--json"];
    let first = dir.json(0, &sweep);
    reopen(&dir, |_, _| true);
    let second = dir.json(0, &sweep);
    assert_eq!((&second["run_id"], &second["by_status"]), (&first["run_id"], &first["by_status"]));
    assert_eq!(journal_text(&dir), "", "no journal is open");
    assert!(sealed(&dir).exists());
    assert_eq!(dir.rows("store").len(), 4);
}

#[test]
fn samples_taken_before_a_kill_make_the_row_that_they_would_have_made_without_it() {
    let dir = Workdir::new();
    dir.file("slow.toml", SMALL);
    let sweep = ["sweep", "slow.toml", "-o", "store", "-q"];
    dir.run_to(0, &sweep);
    let facts = |row: &serde_json::Value| {
        let names = ["experiment_id", "samples", "rounds", "time_samples_s", "wall_samples_s", "switches", "contended_share"];
        names.map(|name| row[name].clone())
    };
    let before: Vec<_> = dir.rows("store").iter().map(facts).collect();
    reopen(&dir, |_, line| !line.contains("\"result\""));
    unseal(&dir);
    dir.run_to(0, &sweep);
    let after: Vec<_> = dir.rows("store").iter().map(facts).collect();
    assert_eq!(after.len(), 4);
    for row in &after {
        assert!(before.contains(row), "{row:?} is none of {before:?}");
        assert_eq!(row[1], row[2], "a sample a round");
    }
}
