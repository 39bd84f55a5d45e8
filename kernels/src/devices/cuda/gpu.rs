//! Limits of a GPU, from its driver or assumed from its architecture alone.

use serde::{Deserialize, Serialize};

use crate::{Cache, DeviceError, DeviceInfo, DeviceKind};

/// What is particular to a GPU. Limits are per multiprocessor (SM) unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Gpu {
    /// Architecture that code is compiled for.
    pub arch: Architecture,
    /// Multiprocessors; 0 where only the architecture is known.
    pub sms: u32,
    /// Most threads resident.
    pub threads_per_sm: u32,
    /// Most blocks resident.
    pub blocks_per_sm: u32,
    /// 32-bit registers.
    pub registers_per_sm: u32,
    /// Shared memory.
    pub shared_per_sm: u32,
    /// Shared memory one block may opt into.
    pub shared_per_block: u32,
    /// Shared memory the system keeps per resident block.
    pub shared_reserved: u32,
    /// Highest clock of the multiprocessors, in Hz; 0 where unknown.
    pub clock_hz: f64,
    /// Driver version as `major.minor` of the CUDA it supports; empty where only the architecture is known.
    pub driver: String,
    /// Unique id of the board, under MIG of its instance; empty where only the architecture is known.
    pub uuid: String,
    /// True for the virtual GPU: its times are modelled, never measured.
    pub simulated: bool,
}

/// A compute capability, with the `a` of architecture-specific instructions where code asks for them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Architecture {
    /// Major version.
    pub major: u8,
    /// Minor version.
    pub minor: u8,
}

/// Limits by compute capability: threads, blocks, shared memory per SM in KiB. CUDA C++ Programming Guide, table of technical specifications.
const LIMITS: [((u8, u8), u32, u32, u32); 11] = [
    ((7, 0), 2048, 32, 96),
    ((7, 5), 1024, 16, 64),
    ((8, 0), 2048, 32, 164),
    ((8, 6), 1536, 16, 100),
    ((8, 7), 1536, 16, 164),
    ((8, 9), 1536, 24, 100),
    ((9, 0), 2048, 32, 228),
    ((10, 0), 2048, 32, 228),
    ((10, 3), 2048, 32, 228),
    ((12, 0), 1536, 24, 100),
    ((12, 1), 1536, 24, 100),
];

/// Registers of one SM, on every architecture since 3.0.
const REGISTERS_PER_SM: u32 = 65536;

impl Architecture {
    /// One of `major.minor`.
    #[must_use]
    pub const fn new(major: u8, minor: u8) -> Self {
        Self { major, minor }
    }

    /// 89 for 8.9, 120 for 12.0.
    #[must_use]
    pub fn number(self) -> u32 {
        10 * u32::from(self.major) + u32::from(self.minor)
    }

    /// `sm_89`.
    #[must_use]
    pub fn name(self) -> String {
        format!("sm_{}", self.number())
    }

    /// Reads `sm_89`, `sm_90a`, `89`.
    ///
    /// # Errors
    /// [`DeviceError::NotFound`] naming the architectures there are.
    pub fn parse(text: &str) -> Result<Self, DeviceError> {
        let number = text.strip_prefix("sm_").unwrap_or(text).trim_end_matches('a');
        let known = LIMITS.iter().map(|((major, minor), ..)| Self::new(*major, *minor));
        known.clone().find(|arch| arch.number().to_string() == number).ok_or_else(|| DeviceError::NotFound {
            spec: text.to_owned(),
            reason: format!("is no architecture known here: {}", known.map(Self::name).collect::<Vec<_>>().join(", ")),
        })
    }

    /// Whether `cp.async` exists (8.0 and later).
    #[must_use]
    pub fn has_cp_async(self) -> bool {
        self >= Self::new(8, 0)
    }
}

impl std::fmt::Display for Architecture {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.name())
    }
}

impl Gpu {
    /// The limits of an architecture, without a board.
    #[must_use]
    pub fn assumed(arch: Architecture) -> Self {
        let row =
            LIMITS.iter().rev().find(|((major, minor), ..)| Architecture::new(*major, *minor) <= arch).unwrap_or(&LIMITS[0]);
        let (_, threads_per_sm, blocks_per_sm, shared_kib) = *row;
        // From 8.0 on the system keeps 1 KiB per block; 7.5 gives a block all 64 KiB, 7.0 all 96.
        let shared_reserved = if arch >= Architecture::new(8, 0) { 1024 } else { 0 };
        Self {
            arch,
            sms: 0,
            threads_per_sm,
            blocks_per_sm,
            registers_per_sm: REGISTERS_PER_SM,
            shared_per_sm: shared_kib << 10,
            shared_per_block: (shared_kib << 10) - shared_reserved,
            shared_reserved,
            clock_hz: 0.0,
            driver: String::new(),
            uuid: String::new(),
            simulated: false,
        }
    }

    /// How many blocks of `threads` threads with `registers` registers each and `shared_bytes` of shared memory one SM holds, and why not more.
    ///
    /// Registers are given out in units of 256 per warp and shared memory in units of 128 B (CUDA occupancy calculator).
    #[must_use]
    pub fn occupancy(&self, threads: u32, registers: u32, shared_bytes: u32) -> Occupancy {
        let warps = threads.div_ceil(32).max(1);
        let registers_per_block = (registers.max(1) * 32).next_multiple_of(256) * warps;
        let shared = (shared_bytes + self.shared_reserved).next_multiple_of(128);
        let limits = [
            ("blocks", self.blocks_per_sm),
            ("threads", self.threads_per_sm / (32 * warps)),
            ("registers", self.registers_per_sm / registers_per_block),
            ("shared memory", self.shared_per_sm.checked_div(shared).unwrap_or(u32::MAX)),
        ];
        let (limiter, blocks) = limits.into_iter().min_by_key(|(_, blocks)| *blocks).expect("four limits");
        Occupancy { blocks_per_sm: blocks, share: f64::from(blocks * warps * 32) / f64::from(self.threads_per_sm), limiter }
    }
}

/// Resident blocks of a kernel.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Occupancy {
    /// Blocks per SM; 0 where a single one does not fit.
    pub blocks_per_sm: u32,
    /// Resident over possible threads.
    pub share: f64,
    /// What allows no more.
    pub limiter: &'static str,
}

impl DeviceInfo {
    /// A GPU of which only the architecture is known, for planning and compiling without one (`--assume sm_89`).
    #[must_use]
    pub fn assumed(arch: Architecture) -> Self {
        let gpu = Gpu::assumed(arch);
        Self {
            spec: arch.name(),
            kind: DeviceKind::Cuda,
            slug: format!("assumed-sm-{}", arch.number()),
            name: format!("any GPU of {arch} (assumed)"),
            threads: 0,
            isa: vec![arch.name()],
            caches: vec![Cache { level: 1, bytes: gpu.shared_per_sm.into(), shared_by: 1 }],
            memory_bytes: 1 << 40,
            os: String::new(),
            gpu: Some(gpu),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn architectures_are_read_with_or_without_their_prefix() {
        for (text, expected) in [("sm_89", (8, 9)), ("sm_90a", (9, 0)), ("75", (7, 5)), ("sm_120", (12, 0))] {
            assert_eq!(Architecture::parse(text).ok(), Some(Architecture::new(expected.0, expected.1)), "{text}");
        }
        let found = Architecture::parse("sm_42").map_err(|e| e.to_string());
        assert!(
            found.clone().is_err_and(|e| e.starts_with("device `sm_42` is no architecture known here: sm_70, sm_75")),
            "{found:?}"
        );
    }

    /// Known answers of the CUDA occupancy calculator.
    #[test]
    fn occupancy_is_that_of_the_calculator_and_names_what_limits_it() {
        for (arch, (threads, registers, shared), expected) in [
            ((8, 9), (256, 32, 0), (6, "threads")),
            ((8, 9), (256, 128, 0), (2, "registers")),
            ((8, 9), (128, 64, 40 << 10), (2, "shared memory")),
            ((8, 6), (32, 16, 0), (16, "blocks")),
            ((8, 0), (1024, 64, 0), (1, "registers")),
            ((9, 0), (128, 168, 64 << 10), (3, "registers")),
            ((7, 5), (256, 255, 0), (1, "registers")),
            ((8, 9), (1024, 128, 0), (0, "registers")),
        ] {
            let found = Gpu::assumed(Architecture::new(arch.0, arch.1)).occupancy(threads, registers, shared);
            assert_eq!((found.blocks_per_sm, found.limiter), expected, "{arch:?} {threads} {registers} {shared}");
        }
    }
}
