//! Integer arithmetic.

use super::lanes::{FULL, Regs, lane_fn, map1, map2, map3};
use crate::ptx::op::{Carry, Int1, Int2, Int3};
use crate::ptx::types::{Reg, Ty};

/// An integer type and the register word that holds it.
pub(crate) trait Int: Copy {
    /// Register word.
    type Word: Copy + Default;
    fn get(word: Self::Word) -> Self;
    fn put(self) -> Self::Word;
    fn two(kind: Int2, a: Self, b: Self) -> Self;
    fn one(kind: Int1, a: Self) -> Self;
    fn count(kind: Int1, a: Self) -> u32;
    fn three(kind: Int3, a: Self, b: Self, c: Self) -> Self;
    fn shift(left: bool, a: Self, by: u32) -> Self;
}

macro_rules! int {
    ($t:ty, $unsigned:ty, $word:ty, $wide:ty, $signed:expr) => {
        impl Int for $t {
            type Word = $word;
            #[inline(always)]
            fn get(word: $word) -> Self {
                word as $t
            }
            #[inline(always)]
            fn put(self) -> $word {
                self as $unsigned as $word
            }
            #[inline(always)]
            fn two(kind: Int2, a: Self, b: Self) -> Self {
                const BITS: u32 = <$t>::BITS;
                match kind {
                    Int2::Add => a.wrapping_add(b),
                    Int2::Sub => a.wrapping_sub(b),
                    Int2::AddSat => a.saturating_add(b),
                    Int2::SubSat => a.saturating_sub(b),
                    Int2::MulLo => a.wrapping_mul(b),
                    Int2::MulHi => ((a as $wide * b as $wide) >> BITS) as $t,
                    Int2::Mul24Lo | Int2::Mul24Hi => mul24(kind == Int2::Mul24Hi, $signed, a as i64, b as i64) as $t,
                    // What the hardware's division sequence gives; PTX leaves it open.
                    Int2::Div if b == 0 => <$unsigned>::MAX as $t,
                    Int2::Div => a.wrapping_div(b),
                    Int2::Rem if b == 0 => a,
                    Int2::Rem => a.wrapping_rem(b),
                    Int2::Min => a.min(b),
                    Int2::Max => a.max(b),
                    Int2::And => a & b,
                    Int2::Or => a | b,
                    Int2::Xor => a ^ b,
                    Int2::Shl | Int2::Shr => a,
                }
            }
            #[inline(always)]
            fn one(kind: Int1, a: Self) -> Self {
                match kind {
                    Int1::Neg => a.wrapping_neg(),
                    Int1::Abs => {
                        if $signed && (a as i64) < 0 {
                            a.wrapping_neg()
                        } else {
                            a
                        }
                    }
                    Int1::Not => !a,
                    Int1::Cnot => (a == 0) as $t,
                    Int1::Brev => a.reverse_bits(),
                    _ => a,
                }
            }
            #[inline(always)]
            fn count(kind: Int1, a: Self) -> u32 {
                // The highest bit that differs from the sign.
                let plain = if $signed && (a as i64) < 0 { !a } else { a } as $unsigned;
                match kind {
                    Int1::Popc => a.count_ones(),
                    Int1::Clz => a.leading_zeros(),
                    _ if plain == 0 => u32::MAX,
                    Int1::BfindShift => plain.leading_zeros(),
                    _ => <$t>::BITS - 1 - plain.leading_zeros(),
                }
            }
            #[inline(always)]
            fn three(kind: Int3, a: Self, b: Self, c: Self) -> Self {
                const BITS: u32 = <$t>::BITS;
                let high = ((a as $wide * b as $wide) >> BITS) as $t;
                match kind {
                    Int3::MadLo => a.wrapping_mul(b).wrapping_add(c),
                    Int3::MadHi => high.wrapping_add(c),
                    Int3::MadHiSat => high.saturating_add(c),
                    Int3::Mad24Lo | Int3::Mad24Hi => {
                        (mul24(kind == Int3::Mad24Hi, $signed, a as i64, b as i64) as $t).wrapping_add(c)
                    }
                    Int3::Mad24HiSat => (mul24(true, $signed, a as i64, b as i64) as $t).saturating_add(c),
                    Int3::Sad => c.wrapping_add(if a < b { b.wrapping_sub(a) } else { a.wrapping_sub(b) }),
                }
            }
            #[inline(always)]
            fn shift(left: bool, a: Self, by: u32) -> Self {
                const BITS: u32 = <$t>::BITS;
                if left {
                    if by >= BITS { 0 } else { a << by }
                } else if by >= BITS {
                    if $signed { a >> (BITS - 1) } else { 0 }
                } else {
                    a >> by
                }
            }
        }
    };
}

int!(u16, u16, u32, u32, false);
int!(i16, u16, u32, i32, true);
int!(u32, u32, u32, u64, false);
int!(i32, u32, u32, i64, true);
int!(u64, u64, u64, u128, false);
int!(i64, u64, u64, i128, true);

/// Product of the low 24 bits: its low 32 bits, or bits 16 to 47.
#[inline(always)]
fn mul24(high: bool, signed: bool, a: i64, b: i64) -> i64 {
    let cut = |x: i64| if signed { x << 40 >> 40 } else { x & 0xff_ffff };
    let product = cut(a).wrapping_mul(cut(b));
    if high { product >> 16 } else { product }
}

macro_rules! by_type {
    ($ty:expr, $f:ident, $($arg:expr),*) => {
        match $ty {
            Ty::S16 => $f::<i16>($($arg),*),
            Ty::U16 | Ty::B16 => $f::<u16>($($arg),*),
            Ty::S32 => $f::<i32>($($arg),*),
            Ty::S64 => $f::<i64>($($arg),*),
            Ty::U64 | Ty::B64 => $f::<u64>($($arg),*),
            _ => $f::<u32>($($arg),*),
        }
    };
}

/// Registers by word width.
pub(crate) trait Word: Copy + Default {
    fn source(regs: Regs, reg: Reg) -> *const [Self; 32];
    fn dest(regs: Regs, reg: Reg) -> *mut [Self; 32];
}
impl Word for u32 {
    #[inline(always)]
    fn source(regs: Regs, reg: Reg) -> *const [Self; 32] {
        regs.s32(reg)
    }
    #[inline(always)]
    fn dest(regs: Regs, reg: Reg) -> *mut [Self; 32] {
        regs.d32(reg)
    }
}
impl Word for u64 {
    #[inline(always)]
    fn source(regs: Regs, reg: Reg) -> *const [Self; 32] {
        regs.s64(reg)
    }
    #[inline(always)]
    fn dest(regs: Regs, reg: Reg) -> *mut [Self; 32] {
        regs.d64(reg)
    }
}

#[inline(always)]
fn two<T: Int>(kind: Int2, regs: Regs, r: &[Reg], mask: u32)
where
    T::Word: Word,
{
    let (d, a) = (T::Word::dest(regs, r[0]), T::Word::source(regs, r[1]));
    if matches!(kind, Int2::Shl | Int2::Shr) {
        let left = kind == Int2::Shl;
        // SAFETY: `Regs`' invariant.
        return unsafe { map2(d, a, regs.s32(r[2]), mask, |a, by| T::shift(left, T::get(a), by).put()) };
    }
    let b = T::Word::source(regs, r[2]);
    macro_rules! each {
        ($($k:ident),*) => {
            match kind {
                // SAFETY: `Regs`' invariant.
                $(Int2::$k => unsafe { map2(d, a, b, mask, |a, b| T::two(Int2::$k, T::get(a), T::get(b)).put()) },)*
                // SAFETY: as above.
                other => unsafe { map2(d, a, b, mask, |a, b| T::two(other, T::get(a), T::get(b)).put()) },
            }
        };
    }
    each!(Add, Sub, MulLo, And, Or, Xor, Min, Max);
}

lane_fn! {
    /// d, a, b.
    fn int2(kind: Int2, ty: Ty, regs: Regs, r: &[Reg], mask: u32) {
        by_type!(ty, two, kind, regs, r, mask);
    }
}

#[inline(always)]
fn one<T: Int>(kind: Int1, regs: Regs, r: &[Reg], mask: u32)
where
    T::Word: Word,
{
    let a = T::Word::source(regs, r[1]);
    if matches!(kind, Int1::Popc | Int1::Clz | Int1::Bfind | Int1::BfindShift) {
        // SAFETY: `Regs`' invariant.
        return unsafe { map1(regs.d32(r[0]), a, mask, |a| T::count(kind, T::get(a))) };
    }
    // SAFETY: `Regs`' invariant.
    unsafe { map1(T::Word::dest(regs, r[0]), a, mask, |a| T::one(kind, T::get(a)).put()) }
}

lane_fn! {
    /// d, a.
    fn int1(kind: Int1, ty: Ty, regs: Regs, r: &[Reg], mask: u32) {
        by_type!(ty, one, kind, regs, r, mask);
    }
}

#[inline(always)]
fn three<T: Int>(kind: Int3, regs: Regs, r: &[Reg], mask: u32)
where
    T::Word: Word,
{
    let d = T::Word::dest(regs, r[0]);
    let (a, b, c) = (T::Word::source(regs, r[1]), T::Word::source(regs, r[2]), T::Word::source(regs, r[3]));
    if kind == Int3::MadLo {
        // SAFETY: `Regs`' invariant.
        return unsafe { map3(d, a, b, c, mask, |a, b, c| T::three(Int3::MadLo, T::get(a), T::get(b), T::get(c)).put()) };
    }
    // SAFETY: `Regs`' invariant.
    unsafe { map3(d, a, b, c, mask, |a, b, c| T::three(kind, T::get(a), T::get(b), T::get(c)).put()) }
}

lane_fn! {
    /// d, a, b, c.
    fn int3(kind: Int3, ty: Ty, regs: Regs, r: &[Reg], mask: u32) {
        by_type!(ty, three, kind, regs, r, mask);
    }
}

lane_fn! {
    /// Products twice as wide as their factors.
    fn mul_wide(ty: Ty, regs: Regs, r: &[Reg], mask: u32) {
        let (a, b) = (regs.s32(r[1]), regs.s32(r[2]));
        // SAFETY: `Regs`' invariant.
        unsafe {
            match ty {
                Ty::S32 => map2(regs.d64(r[0]), a, b, mask, |a, b| (i64::from(a as i32) * i64::from(b as i32)) as u64),
                Ty::S16 => map2(regs.d32(r[0]), a, b, mask, |a, b| (i32::from(a as i16) * i32::from(b as i16)) as u32),
                Ty::U16 => map2(regs.d32(r[0]), a, b, mask, |a, b| (a & 0xffff) * (b & 0xffff)),
                _ => map2(regs.d64(r[0]), a, b, mask, |a, b| u64::from(a) * u64::from(b)),
            }
        }
    }
}

lane_fn! {
    /// `mul_wide` plus c.
    fn mad_wide(ty: Ty, regs: Regs, r: &[Reg], mask: u32) {
        let (a, b) = (regs.s32(r[1]), regs.s32(r[2]));
        // SAFETY: `Regs`' invariant.
        unsafe {
            match ty {
                Ty::S32 => map3(regs.d64(r[0]), a, b, regs.s64(r[3]), mask, |a, b, c| {
                    ((i64::from(a as i32) * i64::from(b as i32)) as u64).wrapping_add(c)
                }),
                Ty::S16 => map3(regs.d32(r[0]), a, b, regs.s32(r[3]), mask, |a, b, c| {
                    ((i32::from(a as i16) * i32::from(b as i16)) as u32).wrapping_add(c)
                }),
                Ty::U16 => map3(regs.d32(r[0]), a, b, regs.s32(r[3]), mask, |a, b, c| {
                    ((a & 0xffff) * (b & 0xffff)).wrapping_add(c)
                }),
                _ => map3(regs.d64(r[0]), a, b, regs.s64(r[3]), mask, |a, b, c| (u64::from(a) * u64::from(b)).wrapping_add(c)),
            }
        }
    }
}

/// Adds, subtracts and multiply-adds with the carry flag; gives the new flag.
pub(crate) fn carry(kind: Carry, ty: Ty, uses: bool, flag: u32, regs: Regs, r: &[Reg], mask: u32) -> u32 {
    let wide = ty.bytes() == 8;
    let bits = if wide { 64 } else { 32 };
    let load = |reg: Reg| if wide { regs.get64(reg) } else { regs.get32(reg).map(u64::from) };
    let (a, b) = (load(r[1]), load(r[2]));
    let c = if matches!(kind, Carry::MadLo | Carry::MadHi) { load(r[3]) } else { [0; 32] };
    let (mut out, mut carried) = ([0u64; 32], 0u32);
    for lane in 0..32 {
        let into = u128::from(uses && flag >> lane & 1 == 1);
        let (x, y) = match kind {
            Carry::Add | Carry::Sub => (u128::from(a[lane]), u128::from(b[lane])),
            _ => (product_half(kind == Carry::MadHi, ty, a[lane], b[lane]), u128::from(c[lane])),
        };
        // The flag of a subtraction is its borrow.
        let sum = if kind == Carry::Sub { x.wrapping_sub(y).wrapping_sub(into) } else { x + y + into };
        carried |= u32::from(sum >> bits & 1 == 1) << lane;
        out[lane] = if wide { sum as u64 } else { u64::from(sum as u32) };
    }
    if wide {
        regs.set64(r[0], &out, mask);
    } else {
        regs.set32(r[0], &out.map(|v| v as u32), mask);
    }
    (flag & !mask) | (carried & mask)
}

fn product_half(high: bool, ty: Ty, a: u64, b: u64) -> u128 {
    let bits = ty.bytes() * 8;
    let full = match ty {
        Ty::S64 => (i128::from(a as i64) * i128::from(b as i64)) as u128,
        Ty::S32 => (i128::from(a as i32) * i128::from(b as i32)) as u128,
        _ => u128::from(a) * u128::from(b),
    };
    (if high { full >> bits } else { full }) & ((1u128 << bits) - 1)
}

lane_fn! {
    /// Bit field extract.
    fn bfe(ty: Ty, regs: Regs, r: &[Reg], mask: u32) {
        let (from, len) = (regs.s32(r[2]), regs.s32(r[3]));
        let field = |a: u64, from: u32, len: u32, bits: u32, signed: bool| {
            let (from, len) = (from & 0xff, len & 0xff);
            let sign_at = (from + len).min(bits).saturating_sub(1);
            let sign = signed && len > 0 && a >> sign_at & 1 == 1;
            let low = if from >= bits { 0 } else { a >> from };
            let kept = len.min(bits.saturating_sub(from));
            let field = if kept >= 64 { low } else { low & ((1 << kept) - 1) };
            if sign { field | (if kept >= 64 { 0 } else { u64::MAX << kept }) } else { field }
        };
        // SAFETY: `Regs`' invariant.
        unsafe {
            if ty.bytes() == 8 {
                map3(regs.d64(r[0]), regs.s64(r[1]), from, len, mask, |a, f, l| field(a, f, l, 64, ty.is_signed()));
            } else {
                map3(regs.d32(r[0]), regs.s32(r[1]), from, len, mask, |a, f, l| {
                    field(u64::from(a), f, l, 32, ty.is_signed()) as u32
                });
            }
        }
    }
}

/// Bit field insert: a into b at c, d bits long.
pub(crate) fn bfi(ty: Ty, regs: Regs, r: &[Reg], mask: u32) {
    let (from, len) = (regs.get32(r[3]), regs.get32(r[4]));
    let bits = ty.bytes() * 8;
    let insert = |a: u64, b: u64, lane: usize| {
        let (from, len) = (from[lane] & 0xff, len[lane] & 0xff);
        let kept = len.min(bits.saturating_sub(from));
        let ones = if kept >= 64 { u64::MAX } else { (1 << kept) - 1 };
        if from >= bits { b } else { b & !(ones << from) | (a & ones) << from }
    };
    if bits == 64 {
        let (a, b) = (regs.get64(r[1]), regs.get64(r[2]));
        regs.set64(r[0], &std::array::from_fn(|i| insert(a[i], b[i], i)), mask);
    } else {
        let (a, b) = (regs.get32(r[1]), regs.get32(r[2]));
        regs.set32(r[0], &std::array::from_fn(|i| insert(u64::from(a[i]), u64::from(b[i]), i) as u32), mask);
    }
}

lane_fn! {
    /// Funnel shift of b:a.
    fn shf(left: bool, wrap: bool, regs: Regs, r: &[Reg], mask: u32) {
        let shift = |a: u32, b: u32, c: u32| {
            let n = if wrap { c & 31 } else { c.min(32) };
            let both = u64::from(b) << 32 | u64::from(a);
            if left { (both << n >> 32) as u32 } else { (both >> n) as u32 }
        };
        // SAFETY: `Regs`' invariant.
        unsafe { map3(regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]), regs.s32(r[3]), mask, shift) }
    }
}

lane_fn! {
    /// Byte permute.
    fn prmt(mode: u8, regs: Regs, r: &[Reg], mask: u32) {
        let permute = |a: u32, b: u32, c: u32| {
            let bytes = (u64::from(b) << 32 | u64::from(a)).to_le_bytes();
            let n = (c & 3) as usize;
            let byte = |i: usize| match mode {
                1 => bytes[n + i],
                2 => bytes[(n + 8 - i) % 8],
                3 => bytes[n],
                4 => bytes[i.max(n)],
                5 => bytes[i.min(n)],
                6 => bytes[(n & 1) * 2 + (i & 1)],
                _ => {
                    let selector = (c >> (4 * i) & 15) as usize;
                    let byte = bytes[selector & 7];
                    if selector & 8 == 0 { byte } else { ((byte as i8) >> 7) as u8 }
                }
            };
            u32::from_le_bytes([byte(0), byte(1), byte(2), byte(3)])
        };
        // SAFETY: `Regs`' invariant.
        unsafe { map3(regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]), regs.s32(r[3]), mask, permute) }
    }
}

lane_fn! {
    /// Any logical function of three words.
    fn lop3(table: u8, regs: Regs, r: &[Reg], mask: u32) {
        let bit = |i: u32| if table >> i & 1 == 1 { FULL } else { 0 };
        let t: [u32; 8] = [bit(0), bit(1), bit(2), bit(3), bit(4), bit(5), bit(6), bit(7)];
        let logic = |a: u32, b: u32, c: u32| {
            let low = (t[0] & !c | t[1] & c) & !b | (t[2] & !c | t[3] & c) & b;
            let high = (t[4] & !c | t[5] & c) & !b | (t[6] & !c | t[7] & c) & b;
            low & !a | high & a
        };
        // SAFETY: `Regs`' invariant.
        unsafe { map3(regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]), regs.s32(r[3]), mask, logic) }
    }
}

lane_fn! {
    /// Four (or two) byte products added to c.
    fn dot(halves: Option<bool>, a_signed: bool, b_signed: bool, regs: Regs, r: &[Reg], mask: u32) {
        let byte = |x: u32, i: u32, signed: bool| {
            let b = (x >> (8 * i)) as u8;
            if signed { i64::from(b as i8) } else { i64::from(b) }
        };
        let half = |x: u32, i: u32, signed: bool| {
            let h = (x >> (16 * i)) as u16;
            if signed { i64::from(h as i16) } else { i64::from(h) }
        };
        let product = |a: u32, b: u32, c: u32| {
            let sum: i64 = match halves {
                None => (0..4).map(|i| byte(a, i, a_signed) * byte(b, i, b_signed)).sum(),
                Some(high) => (0..2).map(|i| half(a, i, a_signed) * byte(b, i + 2 * u32::from(high), b_signed)).sum(),
            };
            c.wrapping_add(sum as u32)
        };
        // SAFETY: `Regs`' invariant.
        unsafe { map3(regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]), regs.s32(r[3]), mask, product) }
    }
}

/// Sign or zero extension from bit b.
pub(crate) fn szext(signed: bool, wrap: bool, regs: Regs, r: &[Reg], mask: u32) {
    let extend = |a: u32, b: u32| {
        let n = if wrap { b & 31 } else { b.min(32) };
        match n {
            0 => 0,
            32 => a,
            _ if signed => ((a << (32 - n)) as i32 >> (32 - n)) as u32,
            _ => a & ((1 << n) - 1),
        }
    };
    // SAFETY: `Regs`' invariant.
    unsafe { map2(regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]), mask, extend) }
}

/// A mask of b bits from bit a.
pub(crate) fn bmsk(wrap: bool, regs: Regs, r: &[Reg], mask: u32) {
    let make = |a: u32, b: u32| {
        let (from, len) = if wrap { (a & 31, b & 31) } else { (a.min(32), b.min(32)) };
        (((1u64 << len) - 1) << from) as u32
    };
    // SAFETY: `Regs`' invariant.
    unsafe { map2(regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]), mask, make) }
}
