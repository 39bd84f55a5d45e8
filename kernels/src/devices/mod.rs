//! Devices, one folder each.

pub mod cpu;
pub mod cuda;
