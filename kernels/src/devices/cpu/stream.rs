//! Loops that do nothing but move memory, to find how fast each level is.

use super::micro::Isa;

/// Sums `data` and returns the bytes read.
pub(super) fn read(isa: Isa, data: &[f32]) -> f64 {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the device lists an instruction set only where this machine has it.
        Isa::Avx512 => unsafe { read_avx512(data) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { read_avx2(data) },
        _ => sum::<4>(data),
    }
    bytes(data.len())
}

/// `a = b + s·c` and returns the bytes moved, as STREAM counts them: two reads and one write, the write's own fetch left out
/// (McCalpin, "STREAM: Sustainable Memory Bandwidth in High Performance Computers").
pub(super) fn triad(isa: Isa, a: &mut [f32], b: &[f32], c: &[f32]) -> f64 {
    match isa {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the device lists an instruction set only where this machine has it.
        Isa::Avx512 => unsafe { triad_avx512(a, b, c) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        Isa::Avx2 => unsafe { triad_avx2(a, b, c) },
        _ => scaled_sum(a, b, c),
    }
    bytes(3 * a.len())
}

#[allow(clippy::cast_precision_loss)] // counts below 2^53
fn bytes(elements: usize) -> f64 {
    (elements * size_of::<f32>()) as f64
}

/// Eight accumulators of `LANES`, so that additions (3 to 4 cycles each) do not hide the loads (2 per cycle).
#[inline(always)]
fn sum<const LANES: usize>(data: &[f32]) {
    let mut sums = [[0.0f32; LANES]; 8];
    for block in data.chunks_exact(8 * LANES) {
        for (sum, lanes) in sums.iter_mut().zip(block.chunks_exact(LANES)) {
            for (sum, x) in sum.iter_mut().zip(lanes) {
                *sum += x;
            }
        }
    }
    std::hint::black_box(&sums);
}

#[inline(always)]
fn scaled_sum(a: &mut [f32], b: &[f32], c: &[f32]) {
    let scale = std::hint::black_box(0.5f32);
    for ((a, b), c) in a.iter_mut().zip(b).zip(c) {
        *a = b + scale * c;
    }
    std::hint::black_box(a);
}

#[cfg(target_arch = "x86_64")]
macro_rules! sum_vectors {
    ($name:ident, $features:literal, $lanes:literal, $zero:ident, $load:ident, $add:ident) => {
        #[target_feature(enable = $features)]
        fn $name(data: &[f32]) {
            use std::arch::x86_64::{$add, $load, $zero};
            // One name each: an array here ends up in memory, at a quarter of the speed.
            let (mut a, mut b, mut c, mut d) = ($zero(), $zero(), $zero(), $zero());
            let (mut e, mut f, mut g, mut h) = ($zero(), $zero(), $zero(), $zero());
            for block in data.as_chunks::<{ 8 * $lanes }>().0 {
                // SAFETY: the block holds 8 vectors and i is below 8.
                let at = |i: usize| unsafe { $load(&raw const block[i * $lanes]) };
                (a, b, c, d) = ($add(a, at(0)), $add(b, at(1)), $add(c, at(2)), $add(d, at(3)));
                (e, f, g, h) = ($add(e, at(4)), $add(f, at(5)), $add(g, at(6)), $add(h, at(7)));
            }
            std::hint::black_box([a, b, c, d, e, f, g, h]);
        }
    };
}

#[cfg(target_arch = "x86_64")]
sum_vectors!(read_avx512, "avx512f", 16, _mm512_setzero_ps, _mm512_loadu_ps, _mm512_add_ps);
#[cfg(target_arch = "x86_64")]
sum_vectors!(read_avx2, "avx2,fma", 8, _mm256_setzero_ps, _mm256_loadu_ps, _mm256_add_ps);

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx512f")]
fn triad_avx512(a: &mut [f32], b: &[f32], c: &[f32]) {
    scaled_sum(a, b, c);
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn triad_avx2(a: &mut [f32], b: &[f32], c: &[f32]) {
    scaled_sum(a, b, c);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_counted_and_the_triad_is_right_on_every_instruction_set() {
        for isa in Isa::available() {
            let (b, c): (Vec<f32>, Vec<f32>) = (0u8..130).map(|i| (f32::from(i), f32::from(i) * 2.0)).unzip();
            let mut a = vec![0.0; 130];
            assert_eq!(triad(isa, &mut a, &b, &c), 3.0 * 130.0 * 4.0);
            assert!(a.iter().zip(&b).all(|(a, b)| *a == 2.0 * b), "{isa:?}");
            assert_eq!(read(isa, &a), 130.0 * 4.0);
        }
    }
}
