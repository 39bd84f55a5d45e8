//! Operators on grids that are products of operators on their axes.

pub mod kron_matmul;
