//! What is done to the CUDA texts: every barrier and every wait taken out one by one, and the mistakes of `table`.

mod table;

use tilecast_kernels::devices::cuda::{CudaProgram, CudaSource, text};
use tilecast_kernels::oracle::Reference;
use tilecast_kernels::{
    Card, Config, DeviceInfo, DeviceKind, Dtype, Family, Misfit, Parameter, Problem, Tensor, Value, Work, family,
};

/// The texts that are mutilated, by name.
pub(crate) static TEXTS: [(&str, &str); 11] = [
    ("half.cuh", text::HALF),
    ("element.cuh", text::ELEMENT),
    ("async.cuh", text::ASYNC),
    ("blocks.cuh", text::BLOCKS),
    ("feed.cuh", text::FEED),
    ("mma.cuh", text::MMA),
    ("gemm_naive.cu", include_str!("../../src/families/dense/gemm_naive/kernel.cu")),
    ("gemm_tiled.cu", include_str!("../../src/families/dense/gemm_tiled/kernel.cu")),
    ("gemm_regblock.cu", include_str!("../../src/families/dense/gemm_regblock/kernel.cu")),
    ("gemm_tc.cu", include_str!("../../src/families/dense/gemm_tc/kernel.cu")),
    ("chain.cu", include_str!("../../src/devices/cuda/chain/chain.cu")),
];

/// One change of one text.
#[derive(Clone, Debug)]
pub(crate) struct Mutant {
    pub(crate) file: &'static str,
    pub(crate) line: usize,
    pub(crate) what: String,
    original: &'static str,
    changed: &'static str,
}

/// Statements that are taken out wherever they stand.
const TAKEN_OUT: [&str; 4] = ["__syncthreads();", "__syncwarp();", "wait_copies<STAGES - 2>();", "commit_copies();"];

fn mutant(file: &'static str, original: &'static str, at: usize, (from, to): (&str, &str), what: String) -> Mutant {
    let changed = format!("{}{to}{}", &original[..at], &original[at + from.len()..]);
    Mutant { file, line: original[..at].lines().count().max(1), what, original, changed: changed.leak() }
}

/// All of them, in the order of the texts.
pub(crate) fn all() -> Vec<Mutant> {
    let mut mutants = Vec::new();
    for (file, original) in TEXTS {
        for from in TAKEN_OUT {
            let places = original.match_indices(from).map(|(at, _)| at);
            mutants.extend(places.map(|at| mutant(file, original, at, (from, ""), format!("without `{from}`"))));
        }
        let weaker = ("wait_copies<STAGES - 2>();", "wait_copies<STAGES - 1>();");
        let places = original.match_indices(weaker.0).map(|(at, _)| at);
        mutants.extend(places.map(|at| mutant(file, original, at, weaker, "waits for one copy fewer".to_owned())));
        for &(_, from, to, what) in table::MISTAKES.iter().filter(|mistake| mistake.0 == file) {
            let at = original.find(from).unwrap_or_else(|| panic!("{file} does not contain `{from}`"));
            mutants.push(mutant(file, original, at, (from, to), what.to_owned()));
        }
    }
    mutants
}

/// A kernel that a mutant is tried on.
pub(crate) struct Case {
    pub(crate) family: &'static str,
    pub(crate) dtype: Dtype,
    pub(crate) axes: &'static str,
    /// Knobs beside the default's.
    pub(crate) knobs: &'static str,
}

fn words(text: &str) -> Vec<(String, Value)> {
    let word = |word: &str| {
        let (name, value) = word.split_once('=').expect("name=value");
        let real = || value.parse::<f64>().map_or_else(|_| Value::from(value), Value::Real);
        (name.to_owned(), value.parse::<u64>().map_or_else(|_| real(), Value::Int))
    };
    text.split_whitespace().map(word).collect()
}

impl Case {
    pub(crate) fn all() -> &'static [Self] {
        table::CASES
    }

    pub(crate) fn problem(&self) -> Problem {
        family(self.family).expect("registered").problem(self.dtype, &words(self.axes), 7).expect("legal")
    }

    /// The default on `info` with the case's knobs.
    pub(crate) fn config(&self, info: &DeviceInfo) -> Config {
        let (family, problem) = (family(self.family).expect("registered"), self.problem());
        let start = family.default_config(&problem, info).0;
        let config = Config(words(self.knobs).into_iter().fold(start, |named, (name, value)| named.with(&name, value)));
        assert_eq!(family.check(&problem, &config, info), Ok(()), "{problem} | {config}");
        config
    }

    /// Whether its unit contains the text that the mutant changes.
    pub(crate) fn has(&self, mutant: &Mutant, info: &DeviceInfo) -> bool {
        let source = family(self.family).expect("registered").cuda().expect("runs on a GPU");
        match source.program(&self.problem(), &self.config(info), info) {
            CudaProgram::Compiled(compiled) => compiled.unit.texts.contains(&mutant.original),
            _ => false,
        }
    }

    /// Its family, with the mutant's text in the place of the original; untouched without one.
    pub(crate) fn mutated(&self, mutant: Option<&Mutant>) -> &'static dyn Family {
        let inner = family(self.family).expect("registered");
        let swap = mutant.map(|mutant| (mutant.original, mutant.changed));
        Box::leak(Box::new(Mutated { inner, swap }))
    }
}

/// A family that is another one but for a text.
struct Mutated {
    inner: &'static dyn Family,
    swap: Option<(&'static str, &'static str)>,
}

impl Family for Mutated {
    fn card(&self) -> &'static Card {
        self.inner.card()
    }
    fn axes(&self) -> Vec<Parameter> {
        self.inner.axes()
    }
    fn dtypes(&self) -> &'static [Dtype] {
        self.inner.dtypes()
    }
    fn dtypes_on(&self, kind: DeviceKind) -> &'static [Dtype] {
        self.inner.dtypes_on(kind)
    }
    fn knobs(&self, device: &DeviceInfo) -> Vec<Parameter> {
        self.inner.knobs(device)
    }
    fn check_problem(&self, problem: &Problem) -> Result<(), Misfit> {
        self.inner.check_problem(problem)
    }
    fn check(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
        self.inner.check(problem, config, device)
    }
    fn effective(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Config {
        self.inner.effective(problem, config, device)
    }
    fn default_config(&self, problem: &Problem, device: &DeviceInfo) -> Config {
        self.inner.default_config(problem, device)
    }
    fn work(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Work {
        self.inner.work(problem, config, device)
    }
    fn operands(&self, problem: &Problem) -> Vec<Tensor> {
        self.inner.operands(problem)
    }
    fn output(&self, problem: &Problem) -> Tensor {
        self.inner.output(problem)
    }
    fn reference(&self, problem: &Problem, operands: &[Tensor]) -> Reference {
        self.inner.reference(problem, operands)
    }
    fn cuda(&self) -> Option<&dyn CudaSource> {
        Some(self)
    }
}

impl CudaSource for Mutated {
    fn program(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> CudaProgram {
        let mut program = self.inner.cuda().expect("runs on a GPU").program(problem, config, device);
        if let (CudaProgram::Compiled(compiled), Some((original, changed))) = (&mut program, self.swap) {
            for text in compiled.unit.texts.iter_mut().filter(|text| **text == original) {
                *text = changed;
            }
        }
        program
    }

    fn prepared(&self, problem: &Problem, operands: &[Tensor]) -> Option<Vec<Tensor>> {
        self.inner.cuda().expect("runs on a GPU").prepared(problem, operands)
    }
}
