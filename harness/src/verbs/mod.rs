//! One file per verb: its arguments and what it does.

pub mod asked;
pub mod devices;
pub mod families;
pub mod import;
pub mod plan;
pub mod runs;
pub mod sweep;
pub mod worker;
