//! Instruction sets, and running one piece of code compiled for each of them.

use std::fmt;
use std::str::FromStr;

use crate::Misfit;

/// Instruction sets that kernels are compiled for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Isa {
    /// AVX-512 F, BW, DQ, VL: 64 B vectors, 32 registers.
    Avx512,
    /// AVX2 and FMA: 32 B vectors, 16 registers.
    Avx2,
    /// What the target guarantees (SSE2 on x86-64, NEON on AArch64), vectorised by the compiler.
    Portable,
}

impl Isa {
    /// All, best first.
    pub const ALL: [Self; 3] = [Self::Avx512, Self::Avx2, Self::Portable];

    /// Those this processor has, best first; never empty.
    #[must_use]
    pub fn available() -> Vec<Self> {
        Self::ALL.into_iter().filter(|isa| isa.is_available()).collect()
    }

    /// The best one this processor has.
    #[must_use]
    pub fn best() -> Self {
        Self::ALL.into_iter().find(|isa| isa.is_available()).unwrap_or(Self::Portable)
    }

    /// Whether this processor has it.
    #[must_use]
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            Self::Avx512 => {
                Self::Avx2.is_available()
                    && is_x86_feature_detected!("avx512f")
                    && is_x86_feature_detected!("avx512bw")
                    && is_x86_feature_detected!("avx512dq")
                    && is_x86_feature_detected!("avx512vl")
            }
            #[cfg(target_arch = "x86_64")]
            Self::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(not(target_arch = "x86_64"))]
            Self::Avx512 | Self::Avx2 => false,
            Self::Portable => true,
        }
    }

    /// Name in specs and frames.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Avx512 => "avx512",
            Self::Avx2 => "avx2",
            Self::Portable => "portable",
        }
    }

    /// Bytes per vector of the micro-kernels.
    #[must_use]
    pub const fn vector_bytes(self) -> usize {
        match self {
            Self::Avx512 => 64,
            Self::Avx2 | Self::Portable => 32,
        }
    }

    /// Runs `task` compiled for this instruction set, or for the baseline where the processor lacks it.
    pub fn run<V: Vectorised>(self, task: V) -> V::Output {
        #[cfg(target_arch = "x86_64")]
        match self {
            // SAFETY: the features were just detected.
            Self::Avx512 if self.is_available() => return unsafe { run_avx512(task) },
            // SAFETY: the features were just detected.
            Self::Avx2 if self.is_available() => return unsafe { run_avx2(task) },
            _ => {}
        }
        task.run()
    }
}

impl fmt::Display for Isa {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Isa {
    type Err = Misfit;
    fn from_str(text: &str) -> Result<Self, Misfit> {
        Self::ALL
            .into_iter()
            .find(|isa| isa.name() == text)
            .ok_or_else(|| Misfit::new(format!("`isa={text}` is not one of avx512, avx2, portable")))
    }
}

/// Plain loops that [`Isa::run`] compiles once per instruction set. Mark `run` `#[inline(always)]`, or it stays at the baseline.
pub trait Vectorised {
    /// What it returns.
    type Output;
    /// The loops.
    fn run(self) -> Self::Output;
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma")]
fn run_avx2<V: Vectorised>(task: V) -> V::Output {
    task.run()
}

#[cfg(target_arch = "x86_64")]
#[target_feature(enable = "avx2,fma,avx512f,avx512bw,avx512dq,avx512vl")]
fn run_avx512<V: Vectorised>(task: V) -> V::Output {
    task.run()
}
