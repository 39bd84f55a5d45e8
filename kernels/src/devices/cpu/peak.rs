//! Loops that do nothing but fused multiply-adds, to find how many the processor retires.

use super::micro::Isa;
use crate::Dtype;

/// Runs `rounds` of a fused multiply-add loop and returns the FLOP done; a fused multiply-add counts two.
///
/// Enough independent chains to cover latency × ports: 4 cycles × 2 on every x86-64 core with FMA, so 8 would do; 12 and 24 leave room.
#[must_use]
pub fn multiply_add(isa: Isa, dtype: Dtype, rounds: u64) -> f64 {
    let per_round = match (isa, dtype) {
        #[cfg(target_arch = "x86_64")]
        // SAFETY: the device lists an instruction set only where this machine has it.
        (Isa::Avx512, Dtype::F32) => unsafe { avx512_f32(rounds) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        (Isa::Avx512, Dtype::F64) => unsafe { avx512_f64(rounds) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        (Isa::Avx2, Dtype::F32) => unsafe { avx2_f32(rounds) },
        #[cfg(target_arch = "x86_64")]
        // SAFETY: as above.
        (Isa::Avx2, Dtype::F64) => unsafe { avx2_f64(rounds) },
        (_, Dtype::F32) => portable::<f32, 4>(rounds, 0.999_999, 1e-6),
        (_, _) => portable::<f64, 2>(rounds, 0.999_999, 1e-6),
    };
    #[allow(clippy::cast_precision_loss)] // counts below 2^53
    {
        2.0 * per_round as f64 * rounds as f64
    }
}

/// Multiply-adds per round of a loop over `CHAINS` accumulators of 16 bytes.
fn portable<T, const LANES: usize>(rounds: u64, factor: T, addend: T) -> u64
where
    T: Copy + std::ops::Mul<Output = T> + std::ops::Add<Output = T>,
{
    const CHAINS: usize = 12;
    let mut chains = [[addend; LANES]; CHAINS];
    let (factor, addend) = std::hint::black_box((factor, addend));
    for _ in 0..rounds {
        for chain in &mut chains {
            for lane in chain {
                *lane = *lane * factor + addend;
            }
        }
    }
    std::hint::black_box(&chains);
    (CHAINS * LANES) as u64
}

#[cfg(target_arch = "x86_64")]
macro_rules! chains {
    ($name:ident, $features:literal, $chains:literal, $lanes:literal, $set:ident, $fmadd:ident) => {
        #[target_feature(enable = $features)]
        fn $name(rounds: u64) -> u64 {
            use std::arch::x86_64::{$fmadd, $set};
            let (factor, addend) = std::hint::black_box((0.999_999, 1e-6));
            let (factor, addend) = ($set(factor), $set(addend));
            let mut chains = [addend; $chains];
            for _ in 0..rounds {
                for chain in &mut chains {
                    *chain = $fmadd(*chain, factor, addend);
                }
            }
            std::hint::black_box(&chains);
            $chains * $lanes
        }
    };
}

#[cfg(target_arch = "x86_64")]
chains!(avx512_f32, "avx512f", 24, 16, _mm512_set1_ps, _mm512_fmadd_ps);
#[cfg(target_arch = "x86_64")]
chains!(avx512_f64, "avx512f", 24, 8, _mm512_set1_pd, _mm512_fmadd_pd);
#[cfg(target_arch = "x86_64")]
chains!(avx2_f32, "avx2,fma", 12, 8, _mm256_set1_ps, _mm256_fmadd_ps);
#[cfg(target_arch = "x86_64")]
chains!(avx2_f64, "avx2,fma", 12, 4, _mm256_set1_pd, _mm256_fmadd_pd);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flop_grow_with_rounds_and_lanes() {
        for isa in Isa::available() {
            let (single, double) = (multiply_add(isa, Dtype::F32, 10), multiply_add(isa, Dtype::F64, 10));
            assert_eq!((single, multiply_add(isa, Dtype::F32, 20)), (2.0 * double, 2.0 * single), "{isa:?}");
        }
    }
}
