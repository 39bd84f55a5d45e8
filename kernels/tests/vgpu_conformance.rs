//! Every CUDA family × element type × layout × awkward shape on the virtual GPU, through the driver and the run-time compiler that a real one
//! uses: results against the oracle, no race, no uninitialised read, and as many FLOP and bytes as the family says.

#![allow(clippy::print_stdout)] // a skip must be seen
#![allow(clippy::disallowed_methods)] // a test that needs a library learns its path from the environment

mod virtual_gpu;

use std::collections::BTreeMap;

use tilecast_kernels::devices::cuda::CudaProgram;
use tilecast_kernels::oracle::Verdict;
use tilecast_kernels::random::Random;
use tilecast_kernels::{Config, DeviceInfo, DeviceKind, Dtype, Family, Level, Named, Problem, Tensor, Value, registry};
use virtual_gpu::{Bench, Called, Child, OnFinding, on_card};

/// FLOP above which a point is left out: 2²⁴ take the interpreter about a tenth of a second.
const MOST_FLOP: f64 = 16_777_216.0;
/// Configurations drawn until one is legal.
const DRAWS: usize = 4000;
const LAYOUTS: [&str; 4] = ["nn", "nt", "tn", "tt"];

type Point = (Problem, Config);

/// Draws of configurations for one family and element type.
struct Draws<'a> {
    family: &'static dyn Family,
    dtype: Dtype,
    info: &'a DeviceInfo,
    random: Random,
    /// Random configurations per layout or shape.
    each: usize,
}

/// A dense problem: sizes, what C counts, padding of rows.
#[derive(Clone, Copy)]
struct Dense {
    size: (u64, u64, u64),
    beta: f64,
    ld_pad: u64,
}

/// (`m`, `n`, `k`) of a configuration's tile; what a family has no knob for counts as 8.
fn tile(config: &Config) -> (u64, u64, u64) {
    let first = |names: &[&str]| names.iter().find_map(|name| config.value(name).map(|_| config.int(name))).unwrap_or(8);
    (first(&["tile_m", "block_m", "tile"]), first(&["tile_n", "block_n", "tile"]), first(&["tile_k", "tile"]))
}

/// One more than a tile along m and n and than three along k, rows padded so that vectors of eight still fit.
fn above((m, n, k): (u64, u64, u64)) -> Dense {
    Dense { size: (m + 1, n + 1, 3 * k + 1), beta: 3.0, ld_pad: 7 }
}

/// One less.
fn below((m, n, k): (u64, u64, u64)) -> Dense {
    let less = |size: u64| (size - 1).max(1);
    Dense { size: (less(m), less(n), less(2 * k)), beta: 0.0, ld_pad: 1 }
}

/// 1, primes, and no products at all, with and without C.
const AWKWARD: [Dense; 4] = [
    Dense { size: (1, 1, 1), beta: 0.0, ld_pad: 0 },
    Dense { size: (37, 41, 53), beta: 3.0, ld_pad: 3 },
    Dense { size: (5, 7, 0), beta: 0.0, ld_pad: 0 },
    Dense { size: (7, 5, 0), beta: 3.0, ld_pad: 2 },
];

/// What is executed of CUTLASS, whose templates take seconds each to compile: element type, layout, what multiplies.
const CUTLASS: [(Dtype, &str, &str); 5] = [
    (Dtype::F32, "nn", "simt"),
    (Dtype::F64, "tn", "simt"),
    (Dtype::F16, "nt", "tensorop"),
    (Dtype::Tf32, "nn", "tensorop"),
    (Dtype::Int8, "nt", "tensorop"),
];
/// Sizes that no tile divides and vectors of eight or sixteen do.
const ALIGNED: Dense = Dense { size: (137, 80, 112), beta: 3.0, ld_pad: 0 };

/// Sizes of the structured families: 1, primes, tiles of 16 and 32 and one beside, blocks that do not divide them.
const STRUCTURED: [(&str, &[&str]); 2] = [
    (
        "monarch",
        &[
            "n_in=1 batch=1 source=monarch",
            "n_in=13 nblocks=13 batch=5 source=monarch",
            "n_in=13 batch=8 source=gaussian",
            "n_in=48 n_out=30 nblocks=6 batch=33 source=monarch",
            "n_in=30 n_out=48 nblocks=6 rank=3 batch=16 source=gaussian",
            "n_in=272 n_out=289 nblocks=17 batch=15 source=monarch",
            "n_in=256 batch=40 source=monarch",
        ],
    ),
    (
        "kron_matmul",
        &[
            "n1=1 n2=1 batch=1",
            "n1=1 n2=31 batch=33",
            "n1=31 n2=1 batch=32",
            "n1=7 n2=13 batch=65",
            "n1=5 n2=9 m1=11 m2=3 batch=16",
            "n1=17 n2=15 m1=15 m2=17 batch=31",
            "n1=16 n2=33 m1=17 m2=8 batch=24",
        ],
    ),
];

impl Draws<'_> {
    fn dense(&self, layout: &str, dense: Dense) -> Problem {
        let (m, n, k) = dense.size;
        let sizes = [("m", m), ("n", n), ("k", k), ("ld_pad", dense.ld_pad)];
        let mut axes: Vec<(String, Value)> = sizes.map(|(name, size)| (name.to_owned(), Value::Int(size))).into();
        axes.extend(
            [("alpha", (-2.0).into()), ("beta", dense.beta.into()), ("layout", layout.into())].map(|(n, v)| (n.to_owned(), v)),
        );
        self.family.problem(self.dtype, &axes, 7).expect("legal")
    }

    fn structured(&self, axes: &str) -> Problem {
        let word = |word: &str| {
            let (name, value) = word.split_once('=').expect("name=value");
            (name.to_owned(), value.parse::<u64>().map_or_else(|_| Value::from(value), Value::Int))
        };
        self.family.problem(self.dtype, &axes.split_whitespace().map(word).collect::<Vec<_>>(), 7).expect("legal")
    }

    fn default(&self, problem: Problem) -> Point {
        let config = self.family.default_config(&problem, self.info);
        (problem, config)
    }

    /// A legal configuration of affordable work, with the problem that `of` makes for it.
    fn draw(&mut self, of: impl Fn(&Self, &Config) -> Problem) -> Option<Point> {
        let knobs = self.family.knobs(self.info);
        for _ in 0..DRAWS {
            let mut named = Named::default();
            for knob in &knobs {
                let at = usize::try_from(self.random.bits() % knob.values.len() as u64).expect("small");
                named = named.with(knob.name, knob.values[at].clone());
            }
            let config = Config(named);
            let problem = of(self, &config);
            let legal = self.family.check(&problem, &config, self.info).is_ok();
            if legal && self.family.work(&problem, &config, self.info).executed_flop <= MOST_FLOP {
                return Some((problem, config));
            }
        }
        None
    }

    fn dense_points(&mut self) -> Vec<Point> {
        let mut points = Vec::new();
        for layout in LAYOUTS {
            points.extend(AWKWARD.map(|dense| self.default(self.dense(layout, dense))));
            let of_default = tile(&points.last().expect("the last awkward one").1);
            points.extend([above(of_default), below(of_default)].map(|dense| self.default(self.dense(layout, dense))));
            for _ in 0..self.each {
                let Some((problem, config)) = self.draw(|draws, config| draws.dense(layout, above(tile(config)))) else {
                    continue;
                };
                let smaller = self.dense(layout, below(tile(&config)));
                points.extend([(problem, config.clone()), (smaller, config)]);
            }
        }
        points
    }

    fn structured_points(&mut self, shapes: &[&str]) -> Vec<Point> {
        let mut points = Vec::new();
        for axes in shapes {
            let problem = self.structured(axes);
            points.push(self.default(problem.clone()));
            for _ in 0..self.each {
                points.extend(self.draw(|_, _| problem.clone()));
            }
        }
        points
    }

    fn cutlass_points(&mut self) -> Vec<Point> {
        let mut points = Vec::new();
        let mine = self.dtype;
        for (_, layout, op) in CUTLASS.into_iter().filter(|(dtype, ..)| *dtype == mine) {
            let drawn =
                (0..DRAWS).find_map(|_| self.draw(|draws, _| draws.dense(layout, ALIGNED)).filter(|p| p.1.text("op") == op));
            points.extend(drawn);
        }
        points
    }

    fn points(&mut self) -> Vec<Point> {
        let id = self.family.card().id;
        if id == "gemm_cutlass" {
            return self.cutlass_points();
        }
        match STRUCTURED.iter().find(|(family, _)| *family == id) {
            Some((_, shapes)) => self.structured_points(shapes),
            None if self.family.axes().iter().any(|axis| axis.name == "layout") => self.dense_points(),
            None => panic!("`{id}` runs on a GPU and has no shapes here"),
        }
    }
}

/// Why a family cannot run here at all.
fn obstacle(bench: &Bench, family: &dyn Family, problem: &Problem, config: &Config) -> Option<String> {
    match family.cuda()?.program(problem, config, bench.info()) {
        CudaProgram::Vendor(_) => Some("a vendor's library runs machine code, which a virtual GPU cannot".to_owned()),
        CudaProgram::Templated(_) if !bench.has_cutlass() => Some("TILECAST_CUTLASS_INCLUDE is not set".to_owned()),
        CudaProgram::Templated(_) => None,
        CudaProgram::Compiled(compiled) if compiled.unit.arch_specific => {
            Some("it needs instructions of one architecture, which a virtual GPU does not have".to_owned())
        }
        CudaProgram::Compiled(_) => None,
    }
}

/// What is wrong with a call, in words.
fn faults(family: &dyn Family, (problem, config): &Point, called: &Called, info: &DeviceInfo) -> Vec<String> {
    let mut faults = Vec::new();
    match &called.verdict {
        Ok(Verdict::Correct) => {}
        Ok(other) => faults.push(format!("{other:?}")),
        Err(error) => faults.push(error.to_string()),
    }
    if !called.findings.is_empty() {
        faults.push(called.findings.clone());
    }
    if faults.is_empty() {
        faults.extend(miscounted(family, problem, &family.effective(problem, config, info), called, info));
    }
    faults
}

/// The family's model against what was counted:
/// - FLOP are exactly the executed ones;
/// - distinct bytes are exactly the model's traffic of main memory: every operand and middle result once per launch that takes it. They are
///   counted in words of 4 bytes where no access is narrower, so that a row of shorter elements may end within one;
/// - what threads ask for is at least what the model sends from the second level to each block, and at most that and what it sends through
///   the first level or shared memory.
fn miscounted(family: &dyn Family, problem: &Problem, config: &Config, called: &Called, info: &DeviceInfo) -> Vec<String> {
    let (work, counted) = (family.work(problem, config, info), called.counted);
    let level = |of: Level| work.traffic.iter().find(|(level, _)| *level == of).map_or(0.0, |(_, bytes)| *bytes);
    let (l1, l2, dram) = (level(Level::L1), level(Level::L2), level(Level::Dram));
    let mut faults = Vec::new();
    if counted.flop != work.executed_flop {
        faults.push(format!("{} FLOP were executed; the model says {}", counted.flop, work.executed_flop));
    }
    let most = dram + word_ends(family, problem);
    if counted.distinct_bytes < dram || counted.distinct_bytes > most {
        faults.push(format!("{} distinct bytes were touched; the model says {dram} to {most}", counted.distinct_bytes));
    }
    if counted.requested_bytes < l2 || counted.requested_bytes > l1 + l2 {
        faults.push(format!("{} B were asked for; the model says {l2} to {}", counted.requested_bytes, l1 + l2));
    }
    faults
}

/// Bytes by which the rows of operands shorter than a word can fall short of whole words.
fn word_ends(family: &dyn Family, problem: &Problem) -> f64 {
    let rows = |tensor: &Tensor| u32::try_from(tensor.rows).expect("shapes here are small");
    let short = |tensor: &Tensor| f64::from(rows(tensor)) * 4u64.saturating_sub(tensor.dtype().bytes()) as f64;
    family.operands(problem).iter().map(short).sum()
}

#[derive(Default)]
struct Tally {
    /// Points that ran, by family and element type.
    ran: BTreeMap<(&'static str, &'static str), usize>,
    faults: Vec<String>,
    /// A fault ended the device: what comes after it would fail for no reason of its own.
    lost: bool,
}

fn conform(bench: &mut Bench, family: &'static dyn Family, dtype: Dtype, each: usize, tally: &mut Tally) {
    let (id, info) = (family.card().id, bench.info().clone());
    let mut draws = Draws { family, dtype, info: &info, random: Random::stream(11, dtype.bytes()), each };
    let mut refused = None;
    for point in draws.points() {
        if let Err(misfit) = family.check(&point.0, &point.1, &info) {
            refused = Some(misfit.to_string());
            continue;
        }
        if let Some(why) = obstacle(bench, family, &point.0, &point.1) {
            println!("skipped: {id} {dtype} on {}: {why}", info.gpu().arch);
            return;
        }
        let called = bench.call(family, &point.0, &point.1);
        *tally.ran.entry((id, dtype.name())).or_default() += 1;
        let faults = faults(family, &point, &called, &info);
        tally.lost = called.lost();
        tally.faults.extend(faults.iter().map(|fault| format!("{} | {}\n  {fault}", point.0, point.1)));
        if tally.lost {
            return;
        }
    }
    if let (None, Some(why)) = (tally.ran.get(&(id, dtype.name())), refused) {
        println!("skipped: {id} {dtype} on {}: {why}", info.gpu().arch);
    }
}

/// All families with `each` random configurations per layout or shape; `least` types of elements must have run in all.
fn all_conform(bench: &mut Bench, each: usize, least: usize) {
    let mut tally = Tally::default();
    for family in registry().iter().copied().filter(|family| family.cuda().is_some()) {
        for &dtype in family.dtypes_on(DeviceKind::Cuda) {
            if !tally.lost {
                conform(bench, family, dtype, each, &mut tally);
            }
        }
    }
    for ((id, dtype), points) in &tally.ran {
        println!("{id:<14} {dtype:<5} {points:>4} points");
    }
    let (count, shown) = (tally.faults.len(), tally.faults.iter().take(40).cloned().collect::<Vec<_>>().join("\n"));
    assert!(tally.faults.is_empty(), "{count} faults:\n{shown}");
    assert!(tally.ran.len() >= least, "only {} of at least {least} families and types ran", tally.ran.len());
}

fn all_conform_on(card: &'static str, test: &'static str, (each, least): (usize, usize)) {
    let child = Child { card, test, finding: OnFinding::Fail, first: 0 };
    if let Some(said) = on_card(child, |bench, _| all_conform(bench, each, least)) {
        println!("{said}");
    }
}

#[test]
fn every_cuda_family_conforms_on_an_ada_card() {
    all_conform_on("rtx4070", "every_cuda_family_conforms_on_an_ada_card", (2, 23));
}

#[test]
fn every_cuda_family_conforms_on_a_turing_card() {
    all_conform_on("t4", "every_cuda_family_conforms_on_a_turing_card", (1, 16));
}
