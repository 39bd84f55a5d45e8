//! The energy protocol end to end on the virtual GPU: driver, launches and NVML as a program sees them, against the energy that was really taken.
//!
//! The virtual GPU reads its environment once, so each sensor is measured in a child: this program again, with the case in `TILECAST_VGPU_CASE`.
//! `TILECAST_VGPU_TRIALS` sets how many trials a sensor gets (`scripts/bench/vgpu-energy`).

#![allow(clippy::disallowed_methods, clippy::print_stdout)] // paths come from the environment; the child prints its results

#[allow(dead_code)] // shared with tests that use the rest
mod gpu;

use std::fmt::Write as _;
use std::process::{Command, Output};

use serde_json::{Value, json};
use tilecast_kernels::{CacheMode, Device, DeviceError};

/// Trials per sensor where nothing else is asked for: a few seconds each.
const TRIALS: u64 = 50;
/// Share of trials in which the truth has to lie inside the 95 % interval.
const BAR: f64 = 0.94;
/// One block: what a launch takes is its own latency, and little has to be interpreted for it.
const N: u64 = 100;
/// Window of a trial, s.
const WINDOW_S: f64 = 2.0;

/// No compiler of today makes code for Pascal and Volta: their sensors sit on a T4 here.
///
/// Card, ready-made sensor, its gain, whether it also has an averaged reading, whether it reads the whole module, power of the rest of the module.
const SENSORS: [(&str, &str, f64, bool, f64); 9] = [
    ("t4", "pascal", 1.005, false, 0.0),
    ("t4", "volta", 1.0, false, 0.0),
    ("t4", "turing", 0.96, false, 0.0),
    ("a100", "a100", 0.96, false, 0.0),
    ("rtx3090", "ga10x", 0.955, true, 0.0),
    ("rtx4070", "ada", 0.97, true, 0.0),
    ("h100", "h100-instant", 0.98, true, 0.0),
    ("h100", "h100-average", 1.02, true, 0.0),
    ("gh200", "gh200", 0.99, true, 90.0),
];

/// A board on which one busy multiprocessor shows: the sensors need a load they can see.
fn scenario(preset: &str, gain: f64, averages: bool) -> String {
    let mut text = format!("preset = \"{preset}\"\nseed = 5\n[power]\nidle_w = 40.0\nmax_w = 60000.0\n");
    for (reading, there) in [("instant", true), ("average", averages)] {
        if there {
            let _ = write!(text, "[{reading}]\ngain = {gain}\nnoise_w = 0.2\nlag_s = 0.007\n");
        }
    }
    text
}

/// Runs this program's child on one card; `None`, with a word on it, where there is no virtual GPU.
fn child(card: &str, scenario: &str, trials: u64) -> Option<Vec<Value>> {
    gpu::device()?;
    let folder = tempfile::tempdir().expect("a folder for the scenario");
    let file = folder.path().join("scenario.toml");
    std::fs::write(&file, scenario).expect("the test's own folder is writable");
    let mut command = Command::new(std::env::current_exe().expect("this program"));
    command.args(["--exact", "one_sensor_in_a_process_of_its_own", "--nocapture"]);
    command.env("TILECAST_VGPU_CASE", trials.to_string()).env("VGPU_DEVICE", card).env("VGPU_SCENARIO", file);
    let Output { status, stdout, stderr } = command.output().expect("this program starts again");
    let (out, err) = (String::from_utf8_lossy(&stdout), String::from_utf8_lossy(&stderr));
    assert!(status.success(), "{card}: {out}\n{err}");
    let found: Vec<Value> =
        out.lines().filter_map(|line| line.find('{').and_then(|at| serde_json::from_str(&line[at..]).ok())).collect();
    assert_eq!(found.len() as u64, trials, "{card}: {out}\n{err}");
    Some(found)
}

#[test]
fn one_sensor_in_a_process_of_its_own() {
    let Some(trials) = std::env::var("TILECAST_VGPU_CASE").ok().and_then(|text| text.parse::<u64>().ok()) else { return };
    let device = gpu::device().expect("the parent has one");
    let mut loaded = device.load(&gpu::Doubling, &gpu::problem(N)).expect("fits any GPU");
    let slot = loaded.prepare(&gpu::config("SLOW", 1)).expect("prepares").slot;
    // Far above the host's cost per launch, so that launches stand back to back and one takes what events say.
    let launch_s = loaded.sample(slot, 200, CacheMode::Hot).expect("runs").time_s;
    assert!(launch_s > 1e-4, "{launch_s} s");
    for _ in 0..trials {
        let said = match loaded.energy(slot, WINDOW_S) {
            Ok(Some(energy)) => {
                let report = device.last_energy().expect("it was just measured");
                let length_s: f64 = report.windows.iter().map(|window| window.to_s - window.from_s).sum();
                let truth =
                    |window: &tilecast_kernels::devices::cuda::power::Window| device.true_energy_j(window.from_s, window.to_s);
                let true_j: f64 = report.windows.iter().map(|window| truth(window).expect("a virtual GPU")).sum();
                json!({ "energy_j": energy.energy_j, "relative_j": report.relative_j, "absolute_j": report.absolute_j(),
                        "true_w": true_j / length_s, "launch_s": launch_s, "flags": energy.detail.flags })
            }
            Ok(None) => json!({ "reason": "no sensor" }),
            Err(DeviceError::Sensor(reason)) => json!({ "reason": reason }),
            Err(error) => panic!("{error}"),
        };
        println!("\n{said}");
    }
}

fn number(value: &Value, key: &str) -> f64 {
    value[key].as_f64().unwrap_or_else(|| panic!("no `{key}` in {value}"))
}

#[test]
fn the_truth_lies_in_the_interval_for_every_sensor_of_the_stand_in() {
    let asked: Option<u64> = std::env::var("TILECAST_VGPU_TRIALS").ok().and_then(|text| text.parse().ok());
    let mut short = Vec::new();
    for (card, preset, gain, averages, module_w) in SENSORS {
        let trials = asked.unwrap_or(TRIALS);
        let Some(found) = child(card, &scenario(preset, gain, averages), trials) else { return };
        let (mut inside, mut widths) = ([0.0, 0.0], 0.0);
        for trial in &found {
            let energy_j = number(trial, "energy_j");
            // The reading of a superchip is of its module, and says so.
            let true_j = (number(trial, "true_w") + module_w) * number(trial, "launch_s");
            assert_eq!(trial["flags"].to_string().contains("module"), module_w > 0.0, "{preset}: {trial}");
            inside[0] += f64::from((energy_j - true_j * gain).abs() <= number(trial, "relative_j"));
            inside[1] += f64::from((energy_j - true_j).abs() <= number(trial, "absolute_j"));
            widths += number(trial, "relative_j") / energy_j;
        }
        #[allow(clippy::cast_precision_loss)] // hundreds
        let [inside, width] = [inside.map(|n| n / found.len() as f64), [widths / found.len() as f64; 2]];
        println!(
            "sensor {preset}: {trials} trials, inside {:.3} for one board, {:.3} across boards, half width {:.4}",
            inside[0], inside[1], width[0]
        );
        if inside.iter().any(|share| *share < BAR) || width[0] >= 0.02 {
            short.push(format!("{preset}: inside {inside:?}, half width {}", width[0]));
        }
    }
    assert!(short.is_empty(), "{short:?}");
}

#[test]
fn where_there_is_no_energy_the_stand_in_gives_the_reason() {
    let denied = ["nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetPowerUsage", "field:185", "field:186"];
    let denied: String = denied.iter().map(|call| format!("\"{call}\" = \"no-permission\"\n")).collect();
    let cases = [
        ("a100", "[death]\nat_s = 33.0\nwhat = \"both\"\nhow = \"gpu-lost\"\n".to_owned(), "stopped answering"),
        ("t4", "[death]\nat_s = 33.0\nwhat = \"power\"\nhow = \"gpu-lost\"\n".to_owned(), "stopped answering"),
        ("a100", "[[process]]\npid = 4242\n".to_owned(), "another process is on the GPU (pid 4242)"),
        ("t4", format!("[errors]\n{denied}"), "is denied to this user"),
    ];
    for (card, trouble, words) in cases {
        let preset = if card == "p100" {
            "pascal"
        } else if card == "t4" {
            "turing"
        } else {
            "a100"
        };
        let text = scenario(preset, 1.0, false) + &trouble;
        let Some(found) = child(card, &text, 1) else { return };
        assert!(found[0]["reason"].as_str().is_some_and(|reason| reason.contains(words)), "{card}, {trouble}: {}", found[0]);
    }
    let mig = scenario("a100", 1.0, false).replace("seed = 5", "seed = 5\nmig = \"enabled\"");
    let Some(found) = child("a100", &mig, 1) else { return };
    assert!(found[0]["reason"].as_str().is_some_and(|reason| reason.starts_with("MIG is on")), "{}", found[0]);
}
