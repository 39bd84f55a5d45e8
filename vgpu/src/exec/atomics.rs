//! Read-modify-write operations.

use std::sync::atomic::{AtomicU16, AtomicU32, AtomicU64, Ordering};

use super::access::Pointers;
use super::float::widen;
use super::lanes::{Regs, lanes};
use super::number::{BF16, F16};
use crate::ptx::op::Rmw;
use crate::ptx::types::{Class, Reg, Round, Ty};

/// Retries until nobody came between; gives the old value.
macro_rules! exchange {
    ($atomic:ty, $word:ty, $p:expr, $next:expr) => {{
        let cell = <$atomic>::from_ptr($p.cast());
        let mut old = cell.load(Ordering::Relaxed);
        while let Err(now) = cell.compare_exchange_weak(old, $next(u64::from(old)) as $word, Ordering::AcqRel, Ordering::Relaxed)
        {
            old = now;
        }
        u64::from(old)
    }};
}
/// Operands of one atomic instruction.
pub(crate) struct Update<'a> {
    pub(crate) rmw: Rmw,
    pub(crate) ty: Ty,
    /// Value, and the new value of a compare-and-swap.
    pub(crate) values: &'a [Reg],
    /// Where the old value goes.
    pub(crate) old: Option<Reg>,
}

/// Lane after lane, each a real atomic on the host, so that blocks may run in parallel.
pub(crate) fn apply(update: &Update<'_>, pointers: &Pointers, regs: Regs, mask: u32) {
    let kept = u64::MAX >> (64 - 8 * update.ty.bytes());
    let value = |reg: Reg, lane: usize| {
        kept & if reg.class() == Class::R64 { regs.get64(reg)[lane] } else { u64::from(regs.get32(reg)[lane]) }
    };
    for lane in lanes(mask) {
        let (b, c) = (value(update.values[0], lane), update.values.get(1).map_or(0, |&c| value(c, lane)));
        let next = |old: u64| combine(update.rmw, update.ty, old, b, c);
        // SAFETY: the pointers of active lanes were checked for size and alignment.
        let old = unsafe {
            let p = pointers[lane];
            match update.ty.bytes() {
                2 => exchange!(AtomicU16, u16, p, next),
                8 => exchange!(AtomicU64, u64, p, next),
                _ => exchange!(AtomicU32, u32, p, next),
            }
        };
        if let Some(d) = update.old {
            if d.class() == Class::R64 {
                regs.set64(d, &[old; 32], 1 << lane);
            } else {
                regs.set32(d, &[old as u32; 32], 1 << lane);
            }
        }
    }
}

fn signed(ty: Ty, word: u64) -> i64 {
    if ty.bytes() == 8 { word as i64 } else { i64::from(word as u32 as i32) }
}

/// What memory holds afterwards.
pub(crate) fn combine(rmw: Rmw, ty: Ty, old: u64, b: u64, c: u64) -> u64 {
    match rmw {
        Rmw::Exch => b,
        Rmw::Cas => {
            if old == b {
                c
            } else {
                old
            }
        }
        Rmw::And => old & b,
        Rmw::Or => old | b,
        Rmw::Xor => old ^ b,
        Rmw::Inc => {
            if old >= b {
                0
            } else {
                old + 1
            }
        }
        Rmw::Dec => {
            if old == 0 || old > b {
                b
            } else {
                old - 1
            }
        }
        Rmw::Add if ty.is_float() => add_float(ty, old, b),
        Rmw::Add => old.wrapping_add(b),
        Rmw::Min | Rmw::Max if ty.is_float() => {
            let (x, y) = (widen(ty, old), widen(ty, b));
            if (x < y) == (rmw == Rmw::Min) || y.is_nan() { old } else { b }
        }
        Rmw::Min if ty.is_signed() => {
            if signed(ty, old) <= signed(ty, b) {
                old
            } else {
                b
            }
        }
        Rmw::Max if ty.is_signed() => {
            if signed(ty, old) >= signed(ty, b) {
                old
            } else {
                b
            }
        }
        Rmw::Min => old.min(b),
        Rmw::Max => old.max(b),
    }
}

fn add_float(ty: Ty, old: u64, b: u64) -> u64 {
    let half = |ty: Ty, x: u64, y: u64| {
        let format = if ty == Ty::Bf16 { BF16 } else { F16 };
        u64::from(format.round(widen(ty, x) + widen(ty, y), 0.0, Round::Nearest))
    };
    match ty {
        Ty::F64 => (f64::from_bits(old) + f64::from_bits(b)).to_bits(),
        Ty::F16 | Ty::Bf16 => half(ty, old, b),
        Ty::F16x2 => half(Ty::F16, old, b) | half(Ty::F16, old >> 16, b >> 16) << 16,
        Ty::Bf16x2 => half(Ty::Bf16, old, b) | half(Ty::Bf16, old >> 16, b >> 16) << 16,
        _ => u64::from((f32::from_bits(old as u32) + f32::from_bits(b as u32)).to_bits()),
    }
}
