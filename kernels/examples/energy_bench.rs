//! The energy protocol against boards whose truth is known, and what is usually done beside it: `energy_bench [--json] [--trials 1000]`.
//!
//! **Simulation**: each trial draws a board of one sensor type and a kernel, characterises the sensor, measures, and looks whether the truth lies in the
//! reported 95 % interval. Three naive estimators run on the same board: power read after the kernel (as GPPerf did), the mean of power polled from
//! launch to end times the time, and power limit × time. Errors are those against the truth as this board's gain shows it, so that all start alike.
//! Exit code 1 where a bar is missed.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::cast_precision_loss)] // a program that prints its table
#![allow(clippy::disallowed_methods)] // its arguments

use std::process::ExitCode;

use tilecast_kernels::devices::cuda::power::simulated::{PROFILES, Profile, Setup, SimulatedSensor, SimulatedStage, board};
use tilecast_kernels::devices::cuda::power::{Settings, Stage, Unavailable, characterise, measure};

/// Bars: share of truths inside the interval, median half width of the relative interval, and ours over each naive estimator.
const BAR_INSIDE: f64 = 0.94;
const BAR_WIDTH: f64 = 0.015;
const BAR_RATIO: f64 = 1.0;
/// A timing loop, and how long after it a script has asked for power (starting `nvidia-smi` takes longer).
const NAIVE_LAUNCHES: u64 = 10;
const NAIVE_READ_S: f64 = 0.02;
/// How long a poller looks, and how often.
const NAIVE_RUN_S: f64 = 1.0;
const NAIVE_POLL_S: f64 = 0.01;
const NAIVE: [&str; 3] = ["read after", "mean polled", "limit × time"];

/// One board measured.
struct Trial {
    /// The truth times the board's gain lies in the relative interval; the truth lies in the absolute one.
    inside: [bool; 2],
    /// Half widths of both, relative.
    width: [f64; 2],
    /// Relative error of ours, then of the naive ones.
    error: [f64; 4],
    crosscheck: Option<f64>,
}

struct Line {
    case: String,
    ours: f64,
    peer: f64,
    unit: &'static str,
    ratio: f64,
    bar: f64,
}

impl Line {
    fn ok(&self) -> bool {
        self.ratio >= self.bar
    }
}

fn main() -> ExitCode {
    let (json, trials) = match options() {
        Ok(options) => options,
        Err(usage) => {
            eprintln!("error: {usage}");
            return ExitCode::from(2);
        }
    };
    let mut lines = Vec::new();
    for profile in PROFILES {
        match run(profile, trials) {
            Ok(found) => lines.extend(summary(profile, &found, json)),
            Err(why) => {
                eprintln!("error: {}: {why}", profile.name);
                return ExitCode::FAILURE;
            }
        }
    }
    print(&lines, json);
    if lines.iter().all(Line::ok) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn options() -> Result<(bool, u64), String> {
    let (mut json, mut trials) = (false, 1000);
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        match word.as_str() {
            "--json" => json = true,
            "--trials" => {
                let n = given.next().ok_or("`--trials` needs a number")?;
                trials = n
                    .parse()
                    .ok()
                    .filter(|n| *n >= 10)
                    .ok_or_else(|| format!("`{n}` is not a number of trials of at least 10"))?;
            }
            other => return Err(format!("`{other}` is not an option: energy_bench [--json] [--trials N]")),
        }
    }
    Ok((json, trials))
}

/// All trials of one sensor type, over the machine's threads; the result does not depend on how many there are.
fn run(profile: Profile, trials: u64) -> Result<Vec<Trial>, Unavailable> {
    let threads = std::thread::available_parallelism().map_or(1, |n| n.get() as u64).min(trials);
    std::thread::scope(|scope| {
        let part = |part: u64| (part..trials).step_by(threads as usize).map(|seed| trial(profile, seed)).collect::<Vec<_>>();
        let parts: Vec<_> = (0..threads).map(|at| scope.spawn(move || part(at))).collect();
        parts.into_iter().flat_map(|part| part.join().expect("a trial does not panic")).collect()
    })
}

fn trial(profile: Profile, seed: u64) -> Result<Trial, Unavailable> {
    let setup = Setup::drawn(profile, seed);
    let (mut stage, mut sensor, truth) = board(&setup);
    let character = characterise(&mut stage, &mut sensor, profile.architecture, seed)?;
    let report = measure(&mut stage, &mut sensor, &character, &Settings { seed, ..Settings::default() })?;
    let true_j = truth.energy_j(&report.windows);
    let naive = naive(&setup, &mut stage, &mut sensor)?;
    // The power limit comes from a data sheet, not from the board's sensor: no gain to take out.
    let seen_j = [true_j * setup.gain, true_j * setup.gain, true_j];
    let naive = [0, 1, 2].map(|at| (naive[at] / seen_j[at] - 1.0).abs());
    let (seen_j, found_j) = (true_j * setup.gain, report.energy_j);
    Ok(Trial {
        inside: [(found_j - seen_j).abs() <= report.relative_j, (found_j - true_j).abs() <= report.absolute_j()],
        width: [report.relative_j / found_j, report.absolute_j() / found_j],
        error: [(found_j / seen_j - 1.0).abs(), naive[0], naive[1], naive[2]],
        crosscheck: report.crosscheck,
    })
}

/// Energy per launch as it is usually had: power read once after a timing loop of ten launches, and polled through a second of launches from a cold start.
fn naive(setup: &Setup, stage: &mut SimulatedStage, sensor: &mut SimulatedSensor) -> Result<[f64; 3], Unavailable> {
    let missing = |why: tilecast_kernels::devices::cuda::power::Absent| Unavailable::NoSensor(why.to_string());
    stage.idle(3.0);
    let start = stage.clock_s();
    stage.launch(NAIVE_LAUNCHES)?;
    stage.wait()?;
    let time_s = (stage.clock_s() - start) / NAIVE_LAUNCHES as f64;
    stage.idle(NAIVE_READ_S);
    let after_j = sensor.plain_w().map_err(missing)? * time_s;
    stage.idle(3.0);
    let launches = (NAIVE_RUN_S / setup.kernel.launch_s).ceil().max(1.0);
    let start = stage.clock_s();
    let done = stage.completed()? + launches as u64;
    stage.launch(launches as u64)?;
    let mut polled = Vec::new();
    while stage.completed()? < done {
        polled.push(sensor.plain_w().map_err(missing)?);
        stage.idle(NAIVE_POLL_S);
    }
    let time_s = (stage.clock_s() - start) / launches;
    let mean_w = polled.iter().sum::<f64>() / polled.len() as f64;
    Ok([after_j, mean_w * time_s, setup.profile.tdp_w * time_s])
}

fn quantile(values: impl Iterator<Item = f64>, share: f64) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[((values.len() - 1) as f64 * share).round() as usize]
}

fn summary(profile: Profile, trials: &[Trial], json: bool) -> Vec<Line> {
    let name = profile.name;
    let inside = |at: usize| trials.iter().filter(|trial| trial.inside[at]).count() as f64 / trials.len() as f64;
    let width = |at: usize| quantile(trials.iter().map(|trial| trial.width[at]), 0.5);
    let error = |at: usize| quantile(trials.iter().map(|trial| trial.error[at]), 0.5);
    if !json {
        let checks: Vec<f64> = trials.iter().filter_map(|trial| trial.crosscheck).map(|ratio| (ratio - 1.0).abs()).collect();
        let check = if checks.is_empty() {
            "no second estimate".to_owned()
        } else {
            format!("cross-check 95 % within {:.2} %", 100.0 * quantile(checks.into_iter(), 0.95))
        };
        println!(
            "{name:<16} inside {:.3} (one board) {:.3} (any board) | half width {:.2} % {:.2} % | median error {:.3} %, \
             95 % below {:.2} % | {check} | naive errors {}",
            inside(0),
            inside(1),
            100.0 * width(0),
            100.0 * width(1),
            100.0 * error(0),
            100.0 * quantile(trials.iter().map(|trial| trial.error[0]), 0.95),
            NAIVE
                .iter()
                .enumerate()
                .map(|(at, naive)| format!("{naive} {:.1} %", 100.0 * error(at + 1)))
                .collect::<Vec<_>>()
                .join(", "),
        );
    }
    let against_nominal = |case: &str, ours: f64| Line {
        case: format!("{name}: truth inside the interval, {case}"),
        ours,
        peer: 0.95,
        unit: "fraction",
        ratio: ours / 0.95,
        bar: BAR_INSIDE / 0.95,
    };
    let mut lines = vec![against_nominal("one board", inside(0)), against_nominal("any board", inside(1))];
    lines.push(Line {
        case: format!("{name}: median half width, one board"),
        ours: width(0),
        peer: BAR_WIDTH,
        unit: "relative",
        ratio: BAR_WIDTH / width(0),
        bar: BAR_RATIO,
    });
    lines.extend(NAIVE.iter().enumerate().map(|(at, naive)| Line {
        case: format!("{name}: median error, against {naive}"),
        ours: error(0),
        peer: error(at + 1),
        unit: "relative",
        ratio: error(at + 1) / error(0),
        bar: BAR_RATIO,
    }));
    lines
}

fn print(lines: &[Line], json: bool) {
    if json {
        let items: Vec<String> = lines
            .iter()
            .map(|line| {
                let Line { case, ours, peer, unit, ratio, bar } = line;
                let ok = line.ok();
                format!(r#"{{"case":"{case}","ours":{ours:.6},"peer":{peer:.6},"unit":"{unit}","ratio":{ratio:.4},"bar":{bar:.4},"ok":{ok}}}"#)
            })
            .collect();
        println!("[{}]", items.join(",\n "));
        return;
    }
    println!("\n{:<56} {:>9} {:>9} {:<9} {:>8} {:>6}  ok", "case", "ours", "peer", "unit", "ratio", "bar");
    for line in lines {
        let verdict = if line.ok() { "yes" } else { "NO" };
        let Line { case, ours, peer, unit, ratio, bar } = line;
        println!("{case:<56} {ours:>9.5} {peer:>9.5} {unit:<9} {ratio:>8.2} {bar:>6.3}  {verdict}");
    }
}
