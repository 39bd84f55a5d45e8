//! Clocks and power limit as axes, on the virtual GPU with a file that keeps its settings from process to process, as a driver does.

use std::path::PathBuf;
use std::process::Stdio;

use serde_json::Value;

use crate::vgpu::{libraries, run};
use crate::workdir::{SMALL, Workdir};

/// Watts that the administrator of these tests has set: neither the board's default nor what a sweep asks for.
const BEFORE_W: f64 = 180.0;
/// Another process on the board: its energy cannot be told apart, so that no test waits for windows of it. It takes no time and no power.
const SHARED: &str =
    "preset = \"ideal\"\n[[process]]\npid = 1\nmemory_mib = 1\npower_w = 0.0\nshare = 0.0\nfrom_s = 0.0\nto_s = 1e9\n";

/// A folder with a scenario and the file of settings, and the variables that name them; `None` without a virtual GPU.
fn board(scenario: &str) -> Option<(Workdir, Vec<(&'static str, PathBuf)>)> {
    let mut variables = libraries()?;
    let dir = Workdir::new();
    variables.push(("VGPU_SCENARIO", dir.file("scenario.toml", scenario)));
    let settings = serde_json::json!([{ "limit_w": BEFORE_W, "locked_sm_mhz": null, "locked_memory_mhz": null, "application_mhz": null,
                                        "persistence": 1, "compute_mode": 0 }]);
    variables.push(("VGPU_STATE", dir.file("settings.json", settings.to_string())));
    Some((dir, variables))
}

fn spec(knobs: &str) -> String {
    SMALL
        .replace("cpu:1t", "cuda:0")
        .replace("point_s = 0.05", "point_s = 0.02")
        .replace("timeout_s = 20", "timeout_s = 120")
        .replace("m = 48, n = 40, k = 33", "m = 96, n = 96, k = 96")
        .replace("tile = [4, 8, 16, 64]", knobs)
}

/// The board's settings as the last process left them.
fn settings(dir: &Workdir) -> Value {
    let text = std::fs::read(dir.path("settings.json")).expect("the virtual GPU keeps it whole");
    serde_json::from_slice::<Value>(&text).expect("JSON")[0].clone()
}

fn assert_put_back(dir: &Workdir, what: &str) {
    let now = settings(dir);
    let stands = now["limit_w"] == BEFORE_W && now["locked_sm_mhz"].is_null() && now["locked_memory_mhz"].is_null();
    assert!(stands, "{what}: {now}");
}

fn of<'a>(rows: &'a [Value], column: &str, value: impl Into<Value> + Clone) -> Vec<&'a Value> {
    rows.iter().filter(|row| row[column] == value.clone().into()).collect()
}

#[test]
fn two_clocks_are_two_experiments_and_the_slower_one_takes_longer() {
    let Some((dir, variables)) = board(SHARED) else { return };
    dir.file("spec.toml", spec("tile = [8, 16], nvml_clock = [1200, 1800]"));
    run(&dir, 0, &variables, &["sweep", "spec.toml", "-o", "store", "-q"]);
    let rows = dir.rows("store");
    let ids: std::collections::BTreeSet<&str> = rows.iter().filter_map(|row| row["experiment_id"].as_str()).collect();
    assert_eq!((rows.len(), ids.len()), (4, 4));
    for row in &rows {
        assert_eq!((&row["status"], &row["clocks_locked"]), (&"ok".into(), &"held".into()), "{row}");
        let asked = row["knob.nvml_clock"].as_f64().expect("a number");
        assert!(row["clock_hz"].as_f64().is_some_and(|hz| (hz * 1e-6 - asked).abs() <= 15.0), "{row}");
        assert!(row["config"].as_str().is_some_and(|text| text.ends_with(&format!(" nvml_clock={asked}"))), "{row}");
        assert!(row["throttle_reasons"].as_str().is_some_and(|text| text.contains("clock_setting")), "{row}");
    }
    for tile in [8, 16] {
        let time = |mhz: u64| {
            let row = rows.iter().find(|row| row["knob.tile"] == tile && row["knob.nvml_clock"] == mhz).expect("measured");
            row["time_s"].as_f64().expect("timed")
        };
        let ratio = time(1200) / time(1800);
        assert!((1.1..=1.5).contains(&ratio), "tile {tile}: {ratio}");
    }
    assert_put_back(&dir, "after the sweep");
    // Every point stands in the store; nothing is left to do.
    let end =
        dir.command(&["sweep", "spec.toml", "-o", "store", "-q", "--json"]).envs(variables.clone()).output().expect("starts");
    let end: Value = serde_json::from_slice(&end.stdout).expect("JSON");
    assert_eq!((&end["resumed"], &end["wall_s"]), (&4.into(), &0.0.into()), "{end}");
    // A model takes the clock for what it is, a number, and ranks the faster one first.
    run(&dir, 0, &variables, &["fit", "store", "-o", "time.model"]);
    let problem =
        ["recommend", "time.model", "--family", "gemm_tiled", "--problem", "m=96,n=96,k=96", "--device", "cuda:0", "--json"];
    let arguments = [&problem[..], &["--axis", "nvml_clock=1200,1800", "--axis", "tile=8,16", "--top", "4"]].concat();
    let said = run(&dir, 0, &variables, &arguments);
    let ranked: Value = serde_json::from_str(&said.out).expect("JSON");
    let configs: Vec<&str> =
        ranked["ranked"].as_array().expect("a list").iter().filter_map(|one| one["config"].as_str()).collect();
    assert!(configs.len() == 4 && configs[0].contains("nvml_clock=1800"), "{ranked}");
    let said = run(&dir, 2, &variables, &problem);
    assert!(said.err.contains("`knob.nvml_clock`") && said.err.contains("hint: "), "{}", said.err);
}

#[test]
fn what_the_board_does_not_offer_is_a_row_with_what_it_does() {
    let Some((dir, variables)) = board(SHARED) else { return };
    dir.file("spec.toml", spec("tile = [16], nvml_clock = [1200, 1201], nvml_power_limit = [150, 5000]"));
    run(&dir, 0, &variables, &["sweep", "spec.toml", "-o", "store", "-q"]);
    let rows = dir.rows("store");
    let ok = of(&rows, "status", "ok");
    assert_eq!((rows.len(), ok.len()), (4, 1), "{rows:?}");
    assert_eq!(ok[0]["config"], "tile=16 nvml_clock=1200 nvml_power_limit=150");
    assert_eq!((&ok[0]["clocks_locked"], &ok[0]["power_limit_w"]), (&"held".into(), &150.0.into()), "{}", ok[0]);
    for row in of(&rows, "status", "constraint") {
        let reason = row["reason"].as_str().unwrap_or_default();
        let expected = if row["knob.nvml_clock"] == 1201 {
            "`nvml_clock=1201` cannot be set: the board offers 152 clocks from 210 to 2475 MHz, next to it 1200 and 1215"
        } else {
            "`nvml_power_limit=5000` cannot be set: the board offers 100 to 215 W"
        };
        assert_eq!(reason, expected);
        assert!(row["clocks_locked"].is_null(), "{row}");
    }
    assert_put_back(&dir, "after the sweep");
}

#[test]
fn a_worker_that_is_lost_costs_one_point_and_leaves_the_board_as_it_was() {
    for (fault, timeout, status) in
        [("crash", "120", "runtime_error"), ("wild", "120", "runtime_error"), ("hang", "3", "timeout")]
    {
        let Some((dir, variables)) = board(SHARED) else { return };
        let lost = "nvml_clock=1800 nvml_power_limit=150";
        let spec = |knobs: &str| spec(knobs).replace("timeout_s = 120", &format!("timeout_s = {timeout}"));
        dir.file("spec.toml", spec("tile = [16], nvml_clock = [1200, 1800], nvml_power_limit = [150]"));
        run(&dir, 1, &variables, &["sweep", "spec.toml", "-o", "store", "-q", "--fault", &format!("{fault}@{lost}")]);
        let rows = dir.rows("store");
        assert_eq!((rows.len(), of(&rows, "status", status).len(), of(&rows, "status", "ok").len()), (2, 1, 1), "{rows:?}");
        assert_eq!(of(&rows, "status", status)[0]["config"], format!("tile=16 {lost}"));
        assert_put_back(&dir, fault);
        // The worker that comes after the lost one changes nothing here: it is the sweep itself that puts back.
        dir.file("one.toml", spec("tile = [16], nvml_clock = [1800], nvml_power_limit = [150]"));
        run(&dir, 1, &variables, &["sweep", "one.toml", "-o", "one", "-q", "--fault", &format!("{fault}@{lost}")]);
        assert_put_back(&dir, &format!("{fault} of the only point"));
    }
}

#[test]
fn a_sweep_that_is_stopped_or_killed_leaves_the_board_as_it_was() {
    for signals in [&["INT"][..], &["INT", "INT"], &["KILL"]] {
        let Some((dir, variables)) = board(SHARED) else { return };
        let slow = "max_samples = 100000\nmin_samples = 100000\nmax_noise = 1e-9";
        let spec = spec("tile = [16], nvml_clock = [1200, 1800], nvml_power_limit = [150]");
        dir.file("spec.toml", spec.replace("max_samples = 6", slow).replace("point_s = 0.02", "point_s = 10000"));
        let mut sweep = dir.command(&["sweep", "spec.toml", "-o", "store", "-q"]);
        let mut sweep = sweep.envs(variables).stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("starts");
        while settings(&dir)["locked_sm_mhz"].is_null() {
            assert!(sweep.try_wait().expect("can be asked").is_none(), "the sweep ended before it set a clock");
            std::thread::yield_now();
        }
        for signal in signals {
            let kill = format!("kill -{signal} {}", sweep.id());
            std::process::Command::new("sh").args(["-c", &kill]).status().expect("kill runs");
        }
        sweep.wait().expect("ends");
        if signals == ["INT"] {
            assert_put_back(&dir, "it waited for its worker");
        }
        // Where the sweep had no time to wait for its worker, the worker puts back once it has read that the sweep is gone.
        // A worker that never does would be waited for without end: the bound is far beyond what any machine takes.
        let asked = std::time::Instant::now();
        while settings(&dir)["limit_w"] != BEFORE_W || !settings(&dir)["locked_sm_mhz"].is_null() {
            assert!(asked.elapsed().as_secs() < 300, "{signals:?}: nobody put back {}", settings(&dir));
            std::thread::yield_now();
        }
    }
}

#[test]
fn what_the_user_may_not_set_is_said_in_its_rows_and_the_rest_is_measured() {
    let denied = SHARED.replace("[[process]]", "settings = \"no-permission\"\n[[process]]");
    let Some((dir, variables)) = board(&denied) else { return };
    let plain = "[[sweep]]\nfamily = \"gemm_naive\"\nproblems = [{ m = 32, n = 32, k = 32 }]\nknobs = { block_m = [8], block_n = [32] }\n";
    dir.file("spec.toml", spec("tile = [16], nvml_clock = [1200, 1800]") + plain);
    let said = run(&dir, 1, &variables, &["sweep", "spec.toml", "-o", "store", "-q"]);
    let rows = dir.rows("store");
    let refused = of(&rows, "status", "unsupported");
    assert_eq!(refused.len(), 2, "{rows:?}");
    for row in refused {
        assert_eq!(row["reason"], "`nvml_clock` cannot be set: `nvmlDeviceSetGpuLockedClocks` is denied to this user");
        assert_eq!(row["clocks_locked"], "denied");
        assert!(row["time_s"].is_null(), "{row}");
    }
    let free = of(&rows, "family", "gemm_naive");
    assert!(!free.is_empty() && free.iter().all(|row| row["status"] == "ok" && row["clocks_locked"].is_null()), "{rows:?}");
    assert!(!said.err.contains("warning"), "nothing was changed, so nothing is owed: {}", said.err);
    assert_put_back(&dir, "denied");
}

#[test]
fn without_nvml_a_point_that_needs_it_is_unsupported() {
    let Some((dir, mut variables)) = board(SHARED) else { return };
    variables.push(("TILECAST_NVML_LIB", PathBuf::from("/nonexistent/libnvidia-ml.so.1")));
    dir.file("spec.toml", spec("tile = [16], nvml_clock = [1200]"));
    run(&dir, 1, &variables, &["sweep", "spec.toml", "-o", "store", "-q"]);
    let rows = dir.rows("store");
    assert_eq!((rows.len(), &rows[0]["status"]), (1, &"unsupported".into()), "{rows:?}");
    let reason = rows[0]["reason"].as_str().unwrap_or_default();
    assert!(reason.starts_with("`nvml_clock` cannot be set: NVML cannot be used: /nonexistent/"), "{reason}");
    assert!(rows[0]["clocks_locked"].is_null());
}

#[test]
fn a_dense_rival_runs_under_the_clocks_of_what_it_rivals() {
    let Some((dir, variables)) = board(SHARED) else { return };
    let structured = "[[sweep]]\nfamily = \"kron_matmul\"\nlimit = 3\nproblems = [{ n1 = 4, n2 = 4, batch = 16 }]\n";
    dir.file("spec.toml", spec("tile = [16]").split("[[sweep]]").next().expect("its head").to_owned() + structured);
    run(&dir, 0, &variables, &["sweep", "spec.toml", "-o", "store", "-q", "--axis", "nvml_clock=1200,1800"]);
    let rows = dir.rows("store");
    // A sample of a space begins with the default on the board as it is, so there is a rival under that too.
    let clocks = |role: &str| -> std::collections::BTreeSet<Option<u64>> {
        let ran = of(&rows, "role", role).into_iter().filter(|row| row["status"] == "ok");
        ran.map(|row| row["knob.nvml_clock"].as_u64()).collect()
    };
    assert!(clocks("point").len() > 1, "{:?}", clocks("point"));
    assert_eq!(clocks("point"), clocks("baseline"));
}

#[test]
fn devices_say_what_a_sweep_may_name() {
    let Some((dir, variables)) = board(SHARED) else { return };
    let said = run(&dir, 0, &variables, &["devices"]);
    for words in ["a sweep may name `nvml_clock` 152 clocks from 210 to 2475 MHz", "`nvml_power_limit` 100 to 215 W"] {
        assert!(said.out.contains(words), "no `{words}` in {}", said.out);
    }
}

#[test]
fn a_plan_counts_clocks_as_experiments_and_not_as_code() {
    let dir = Workdir::new();
    dir.file("spec.toml", spec("tile = [8, 16], nvml_clock = [1200, 1800]"));
    let plan = dir.json(0, &["plan", "spec.toml", "--assume", "sm_89", "--json"]);
    let counts = ["points", "distinct_experiments", "distinct_code"].map(|name| plan[name].as_u64());
    assert_eq!(counts, [Some(4), Some(4), Some(2)], "{plan}");
    let arguments = ["plan", "spec.toml", "--assume", "sm_89", "--json", "--axis", "nvml_power_limit=150,200,250"];
    assert_eq!(dir.json(0, &arguments)["distinct_experiments"], 12);
}

#[test]
fn a_cpu_has_no_clock_to_set_and_says_so() {
    let dir = Workdir::new();
    dir.file("spec.toml", SMALL.replace("tile = [4, 8, 16, 64]", "tile = [16], nvml_clock = [1200]"));
    dir.file("plain.toml", SMALL);
    for arguments in [&["sweep", "spec.toml", "-o", "store", "-q"][..], &["plan", "plain.toml", "--axis", "nvml_power_limit=100"]]
    {
        let said = dir.run_to(2, arguments);
        assert!(said.err.contains("sets the clock or the power limit of a GPU, and this device is none"), "{}", said.err);
        assert!(said.err.contains("hint: measure on a GPU (`--device cuda:0`)"), "{}", said.err);
    }
}
