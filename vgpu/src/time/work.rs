//! What a launch did, in the units the model works with.

use crate::counters::Counters;

/// Warp instructions by pipe, operations, bytes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Work {
    /// Blocks run.
    pub blocks: f64,
    /// Warps run.
    pub warps: f64,
    /// All warp instructions.
    pub issued: f64,
    /// FP32 warp instructions.
    pub fp32: f64,
    /// FP64 warp instructions.
    pub fp64: f64,
    /// FP16 and BF16 warp instructions outside the tensor cores.
    pub fp16: f64,
    /// Integer, move and comparison warp instructions.
    pub int: f64,
    /// Special function and conversion warp instructions.
    pub special: f64,
    /// Load, store, asynchronous copy and atomic warp instructions.
    pub memory: f64,
    /// FP16 and BF16 tensor FLOP.
    pub tensor_f16: f64,
    /// TF32 tensor FLOP.
    pub tensor_tf32: f64,
    /// INT8 tensor operations.
    pub tensor_int8: f64,
    /// FP64 tensor FLOP.
    pub tensor_f64: f64,
    /// Shared-memory wavefronts, conflicts included.
    pub shared_cycles: f64,
    /// Bytes asked of L2: sectors × 32.
    pub l2_bytes: f64,
    /// Distinct global bytes touched.
    pub unique_bytes: f64,
    /// Global requests of warps.
    pub requests: f64,
    /// Barrier waits of warps.
    pub barriers: f64,
    /// Instructions of the busiest warp.
    pub longest_warp: f64,
}

impl From<&Counters> for Work {
    fn from(c: &Counters) -> Self {
        let i = &c.instructions;
        let sectors = c.global_load.sectors + c.global_store.sectors;
        let unique = c.global_load.unique_bytes + c.global_store.unique_bytes;
        Work {
            blocks: c.blocks as f64,
            warps: c.warps as f64,
            issued: i.total as f64,
            fp32: i.fp32 as f64,
            fp64: i.fp64 as f64,
            fp16: i.fp16 as f64,
            int: (i.int + i.moves) as f64,
            special: (i.special + i.convert) as f64,
            memory: (i.load_global
                + i.store_global
                + i.load_shared
                + i.store_shared
                + i.load_local
                + i.store_local
                + i.atomic
                + i.async_copy) as f64,
            tensor_f16: (c.flops.tensor_f16 + c.flops.tensor_bf16) as f64,
            tensor_tf32: c.flops.tensor_tf32 as f64,
            tensor_int8: c.flops.tensor_int8 as f64,
            tensor_f64: c.flops.tensor_f64 as f64,
            shared_cycles: c.shared_wavefronts as f64,
            l2_bytes: sectors as f64 * 32.0,
            // Without the global shadow nothing is known of reuse; then every sector counts as new.
            unique_bytes: if unique == 0 { sectors as f64 * 32.0 } else { unique as f64 },
            requests: (c.global_load.requests + c.global_store.requests) as f64,
            barriers: c.barriers as f64,
            longest_warp: c.max_warp_instructions as f64,
        }
    }
}
