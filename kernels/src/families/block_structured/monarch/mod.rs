//! Monarch: an operator of two block-diagonal factors around a permutation.
//!
//! # Math
//! Y = W·X, X (n_in × batch), Y (n_out × batch), one column per sample. With `nblocks` = b, p = n_in / b, s = n_out / b and rank r, W is b × b blocks: block (j, k)
//! is the rows l·b + j and the columns k·p + d, an s × p matrix of rank r:
//!
//! ```text
//! W[l·b + j, k·p + d] = Σ_t R[j, l, (k, t)] · L[(k, t), j, d]
//! Z[j, (k, t)]  = Σ_d L[(k, t), j, d] · X[k·p + d]        first factor, b·r products of b × p
//! Y[l·b + j]    = Σ_(k,t) R[j, l, (k, t)] · Z[j, (k, t)]  second factor, b products of s × b·r
//! ```
//!
//! # Work
//! 2·batch·b·r·(n_in + n_out) FLOP against 2·batch·n_in·n_out. For a square operator with b = √n that is √n/2 times fewer.
//!
//! # Knobs
//! On a CPU: instruction set, micro-kernel, strip width, threads, and whether the permutation is folded into strides or done by copies. On a GPU:
//! `math` (threads or tensor cores), `permute` (one kernel with the middle result in shared memory, two with it in main memory, or with passes of
//! copies), `strip`, `group`, `threads`, tiles, `stages`, `vector`.

mod cpu;
mod cuda;
#[cfg(test)]
mod mutations;
mod operands;
mod project;
mod reference;
mod sizes;
#[cfg(test)]
mod tests;

pub use project::{Factors, project};
pub use sizes::{Sizes, Source, natural_blocks};

use crate::devices::cpu::CpuSource;
use crate::devices::cpu::chain::{self, ChainKnobs, Extent};
use crate::devices::cuda::CudaSource;
use crate::devices::cuda::chain as gpu_chain;
use crate::devices::cuda::chain::GpuChainKnobs;
use crate::oracle::Reference;
use crate::{Card, Config, DeviceInfo, DeviceKind, Dtype, Family, Misfit, Parameter, Problem, Tensor, Value, Work};

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct Monarch;

static CARD: Card = Card {
    id: "monarch",
    group: "block structured",
    title: "Monarch: two block-diagonal factors around a permutation",
    math: "Y (n_out x batch) = W X with W = (permuted block-diagonal R) (block-diagonal L), nblocks x nblocks blocks of rank `rank`; \
           from dense weights by the nearest such operator in Frobenius norm",
    look_at: "Speed-up over dense against the FLOP ratio, and the fused permutation against the copied one: the copies, not the FLOP, cost most of what a \
              composition of library calls loses. Read it beside the approximation error: for weights without structure it is near 1, so speed alone \
              says nothing of use. Preparation (the projection) is timed apart.",
    references: &[
        "Dao and others, Monarch: Expressive Structured Matrices for Efficient and Accurate Training, ICML 2022, arXiv:2204.00595",
        "Fu and others, Monarch Mixer, NeurIPS 2023, arXiv:2310.12109",
    ],
};

/// Largest side of an operator.
const MOST: u64 = 1 << 20;
const SOURCES: [&str; 3] = ["gaussian", "spectrum", "monarch"];

impl Family for Monarch {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn axes(&self) -> Vec<Parameter> {
        vec![
            Parameter::int("n_in", (1, MOST), &[1024], "columns of the operator"),
            Parameter::int("n_out", (1, MOST), &[1024], "rows of the operator; as n_in where not given"),
            Parameter::int(
                "nblocks",
                (1, MOST),
                &[32],
                "blocks along each side; where not given the common divisor nearest to the square root of n_in",
            ),
            Parameter::int("rank", (1, 1 << 10), &[1], "rank of each block"),
            Parameter::int("batch", (1, 1 << 24), &[256], "columns of X"),
            Parameter::choice("source", &SOURCES, &["gaussian"], "dense weights to project, or exact random factors (monarch)"),
        ]
    }

    fn dtypes(&self) -> &'static [Dtype] {
        &gpu_chain::DTYPES
    }

    fn knobs(&self, device: &DeviceInfo) -> Vec<Parameter> {
        match device.kind {
            DeviceKind::Cpu => ChainKnobs::parameters(device),
            DeviceKind::Cuda => GpuChainKnobs::parameters(),
        }
    }

    fn check_problem(&self, problem: &Problem) -> Result<(), Misfit> {
        Sizes::of(problem).check()
    }

    fn check(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
        match device.kind {
            DeviceKind::Cpu => ChainKnobs::check(config, problem.dtype, device),
            DeviceKind::Cuda => GpuChainKnobs::read(config).check(&cuda::chain(problem), device),
        }
    }

    fn effective(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Config {
        match device.kind {
            DeviceKind::Cpu => ChainKnobs::effective(config, problem.axes.size("batch")),
            DeviceKind::Cuda => GpuChainKnobs::read(config).effective(&cuda::chain(problem)).config(),
        }
    }

    fn default_config(&self, problem: &Problem, device: &DeviceInfo) -> Config {
        let sizes = Sizes::of(problem);
        match device.kind {
            DeviceKind::Cpu => ChainKnobs::default_config(&sizes.shape(), problem.dtype, sizes.batch, device),
            DeviceKind::Cuda => GpuChainKnobs::default(&cuda::chain(problem), device).config(),
        }
    }

    fn work(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Work {
        let sizes = Sizes::of(problem);
        match device.kind {
            DeviceKind::Cpu => chain::work(&sizes.shape(), &ChainKnobs::read(config), &extent(&sizes, problem.dtype)),
            DeviceKind::Cuda => {
                let chain = cuda::chain(problem);
                gpu_chain::work(&chain, &GpuChainKnobs::read(config).effective(&chain))
            }
        }
    }

    fn resident_bytes(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> f64 {
        let work = self.work(problem, config, device);
        let dense =
            if Sizes::of(problem).source == Source::Monarch { 0.0 } else { work.dense_flop / 2.0 / problem.axes.real("batch") };
        #[allow(clippy::cast_precision_loss)] // at most 8
        let element = problem.dtype.bytes() as f64;
        work.compulsory_bytes + element * dense
    }

    fn operands(&self, problem: &Problem) -> Vec<Tensor> {
        operands::operands(problem)
    }

    fn output(&self, problem: &Problem) -> Tensor {
        let sizes = Sizes::of(problem);
        Tensor::zeros("y", problem.dtype.result(), (sizes.n_out, sizes.batch), sizes.batch)
    }

    fn reference(&self, problem: &Problem, operands: &[Tensor]) -> Reference {
        reference::reference(problem, operands)
    }

    fn baseline(&self, problem: &Problem) -> Option<Problem> {
        let sizes = Sizes::of(problem);
        chain::dense_rival(problem, &extent(&sizes, problem.dtype))
    }

    fn quality(&self, problem: &Problem, operands: &[Tensor]) -> Option<f64> {
        let sizes = Sizes::of(problem);
        (sizes.source != Source::Monarch).then(|| project(&operands[0], &sizes).error())
    }

    fn cpu(&self) -> Option<&dyn CpuSource> {
        Some(self)
    }

    fn cuda(&self) -> Option<&dyn CudaSource> {
        Some(self)
    }

    /// As [`Family::problem`], with the defaults that depend on another size: `n_out` is `n_in`, and `nblocks` is [`natural_blocks`].
    fn problem(&self, dtype: Dtype, given: &[(String, Value)], seed: u64) -> Result<Problem, Misfit> {
        let mut given = given.to_vec();
        let int = |given: &[(String, Value)], name: &str| match given.iter().find(|(n, _)| n == name) {
            Some((_, Value::Int(value))) => Some(*value),
            _ => None,
        };
        if let (Some(n_in), false) = (int(&given, "n_in"), given.iter().any(|(name, _)| name == "n_out")) {
            given.push(("n_out".into(), n_in.into()));
        }
        let n_in = int(&given, "n_in").unwrap_or(1024);
        let open = !given.iter().any(|(name, _)| name == "nblocks");
        let legal = 1..=MOST;
        match int(&given, "n_out").filter(|n_out| legal.contains(n_out) && legal.contains(&n_in)) {
            Some(n_out) if open => given.push(("nblocks".into(), natural_blocks(n_in, n_out).into())),
            _ => {}
        }
        crate::family::complete(self, dtype, &given, seed)
    }
}

fn extent(sizes: &Sizes, dtype: Dtype) -> Extent {
    let weights = sizes.outer() * (sizes.n_in + sizes.n_out);
    Extent { rows_in: sizes.n_in, rows_out: sizes.n_out, weights, batch: sizes.batch, dtype }
}
