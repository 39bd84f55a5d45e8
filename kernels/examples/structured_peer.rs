//! Best swept `monarch` and `kron_matmul` against dense GEMM by a vendor BLAS, one thread, f32: `structured_peer LIBRARY [--json]`.
//!
//! Everything runs in one process, interleaved round by round, on thread CPU time. Features are rows and samples columns for ours; the library multiplies in
//! each of three layouts and is judged by its fastest. A speed-up is the median over rounds of the library's time over ours; the ratio is the speed-up over the
//! FLOP ratio. Exit code 1 where a bar is missed.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::cast_precision_loss)] // a program that prints its table
#![allow(clippy::disallowed_methods)] // a program of its own: it reads its arguments

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use tilecast_kernels::devices::cpu::{CpuDevice, set_library};
use tilecast_kernels::oracle::Verdict;
use tilecast_kernels::{CacheMode, Config, Device, DeviceError, Dtype, Family, Loaded, Problem, Value, family, product};

/// Speed-up over FLOP ratio.
const BAR: f64 = 0.80;
const SEARCH_ROUNDS: usize = 3;
const ROUNDS: usize = 11;
const FINALISTS: usize = 3;
/// CPU time of one sample: long against what reading the clock costs, short against drift of the clock frequency.
const SAMPLE_S: f64 = 0.02;
/// Size and batch.
const CASES: [(u64, u64); 3] = [(1024, 256), (1024, 1024), (4096, 256)];

fn main() -> ExitCode {
    let (mut library, mut json) = (None, false);
    for word in std::env::args().skip(1) {
        if word == "--json" { json = true } else { library = Some(PathBuf::from(word)) }
    }
    let Some(library) = library else {
        eprintln!("error: no library was named\nusage: structured_peer LIBRARY [--json]");
        return ExitCode::from(2);
    };
    match compare(library, json) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

struct Line {
    case: String,
    speed_up: f64,
    flop_ratio: f64,
}

impl Line {
    fn ratio(&self) -> f64 {
        self.speed_up / self.flop_ratio
    }
}

fn compare(library: PathBuf, json: bool) -> Result<bool, DeviceError> {
    set_library(Some(library));
    let device = CpuDevice::open("cpu:1t", Path::new("/sys"))?;
    let mut lines = Vec::new();
    for (n, batch) in CASES {
        lines.extend(case(&device, (n, batch), json)?);
    }
    print(&lines, json);
    Ok(lines.iter().all(|line| line.ratio() >= BAR))
}

/// A problem on the device with the slots that take part.
struct Contender {
    loaded: Box<dyn Loaded>,
    names: Vec<String>,
    slots: Vec<usize>,
    calls: u64,
}

impl Contender {
    fn new(device: &CpuDevice, family: &'static dyn Family, problem: &Problem, configs: &[Config]) -> Result<Self, DeviceError> {
        let mut loaded = device.load(family, problem)?;
        let mut names = Vec::new();
        for config in configs {
            let note = loaded.prepare(config)?.note;
            names.push(note.unwrap_or_else(|| config.to_string()));
        }
        let mut made = Self { loaded, names, slots: (0..configs.len()).collect(), calls: 1 };
        let once = made.times(CacheMode::Hot)?.into_iter().fold(f64::INFINITY, f64::min);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a call count
        let calls = (SAMPLE_S / once.max(1e-9)).ceil() as u64;
        made.calls = calls.max(1);
        Ok(made)
    }

    fn times(&mut self, cache: CacheMode) -> Result<Vec<f64>, DeviceError> {
        self.slots.iter().map(|&slot| Ok(self.loaded.sample(slot, self.calls, cache)?.time_s)).collect()
    }

    /// Keeps the fastest few, all of them verified.
    fn search(&mut self) -> Result<(), DeviceError> {
        let mut best = vec![f64::INFINITY; self.slots.len()];
        for _ in 0..SEARCH_ROUNDS {
            best.iter_mut().zip(self.times(CacheMode::Hot)?).for_each(|(best, time)| *best = best.min(time));
        }
        self.slots.sort_by(|&x, &y| best[x].total_cmp(&best[y]));
        self.slots.truncate(FINALISTS);
        for &slot in &self.slots {
            if let Verdict::Incorrect(reason) = self.loaded.verify(slot)?.verdict {
                return Err(DeviceError::NotFound { spec: self.names[slot].clone(), reason });
            }
        }
        Ok(())
    }
}

fn case(device: &CpuDevice, (n, batch): (u64, u64), json: bool) -> Result<Vec<Line>, DeviceError> {
    let mut dense = dense(device, (n, batch))?;
    let root = n.isqrt();
    let monarch = ("monarch", vec![("n_in", n.into()), ("batch", batch.into()), ("source", "monarch".into())]);
    let kron = ("kron_matmul", vec![("n1", root.into()), ("n2", root.into()), ("batch", batch.into())]);
    let mut lines = Vec::new();
    for (id, axes) in [monarch, kron] {
        let (family, problem) = problem(id, &axes)?;
        let work = family.work(&problem, &family.default_config(&problem, device.info()), device.info());
        let mut ours = Contender::new(device, family, &problem, &candidates(family, &problem, device))?;
        ours.search()?;
        let (speed_up, won, rival) = race(&mut dense, &mut ours)?;
        if !json {
            println!("{problem}\n  ours   {}\n  dense  {}", ours.names[ours.slots[won]], rival);
        }
        lines.push(Line { case: format!("{id} n={n} batch={batch}"), speed_up, flop_ratio: work.dense_flop / work.useful_flop });
    }
    Ok(lines)
}

/// The library with samples as columns, as rows, and as rows with the operator's transpose.
fn dense(device: &CpuDevice, (n, batch): (u64, u64)) -> Result<Vec<(&'static str, Contender)>, DeviceError> {
    let layouts = [
        ("samples as columns", (n, batch), "nn"),
        ("samples as rows", (batch, n), "nn"),
        ("samples as rows, operator transposed", (batch, n), "nt"),
    ];
    layouts
        .into_iter()
        .map(|(name, (rows, cols), layout)| {
            let axes = [("m", rows.into()), ("n", cols.into()), ("k", n.into()), ("layout", layout.into())];
            let (family, problem) = problem("gemm_blas", &axes)?;
            Ok((name, Contender::new(device, family, &problem, &[family.default_config(&problem, device.info())])?))
        })
        .collect()
}

fn problem(id: &str, axes: &[(&str, Value)]) -> Result<(&'static dyn Family, Problem), DeviceError> {
    let family = family(id).expect("registered");
    let axes: Vec<(String, Value)> = axes.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    Ok((family, family.problem(Dtype::F32, &axes, 1)?))
}

/// The fused configurations of the sweep, and the default.
fn candidates(family: &dyn Family, problem: &Problem, device: &CpuDevice) -> Vec<Config> {
    let mut seen = HashSet::new();
    let best = device.info().isa.first().map_or("portable", String::as_str);
    std::iter::once(family.default_config(problem, device.info()))
        .chain(product(&family.knobs(device.info())))
        .filter(|config| config.text("permute") == "fused" && config.text("isa") == best)
        .filter(|config| {
            family.check(problem, config, device.info()).is_ok()
                && seen.insert(family.effective(problem, config, device.info()).id())
        })
        .collect()
}

/// Rounds of every layout of the library and every finalist: the best speed-up, which finalist had it, and against what.
fn race(dense: &mut [(&'static str, Contender)], ours: &mut Contender) -> Result<(f64, usize, String), DeviceError> {
    let mut rounds: Vec<(Vec<f64>, Vec<f64>)> = Vec::new();
    for _ in 0..ROUNDS {
        // The library before and after ours, so that a drifting clock hits both alike.
        let before = dense.iter_mut().map(|(_, c)| Ok(c.times(CacheMode::Hot)?[0])).collect::<Result<Vec<f64>, DeviceError>>()?;
        let mine = ours.times(CacheMode::Hot)?;
        let after = dense.iter_mut().map(|(_, c)| Ok(c.times(CacheMode::Hot)?[0])).collect::<Result<Vec<f64>, DeviceError>>()?;
        rounds.push((before.iter().zip(after).map(|(x, y)| (x + y) / 2.0).collect(), mine));
    }
    let speed_up = |layout: usize, finalist: usize| median(rounds.iter().map(|(dense, ours)| dense[layout] / ours[finalist]));
    let against_best = |finalist: usize| {
        (0..dense.len()).map(|layout| (speed_up(layout, finalist), layout)).min_by(|x, y| x.0.total_cmp(&y.0)).expect("layouts")
    };
    let won = (0..ours.slots.len()).max_by(|&x, &y| against_best(x).0.total_cmp(&against_best(y).0)).expect("finalists");
    let (speed_up, layout) = against_best(won);
    let dense_s = median(rounds.iter().map(|(dense, _)| dense[layout]));
    let rival = format!("{}, {}, {:.3} ms", dense[layout].1.names[0], dense[layout].0, dense_s * 1e3);
    Ok((speed_up, won, rival))
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn print(lines: &[Line], json: bool) {
    if json {
        let items: Vec<String> = lines
            .iter()
            .map(|line| {
                let (case, ok) = (&line.case, line.ratio() >= BAR);
                let (ours, peer, ratio) = (line.speed_up, line.flop_ratio, line.ratio());
                let unit = "speed-up over dense, FLOP ratio";
                format!(r#"{{"case":"{case}","ours":{ours:.3},"peer":{peer:.3},"unit":"{unit}","ratio":{ratio:.4},"bar":{BAR},"ok":{ok}}}"#)
            })
            .collect();
        println!("[{}]", items.join(",\n "));
        return;
    }
    println!("\n{:<34} {:>9} {:>11} {:>6} {:>5}  ok", "case", "speed-up", "FLOP ratio", "ratio", "bar");
    for line in lines {
        let verdict = if line.ratio() >= BAR { "yes" } else { "NO" };
        println!(
            "{:<34} {:>8.2}x {:>10.1}x {:>6.3} {:>5.2}  {verdict}",
            line.case,
            line.speed_up,
            line.flop_ratio,
            line.ratio(),
            BAR
        );
    }
}
