//! What a source states about a device.

use std::collections::BTreeMap;

use serde::Deserialize;

macro_rules! facts {
    ($($(#[$doc:meta])* $name:ident: $type:ty,)*) => {
        /// What sources state about a device; absent is unknown.
        #[derive(Clone, Debug, Default, PartialEq, Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct Facts {
            $($(#[$doc])* pub $name: Option<$type>,)*
        }

        impl Facts {
            /// Takes over what `other` states, noting `source` by field. Refuses a fact that is there already.
            pub(super) fn merge(&mut self, other: Self, source: &str, sources: &mut BTreeMap<String, String>) -> Result<(), String> {
                $(if let Some(value) = other.$name {
                    if self.$name.replace(value).is_some() {
                        return Err(format!("`{}` is stated twice", stringify!($name)));
                    }
                    sources.insert(stringify!($name).to_owned(), source.to_owned());
                })*
                Ok(())
            }
        }
    };
}

facts! {
    /// CUDA compute capability, `major.minor`.
    compute_capability: String,
    /// Multiprocessors or compute units.
    sm_count: u32,
    /// Boost clock in hertz.
    boost_clock_hz: f64,
    /// Base clock in hertz.
    base_clock_hz: f64,
    /// Device memory in bytes.
    memory_bytes: i64,
    /// Memory bandwidth in bytes per second.
    memory_bandwidth_bytes_per_s: f64,
    /// Last-level cache in bytes.
    l2_bytes: i64,
    /// Board power limit in watts.
    power_limit_w: f64,
    /// FP32 lanes per multiprocessor.
    fp32_cores_per_sm: u32,
    /// FP32 FLOP per clock and multiprocessor.
    fp32_flop_per_clk_per_sm: f64,
    /// FP16 tensor FLOP, FP32 accumulation, per clock and multiprocessor.
    fp16_tensor_flop_per_clk_per_sm: f64,
    /// Stated FP32 FLOP/s.
    peak_fp32_flop_per_s: f64,
    /// Stated FP64 FLOP/s.
    peak_fp64_flop_per_s: f64,
    /// Stated FP64 tensor FLOP/s.
    peak_fp64_tensor_flop_per_s: f64,
    /// Stated TF32 tensor FLOP/s.
    peak_tf32_tensor_flop_per_s: f64,
    /// Stated FP16 and BF16 tensor FLOP/s, FP32 accumulation.
    peak_fp16_tensor_flop_per_s: f64,
    /// Stated FP8 tensor FLOP/s.
    peak_fp8_tensor_flop_per_s: f64,
    /// Stated FP4 tensor FLOP/s.
    peak_fp4_tensor_flop_per_s: f64,
    /// Stated INT8 tensor operations per second.
    peak_int8_tensor_op_per_s: f64,
}
