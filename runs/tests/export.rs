//! Round trips: what came from a format goes back to it equal in content, through a store.
#![allow(clippy::print_stderr)] // says what it skips

use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;
use serde_json::Value;
use tempfile::{TempDir, tempdir};
use tilecast_runs::export::{self, export};
use tilecast_runs::frame;
use tilecast_runs::import::{self, Options, import};
use tilecast_runs::row::{Cell, Row};
use tilecast_runs::schema::col;
use tilecast_runs::store::{Read, Store};

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// Through Parquet and back.
fn stored(format: import::Format, path: &Path) -> (TempDir, DataFrame) {
    let folder = tempdir().expect("a folder");
    let imported = import(format, path, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
    let store = Store::create(folder.path().join("store")).expect("a store");
    store.write(&imported.frame, &imported.run_id).expect("written");
    let frame = store.read(Read::default()).expect("readable").frame;
    (folder, frame)
}

fn json(path: &Path) -> Value {
    let bytes = std::fs::read(path).expect("readable");
    let text = if bytes.starts_with(&[0x1f, 0x8b]) {
        let mut text = String::new();
        std::io::Read::read_to_string(&mut flate2::read::MultiGzDecoder::new(bytes.as_slice()), &mut text).expect("a gzip");
        text
    } else {
        String::from_utf8(bytes).expect("text")
    };
    serde_json::from_str(&text).expect("JSON")
}

/// Equal but for the order of members; names the first difference.
fn difference(ours: &Value, theirs: &Value, place: &str) -> Option<String> {
    match (ours, theirs) {
        (Value::Object(a), Value::Object(b)) => {
            let missing = b.keys().find(|name| !a.contains_key(*name)).map(|name| format!("{place}.{name} is missing"));
            let new = a.keys().find(|name| !b.contains_key(*name)).map(|name| format!("{place}.{name} is new"));
            missing.or(new).or_else(|| a.iter().find_map(|(name, value)| difference(value, &b[name], &format!("{place}.{name}"))))
        }
        (Value::Array(a), Value::Array(b)) if a.len() == b.len() => {
            a.iter().zip(b).enumerate().find_map(|(at, (a, b))| difference(a, b, &format!("{place}[{at}]")))
        }
        (a, b) if a == b => None,
        (a, b) => Some(format!("{place}: `{a:.60}`, was `{b:.60}`")),
    }
}

#[test]
fn a_kernel_tuner_cache_comes_back_equal_in_content() {
    let data = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/kernel_tuner"));
    let mut paths = vec![fixture("gemm_rtx_2080_ti.json"), fixture("convolution_a100.json"), fixture("parameters.json")];
    // One whole published cache with failures; the others have the same members.
    let whole = data.join("cur__convolution_milo__A100.json.gz");
    if whole.is_file() {
        paths.push(whole);
    } else {
        eprintln!("skipped: the published Kernel Tuner caches are absent");
    }
    for path in paths {
        let (folder, frame) = stored(import::Format::KernelTuner, &path);
        let out = folder.path().join("cache.json");
        assert_eq!(export(&frame, export::Format::KernelTuner, &out).expect("a cache").files, std::slice::from_ref(&out));
        assert_eq!(difference(&json(&out), &json(&path), ""), None, "{}", path.display());
    }
}

#[test]
fn t4_results_come_back_equal_in_content() {
    for path in [fixture("t4.json"), fixture("t4_parameters.json")] {
        let (folder, frame) = stored(import::Format::T4, &path);
        let out = folder.path().join("results.json");
        export(&frame, export::Format::T4, &out).expect("results");
        assert_eq!(difference(&json(&out), &json(&path), ""), None, "{}", path.display());
    }
}

/// In one store a column of knobs has one type, whatever each file had.
#[test]
fn caches_whose_parameters_differ_in_type_come_back_from_one_store() {
    let folder = tempdir().expect("a folder");
    let text = std::fs::read_to_string(fixture("parameters.json")).expect("readable");
    // In the second file `tile` is a word throughout.
    let words = text.replace("\"tile\": 4", "\"tile\": \"wide\"").replace("\"4,", "\"wide,").replace("[4, 8]", "[\"wide\"]");
    let store = Store::create(folder.path().join("store")).expect("a store");
    for (name, text) in [("a.json", &text), ("b.json", &words)] {
        let path = folder.path().join(name);
        std::fs::write(&path, text).expect("written");
        let imported = import(import::Format::KernelTuner, &path, &Options::default()).unwrap_or_else(|error| panic!("{error}"));
        store.write(&imported.frame, &imported.run_id).expect("written");
    }
    let frame = store.read(Read::default()).expect("readable").frame;
    let exported = export(&frame, export::Format::KernelTuner, &folder.path().join("out")).expect("a folder of caches");
    let found: Vec<Value> = exported.files.iter().map(|path| json(path)).collect();
    assert_eq!(found.len(), 2);
    for expected in ["a.json", "b.json"].map(|name| json(&folder.path().join(name))) {
        let nearest: Vec<String> = found.iter().filter_map(|found| difference(found, &expected, "")).collect();
        assert_eq!(nearest.len(), 1, "{nearest:?}");
    }
}

#[test]
fn nvbench_comes_back_equal_in_content_with_its_sidecars() {
    let path = fixture("nvbench.json");
    let (folder, frame) = stored(import::Format::Nvbench, &path);
    let out = folder.path().join("nvbench.json");
    let files = export(&frame, export::Format::Nvbench, &out).expect("a file").files;
    assert_eq!(difference(&json(&out), &json(&path), ""), None);
    assert_eq!(files.len(), 4);
    for sidecar in ["nvbench.json-bin/0.bin", "nvbench.json-bin/1.bin", "nvbench.json-freqs-bin/0.bin"] {
        let read = |root: &Path| std::fs::read(root.join(sidecar)).expect(sidecar);
        assert_eq!(read(folder.path()), read(&fixture("")), "{sidecar}");
    }
}

#[test]
fn rows_of_one_tool_become_files_of_another_and_mean_the_same() {
    let (folder, frame) = stored(import::Format::KernelTuner, &fixture("convolution_a100.json"));
    let before = frame::to_rows(&frame).expect("rows");
    for (format, back) in [(export::Format::T4, import::Format::T4), (export::Format::Nvbench, import::Format::Nvbench)] {
        let out = folder.path().join(format!("{}.json", format.name()));
        export(&frame, format, &out).expect("exported");
        let after = frame::to_rows(&import(back, &out, &Options::default()).expect("ours is readable").frame).expect("rows");
        assert_eq!(after.len(), before.len(), "{}", format.name());
        for (after, before) in after.iter().zip(&before) {
            assert_eq!(after.text(col::device), before.text(col::device));
            assert_eq!(after.text(col::status) == Some("ok"), before.text(col::status) == Some("ok"));
            let (a, b) = (after.real(col::time_s), before.real(col::time_s));
            // nvbench's sidecars are in single precision.
            assert!(a.zip(b).is_none_or(|(a, b)| (a / b - 1.0).abs() < 1e-6) && a.is_some() == b.is_some(), "{a:?} {b:?}");
            assert_eq!(after.real("knob.block_size_x"), before.real("knob.block_size_x"));
        }
    }
}

/// Rows of one configuration under two kernels, hot and cold, measured twice, and a drift probe.
fn alike() -> DataFrame {
    let imported = import(import::Format::T4, &fixture("t4.json"), &Options::default()).expect("results");
    let one = frame::to_rows(&imported.frame).expect("rows").remove(0);
    let row = |kernel: &str, mode: &str, time: f64| {
        let mut row = one.clone();
        row.set(col::source, "cuda").set(col::kernel, kernel).set(col::cache_mode, mode).set(col::time_s, time);
        [col::extra, col::time_samples_s, col::time_reported_s].iter().for_each(|name| _ = row.0.remove(*name));
        row
    };
    let mut rows = vec![row("a", "hot", 1.0), row("b", "hot", 2.0), row("a", "cold", 3.0), row("a", "hot", 4.0)];
    rows.push(row("a", "hot", 5.0));
    rows[4].set(col::role, "reference");
    frame::from_rows(&rows).expect("rows fit")
}

#[test]
fn no_row_takes_anothers_place_unsaid() {
    let folder = tempdir().expect("a folder");
    let times = |file: &Path, entries: &str| -> Vec<(String, f64)> {
        let root = json(file);
        let kernel = root["kernel_name"].as_str().or(root["tilecast"]["kernel_name"].as_str()).expect("a kernel").to_owned();
        let all: Vec<Value> = match &root[entries] {
            Value::Object(entries) => entries.values().cloned().collect(),
            other => other.as_array().expect("results").clone(),
        };
        let time = |entry: &Value| entry["time"].as_f64().or(entry["measurements"][0]["value"].as_f64()).expect("a time");
        all.iter().map(|entry| (kernel.clone(), time(entry) / 1e3)).collect()
    };
    for (format, entries, rows, warnings) in [(export::Format::KernelTuner, "cache", 3, 2), (export::Format::T4, "results", 4, 1)]
    {
        let out = folder.path().join(format.name());
        let exported = export(&alike(), format, &out).expect("a folder of files");
        assert_eq!((exported.files.len(), exported.rows, exported.warnings.len()), (3, rows, warnings), "{exported:?}");
        assert!(exported.warnings[0].starts_with("1 of 5 rows are drift probes or baselines"), "{exported:?}");
        let mut all: Vec<(String, f64)> = exported.files.iter().flat_map(|file| times(file, entries)).collect();
        all.sort_by(|a, b| a.1.total_cmp(&b.1));
        let [a, b] = ["a", "b"].map(str::to_owned);
        let mut expected = vec![(a.clone(), 1.0), (b, 2.0), (a.clone(), 3.0), (a, 4.0)];
        if format == export::Format::KernelTuner {
            assert!(exported.warnings[1].contains("1 rows repeat a configuration"), "{exported:?}");
            expected.remove(0);
        }
        assert_eq!(all, expected);
    }
    for (format, rows) in [(export::Format::Nvbench, 4), (export::Format::Csv, 5), (export::Format::Bencher, 5)] {
        assert_eq!(export(&alike(), format, &folder.path().join(format.name())).expect("a file").rows, rows, "{}", format.name());
    }
}

#[test]
fn kernels_whose_names_follow_from_the_configuration_share_a_file() {
    let (folder, frame) = stored(import::Format::Cutlass, &fixture("cutlass.gemm.csv"));
    let mut rows = frame::to_rows(&frame).expect("rows");
    rows.truncate(3);
    // Its labels are those of the first, which it contradicts: a space of its own.
    rows.remove(1);
    rows.iter_mut().for_each(|row| _ = row.set(col::problem_id, "one"));
    let out = folder.path().join("results.json");
    let exported = export(&frame::from_rows(&rows).expect("rows fit"), export::Format::T4, &out).expect("results");
    assert_eq!(exported.files, std::slice::from_ref(&out));
    let back = frame::to_rows(&import(import::Format::T4, &out, &Options::default()).expect("ours").frame).expect("rows");
    let kernels = |rows: &[Row]| rows.iter().map(|row| row.text(col::kernel).map(str::to_owned)).collect::<Vec<_>>();
    assert_eq!(kernels(&back), kernels(&rows), "each result keeps its own");
}

/// What nvbench's own `nvbench_compare.py` (of the `cuda-bench` package, 0.3) reads of a file.
#[test]
fn our_nvbench_files_hold_what_its_compare_script_reads() {
    let (folder, frame) = stored(import::Format::UciSgemm, &fixture("sgemm_product.csv"));
    let out = folder.path().join("runs.json");
    export(&frame, export::Format::Nvbench, &out).expect("a file");
    let root = json(&out);
    assert_eq!(root["meta"]["version"]["json"]["string"], "1.0.0");
    assert_eq!((root["devices"][0]["id"].as_i64(), root["devices"][0]["name"].as_str()), (Some(0), Some("GeForce GTX 680")));
    let benchmark = &root["benchmarks"][0];
    assert_eq!((benchmark["name"].as_str(), &benchmark["devices"]), (Some("xgemm"), &serde_json::json!([0])));
    let axes = benchmark["axes"].as_array().expect("axes");
    assert!(axes.iter().all(|axis| axis["name"].is_string() && axis["flags"].is_string() && axis["type"].is_string()));
    for state in benchmark["states"].as_array().expect("states") {
        assert!(state["name"].as_str().expect("a name").starts_with("Device=0 m=2048"));
        assert_eq!((state["device"].as_i64(), state["is_skipped"].as_bool()), (Some(0), Some(false)));
        for value in state["axis_values"].as_array().expect("values") {
            let axis = axes.iter().find(|axis| axis["name"] == value["name"]).expect("every value is of an axis");
            assert_eq!(axis["type"], value["type"]);
            assert!(value["value"].is_string(), "64-bit numbers are strings");
        }
        for tag in ["nv/cold/time/gpu/mean", "nv/cold/time/gpu/stdev/relative"] {
            let summary =
                state["summaries"].as_array().and_then(|all| all.iter().find(|summary| summary["tag"] == tag)).expect(tag);
            let data = &summary["data"][0];
            assert_eq!((data["name"].as_str(), data["type"].as_str()), (Some("value"), Some("float64")), "{tag}");
            assert!(data["value"].as_str().and_then(|text| text.parse::<f64>().ok()).is_some_and(f64::is_finite), "{tag}");
        }
    }
}

#[test]
fn plain_tables_hold_every_row_and_column() {
    let (folder, frame) = stored(import::Format::Nvbench, &fixture("nvbench.json"));
    let rows = frame::to_rows(&frame).expect("rows");
    let out = folder.path().join("runs.ndjson");
    export(&frame, export::Format::Ndjson, &out).expect("lines");
    let text = std::fs::read_to_string(&out).expect("readable");
    let read: Vec<Row> = text.lines().map(|line| serde_json::from_str(line).expect("a row")).collect();
    let widened = |rows: &[Row]| frame::to_rows(&frame::from_rows(rows).expect("a frame")).expect("rows");
    assert_eq!(widened(&read), widened(&rows));
    let out = folder.path().join("runs.csv");
    export(&frame, export::Format::Csv, &out).expect("a table");
    let mut table = csv::Reader::from_path(&out).expect("a table");
    let samples = table.headers().expect("a header").iter().position(|name| name == col::time_samples_s).expect("samples");
    let records: Vec<csv::StringRecord> = table.records().collect::<Result<_, _>>().expect("records");
    assert_eq!(records.len(), rows.len());
    for (record, row) in records.iter().zip(&rows) {
        let list: Option<Vec<f64>> = serde_json::from_str(&record[samples]).ok();
        let expected =
            row.0.get(col::time_samples_s).map(|cell| if let Cell::Reals(values) = cell { values.clone() } else { Vec::new() });
        assert_eq!(list, expected);
    }
    // A Parquet export lies in a store as any other file does.
    let store = Store::create(folder.path().join("other")).expect("a store");
    export(&frame, export::Format::Parquet, &store.root().join("all.parquet")).expect("a file");
    assert_eq!(frame::to_rows(&store.read(Read::default()).expect("readable").frame).expect("rows"), rows);
}

#[test]
fn bencher_gets_nanoseconds_joules_and_watts() {
    let (folder, frame) = stored(import::Format::Gpperf, &fixture("gpperf.csv"));
    let out = folder.path().join("metrics.json");
    export(&frame, export::Format::Bencher, &out).expect("metrics");
    let root = json(&out);
    let root = root.as_object().expect("benchmarks by name");
    assert_eq!(root.len(), 3, "each label is a benchmark");
    let (name, first) = root.iter().next().expect("one");
    assert!(name.starts_with("gemm_cutlass m=512 n=512 k=512") && name.ends_with("on rtx-4070"), "{name}");
    assert!((first["latency"]["value"].as_f64().expect("ns") - 40_000.0).abs() < 1e-6);
    assert_eq!((first["energy"]["value"].as_f64(), first["power"]["value"].as_f64()), (Some(0.003), Some(70.0)));
    assert!(first["latency"].get("lower_value").is_none(), "no interval is invented");
}

#[test]
fn what_cannot_be_written_says_why() {
    let (folder, frame) = stored(import::Format::T4, &fixture("t4.json"));
    let empty = frame.slice(0, 0);
    for format in export::Format::ALL {
        let error = export(&empty, format, &folder.path().join("x")).expect_err("no rows");
        assert_eq!(error.to_string(), format!("format `{}`: there are no rows", format.name()));
        assert!(error.hint().is_some());
    }
    let failed = frame.slice(2, 1);
    let error = export(&failed, export::Format::Bencher, &folder.path().join("x")).expect_err("nothing measured");
    assert!(error.to_string().contains("no row of status `ok`"), "{error}");
    let error = export(&frame, export::Format::Csv, Path::new("/proc/none/x.csv")).expect_err("no such folder");
    assert!(error.to_string().starts_with("file `/proc/none/x.csv`: cannot write it"), "{error}");
}
