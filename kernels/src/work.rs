//! What one call costs: FLOP and bytes.

use serde::{Deserialize, Serialize};

/// Level of the memory hierarchy.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// First-level cache, or shared memory.
    L1,
    /// Second-level cache.
    L2,
    /// Third-level cache.
    L3,
    /// Main or device memory.
    Dram,
}

impl Level {
    /// Name in frames.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::L1 => "l1",
            Self::L2 => "l2",
            Self::L3 => "l3",
            Self::Dram => "dram",
        }
    }
}

/// FLOP and bytes of one call. A fused multiply-add counts two.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Work {
    /// FLOP of the algorithm.
    pub useful_flop: f64,
    /// FLOP the dense rival needs for the same result.
    pub dense_flop: f64,
    /// FLOP executed, padding included.
    pub executed_flop: f64,
    /// Each input read once, each output written once.
    pub compulsory_bytes: f64,
    /// Modelled bytes crossing into each level, for this configuration.
    pub traffic: Vec<(Level, f64)>,
    /// Scratch memory beyond the operands.
    pub workspace_bytes: f64,
    /// Passes or kernel launches.
    pub launches: u64,
}
