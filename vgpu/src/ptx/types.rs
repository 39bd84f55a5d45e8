//! PTX types and the register classes they live in.

use serde::Serialize;

/// A PTX fundamental or packed type.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub(crate) enum Ty {
    Pred,
    B8,
    B16,
    B32,
    B64,
    B128,
    U8,
    U16,
    U32,
    U64,
    S8,
    S16,
    S32,
    S64,
    F16,
    F16x2,
    Bf16,
    Bf16x2,
    Tf32,
    F32,
    F64,
}

impl Ty {
    /// From a modifier without its dot.
    pub(crate) fn parse(word: &str) -> Option<Self> {
        Some(match word {
            "pred" => Self::Pred,
            "b8" => Self::B8,
            "b16" => Self::B16,
            "b32" => Self::B32,
            "b64" => Self::B64,
            "b128" => Self::B128,
            "u8" => Self::U8,
            "u16" => Self::U16,
            "u32" => Self::U32,
            "u64" => Self::U64,
            "s8" => Self::S8,
            "s16" => Self::S16,
            "s32" => Self::S32,
            "s64" => Self::S64,
            "f16" => Self::F16,
            "f16x2" => Self::F16x2,
            "bf16" => Self::Bf16,
            "bf16x2" => Self::Bf16x2,
            "tf32" => Self::Tf32,
            "f32" => Self::F32,
            "f64" => Self::F64,
            _ => return None,
        })
    }

    /// Size in memory in bytes; a predicate has none.
    pub(crate) fn bytes(self) -> u32 {
        match self {
            Self::Pred => 0,
            Self::B8 | Self::U8 | Self::S8 => 1,
            Self::B16 | Self::U16 | Self::S16 | Self::F16 | Self::Bf16 => 2,
            Self::B64 | Self::U64 | Self::S64 | Self::F64 => 8,
            Self::B128 => 16,
            _ => 4,
        }
    }

    /// Signed integer.
    pub(crate) fn is_signed(self) -> bool {
        matches!(self, Self::S8 | Self::S16 | Self::S32 | Self::S64)
    }

    /// Any floating type.
    pub(crate) fn is_float(self) -> bool {
        matches!(self, Self::F16 | Self::F16x2 | Self::Bf16 | Self::Bf16x2 | Self::Tf32 | Self::F32 | Self::F64)
    }

    /// Class of the register that holds it, `None` for 128-bit values.
    pub(crate) fn class(self) -> Option<Class> {
        Some(match self {
            Self::Pred => Class::Pred,
            Self::B128 => return None,
            _ if self.bytes() == 8 => Class::R64,
            _ => Class::R32,
        })
    }
}

/// Register files: 32-bit (also holding 8- and 16-bit values, zero-extended), 64-bit, predicates.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Class {
    R32,
    R64,
    Pred,
}

/// An operand: class in bits 29–30, bit 31 for a constant, index below.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Reg(u32);

/// Bit that says an operand is an index into the constants.
pub(crate) const CONST: u32 = 1 << 31;
const INDEX: u32 = (1 << 29) - 1;

impl Reg {
    /// Register `index` of `class`.
    pub(crate) fn new(class: Class, index: u32) -> Self {
        Self((class as u32) << 29 | index)
    }
    /// Constant `index` of `class`.
    pub(crate) fn constant(class: Class, index: u32) -> Self {
        Self(Self::new(class, index).0 | CONST)
    }
    /// Its file.
    pub(crate) fn class(self) -> Class {
        match self.0 >> 29 & 3 {
            0 => Class::R32,
            1 => Class::R64,
            _ => Class::Pred,
        }
    }
    /// Whether it indexes the constants.
    #[inline(always)]
    pub(crate) fn is_const(self) -> bool {
        self.0 & CONST != 0
    }
    /// Index within its file.
    #[inline(always)]
    pub(crate) fn index(self) -> usize {
        (self.0 & INDEX) as usize
    }
}

/// Rounding modes of floating-point results.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) enum Round {
    #[default]
    Nearest,
    Zero,
    Down,
    Up,
    /// Nearest, ties away from zero (`rna`).
    NearestAway,
}
