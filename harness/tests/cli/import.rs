//! Tables into stores and stores into other tools' files, from the command line.

use serde_json::Value;

use crate::workdir::Workdir;

const TABLE: &str = "M,N,K,Tile Size,Execution Time\n512,512,512,8,6.5\n512,512,512,16,5.5\n";

fn store_files(dir: &Workdir) -> Vec<String> {
    let mut files = Vec::new();
    let mut folders = vec![dir.path("store")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).expect("readable") {
            let path = entry.expect("readable").path();
            if path.is_dir() { folders.push(path) } else { files.push(path.display().to_string()) }
        }
    }
    files.sort();
    files
}

#[test]
fn a_table_comes_in_through_a_ready_mapping_or_one_of_the_users() {
    let dir = Workdir::new();
    dir.file("times.csv", TABLE);
    let report = dir.json(0, &["import", "table", "times.csv", "--mapping", "gpperf-tiled-time", "-o", "store", "--json"]);
    assert_eq!((report[0]["rows"].as_u64(), report[0]["by_status"]["ok"].as_u64()), (Some(2), Some(2)));
    dir.file("mine.toml", "name = \"mine\"\nfamily = \"tiles\"\n[columns]\n\"problem.m\" = \"M\"\ntime_s = { from = \"Execution Time\", unit = \"us\" }\n");
    dir.run_to(0, &["import", "table", "times.csv", "--mapping", "mine.toml", "--device", "NVIDIA L4", "-o", "store"]);
    let runs = dir.json(0, &["runs", "store", "--json"]);
    assert_eq!(runs["rows"].as_u64(), Some(4));
    let rows = dir.rows("store");
    let ours: Vec<&Value> = rows.iter().filter(|row| row["source"] == "import:mine").collect();
    assert_eq!((ours.len(), ours[0]["device"].as_str(), ours[0]["time_s"].as_f64()), (2, Some("l4"), Some(6.5e-6)));
}

#[test]
fn importing_again_replaces_also_under_another_device() {
    let dir = Workdir::new();
    dir.file("times.csv", TABLE);
    let import = ["import", "gpperf", "times.csv", "-o", "store"];
    dir.run_to(0, &import);
    let once = store_files(&dir);
    dir.run_to(0, &import);
    assert_eq!(store_files(&dir), once);
    dir.run_to(0, &[&import[..], &["--device", "NVIDIA L4"]].concat());
    let moved = store_files(&dir);
    assert_eq!((moved.len(), moved[0].contains("device=l4")), (1, true), "{moved:?}");
}

#[test]
fn all_files_of_an_import_come_in_or_none() {
    let dir = Workdir::new();
    dir.file("times.csv", TABLE);
    dir.file("cut.csv", "M,N\n1,2\n");
    let said = dir.run_to(2, &["import", "gpperf", "times.csv", "cut.csv", "-o", "store"]);
    assert!(said.err.contains("cut.csv") && said.err.contains("there is no column"), "{}", said.err);
    assert!(!dir.path("store").exists(), "a store made for this import is not left behind");
    dir.run_to(0, &["import", "gpperf", "times.csv", "-o", "store"]);
    let before = store_files(&dir);
    dir.run_to(2, &["import", "gpperf", "times.csv", "cut.csv", "-o", "store"]);
    assert_eq!(store_files(&dir), before);
}

#[test]
fn mappings_that_are_wrong_or_out_of_place_are_named() {
    let dir = Workdir::new();
    dir.file("times.csv", TABLE);
    dir.file("bad.toml", "name = \"mine\"\nfamily = \"f\"\n[columns]\ntime_s = \"Execution Time\"\n");
    for (arguments, words) in [
        (&["table", "times.csv"][..], &["needs a mapping", "neusight"][..]),
        (&["table", "times.csv", "--mapping", "neusigt"], &["unknown mapping `neusigt`", "did you mean `neusight`?"]),
        (&["table", "times.csv", "--mapping", "neusight"], &["there is no column", "`Kernel Name`"]),
        (&["table", "times.csv", "--mapping", "bad.toml"], &["mapping `bad.toml`", "`time_s` has no unit"]),
        (&["gpperf", "times.csv", "--mapping", "neusight"], &["has its own columns", "hint: "]),
    ] {
        let said = dir.run_to(2, &[&["import"], arguments, &["-o", "store"]].concat());
        for word in words {
            assert!(said.err.contains(word), "{arguments:?} should say `{word}`:\n{}", said.err);
        }
    }
}

#[test]
fn a_store_goes_out_in_every_format() {
    let dir = Workdir::new();
    dir.file("times.csv", TABLE);
    dir.run_to(0, &["import", "gpperf", "times.csv", "-o", "store"]);
    for format in ["parquet", "csv", "ndjson", "kernel-tuner", "t4", "nvbench", "bencher"] {
        let report = dir.json(0, &["export", format, "store", "-o", "out.file", "--json"]);
        assert_eq!((report["rows"].as_u64(), report["files"][0].as_str()), (Some(2), Some("out.file")), "{format}");
        assert_eq!(report["warnings"].as_array().map(Vec::len), Some(0), "{format}: nothing is left out");
        assert!(dir.path("out.file").is_file(), "{format}");
    }
    for (arguments, word) in [
        (&["export", "nvbensh", "store", "-o", "x"][..], "did you mean `nvbench`?"),
        (&["export", "csv", "nowhere", "-o", "x"], "nowhere"),
        (&["export", "csv", "store", "-o", "store"], "file `store`"),
    ] {
        let said = dir.run_to(2, arguments);
        assert!(said.err.contains(word), "{}", said.err);
    }
}
