//! What a launch did, counted.

use serde::Serialize;

/// Warp instructions executed, by what they keep busy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Instructions {
    pub int: u64,
    pub fp32: u64,
    pub fp64: u64,
    pub fp16: u64,
    pub tensor: u64,
    pub load_global: u64,
    pub store_global: u64,
    pub load_shared: u64,
    pub store_shared: u64,
    pub load_local: u64,
    pub store_local: u64,
    pub load_param: u64,
    pub atomic: u64,
    pub async_copy: u64,
    pub control: u64,
    pub barrier: u64,
    pub convert: u64,
    /// Reciprocals, roots, exponentials, sines.
    pub special: u64,
    /// Moves, selects, comparisons on predicates.
    pub moves: u64,
    pub total: u64,
}

/// Floating-point (and tensor integer) operations of active lanes; a fused multiply-add is two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Flops {
    pub fp64: u64,
    pub fp32: u64,
    /// f16 and bf16 outside tensor cores; a packed instruction counts both halves.
    pub fp16: u64,
    pub tensor_f16: u64,
    pub tensor_bf16: u64,
    pub tensor_tf32: u64,
    pub tensor_int8: u64,
    pub tensor_f64: u64,
}

/// Traffic of one memory space in one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Warp-level requests.
    pub requests: u64,
    /// Bytes asked for by active lanes.
    pub requested_bytes: u64,
    /// 32-byte sectors moved, counted within one request.
    pub sectors: u64,
    /// Distinct bytes touched in the whole launch; 0 where the global shadow is off.
    pub unique_bytes: u64,
}

/// Everything counted in one launch. Sums over blocks, so the order of blocks does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Warp instructions by class.
    pub instructions: Instructions,
    /// Thread-level operations by pipe.
    pub flops: Flops,
    /// Global loads.
    pub global_load: Traffic,
    /// Global stores.
    pub global_store: Traffic,
    /// Warp-level shared-memory requests.
    pub shared_requests: u64,
    /// Cycles beyond the first wavefronts that bank conflicts cost.
    pub shared_conflict_cycles: u64,
    /// Warp-level waits at block barriers.
    pub barriers: u64,
    /// Branches at which a warp split.
    pub divergent_branches: u64,
    /// Warps run.
    pub warps: u64,
    /// Blocks run.
    pub blocks: u64,
    /// Instructions of the busiest warp.
    pub max_warp_instructions: u64,
}
