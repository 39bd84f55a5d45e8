//! A sweep measures, verifies, stores and says so.

use crate::workdir::{SMALL, Workdir};

#[test]
fn a_sweep_stores_verified_rows_with_all_their_samples() {
    let dir = Workdir::new();
    dir.file("small.toml", SMALL);
    let end = dir.json(0, &["sweep", "small.toml", "-o", "store", "--json", "-q"]);
    assert_eq!(end["by_status"]["ok"], 4, "{end}");
    assert_eq!(end["complete"], true);
    let rows = dir.rows("store");
    assert_eq!(rows.len(), 4);
    for row in &rows {
        let samples = row["time_samples_s"].as_array().expect("samples");
        assert!(samples.len() >= 3, "{row}");
        assert_eq!(row["source"], "cpu");
        assert_eq!(row["time_basis"], "thread_cpu");
        assert!(row["err_bound_ratio"].as_f64().expect("verified") <= 1.0);
        assert_eq!(row["checked_share"], 1.0, "a small problem is compared whole: {row}");
        let (low, time, high) = (row["time_lo_s"].as_f64(), row["time_s"].as_f64(), row["time_hi_s"].as_f64());
        assert!(low <= time && time <= high, "{low:?} {time:?} {high:?}");
        assert!(row["roof.flop_per_s"].as_f64().expect("a roof") > 0.0);
    }
    assert_eq!(rows.iter().filter(|row| row["is_default"] == true).count(), 1, "one of the four is the default");
}

#[test]
fn energy_is_null_with_a_reason_where_there_is_no_sensor() {
    let dir = Workdir::new();
    dir.file("small.toml", SMALL);
    dir.run_to(0, &["sweep", "small.toml", "-o", "store", "-q"]);
    for row in dir.rows("store") {
        match row["energy_source"].as_str() {
            Some("unavailable") => {
                assert!(row.get("energy_j").is_none_or(serde_json::Value::is_null), "{row}");
                assert!(row["energy_reason"].as_str().is_some_and(|reason| reason.len() > 8), "{row}");
            }
            Some("rapl") => assert!(row["energy_j"].as_f64().is_some_and(|energy| energy > 0.0), "{row}"),
            other => panic!("energy source {other:?}"),
        }
    }
}

#[test]
fn the_same_command_again_has_nothing_left_to_do_and_again_measures_once_more() {
    let dir = Workdir::new();
    dir.file("small.toml", SMALL);
    let first = dir.json(0, &["sweep", "small.toml", "-o", "store", "--json", "-q"]);
    let second = dir.json(0, &["sweep", "small.toml", "-o", "store", "--json", "-q"]);
    assert_eq!(first["run_id"], second["run_id"]);
    assert_eq!(dir.rows("store").len(), 4);
    let third = dir.json(0, &["sweep", "small.toml", "-o", "store", "--json", "-q", "--again"]);
    assert_eq!(third["by_status"]["ok"], 4);
    assert_eq!(dir.rows("store").len(), 8);
}

#[test]
fn a_structured_kernel_is_measured_beside_its_dense_rival() {
    let dir = Workdir::new();
    let spec = r#"
device = "cpu:1t"
[measure]
min_samples = 3
max_samples = 4
point_s = 0.05
[[sweep]]
family = "kron_matmul"
"#;
    dir.file("kron.toml", spec);
    dir.run_to(0, &["sweep", "kron.toml", "-o", "store", "-q", "--axis", "n1=8", "--axis", "n2=8", "--axis", "batch=16"]);
    let rows = dir.rows("store");
    let problem = &rows.iter().find(|row| row["family"] == "kron_matmul").expect("the kernel itself")["problem_id"];
    let rival = rows.iter().find(|row| row["role"] == "baseline").expect("its dense rival");
    assert_eq!(rival["baseline_of"], *problem);
    assert_eq!(rival["family"], "gemm_regblock");
    assert!(rival["time_s"].as_f64().is_some_and(|time| time > 0.0));
}

#[test]
fn cold_and_hot_are_different_experiments() {
    let dir = Workdir::new();
    dir.file(
        "small.toml",
        SMALL.replace("device = ", "cache = [\"hot\", \"cold\"]\ndevice = ").replace("[4, 8, 16, 64]", "[16]"),
    );
    dir.run_to(0, &["sweep", "small.toml", "-o", "store", "-q"]);
    let rows = dir.rows("store");
    let mode = |mode: &str| rows.iter().find(|row| row["cache_mode"] == mode).expect(mode);
    assert_ne!(mode("hot")["experiment_id"], mode("cold")["experiment_id"]);
    assert_eq!(mode("cold")["iterations"], 1);
}

#[test]
fn a_plan_counts_points_and_gives_reasons_without_measuring() {
    let dir = Workdir::new();
    dir.file("small.toml", SMALL);
    let plan = dir.json(0, &["plan", "small.toml", "--json", "--skips"]);
    assert_eq!(plan["points"], 4);
    assert_eq!(plan["distinct_experiments"], plan["points"]);
    // Six samples of a millisecond for each, however few FLOP the problem has.
    assert!(plan["estimate_s"].as_f64().expect("an estimate") > 4.0 * 6.0 * 1e-3, "{plan}");
    // 64 and 128 both cover a 48 × 40 × 33 problem whole: the same code runs.
    let plan = dir.json(0, &["plan", "small.toml", "--json", "--skips", "--axis", "tile=64,128"]);
    assert_eq!(plan["points"], 1, "{plan}");
    assert!(plan["skips"][0]["reason"].as_str().expect("a reason").contains("same code"), "{plan}");
}

#[test]
fn what_a_plan_leaves_out_is_on_the_page_of_its_store() {
    let dir = Workdir::new();
    dir.file("cut.toml", SMALL.replace("tile = [4, 8, 16, 64] }", "tile = [64, 96, 128] }"));
    dir.file("drawn.toml", SMALL.replace("tile = [4, 8, 16, 64] }", "tile = [4, 8, 16] }\nlimit = 2"));
    for spec in ["cut.toml", "drawn.toml", "drawn.toml"] {
        dir.run_to(0, &["sweep", spec, "-o", "store", "-q", "--again"]);
    }
    dir.run_to(0, &["report", "store", "-o", "page.html"]);
    let page = std::fs::read_to_string(dir.path("page.html")).expect("the page");
    let table = page.split("id=\"skips\"").nth(1).expect("a table of what was left out");
    let table = table.split("</table>").next().unwrap_or_default();
    // Of three tiles that cover the problem whole, two are the same code; a space is drawn from.
    for words in [">2<", "the same code is already planned", "configurations are beyond", "limit = 2"] {
        assert!(table.contains(words), "{words}: {table}");
    }
    assert_eq!(table.matches("are beyond").count(), 1, "the same sweep again leaves out the same: {table}");
}

#[test]
fn every_example_sweep_plans() {
    let dir = Workdir::new();
    let sweeps = concat!(env!("CARGO_MANIFEST_DIR"), "/../sweeps");
    let mut count = 0;
    for entry in std::fs::read_dir(sweeps).expect("sweeps").map(|entry| entry.expect("an entry").path()) {
        let spec = entry.display().to_string();
        let for_gpus = std::fs::read_to_string(&entry).expect("a spec").contains("device = \"cuda");
        let assumed: &[&str] = if for_gpus { &["--assume", "sm_89"] } else { &[] };
        let plan = dir.json(0, &[&["plan", &spec, "--json"], assumed].concat());
        assert!(plan["points"].as_u64() > Some(0), "{}", entry.display());
        count += 1;
    }
    assert!(count >= 4);
}

/// A BLAS library in `dir`; `None`, said aloud, where there is no compiler to make one with.
fn mock_blas(dir: &Workdir, name: &str) -> Option<String> {
    let source = concat!(env!("CARGO_MANIFEST_DIR"), "/../kernels/src/devices/cpu/blas/mock.rs");
    let path = dir.path(name).display().to_string();
    let mut rustc = std::process::Command::new("rustc");
    rustc.args(["--edition", "2024", "--crate-type", "cdylib", "--cap-lints", "allow", "-o", &path, source]);
    match rustc.output() {
        Ok(done) => assert!(done.status.success(), "{}", String::from_utf8_lossy(&done.stderr)),
        Err(error) => {
            eprintln!("skipped: no rustc to build a BLAS library with: {error}");
            return None;
        }
    }
    Some(path)
}

#[test]
fn the_same_sweep_with_another_blas_library_is_another_experiment() {
    let dir = Workdir::new();
    let Some(first) = mock_blas(&dir, "libfirst.so") else { return };
    let second = dir.path("libsecond.so").display().to_string();
    std::fs::copy(&first, &second).expect("copied");
    let spec = SMALL.replace("gemm_tiled", "gemm_blas").replace("tile = [4, 8, 16, 64]", "threads = 1");
    dir.file("blas.toml", spec);
    let sweep = |library: &str| dir.json(0, &["sweep", "blas.toml", "-o", "store", "--json", "-q", "--blas", library]);
    let ends = [sweep(&first), sweep(&second), sweep(&first)].map(|end| end["run_id"].clone());
    assert!(ends[0] != ends[1] && ends[0] == ends[2], "{ends:?}");
    let rows = dir.rows("store");
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row["status"] == "ok"), "{rows:?}");
    assert_ne!(rows[0]["experiment_id"], rows[1]["experiment_id"]);
    assert_ne!(rows[0]["sweep_id"], rows[1]["sweep_id"]);
}
