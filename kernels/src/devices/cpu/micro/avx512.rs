//! AVX-512: 32 registers, so at most 28 sums beside a row of B and a broadcast of A.

use std::arch::x86_64::*;

use super::kernel::{multiply, shapes};
use super::vector::Vector;
use super::{Isa, Kernels, Tile};

macro_rules! vector {
    ($register:ty, $element:ty, $lanes:literal: $zero:ident $splat:ident $load:ident $store:ident $fma:ident $mul:ident) => {
        impl Vector for $register {
            type Element = $element;
            const LANES: usize = $lanes;
            const REGISTERS: usize = 32;
            #[inline(always)]
            unsafe fn zero() -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $zero() }
            }
            #[inline(always)]
            unsafe fn splat(x: $element) -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $splat(x) }
            }
            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: the caller has the instruction set and `from` is readable for a vector.
                unsafe { $load(from) }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: the caller has the instruction set and `to` is writable for a vector.
                unsafe { $store(to, self) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, by: Self, plus: Self) -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $fma(self, by, plus) }
            }
            #[inline(always)]
            unsafe fn mul(self, by: Self) -> Self {
                // SAFETY: the caller has the instruction set.
                unsafe { $mul(self, by) }
            }
            #[inline(always)]
            unsafe fn pin(&mut self) {
                #[inline]
                #[target_feature(enable = "avx512f")]
                fn pin(register: &mut $register) {
                    // SAFETY: no instruction at all; it counts as one that may change the register and memory.
                    unsafe { std::arch::asm!("/* {0} */", inout(zmm_reg) * register, options(nostack, preserves_flags)) };
                }
                // SAFETY: the caller has the instruction set.
                unsafe { pin(self) }
            }
        }
    };
}

vector!(__m512, f32, 16: _mm512_setzero_ps _mm512_set1_ps _mm512_loadu_ps _mm512_storeu_ps _mm512_fmadd_ps _mm512_mul_ps);
vector!(__m512d, f64, 8: _mm512_setzero_pd _mm512_set1_pd _mm512_loadu_pd _mm512_storeu_pd _mm512_fmadd_pd _mm512_mul_pd);

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn single<const MR: usize, const NV: usize>(tile: &Tile<f32>) {
    // SAFETY: the caller keeps the contract of `MicroKernel`.
    unsafe { multiply::<__m512, MR, NV>(tile) }
}

#[target_feature(enable = "avx512f,avx512bw,avx512dq,avx512vl,avx2,fma")]
unsafe fn double<const MR: usize, const NV: usize>(tile: &Tile<f64>) {
    // SAFETY: the caller keeps the contract of `MicroKernel`.
    unsafe { multiply::<__m512d, MR, NV>(tile) }
}

/// Single precision.
pub(super) static F32: Kernels<f32> = Kernels {
    isa: Isa::Avx512,
    lanes: 16,
    shapes: shapes!(single:
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
    shapes: shapes!(double:
        1 => [1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24],
        2 => [1 2 3 4 5 6 7 8 9 10 11 12 13 14],
        3 => [1 2 3 4 5 6 7 8 9],
        4 => [1 2 3 4 5 6],
    ),
    best: (12, 16),
};
