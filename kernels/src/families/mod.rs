//! Kernel families, one folder each, by group.

pub mod dense;

use crate::Family;

/// Every family, in the order they are listed.
pub(crate) const ALL: &[&dyn Family] = &[
    &dense::gemm_naive::GEMM_NAIVE,
    &dense::gemm_tiled::GEMM_TILED,
    &dense::gemm_regblock::GEMM_REGBLOCK,
    &dense::gemm_blas::GEMM_BLAS,
];
