//! What one virtual GPU is: the published figures of a real card, from which attributes, occupancy, time and power all follow.
//!
//! One table ([`TABLE`]) holds every card; nothing else in the crate knows a card's numbers. `VGPU_DEVICE` names a row by its key or an alias.

mod attribute;
mod occupancy;
mod rates;
mod table;

pub use attribute::attribute;
pub(crate) use attribute::bus_number;
pub use occupancy::{Footprint, Occupancy, Refusal, occupancy, reserved_shared, shared_block_limit, usable_shared};
pub use rates::{Rates, rates};
pub use table::TABLE;

/// The largest number of threads a block may have, on every architecture since 2.0.
pub const MAX_THREADS_PER_BLOCK: u32 = 1024;
/// 32-bit registers of one multiprocessor, and of one block, on every architecture since 5.0 that is listed here.
pub const REGISTERS_PER_SM: u32 = 65_536;
/// Static shared memory of one block, bytes; more must be dynamic and asked for with `cuFuncSetAttribute`.
pub const STATIC_SHARED_LIMIT: u32 = 48 * 1024;
/// Largest grid in x, y and z.
pub const MAX_GRID: [u32; 3] = [2_147_483_647, 65_535, 65_535];
/// Largest block in x, y and z.
pub const MAX_BLOCK: [u32; 3] = [1024, 1024, 64];

/// The generation of a card, which decides rates, NVML's architecture number and the sensor it carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Architecture {
    /// GP100.
    Pascal,
    /// GV100.
    Volta,
    /// TU10x.
    Turing,
    /// GA100 and GA10x.
    Ampere,
    /// AD10x.
    Ada,
    /// GH100.
    Hopper,
    /// GB100 and GB20x.
    Blackwell,
}

/// How a card is sold; GeForce parts run tensor cores with 32-bit accumulation at half rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Market {
    /// GeForce.
    Consumer,
    /// TITAN: a consumer card with full tensor rate.
    Titan,
    /// RTX A and RTX professional cards.
    Workstation,
    /// Tesla and data-centre cards.
    Datacentre,
}

/// One card. Clocks are MHz, sizes bytes unless the name says KiB, powers watts.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// The name `VGPU_DEVICE` takes.
    pub key: &'static str,
    /// Other names it takes.
    pub aliases: &'static [&'static str],
    /// The name NVIDIA's driver reports; `(virtual)` is put behind it.
    pub name: &'static str,
    /// Generation.
    pub architecture: Architecture,
    /// Market.
    pub market: Market,
    /// Compute capability, major and minor.
    pub compute: (u32, u32),
    /// Multiprocessors.
    pub sms: u32,
    /// Base clock, MHz.
    pub base_mhz: u32,
    /// Boost clock, MHz: the clock of a card that is neither locked nor capped.
    pub boost_mhz: u32,
    /// Memory clock as NVML reports it, MHz.
    pub memory_mhz: u32,
    /// Memory bus, bits.
    pub bus_bits: u32,
    /// Device memory, MiB.
    pub memory_mib: u64,
    /// L2 cache, KiB.
    pub l2_kib: u32,
    /// DRAM bandwidth, GB/s (10^9 bytes).
    pub dram_gb_s: f64,
    /// L2 bandwidth, GB/s: microbenchmark figures, rough.
    pub l2_gb_s: f64,
    /// Default power limit, W.
    pub tdp_w: u32,
    /// Lowest and highest power limit that can be set, W.
    pub limit_w: (u32, u32),
    /// Board power with clocks down, W.
    pub idle_w: u32,
    /// PCI device id (the vendor is 10de).
    pub pci_device: u16,
    /// PCI express generation.
    pub pcie: u32,
    /// The sensor it carries: the name of a ready-made scenario.
    pub sensor: &'static str,
}

impl Profile {
    /// The row named by `key` or an alias, ignoring case, spaces, `-` and `_`.
    pub fn named(key: &str) -> Option<&'static Profile> {
        let wanted = squeeze(key);
        TABLE.iter().find(|p| squeeze(p.key) == wanted || p.aliases.iter().any(|alias| squeeze(alias) == wanted))
    }

    /// Device memory, bytes.
    pub fn memory_bytes(&self) -> u64 {
        self.memory_mib << 20
    }

    /// L2 cache, bytes.
    pub fn l2_bytes(&self) -> u64 {
        u64::from(self.l2_kib) << 10
    }

    /// The name a host sees.
    pub fn display_name(&self) -> String {
        format!("{} (virtual)", self.name)
    }

    /// The compute capability as one number, such as 89.
    pub fn sm(&self) -> u32 {
        self.compute.0 * 10 + self.compute.1
    }

    /// Whether the card's memory corrects errors by default.
    pub fn ecc(&self) -> bool {
        self.market == Market::Datacentre
    }
}

fn squeeze(name: &str) -> String {
    name.chars().filter(|c| !matches!(c, ' ' | '-' | '_')).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_key_and_alias_names_one_card_only() {
        let mut seen = std::collections::BTreeMap::new();
        for profile in TABLE {
            for name in std::iter::once(&profile.key).chain(profile.aliases) {
                let before = seen.insert(squeeze(name), profile.key);
                assert!(before.is_none(), "`{name}` names both `{}` and `{}`", before.unwrap_or_default(), profile.key);
            }
        }
        assert_eq!(Profile::named("RTX 4070").map(|p| p.key), Some("rtx4070"));
        assert!(Profile::named("voodoo2").is_none());
    }

    #[test]
    fn bandwidth_follows_from_bus_and_memory_clock() {
        // Two transfers a clock of the figure NVML gives, for HBM and GDDR alike; data sheets round.
        for profile in TABLE {
            let derived = f64::from(profile.memory_mhz) * 2.0 * f64::from(profile.bus_bits) / 8.0 / 1000.0;
            let ratio = derived / profile.dram_gb_s;
            assert!(
                (0.95..=1.06).contains(&ratio),
                "{}: {derived:.0} GB/s from the clock, {} in the table",
                profile.key,
                profile.dram_gb_s
            );
        }
    }

    #[test]
    fn peaks_match_the_data_sheets() {
        // TFLOP/s: FP32 FMA and FP16 tensor with FP32 accumulation, dense, from NVIDIA's data sheets.
        let sheet = [
            ("v100", 15.7, 125.0),
            ("t4", 8.1, 65.0),
            ("rtx2080ti", 13.4, 54.0),
            ("a100", 19.5, 312.0),
            ("rtx3090", 35.6, 71.0),
            ("rtxa6000", 38.7, 155.0),
            ("rtx4070", 29.1, 58.0),
            ("rtx4090", 82.6, 165.0),
            ("l4", 30.3, 121.0),
            ("l40s", 91.6, 366.0),
            ("h100", 66.9, 1070.0),
        ];
        for (key, fp32, tensor) in sheet {
            let profile = Profile::named(key).unwrap();
            let per_clock = rates(profile);
            let scale = f64::from(profile.sms) * f64::from(profile.boost_mhz) * 1e6 / 1e12;
            let ours = (per_clock.fp32 * scale, per_clock.tensor_f16 * scale);
            assert!((ours.0 / fp32 - 1.0).abs() < 0.03, "{key}: {} TFLOP/s FP32", ours.0);
            // The L40S sheet rounds down; H100's tensor peak is quoted at 1830 MHz, so 989 becomes 1070 at 1980.
            assert!((ours.1 / tensor - 1.0).abs() < 0.03, "{key}: {} TFLOP/s tensor", ours.1);
        }
    }
}
