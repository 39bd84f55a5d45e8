//! From a frame of runs to predictions, scores and rankings.

pub mod forest;
mod rng;
