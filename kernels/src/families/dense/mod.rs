//! Dense families: D = alpha·op(A)·op(B) + beta·C, from the textbook loops to a vendor library.

mod cuda;
pub mod gemm;
pub mod gemm_blas;
pub mod gemm_cutlass;
pub mod gemm_naive;
pub mod gemm_regblock;
pub mod gemm_tc;
pub mod gemm_tiled;
pub mod gemm_wgmma;
mod reference;
mod view;

#[cfg(test)]
mod conformance;
#[cfg(test)]
mod descriptions;
#[cfg(test)]
mod mutations;
#[cfg(test)]
mod problems;

pub use gemm::{Dense, Gemm, GemmKernel, Layout};
pub use view::{Addend, View, gemm_view};
