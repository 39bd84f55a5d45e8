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
}

impl Dtype {
    /// All element types.
    pub const ALL: [Self; 2] = [Self::F32, Self::F64];

    /// Bytes per element.
    #[must_use]
    pub const fn bytes(self) -> u64 {
        match self {
            Self::F32 => 4,
            Self::F64 => 8,
        }
    }

    /// Unit roundoff u of the accumulator (2⁻²⁴, 2⁻⁵³).
    #[must_use]
    pub fn unit_roundoff(self) -> f64 {
        match self {
            Self::F32 => f64::from(f32::EPSILON) / 2.0,
            Self::F64 => f64::EPSILON / 2.0,
        }
    }

    /// Name in specs and frames.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::F32 => "f32",
            Self::F64 => "f64",
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
            .ok_or_else(|| Misfit::new(format!("`dtype={text}` is not one of f32, f64")))
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
