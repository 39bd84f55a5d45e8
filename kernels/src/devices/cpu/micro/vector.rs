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
