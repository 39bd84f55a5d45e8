//! `cvt` in all its forms, packing and unpacking.

use super::float::{flush, widen};
use super::lanes::{Regs, lane_fn, map1, map2, map3};
use super::number::{BF16, F16, F32, TF32, directed, f16_to_f32, f32_to_bf16, f32_to_f16};
use crate::ptx::op::Finish;
use crate::ptx::types::{Class, Reg, Round, Ty};

/// An integer of the given type out of a register word.
fn integer(ty: Ty, word: u64) -> i128 {
    match ty {
        Ty::S8 => i128::from(word as i8),
        Ty::S16 => i128::from(word as i16),
        Ty::S32 => i128::from(word as i32),
        Ty::S64 => i128::from(word as i64),
        Ty::U8 | Ty::B8 => i128::from(word as u8),
        Ty::U16 | Ty::B16 => i128::from(word as u16),
        Ty::U64 | Ty::B64 => i128::from(word),
        _ => i128::from(word as u32),
    }
}

fn limits(ty: Ty) -> (i128, i128) {
    let bits = ty.bytes() * 8;
    if ty.is_signed() { (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) } else { (0, (1 << bits) - 1) }
}

/// A signed result in a wider register is sign-extended, an unsigned one zero-extended.
fn word(ty: Ty, value: i128) -> u64 {
    match ty {
        Ty::S8 => value as i8 as i32 as u32 as u64,
        Ty::S16 => value as i16 as i32 as u32 as u64,
        Ty::U8 | Ty::B8 => value as u8 as u64,
        Ty::U16 | Ty::B16 => value as u16 as u64,
        Ty::S64 | Ty::U64 | Ty::B64 => value as u64,
        _ => value as u32 as u64,
    }
}

fn to_integral(x: f64, round: Round) -> f64 {
    match round {
        Round::Nearest => x.round_ties_even(),
        Round::NearestAway => x.round(),
        Round::Zero => x.trunc(),
        Round::Down => x.floor(),
        Round::Up => x.ceil(),
    }
}

fn float_to_int(to: Ty, from: Ty, x: f64, round: Round) -> u64 {
    if x.is_nan() {
        // PTX: zero, unless f64 or a 64-bit integer is involved; then the top bit alone.
        let top = from == Ty::F64 || to.bytes() == 8;
        return if top { 1 << (to.bytes() * 8 - 1) } else { 0 };
    }
    let (low, high) = limits(to);
    word(to, (to_integral(x, round) as i128).clamp(low, high))
}

/// Rounds into the destination's format; saturation and flushing follow.
fn to_float(to: Ty, x: f64, error: f64, fin: Finish) -> u64 {
    let clamped = if fin.sat { if x.is_nan() { 0.0 } else { x.clamp(0.0, 1.0) + 0.0 } } else { x };
    let x = if fin.relu && !x.is_nan() && x <= 0.0 { 0.0 } else { clamped };
    let error = if x == clamped && !fin.sat { error } else { 0.0 };
    match to {
        Ty::F64 => directed(x, error, fin.round).to_bits(),
        Ty::F16 => F16.round(x, error, fin.round).into(),
        Ty::Bf16 => BF16.round(x, error, fin.round).into(),
        // The fraction's low 13 bits are not part of the format.
        Ty::Tf32 if x.is_nan() => 0x7fff_ffff,
        Ty::Tf32 => u64::from(wide_tf32(x, fin.round)),
        _ => {
            let value = f32::from_bits(F32.round(x, error, fin.round));
            u64::from(if fin.ftz { flush(value) } else { value }.to_bits())
        }
    }
}

fn wide_tf32(x: f64, round: Round) -> u32 {
    TF32.round(x, 0.0, round) << 13
}

/// One value of any type to any type.
fn one(to: Ty, from: Ty, fin: Finish, integral: bool, source: u64) -> u64 {
    match (from.is_float(), to.is_float()) {
        (false, false) => {
            let value = integer(from, source);
            let (low, high) = limits(to);
            word(to, if fin.sat { value.clamp(low, high) } else { value })
        }
        (true, false) => {
            let x = widen(from, source);
            let x = if fin.ftz && from == Ty::F32 { f64::from(flush(x as f32)) } else { x };
            float_to_int(to, from, x, fin.round)
        }
        (false, true) => {
            let exact = integer(from, source);
            let near = exact as f64;
            to_float(to, near, (exact - near as i128) as f64, fin)
        }
        (true, true) => {
            let x = widen(from, source);
            let x = if fin.ftz && from == Ty::F32 { f64::from(flush(x as f32)) } else { x };
            let (x, fin) = if integral { (to_integral(x, fin.round), Finish { round: Round::Nearest, ..fin }) } else { (x, fin) };
            if from == Ty::F64 && to == Ty::F64 && x.is_nan() { x.to_bits() } else { to_float(to, x, 0.0, fin) }
        }
    }
}

lane_fn! {
    /// d, a.
    fn cvt(to: Ty, from: Ty, fin: Finish, integral: bool, regs: Regs, r: &[Reg], mask: u32) {
        // SAFETY: `Regs`' invariant, throughout.
        unsafe {
            let (d32, d64, s32, s64) = (regs.d32(r[0]), regs.d64(r[0]), regs.s32(r[1]), regs.s64(r[1]));
            let plain = !fin.sat && !fin.ftz && !fin.relu;
            match (to, from) {
                (Ty::S64 | Ty::U64 | Ty::B64, Ty::S32) if plain => map1(d64, s32, mask, |a| i64::from(a as i32) as u64),
                (Ty::S64 | Ty::U64 | Ty::B64, Ty::U32 | Ty::B32) if plain => map1(d64, s32, mask, u64::from),
                (Ty::S32 | Ty::U32 | Ty::B32, Ty::S64 | Ty::U64 | Ty::B64) if plain => map1(d32, s64, mask, |a| a as u32),
                (Ty::F32, Ty::F16) if plain && !integral => map1(d32, s32, mask, |a| canonical(f16_to_f32(a & 0xffff))),
                (Ty::F32, Ty::Bf16) if plain && !integral => map1(d32, s32, mask, |a| canonical(f32::from_bits(a << 16))),
                (Ty::F16, Ty::F32) if plain && !integral && fin.round == Round::Nearest => {
                    map1(d32, s32, mask, |a| f32_to_f16(f32::from_bits(a)));
                }
                (Ty::F32, Ty::S32) if plain && fin.round == Round::Nearest => map1(d32, s32, mask, |a| (a as i32 as f32).to_bits()),
                (Ty::F32, Ty::U32) if plain && fin.round == Round::Nearest => map1(d32, s32, mask, |a| (a as f32).to_bits()),
                _ => match (to.class(), from.class()) {
                    (Some(Class::R64), Some(Class::R64)) => map1(d64, s64, mask, |a| one(to, from, fin, integral, a)),
                    (Some(Class::R64), _) => map1(d64, s32, mask, |a| one(to, from, fin, integral, a.into())),
                    (_, Some(Class::R64)) => map1(d32, s64, mask, |a| one(to, from, fin, integral, a) as u32),
                    _ => map1(d32, s32, mask, |a| one(to, from, fin, integral, a.into()) as u32),
                },
            }
        }
    }
}

#[inline(always)]
fn canonical(x: f32) -> u32 {
    if x.is_nan() { 0x7fff_ffff } else { x.to_bits() }
}

lane_fn! {
    /// Two floats into halves: a above, b below.
    fn cvt_pack(to: Ty, fin: Finish, regs: Regs, r: &[Reg], mask: u32) {
        let part = if to == Ty::F16x2 { Ty::F16 } else { Ty::Bf16 };
        let (d, a, b) = (regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]));
        // SAFETY: `Regs`' invariant.
        unsafe {
            if fin == Finish::default() && to == Ty::F16x2 {
                map2(d, a, b, mask, |a, b| f32_to_f16(f32::from_bits(a)) << 16 | f32_to_f16(f32::from_bits(b)));
            } else if fin == Finish::default() {
                map2(d, a, b, mask, |a, b| f32_to_bf16(f32::from_bits(a)) << 16 | f32_to_bf16(f32::from_bits(b)));
            } else {
                let half = |w: u32| to_float(part, f64::from(f32::from_bits(w)), 0.0, fin) as u32;
                map2(d, a, b, mask, |a, b| half(a) << 16 | half(b));
            }
        }
    }
}

/// Saturates a and b into small integers and shifts c up by both.
pub(crate) fn cvt_pack_int(to: Ty, regs: Regs, r: &[Reg], mask: u32) {
    let (low, high) = limits(to);
    let bits = to.bytes() * 8;
    let part = |w: u32| i128::from(w as i32).clamp(low, high) as u32 & ((1u64 << bits) - 1) as u32;
    let pack = |a: u32, b: u32, c: u32| (u64::from(c) << (2 * bits)) as u32 | part(a) << bits | part(b);
    // SAFETY: `Regs`' invariant.
    unsafe { map3(regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]), regs.s32(r[3]), mask, pack) }
}

/// Several registers into one.
pub(crate) fn pack(bits: u8, regs: Regs, r: &[Reg], mask: u32) {
    let mut out = [0u64; 32];
    for (at, &part) in r[1..].iter().enumerate() {
        let source = if part.class() == Class::R64 { regs.get64(part) } else { regs.get32(part).map(u64::from) };
        let keep = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
        out.iter_mut().zip(source).for_each(|(o, s)| *o |= (s & keep) << (at * bits as usize));
    }
    if r[0].class() == Class::R64 {
        regs.set64(r[0], &out, mask);
    } else {
        regs.set32(r[0], &out.map(|w| w as u32), mask);
    }
}

/// One register into several.
pub(crate) fn unpack(bits: u8, regs: Regs, dsts: &[Reg], source: Reg, mask: u32) {
    let whole = if source.class() == Class::R64 { regs.get64(source) } else { regs.get32(source).map(u64::from) };
    let keep = if bits == 64 { u64::MAX } else { (1 << bits) - 1 };
    for (at, &part) in dsts.iter().enumerate() {
        let value = whole.map(|w| w >> (at * bits as usize) & keep);
        if part.class() == Class::R64 {
            regs.set64(part, &value, mask);
        } else {
            regs.set32(part, &value.map(|w| w as u32), mask);
        }
    }
}
