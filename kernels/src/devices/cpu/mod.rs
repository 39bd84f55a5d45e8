//! The machine's processor.

mod blas;
mod clock;
pub mod micro;
mod pages;
mod source;
mod team;

pub use blas::{Blas, BlasCall, blas, set_library};
pub use clock::{allowed_processors, involuntary_switches, thread_cpu_s, wall_s};
pub use pages::Pages;
pub use source::{CpuIo, CpuProgram, CpuSource};
pub use team::Team;
