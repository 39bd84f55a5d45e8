//! Two chained stages of small block products with a permutation between them, on strips of columns.
//!
//! Families whose operator is a pair of block-diagonal factors around a permutation (Monarch, Kronecker) are all this loop:
//!
//! ```text
//! Z[i, o]            = Σ_d A_o[i, d] · X[input(o, d)]        o < outer, i < inner, d < depth
//! Y[output(i, r)]    = Σ_o B_i[r, o] · Z[i, o]               r < rows
//! ```
//!
//! with X and Y row-major, one column per sample. [`Permute::Fused`] works on strips of columns whose Z stays in cache and folds the permutation
//! into the strides of the micro-kernels' results. [`Permute::Copied`] is what a composition of library calls does: every stage over the
//! whole batch, and a pass of copies for each permutation.

mod copied;
mod fused;
mod knobs;
mod panels;
mod program;
mod work;

use crate::devices::cpu::micro::Real;

pub(crate) use knobs::ChainKnobs;
pub use panels::Blocks;
pub use program::ChainProgram;
pub(crate) use work::{Extent, dense_rival, work};

use panels::Panels;
use program::scratch_elements;

/// Where row `index` of block `block` lies: `block / share · block_step + index · step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rows {
    /// Adjacent blocks that read the same rows.
    pub share: usize,
    /// Rows from one block to the next.
    pub block_step: usize,
    /// Rows from one index to the next.
    pub step: usize,
}

impl Rows {
    fn at(self, block: usize, index: usize) -> usize {
        block / self.share * self.block_step + index * self.step
    }
}

/// Sizes and strides of a chain.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Products of the first stage, and depth of the second.
    pub outer: usize,
    /// Rows per product of the first stage, and products of the second.
    pub inner: usize,
    /// Depth of the first stage.
    pub depth: usize,
    /// Rows per product of the second stage.
    pub rows: usize,
    /// Rows of X that product `o` of the first stage reads at each depth.
    pub input: Rows,
    /// Rows of Y that product `i` of the second stage writes.
    pub output: Rows,
}

/// How the permutations are done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Permute {
    /// Folded into strides, strip by strip.
    Fused,
    /// By copies over the whole batch.
    Copied,
}

/// A chain with its weights packed for one micro-kernel shape.
#[derive(Debug)]
struct Chain<T: Real> {
    shape: Shape,
    first: Panels<T>,
    second: Panels<T>,
    /// Columns per micro-kernel call.
    width: usize,
}

impl<T: Real> Chain<T> {
    /// Elements from one row of a strip's Z to the next. Odd in units of the strip's width, so that the rows of one micro-kernel result fall
    /// into different cache sets also where `outer` is a power of two.
    fn pitch(shape: &Shape, width: usize) -> usize {
        (shape.outer | 1) * width
    }
}

/// A matrix that several threads write, each its own columns.
#[derive(Clone, Copy, Debug)]
struct Target<T> {
    start: *mut T,
    ld: usize,
}

// SAFETY: ranks write disjoint columns, and the matrix outlives the job (it is borrowed for the whole call).
unsafe impl<T: Send> Send for Target<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Sync for Target<T> {}

impl<T> Target<T> {
    /// The element (row, col).
    ///
    /// # Safety
    /// It lies in the matrix.
    unsafe fn at(self, row: usize, col: usize) -> *mut T {
        // SAFETY: the caller keeps inside.
        unsafe { self.start.add(row * self.ld + col) }
    }
}
