//! The vector operations a micro-kernel needs.

/// A register of `LANES` elements. Methods are inlined into a caller that has the instruction set enabled.
pub(super) trait Vector: Copy {
    /// Element type.
    type Element: Copy;
    /// Elements per register.
    const LANES: usize;
    /// Registers the instruction set has for them.
    const REGISTERS: usize;

    /// All lanes zero.
    ///
    /// # Safety
    /// The processor has the instruction set.
    unsafe fn zero() -> Self;
    /// All lanes `x`.
    ///
    /// # Safety
    /// As [`Vector::zero`].
    unsafe fn splat(x: Self::Element) -> Self;
    /// `LANES` elements from `from`, unaligned.
    ///
    /// # Safety
    /// As [`Vector::zero`], and `from` is readable for `LANES` elements.
    unsafe fn load(from: *const Self::Element) -> Self;
    /// `LANES` elements to `to`, unaligned.
    ///
    /// # Safety
    /// As [`Vector::zero`], and `to` is writable for `LANES` elements.
    unsafe fn store(self, to: *mut Self::Element);
    /// `self · by + plus`.
    ///
    /// # Safety
    /// As [`Vector::zero`].
    unsafe fn mul_add(self, by: Self, plus: Self) -> Self;
    /// `self · by`.
    ///
    /// # Safety
    /// As [`Vector::zero`].
    unsafe fn mul(self, by: Self) -> Self;
    /// Has the register computed before any later load. Where sums, a row of B and one broadcast of A fill all registers, a broadcast that
    /// the compiler loads early pushes a sum out to memory and back in every step: 43 % of peak where 97 % are to be had (4×3 vectors of AVX2).
    ///
    /// # Safety
    /// As [`Vector::zero`].
    unsafe fn pin(&mut self);
}

/// [`Vector`] by the intrinsics of one register type: lanes, registers there are, what enables them and their class in assembly.
#[cfg(target_arch = "x86_64")]
macro_rules! vector {
    ($register:ty, $element:ty, $lanes:literal, $registers:literal, $feature:literal, $class:ident: $zero:ident $splat:ident $load:ident $store:ident $fma:ident $mul:ident) => {
        impl $crate::devices::cpu::micro::vector::Vector for $register {
            type Element = $element;
            const LANES: usize = $lanes;
            const REGISTERS: usize = $registers;
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
                #[target_feature(enable = $feature)]
                fn pin(register: &mut $register) {
                    // SAFETY: no instruction at all; it counts as one that may change the register and memory.
                    unsafe { std::arch::asm!("/* {0} */", inout($class) * register, options(nostack, preserves_flags)) };
                }
                // SAFETY: the caller has the instruction set.
                unsafe { pin(self) }
            }
        }
    };
}
#[cfg(target_arch = "x86_64")]
pub(super) use vector;

/// Asks for the cache line of `at` in all levels; never faults.
#[inline(always)]
pub(crate) fn prefetch<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: a prefetch of any address is harmless, and SSE is part of x86-64.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T0 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}

/// Asks for the cache line of `at` in the second level: for what is read soon, but not before more than a first level of other things.
#[inline(always)]
pub(crate) fn prefetch_far<T>(at: *const T) {
    #[cfg(target_arch = "x86_64")]
    // SAFETY: as `prefetch`.
    unsafe {
        std::arch::x86_64::_mm_prefetch::<{ std::arch::x86_64::_MM_HINT_T1 }>(at.cast());
    }
    #[cfg(not(target_arch = "x86_64"))]
    let _ = at;
}
