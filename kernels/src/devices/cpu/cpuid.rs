//! What the processor says of itself.

use std::arch::x86_64::{__cpuid_count, CpuidResult};

/// Registers of one CPUID leaf.
pub(super) fn cpuid(leaf: u32, index: u32) -> CpuidResult {
    __cpuid_count(leaf, index)
}

/// Vendor string (`AuthenticAMD`).
pub(super) fn vendor() -> String {
    let r = cpuid(0, 0);
    [r.ebx, r.edx, r.ecx].iter().flat_map(|word| word.to_le_bytes()).map(char::from).collect()
}

/// Family and model, extended fields included (Intel SDM volume 2A, CPUID leaf 1).
pub(super) fn family_model() -> (u32, u32) {
    decode(cpuid(1, 0).eax)
}

fn decode(eax: u32) -> (u32, u32) {
    let base = (eax >> 8) & 0xf;
    let family = if base == 0xf { base + ((eax >> 20) & 0xff) } else { base };
    let model = (eax >> 4) & 0xf;
    let extended = if base == 0xf || base == 6 { (eax >> 16) & 0xf } else { 0 };
    (family, extended << 4 | model)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extended_families_and_models_are_added() {
        // Zen 4 (Genoa), Zen 5 (Turin), Skylake-SP, Pentium MMX.
        for (eax, expected) in [(0x00a1_0f11, (25, 17)), (0x00b0_0f21, (26, 2)), (0x0005_0654, (6, 85)), (0x0000_0543, (5, 4))] {
            assert_eq!(decode(eax), expected, "{eax:#x}");
        }
    }
}
