//! AVX2 and FMA: 16 registers, so at most 12 sums beside a row of B and a broadcast of A.

use std::arch::x86_64::*;

use super::kernel::{multiply, multiply_run, shapes};
use super::vector::vector;
use super::{Isa, Kernels, PanelRun, Tile};

vector!(__m256, f32, 8, 16, "avx", ymm_reg: _mm256_setzero_ps _mm256_set1_ps _mm256_loadu_ps _mm256_storeu_ps _mm256_fmadd_ps _mm256_mul_ps);
vector!(__m256d, f64, 4, 16, "avx", ymm_reg: _mm256_setzero_pd _mm256_set1_pd _mm256_loadu_pd _mm256_storeu_pd _mm256_fmadd_pd _mm256_mul_pd);

#[target_feature(enable = "avx2,fma")]
unsafe fn single<const MR: usize, const NV: usize>(tile: &Tile<f32>) {
    // SAFETY: the caller keeps the contract of `MicroKernel`.
    unsafe { multiply::<__m256, MR, NV>(tile) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn single_run<const MR: usize, const NV: usize>(tile: &Tile<f32>, run: PanelRun<f32>) {
    // SAFETY: the caller keeps the contract of `RunKernel`.
    unsafe { multiply_run::<__m256, MR, NV>(tile, run) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn double<const MR: usize, const NV: usize>(tile: &Tile<f64>) {
    // SAFETY: the caller keeps the contract of `MicroKernel`.
    unsafe { multiply::<__m256d, MR, NV>(tile) }
}

#[target_feature(enable = "avx2,fma")]
unsafe fn double_run<const MR: usize, const NV: usize>(tile: &Tile<f64>, run: PanelRun<f64>) {
    // SAFETY: the caller keeps the contract of `RunKernel`.
    unsafe { multiply_run::<__m256d, MR, NV>(tile, run) }
}

/// Single precision.
pub(super) static F32: Kernels<f32> = Kernels {
    isa: Isa::Avx2,
    lanes: 8,
    shapes: shapes!(single single_run: 1 => [1 2 3 4 5 6 7 8 9 10 11 12], 2 => [1 2 3 4 5 6], 3 => [1 2 3 4], 4 => [1 2 3]),
    best: (6, 16),
};

/// Double precision.
pub(super) static F64: Kernels<f64> = Kernels {
    isa: Isa::Avx2,
    lanes: 4,
    shapes: shapes!(double double_run: 1 => [1 2 3 4 5 6 7 8 9 10 11 12], 2 => [1 2 3 4 5 6], 3 => [1 2 3 4], 4 => [1 2 3]),
    best: (6, 8),
};
