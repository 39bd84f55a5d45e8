//! CUDA GPUs.

pub mod power;
