//! Kernels run in a process of their own: a crash, a hang or a poisoned context costs one row, not the sweep.
//!
//! The two processes talk in JSON lines over the worker's standard input and output.

mod client;
mod held;
mod message;
mod serve;
mod steady;
mod wild;

pub use client::{Lost, Worker, WorkerOptions};
pub use message::{Ask, Busy, Fault, Reply, Said};
pub use serve::serve;
