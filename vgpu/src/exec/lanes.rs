//! Loops over the 32 lanes of a warp, written so that the compiler turns them into vector instructions.

use crate::ptx::types::Reg;

/// All lanes.
pub(crate) const FULL: u32 = u32::MAX;

/// A warp's 32-bit register.
#[derive(Clone, Copy)]
#[repr(align(64))]
#[expect(dead_code, reason = "read and written through `Regs`' pointers")]
pub(crate) struct L32(pub(super) [u32; 32]);

/// A warp's 64-bit register.
#[derive(Clone, Copy)]
#[repr(align(64))]
#[expect(dead_code, reason = "read and written through `Regs`' pointers")]
pub(crate) struct L64(pub(super) [u64; 32]);

/// The register files of one warp and the constants of its function.
///
/// Invariant: made by `Warp::regs` from files as large as the function's `slots` and constants say; `Reg`s come from the same function, whose operands all lie
/// within those (`registers::allocate` and `Lower::constant` gave them out). Pointers are used only while the warp is borrowed.
#[derive(Clone, Copy)]
pub(crate) struct Regs {
    pub(crate) r32: *mut [u32; 32],
    pub(crate) c32: *const [u32; 32],
    pub(crate) r64: *mut [u64; 32],
    pub(crate) c64: *const [u64; 32],
    pub(crate) preds: *mut u32,
}

impl Regs {
    /// A 32-bit source.
    #[inline(always)]
    pub(crate) fn s32(self, reg: Reg) -> *const [u32; 32] {
        let base = if reg.is_const() { self.c32 } else { self.r32.cast_const() };
        base.wrapping_add(reg.index())
    }
    /// A 32-bit destination.
    #[inline(always)]
    pub(crate) fn d32(self, reg: Reg) -> *mut [u32; 32] {
        self.r32.wrapping_add(reg.index())
    }
    /// A 64-bit source.
    #[inline(always)]
    pub(crate) fn s64(self, reg: Reg) -> *const [u64; 32] {
        let base = if reg.is_const() { self.c64 } else { self.r64.cast_const() };
        base.wrapping_add(reg.index())
    }
    /// A 64-bit destination.
    #[inline(always)]
    pub(crate) fn d64(self, reg: Reg) -> *mut [u64; 32] {
        self.r64.wrapping_add(reg.index())
    }
    /// A predicate, one bit a lane.
    #[inline(always)]
    pub(crate) fn pred(self, reg: Reg) -> u32 {
        self.pred_at(reg.index())
    }
    /// A predicate by slot.
    #[inline(always)]
    pub(crate) fn pred_at(self, slot: usize) -> u32 {
        // SAFETY: the type's invariant.
        unsafe { *self.preds.add(slot) }
    }
    /// Writes the active lanes of a predicate.
    #[inline(always)]
    pub(crate) fn set_pred(self, reg: Reg, value: u32, mask: u32) {
        // SAFETY: the type's invariant.
        unsafe {
            let p = self.preds.add(reg.index());
            *p = (*p & !mask) | (value & mask);
        }
    }
    /// A copy of a 32-bit source.
    #[inline(always)]
    pub(crate) fn get32(self, reg: Reg) -> [u32; 32] {
        // SAFETY: the type's invariant.
        unsafe { *self.s32(reg) }
    }
    /// A copy of a 64-bit source.
    #[inline(always)]
    pub(crate) fn get64(self, reg: Reg) -> [u64; 32] {
        // SAFETY: the type's invariant.
        unsafe { *self.s64(reg) }
    }
    /// Writes the active lanes of a 32-bit register.
    #[inline(always)]
    pub(crate) fn set32(self, reg: Reg, value: &[u32; 32], mask: u32) {
        // SAFETY: the type's invariant.
        unsafe { blend(self.d32(reg), value, mask) }
    }
    /// Writes the active lanes of a 64-bit register.
    #[inline(always)]
    pub(crate) fn set64(self, reg: Reg, value: &[u64; 32], mask: u32) {
        // SAFETY: the type's invariant.
        unsafe { blend(self.d64(reg), value, mask) }
    }
}

/// # Safety
/// `d` is valid for writing.
#[inline(always)]
pub(crate) unsafe fn blend<D: Copy>(d: *mut [D; 32], value: &[D; 32], mask: u32) {
    // SAFETY: the caller's promise.
    unsafe {
        if mask == FULL {
            *d = *value;
        } else {
            for (lane, v) in value.iter().enumerate() {
                if mask >> lane & 1 == 1 {
                    (*d)[lane] = *v;
                }
            }
        }
    }
}

macro_rules! map {
    ($name:ident, $($arg:ident : $ty:ident),+) => {
        /// # Safety
        /// All pointers are valid; `d` is one of the sources or apart from them.
        #[inline(always)]
        pub(crate) unsafe fn $name<$($ty: Copy,)+ D: Copy + Default>(
            d: *mut [D; 32], $($arg: *const [$ty; 32],)+ mask: u32, f: impl Fn($($ty),+) -> D,
        ) {
            let mut spare = std::mem::MaybeUninit::<[D; 32]>::uninit();
            let to: *mut D = if mask == FULL { d.cast() } else { spare.as_mut_ptr().cast() };
            // SAFETY: the caller's promise; a group of eight is read before it is written.
            unsafe {
                for group in 0..4 {
                    $(let $arg = &*$arg.cast::<[$ty; 8]>().add(group);)+
                    let mut out = [D::default(); 8];
                    for i in 0..8 {
                        out[i] = f($($arg[i]),+);
                    }
                    *to.cast::<[D; 8]>().add(group) = out;
                }
                if mask != FULL {
                    blend(d, spare.assume_init_ref(), mask);
                }
            }
        }
    };
}

map!(map1, a: A);
map!(map2, a: A, b: B);
map!(map3, a: A, b: B, c: C);

/// One bit a lane where `f` holds.
///
/// # Safety
/// Both pointers are valid.
#[inline(always)]
pub(crate) unsafe fn test2<A: Copy>(a: *const [A; 32], b: *const [A; 32], f: impl Fn(A, A) -> bool) -> u32 {
    // SAFETY: the caller's promise.
    let (a, b) = unsafe { (&*a, &*b) };
    let mut bytes = [0u8; 32];
    for i in 0..32 {
        bytes[i] = u8::from(f(a[i], b[i]));
    }
    gather_bits(&bytes)
}

/// Packs 32 bytes of 0 or 1 into bits: a multiplication brings eight of them together.
#[inline(always)]
pub(crate) fn gather_bits(bytes: &[u8; 32]) -> u32 {
    let mut out = 0;
    for group in 0..4 {
        let mut eight = [0; 8];
        eight.copy_from_slice(&bytes[group * 8..group * 8 + 8]);
        let packed = u64::from_le_bytes(eight).wrapping_mul(0x0102_0408_1020_4080) >> 56;
        out |= (packed as u32) << (group * 8);
    }
    out
}

/// The active lanes, ascending.
#[inline(always)]
pub(crate) fn lanes(mut mask: u32) -> impl Iterator<Item = usize> {
    std::iter::from_fn(move || {
        (mask != 0).then(|| {
            let lane = mask.trailing_zeros() as usize;
            mask &= mask - 1;
            lane
        })
    })
}

/// A function compiled twice, with and without AVX2 and FMA; the machine's own is chosen at run time.
macro_rules! lane_fn {
    ($(#[$meta:meta])* fn $name:ident($($arg:ident : $ty:ty),* $(,)?) $body:block) => {
        $(#[$meta])*
        pub(crate) fn $name($($arg: $ty),*) {
            #[inline(always)]
            fn body($($arg: $ty),*) $body
            #[cfg(target_arch = "x86_64")]
            {
                #[target_feature(enable = "avx2,fma,f16c,bmi1,bmi2,lzcnt,popcnt")]
                fn fast($($arg: $ty),*) {
                    body($($arg),*)
                }
                if $crate::exec::lanes::fast_machine() {
                    // SAFETY: the machine has the features.
                    return unsafe { fast($($arg),*) };
                }
            }
            body($($arg),*)
        }
    };
}
pub(crate) use lane_fn;

/// Whether the fast versions can run.
#[cfg(target_arch = "x86_64")]
#[inline(always)]
pub(crate) fn fast_machine() -> bool {
    std::arch::is_x86_feature_detected!("avx2")
        && std::arch::is_x86_feature_detected!("fma")
        && std::arch::is_x86_feature_detected!("f16c")
        && std::arch::is_x86_feature_detected!("bmi1")
        && std::arch::is_x86_feature_detected!("bmi2")
        && std::arch::is_x86_feature_detected!("popcnt")
        && std::arch::is_x86_feature_detected!("lzcnt")
}
