//! The interpreter against hand-computed results, independent models and its own promises.

#![allow(clippy::unwrap_used, clippy::print_stdout)]

mod checks;
mod counters;
mod cutlass;
mod halves;
mod kernels;
mod matrix;
mod nvrtc;
mod opcodes;
mod parser;
mod rig;
mod sync;
