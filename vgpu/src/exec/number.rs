//! Floating-point formats smaller than f64, and rounding into them in every direction.

use crate::ptx::types::Round;

/// A binary format: fraction bits and exponent bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Format {
    fraction: u32,
    exponent: u32,
}

/// IEEE half.
pub(crate) const F16: Format = Format { fraction: 10, exponent: 5 };
/// bfloat16.
pub(crate) const BF16: Format = Format { fraction: 7, exponent: 8 };
/// IEEE single.
pub(crate) const F32: Format = Format { fraction: 23, exponent: 8 };
/// The 19 bits of a single that tensor cores read; kept in a 32-bit word with 13 zeros below.
pub(crate) const TF32: Format = Format { fraction: 10, exponent: 8 };

impl Format {
    /// Rounds `x + error` once, where `error` is what a rounded f64 operation lost (only its sign matters). Gives the format's bits; NaN becomes the positive
    /// NaN with all bits set, as on the GPU.
    pub(crate) fn round(self, x: f64, error: f64, round: Round) -> u32 {
        let infinity = ((1u32 << self.exponent) - 1) << self.fraction;
        let sign = u32::from(x.is_sign_negative()) << (self.fraction + self.exponent);
        if x.is_nan() {
            return infinity | ((1 << self.fraction) - 1);
        }
        if x.is_infinite() || x == 0.0 {
            return sign | if x == 0.0 { 0 } else { infinity };
        }
        let bits = x.to_bits();
        let biased = (bits >> 52 & 0x7ff) as i32;
        let mantissa = (bits & ((1 << 52) - 1)) | if biased > 0 { 1 << 52 } else { 0 };
        // Eight more bits below, so that an error can be told from an exact value.
        let mut wide = mantissa << 8;
        let scale = biased.max(1) - 1075 - 8;
        if error != 0.0 && !error.is_nan() {
            wide = if (error < 0.0) == (x < 0.0) { wide | 1 } else { wide - 1 };
        }
        let leading = 63 - wide.leading_zeros() as i32 + scale;
        let least = 2 - (1 << (self.exponent - 1));
        let (kept, up) = cut(wide, leading.max(least) - self.fraction as i32 - scale, x < 0.0, round);
        let kept = u64::from(up) + kept;
        let magnitude = if leading < least { kept } else { (((leading - least) as u64) << self.fraction) + kept };
        if magnitude < u64::from(infinity) { sign | magnitude as u32 } else { sign | overflow(infinity, x < 0.0, round) }
    }
}

/// Drops `shift` low bits; says whether the rest rounds away from zero.
fn cut(wide: u64, shift: i32, negative: bool, round: Round) -> (u64, bool) {
    if shift <= 0 {
        return (wide << -shift, false);
    }
    let (kept, rest, half) =
        if shift > 63 { (0, wide.min(1), 2) } else { (wide >> shift, wide & ((1 << shift) - 1), 1 << (shift - 1)) };
    let up = match round {
        Round::Nearest => rest > half || (rest == half && kept & 1 == 1),
        Round::NearestAway => rest >= half,
        Round::Zero => false,
        Round::Down => negative && rest > 0,
        Round::Up => !negative && rest > 0,
    };
    (kept, up)
}

fn overflow(infinity: u32, negative: bool, round: Round) -> u32 {
    match round {
        Round::Zero => infinity - 1,
        Round::Down if !negative => infinity - 1,
        Round::Up if negative => infinity - 1,
        _ => infinity,
    }
}

/// Exact.
#[inline(always)]
pub(crate) fn f16_to_f32(bits: u32) -> f32 {
    let (sign, exponent, fraction) = ((bits & 0x8000) << 16, bits >> 10 & 31, bits & 0x3ff);
    let magnitude = match exponent {
        0 => (fraction as f32 * (1.0 / 16_777_216.0)).to_bits(),
        31 => 0x7f80_0000 | fraction << 13,
        _ => (exponent + 112) << 23 | fraction << 13,
    };
    f32::from_bits(sign | magnitude)
}

/// To nearest even; NaN becomes 0x7fff.
#[inline(always)]
pub(crate) fn f32_to_f16(value: f32) -> u32 {
    let bits = value.to_bits();
    let (sign, magnitude) = (bits >> 16 & 0x8000, bits & 0x7fff_ffff);
    if magnitude > 0x7f80_0000 {
        return 0x7fff;
    }
    if magnitude >= 0x4780_0000 {
        return sign | 0x7c00;
    }
    if magnitude < 0x3880_0000 {
        // Adding 0.5 aligns the subnormal's last bit with the last bit of the sum, so that the addition rounds.
        let sum = f32::from_bits(magnitude) + 0.5;
        return sign | (sum.to_bits() - 0x3f00_0000);
    }
    let odd = magnitude >> 13 & 1;
    sign | (magnitude - 0x3800_0000 + 0xfff + odd) >> 13
}

/// Exact.
#[inline(always)]
pub(crate) fn bf16_to_f32(bits: u32) -> f32 {
    f32::from_bits(bits << 16)
}

/// To nearest even; NaN becomes 0x7fff.
#[inline(always)]
pub(crate) fn f32_to_bf16(value: f32) -> u32 {
    let bits = value.to_bits();
    if value.is_nan() {
        return 0x7fff;
    }
    bits.wrapping_add(0x7fff + (bits >> 16 & 1)) >> 16
}

/// Sum and what it lost (Knuth).
pub(crate) fn two_sum(a: f64, b: f64) -> (f64, f64) {
    let sum = a + b;
    let other = sum - a;
    (sum, (a - (sum - other)) + (b - other))
}

/// A rounded f64 result moved to its neighbour where the direction asks for it; `error` is exact minus result.
pub(crate) fn directed(result: f64, error: f64, round: Round) -> f64 {
    if result.is_infinite() && error.is_nan() {
        let negative = result < 0.0;
        return match round {
            Round::Zero => f64::MAX.copysign(result),
            Round::Down if !negative => f64::MAX,
            Round::Up if negative => f64::MIN,
            _ => result,
        };
    }
    match round {
        Round::Down if error < 0.0 => result.next_down(),
        Round::Up if error > 0.0 => result.next_up(),
        Round::Zero if result > 0.0 && error < 0.0 => result.next_down(),
        Round::Zero if result < 0.0 && error > 0.0 => result.next_up(),
        _ => result,
    }
}
