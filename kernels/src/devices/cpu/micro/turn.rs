//! Transposes of small blocks in registers. SSE2 is part of every x86-64, so they need no dispatch.

/// `LANES` (4 or 2) rows of four f32 from `from` (start, row stride), written as four rows of `LANES` to `to` (start, row stride).
///
/// # Safety
/// Both are valid for these rows.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) unsafe fn single<const LANES: usize>((from, lane): (*const f32, usize), (to, step): (*mut f32, usize)) {
    use std::arch::x86_64::*;
    // SAFETY: the caller's guarantee; SSE2 is always there.
    unsafe {
        let (a, b) = (_mm_loadu_ps(from), _mm_loadu_ps(from.add(lane)));
        let (ab_low, ab_high) = (_mm_unpacklo_ps(a, b), _mm_unpackhi_ps(a, b));
        if LANES == 2 {
            // 64-bit stores by the integer intrinsic: it alone takes unaligned addresses.
            for (i, pair) in
                [ab_low, _mm_movehl_ps(ab_low, ab_low), ab_high, _mm_movehl_ps(ab_high, ab_high)].into_iter().enumerate()
            {
                _mm_storel_epi64(to.add(i * step).cast(), _mm_castps_si128(pair));
            }
        } else {
            let (c, d) = (_mm_loadu_ps(from.add(2 * lane)), _mm_loadu_ps(from.add(3 * lane)));
            let (cd_low, cd_high) = (_mm_unpacklo_ps(c, d), _mm_unpackhi_ps(c, d));
            _mm_storeu_ps(to, _mm_movelh_ps(ab_low, cd_low));
            _mm_storeu_ps(to.add(step), _mm_movehl_ps(cd_low, ab_low));
            _mm_storeu_ps(to.add(2 * step), _mm_movelh_ps(ab_high, cd_high));
            _mm_storeu_ps(to.add(3 * step), _mm_movehl_ps(cd_high, ab_high));
        }
    }
}

/// As [`single`] for f64: pairs of rows by pairs of steps.
///
/// # Safety
/// Both are valid for these rows.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(super) unsafe fn double<const LANES: usize>((from, lane): (*const f64, usize), (to, step): (*mut f64, usize)) {
    use std::arch::x86_64::*;
    for pair in (0..LANES).step_by(2) {
        for p in [0, 2] {
            // SAFETY: the caller's guarantee; SSE2 is always there.
            unsafe {
                let (a, b) = (_mm_loadu_pd(from.add(pair * lane + p)), _mm_loadu_pd(from.add((pair + 1) * lane + p)));
                _mm_storeu_pd(to.add(p * step + pair), _mm_unpacklo_pd(a, b));
                _mm_storeu_pd(to.add((p + 1) * step + pair), _mm_unpackhi_pd(a, b));
            }
        }
    }
}

#[cfg(not(target_arch = "x86_64"))]
pub(super) use plain::{turn as double, turn as single};

#[cfg(not(target_arch = "x86_64"))]
mod plain {
    /// # Safety
    /// `from` is readable for 4 elements in each of `LANES` lanes, `to` writable for `LANES` at each of 4 steps.
    #[inline(always)]
    pub(in super::super) unsafe fn turn<T: Copy, const LANES: usize>(from: (*const T, usize), to: (*mut T, usize)) {
        for p in 0..4 {
            for i in 0..LANES {
                // SAFETY: the caller's guarantee.
                unsafe { *to.0.add(p * to.1 + i) = *from.0.add(i * from.1 + p) };
            }
        }
    }
}
