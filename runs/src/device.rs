//! The device catalogue: what makers state about graphics processors, each fact with its source (`devices.toml`).
//!
//! These are data-sheet values. Rows made from them say so in `extra`; measured roofs come from sweeps.

mod facts;
mod lookup;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

pub use facts::Facts;
pub use lookup::{Found, lookup, lookup_in_file_name};

/// How a device is programmed, as `device_kind` has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum DeviceKind {
    /// NVIDIA.
    Cuda,
    /// AMD.
    Hip,
    /// Another maker.
    Other,
}

impl DeviceKind {
    /// The text form.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Cuda => "cuda",
            Self::Hip => "hip",
            Self::Other => "other",
        }
    }
}

/// One device of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub struct Device {
    /// Short stable name.
    pub slug: String,
    /// How it is programmed.
    pub kind: DeviceKind,
    /// Names it is found under.
    pub names: Vec<String>,
    /// What is known about it.
    pub facts: Facts,
    /// Field of [`Facts`] → where it is stated.
    pub sources: BTreeMap<String, String>,
    /// What to know about the facts.
    pub notes: Vec<String>,
}

/// A rate of arithmetic: of the vector or the tensor units, dense.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rate {
    /// FP32 vector.
    Fp32,
    /// FP64 vector.
    Fp64,
    /// FP64 tensor.
    Fp64Tensor,
    /// TF32 tensor.
    Tf32Tensor,
    /// FP16 or BF16 tensor with FP32 accumulation.
    Fp16Tensor,
    /// FP8 tensor.
    Fp8Tensor,
    /// FP4 tensor.
    Fp4Tensor,
    /// INT8 tensor.
    Int8Tensor,
}

impl Rate {
    /// The rate that kernels of an element type are held against: vector units for `f32`, `f64` and complex numbers of them, tensor units
    /// for smaller ones.
    #[must_use]
    pub fn of_dtype(dtype: &str) -> Option<Self> {
        Some(match dtype {
            "f32" | "c32" => Self::Fp32,
            "f64" | "c64" => Self::Fp64,
            "tf32" => Self::Tf32Tensor,
            "f16" | "bf16" | "c16" => Self::Fp16Tensor,
            "f8" | "fp8" | "e4m3" | "e5m2" => Self::Fp8Tensor,
            "f4" | "fp4" | "e2m1" => Self::Fp4Tensor,
            "i8" | "int8" | "uint8" => Self::Int8Tensor,
            _ => return None,
        })
    }
}

impl Device {
    /// FLOP/s (operations for INT8) as stated, else derived at the boost clock.
    #[must_use]
    pub fn peak_flop_per_s(&self, rate: Rate) -> Option<f64> {
        self.stated(rate).or_else(|| self.derived(rate, self.facts.boost_clock_hz?))
    }

    /// FLOP/s at another clock: multiprocessors × FLOP per clock × clock where that is known, else the stated rate scaled from
    /// the boost clock (tensor rates are sometimes stated at a lower one, which then reads a few percent low).
    #[must_use]
    pub fn peak_flop_per_s_at(&self, rate: Rate, clock_hz: f64) -> Option<f64> {
        self.derived(rate, clock_hz).or_else(|| Some(self.stated(rate)? * clock_hz / self.facts.boost_clock_hz?))
    }

    /// FLOP per byte at which arithmetic and memory take equally long.
    #[must_use]
    pub fn balance_flop_per_byte(&self, rate: Rate) -> Option<f64> {
        Some(self.peak_flop_per_s(rate)? / self.facts.memory_bandwidth_bytes_per_s?)
    }

    /// The architecture as compilers call it (`sm_75`).
    #[must_use]
    pub fn architecture(&self) -> Option<String> {
        self.facts.compute_capability.as_ref().map(|version| format!("sm_{}", version.replace('.', "")))
    }

    fn stated(&self, rate: Rate) -> Option<f64> {
        match rate {
            Rate::Fp32 => self.facts.peak_fp32_flop_per_s,
            Rate::Fp64 => self.facts.peak_fp64_flop_per_s,
            Rate::Fp64Tensor => self.facts.peak_fp64_tensor_flop_per_s,
            Rate::Tf32Tensor => self.facts.peak_tf32_tensor_flop_per_s,
            Rate::Fp16Tensor => self.facts.peak_fp16_tensor_flop_per_s,
            Rate::Fp8Tensor => self.facts.peak_fp8_tensor_flop_per_s,
            Rate::Fp4Tensor => self.facts.peak_fp4_tensor_flop_per_s,
            Rate::Int8Tensor => self.facts.peak_int8_tensor_op_per_s,
        }
    }

    fn derived(&self, rate: Rate, clock_hz: f64) -> Option<f64> {
        let per_clock = match rate {
            Rate::Fp32 => self.facts.fp32_flop_per_clk_per_sm?,
            Rate::Fp16Tensor => self.facts.fp16_tensor_flop_per_clk_per_sm?,
            _ => return None,
        };
        Some(f64::from(self.facts.sm_count?) * per_clock * clock_hz)
    }
}

#[derive(Deserialize)]
struct File {
    sources: BTreeMap<String, String>,
    device: Vec<FileDevice>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDevice {
    slug: String,
    kind: DeviceKind,
    names: Vec<String>,
    facts: Vec<FileFacts>,
}

#[derive(Deserialize)]
struct FileFacts {
    source: String,
    note: Option<String>,
    #[serde(flatten)]
    facts: toml::Table,
}

/// All devices.
#[must_use]
pub fn catalogue() -> &'static [Device] {
    static DEVICES: LazyLock<Vec<Device>> =
        LazyLock::new(|| parse(include_str!("../devices.toml")).expect("the catalogue is part of the program and tested"));
    &DEVICES
}

fn parse(text: &str) -> Result<Vec<Device>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    file.device.into_iter().map(|device| merge(device, &file.sources)).collect()
}

fn merge(device: FileDevice, known: &BTreeMap<String, String>) -> Result<Device, String> {
    let FileDevice { slug, kind, names, facts } = device;
    let mut merged = Device { slug, kind, names, facts: Facts::default(), sources: BTreeMap::new(), notes: Vec::new() };
    for FileFacts { source, note, facts } in facts {
        let of = |why: String| format!("device `{}`, source `{source}`: {why}", merged.slug);
        let source = known.get(&source).ok_or_else(|| of("is not among the sources".to_owned()))?;
        let facts: Facts = numbers(facts).try_into().map_err(|error| of(error.to_string()))?;
        merged.facts.merge(facts, source, &mut merged.sources).map_err(of)?;
        merged.notes.extend(note);
    }
    Ok(merged)
}

/// Whole numbers stand as integers in the file and may be wanted as reals: TOML does not widen them by itself.
fn numbers(facts: toml::Table) -> toml::Table {
    let whole = ["sm_count", "memory_bytes", "l2_bytes", "fp32_cores_per_sm"];
    let widen = |(name, value): (String, toml::Value)| match value {
        #[allow(clippy::cast_precision_loss)] // rates in FLOP/s are given to five digits
        toml::Value::Integer(value) if !whole.contains(&name.as_str()) => (name, toml::Value::Float(value as f64)),
        value => (name, value),
    };
    facts.into_iter().map(widen).collect()
}

#[cfg(test)]
mod tests;
