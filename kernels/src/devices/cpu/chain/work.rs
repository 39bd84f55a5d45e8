//! What a chain costs, and the dense product it replaces.

use super::{ChainKnobs, Permute, Shape, scratch_elements};
use crate::{Dtype, Level, Problem, Value, Work};

/// Sizes of the whole operator.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Extent {
    pub(crate) rows_in: usize,
    pub(crate) rows_out: usize,
    /// Weights of both stages.
    pub(crate) weights: usize,
    pub(crate) batch: usize,
    pub(crate) dtype: Dtype,
}

/// FLOP and bytes of one call.
///
/// Fused, Z and the weights of every strip pass through the second-level cache. Copied, Z is written, read by the copy, written by it and read
/// again, and Y is written once more than it must be and read once, all in main memory where the batch is large.
#[allow(clippy::cast_precision_loss)] // counts far below 2^53
pub(crate) fn work(shape: &Shape, knobs: &ChainKnobs, extent: &Extent) -> Work {
    let (bytes, batch) = (extent.dtype.bytes() as f64, extent.batch as f64);
    let z = (shape.outer * shape.inner) as f64;
    let useful = 2.0 * batch * z * (shape.depth + shape.rows) as f64;
    let compulsory = bytes * (batch * (extent.rows_in + extent.rows_out) as f64 + extent.weights as f64);
    let (traffic, launches) = match knobs.permute {
        Permute::Fused => {
            let strips = extent.batch.div_ceil(knobs.strip) as f64;
            let again = bytes * (2.0 * batch * z + (strips - 1.0).max(0.0) * extent.weights as f64);
            (vec![(Level::L2, compulsory + again), (Level::Dram, compulsory)], 1)
        }
        Permute::Copied => (vec![(Level::Dram, compulsory + bytes * batch * (4.0 * z + 2.0 * extent.rows_out as f64))], 4),
    };
    Work {
        useful_flop: useful,
        dense_flop: 2.0 * batch * extent.rows_in as f64 * extent.rows_out as f64,
        executed_flop: useful / batch * extent.batch.next_multiple_of(knobs.micro_n) as f64,
        compulsory_bytes: compulsory,
        traffic,
        workspace_bytes: bytes * scratch_elements(shape, knobs, extent.batch) as f64,
        launches,
    }
}

/// The dense product of the same result: register-blocked, or on tensor cores for the types that only those multiply.
pub(crate) fn dense_rival(problem: &Problem, extent: &Extent) -> Option<Problem> {
    let axes = [("m", extent.rows_out), ("n", extent.batch), ("k", extent.rows_in)];
    let axes: Vec<(String, Value)> = axes.iter().map(|&(name, size)| (name.to_owned(), (size as u64).into())).collect();
    let mut rivals = ["gemm_regblock", "gemm_tc"].into_iter().filter_map(crate::family);
    rivals.find_map(|rival| rival.problem(problem.dtype, &axes, problem.seed).ok())
}
