//! What is wrong is said: exit code 2, subject, value, limit, hint; nothing is lost.

use crate::workdir::{SMALL, Workdir};

/// Runs a spec with one line replaced and checks the words of the error.
fn check_spec(from: &str, to: &str, words: &[&str]) {
    let dir = Workdir::new();
    assert!(SMALL.contains(from), "`{from}` is not in the spec");
    dir.file("small.toml", SMALL.replace(from, to));
    let said = dir.run_to(2, &["sweep", "small.toml", "-o", "store", "-q"]);
    for word in words.iter().chain(&["error: ", "hint: "]) {
        assert!(said.err.contains(word), "`{from}` → `{to}` should say `{word}`:\n{}", said.err);
    }
    assert!(!dir.path("store").join("device=").exists());
}

#[test]
fn a_wrong_spec_names_the_key_the_value_and_the_limit() {
    for (from, to, words) in [
        ("knobs = { tile", "knobs = { tiel_m", &["unknown knob `tiel_m`", "hint: "][..]),
        ("tile = [4, 8, 16, 64]", "tiles = [4]", &["unknown knob `tiles`", "did you mean `tile`?"]),
        ("gemm_tiled", "gemm_tilled", &["unknown family `gemm_tilled`", "did you mean `gemm_tiled`?"]),
        ("m = 48", "mm = 48", &["unknown axis `mm`", "did you mean `m`?"]),
        ("name = \"small\"", "nam = \"small\"", &["unknown key `nam`", "did you mean `name`?"]),
        ("max_samples = 6", "max_sample = 6", &["unknown key `max_sample`", "did you mean `max_samples`?"]),
        ("m = 48", "m = 0", &["`m=0`", "from 1 to"]),
        ("m = 48", "m = -3", &["`m = -3`", "negative"]),
        ("m = 48", "m = 9223372036854775807", &["`m=9223372036854775807`", "from 1 to"]),
        ("m = 48", "m = \"many\"", &["`m=many`"]),
        ("m = 48", "m = []", &["`m` is an empty list"]),
        ("tile = [4, 8, 16, 64]", "tile = []", &["`tile` is an empty list"]),
        ("tile = [4, 8, 16, 64]", "tile = [0]", &["`tile=0`", "from 1 to"]),
        ("problems = [{ m = 48, n = 40, k = 33 }]", "problems = []", &["`problems` is an empty list"]),
        ("cpu:1t", "cpu:0t", &["cpu:0t", "hint: "]),
        ("cpu:1t", "cpu:100000t", &["100000", "hint: "]),
        ("cpu:1t", "gpu", &["unknown device `gpu`", "hint: "]),
        ("cpu:1t", "cuda:99", &["cuda:99", "hint: "]),
        ("max_samples = 6", "max_samples = 0", &["`max_samples = 0`", "from 3"]),
        ("max_samples = 6", "max_noise = -0.5", &["`max_noise = -0.5`", "above 0"]),
        ("max_samples = 6", "max_samples = 6\nmin_samples = 7", &["`min_samples = 7` is above `max_samples = 6`"]),
        ("[[sweep]]", "[[swep]]", &["unknown key `swep`", "did you mean `sweep`?"]),
        ("[measure]", "[measure", &["line 4 is not TOML"]),
    ] {
        check_spec(from, to, words);
    }
}

#[test]
fn sizes_that_overflow_or_outgrow_memory_are_refused_before_anything_runs() {
    let dir = Workdir::new();
    dir.file("huge.toml", SMALL.replace("m = 48, n = 40, k = 33", "m = 4000000000, n = 4000000000, k = 4000000000"));
    let said = dir.run_to(2, &["sweep", "huge.toml", "-o", "store", "-q"]);
    assert!(said.err.contains("=4000000000`") && said.err.contains("from ") && said.err.contains("hint: "), "{}", said.err);
}

#[test]
fn a_wrong_command_line_says_what_is_known() {
    let dir = Workdir::new();
    dir.file("small.toml", SMALL);
    dir.file("file", "not a folder");
    std::fs::create_dir(dir.path("folder")).expect("writable");
    dir.run_to(0, &["sweep", "small.toml", "-o", "measured", "-q", "--axis", "n=40,44"]);
    for (arguments, words) in [
        (&["sweap"][..], &["sweap", "sweep"][..]),
        (&["sweep", "small.toml"], &["--out"]),
        (&["sweep", "small.toml", "-o", "store", "--max-nois", "0.1"], &["--max-nois", "--max-noise"]),
        (&["sweep", "missing.toml", "-o", "store"], &["`missing.toml`", "hint: "]),
        (&["sweep", "small.toml", "-o", "file"], &["file", "folder"]),
        (&["sweep", "small.toml", "-o", "store", "--axis", "q=1"], &["unknown axis or knob `q`"]),
        (&["sweep", "small.toml", "-o", "store", "--axis", "m"], &["has no `=`"]),
        (&["sweep", "small.toml", "-o", "store", "--axis", "tile=0"], &["`tile=0`"]),
        (&["sweep", "small.toml", "-o", "store", "--fault", "melt@tile=8"], &["unknown fault `melt`"]),
        (&["plan", "small.toml", "--min-samples", "0"], &["`--min-samples 0` is not an integer from 3 to", "hint: "]),
        (&["plan", "small.toml", "--max-samples", "0", "--min-samples", "0"], &["samples 0`", "from 3 to", "hint: "]),
        (&["plan", "small.toml", "--max-samples", "2000000"], &["`--max-samples 2000000`", "to 1000000", "hint: "]),
        (&["plan", "small.toml", "--max-noise", "nan"], &["`--max-noise NaN`", "above 0 and at most 1", "hint: "]),
        (&["plan", "small.toml", "--max-noise", "inf"], &["`--max-noise inf`", "above 0 and at most 1", "hint: "]),
        (&["plan", "small.toml", "--max-noise=-1"], &["`--max-noise -1`", "above 0 and at most 1", "hint: "]),
        (&["plan", "small.toml", "--max-noise", "0"], &["`--max-noise 0`", "above 0 and at most 1", "hint: "]),
        (&["families", "gemm"], &["unknown family `gemm`", "hint: "]),
        (&["devices", "--jsn"], &["--jsn"]),
        (&["runs", "nowhere"], &["nowhere"]),
        (&["plan", "small.toml", "--device", "cpu:zt"], &["cpu:zt"]),
        (&["import", "kernel-tunr", "x.json", "-o", "store"], &["kernel-tunr", "kernel-tuner"]),
        (&["import", "kernel-tuner", "missing.json", "-o", "store"], &["missing.json"]),
        (&["evaluate", "nowhere"], &["nowhere"]),
        (&["fit", "nowhere", "-o", "model"], &["nowhere"]),
        (&["recommend", "missing.model", "--family", "gemm_tiled", "--problem", "m=64,n=64,k=64"], &["missing.model"]),
        (&["predict", "small.toml", "small.toml"], &["small.toml", "hint: "]),
        (&["report", "nowhere", "-o", "page.html"], &["nowhere"]),
        (&["evaluate", "measured", "--split", "rows", "--folds", "1000"], &["folds is 1000", "2 to 8"]),
        (&["fit", "measured", "-o", "folder"], &["`folder` cannot be written", "directory"]),
        (&["report", "measured", "-o", "folder"], &["`folder` cannot be written"]),
        (&["fit", "measured", "-o", "file/model"], &["`file/model` cannot be written"]),
        (&["predict", "folder", "small.toml"], &["`folder`"]),
    ] {
        let said = dir.run_to(2, arguments);
        // Words that clap does not know it answers itself, with the usage.
        let advice = if said.err.contains("For more information, try '--help'") { "Usage: " } else { "hint: " };
        for word in words.iter().chain(&[advice]) {
            assert!(said.err.contains(word), "tilecast {} should say `{word}`:\n{}", arguments.join(" "), said.err);
        }
    }
}

#[test]
fn an_import_that_cannot_be_read_says_why_and_leaves_the_store_as_it_was() {
    let dir = Workdir::new();
    dir.file("fake.json.gz", "this is no gzip");
    dir.file("empty.json", "");
    dir.file("list.json", "[1, 2, 3]");
    for (file, word) in [("fake.json.gz", "gz"), ("empty.json", "empty"), ("list.json", "list.json")] {
        let said = dir.run_to(2, &["import", "kernel-tuner", file, "-o", "store"]);
        assert!(said.err.contains(word) && said.err.contains("hint: "), "{file}: {}", said.err);
    }
    assert!(!dir.path("store").exists() || std::fs::read_dir(dir.path("store")).expect("readable").count() == 0);
}

#[test]
fn a_truncated_store_file_is_named_and_the_others_stay_readable() {
    let dir = Workdir::new();
    dir.file("small.toml", SMALL);
    dir.run_to(0, &["sweep", "small.toml", "-o", "store", "-q"]);
    let file = find_parquet(&dir.path("store"));
    let bytes = std::fs::read(&file).expect("readable");
    std::fs::write(&file, &bytes[..bytes.len() / 2]).expect("writable");
    let said = dir.run_to(2, &["runs", "store"]);
    assert!(said.err.contains(".parquet") && said.err.contains("hint: "), "{}", said.err);
}

#[test]
fn a_model_that_does_not_fit_on_the_disk_leaves_nothing_behind() {
    let dir = Workdir::new();
    dir.file("small.toml", SMALL);
    dir.run_to(0, &["sweep", "small.toml", "-o", "store", "-q"]);
    let script = format!("trap '' XFSZ; ulimit -f 1; exec {} fit store -o x.model", env!("CARGO_BIN_EXE_tilecast"));
    let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(dir.path("")).output().expect("sh runs");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("`x.model` cannot be written") && err.contains("hint: "), "{err}");
    let left: Vec<_> =
        std::fs::read_dir(dir.path("")).expect("readable").map(|entry| entry.expect("an entry").file_name()).collect();
    assert!(left.iter().all(|name| !name.to_string_lossy().contains("x.model")), "{left:?}");
}

#[test]
fn a_store_from_the_future_is_refused_with_both_versions() {
    let dir = Workdir::new();
    dir.file("small.toml", SMALL.replace("max_samples = 6", "max_samples = 400\nmin_samples = 400"));
    std::fs::create_dir_all(dir.path("store/journal")).expect("writable");
    let header = r#"{"header":{"schema_version":"9.0","sweep_id":"x","run_id":"r","spec_text":"","spec_name":"","device":"d","started_at":"","points":1,"meta":{}}}"#;
    dir.file("store/journal/r.jsonl", format!("{header}\n"));
    let said = dir.run_to(2, &["runs", "store"]);
    assert!(said.err.contains("`9.0`") && said.err.contains(&tilecast_runs::schema::version_text()), "{}", said.err);
}

#[test]
fn a_full_disk_stops_the_sweep_and_keeps_what_was_measured() {
    let dir = Workdir::new();
    dir.file(
        "small.toml",
        SMALL.replace("max_samples = 6", "max_samples = 400\nmin_samples = 400").replace("point_s = 0.05", "point_s = 5"),
    );
    // A limit on file size stands in for a full disk: writes beyond it fail in the same place.
    let script = format!("trap '' XFSZ; ulimit -f 24; exec {} sweep small.toml -o store -q", env!("CARGO_BIN_EXE_tilecast"));
    let output = std::process::Command::new("sh").args(["-c", &script]).current_dir(dir.path("")).output().expect("sh runs");
    let err = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{err}");
    assert!(err.contains("journal") || err.contains(".jsonl"), "{err}");
    let end = dir.json(0, &["sweep", "small.toml", "-o", "store", "-q", "--json"]);
    assert_eq!(end["by_status"]["ok"], 4, "{end}");
}

fn find_parquet(folder: &std::path::Path) -> std::path::PathBuf {
    let mut folders = vec![folder.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("readable").map(|entry| entry.expect("an entry").path()) {
            if entry.is_dir() {
                folders.push(entry);
            } else if entry.extension().is_some_and(|extension| extension == "parquet") {
                return entry;
            }
        }
    }
    panic!("the store holds no Parquet file")
}
