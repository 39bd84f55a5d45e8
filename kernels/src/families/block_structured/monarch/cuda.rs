//! Monarch on CUDA: projection, then two chained stages.

use super::operands::factors;
use super::sizes::{Sizes, Source};
use super::{Monarch, extent};
use crate::devices::cuda::chain::{self, Chain, GpuChainKnobs, StageWeights};
use crate::devices::cuda::{CudaProgram, CudaSource};
use crate::{Config, DeviceInfo, Problem, Tensor};

/// The chain over `l`, `r` and `x`, be the factors operands or projected.
pub(super) fn chain(problem: &Problem) -> Chain {
    let sizes = Sizes::of(problem);
    let weights = [
        StageWeights { operand: 0, block_step: sizes.nblocks * sizes.block_in(), ld: sizes.block_in() },
        StageWeights { operand: 1, block_step: sizes.block_out() * sizes.outer(), ld: sizes.outer() },
    ];
    Chain { shape: sizes.shape(), extent: extent(&sizes, problem.dtype), weights, x: 2 }
}

impl CudaSource for Monarch {
    fn program(&self, problem: &Problem, config: &Config, _device: &DeviceInfo) -> CudaProgram {
        let chain = chain(problem);
        chain::program(&chain, &GpuChainKnobs::read(config).effective(&chain))
    }

    /// `l` and `r` as the exact source would give them, and `x`.
    fn prepared(&self, problem: &Problem, operands: &[Tensor]) -> Option<Vec<Tensor>> {
        let sizes = Sizes::of(problem);
        if sizes.source == Source::Monarch {
            return None;
        }
        let factors = factors(&sizes, operands);
        let x = operands.last().expect("x is always there");
        let tensor = |name, (rows, cols): (usize, usize), value: &dyn Fn(usize, usize) -> f64| {
            let mut tensor = Tensor::zeros(name, problem.dtype, (rows, cols), cols);
            tensor.fill(value);
            tensor
        };
        let (p, outer) = (sizes.block_in(), sizes.outer());
        Some(vec![
            tensor("l", (outer * sizes.nblocks, p), &|i, d| factors.first[i * p + d]),
            tensor("r", (sizes.n_out, outer), &|i, u| factors.second[i * outer + u]),
            tensor("x", (x.rows, x.cols), &|i, j| x.at(i, j)),
        ])
    }
}
