//! A Kronecker product of two matrices times a batch of columns.
//!
//! # Math
//! Y = (K1 ⊗ K2)·X with K1 (m1 × n1), K2 (m2 × n2), X (n1·n2 × batch), Y (m1·m2 × batch); row (i1, i2) of X is i1·n2 + i2, so i2 runs fastest:
//!
//! ```text
//! Y[(a1, a2)] = Σ_i1 Σ_i2 K1[a1, i1] · K2[a2, i2] · X[(i1, i2)]
//! ```
//!
//! It is what a covariance on a grid of n1 × n2 points does with a batch of fields.
//!
//! # Work
//! With K2 first 2·batch·n1·m2·(n2 + m1) FLOP, with K1 first 2·batch·n2·m1·(n1 + m2), against 2·batch·m1·m2·n1·n2 dense. For square factors of side √n that
//! is √n/2 times fewer.
//!
//! # Knobs
//! `order`: which factor first. On a CPU: instruction set, micro-kernel, strip width, threads, and whether the transposition between the stages is folded
//! into strides or done by copies. On a GPU: `math` (threads or tensor cores), `permute` (one kernel with the middle result in shared memory, two with
//! it in main memory, or with passes of copies), `strip`, `group`, `threads`, tiles, `stages`, `vector`.

mod cpu;
mod cuda;
mod reference;
mod sizes;
#[cfg(test)]
mod tests;

pub use sizes::{Order, Sizes};

use crate::devices::cpu::CpuSource;
use crate::devices::cpu::chain::{self, ChainKnobs, Extent};
use crate::devices::cuda::CudaSource;
use crate::devices::cuda::chain as gpu_chain;
use crate::devices::cuda::chain::GpuChainKnobs;
use crate::oracle::Reference;
use crate::random::Random;
use crate::{Card, Config, DeviceInfo, DeviceKind, Dtype, Family, Misfit, Named, Parameter, Problem, Tensor, Value, Work};

/// The family.
#[derive(Clone, Copy, Debug)]
pub struct KronMatmul;

static CARD: Card = Card {
    id: "kron_matmul",
    group: "tensor product",
    title: "Kronecker product of two matrices times a batch",
    math: "Y (m1 m2 x batch) = (K1 kron K2) X, K1 (m1 x n1), K2 (m2 x n2), without ever forming the product",
    look_at: "Speed-up over dense against the FLOP ratio, and the fused transposition against the copied one. The operator is exact: there is no \
              approximation error. With factors of unequal shape the order decides the FLOP.",
    references: &[
        "Van Loan, The ubiquitous Kronecker product, Journal of Computational and Applied Mathematics 123, 2000",
        "Fang and others, Solving High Frequency and Multi-Scale PDEs with Gaussian Processes, ICLR 2024, arXiv:2311.04465",
    ],
};

const ORDERS: [&str; 2] = ["outer_first", "inner_first"];

fn order(config: &Config) -> Order {
    if config.text("order") == "inner_first" { Order::InnerFirst } else { Order::OuterFirst }
}

fn with_order(config: Config, order: Order) -> Config {
    let word = if order == Order::InnerFirst { "inner_first" } else { "outer_first" };
    let order = ("order".to_owned(), Value::from(word));
    Config(Named(std::iter::once(order).chain(config.0.0).collect()))
}

fn extent(sizes: &Sizes, dtype: Dtype) -> Extent {
    Extent {
        rows_in: sizes.n1 * sizes.n2,
        rows_out: sizes.m1 * sizes.m2,
        weights: sizes.m1 * sizes.n1 + sizes.m2 * sizes.n2,
        batch: sizes.batch,
        dtype,
    }
}

impl Family for KronMatmul {
    fn card(&self) -> &'static Card {
        &CARD
    }

    fn axes(&self) -> Vec<Parameter> {
        vec![
            Parameter::int("n1", (1, 1 << 16), &[32], "columns of K1"),
            Parameter::int("n2", (1, 1 << 16), &[32], "columns of K2"),
            Parameter::int("m1", (1, 1 << 16), &[32], "rows of K1; as n1 where not given"),
            Parameter::int("m2", (1, 1 << 16), &[32], "rows of K2; as n2 where not given"),
            Parameter::int("batch", (1, 1 << 24), &[256], "columns of X"),
        ]
    }

    fn dtypes(&self) -> &'static [Dtype] {
        &gpu_chain::DTYPES
    }

    fn knobs(&self, device: &DeviceInfo) -> Vec<Parameter> {
        let order = Parameter::choice("order", &ORDERS, &ORDERS, "factor applied first: K1 (outer) or K2 (inner)");
        let chain = match device.kind {
            DeviceKind::Cpu => ChainKnobs::parameters(device),
            DeviceKind::Cuda => GpuChainKnobs::parameters(),
        };
        std::iter::once(order).chain(chain).collect()
    }

    fn check_problem(&self, problem: &Problem) -> Result<(), Misfit> {
        Sizes::of(problem).check()
    }

    fn check(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
        match device.kind {
            DeviceKind::Cpu => ChainKnobs::check(config, problem.dtype, device),
            DeviceKind::Cuda => GpuChainKnobs::read(config).check(&cuda::chain(problem, order(config)), device),
        }
    }

    fn effective(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Config {
        let order = order(config);
        let chain = match device.kind {
            DeviceKind::Cpu => ChainKnobs::effective(config, problem.axes.size("batch")),
            DeviceKind::Cuda => GpuChainKnobs::read(config).effective(&cuda::chain(problem, order)).config(),
        };
        with_order(chain, order)
    }

    fn default_config(&self, problem: &Problem, device: &DeviceInfo) -> Config {
        let sizes = Sizes::of(problem);
        let order = sizes.cheaper();
        let chain = match device.kind {
            DeviceKind::Cpu => ChainKnobs::default_config(&sizes.shape(order), problem.dtype, sizes.batch, device),
            DeviceKind::Cuda => GpuChainKnobs::default(&cuda::chain(problem, order), device).config(),
        };
        with_order(chain, order)
    }

    fn work(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Work {
        let (sizes, order) = (Sizes::of(problem), order(config));
        match device.kind {
            DeviceKind::Cpu => chain::work(&sizes.shape(order), &ChainKnobs::read(config), &extent(&sizes, problem.dtype)),
            DeviceKind::Cuda => {
                let chain = cuda::chain(problem, order);
                gpu_chain::work(&chain, &GpuChainKnobs::read(config).effective(&chain))
            }
        }
    }

    fn operands(&self, problem: &Problem) -> Vec<Tensor> {
        let Sizes { m1, n1, m2, n2, batch } = Sizes::of(problem);
        let shapes = [("k1", (m1, n1)), ("k2", (m2, n2)), ("x", (n1 * n2, batch))];
        let fill = |(stream, (name, shape)): (u64, (&'static str, (usize, usize)))| {
            let mut tensor = Tensor::zeros(name, problem.dtype, shape, shape.1);
            let mut random = Random::stream(problem.seed, stream);
            tensor.fill(|_, _| random.signed());
            tensor
        };
        (0..).zip(shapes).map(fill).collect()
    }

    fn output(&self, problem: &Problem) -> Tensor {
        let sizes = Sizes::of(problem);
        Tensor::zeros("y", problem.dtype.result(), (sizes.m1 * sizes.m2, sizes.batch), sizes.batch)
    }

    fn reference(&self, problem: &Problem, operands: &[Tensor]) -> Reference {
        reference::reference(problem, operands)
    }

    fn baseline(&self, problem: &Problem) -> Option<Problem> {
        chain::dense_rival(problem, &extent(&Sizes::of(problem), problem.dtype))
    }

    fn cpu(&self) -> Option<&dyn CpuSource> {
        Some(self)
    }

    fn cuda(&self) -> Option<&dyn CudaSource> {
        Some(self)
    }

    /// As [`Family::problem`]; factors are square where their rows are not given.
    fn problem(&self, dtype: Dtype, given: &[(String, Value)], seed: u64) -> Result<Problem, Misfit> {
        let mut all = given.to_vec();
        for (rows, columns) in [("m1", "n1"), ("m2", "n2")] {
            if let (Some((_, value)), false) = (given.iter().find(|(n, _)| n == columns), given.iter().any(|(n, _)| n == rows)) {
                all.push((rows.to_owned(), value.clone()));
            }
        }
        crate::family::complete(self, dtype, &all, seed)
    }
}
