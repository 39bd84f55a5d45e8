//! Kernel Tuner caches become runs, whatever state they are in.
#![allow(clippy::print_stderr)] // says what it skips

use std::collections::BTreeMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};

use flate2::{Compression, write::GzEncoder};
use tempfile::{TempDir, tempdir};
use tilecast_runs::frame;
use tilecast_runs::import::{Format, ImportError, Imported, Limits, Options, import};
use tilecast_runs::row::{Cell, Row};
use tilecast_runs::schema::col;

fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

fn imported(path: &Path) -> Imported {
    import(Format::KernelTuner, path, &Options::default()).expect("it is a cache")
}

fn rows(imported: &Imported) -> Vec<Row> {
    frame::to_rows(&imported.frame).expect("rows")
}

fn file(name: &str, bytes: impl AsRef<[u8]>) -> (TempDir, PathBuf) {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join(name);
    fs::write(&path, bytes).expect("written");
    (folder, path)
}

/// A cache of one parameter `a` with the given entries.
fn cache(entries: &str) -> String {
    format!(
        r#"{{"device_name": "NVIDIA TITAN RTX", "kernel_name": "add", "problem_size": 1000, "tune_params_keys": ["a"], "tune_params": {{"a": [1, 2]}}, "cache": {{{entries}}}}}"#
    )
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(bytes).expect("packed");
    encoder.finish().expect("packed")
}

#[test]
fn a_gemm_cache_becomes_runs_in_si_units() {
    let imported = imported(&fixture("gemm_rtx_2080_ti.json"));
    let rows = rows(&imported);
    assert_eq!((rows.len(), imported.repaired), (4, None));
    let first = &rows[0];
    let check = |name: &str, expected: Cell| assert_eq!(first.0.get(name), Some(&expected), "{name}");
    check(col::source, "import:kernel-tuner".into());
    check(col::source_file, "gemm_rtx_2080_ti.json".into());
    check(col::device, "rtx-2080-ti".into());
    check(col::device_isa, "sm_75".into());
    check(col::family, "xgemm".into());
    check(col::problem, "xgemm m=4096 n=4096 k=4096 f32".into());
    check("problem.k", Cell::Int(4096));
    check("knob.MWG", Cell::Int(16));
    check(
        col::config,
        "MWG=16 NWG=16 KWG=32 MDIMC=8 NDIMC=8 MDIMA=8 NDIMB=8 KWI=2 VWM=1 VWN=1 STRM=0 STRN=0 SA=0 SB=0 PRECISION=32".into(),
    );
    check(col::useful_flop, Cell::Real(2.0 * 4096f64.powi(3)));
    check(col::compulsory_bytes, Cell::Real(3.0 * 4.0 * 4096f64.powi(2)));
    check(col::status, "ok".into());
    check(col::time_statistic, "median".into());
    check(col::samples, Cell::Int(32));
    check("roof.dram_bytes_per_s", Cell::Real(616e9));
    check(col::energy_source, "unavailable".into());
    let real = |name: &str| first.real(name).expect(name);
    assert!((real(col::time_reported_s) - 60.880553e-3).abs() < 1e-12);
    assert!((real(col::time_min_s) - 59.962016e-3).abs() < 1e-12);
    assert!((real(col::prepare_s) - 2.872779034078121e-3).abs() < 1e-15);
    assert!(real(col::time_min_s) <= real(col::time_q1_s) && real(col::time_q1_s) <= real(col::time_s));
    assert!(real(col::time_s) <= real(col::time_q3_s) && real(col::noise) > 0.0);
    let Some(Cell::Reals(samples)) = first.0.get(col::time_samples_s) else { panic!("samples are kept") };
    assert!((samples[0] - 59.962016e-3).abs() < 1e-12 && (samples[1] - 60.598496e-3).abs() < 1e-12, "in the order taken");
    let extra: serde_json::Value = serde_json::from_str(first.text(col::extra).expect("extra")).expect("json");
    assert_eq!((extra["roof_source"].as_str(), extra["GFLOP/s"].as_f64()), (Some("datasheet"), Some(2258.069303411222)));
    assert!(imported.warnings.iter().any(|text| text.contains("`k` = 4096 is not in the file")), "{:?}", imported.warnings);
}

#[test]
fn failed_configurations_stay_rows() {
    let imported = imported(&fixture("convolution_a100.json"));
    let rows = rows(&imported);
    let by_status = |status: &str| rows.iter().filter(|row| row.text(col::status) == Some(status)).collect::<Vec<_>>();
    assert_eq!((by_status("ok").len(), by_status("compile_error").len(), by_status("runtime_error").len()), (2, 1, 1));
    let failed = by_status("compile_error")[0];
    assert_eq!(failed.text(col::reason), Some("kernel tuner reports `CompilationFailedConfig`"));
    assert_eq!(failed.real(col::time_s), None);
    assert!(failed.real("knob.block_size_x").is_some());
    assert_eq!(rows[0].text(col::device), Some("a100-pcie-40gb"));
    assert_eq!(rows[0].text(col::measured_at), Some("2023-12-22T09:54:05.502007Z"));
    assert_eq!((rows[0].real("problem.size_x"), rows[0].real("problem.size_y")), (Some(4096.0), Some(4096.0)));
    assert_eq!(rows[0].real(col::useful_flop), None, "work of a convolution is not known");
}

#[test]
fn the_same_file_gives_the_same_ids_and_each_entry_its_own() {
    let path = fixture("gemm_rtx_2080_ti.json");
    let (once, again) = (imported(&path), imported(&path));
    assert_eq!(once.run_id, again.run_id);
    assert_eq!(rows(&once), rows(&again));
    for name in [col::experiment_id, col::config_id] {
        let mut ids = frame::texts(&once.frame, name).expect("ids");
        ids.sort();
        ids.dedup();
        assert_eq!(ids.len(), 4, "{name}");
    }
}

#[test]
fn every_state_of_an_entry_has_a_status() {
    let check = |entry: &str, status: &str, reason: Option<&str>| {
        let (_folder, path) = file("add.json", cache(&format!(r#""1": {entry}"#)));
        let rows = rows(&imported(&path));
        assert_eq!(rows.len(), 1, "{entry}");
        assert_eq!(rows[0].text(col::status), Some(status), "{entry}");
        assert_eq!(rows[0].text(col::reason), reason, "{entry}");
        assert_eq!(rows[0].real("knob.a"), Some(1.0), "the parameter is in the entry or in its key");
        assert_eq!(rows[0].real(col::time_s).is_some(), status == "ok", "{entry}");
    };
    check(r#"{"a": 1, "time": 2.0, "times": [2.0, 3.0]}"#, "ok", None);
    check(r#"{"a": 1, "time": 2.0}"#, "ok", None);
    check(r#"{"time": 2, "times": []}"#, "ok", None);
    check(r#"{"times": [2.0]}"#, "ok", None);
    check(r#"{"time": "InvalidConfig"}"#, "constraint", Some("kernel tuner reports `InvalidConfig`"));
    check(r#"{"time": "RuntimeFailedConfig"}"#, "runtime_error", Some("kernel tuner reports `RuntimeFailedConfig`"));
    check(
        r#"{"time": 5.0, "__error__": "CompilationFailedConfig"}"#,
        "compile_error",
        Some("kernel tuner reports `CompilationFailedConfig`"),
    );
    check(r#"{"time": NaN, "times": [1.0]}"#, "runtime_error", Some("time = `NaN` ms, expected a positive finite number"));
    check(
        r#"{"time": 1.0, "times": [1.0, NaN]}"#,
        "runtime_error",
        Some("sample 1 = `NaN` ms, expected a positive finite number"),
    );
    check(
        r#"{"time": 1.0, "times": [Infinity]}"#,
        "runtime_error",
        Some("sample 0 = `Infinity` ms, expected a positive finite number"),
    );
    check(r#"{"time": -1.0}"#, "runtime_error", Some("time = `-1.0` ms, expected a positive finite number"));
    check(r#"{"time": 0}"#, "runtime_error", Some("time = `0` ms, expected a positive finite number"));
    check(r#"{"time": 1e20}"#, "runtime_error", Some("time = `1e+20` ms, expected a positive finite number"));
    check(r#"{"time": null}"#, "runtime_error", Some("the entry has no time"));
    check("7", "runtime_error", Some("the entry has no time"));
}

#[test]
fn warnings_name_cold_first_samples_and_unverified_rows() {
    let check = |entry: &str, expected: Option<&str>| {
        let (_folder, path) = file("add.json", cache(&format!(r#""1": {entry}"#)));
        assert_eq!(rows(&imported(&path))[0].text(col::warnings), expected, "{entry}");
    };
    check(r#"{"time": 1.0, "times": [1.4, 1.0, 1.0], "verification_time": 3.0}"#, None);
    check(r#"{"time": 1.0, "times": [1.6, 1.0, 1.0], "verification_time": 3.0}"#, Some("cold-first-sample"));
    check(r#"{"time": 1.0, "times": [1.6, 1.0, 1.0], "verification_time": 0}"#, Some("cold-first-sample,not-verified-by-source"));
}

#[test]
fn energy_is_taken_where_its_unit_is_certain() {
    let check = |metrics: &str, expected: (Option<f64>, Option<f64>, &str)| {
        let (_folder, path) = file("add.json", cache(&format!(r#""1": {{"time": 100.0, {metrics}}}"#)));
        let row = rows(&imported(&path)).remove(0);
        let found = (row.real(col::energy_j), row.real(col::power_w), row.text(col::energy_source).expect("always said"));
        assert_eq!(found, expected, "{metrics}");
        let extra = row.text(col::extra).expect("roof source").contains("nvml_");
        assert_eq!(extra, expected.2 == "unavailable", "{metrics}");
    };
    check(r#""nvml_energy": 10.0, "nvml_power": 102.0"#, (Some(10.0), Some(102.0), "import"));
    check(r#""nvml_energy": 10.0"#, (Some(10.0), None, "import"));
    check(r#""nvml_power": 102.0"#, (None, Some(102.0), "import"));
    check(r#""nvml_energy": 10000.0, "nvml_power": 102.0"#, (None, None, "unavailable"));
    check(r#""nvml_energy": 0.0"#, (None, None, "unavailable"));
}

#[test]
fn a_cut_cache_gives_all_its_complete_entries() {
    let entries = r#""1": {"a": 1, "time": 2.0, "times": [2.0]}, "2": {"a": 2, "time": 3.0, "times": [3.0]}"#;
    let whole = cache(entries);
    let first_end = whole.find(r#", "2": {"#).expect("two entries");
    let second_end = whole.len() - 2;
    for cut in first_end..whole.len() {
        let (_folder, path) = file("add.json", &whole[..cut]);
        let imported = imported(&path);
        assert_eq!(imported.frame.height(), if cut < second_end { 1 } else { 2 }, "cut at {cut}");
        assert!(
            imported.repaired.as_deref().is_some_and(|what| what.starts_with("repaired on a copy: cut end closed with `}")),
            "cut at {cut}"
        );
        assert_eq!(fs::read_to_string(&path).expect("readable"), whole[..cut], "the file itself is left alone");
    }
    for cut in 1..first_end {
        let (_folder, path) = file("add.json", &whole[..cut]);
        import(Format::KernelTuner, &path, &Options::default()).expect_err("no complete entry");
    }
    let (_folder, path) = file("add.json", whole.replace("}}}", "},}}"));
    let comma = imported(&path);
    assert_eq!(comma.frame.height(), 2, "a comma after the last entry");
    assert_eq!(comma.repaired.as_deref(), Some("repaired on a copy: 1 commas before closing braces removed"));
    let (_folder, path) = file("add.json", format!("\u{feff}{whole}"));
    assert_eq!(imported(&path).frame.height(), 2, "a byte order mark");
    let (_folder, path) = file("add.json.gz", packed(whole.as_bytes()));
    assert_eq!(imported(&path).frame.height(), 2, "packed");
}

#[test]
fn files_that_are_no_cache_are_refused_with_the_reason() {
    let check = |name: &str, bytes: &[u8], expected: &str| {
        let (_folder, path) = file(name, bytes);
        let error = import(Format::KernelTuner, &path, &Options::default()).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().starts_with(&format!("file `{}`", path.display())), "{error}");
        assert!(error.hint().is_some(), "{error}");
    };
    check("a.json", b"", "is empty");
    check("a.json", b" \n", "is empty");
    check("a.json.gz", &packed(b""), "is empty");
    check("a.json.gz", b"<html>", "is named `.gz` but begins with `3c 68 74 6d`, gzip begins with `1f 8b`");
    check("a.json.gz", &packed(cache("").as_bytes())[..40], "compressed data is damaged or cut");
    check("a.json.gz", &[0x1f, 0x8b, 1, 2, 3], "compressed data is damaged or cut");
    check("a.json", b"<html>", "is not JSON: expected value at line 1 column 1");
    check("a.json", b"{\"cache\": {}} trailing", "is not JSON: trailing characters");
    check("a.json", &[0xff, 0xfe, b'{', 0], "is not UTF-8 text (a UTF-16 byte order mark)");
    check("a.json", &[b'"', 0xe9, b'"'], "is not UTF-8 text (invalid utf-8 sequence");
    check("a.json", b"[1, 2]", "is not of format `kernel-tuner`: the outermost value is no object");
    check("a.json", b"{\"results\": []}", "there is no object `cache`");
    check("a.json", cache("").as_bytes(), "`cache` has no entries");
    check("a.json", b"{\"cache\": {\"1\": {\"time\": 1.0}}}", "names a parameter");
    let folder = tempdir().expect("a folder");
    let error = import(Format::KernelTuner, &folder.path().join("none.json"), &Options::default()).expect_err("absent");
    assert!(error.to_string().contains("cannot read it: No such file"), "{error}");
}

#[test]
fn a_packed_bomb_is_refused_within_its_limit() {
    let check = |limits: Limits, size: usize, why: &str| {
        let (_folder, path) = file("bomb.json.gz", packed(&vec![b' '; size]));
        let error = import(Format::KernelTuner, &path, &Options { limits, ..Options::default() }).expect_err("too large");
        assert!(matches!(&error, ImportError::TooLarge { .. }) && error.to_string().contains(why), "{error}");
    };
    check(Limits { max_bytes: 1000, ..Limits::default() }, 1001, "unpacks to more than 1000 bytes (the size limit)");
    check(Limits::default(), 65 << 20, "more than the packing ratio allows");
}

#[test]
fn what_the_file_leaves_out_may_be_given_or_is_warned_of() {
    let text = cache(r#""1": {"time": 1.0}"#).replace("NVIDIA TITAN RTX", "").replace("1000", "[64, 32]");
    let (_folder, path) = file("hub__gemm__RTX_2080_Ti.json", &text);
    let from_name = imported(&path);
    assert_eq!(rows(&from_name)[0].text(col::device), Some("rtx-2080-ti"));
    assert_eq!(rows(&from_name)[0].real(col::useful_flop), None);
    assert!(from_name.warnings.iter().any(|text| text.contains("inner dimension `k` is not in the file")));
    let options = Options { device: Some("Radeon W6600".to_owned()), k: Some(16), ..Options::default() };
    let given = import(Format::KernelTuner, &path, &options).expect("it is a cache");
    let row = rows(&given).remove(0);
    assert_eq!((row.text(col::device), row.text(col::device_kind)), (Some("w6600"), Some("unknown")));
    assert_eq!(row.real(col::useful_flop), Some(2.0 * 64.0 * 32.0 * 16.0));
    assert_eq!(row.real("roof.flop_per_s"), None);
    assert!(given.warnings.iter().any(|text| text.contains("is not in the catalogue")));
    let (_folder, path) = file("add.json", cache(r#""1": {"time": 1.0}"#).replace("1000", "\"callable\""));
    assert_eq!(rows(&imported(&path))[0].text("problem.size"), Some("callable"));
}

#[test]
fn published_caches_are_read_whole() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/kernel_tuner"));
    if !folder.is_dir() {
        eprintln!("skipped: `{}` is absent", folder.display());
        return;
    }
    let check = |name: &str, device: &str, expected: &[(&str, usize)], best_s: f64| {
        let imported = imported(&folder.join(name));
        let mut counts = BTreeMap::new();
        for status in frame::texts(&imported.frame, col::status).expect("status").into_iter().flatten() {
            *counts.entry(status).or_insert(0) += 1;
        }
        assert_eq!(counts, expected.iter().map(|(status, count)| ((*status).to_owned(), *count)).collect(), "{name}");
        assert_eq!(frame::texts(&imported.frame, col::device).expect("device")[0].as_deref(), Some(device));
        let best =
            frame::reals(&imported.frame, col::time_reported_s).expect("times").into_iter().flatten().fold(f64::MAX, f64::min);
        assert!((best / best_s - 1.0).abs() < 0.001, "{name}: best {best}");
        assert_eq!(imported.repaired, None);
    };
    check("kt2023__gemm__RTX_2080_Ti.json.gz", "rtx-2080-ti", &[("ok", 17_956)], 11.48e-3);
    check("kt2023__gemm__RTX_Titan.json.gz", "titan-rtx", &[("ok", 17_956)], 11.47e-3);
    let convolution = [("compile_error", 6), ("ok", 4201), ("runtime_error", 155)];
    check("cur__convolution_milo__A100.json.gz", "a100-pcie-40gb", &convolution, 0.5536e-3);
    check("cur__convolution_milo__A4000.json.gz", "rtx-a4000", &convolution, 1.02117e-3);
    check("cur__dedispersion_milo__A100.json.gz", "a100-pcie-40gb", &[("ok", 11_130)], 68.1166e-3);
}
