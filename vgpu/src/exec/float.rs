//! Floating-point arithmetic: f32, f64, and halves through f64, which holds their sums and products exactly or errs beyond their last bit.

use super::lanes::{Regs, lane_fn, map1, map2, map3};
use super::number::{BF16, F16, F32, Format, bf16_to_f32, directed, f16_to_f32, f32_to_f16, two_sum};
use crate::ptx::op::{Finish, Fl1, Fl2};
use crate::ptx::types::{Reg, Round, Ty};

/// The NaN that f32 operations give.
const NAN32: u32 = 0x7fff_ffff;

#[inline(always)]
fn canonical(x: f32) -> f32 {
    if x.is_nan() { f32::from_bits(NAN32) } else { x }
}

/// A denormal becomes zero of its sign.
#[inline(always)]
pub(crate) fn flush(x: f32) -> f32 {
    if x.abs() < f32::MIN_POSITIVE { f32::from_bits(x.to_bits() & 0x8000_0000) } else { x }
}

#[inline(always)]
fn finish32(x: f32, fin: Finish) -> f32 {
    let x = if fin.ftz { flush(x) } else { x };
    let x = if fin.relu && x <= 0.0 { 0.0 } else { x };
    match (fin.sat, x.is_nan()) {
        (true, true) => 0.0,
        (true, false) => x.clamp(0.0, 1.0) + 0.0,
        _ => canonical(x),
    }
}

/// min and max: a number wins over NaN unless NaN is asked for; -0 is below +0.
fn extreme(max: bool, nan: bool, a: f64, b: f64) -> f64 {
    if a.is_nan() || b.is_nan() {
        return if nan || (a.is_nan() && b.is_nan()) {
            f64::NAN
        } else if a.is_nan() {
            b
        } else {
            a
        };
    }
    let a_first = if a == b { a.is_sign_negative() } else { a < b };
    if a_first != max { a } else { b }
}

/// Sum and what it lost. Where opposite numbers cancel, rounding down gives -0 (IEEE 754, 6.3).
fn sum(a: f64, b: f64, round: Round) -> (f64, f64) {
    let (result, error) = two_sum(a, b);
    (cancelled(result, error, a.is_sign_negative() != b.is_sign_negative(), round), error)
}

fn cancelled(result: f64, error: f64, opposite: bool, round: Round) -> f64 {
    if result == 0.0 && error == 0.0 && opposite && round == Round::Down { -0.0 } else { result }
}

/// Result and what it lost, in f64: exact for the sum and the product of f32s.
fn two_wide(kind: Fl2, a: f64, b: f64, round: Round) -> (f64, f64) {
    match kind {
        Fl2::Add => sum(a, b, round),
        Fl2::Sub => sum(a, -b, round),
        Fl2::Mul => (a * b, a.mul_add(b, -(a * b))),
        // An exact infinity, or a NaN.
        Fl2::Div if b == 0.0 => (a / b, 0.0),
        Fl2::Div => {
            let q = a / b;
            let rest = (-q).mul_add(b, a);
            (q, if b < 0.0 { -rest } else { rest })
        }
        Fl2::Min | Fl2::Max => (extreme(kind == Fl2::Max, false, a, b), 0.0),
        Fl2::MinNan | Fl2::MaxNan => (extreme(kind == Fl2::MaxNan, true, a, b), 0.0),
        // PTX names the sign's donor first.
        Fl2::Copysign => (b.copysign(a), 0.0),
    }
}

fn lost(result: f64, error: f64) -> f64 {
    if result.is_finite() && error.is_finite() { error } else { 0.0 }
}

fn two32(kind: Fl2, a: f32, b: f32, fin: Finish) -> f32 {
    if kind == Fl2::Copysign {
        return f32::from_bits((b.to_bits() & 0x7fff_ffff) | (a.to_bits() & 0x8000_0000));
    }
    let (a, b) = if fin.ftz { (flush(a), flush(b)) } else { (a, b) };
    let (result, error) = two_wide(kind, f64::from(a), f64::from(b), fin.round);
    finish32(f32::from_bits(F32.round(result, lost(result, error), fin.round)), fin)
}

fn two64(kind: Fl2, a: f64, b: f64, round: Round) -> f64 {
    let (result, error) = two_wide(kind, a, b, round);
    if round == Round::Nearest || !a.is_finite() || !b.is_finite() { result } else { directed(result, error, round) }
}

/// Fused multiply-add in f64 and what it lost.
fn fma_wide(a: f64, b: f64, c: f64, round: Round) -> (f64, f64) {
    let product = a * b;
    let low = a.mul_add(b, -product);
    let (sum, rest) = two_sum(product, c);
    let result = a.mul_add(b, c);
    let error = lost(result, (sum - result) + (rest + low));
    (cancelled(result, error, product.is_sign_negative() != c.is_sign_negative(), round), error)
}

fn fma32(a: f32, b: f32, c: f32, fin: Finish) -> f32 {
    let (a, b, c) = if fin.ftz { (flush(a), flush(b), flush(c)) } else { (a, b, c) };
    if fin.round == Round::Nearest {
        return finish32(a.mul_add(b, c), fin);
    }
    let (result, error) = sum(f64::from(a) * f64::from(b), f64::from(c), fin.round);
    finish32(f32::from_bits(F32.round(result, lost(result, error), fin.round)), fin)
}

/// f32 functions. The approximate ones are computed in f64 and rounded once, which lies within the errors PTX allows them.
fn one32(kind: Fl1, a: f32, fin: Finish) -> f32 {
    match kind {
        Fl1::Neg => return f32::from_bits(if fin.ftz { flush(a) } else { a }.to_bits() ^ 0x8000_0000),
        Fl1::Abs => return if fin.ftz { flush(a) } else { a }.abs(),
        _ => {}
    }
    let x = f64::from(if fin.ftz { flush(a) } else { a });
    let (result, error) = one_wide(kind, x, fin.round);
    finish32(f32::from_bits(F32.round(result, lost(result, error), fin.round)), fin)
}

fn one_wide(kind: Fl1, x: f64, round: Round) -> (f64, f64) {
    match kind {
        Fl1::Neg => (-x, 0.0),
        Fl1::Abs => (x.abs(), 0.0),
        Fl1::Sqrt => {
            let root = x.sqrt();
            (root, (-root).mul_add(root, x))
        }
        Fl1::Rcp => two_wide(Fl2::Div, 1.0, x, round),
        Fl1::Rsqrt => (1.0 / x.sqrt(), 0.0),
        Fl1::Ex2 => (x.exp2(), 0.0),
        Fl1::Lg2 => (x.log2(), 0.0),
        Fl1::Sin => (x.sin(), 0.0),
        Fl1::Cos => (x.cos(), 0.0),
        Fl1::Tanh => (x.tanh(), 0.0),
    }
}

fn one64(kind: Fl1, x: f64, fin: Finish) -> f64 {
    let (result, error) = one_wide(kind, x, fin.round);
    let result = if matches!(kind, Fl1::Neg | Fl1::Abs) || !x.is_finite() { result } else { directed(result, error, fin.round) };
    if fin.ftz && result.abs() < f64::MIN_POSITIVE { 0f64.copysign(result) } else { result }
}

/// A half format: its bits to f64 and back.
#[derive(Clone, Copy)]
pub(crate) enum Half {
    F16,
    Bf16,
}

impl Half {
    pub(crate) fn of(ty: Ty) -> Self {
        if matches!(ty, Ty::Bf16 | Ty::Bf16x2) { Self::Bf16 } else { Self::F16 }
    }
    fn format(self) -> Format {
        match self {
            Self::F16 => F16,
            Self::Bf16 => BF16,
        }
    }
    #[inline(always)]
    fn get(self, bits: u32) -> f32 {
        match self {
            Self::F16 => f16_to_f32(bits & 0xffff),
            Self::Bf16 => bf16_to_f32(bits & 0xffff),
        }
    }
    /// The least that is not denormal.
    pub(crate) fn least(self) -> f64 {
        match self {
            Self::F16 => 1.0 / 16_384.0,
            Self::Bf16 => f32::MIN_POSITIVE.into(),
        }
    }
    /// An operand.
    #[inline(always)]
    fn operand(self, bits: u32, fin: Finish) -> f64 {
        let x = f64::from(self.get(bits));
        if fin.ftz && x.abs() < self.least() { 0f64.copysign(x) } else { x }
    }
    fn put(self, result: f64, error: f64, fin: Finish) -> u32 {
        let bits = self.format().round(result, lost(result, error), fin.round);
        let value = self.get(bits);
        match () {
            () if fin.sat && value.is_nan() => 0,
            () if (fin.sat || fin.relu) && value <= 0.0 => 0,
            () if fin.sat && value > 1.0 => self.format().round(1.0, 0.0, Round::Nearest),
            () if fin.ftz && f64::from(value.abs()) < self.least() => bits & 0x8000,
            () => bits,
        }
    }
}

/// Applies `f` to one half, or to both halves of a packed word.
#[inline(always)]
fn halves(ty: Ty, f: impl Fn(u32) -> u32) -> u32 {
    if matches!(ty, Ty::F16x2 | Ty::Bf16x2) { f(0) | f(16) << 16 } else { f(0) }
}

fn two_half(kind: Fl2, ty: Ty, a: u32, b: u32, fin: Finish) -> u32 {
    let half = Half::of(ty);
    halves(ty, |at| {
        if kind == Fl2::Copysign {
            return (b >> at & 0x7fff) | (a >> at & 0x8000);
        }
        let (result, error) = two_wide(kind, half.operand(a >> at, fin), half.operand(b >> at, fin), fin.round);
        half.put(result, error, fin)
    })
}

fn fma_half(ty: Ty, a: u32, b: u32, c: u32, fin: Finish) -> u32 {
    let half = Half::of(ty);
    halves(ty, |at| {
        let (x, y, z) = (half.operand(a >> at, fin), half.operand(b >> at, fin), half.operand(c >> at, fin));
        let (result, error) = sum(x * y, z, fin.round);
        half.put(result, error, fin)
    })
}

/// To nearest by way of an f32 rounded to odd: one rounding in effect, as f32 has more than two bits to spare.
#[inline(always)]
fn f64_to_f16(x: f64) -> u32 {
    let near = x as f32;
    let back = f64::from(near);
    let bits = near.to_bits();
    let odd = if back == x || bits & 1 == 1 || x.is_nan() {
        bits
    } else if back.abs() > x.abs() {
        bits - 1
    } else {
        bits + 1
    };
    f32_to_f16(f32::from_bits(odd))
}

fn one_half(kind: Fl1, ty: Ty, a: u32, fin: Finish) -> u32 {
    let half = Half::of(ty);
    halves(ty, |at| {
        let x = half.operand(a >> at, fin);
        let bits = if x == 0.0 { a >> at & 0x8000 } else { a >> at & 0xffff };
        match kind {
            Fl1::Neg => bits ^ 0x8000,
            Fl1::Abs => bits & 0x7fff,
            _ => {
                let (result, error) = one_wide(kind, x, fin.round);
                half.put(result, error, fin)
            }
        }
    })
}

fn plain(fin: Finish) -> bool {
    fin == Finish::default()
}

lane_fn! {
    /// d, a, b.
    fn float2(kind: Fl2, ty: Ty, fin: Finish, regs: Regs, r: &[Reg], mask: u32) {
        // SAFETY: `Regs`' invariant.
        unsafe {
            match ty {
                Ty::F32 => {
                    let (d, a, b) = (regs.d32(r[0]).cast::<[f32; 32]>(), regs.s32(r[1]).cast::<[f32; 32]>(), regs.s32(r[2]).cast());
                    match kind {
                        Fl2::Add if plain(fin) => map2(d, a, b, mask, |a: f32, b: f32| canonical(a + b)),
                        Fl2::Sub if plain(fin) => map2(d, a, b, mask, |a: f32, b: f32| canonical(a - b)),
                        Fl2::Mul if plain(fin) => map2(d, a, b, mask, |a: f32, b: f32| canonical(a * b)),
                        Fl2::Add if fin.round == Round::Nearest => {
                            let ftz = |x: f32| if fin.ftz { flush(x) } else { x };
                            map2(d, a, b, mask, |a: f32, b: f32| finish32(ftz(a) + ftz(b), fin));
                        }
                        Fl2::Mul if fin.round == Round::Nearest => {
                            let ftz = |x: f32| if fin.ftz { flush(x) } else { x };
                            map2(d, a, b, mask, |a: f32, b: f32| finish32(ftz(a) * ftz(b), fin));
                        }
                        _ => map2(d, a, b, mask, |a: f32, b: f32| two32(kind, a, b, fin)),
                    }
                }
                Ty::F64 => {
                    let (d, a, b) = (regs.d64(r[0]).cast::<[f64; 32]>(), regs.s64(r[1]).cast::<[f64; 32]>(), regs.s64(r[2]).cast());
                    match kind {
                        Fl2::Add if plain(fin) => map2(d, a, b, mask, |a: f64, b: f64| a + b),
                        Fl2::Sub if plain(fin) => map2(d, a, b, mask, |a: f64, b: f64| a - b),
                        Fl2::Mul if plain(fin) => map2(d, a, b, mask, |a: f64, b: f64| a * b),
                        _ => map2(d, a, b, mask, |a: f64, b: f64| two64(kind, a, b, fin.round)),
                    }
                }
                _ => map2(regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]), mask, |a, b| two_half(kind, ty, a, b, fin)),
            }
        }
    }
}

lane_fn! {
    /// d, a.
    fn float1(kind: Fl1, ty: Ty, fin: Finish, regs: Regs, r: &[Reg], mask: u32) {
        // SAFETY: `Regs`' invariant.
        unsafe {
            match ty {
                Ty::F32 => map1(regs.d32(r[0]).cast(), regs.s32(r[1]).cast(), mask, |a: f32| one32(kind, a, fin)),
                Ty::F64 => map1(regs.d64(r[0]).cast(), regs.s64(r[1]).cast(), mask, |a: f64| one64(kind, a, fin)),
                _ => map1(regs.d32(r[0]), regs.s32(r[1]), mask, |a| one_half(kind, ty, a, fin)),
            }
        }
    }
}

lane_fn! {
    /// `fma.rn.f32` without modifiers, which is most of what a matrix kernel does.
    fn fma_plain(regs: Regs, r: &[Reg], mask: u32) {
        let (a, b, c) = (regs.s32(r[1]).cast(), regs.s32(r[2]).cast(), regs.s32(r[3]).cast());
        // SAFETY: `Regs`' invariant.
        unsafe { map3(regs.d32(r[0]).cast(), a, b, c, mask, |a: f32, b: f32, c: f32| canonical(a.mul_add(b, c))) }
    }
}

lane_fn! {
    /// d, a, b, c.
    fn fma(ty: Ty, fin: Finish, regs: Regs, r: &[Reg], mask: u32) {
        // SAFETY: `Regs`' invariant.
        unsafe {
            match ty {
                Ty::F32 => {
                    let (a, b, c) = (regs.s32(r[1]).cast(), regs.s32(r[2]).cast(), regs.s32(r[3]).cast());
                    map3(regs.d32(r[0]).cast(), a, b, c, mask, |a: f32, b: f32, c: f32| fma32(a, b, c, fin));
                }
                Ty::F64 => {
                    let (a, b, c) = (regs.s64(r[1]).cast(), regs.s64(r[2]).cast(), regs.s64(r[3]).cast());
                    let d = regs.d64(r[0]).cast();
                    if plain(fin) {
                        map3(d, a, b, c, mask, |a: f64, b: f64, c: f64| a.mul_add(b, c));
                    } else {
                        map3(d, a, b, c, mask, |a: f64, b: f64, c: f64| {
                            let (result, error) = fma_wide(a, b, c, fin.round);
                            directed(result, error, fin.round)
                        });
                    }
                }
                Ty::F16 | Ty::F16x2 if plain(fin) => {
                    // Products and sums of halves are exact in f64 or wrong far beyond a half's last bit.
                    let one = |a: u32, b: u32, c: u32| {
                        let x = |w| f64::from(f16_to_f32(w & 0xffff));
                        f64_to_f16(x(a).mul_add(x(b), x(c)))
                    };
                    map3(regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]), regs.s32(r[3]), mask, |a, b, c| {
                        let low = one(a, b, c);
                        if ty == Ty::F16 { low } else { low | one(a >> 16, b >> 16, c >> 16) << 16 }
                    });
                }
                _ => map3(regs.d32(r[0]), regs.s32(r[1]), regs.s32(r[2]), regs.s32(r[3]), mask, |a, b, c| {
                    fma_half(ty, a, b, c, fin)
                }),
            }
        }
    }
}

lane_fn! {
    /// Approximate division: correctly rounded here, which lies within its error; results below 2^-126 flush when asked.
    fn div_approx(fin: Finish, regs: Regs, r: &[Reg], mask: u32) {
        let (a, b) = (regs.s32(r[1]).cast(), regs.s32(r[2]).cast());
        // SAFETY: `Regs`' invariant.
        unsafe { map2(regs.d32(r[0]).cast(), a, b, mask, |a: f32, b: f32| two32(Fl2::Div, a, b, fin)) }
    }
}

/// A value of any floating type as f64.
#[inline(always)]
pub(crate) fn widen(ty: Ty, word: u64) -> f64 {
    match ty {
        Ty::F64 => f64::from_bits(word),
        Ty::F16 => f64::from(f16_to_f32(word as u32 & 0xffff)),
        Ty::Bf16 => f64::from(bf16_to_f32(word as u32 & 0xffff)),
        _ => f64::from(f32::from_bits(word as u32)),
    }
}
