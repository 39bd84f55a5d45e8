//! AVX-512: 32 registers, so at most 28 sums beside a row of B and a broadcast of A.

use std::arch::x86_64::*;

use super::kernel::{multiply, multiply_run, shapes};
use super::vector::vector;
use super::{Isa, Kernels, PanelRun, Tile};

vector!(__m512, f32, 16, 32, "avx512f", zmm_reg: _mm512_setzero_ps _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_fmadd_ps _mm512_mul_ps);
vector!(__m512d, f64, 8, 32, "avx512f", zmm_reg: _mm512_setzero_pd _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_fmadd_pd _mm512_mul_pd);

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn single<const MR: usize, const NV: usize>(tile: &Tile<f32>) {
    // SAFETY: the caller keeps the contract of `MicroKernel`.
    unsafe { multiply::<__m512, MR, NV>(tile) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn single_run<const MR: usize, const NV: usize>(tile: &Tile<f32>, run: PanelRun<f32>) {
    // SAFETY: the caller keeps the contract of `RunKernel`.
    unsafe { multiply_run::<__m512, MR, NV>(tile, run) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn double<const MR: usize, const NV: usize>(tile: &Tile<f64>) {
    // SAFETY: the caller keeps the contract of `MicroKernel`.
    unsafe { multiply::<__m512d, MR, NV>(tile) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn double_run<const MR: usize, const NV: usize>(tile: &Tile<f64>, run: PanelRun<f64>) {
    // SAFETY: the caller keeps the contract of `RunKernel`.
    unsafe { multiply_run::<__m512d, MR, NV>(tile, run) }
}

/// Single precision.
pub(super) static F32: Kernels<f32> = Kernels {
    isa: Isa::Avx512,
    lanes: 16,
    shapes: shapes!(single single_run:
        1 => [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24],
        2 => [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
        3 => [1 2 3 4 5 6 7 8 9],
        4 => [1 2 3 4 5 6],
    ),
    best: (12, 32),
};

/// Double precision.
pub(super) static F64: Kernels<f64> = Kernels {
    isa: Isa::Avx512,
    lanes: 8,
    shapes: shapes!(double double_run:
        1 => [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24],
        2 => [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
        3 => [1 2 3 4 5 6 7 8 9],
        4 => [1 2 3 4 5 6],
    ),
    best: (12, 16),
};
