//! The whole way on the virtual GPU, as on a real one: devices, demo, profile, a fault, and what is refused.

use std::path::PathBuf;

use serde_json::Value;

use crate::workdir::{SMALL, Said, Workdir};

/// Variables that name the virtual GPU as driver and as NVML; `None`, with a word on it, where there is none.
pub(crate) fn libraries() -> Option<Vec<(&'static str, PathBuf)>> {
    let given = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let (Some(cuda), Some(_)) = (given("TILECAST_CUDA_LIB"), given("TILECAST_NVRTC")) else {
        eprintln!("skipped: nothing ran on the virtual GPU: TILECAST_CUDA_LIB and TILECAST_NVRTC are not both set");
        return None;
    };
    let nvml = given("TILECAST_NVML_LIB").unwrap_or_else(|| cuda.with_file_name("libnvidia-ml.so.1"));
    let cache = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("cuda");
    Some(vec![("TILECAST_CUDA_LIB", cuda), ("TILECAST_NVML_LIB", nvml), ("TILECAST_CUDA_CACHE", cache)])
}

/// Runs with these variables and demands exit code `code`.
pub(crate) fn run(dir: &Workdir, code: i32, variables: &[(&'static str, PathBuf)], arguments: &[&str]) -> Said {
    let ran =
        dir.command(arguments).envs(variables.iter().map(|(name, value)| (name, value))).output().expect("the program starts");
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    let said = Said { code: ran.status.code(), out: text(&ran.stdout), err: text(&ran.stderr) };
    assert_eq!(said.code, Some(code), "tilecast {}\n{}\n{}", arguments.join(" "), said.out, said.err);
    said
}

/// Four tiles on one small problem.
fn small() -> String {
    SMALL.replace("cpu:1t", "cuda:0").replace("point_s = 0.05", "point_s = 0.02").replace("timeout_s = 20", "timeout_s = 120")
}

/// Without NVML, where energy is not what a test is about: its row then says why there is none.
fn without_power(mut libraries: Vec<(&'static str, PathBuf)>) -> Vec<(&'static str, PathBuf)> {
    libraries.push(("TILECAST_NVML_LIB", PathBuf::from("/nonexistent/libnvidia-ml.so.1")));
    libraries
}

fn positive(row: &Value, column: &str) -> bool {
    row[column].as_f64().is_some_and(|value| value > 0.0)
}

#[test]
fn the_virtual_gpu_is_listed_as_one_whose_time_is_simulated() {
    let Some(libraries) = libraries() else { return };
    let said = run(&Workdir::new(), 0, &libraries, &["devices"]);
    for words in ["cuda:0", "(virtual)", "simulated, never a measurement", "energy: NVML", "compiled by nvrtc"] {
        assert!(said.out.contains(words), "no `{words}` in {}", said.out);
    }
}

#[test]
fn a_sweep_has_power_and_the_demo_runs_the_whole_way_to_a_page_that_says_it_is_virtual() {
    let Some(libraries) = libraries() else { return };
    let dir = Workdir::new();
    dir.file("spec.toml", small().replace("[4, 8, 16, 64]", "[16]"));
    run(&dir, 0, &libraries, &["sweep", "spec.toml", "-o", "energy", "-q"]);
    for row in dir.rows("energy") {
        assert_eq!((&row["source"], &row["energy_source"]), (&"vgpu".into(), &"nvml".into()), "{row}");
        let facts = ["time_s", "energy_j", "power_w", "clock_hz", "energy_clock_hz"];
        assert!(facts.iter().all(|column| positive(&row, column)), "{row}");
        assert_eq!((&row["energy_sensor"], &row["energy_scope"]), (&"energy counter".into(), &"board".into()), "{row}");
        let character: Value = serde_json::from_str(row["energy_character"].as_str().expect("text")).expect("JSON");
        assert!(character["counter"]["period_s"].as_f64().is_some_and(|period| period > 0.0), "{character}");
        assert!(row["contended_share"].is_null() && row["queue_s"].as_f64().is_some_and(|queue| queue >= 0.0), "{row}");
    }
    let said = run(&dir, 0, &libraries, &["demo", "--device", "cuda:0", "-o", "d"]);
    for words in ["1. sweep", "2. fit", "3. evaluate", "4. recommend", "5. re-measure", "6. report"] {
        assert!(said.out.contains(words), "{}", said.out);
    }
    let rows = dir.rows("d/store");
    assert!(rows.iter().all(|row| row["source"] == "vgpu") && rows.len() > 20, "{} rows", rows.len());
    for row in rows.iter().filter(|row| row["status"] == "ok") {
        let facts = ["time_s", "energy_j", "power_w", "registers", "occupancy", "waves"];
        assert!(facts.iter().all(|column| positive(row, column)) && row["energy_source"] == "nvml", "{row}");
    }
    let page = std::fs::read_to_string(dir.path("d/report.html")).expect("the page");
    assert!(page.contains("Virtual device") && page.contains("fig-resources"));
}

#[test]
fn simulated_rows_are_neither_fitted_nor_shown_beside_measured_ones() {
    let Some(libraries) = libraries().map(without_power) else { return };
    let dir = Workdir::new();
    dir.file("cpu.toml", SMALL);
    dir.file("gpu.toml", small());
    run(&dir, 0, &libraries, &["sweep", "cpu.toml", "-o", "mixed", "-q"]);
    run(&dir, 0, &libraries, &["sweep", "gpu.toml", "-o", "mixed", "-q"]);
    for verb in [["fit", "mixed", "-o", "m.model"], ["report", "mixed", "-o", "r.html"]] {
        let said = run(&dir, 2, &libraries, &verb);
        assert!(said.err.contains("`vgpu`") && said.err.contains("hint: "), "{verb:?}: {}", said.err);
    }
}

#[test]
fn a_worker_killed_by_an_illegal_address_costs_one_row_with_the_finding() {
    let Some(libraries) = libraries().map(without_power) else { return };
    let dir = Workdir::new();
    dir.file("gpu.toml", small());
    run(&dir, 1, &libraries, &["sweep", "gpu.toml", "-o", "store", "-q", "--fault", "wild@tile=8"]);
    let rows = dir.rows("store");
    let of = |status: &str| rows.iter().filter(|row| row["status"] == status).collect::<Vec<_>>();
    let hit = of("runtime_error");
    assert_eq!((hit.len(), hit[0]["config"].as_str()), (1, Some("tile=8")), "{rows:?}");
    let reason = hit[0]["reason"].as_str().unwrap_or_default();
    assert!(reason.contains("ILLEGAL_ADDRESS") && reason.contains("wild"), "{reason}");
    assert!(of("ok").len() >= 2, "the sweep goes on: {rows:?}");
}

#[test]
fn what_the_timed_calls_left_is_compared_on_a_gpu_too() {
    let Some(libraries) = libraries().map(without_power) else { return };
    let dir = Workdir::new();
    dir.file("gpu.toml", small());
    run(&dir, 1, &libraries, &["sweep", "gpu.toml", "-o", "store", "-q", "--fault", "wrong@tile=8"]);
    for row in dir.rows("store") {
        let hit = row["config"] == "tile=8";
        assert_eq!(row["status"] == "incorrect", hit, "{row}");
        assert_eq!(row["reason"].as_str().is_some_and(|reason| reason.contains("element (0, 0) is `NaN`")), hit, "{row}");
    }
}

/// Groups are measured one after another while what later ones run is compiled; within one, every point is ready before the first sample.
#[test]
fn what_is_ready_is_measured_while_the_rest_is_compiled() {
    let Some(mut libraries) = libraries().map(without_power) else { return };
    let dir = Workdir::new();
    libraries.push(("TILECAST_CUDA_CACHE", dir.path("cold")));
    // So many that compiling them on every processor outlasts the first point by far.
    let limit = 4 * std::thread::available_parallelism().expect("Linux knows").get();
    let rest = "[[sweep]]\nfamily = \"gemm_regblock\"\ndtype = \"f64\"\nproblems = [{ m = 16, n = 16, k = 16 }]\n";
    dir.file("gpu.toml", small().replace("[4, 8, 16, 64]", "[4]") + rest + &format!("limit = {limit}\n"));
    run(&dir, 0, &libraries, &["sweep", "gpu.toml", "-o", "store", "-q"]);
    let rows = dir.rows("store");
    let first = rows.iter().find(|row| row["family"] == "gemm_tiled" && row["status"] == "ok").expect("it was measured");
    let finished: jiff::Timestamp = first["measured_at"].as_str().expect("text").parse().expect("a point in time");
    let folders =
        std::fs::read_dir(dir.path("cold")).expect("the cache").filter_map(|entry| std::fs::read_dir(entry.ok()?.path()).ok());
    let compiled = folders.flatten().filter_map(|entry| entry.ok()?.metadata().ok()?.modified().ok());
    let last = jiff::Timestamp::try_from(compiled.max().expect("code was kept")).expect("a year of ours");
    assert!(finished < last, "the first point was finished at {finished}, the last code compiled at {last}");
}

#[test]
fn what_a_kernel_executes_is_what_its_family_says() {
    let Some(libraries) = libraries() else { return };
    let arguments = ["profile", "gemm_tiled", "--problem", "m=64,n=64,k=64", "--axis", "tile=16", "--device", "cuda:0"];
    let said = run(&Workdir::new(), 0, &libraries, &arguments);
    assert!(said.out.contains("FLOP counted") && said.out.contains(": equal"), "{}", said.out);
}

#[test]
fn without_a_driver_a_sweep_says_so_in_a_sentence_with_a_hint_and_devices_goes_on() {
    let dir = Workdir::new();
    dir.file("gpu.toml", small());
    let said = dir.run_to(2, &["sweep", "gpu.toml", "-o", "store", "--cuda-lib", "/nonexistent/libcuda.so.1"]);
    let lines: Vec<&str> = said.err.lines().collect();
    assert!(
        lines.len() == 2 && lines[0].contains("`/nonexistent/libcuda.so.1`") && lines[1].starts_with("hint: "),
        "{}",
        said.err
    );
    let said = dir.run_to(0, &["devices", "--cuda-lib", "/nonexistent/libcuda.so.1"]);
    assert!(said.out.contains("/nonexistent/libcuda.so.1"), "{}", said.out);
}

/// A driver's package puts a plain `libcuda.so` on the loader's path, and a toolkit a plain `libnvrtc.so`; both names are asked for first.
#[test]
fn a_library_that_is_named_is_used_whatever_lies_on_the_loaders_path() {
    let Some(mut libraries) = libraries() else { return };
    let (dir, folder) = (Workdir::new(), tempfile::tempdir().expect("a folder can be made"));
    // Any library that is neither will do.
    let maps = std::fs::read_to_string("/proc/self/maps").expect("the system says what is loaded");
    let other = maps.lines().filter_map(|line| line.split_whitespace().nth(5)).find(|path| path.contains("/libc.so"));
    for name in ["libcuda.so", "libcuda.so.1", "libnvrtc.so"] {
        std::os::unix::fs::symlink(other.expect("every program has it"), folder.path().join(name)).expect("links");
    }
    libraries.push(("LD_LIBRARY_PATH", folder.path().to_owned()));
    let said = run(&dir, 0, &libraries, &["devices"]);
    for words in ["cuda:0", "(virtual)", "simulated, never a measurement", "compiled by nvrtc"] {
        assert!(said.out.contains(words), "no `{words}` in {}", said.out);
    }
}

#[test]
fn a_library_that_is_none_of_its_kind_is_refused_by_its_path() {
    let Some(mut libraries) = libraries() else { return };
    let nvrtc = std::env::var_os("TILECAST_NVRTC").map(PathBuf::from).expect("it was asked for");
    libraries.push(("TILECAST_CUDA_LIB", nvrtc));
    let said = run(&Workdir::new(), 0, &libraries, &["devices"]);
    assert!(said.out.contains("has no function `cuInit`: it is another library"), "{}", said.out);
}

/// Such a driver refuses all that the compiler makes, and says no more than that an image is invalid.
#[test]
fn a_compiler_newer_than_the_driver_is_told_before_anything_is_compiled() {
    let Some(mut libraries) = libraries().map(without_power) else { return };
    let dir = Workdir::new();
    libraries.push(("VGPU_SCENARIO", dir.file("scenario.toml", "preset = \"ideal\"\n[driver]\ncuda = 12080\n")));
    let old = "makes code for drivers of CUDA 13.0 or later, and this one supports CUDA `12.8`";
    let said = run(&dir, 0, &libraries, &["devices"]);
    assert!(said.out.contains(old) && said.out.contains("`libnvrtc.so.12`"), "{}", said.out);
    dir.file("gpu.toml", small());
    run(&dir, 1, &libraries, &["sweep", "gpu.toml", "-o", "store", "-q"]);
    let rows = dir.rows("store");
    let tried: Vec<&Value> = rows.iter().filter(|row| row["status"] != "constraint").collect();
    assert!(!tried.is_empty() && tried.iter().all(|row| row["reason"].as_str().is_some_and(|why| why.contains(old))), "{rows:?}");
}

#[test]
fn a_process_that_works_on_the_board_is_seen_before_anything_is_measured() {
    let Some(mut libraries) = libraries() else { return };
    let dir = Workdir::new();
    let other =
        "preset = \"ideal\"\n[[process]]\npid = 4242\nmemory_mib = 1\npower_w = 0.0\nshare = 0.0\nfrom_s = 0.0\nto_s = 1e9\n";
    libraries.push(("VGPU_SCENARIO", dir.file("scenario.toml", other)));
    let said = run(&dir, 0, &libraries, &["devices"]);
    assert!(said.out.contains("another process is on the GPU (pid 4242)"), "{}", said.out);
}
