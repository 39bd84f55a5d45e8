//! What is checked while a kernel runs, and what is said when a check fails.

use std::fmt;

/// One check that can be switched. Bounds and alignment are always on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Reads of shared memory nobody wrote.
    Uninitialised,
    /// Conflicting accesses to shared memory by two warps, or by two lanes of one, without a barrier between.
    SharedRaces,
    /// Conflicting accesses to global memory by two blocks. Also feeds `unique_bytes` and `Report::idempotent`.
    GlobalRaces,
}

/// A set of [`Check`]s.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Checks(u8);

impl Checks {
    /// Only bounds and alignment.
    pub const NONE: Self = Self(0);
    /// All of them.
    pub const ALL: Self = Self(7);
    /// With one more.
    #[must_use]
    pub const fn with(self, check: Check) -> Self {
        Self(self.0 | 1 << check as u8)
    }
    /// With one less.
    #[must_use]
    pub const fn without(self, check: Check) -> Self {
        Self(self.0 & !(1 << check as u8))
    }
    /// Whether it is in the set.
    pub const fn has(self, check: Check) -> bool {
        self.0 & (1 << check as u8) != 0
    }
}

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[allow(missing_docs)]
pub enum FindingKind {
    OutOfBounds,
    Misaligned,
    Freed,
    UninitialisedShared,
    SharedRace,
    WarpRace,
    UnwaitedCopy,
    GlobalRace,
    DivergentBarrier,
    Deadlock,
    Trap,
}

/// One thing found, with everything needed to go and look.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What went wrong.
    pub kind: FindingKind,
    /// The kernel's name.
    pub kernel: String,
    /// Blocks per dimension.
    pub grid: [u32; 3],
    /// Threads per dimension.
    pub block_dim: [u32; 3],
    /// The block it happened in.
    pub block: [u32; 3],
    /// The thread it happened in.
    pub thread: [u32; 3],
    /// The sentence about it: access, address, allocation, the other party.
    pub what: String,
    /// The address, where there is one.
    pub address: Option<u64>,
    /// Line of the PTX text.
    pub ptx_line: u32,
    /// The instruction as written.
    pub instruction: String,
    /// CUDA source file and line, where the PTX carries `.loc`.
    pub source: Option<(String, u32)>,
    /// How often the same instruction had the same trouble.
    pub times: u64,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.what)
    }
}
