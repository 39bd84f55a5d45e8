//! Operators made of small dense blocks.

pub mod monarch;
