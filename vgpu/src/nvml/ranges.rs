//! What a scenario may say: values within their ranges, errors for calls and fields that exist.

use std::ops::RangeInclusive;

use super::scenario::{Process, Scenario, Sensor, Throttle};
use super::{clocks, fields, identity, processes, readings, system};
use crate::profile::Profile;

/// More watts than any board takes.
const MOST_W: f64 = 1e5;
/// Seconds beyond any experiment.
const MOST_S: f64 = 1e6;

/// Everything that does not depend on the card.
///
/// # Errors
/// The value, its name and its range.
pub(super) fn check(scenario: &Scenario) -> Result<(), String> {
    within("call_cost_s", scenario.call_cost_s, 0.0..=1.0)?;
    power(scenario)?;
    for (name, sensor) in [("instant", &scenario.instant), ("average", &scenario.average)] {
        sensor.as_ref().map_or(Ok(()), |sensor| gauge(name, sensor))?;
    }
    if let Some(counter) = &scenario.counter {
        within("counter.tick_s", counter.tick_s, 1e-6..=MOST_S)?;
    }
    scenario.throttle.iter().try_for_each(throttle)?;
    scenario.process.iter().try_for_each(process)?;
    if let Some(death) = &scenario.death {
        within("death.at_s", death.at_s, 0.0..=f64::INFINITY)?;
    }
    scenario.errors.keys().try_for_each(|key| known(key))
}

/// What depends on the card that has these sensors.
///
/// # Errors
/// As [`check`].
pub(crate) fn check_on(scenario: &Scenario, profile: &Profile) -> Result<(), String> {
    let power = &scenario.power;
    let idle_w = power.idle_w.unwrap_or(f64::from(profile.idle_w));
    within("power.max_w", power.max_w.unwrap_or(f64::from(profile.tdp_w)), idle_w..=MOST_W)?;
    let (low, high) = profile.limit_w;
    power.limit_w.map_or(Ok(()), |limit_w| within("power.limit_w", limit_w, f64::from(low)..=f64::from(high)))
}

fn within(name: &str, value: f64, range: RangeInclusive<f64>) -> Result<(), String> {
    if range.contains(&value) {
        return Ok(());
    }
    Err(match (range.start(), range.end()) {
        (low, end) if end.is_infinite() => format!("{name} `{value}`: at least {low}"),
        (low, high) => format!("{name} `{value}`: from {low} to {high}"),
    })
}

fn power(scenario: &Scenario) -> Result<(), String> {
    let power = &scenario.power;
    for (name, watts) in [("idle_w", power.idle_w), ("max_w", power.max_w), ("limit_w", power.limit_w)] {
        watts.map_or(Ok(()), |watts| within(&format!("power.{name}"), watts, 0.0..=MOST_W))?;
    }
    if let (Some(idle_w), Some(max_w)) = (power.idle_w, power.max_w) {
        within("power.max_w", max_w, idle_w..=MOST_W)?;
    }
    within("power.rise_s", power.rise_s, 0.0..=MOST_S)?;
    within("power.module_w", power.module_w, 0.0..=MOST_W)?;
    within("power.ambient_c", power.ambient_c, -100.0..=200.0)?;
    within("power.hot_c", power.hot_c, power.ambient_c..=200.0)
}

fn gauge(name: &str, sensor: &Sensor) -> Result<(), String> {
    let within = |field: &str, value: f64, range| within(&format!("{name}.{field}"), value, range);
    within("period_s", sensor.period_s, 1e-6..=MOST_S)?;
    within("window_s", sensor.window_s, 0.0..=MOST_S)?;
    within("lag_s", sensor.lag_s, 0.0..=MOST_S)?;
    within("phase_s", sensor.phase_s, -MOST_S..=MOST_S)?;
    within("gain", sensor.gain, 0.0..=1000.0)?;
    within("offset_w", sensor.offset_w, -MOST_W..=MOST_W)?;
    within("noise_w", sensor.noise_w, 0.0..=MOST_W)
}

fn throttle(throttle: &Throttle) -> Result<(), String> {
    within("throttle.from_s", throttle.from_s, 0.0..=f64::MAX)?;
    within("throttle.to_s", throttle.to_s, throttle.from_s..=f64::INFINITY)?;
    within("throttle.sm_mhz", throttle.sm_mhz.into(), 1.0..=10_000.0)
}

fn process(process: &Process) -> Result<(), String> {
    within("process.power_w", process.power_w, 0.0..=MOST_W)?;
    if !(0.0..1.0).contains(&process.share) {
        return Err(format!("process.share `{}`: from 0 to below 1", process.share));
    }
    within("process.from_s", process.from_s, 0.0..=f64::MAX)?;
    within("process.to_s", process.to_s, process.from_s..=f64::INFINITY)
}

/// A call, a field or a kind of samples that can fail.
fn known(key: &str) -> Result<(), String> {
    let numbered = |prefix: &str, numbers: &[u32]| {
        let number = key.strip_prefix(prefix)?;
        if numbers.iter().any(|n| n.to_string() == number) {
            return Some(Ok(()));
        }
        let all: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        Some(Err(format!("errors: `{key}` is not known: of `{prefix}` there are {}", all.join(", "))))
    };
    if let Some(found) = numbered("field:", fields::FIELDS).or_else(|| numbered("samples:", fields::SAMPLES)) {
        return found;
    }
    let lists = [system::CALLS, identity::CALLS, clocks::CALLS, readings::CALLS, fields::CALLS, processes::CALLS];
    let calls = || lists.into_iter().flatten().copied();
    if calls().any(|call| call == key) {
        return Ok(());
    }
    let nearest = calls().min_by_key(|call| distance(call, key)).unwrap_or_default();
    Err(format!("errors: `{key}` is no call of this NVML, nor `field:N` or `samples:N`\nhint: did you mean `{nearest}`?"))
}

/// Letters to add, drop or replace (Levenshtein).
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, x) in a.bytes().enumerate() {
        let mut corner = std::mem::replace(&mut row[0], i + 1);
        for (j, y) in b.bytes().enumerate() {
            let least = (corner + usize::from(x != y)).min(row[j] + 1).min(row[j + 1] + 1);
            corner = std::mem::replace(&mut row[j + 1], least);
        }
    }
    row[b.len()]
}
