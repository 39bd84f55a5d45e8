//! Best swept `gemm_regblock` against a vendor BLAS, one thread, f32: `gemm_peer LIBRARY [--json] [--sizes 256,512]`.
//!
//! Everything runs in one process, interleaved round by round, on thread CPU time; a ratio is the median over rounds of the library's time over
//! ours. The FMA peak is measured in the same rounds. Exit code 1 where a bar is missed.

#![allow(clippy::print_stdout, clippy::print_stderr, clippy::cast_precision_loss)] // a program that prints its table
#![allow(clippy::disallowed_methods)] // its arguments

use std::path::PathBuf;
use std::process::ExitCode;

use tilecast_kernels::devices::cpu::micro::Isa;
use tilecast_kernels::devices::cpu::{CpuDevice, multiply_add, set_library, thread_cpu_s};
use tilecast_kernels::oracle::Verdict;
use tilecast_kernels::{CacheMode, Config, Device, DeviceError, Dtype, Family, Loaded, Named, Problem, Value, family};

/// Bars: ours over the library at each size, the geometric mean, and ours over the measured FMA peak.
const BAR_EACH: f64 = 0.95;
const BAR_MEAN: f64 = 0.98;
const BAR_PEAK: f64 = 0.85;
const SEARCH_ROUNDS: usize = 3;
const ROUNDS: usize = 11;
const FINALISTS: usize = 4;
/// CPU time of one sample: long against what reading the clock costs, short against drift of the clock frequency.
const SAMPLE_S: f64 = 0.01;

struct Options {
    library: PathBuf,
    json: bool,
    sizes: Vec<u64>,
}

struct Line {
    case: String,
    ours: f64,
    peer: f64,
    ratio: f64,
    bar: f64,
}

fn main() -> ExitCode {
    match options()
        .map_err(|usage| DeviceError::NotFound { spec: "arguments".to_owned(), reason: usage })
        .and_then(|o| compare(&o))
    {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn options() -> Result<Options, String> {
    let mut options = Options { library: PathBuf::new(), json: false, sizes: vec![256, 512, 1024, 2048, 960, 1536] };
    let mut given = std::env::args().skip(1);
    while let Some(word) = given.next() {
        match word.as_str() {
            "--json" => options.json = true,
            "--sizes" => {
                let list = given.next().ok_or("`--sizes` needs a list such as 256,512")?;
                options.sizes =
                    list.split(',').map(|n| n.parse().map_err(|_| format!("`{n}` is not a size"))).collect::<Result<_, _>>()?;
            }
            path => options.library = path.into(),
        }
    }
    if options.library.as_os_str().is_empty() {
        Err("name no library: gemm_peer LIBRARY [--json] [--sizes LIST]".to_owned())
    } else {
        Ok(options)
    }
}

fn compare(options: &Options) -> Result<bool, DeviceError> {
    set_library(Some(options.library.clone()));
    let device = CpuDevice::open("cpu:1t", std::path::Path::new("/sys"))?;
    let mut lines = Vec::new();
    for &n in &options.sizes {
        lines.extend(compare_size(&device, n, options.json)?);
    }
    let logs: Vec<f64> = lines.iter().filter(|line| line.case.starts_with("gemm")).map(|line| line.ratio.ln()).collect();
    let mean = (logs.iter().sum::<f64>() / logs.len().max(1) as f64).exp();
    lines.push(Line { case: "geometric mean".to_owned(), ours: mean, peer: 1.0, ratio: mean, bar: BAR_MEAN });
    print(&lines, options.json);
    Ok(lines.iter().all(Line::ok))
}

/// One contender in a slot of a loaded problem.
struct Contender<'a> {
    loaded: &'a mut dyn Loaded,
    slot: usize,
}

impl Contender<'_> {
    fn time_s(&mut self, calls: u64) -> Result<f64, DeviceError> {
        Ok(self.loaded.sample(self.slot, calls, CacheMode::Hot)?.time_s)
    }
}

fn compare_size(device: &CpuDevice, n: u64, json: bool) -> Result<[Line; 2], DeviceError> {
    let (ours, problem) = problem("gemm_regblock", n)?;
    let (blas, blas_problem) = self::problem("gemm_blas", n)?;
    let (mut mine, mut theirs) = (device.load(ours, &problem)?, device.load(blas, &blas_problem)?);
    let peer = theirs.prepare(&blas.default_config(&blas_problem, device.info()))?;
    verified(theirs.as_mut(), peer.slot, "gemm_blas")?;
    let flop = 2.0 * (n as f64).powi(3);
    let calls = ((SAMPLE_S * 100e9 / flop) as u64).max(1);
    let configs = candidates(ours, &problem, device);
    for config in &configs {
        mine.prepare(config)?;
    }
    let finalists = search(mine.as_mut(), configs.len(), calls)?;
    for &slot in &finalists {
        verified(mine.as_mut(), slot, &configs[slot].to_string())?;
    }
    let rounds = measure((mine.as_mut(), &finalists), (theirs.as_mut(), peer.slot), calls)?;
    let ratio = |at: usize| median(rounds.iter().map(|round| round.peer_s / round.ours_s[at]));
    let best = (0..finalists.len()).max_by(|&x, &y| ratio(x).total_cmp(&ratio(y))).expect("finalists");
    // Rates are those of the fastest round, like the peak's: neighbours on the machine only take away. The ratio is paired, round by round.
    let rate = |times: &mut dyn Iterator<Item = f64>| flop / times.fold(f64::INFINITY, f64::min) / 1e9;
    let ours_rate = rate(&mut rounds.iter().map(|round| round.ours_s[best]));
    let peer_rate = rate(&mut rounds.iter().map(|round| round.peer_s));
    let peak = rounds.iter().map(|round| round.peak).fold(0.0, f64::max) / 1e9;
    if !json {
        println!(
            "n={n}: {} | {} | best of {} configurations",
            peer.note.unwrap_or_default(),
            configs[finalists[best]],
            configs.len()
        );
    }
    Ok([
        Line { case: format!("gemm n={n}"), ours: ours_rate, peer: peer_rate, ratio: ratio(best), bar: BAR_EACH },
        Line { case: format!("fma peak n={n}"), ours: ours_rate, peer: peak, ratio: ours_rate / peak, bar: BAR_PEAK },
    ])
}

fn problem(id: &str, n: u64) -> Result<(&'static dyn Family, Problem), DeviceError> {
    let family = family(id).expect("registered");
    let axes: Vec<(String, Value)> = ["m", "n", "k"].map(|axis| (axis.to_owned(), n.into())).into();
    Ok((family, family.problem(Dtype::F32, &axes, 1)?))
}

fn verified(loaded: &mut dyn Loaded, slot: usize, what: &str) -> Result<(), DeviceError> {
    match loaded.verify(slot)?.verdict {
        Verdict::Correct => Ok(()),
        Verdict::Incorrect(reason) => Err(DeviceError::NotFound { spec: what.to_owned(), reason }),
    }
}

/// The default and a few dozen around it: register shapes that keep the multipliers busy, blocks that fit the caches.
fn candidates(family: &dyn Family, problem: &Problem, device: &CpuDevice) -> Vec<Config> {
    let info = device.info();
    let shapes: &[(u64, u64)] = match Isa::best() {
        Isa::Avx512 => &[(12, 32), (8, 48), (5, 64)],
        Isa::Avx2 => &[(6, 16), (4, 24)],
        Isa::Portable => &[(4, 8), (8, 8)],
    };
    // All of B at once with its panels outside, or 1024 columns with the panels of A outside.
    let outside = [(4096, "jr_ir"), (1024, "ir_jr")];
    let default = family.default_config(problem, info);
    let mut configs = vec![default.clone()];
    for &(micro_m, micro_n) in shapes {
        for tile_k in [256, 320, 384, 512] {
            for (tile_m, (tile_n, order)) in
                [96, 192, 384, 768].into_iter().flat_map(|tile_m| outside.map(|outside| (tile_m, outside)))
            {
                let blocks = [("tile_m", tile_m / micro_m * micro_m), ("tile_n", tile_n / micro_n * micro_n), ("tile_k", tile_k)];
                let named = blocks.into_iter().fold(default.0.clone(), |named: Named, (name, size)| named.with(name, size));
                let config = Config(named.with("micro_m", micro_m).with("micro_n", micro_n).with("loop_order", order));
                let config = family.effective(problem, &config, device.info());
                if family.check(problem, &config, info).is_ok() && !configs.contains(&config) {
                    configs.push(config);
                }
            }
        }
    }
    configs
}

/// The best few of all slots by their fastest round.
fn search(loaded: &mut dyn Loaded, slots: usize, calls: u64) -> Result<Vec<usize>, DeviceError> {
    let mut best = vec![f64::INFINITY; slots];
    for _ in 0..SEARCH_ROUNDS {
        for (slot, best) in best.iter_mut().enumerate() {
            *best = best.min(Contender { loaded: &mut *loaded, slot }.time_s(calls.div_ceil(2))?);
        }
    }
    let mut order: Vec<usize> = (0..slots).collect();
    order.sort_by(|&x, &y| best[x].total_cmp(&best[y]));
    order.truncate(FINALISTS);
    if !order.contains(&0) {
        order.push(0);
    }
    Ok(order)
}

struct Round {
    peer_s: f64,
    ours_s: Vec<f64>,
    peak: f64,
}

fn measure(
    (mine, finalists): (&mut dyn Loaded, &[usize]),
    (theirs, peer): (&mut dyn Loaded, usize),
    calls: u64,
) -> Result<Vec<Round>, DeviceError> {
    (0..ROUNDS)
        .map(|_| {
            // The library once before and once after ours, so that a drifting clock hits both alike.
            let before = theirs.sample(peer, calls, CacheMode::Hot)?.time_s;
            let ours_s = finalists
                .iter()
                .map(|&slot| Ok(mine.sample(slot, calls, CacheMode::Hot)?.time_s))
                .collect::<Result<_, DeviceError>>()?;
            let after = theirs.sample(peer, calls, CacheMode::Hot)?.time_s;
            Ok(Round { peer_s: (before + after) / 2.0, ours_s, peak: peak_flop_per_s() })
        })
        .collect()
}

fn peak_flop_per_s() -> f64 {
    let start = thread_cpu_s();
    let flop = multiply_add(Isa::best(), Dtype::F32, 2_000_000);
    flop / (thread_cpu_s() - start)
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<f64> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

impl Line {
    fn ok(&self) -> bool {
        self.ratio >= self.bar
    }
}

fn print(lines: &[Line], json: bool) {
    let unit = |line: &Line| if line.case == "geometric mean" { "ratio" } else { "gflop_per_s" };
    if json {
        let items: Vec<String> = lines
            .iter()
            .map(|line| {
                let Line { case, ours, peer, ratio, bar } = line;
                let (unit, ok) = (unit(line), line.ok());
                format!(r#"{{"case":"{case}","ours":{ours:.4},"peer":{peer:.4},"unit":"{unit}","ratio":{ratio:.4},"bar":{bar},"ok":{ok}}}"#)
            })
            .collect();
        println!("[{}]", items.join(",\n "));
        return;
    }
    println!("\n{:<18} {:>8} {:>8} {:<12} {:>6} {:>5}  ok", "case", "ours", "peer", "unit", "ratio", "bar");
    for line in lines {
        let verdict = if line.ok() { "yes" } else { "NO" };
        println!(
            "{:<18} {:>8.2} {:>8.2} {:<12} {:>6.3} {:>5.2}  {verdict}",
            line.case,
            line.ours,
            line.peer,
            unit(line),
            line.ratio,
            line.bar
        );
    }
}
