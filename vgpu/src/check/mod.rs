//! What is checked while a kernel runs, and what is said when a check fails.

pub(crate) mod global;
pub(crate) mod lanes;
pub(crate) mod publications;
pub(crate) mod shared;

use std::fmt;

/// One check that can be switched. Bounds and alignment are always on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// Reads of shared memory nobody wrote.
    Uninitialised,
    /// Conflicting accesses to shared memory by two warps, or by two lanes of one, without a barrier (or `__syncwarp`) between.
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
    Assert,
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
    /// Bytes of `extern __shared__`.
    pub dynamic_shared_bytes: u32,
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

impl FindingKind {
    /// A few words.
    pub fn title(self) -> &'static str {
        match self {
            Self::OutOfBounds => "access out of bounds",
            Self::Misaligned => "misaligned access",
            Self::Freed => "access to freed memory",
            Self::UninitialisedShared => "read of uninitialised shared memory",
            Self::SharedRace => "race on shared memory",
            Self::WarpRace => "race between the lanes of a warp",
            Self::UnwaitedCopy => "use of an asynchronous copy before its wait",
            Self::GlobalRace => "race on global memory between blocks",
            Self::DivergentBarrier => "barrier or exchange in divergent code",
            Self::Deadlock => "kernel does not end",
            Self::Trap => "trap",
            Self::Assert => "failed assertion",
        }
    }
}

fn dims([x, y, z]: [u32; 3]) -> String {
    match (y, z) {
        (1, 1) => format!("{x}"),
        (_, 1) => format!("{x}x{y}"),
        _ => format!("{x}x{y}x{z}"),
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([bx, by, bz], [tx, ty, tz]) = (self.block, self.thread);
        writeln!(f, "{} in `{}`", self.kind.title(), self.kernel)?;
        writeln!(f, "  thread ({tx}, {ty}, {tz}) of block ({bx}, {by}, {bz}) {}", self.what)?;
        write!(f, "  launched as {} blocks of {} threads", dims(self.grid), dims(self.block_dim))?;
        if self.dynamic_shared_bytes > 0 {
            write!(f, " with {} bytes of dynamic shared memory", self.dynamic_shared_bytes)?;
        }
        write!(f, "\n  at ptx line {}: {}", self.ptx_line, self.instruction)?;
        if let Some((file, line)) = &self.source {
            write!(f, "\n  from {file}:{line}")?;
        }
        if self.times > 1 {
            write!(f, "\n  and {} more times at the same instruction", self.times - 1)?;
        }
        Ok(())
    }
}
