//! `gemm_cutlass`: kernels of the CUTLASS 2.x templates, where the user names a CUTLASS include folder.
//!
//! # Math
//! D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n; D is a matrix of its own.
//!
//! # Work
//! 2mnk FLOP; executed in whole tiles and steps. From the second-level cache every block reads its rows of A and columns of B once, as any tiled
//! kernel does.
//!
//! # Knobs
//! Those that cutlass_profiler enumerates: `op` (SIMT or tensor cores), `tile_m tile_n tile_k` of a block, `warps_m warps_n`, `stages` (2: through
//! registers; from 3 on `cp.async`), `align` (elements of A and B moved at once), `swizzle` (columns of tiles visited together).
//!
//! The kernel's name is given in cutlass_profiler's grammar. There `n` and `t` say how column-major matrices are stored, and a row-major product is
//! the column-major one with its operands swapped: layout `nt` here is `tn` in the name, and the code is the same.

mod cuda;
mod knobs;
#[cfg(test)]
mod tests;

use super::gemm::{Dense, Gemm, GemmKernel};
use crate::devices::cuda::CudaSource;
use crate::{Card, Config, DeviceInfo, DeviceKind, Dtype, Misfit, Parameter, Work};

use knobs::Knobs;

/// The family.
pub static GEMM_CUTLASS: Dense<Cutlass> = Dense(Cutlass);

/// The kernel of [`GEMM_CUTLASS`].
#[derive(Debug)]
pub struct Cutlass;

static CARD: Card = Card {
    id: "gemm_cutlass",
    group: "dense",
    title: "GEMM by CUTLASS 2.x templates (the user names the headers)",
    math: "D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n",
    look_at: "What a choice among a library's configurations is worth: the same templates at another tile, stage count or alignment. The default is \
              what one would pick without measuring. Sizes that are not multiples of the alignment force narrower copies, at a cost of their own.",
    references: &[
        "https://github.com/NVIDIA/cutlass (BSD-3-Clause), 2.x API of release 4.2",
        "https://docs.nvidia.com/cutlass/ : Efficient GEMM in CUDA; CUTLASS profiler",
    ],
};

impl GemmKernel for Cutlass {
    fn card(&self) -> &'static Card {
        &CARD
    }
    fn dtypes(&self, kind: DeviceKind) -> &'static [Dtype] {
        match kind {
            DeviceKind::Cpu => &[],
            DeviceKind::Cuda => &Dtype::ALL,
        }
    }
    fn knobs(&self, _device: &DeviceInfo) -> Vec<Parameter> {
        Knobs::parameters()
    }
    fn check(&self, gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
        Knobs::read(config).check(gemm, device)
    }
    fn effective(&self, gemm: &Gemm, config: &Config, _device: &DeviceInfo) -> Config {
        Knobs::read(config).effective(gemm).config()
    }
    fn default_config(&self, gemm: &Gemm, device: &DeviceInfo) -> Config {
        Knobs::default(gemm, device).effective(gemm).config()
    }
    fn work(&self, gemm: &Gemm, config: &Config, _device: &DeviceInfo) -> Work {
        cuda::work(gemm, &Knobs::read(config))
    }
    fn cuda(&self) -> Option<&dyn CudaSource> {
        Some(&cuda::Source)
    }
}
