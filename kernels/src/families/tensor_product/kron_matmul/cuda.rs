//! A Kronecker product on CUDA: two chained stages with one block each.

use super::sizes::{Order, Sizes};
use super::{KronMatmul, extent, order};
use crate::devices::cuda::chain::{self, Chain, GpuChainKnobs, StageWeights};
use crate::devices::cuda::{CudaProgram, CudaSource};
use crate::{Config, DeviceInfo, Problem};

/// The chain over `k1`, `k2` and `x`.
pub(super) fn chain(problem: &Problem, order: Order) -> Chain {
    let sizes = Sizes::of(problem);
    let k1 = StageWeights { operand: 0, block_step: 0, ld: sizes.n1 };
    let k2 = StageWeights { operand: 1, block_step: 0, ld: sizes.n2 };
    let weights = match order {
        Order::InnerFirst => [k2, k1],
        Order::OuterFirst => [k1, k2],
    };
    Chain { shape: sizes.shape(order), extent: extent(&sizes, problem.dtype), weights, x: 2 }
}

impl CudaSource for KronMatmul {
    fn program(&self, problem: &Problem, config: &Config, _device: &DeviceInfo) -> CudaProgram {
        let chain = chain(problem, order(config));
        chain::program(&chain, &GpuChainKnobs::read(config).effective(&chain))
    }
}
