//! Readings by number, with timestamps and scopes, and buffered samples.

use std::ffi::{c_int, c_uint};

use super::calls::{Desk, device_calls, set};
use super::readings::milli;
use super::scenario::{Scope, Usage};
use super::status::Status;
use crate::driver::ffi::Out;

/// `nvmlFieldValue_t`. The value is a union; all members used here fit its eight bytes and are little-endian.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)] // NVML's names
pub struct FieldValue {
    pub field: c_uint,
    pub scope: c_uint,
    pub timestamp_us: i64,
    pub latency_us: i64,
    pub value_type: c_uint,
    pub status: c_uint,
    pub value: u64,
}

/// `nvmlSample_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // NVML's names
pub struct Sample {
    pub timestamp_us: u64,
    pub value: u64,
}

/// `nvmlValueType_t`.
const UNSIGNED_INT: u32 = 1;
const UNSIGNED_LONG_LONG: u32 = 3;
/// The fields that [`field`] answers.
pub(super) const FIELDS: &[u32] = &[74, 75, 76, 77, 78, 79, 80, 81, 83, 185, 186, 187, 188, 189, 190, 191, 192];
/// The kinds of samples that [`buffered`] gives.
pub(super) const SAMPLES: &[u32] = &[0, 1, 2, 5, 6];
/// Samples the buffer holds.
const BUFFER: usize = 120;

device_calls! {
    /// Fills each field's value, timestamp and status; the call itself succeeds.
    fn nvmlDeviceGetFieldValues(desk, count: c_int, values: Out<FieldValue>) {
        if values.is_null() || count < 0 {
            return Err(Status::InvalidArgument);
        }
        for i in 0..count as usize {
            let asked = values.get_at(i).ok_or(Status::InvalidArgument)?;
            values.give_at(i, answer(desk, asked));
        }
        Ok(())
    }

    /// Nothing can be cleared.
    fn nvmlDeviceClearFieldValues(_desk, _count: c_int, _values: Out<FieldValue>) {
        Err(Status::NotSupported)
    }

    /// Samples taken after `last_seen_us`: power in mW (0), use in per cent (1, 2), clocks in MHz (5, 6). Without a buffer: how many it may hold.
    fn nvmlDeviceGetSamples(desk, kind: c_uint, last_seen_us: u64, value_type: Out<c_uint>, count: Out<c_uint>, samples: Out<Sample>) {
        if let Some(wanted) = desk.card.scenario.errors.get(&format!("samples:{kind}")) {
            return Err(*wanted);
        }
        set(value_type, UNSIGNED_INT)?;
        let room = count.get().ok_or(Status::InvalidArgument)? as usize;
        if samples.is_null() {
            return set(count, BUFFER as c_uint);
        }
        let found = buffered(desk, kind, last_seen_us)?;
        if found.is_empty() {
            return Err(Status::NotFound);
        }
        let kept = &found[found.len().saturating_sub(room)..];
        samples.give_all(kept.iter().copied());
        set(count, kept.len() as c_uint)
    }
}

fn answer(desk: &mut Desk<'_>, asked: FieldValue) -> FieldValue {
    let now_us = (desk.card.clock.now_ns() / 1000) as i64;
    let found = match desk.card.scenario.errors.get(&format!("field:{}", asked.field)) {
        Some(wanted) => Err(*wanted),
        None => field(desk, asked.field, asked.scope),
    };
    let latency_us = (desk.card.scenario.call_cost_s * 1e6) as i64;
    match found {
        Ok((value_type, value, at_ns)) => FieldValue {
            timestamp_us: (at_ns / 1000) as i64,
            latency_us,
            value_type,
            status: Status::Success as u32,
            value,
            ..asked
        },
        Err(status) => {
            FieldValue { timestamp_us: now_us, latency_us, value_type: UNSIGNED_INT, status: status as u32, value: 0, ..asked }
        }
    }
}

/// Type, value and time of one field.
fn field(desk: &mut Desk<'_>, field: u32, scope: u32) -> Result<(u32, u64, u64), Status> {
    let now = desk.card.clock.now_ns();
    let whole = match scope {
        0 => Scope::Gpu,
        1 => Scope::Module,
        2 | 3 => return Err(Status::NotSupported),
        _ => return Err(Status::InvalidArgument),
    };
    let mw = |watts: f64| Ok((UNSIGNED_INT, u64::from(milli(watts)), now));
    let power = |which: Usage| desk.card.power(which, whole).map(|r| (UNSIGNED_INT, u64::from(milli(r.power_w)), r.at_ns));
    match field {
        83 | 191 if scope == 0 => desk.card.energy_mj().map(|(mj, at_ns)| (UNSIGNED_LONG_LONG, mj, at_ns)),
        185 => power(Usage::Average),
        186 => power(Usage::Instant),
        187 => mw(f64::from(desk.card.profile.limit_w.0)),
        188 => mw(f64::from(desk.card.profile.limit_w.1)),
        189 => mw(f64::from(desk.card.profile.tdp_w)),
        190 | 192 => mw(desk.card.settings.limit_w),
        // Nanoseconds under the power limit.
        74 => Ok((UNSIGNED_LONG_LONG, desk.card.traces.capped_ns(now), now)),
        75..=81 => Ok((UNSIGNED_LONG_LONG, 0, now)),
        _ => Err(Status::NotSupported),
    }
}

fn buffered(desk: &Desk<'_>, kind: u32, last_seen_us: u64) -> Result<Vec<Sample>, Status> {
    let card = &desk.card;
    if kind == 0 {
        card.power_usage()?;
        let readings = card.power_samples(last_seen_us * 1000 + 999, BUFFER);
        return Ok(readings
            .iter()
            .map(|r| Sample { timestamp_us: r.at_ns / 1000, value: u64::from(milli(r.power_w)) })
            .collect());
    }
    // Use and clocks are looked at six times a second.
    const EVERY_NS: u64 = 166_000_000;
    let now = card.clock.now_ns();
    let value = |at_ns: u64| match kind {
        1 => Ok((card.traces.utilisation(at_ns, EVERY_NS).0 * 100.0).round() as u64),
        2 => Ok((card.traces.utilisation(at_ns, EVERY_NS).1 * 100.0).round() as u64),
        5 => Ok(u64::from(card.traces.pace(at_ns, 0).map_or(210, |p| p.0))),
        6 => Ok(u64::from(card.memory_mhz())),
        _ => Err(Status::NotSupported),
    };
    let newest = now / EVERY_NS;
    let ticks = (newest.saturating_sub(BUFFER as u64)..=newest).map(|n| n * EVERY_NS).filter(|at| at / 1000 > last_seen_us);
    ticks.map(|at| Ok(Sample { timestamp_us: at / 1000, value: value(at)? })).collect()
}
