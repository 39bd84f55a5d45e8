//! Kernel families, one folder each, by group.

pub mod block_structured;
pub mod dense;
pub mod tensor_product;

use crate::Family;

/// Every family, in the order they are listed.
pub(crate) const ALL: &[&dyn Family] = &[
    &dense::gemm_naive::GEMM_NAIVE,
    &dense::gemm_tiled::GEMM_TILED,
    &dense::gemm_regblock::GEMM_REGBLOCK,
    &dense::gemm_tc::GEMM_TC,
    &dense::gemm_wgmma::GEMM_WGMMA,
    &dense::gemm_cutlass::GEMM_CUTLASS,
    &dense::gemm_blas::GEMM_BLAS,
    &block_structured::monarch::Monarch,
    &tensor_product::kron_matmul::KronMatmul,
];
