//! Plain arrays of one 32 B vector that the compiler turns into what the target guarantees.

use super::kernel::{multiply, multiply_run, shapes};
use super::vector::Vector;
use super::{Isa, Kernels, PanelRun, Tile};

/// `x·y + z`, fused only where the target always has a fused multiply-add: elsewhere it would be a library call.
macro_rules! fused {
    ($x:expr, $y:expr, $z:expr) => {
        if cfg!(any(target_arch = "aarch64", target_feature = "fma")) { $x.mul_add($y, $z) } else { $x * $y + $z }
    };
}

macro_rules! vector {
    ($element:ty, $lanes:literal) => {
        impl Vector for [$element; $lanes] {
            type Element = $element;
            const LANES: usize = $lanes;
            const REGISTERS: usize = usize::MAX;
            #[inline(always)]
            unsafe fn zero() -> Self {
                [0.0; $lanes]
            }
            #[inline(always)]
            unsafe fn splat(x: $element) -> Self {
                [x; $lanes]
            }
            #[inline(always)]
            unsafe fn load(from: *const $element) -> Self {
                // SAFETY: `from` is readable for a vector.
                unsafe { from.cast::<Self>().read_unaligned() }
            }
            #[inline(always)]
            unsafe fn store(self, to: *mut $element) {
                // SAFETY: `to` is writable for a vector.
                unsafe { to.cast::<Self>().write_unaligned(self) }
            }
            #[inline(always)]
            unsafe fn mul_add(self, by: Self, plus: Self) -> Self {
                let mut out = plus;
                for lane in 0..$lanes {
                    out[lane] = fused!(self[lane], by[lane], plus[lane]);
                }
                out
            }
            #[inline(always)]
            unsafe fn mul(self, by: Self) -> Self {
                let mut out = self;
                for lane in 0..$lanes {
                    out[lane] *= by[lane];
                }
                out
            }
            #[inline(always)]
            unsafe fn pin(&mut self) {}
        }
    };
}

vector!(f32, 8);
vector!(f64, 4);

unsafe fn single<const MR: usize, const NV: usize>(tile: &Tile<f32>) {
    // SAFETY: the caller keeps the contract of `MicroKernel`.
    unsafe { multiply::<[f32; 8], MR, NV>(tile) }
}

unsafe fn single_run<const MR: usize, const NV: usize>(tile: &Tile<f32>, run: PanelRun<f32>) {
    // SAFETY: the caller keeps the contract of `RunKernel`.
    unsafe { multiply_run::<[f32; 8], MR, NV>(tile, run) }
}

unsafe fn double<const MR: usize, const NV: usize>(tile: &Tile<f64>) {
    // SAFETY: the caller keeps the contract of `MicroKernel`.
    unsafe { multiply::<[f64; 4], MR, NV>(tile) }
}

unsafe fn double_run<const MR: usize, const NV: usize>(tile: &Tile<f64>, run: PanelRun<f64>) {
    // SAFETY: the caller keeps the contract of `RunKernel`.
    unsafe { multiply_run::<[f64; 4], MR, NV>(tile, run) }
}

/// Single precision.
pub(super) static F32: Kernels<f32> = Kernels {
    isa: Isa::Portable,
    lanes: 8,
    shapes: shapes!(single single_run: 1 => [1 2 3 4 5 6 7 8], 2 => [1 2 3 4]),
    best: (4, 8),
};

/// Double precision.
pub(super) static F64: Kernels<f64> = Kernels {
    isa: Isa::Portable,
    lanes: 4,
    shapes: shapes!(double double_run: 1 => [1 2 3 4 5 6 7 8], 2 => [1 2 3 4]),
    best: (4, 4),
};
