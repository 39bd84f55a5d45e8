//! What a chain costs on CUDA.

use super::{Chain, GpuChainKnobs, Math, Permute, depth_step};
use crate::devices::cpu::chain::Shape;
use crate::{Dtype, Level, Work};

/// FLOP and bytes of one call of effective `knobs`.
///
/// Fused, every group of i reads its strip of X from the second-level cache, and every strip all weights. Otherwise Z is written and read
/// in main memory; copied, twice, and Y is written once more than it must be and read once.
#[allow(clippy::cast_precision_loss)] // counts far below 2^53
pub(crate) fn work(chain: &Chain, knobs: &GpuChainKnobs) -> Work {
    let (shape, extent) = (&chain.shape, &chain.extent);
    let (bytes, batch) = (extent.dtype.bytes() as f64, extent.batch as f64);
    let z = (shape.outer * shape.inner) as f64;
    let (x, y, weights) = (batch * extent.rows_in as f64, batch * extent.rows_out as f64, extent.weights as f64);
    let compulsory = bytes * (x + y + weights);
    let strips = extent.batch.div_ceil(knobs.strip) as f64;
    let (l2, dram, launches) = match knobs.permute {
        Permute::Fused => {
            let groups = shape.inner.div_ceil(knobs.group) as f64;
            (bytes * (groups * x + y + strips * weights), compulsory, 1)
        }
        Permute::Staged => (bytes * (x + y + strips * weights + 2.0 * batch * z), compulsory + bytes * 2.0 * batch * z, 2),
        Permute::Copied => {
            let passes = bytes * batch * (4.0 * z + 2.0 * extent.rows_out as f64);
            (bytes * (x + y + strips * weights) + passes, compulsory + passes, 4)
        }
    };
    Work {
        useful_flop: 2.0 * batch * z * (shape.depth + shape.rows) as f64,
        dense_flop: 2.0 * batch * extent.rows_in as f64 * extent.rows_out as f64,
        executed_flop: executed_flop(chain, knobs),
        compulsory_bytes: compulsory,
        traffic: vec![(Level::L1, bytes * l1_elements(chain, knobs)), (Level::L2, l2), (Level::Dram, dram)],
        workspace_bytes: knobs.scratch_bytes(chain) as f64,
        launches,
    }
}

/// Columns that are computed: on tensor cores whole strips; else threads whose first packet lies beyond the batch do nothing.
fn columns(chain: &Chain, knobs: &GpuChainKnobs) -> usize {
    let (batch, strip) = (chain.extent.batch, knobs.strip);
    if knobs.math == Math::Tensor {
        return batch.next_multiple_of(strip);
    }
    let lanes = strip / knobs.thread_n;
    batch / strip * strip + (batch % strip).div_ceil(knobs.vector).min(lanes) * knobs.thread_n
}

/// Rows of one product of the first stage over all groups, and of one of the second, in whole tiles.
fn rows(chain: &Chain, knobs: &GpuChainKnobs) -> (usize, usize) {
    let (Shape { inner, rows, .. }, each) = (chain.shape, knobs.rows_at_once());
    let first = match knobs.permute {
        Permute::Fused => inner / knobs.group * knobs.group.next_multiple_of(each) + (inner % knobs.group).next_multiple_of(each),
        _ => inner.next_multiple_of(each),
    };
    (first, rows.next_multiple_of(each))
}

/// Depths of both stages as they are executed: on tensor cores padded to whole tiles of X, or of Z in shared memory to whole steps.
fn depths(chain: &Chain, knobs: &GpuChainKnobs) -> (usize, usize) {
    let Shape { depth, outer, .. } = chain.shape;
    match (knobs.math, knobs.permute) {
        (Math::Simt, _) => (depth, outer),
        (Math::Tensor, Permute::Fused) => {
            (depth.next_multiple_of(knobs.tile_k), outer.next_multiple_of(depth_step(chain.extent.dtype)))
        }
        (Math::Tensor, _) => (depth.next_multiple_of(knobs.tile_k), outer.next_multiple_of(knobs.tile_k)),
    }
}

/// Multiply-adds of both stages, padding included.
#[allow(clippy::cast_precision_loss)] // counts far below 2^53
fn products(chain: &Chain, knobs: &GpuChainKnobs) -> (f64, f64) {
    let columns = columns(chain, knobs) as f64;
    let ((first, second), (depth, outer)) = (rows(chain, knobs), depths(chain, knobs));
    let each = |products: usize, rows: usize, depth: usize| columns * products as f64 * rows as f64 * depth as f64;
    (each(chain.shape.outer, first, depth), each(chain.shape.inner, second, outer))
}

/// A multiply-add is two. In TF32 the second stage multiplies Z as a sum of two parts, and the smaller one is a subtraction per element and tile
/// of rows.
#[allow(clippy::cast_precision_loss)] // counts far below 2^53
fn executed_flop(chain: &Chain, knobs: &GpuChainKnobs) -> f64 {
    let (first, second) = products(chain, knobs);
    if knobs.math == Math::Tensor && chain.extent.dtype == Dtype::Tf32 {
        return 2.0 * first + 4.0 * second + second / knobs.tile_m as f64;
    }
    2.0 * (first + second)
}

/// Elements through the first-level cache and shared memory: a weight per run of columns, an element of X or Z per run of rows, and Z written.
#[allow(clippy::cast_precision_loss)] // counts far below 2^53
fn l1_elements(chain: &Chain, knobs: &GpuChainKnobs) -> f64 {
    let (first, second) = products(chain, knobs);
    let per_weight = if knobs.math == Math::Tensor { knobs.strip } else { knobs.thread_n };
    let each = 1.0 / per_weight as f64 + 1.0 / knobs.rows_at_once() as f64;
    (first + second) * each + (chain.shape.outer * chain.shape.inner) as f64 * chain.extent.batch as f64
}
