//! Conversions of halves over all 65,536 inputs, against the `half` crate.

use half::{bf16, f16};

use super::rig::{Rig, kernel};

/// Runs `body` with %r4 = thread number; it stores a word at [%rd1 + 4·thread].
fn all_inputs(body: &str) -> Vec<u32> {
    let rig = Rig::without_checks();
    let out = rig.buffer("out", &vec![0u32; 1 << 16]);
    let text = kernel("", &format!("mul.wide.u32 %rd3, %r4, 4; add.s64 %rd3, %rd0, %rd3;\n{body}\nst.global.u32 [%rd3], %f1;"));
    rig.run(&text, "k", 256, 256, &[out, 0, 0, 0]).unwrap();
    rig.read(out, 1 << 16)
}

fn differences(got: &[u32], expected: impl Fn(u16) -> u32) -> Vec<String> {
    let wrong = (0..=u16::MAX).filter(|&i| got[i as usize] != expected(i));
    wrong.map(|i| format!("{i:#06x}: {:#x}, expected {:#x}", got[i as usize], expected(i))).take(5).collect()
}

/// f32 results have one NaN.
fn f32_bits(x: f32) -> u32 {
    if x.is_nan() { 0x7fff_ffff } else { x.to_bits() }
}

#[test]
fn every_half_widens_exactly() {
    let f16s = all_inputs("cvt.u16.u32 %h0, %r4; cvt.f32.f16 %f1, %h0;");
    let bf16s = all_inputs("cvt.u16.u32 %h0, %r4; cvt.f32.bf16 %f1, %h0;");
    assert_eq!(differences(&f16s, |i| f32_bits(f16::from_bits(i).to_f32())), Vec::<String>::new());
    assert_eq!(differences(&bf16s, |i| f32_bits(bf16::from_bits(i).to_f32())), Vec::<String>::new());
}

#[test]
fn every_half_comes_back_from_f32() {
    let f16s = all_inputs("cvt.u16.u32 %h0, %r4; cvt.f32.f16 %f0, %h0; cvt.rn.f16.f32 %h1, %f0; cvt.u32.u16 %f1, %h1;");
    let bf16s = all_inputs("cvt.u16.u32 %h0, %r4; cvt.f32.bf16 %f0, %h0; cvt.rn.bf16.f32 %h1, %f0; cvt.u32.u16 %f1, %h1;");
    let back = |nan: bool, i: u16| if nan { 0x7fff } else { u32::from(i) };
    assert_eq!(differences(&f16s, |i| back(f16::from_bits(i).is_nan(), i)), Vec::<String>::new());
    assert_eq!(differences(&bf16s, |i| back(bf16::from_bits(i).is_nan(), i)), Vec::<String>::new());
}

/// f32s that lie exactly between two halves, just below, and just above: all the places where rounding decides.
#[test]
fn rounding_to_halves_breaks_ties_to_even() {
    for (nudge, name) in [(-1i32, "below"), (0, "at"), (1, "above")] {
        let near = format!(
            "shl.b32 %r5, %r4, 16; add.s32 %f0, %r5, {}; cvt.rn.bf16.f32 %h1, %f0; cvt.u32.u16 %f1, %h1;",
            0x8000 + nudge
        );
        let expected = |i: u16| {
            let x = f32::from_bits((u32::from(i) << 16).wrapping_add((0x8000 + nudge) as u32));
            if x.is_nan() { 0x7fff } else { u32::from(bf16::from_f32(x).to_bits()) }
        };
        assert_eq!(differences(&all_inputs(&near), expected), Vec::<String>::new(), "bf16, {name} the middle");
        let near =
            format!("shl.b32 %r5, %r4, 16; add.s32 %f0, %r5, {}; cvt.rn.f16.f32 %h1, %f0; cvt.u32.u16 %f1, %h1;", 0x1000 + nudge);
        let expected = |i: u16| {
            let x = f32::from_bits((u32::from(i) << 16).wrapping_add((0x1000 + nudge) as u32));
            if x.is_nan() { 0x7fff } else { u32::from(f16::from_f32(x).to_bits()) }
        };
        assert_eq!(differences(&all_inputs(&near), expected), Vec::<String>::new(), "f16, {name} the middle");
    }
}

/// The f16 multiply-add rounds once: compared with exact integers scaled by 2^48.
#[test]
fn the_multiply_add_of_halves_rounds_once() {
    // b and c follow from the input so that products, cancellations and denormals all occur.
    let body = "cvt.u16.u32 %h0, %r4; mul.lo.u32 %r5, %r4, 40503; and.b32 %r5, %r5, 0x7bff; cvt.u16.u32 %h1, %r5; \
                mul.lo.u32 %r6, %r4, 52711; xor.b32 %r6, %r6, 0x8000; and.b32 %r6, %r6, 0xbbff; cvt.u16.u32 %h2, %r6; \
                fma.rn.f16 %h3, %h0, %h1, %h2; cvt.u32.u16 %f1, %h3;";
    let exact = |h: u16| {
        // Value times 2^24, an integer for every finite half.
        let (sign, exponent, fraction) = (h >> 15, i32::from(h >> 10 & 31), i128::from(h & 0x3ff));
        let magnitude = if exponent == 0 { fraction } else { (fraction | 0x400) << (exponent - 1) };
        if sign == 1 { -magnitude } else { magnitude }
    };
    let expected = |i: u16| {
        let b = (u32::from(i).wrapping_mul(40503) & 0x7bff) as u16;
        let c = ((u32::from(i).wrapping_mul(52711) ^ 0x8000) & 0xbbff) as u16;
        let a = f16::from_bits(i);
        if !a.is_finite() || !f16::from_bits(b).is_finite() || !f16::from_bits(c).is_finite() {
            let x = a.to_f32().mul_add(f16::from_bits(b).to_f32(), f16::from_bits(c).to_f32());
            return if x.is_nan() { 0x7fff } else { u32::from(f16::from_f32(x).to_bits()) };
        }
        let sum = exact(i) * exact(b) + (exact(c) << 24);
        if sum == 0 {
            let negative = (i ^ b) >> 15 == 1 && c >> 15 == 1;
            return if negative { 0x8000 } else { 0 };
        }
        u32::from(round_scaled(sum))
    };
    assert_eq!(differences(&all_inputs(body), expected), Vec::<String>::new());
}

/// `value`·2^-48 as a half, to nearest even.
fn round_scaled(value: i128) -> u16 {
    let (sign, m) = (u16::from(value < 0) << 15, value.unsigned_abs());
    let top = 127 - m.leading_zeros() as i32;
    // The last bit of a half weighs at least 2^-24, which is 2^24 here.
    let shift = (top - 10).max(24);
    let (kept, rest, half) = (m >> shift, m & ((1 << shift) - 1), 1u128 << (shift - 1));
    let kept = kept + u128::from(rest > half || (rest == half && kept & 1 == 1));
    let bits = if shift == 24 { kept } else { ((shift as u128 - 24) << 10) + kept };
    sign | bits.min(0x7c00) as u16
}
