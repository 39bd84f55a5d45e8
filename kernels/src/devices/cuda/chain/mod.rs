//! Two chained stages of small block products with a permutation between them, on CUDA. The loop is that of [`crate::devices::cpu::chain`], whose
//! sizes and strides it shares:
//!
//! ```text
//! Z[i, o]            = Σ_d A_o[i, d] · X[input(o, d)]        o < outer, i < inner, d < depth
//! Y[output(i, r)]    = Σ_o B_i[r, o] · Z[i, o]               r < rows
//! ```
//!
//! [`Permute::Fused`] is one kernel: a block of threads keeps Z of a strip of columns and of a group of i in shared memory. [`Permute::Staged`] is
//! a kernel per stage with Z in main memory and the permutation in its addresses. [`Permute::Copied`] is what a composition of library calls
//! does: a kernel per stage, and a pass of copies for each permutation.

mod knobs;
mod program;
#[cfg(test)]
mod tests;
mod work;

use crate::Dtype;
use crate::devices::cpu::chain::{Extent, Shape};

pub(crate) use knobs::{DTYPES, GpuChainKnobs};
pub(crate) use program::program;
pub(crate) use work::work;

/// A chain as a family gives it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Chain {
    pub(crate) shape: Shape,
    pub(crate) extent: Extent,
    /// The blocks of both stages.
    pub(crate) weights: [StageWeights; 2],
    /// Index of X among the operands as the kernels take them.
    pub(crate) x: usize,
}

/// Where the blocks of a stage lie: row-major, one after the other.
#[derive(Clone, Copy, Debug)]
pub(crate) struct StageWeights {
    /// Index among the operands as the kernels take them.
    pub(crate) operand: usize,
    /// Elements from one block to the next; 0 where all products share one.
    pub(crate) block_step: usize,
    /// Elements from one row to the next: the depth of the stage.
    pub(crate) ld: usize,
}

/// What multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Math {
    /// Multiply-adds of single threads.
    Simt,
    /// `mma.sync` of warps.
    Tensor,
}

/// How the permutations are done, and where Z lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Permute {
    /// In addresses; Z in shared memory.
    Fused,
    /// In addresses; Z in main memory.
    Staged,
    /// By copies in main memory.
    Copied,
}

impl Math {
    const WORDS: [&'static str; 2] = ["simt", "tensor"];

    pub(crate) fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

impl Permute {
    const WORDS: [&'static str; 3] = ["fused", "staged", "copied"];

    pub(crate) fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

/// Columns of Z between one row and the next: rows start on lines of 128 B whatever the element type.
fn scratch_ld(batch: usize) -> usize {
    batch.next_multiple_of(64)
}

/// Depth of one `mma.sync`: 32 bytes.
fn depth_step(dtype: Dtype) -> usize {
    if dtype == Dtype::Tf32 { 8 } else { 16 }
}

fn element_bytes(dtype: Dtype) -> usize {
    usize::try_from(dtype.bytes()).expect("at most 8")
}
