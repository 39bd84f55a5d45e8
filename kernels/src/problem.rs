//! What is computed: a family, named sizes, an element type and a seed.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::{Misfit, Named};

/// Element type of the operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Dtype {
    /// IEEE binary32.
    F32,
    /// IEEE binary64.
    F64,
    /// Stored as binary32 with a significand of 10 bits, as tensor cores read it.
    Tf32,
    /// IEEE binary16.
    F16,
    /// The upper half of binary32.
    Bf16,
    /// Signed 8-bit integers, summed in [`Dtype::Int32`].
    Int8,
    /// Signed 32-bit integers: only results are of this type.
    Int32,
}

impl Dtype {
    /// What operands may be of.
    pub const ALL: [Self; 6] = [Self::F32, Self::F64, Self::Tf32, Self::F16, Self::Bf16, Self::Int8];
    /// What CPU kernels multiply.
    pub const CPU: [Self; 2] = [Self::F32, Self::F64];

    /// Bytes per element.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F64 => 8,
            Self::F32 | Self::Tf32 | Self::Int32 => 4,
            Self::F16 | Self::Bf16 => 2,
            Self::Int8 => 1,
        }
    }

    /// Unit roundoff u of one stored value: 2⁻ᵖ with a significand of p bits, 0 for integers.
    #[must_use]
    pub fn unit_roundoff(self) -> f64 {
        match self {
            Self::F32 => f64::from(f32::EPSILON) / 2.0,
            Self::F64 => f64::EPSILON / 2.0,
            Self::Tf32 | Self::F16 => 2f64.powi(-11),
            Self::Bf16 => 2f64.powi(-8),
            Self::Int8 | Self::Int32 => 0.0,
        }
    }

    /// What sums of products of this type are kept in.
    #[must_use]
    pub const fn accumulator(self) -> Self {
        match self {
            Self::F64 => Self::F64,
            Self::F32 | Self::Tf32 | Self::F16 | Self::Bf16 => Self::F32,
            Self::Int8 | Self::Int32 => Self::Int32,
        }
    }

    /// What results (C and D) are stored in.
    #[must_use]
    pub const fn result(self) -> Self {
        match self {
            Self::Tf32 => Self::F32,
            Self::Int8 => Self::Int32,
            same => same,
        }
    }

    /// True for integers.
    #[must_use]
    pub const fn is_integer(self) -> bool {
        matches!(self, Self::Int8 | Self::Int32)
    }

    /// Name in specs and frames.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
            Self::Tf32 => "tf32",
            Self::F16 => "f16",
            Self::Bf16 => "bf16",
            Self::Int8 => "int8",
            Self::Int32 => "int32",
        }
    }
}

impl fmt::Display for Dtype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Dtype {
    type Err = Misfit;
    fn from_str(text: &str) -> Result<Self, Misfit> {
        Self::ALL
            .into_iter()
            .find(|d| d.name() == text)
            .ok_or_else(|| Misfit::new(format!("`dtype={text}` is not one of {}", Self::ALL.map(Self::name).join(", "))))
    }
}

/// One problem: made by [`crate::Family::problem`], so every axis is present and legal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Problem {
    /// Family id.
    pub family: String,
    /// Element type.
    pub dtype: Dtype,
    /// Axes in the family's order.
    pub axes: Named,
    /// Seed of the operands.
    pub seed: u64,
}

impl Problem {
    /// 128-bit id of the stable text form, in hexadecimal.
    #[must_use]
    pub fn id(&self) -> String {
        stable_id(&[&self.to_string(), &self.seed.to_string()])
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {}", self.family, self.dtype, self.axes)
    }
}

/// First 128 bits of SHA-256 over length-prefixed parts, so that ("ab", "c") and ("a", "bc") differ.
#[must_use]
pub fn stable_id(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part.as_bytes());
    }
    let digit = |nibble: u8| char::from(b"0123456789abcdef"[usize::from(nibble)]);
    hash.finalize()[..16].iter().flat_map(|byte| [digit(byte >> 4), digit(byte & 15)]).collect()
}
