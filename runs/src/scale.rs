//! Numbers in another tool's unit, such that reading them again gives the same number of ours.

use serde_json::{Number, Value};

/// The number that, times `unit`, is `value` again: a time that came in as `59.962016` ms goes out so, although the product with 1e-3
/// was rounded. Of several the one in single precision is taken, which timers give, else the shortest.
pub(crate) fn in_unit(value: f64, unit: f64) -> Value {
    let near = value / unit;
    if !near.is_finite() || near == 0.0 {
        return number(near);
    }
    let bits = near.to_bits();
    // The quotient is within two units in the last place of the number that came in.
    let candidates = (0..=4).map(|step: u64| f64::from_bits(bits.wrapping_add(step).wrapping_sub(2)));
    let same = candidates.filter(|candidate| candidate.is_finite() && candidate * unit == value);
    #[allow(clippy::cast_possible_truncation)] // compared with the number itself
    if let Some(single) = same.clone().find(|candidate| f64::from(*candidate as f32) == *candidate) {
        return number(single);
    }
    let shortest = same.min_by_key(|candidate| (candidate.to_string().len(), (candidate - near).abs().to_bits()));
    number(shortest.unwrap_or(near))
}

/// Whether a number that was scaled comes back as it was, `2` not as `2.0`. Where two numbers have the same product only one of them
/// does, and an importer keeps the other in `extra`.
pub(crate) fn comes_back(number: &Value, unit: f64) -> bool {
    number.as_f64().is_some_and(|value| in_unit(value * unit, unit) == *number)
}

/// Whole numbers as `2.0`, as the tools write them.
fn number(value: f64) -> Value {
    Number::from_f64(value).map_or(Value::Null, Value::Number)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_out_as_they_came_in() {
        let mut state = 1u64;
        for _ in 0..20_000 {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            // What tools print: single precision, microseconds with three digits, and means in double precision.
            let share = (state >> 11) as f64 / (1u64 << 53) as f64;
            for came in [f64::from((share * 300.0) as f32), (share * 3e6).round() / 1e3, share * 300.0] {
                for unit in [1e-3, 1e-6, 1e-9] {
                    let ours = came * unit;
                    let out = in_unit(ours, unit).as_f64().expect("a number");
                    assert_eq!(out * unit, ours, "{came} in {unit}");
                    assert!(out == came || came.to_string().len() > 15, "{came} in {unit} came out as {out}");
                    assert!(out == came || f64::from(came as f32) != came, "{came} is a timer's number");
                }
            }
        }
    }
}
