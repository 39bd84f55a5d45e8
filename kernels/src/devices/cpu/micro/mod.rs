//! Packed, register-blocked micro-kernels, written once over a small vector abstraction and instantiated per instruction set.
//!
//! A micro-kernel multiplies a panel of A (`MR` rows) by a panel of B (`NR = NV · lanes` columns) over a depth `k`, keeps the `MR × NR`
//! products in registers and finishes with `D = alpha·AB + beta·C`. [`Real::kernels`] gives the table of an instruction set the processor has;
//! `pack` makes the panels. The shape of the loops is that of Goto and van de Geijn, "Anatomy of high-performance matrix multiplication", 2008.

#[cfg(target_arch = "x86_64")]
mod avx2;
#[cfg(target_arch = "x86_64")]
mod avx512;
mod isa;
mod kernel;
mod pack;
mod portable;
mod real;
mod turn;
mod vector;

pub use isa::{Isa, Vectorised};
pub use kernel::{Kernels, MicroKernel, PanelRun, RunKernel, Shape, Tile};
pub use pack::{Strided, pack, packed_len};
pub use real::Real;
pub(crate) use vector::prefetch_far;

#[cfg(test)]
mod tests;
