//! One entry of a cache as the outcome, timing and energy columns of a row.

use serde_json::{Map, Value};

use super::cache::plain;
use crate::import::draft::{COLD_FIRST, COLD_RATIO, ENERGY_UNITS, MS, NOT_VERIFIED};
use crate::import::statistics::Statistics;
use crate::row::Row;
use crate::scale::comes_back;
use crate::schema::col;

/// How an entry ended.
enum Outcome {
    Timed { samples: Vec<f64>, reported: Option<f64> },
    Failed { status: &'static str, reason: String },
}

/// Older versions of Kernel Tuner write this many milliseconds for a failure.
const FAILURE_MS: f64 = 1e19;

/// Sets outcome, timing, energy, warnings and `extra`; `left` are the entry's members that are no parameters, `absurd` says why no
/// entry can be right.
pub(super) fn fill(row: &mut Row, mut left: Map<String, Value>, absurd: Option<&str>) {
    let mut warnings = Vec::new();
    let outcome = match (outcome(&left), absurd) {
        (Outcome::Timed { .. }, Some(why)) => Outcome::Failed { status: "runtime_error", reason: why.to_owned() },
        (outcome, _) => outcome,
    };
    match outcome {
        Outcome::Timed { samples, reported } => {
            if left.get("time").is_none_or(|time| comes_back(time, MS)) {
                left.shift_remove("time");
            }
            if left.get("times").and_then(Value::as_array).is_some_and(|times| times.iter().all(|time| comes_back(time, MS))) {
                left.shift_remove("times");
            }
            row.set(col::status, "ok");
            timing(row, samples, reported, &mut warnings);
            if left.get("verification_time").and_then(Value::as_f64).is_none_or(|time| time <= 0.0) {
                warnings.push(NOT_VERIFIED);
            }
        }
        Outcome::Failed { status, reason } => {
            row.set(col::status, status).set(col::reason, reason);
        }
    }
    energy(row, &mut left, &mut warnings);
    if let Some(time) = number(&left, "compile_time").filter(|time| *time >= 0.0) {
        row.set(col::prepare_s, time * MS);
        if left.get("compile_time").is_some_and(|time| comes_back(time, MS)) {
            left.shift_remove("compile_time");
        }
    }
    if let Some((text, at)) = left.get("timestamp").and_then(Value::as_str).and_then(|text| Some((text, rfc_3339(text)?))) {
        if text == of_rfc_3339(&at) {
            left.shift_remove("timestamp");
        }
        row.set(col::measured_at, at);
    }
    if let Some(rate) = left.get("GFLOP/s").and_then(Value::as_f64).filter(|rate| *rate > 0.0) {
        row.set(col::reported_flop_per_s, rate * 1e9);
    }
    if !warnings.is_empty() {
        row.set(col::warnings, warnings.join(","));
    }
    if !left.is_empty() {
        row.set(col::extra, Value::Object(left).to_string());
    }
}

fn number(entry: &Map<String, Value>, name: &str) -> Option<f64> {
    entry.get(name).and_then(Value::as_f64)
}

fn outcome(entry: &Map<String, Value>) -> Outcome {
    let unusable = |reason: String| Outcome::Failed { status: "runtime_error", reason };
    if let Some(error) = entry.get("__error__").filter(|error| !error.is_null()) {
        return failed(&plain(error));
    }
    let reported = match entry.get("time") {
        None | Some(Value::Null) => None,
        Some(Value::String(word)) if !["NaN", "Infinity", "-Infinity"].contains(&word.as_str()) => return failed(word),
        Some(time) => match milliseconds(time) {
            Some(time) => Some(time * MS),
            None => return unusable(format!("time = `{}` ms, expected a positive finite number", plain(time))),
        },
    };
    let Some(Value::Array(times)) = entry.get("times").filter(|times| **times != Value::Array(Vec::new())) else {
        return match reported {
            Some(_) => Outcome::Timed { samples: Vec::new(), reported },
            None => unusable("the entry has no time".to_owned()),
        };
    };
    match times.iter().position(|time| milliseconds(time).is_none()) {
        Some(bad) => unusable(format!("sample {bad} = `{}` ms, expected a positive finite number", plain(&times[bad]))),
        None => Outcome::Timed { samples: times.iter().filter_map(milliseconds).map(|time| time * MS).collect(), reported },
    }
}

fn milliseconds(time: &Value) -> Option<f64> {
    time.as_f64().filter(|time| time.is_finite() && *time > 0.0 && *time < FAILURE_MS)
}

/// The words of Kernel Tuner's error classes.
fn failed(word: &str) -> Outcome {
    let status = match word {
        "InvalidConfig" => "constraint",
        "CompilationFailedConfig" => "compile_error",
        _ => "runtime_error",
    };
    Outcome::Failed { status, reason: format!("kernel tuner reports `{word}`") }
}

fn timing(row: &mut Row, samples: Vec<f64>, reported: Option<f64>, warnings: &mut Vec<&'static str>) {
    row.set(col::time_basis, "unknown").set_some(col::time_reported_s, reported);
    let Some(statistics) = Statistics::of(&samples) else {
        row.set_some(col::time_s, reported).set(col::time_statistic, "mean");
        return;
    };
    row.set(col::time_s, statistics.median).set(col::time_statistic, "median");
    row.set(col::time_min_s, statistics.min).set(col::time_median_s, statistics.median);
    row.set(col::time_q1_s, statistics.q1).set(col::time_q3_s, statistics.q3).set(col::noise, statistics.noise());
    row.set(col::samples, i64::try_from(samples.len()).unwrap_or(i64::MAX)).set(col::iterations, 1i64);
    row.set(col::stop_reason, "fixed");
    if samples[0] / statistics.median > COLD_RATIO {
        warnings.push(COLD_FIRST);
    }
    row.set(col::time_samples_s, samples);
}

/// `nvml_energy` is in joules and `nvml_power` in watts in Kernel Tuner's observers. Where both are there and do not fit the time
/// within a factor of two, a user metric of the same name had another unit: both stay in `extra`.
fn energy(row: &mut Row, left: &mut Map<String, Value>, warnings: &mut Vec<&'static str>) {
    let positive = |name: &str| left.get(name).and_then(Value::as_f64).filter(|value| value.is_finite() && *value > 0.0);
    let (energy, power, time) = (positive("nvml_energy"), positive("nvml_power"), row.real(col::time_s));
    let fits = match (energy, power, time) {
        (Some(energy), Some(power), Some(time)) => (0.5..=2.0).contains(&(energy / (power * time))),
        _ => true,
    };
    if !fits {
        warnings.push(ENERGY_UNITS);
    }
    let Some(_) = energy.or(power).filter(|_| fits && time.is_some()) else {
        row.set(col::energy_source, "unavailable").set(col::energy_reason, "the source file has no usable energy metric");
        return;
    };
    row.set(col::energy_source, "import").set_some(col::energy_j, energy).set_some(col::power_w, power);
    for (name, value) in [("nvml_energy", energy), ("nvml_power", power)] {
        if value.is_some() && left.get(name).is_some_and(Value::is_f64) {
            left.shift_remove(name);
        }
    }
    if energy.is_none() {
        row.set(col::energy_reason, "the source file has power only");
    }
}

/// `2023-12-22 09:54:05.502007+00:00` as RFC 3339 in UTC; times of other zones are left as they are.
pub(in crate::import) fn rfc_3339(text: &str) -> Option<String> {
    let (date, time) = text.split_once([' ', 'T'])?;
    let time = time.strip_suffix("+00:00").or_else(|| time.strip_suffix('Z'))?;
    let digits = |text: &str, joint: char, widths: &[usize]| {
        let parts: Vec<&str> = text.split(joint).collect();
        parts.len() == widths.len()
            && parts
                .iter()
                .zip(widths)
                .all(|(part, width)| part.len() == *width && part.bytes().all(|byte| byte.is_ascii_digit()))
    };
    let whole = time.split('.').next()?;
    (digits(date, '-', &[4, 2, 2]) && digits(whole, ':', &[2, 2, 2])).then(|| format!("{date}T{time}Z"))
}

/// RFC 3339 in UTC as the tool writes it: `2023-12-22 09:54:05.502007+00:00`.
pub(crate) fn of_rfc_3339(at: &str) -> String {
    at.replacen('T', " ", 1).replace('Z', "+00:00")
}
