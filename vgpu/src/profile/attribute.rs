//! The numbers `cuDeviceGetAttribute` answers, all from the profile.

use super::occupancy::{blocks_per_sm, reserved_shared, shared_block_limit, usable_shared, warps_per_sm};
use super::{MAX_BLOCK, MAX_GRID, MAX_THREADS_PER_BLOCK, Profile, REGISTERS_PER_SM, STATIC_SHARED_LIMIT, rates};

/// Attributes that every card listed here answers alike: number in `CUdevice_attribute`, value.
const SAME_EVERYWHERE: &[(i32, i32)] = &[
    (1, MAX_THREADS_PER_BLOCK as i32),
    (2, MAX_BLOCK[0] as i32),
    (3, MAX_BLOCK[1] as i32),
    (4, MAX_BLOCK[2] as i32),
    (5, MAX_GRID[0] as i32),
    (6, MAX_GRID[1] as i32),
    (7, MAX_GRID[2] as i32),
    (8, STATIC_SHARED_LIMIT as i32),
    (9, 65_536),         // constant memory
    (10, 32),            // warp size
    (11, 2_147_483_647), // pitch
    (12, REGISTERS_PER_SM as i32),
    (14, 512), // texture alignment
    (15, 1),   // copies overlap kernels
    (18, 0),   // not integrated
    (19, 0),   // host memory cannot be mapped: kernels see device memory only
    (20, 0),   // compute mode: default
    (30, 512), // surface alignment
    (31, 1),   // concurrent kernels
    (41, 1),   // unified addressing
    (50, 0),   // PCI domain
    (51, 32),  // texture pitch alignment
    (78, 1),   // stream priorities
    (79, 1),   // L1 caches global loads
    (80, 1),   // L1 caches local loads
    (82, REGISTERS_PER_SM as i32),
    (83, 0), // no managed memory: the host could touch it behind the checks
    (84, 0), // one GPU a board
    (86, 0), // no native host atomics
    (88, 0), // no access to pageable memory
    (89, 0), // no concurrent managed access
    (90, 1), // compute pre-emption
    (91, 0), // registered host pointers cannot be used by kernels
    (92, 0), // no stream memory operations
    (93, 0),
    (94, 0),
    (95, 1), // cooperative launch
    (96, 0), // not over several devices
    (98, 0),
    (99, 1), // host memory can be registered
    (100, 0),
    (101, 0),
    (102, 0), // no virtual address management
    (103, 0),
    (110, 0),
    (112, 0),
    (113, 0),
    (114, 0),
    (115, 0), // no memory pools: allocations are plain, and each is checked
    (116, 0),
    (119, 0),
    (120, 0), // no clusters
    (122, 0),
    (123, 0),
    (124, 0),
    (125, 0),
    (126, 1), // one memory synchronisation domain
    (127, 0), // no tensor maps
    (128, 0),
    (129, 0),
    (132, 0),
    (133, 0),
];

/// Texture and surface limits (`CUdevice_attribute` 21 to 29, 42 to 49, 52 to 77), which the driver reports although nothing here samples a texture.
const TEXTURES: &[(i32, i32)] = &[
    (21, 131_072),
    (22, 131_072),
    (23, 65_536),
    (24, 16_384),
    (25, 16_384),
    (26, 16_384),
    (27, 32_768),
    (28, 32_768),
    (29, 2048),
    (42, 32_768),
    (43, 2048),
    (44, 1),
    (45, 32_768),
    (46, 32_768),
    (47, 8192),
    (48, 8192),
    (49, 32_768),
    (52, 32_768),
    (53, 32_768),
    (54, 2046),
    (55, 32_768),
    (56, 131_072),
    (57, 65_536),
    (58, 16_384),
    (59, 16_384),
    (60, 16_384),
    (61, 32_768),
    (62, 2048),
    (63, 32_768),
    (64, 32_768),
    (65, 2048),
    (66, 32_768),
    (67, 32_768),
    (68, 2046),
    (69, 268_435_456),
    (70, 131_072),
    (71, 65_000),
    (72, 2_097_120),
    (73, 32_768),
    (74, 32_768),
    (77, 32_768),
];

/// The value of attribute `number` of `CUdevice_attribute` for device `index`; `None` for a number the enumeration does not have or that nothing here answers.
///
/// Clocks are kHz, sizes bytes, as in CUDA.
pub fn attribute(profile: &Profile, index: usize, number: i32) -> Option<i32> {
    let fixed = SAME_EVERYWHERE.iter().chain(TEXTURES).find(|(n, _)| *n == number);
    if let Some((_, value)) = fixed {
        return Some(*value);
    }
    let value = match number {
        13 => u64::from(profile.boost_mhz) * 1000,
        16 => u64::from(profile.sms),
        17 => 0, // no watchdog: nothing is displayed
        32 => u64::from(profile.ecc()),
        33 => bus_number(index),
        34 => 0,
        35 => 0,
        36 => u64::from(profile.memory_mhz) * 1000,
        37 => u64::from(profile.bus_bits),
        38 => profile.l2_bytes(),
        39 => u64::from(warps_per_sm(profile)) * 32,
        40 => {
            if profile.ecc() {
                3
            } else {
                2
            }
        }
        75 => u64::from(profile.compute.0),
        76 => u64::from(profile.compute.1),
        81 => usable_shared(profile),
        85 => index as u64,
        87 => (rates(profile).fp32 / rates(profile).fp64) as u64,
        97 => shared_block_limit(profile),
        106 => u64::from(blocks_per_sm(profile)),
        107 => u64::from(profile.compute.0 >= 8),
        // Persisting L2 and its window exist from 8.0 on; three quarters of L2 can be set aside.
        108 => {
            if profile.compute.0 >= 8 {
                profile.l2_bytes() / 4 * 3
            } else {
                0
            }
        }
        109 => {
            if profile.compute.0 >= 8 {
                134_213_632
            } else {
                0
            }
        }
        111 => reserved_shared(profile),
        139 => u64::from(profile.pci_device) << 16 | 0x10de,
        _ => return None,
    };
    i32::try_from(value).ok().or(Some(i32::MAX))
}

/// The PCI bus a virtual device sits on.
pub(crate) fn bus_number(index: usize) -> u64 {
    1 + index as u64
}

#[cfg(test)]
mod tests {
    use super::super::TABLE;
    use super::*;

    #[test]
    fn no_attribute_is_listed_twice_and_every_card_answers_the_limits() {
        let numbers: std::collections::BTreeSet<_> = SAME_EVERYWHERE.iter().chain(TEXTURES).map(|(n, _)| *n).collect();
        assert_eq!(numbers.len(), SAME_EVERYWHERE.len() + TEXTURES.len());
        for profile in TABLE {
            for number in (1..=119).filter(|n| !matches!(n, 104 | 105 | 117 | 118)) {
                assert!(attribute(profile, 0, number).is_some(), "{}: attribute {number}", profile.key);
            }
            assert_eq!(attribute(profile, 0, 9999), None);
        }
    }
}
