//! The interpreter against hand-computed results, independent models and its own promises.

mod checks;
mod counters;
mod halves;
mod kernels;
mod matrix;
mod nvrtc;
mod opcodes;
mod parser;
mod rig;
mod sync;
