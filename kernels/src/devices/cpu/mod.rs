//! The machine's processor.

mod blas;
mod caches;
pub mod chain;
mod clock;
#[cfg(target_arch = "x86_64")]
mod cpuid;
mod device;
mod energy;
mod flush;
mod info;
mod loaded;
pub mod micro;
mod pages;
mod peak;
mod rapl;
mod roofs;
mod source;
mod stopwatch;
mod stream;
mod team;

pub use blas::{Blas, BlasCall, blas, set_library};
pub use clock::{allowed_processors, involuntary_switches, thread_cpu_s, wall_s};
pub use device::CpuDevice;
pub(crate) use info::{memory, os};
pub use pages::{Pages, Plain};
pub use peak::multiply_add;
pub use source::{CpuIo, CpuProgram, CpuSource, Crew};
pub use team::{Spent, Team};
