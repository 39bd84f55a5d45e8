//! Comparisons, selections and questions about values.

use super::float::{Half, flush, widen};
use super::lanes::{Regs, lane_fn, map3, test2};
use crate::ptx::op::{Cmp, Combine, Testp};
use crate::ptx::types::{Reg, Ty};

#[inline(always)]
fn ordered<T: PartialOrd>(cmp: Cmp, a: T, b: T) -> bool {
    match cmp {
        Cmp::Eq | Cmp::Equ => a == b,
        Cmp::Ne | Cmp::Neu => a != b,
        Cmp::Lt | Cmp::Ltu => a < b,
        Cmp::Le | Cmp::Leu => a <= b,
        Cmp::Gt | Cmp::Gtu => a > b,
        Cmp::Ge | Cmp::Geu => a >= b,
        Cmp::Num => true,
        Cmp::Nan => false,
    }
}

fn float(cmp: Cmp, a: f64, b: f64) -> bool {
    let unordered = a.is_nan() || b.is_nan();
    match cmp {
        Cmp::Num => !unordered,
        Cmp::Nan => unordered,
        Cmp::Equ | Cmp::Neu | Cmp::Ltu | Cmp::Leu | Cmp::Gtu | Cmp::Geu => unordered || ordered(cmp, a, b),
        _ => !unordered && ordered(cmp, a, b),
    }
}

/// One bit a lane.
pub(crate) fn compare(cmp: Cmp, ty: Ty, ftz: bool, regs: Regs, a: Reg, b: Reg) -> u32 {
    macro_rules! ints {
        ($a:expr, $b:expr, $t:ty) => {
            match cmp {
                // SAFETY: `Regs`' invariant.
                Cmp::Eq => unsafe { test2($a, $b, |a, b| a as $t == b as $t) },
                // SAFETY: as above.
                Cmp::Lt => unsafe { test2($a, $b, |a, b| (a as $t) < b as $t) },
                // SAFETY: as above.
                Cmp::Ge => unsafe { test2($a, $b, |a, b| a as $t >= b as $t) },
                // SAFETY: as above.
                _ => unsafe { test2($a, $b, |a, b| ordered(cmp, a as $t, b as $t)) },
            }
        };
    }
    match ty {
        Ty::S16 => ints!(regs.s32(a), regs.s32(b), i16),
        Ty::U16 | Ty::B16 => ints!(regs.s32(a), regs.s32(b), u16),
        Ty::S32 => ints!(regs.s32(a), regs.s32(b), i32),
        Ty::U32 | Ty::B32 => ints!(regs.s32(a), regs.s32(b), u32),
        Ty::S64 => ints!(regs.s64(a), regs.s64(b), i64),
        Ty::U64 | Ty::B64 => ints!(regs.s64(a), regs.s64(b), u64),
        // SAFETY: `Regs`' invariant.
        Ty::F64 => unsafe { test2(regs.s64(a), regs.s64(b), |a, b| float(cmp, f64::from_bits(a), f64::from_bits(b))) },
        Ty::F32 => {
            let x = |w: u32| f64::from(if ftz { flush(f32::from_bits(w)) } else { f32::from_bits(w) });
            // SAFETY: `Regs`' invariant.
            unsafe { test2(regs.s32(a), regs.s32(b), |a, b| float(cmp, x(a), x(b))) }
        }
        _ => {
            let x = |w: u32| half(ty, ftz, w);
            // SAFETY: `Regs`' invariant.
            unsafe { test2(regs.s32(a), regs.s32(b), |a, b| float(cmp, x(a), x(b))) }
        }
    }
}

/// A half as a comparison sees it.
fn half(ty: Ty, ftz: bool, word: u32) -> f64 {
    let x = widen(ty, word.into());
    if ftz && x.abs() < Half::of(ty).least() { 0.0 } else { x }
}

/// The lower and the upper halves of packed words, one bit a lane each.
pub(crate) fn compare_packed(cmp: Cmp, ty: Ty, ftz: bool, regs: Regs, a: Reg, b: Reg) -> (u32, u32) {
    let ty = if ty == Ty::F16x2 { Ty::F16 } else { Ty::Bf16 };
    let part = |at: u32| {
        let x = |w: u32| half(ty, ftz, w >> at & 0xffff);
        // SAFETY: `Regs`' invariant.
        unsafe { test2(regs.s32(a), regs.s32(b), |a, b| float(cmp, x(a), x(b))) }
    };
    (part(0), part(16))
}

/// With the third operand.
pub(crate) fn combined(combine: Combine, bits: u32, c: u32) -> u32 {
    match combine {
        Combine::None => bits,
        Combine::And => bits & c,
        Combine::Or => bits | c,
        Combine::Xor => bits ^ c,
    }
}

/// Truth as a value of a type: one where it is a float, else ones. `high` is the upper half's truth of a packed comparison.
pub(crate) fn spread(to: Ty, bits: u32, high: Option<u32>) -> [u32; 32] {
    let truth = match (to, high) {
        (Ty::F32, _) => 1f32.to_bits(),
        (Ty::F16 | Ty::F16x2, _) => 0x3c00,
        (Ty::Bf16 | Ty::Bf16x2, _) => 0x3f80,
        (Ty::U16 | Ty::S16 | Ty::B16, _) | (_, Some(_)) => 0xffff,
        _ => u32::MAX,
    };
    let of = |bits: u32, lane: usize| if bits >> lane & 1 == 1 { truth } else { 0 };
    std::array::from_fn(|lane| of(bits, lane) | high.map_or(0, |h| of(h, lane) << 16))
}

lane_fn! {
    /// d, a, b by predicate.
    fn selp(wide: bool, regs: Regs, r: &[Reg], mask: u32) {
        let bits = regs.pred(r[3]);
        if wide {
            let pick: [u64; 32] = std::array::from_fn(|lane| u64::from(bits >> lane & 1).wrapping_neg());
            // SAFETY: `Regs`' invariant.
            unsafe { map3(regs.d64(r[0]), regs.s64(r[1]), regs.s64(r[2]), &raw const pick, mask, |a, b, p| a & p | b & !p) }
        } else {
            let pick: [u32; 32] = std::array::from_fn(|lane| (bits >> lane & 1).wrapping_neg());
            // SAFETY: `Regs`' invariant.
            unsafe { map3(regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]), &raw const pick, mask, |a, b, p| a & p | b & !p) }
        }
    }
}

/// d, a, b by the sign of c.
pub(crate) fn slct(wide: bool, (float, ftz): (bool, bool), regs: Regs, r: &[Reg], mask: u32) {
    let first = |c: u32| match (float, f32::from_bits(c)) {
        (true, x) => (if ftz { flush(x) } else { x }) >= 0.0,
        _ => c as i32 >= 0,
    };
    // SAFETY: `Regs`' invariant.
    unsafe {
        if wide {
            map3(regs.d64(r[0]), regs.s64(r[1]), regs.s64(r[2]), regs.s32(r[3]), mask, |a, b, c| if first(c) { a } else { b });
        } else {
            map3(regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]), regs.s32(r[3]), mask, |a, b, c| if first(c) { a } else { b });
        }
    }
}

/// One bit a lane.
pub(crate) fn testp(kind: Testp, ty: Ty, regs: Regs, a: Reg) -> u32 {
    let ask = |normal: bool, x: f64, subnormal: bool| match kind {
        Testp::Finite => x.is_finite(),
        Testp::Infinite => x.is_infinite(),
        Testp::Number => !x.is_nan(),
        Testp::NotANumber => x.is_nan(),
        Testp::Normal => normal,
        Testp::Subnormal => subnormal,
    };
    let mut bits = 0;
    for lane in 0..32 {
        let truth = if ty == Ty::F64 {
            let x = f64::from_bits(regs.get64(a)[lane]);
            ask(x.is_normal(), x, x.is_subnormal())
        } else {
            let x = f32::from_bits(regs.get32(a)[lane]);
            ask(x.is_normal(), x.into(), x.is_subnormal())
        };
        bits |= u32::from(truth) << lane;
    }
    bits
}
