//! Devices, one folder each.

pub mod cpu;
