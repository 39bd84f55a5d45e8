//! What one multiprocessor does in one clock, by compute capability.

use super::{Architecture, Market, Profile};

/// Per multiprocessor and clock. Arithmetic is FLOP (an FMA is two), tensor int8 is operations; lanes are threads served.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rates {
    /// Warp instructions that can be issued.
    pub issue: f64,
    /// FP32 FLOP.
    pub fp32: f64,
    /// FP64 FLOP outside the tensor cores.
    pub fp64: f64,
    /// FP16 FLOP outside the tensor cores.
    pub fp16: f64,
    /// 32-bit integer lanes.
    pub int_lanes: f64,
    /// Lanes of the special function and conversion units.
    pub special_lanes: f64,
    /// Lanes of the load and store units.
    pub memory_lanes: f64,
    /// FP16 and BF16 tensor FLOP with 32-bit accumulation, dense. Zero: no tensor cores.
    pub tensor_f16: f64,
    /// TF32 tensor FLOP, dense.
    pub tensor_tf32: f64,
    /// INT8 tensor operations, dense.
    pub tensor_int8: f64,
    /// FP64 tensor FLOP.
    pub tensor_f64: f64,
    /// Bytes of shared memory read or written without conflicts.
    pub shared_bytes: f64,
    /// Bytes one multiprocessor can take from L2.
    pub l2_bytes: f64,
}

/// The rates of a card's multiprocessor. From the CUDA programming guide's throughput table and the tensor peaks of the data sheets, divided by multiprocessors and clock.
pub fn rates(profile: &Profile) -> Rates {
    let plain = Rates {
        issue: 4.0,
        fp32: 128.0,
        fp64: 64.0,
        fp16: 256.0,
        int_lanes: 64.0,
        special_lanes: 16.0,
        memory_lanes: 32.0,
        tensor_f16: 0.0,
        tensor_tf32: 0.0,
        tensor_int8: 0.0,
        tensor_f64: 0.0,
        shared_bytes: 128.0,
        l2_bytes: 64.0,
    };
    // GeForce parts run the 32-bit accumulating forms at half rate.
    let half = if profile.market == Market::Consumer { 0.5 } else { 1.0 };
    match (profile.architecture, profile.compute) {
        (Architecture::Pascal, _) => Rates { issue: 2.0, ..plain },
        (Architecture::Volta, _) => Rates { tensor_f16: 1024.0, ..plain },
        (Architecture::Turing, _) => Rates { fp64: 4.0, tensor_f16: 1024.0 * half, tensor_int8: 2048.0, ..plain },
        (Architecture::Ampere, (8, 0)) => {
            Rates { fp16: 512.0, tensor_f16: 2048.0, tensor_tf32: 1024.0, tensor_int8: 4096.0, tensor_f64: 128.0, ..plain }
        }
        (Architecture::Ampere | Architecture::Ada, _) | (Architecture::Blackwell, (12, _)) => Rates {
            fp32: 256.0,
            fp64: 4.0,
            tensor_f16: 1024.0 * half,
            tensor_tf32: 512.0 * half,
            tensor_int8: 2048.0,
            int_lanes: if profile.architecture == Architecture::Blackwell { 128.0 } else { 64.0 },
            ..plain
        },
        (Architecture::Hopper, _) => Rates {
            fp32: 256.0,
            fp64: 128.0,
            fp16: 512.0,
            tensor_f16: 4096.0,
            tensor_tf32: 2048.0,
            tensor_int8: 8192.0,
            tensor_f64: 256.0,
            ..plain
        },
        (Architecture::Blackwell, _) => Rates {
            fp32: 256.0,
            fp64: 128.0,
            fp16: 512.0,
            tensor_f16: 8192.0,
            tensor_tf32: 4096.0,
            tensor_int8: 16_384.0,
            tensor_f64: 128.0,
            ..plain
        },
    }
}
