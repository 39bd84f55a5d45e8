//! `gemm_tc`: tensor cores by `mma.sync`.
//!
//! # Math
//! D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n; D is a matrix of its own. Products of f16, bf16 and tf32 are summed in
//! f32, those of int8 in int32. A warp multiplies 16×8 tiles, 32 bytes of k at a time (m16n8k16, m16n8k8, m16n8k32); its operands come from
//! shared memory, where units of 16 bytes are permuted so that no two of one access meet in a bank.
//!
//! # Work
//! 2mnk FLOP, and whole tiles and steps at ragged edges: tensor cores multiply the zeros there. Shared memory is read
//! e·mnk·(`warps_n`/`tile_n` + `warps_m`/`tile_m`) bytes, the second level e·mnk·(1/`tile_n` + 1/`tile_m`).
//!
//! # Knobs
//! `tile_m tile_n` is what a block computes in steps of `tile_k`, shared out to `warps_m` × `warps_n` warps. `stages` pairs of tiles lie in shared
//! memory (1: copy, then multiply; 2: the next tiles are under way; more: by cp.async only). `split_k` slices of k are summed by blocks of their
//! own and added in a fixed order by a second kernel. `swizzle` rows of tiles are visited column by column. How wide accesses of device memory
//! are follows from the leading dimensions.

mod cuda;
mod knobs;

use super::cuda::OnGpu;
use super::gemm::Dense;
use crate::{Card, Dtype};
use knobs::Warps;

/// The family.
pub static GEMM_TC: Dense<OnGpu<Warps>> = Dense(OnGpu::new(&CARD, &DTYPES, &cuda::Source));

static CARD: Card = Card {
    id: "gemm_tc",
    group: "dense",
    title: "GEMM on tensor cores (mma.sync)",
    math: "D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n; f16, bf16, tf32 summed in f32, int8 in int32",
    look_at: "The share of the tensor roof, and what keeps it low: too few tiles for the multiprocessors, too short a k for the stages, leading \
              dimensions that forbid 16-byte copies. tf32 and int8 with m or n along rows (tn of A, nn of B) read shared memory element by element \
              and say little of what the hardware can do.",
    references: &[
        "NVIDIA, PTX ISA 8.x, sections on mma, ldmatrix and cp.async",
        "Markidis et al., NVIDIA tensor core programmability, performance and precision, IPDPSW 2018",
    ],
};

/// Element types of `mma.sync` that have a kernel here.
const DTYPES: [Dtype; 4] = [Dtype::F16, Dtype::Bf16, Dtype::Tf32, Dtype::Int8];
