//! Literals.

/// A literal's value.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) enum Number {
    /// Integer, two's complement.
    Int(u64),
    /// `0f` bits.
    F32(u32),
    /// `0d` bits or a decimal.
    F64(u64),
}

/// Reads a literal without sign; `None` if it is a name.
pub(crate) fn parse(text: &str) -> Option<Number> {
    if !text.as_bytes().first()?.is_ascii_digit() {
        return None;
    }
    if let Some(hex) = text.strip_prefix("0f").or_else(|| text.strip_prefix("0F")) {
        return u32::from_str_radix(hex, 16).ok().map(Number::F32);
    }
    if let Some(hex) = text.strip_prefix("0d").or_else(|| text.strip_prefix("0D")) {
        return u64::from_str_radix(hex, 16).ok().map(Number::F64);
    }
    if text.contains('.') {
        return text.parse::<f64>().ok().map(|v| Number::F64(v.to_bits()));
    }
    let digits = text.trim_end_matches('U');
    let value = if let Some(hex) = digits.strip_prefix("0x").or_else(|| digits.strip_prefix("0X")) {
        u64::from_str_radix(hex, 16)
    } else if let Some(bits) = digits.strip_prefix("0b").or_else(|| digits.strip_prefix("0B")) {
        u64::from_str_radix(bits, 2)
    } else if digits.len() > 1 && digits.starts_with('0') {
        u64::from_str_radix(&digits[1..], 8)
    } else {
        digits.parse()
    };
    value.ok().map(Number::Int)
}

impl Number {
    /// Bits as an operand of the given kind and width.
    pub(crate) fn bits(self, ty: super::types::Ty, negative: bool) -> u64 {
        use super::types::Ty;
        let wide = match (self, ty) {
            (Self::Int(v), Ty::F32) if negative => return u64::from((-(v as i64) as f32).to_bits()),
            (Self::Int(v), _) => return if negative { v.wrapping_neg() } else { v },
            (Self::F32(bits), Ty::F64) => f64::from(f32::from_bits(bits)),
            (Self::F32(bits), _) => return u64::from(if negative { bits ^ 1 << 31 } else { bits }),
            (Self::F64(bits), _) => f64::from_bits(bits),
        };
        let wide = if negative { -wide } else { wide };
        if ty == Ty::F32 { u64::from((wide as f32).to_bits()) } else { wide.to_bits() }
    }
}
