//! `gemm_wgmma`: Hopper's asynchronous tensor cores.
//!
//! Compiled for `sm_90a`, never run: no Hopper GPU was at hand, and the virtual GPU does not execute `wgmma`.
//!
//! # Math
//! D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n; D is a matrix of its own. Products of f16 and bf16 are summed in f32. A
//! warpgroup (four warps) multiplies 64×`tile_n` tiles 16 products deep; the hardware reads A and B from shared memory through descriptors, in the
//! orientation in which they are stored, so all four layouts cost the same.
//!
//! # Work
//! 2mnk FLOP, and whole tiles and steps at ragged edges. Shared memory is read e·mnk·(1/`tile_n` + 1/64) bytes, since every product of 64 rows reads
//! all of its columns of B, the second level e·mnk·(1/`tile_n` + 1/`tile_m`).
//!
//! # Knobs
//! `tile_m tile_n` is what a block computes in steps of `tile_k`; `tile_n` is also the width of one product. `warpgroups` share the rows of the tile.
//! `stages` pairs of tiles lie in shared memory, filled by cp.async. `split_k` and `swizzle` as of `gemm_tc`.

mod cuda;
mod knobs;

use super::cuda::OnGpu;
use super::gemm::Dense;
use crate::{Card, Dtype};
use knobs::Groups;

/// The family.
pub static GEMM_WGMMA: Dense<OnGpu<Groups>> = Dense(OnGpu::new(&CARD, &DTYPES, &cuda::Source));

static CARD: Card = Card {
    id: "gemm_wgmma",
    group: "dense",
    title: "GEMM on Hopper's tensor cores (wgmma): compiled, never run",
    math: "D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n; f16, bf16 summed in f32",
    look_at: "Compiled for sm_90a, never run: trust no time before its results were verified on a Hopper GPU. Then the share of the tensor roof, \
              beside gemm_tc.",
    references: &["NVIDIA, PTX ISA 8.x, asynchronous warpgroup level matrix instructions"],
};

/// Element types of `wgmma` that have a kernel here.
const DTYPES: [Dtype; 2] = [Dtype::F16, Dtype::Bf16];
