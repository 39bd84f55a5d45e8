//! The machine's processor.

mod clock;
pub mod micro;
mod pages;
mod source;
mod team;

pub use clock::{allowed_processors, involuntary_switches, thread_cpu_s, wall_s};
pub use pages::Pages;
pub use source::{CpuIo, CpuProgram, CpuSource};
pub use team::Team;
