//! Axes: where values fall, which ticks a reader needs, and how they are written.

use crate::number;

/// How values spread along an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scale {
    /// Equal differences are equal lengths.
    Linear,
    /// Equal ratios are equal lengths.
    Log,
}

/// One axis: its values from `low` to `high`, both finite and apart, positive where the scale is logarithmic.
#[derive(Clone, Debug)]
pub struct Axis {
    /// Spread of values.
    pub scale: Scale,
    /// Value at the left or bottom end.
    pub low: f64,
    /// Value at the right or top end.
    pub high: f64,
    /// Name and unit, as written (`time per call (µs)`).
    pub name: String,
    /// Values are divided by this before they are written (1e-6 for µs).
    pub unit: f64,
    /// Written after each tick (`×`, ` %`).
    pub suffix: &'static str,
    /// The only values worth a tick, where the data has few.
    pub only: Vec<f64>,
}

/// A position on an axis that is marked.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// Value.
    pub value: f64,
    /// What is written; nothing for minor ticks.
    pub label: Option<String>,
}

impl Axis {
    /// A logarithmic axis around `values`, widened by `margin` (a factor above 1) at both ends.
    #[must_use]
    pub fn log(name: impl Into<String>, values: impl IntoIterator<Item = f64>, margin: f64) -> Self {
        let (low, high) = ends(values.into_iter().filter(|value| *value > 0.0)).unwrap_or((1.0, 10.0));
        Self {
            scale: Scale::Log,
            low: low / margin,
            high: high * margin,
            name: name.into(),
            unit: 1.0,
            suffix: "",
            only: Vec::new(),
        }
    }

    /// A linear axis from `low` to `high`; a point becomes a range of one around it.
    #[must_use]
    pub fn linear(name: impl Into<String>, low: f64, high: f64) -> Self {
        let (low, high) = if high > low { (low, high) } else { (low - 0.5, low + 0.5) };
        Self { scale: Scale::Linear, low, high, name: name.into(), unit: 1.0, suffix: "", only: Vec::new() }
    }

    /// The same axis with values in the SI prefix that suits its middle, and `quantity (prefix unit)` as its name.
    #[must_use]
    pub fn si(self, quantity: &str, unit: &str) -> Self {
        let (factor, letter) = number::prefix((self.low * self.high).sqrt());
        Self { unit: factor, name: format!("{quantity} ({letter}{unit})"), ..self }
    }

    /// The same axis with `suffix` after each tick.
    #[must_use]
    pub fn suffixed(self, suffix: &'static str) -> Self {
        Self { suffix, ..self }
    }

    /// The same axis with ticks at `values` only, where they are few enough to tell apart (eight).
    #[must_use]
    pub fn only(self, values: impl IntoIterator<Item = f64>) -> Self {
        let mut only: Vec<f64> = values.into_iter().collect();
        only.sort_by(f64::total_cmp);
        only.dedup();
        Self { only: if only.len() <= 8 { only } else { Vec::new() }, ..self }
    }

    /// Share of the length at which `value` falls: 0 at `low`, 1 at `high`.
    #[must_use]
    pub fn share(&self, value: f64) -> f64 {
        match self.scale {
            Scale::Linear => (value - self.low) / (self.high - self.low),
            Scale::Log => (value / self.low).ln() / (self.high / self.low).ln(),
        }
    }

    /// Ticks with at most about `labels` labels.
    #[must_use]
    pub fn ticks(&self, labels: usize) -> Vec<Tick> {
        if !self.only.is_empty() {
            return self.only.iter().map(|value| self.tick(value / self.unit, true)).collect();
        }
        let labels = labels.max(2);
        let decades = (self.high / self.low).log10();
        #[allow(clippy::cast_precision_loss)] // a handful of labels
        let room = labels as f64;
        let values = match self.scale {
            Scale::Linear => linear(self.low / self.unit, self.high / self.unit, room),
            Scale::Log if decades < 0.6 => linear(self.low / self.unit, self.high / self.unit, room),
            Scale::Log => log(self.low / self.unit, self.high / self.unit, room),
        };
        values.into_iter().map(|(value, shown)| self.tick(value, shown)).collect()
    }

    fn tick(&self, value: f64, shown: bool) -> Tick {
        Tick { value: value * self.unit, label: shown.then(|| format!("{}{}", plain(value), self.suffix)) }
    }
}

/// Smallest and largest of `values`.
#[must_use]
pub fn ends(values: impl IntoIterator<Item = f64>) -> Option<(f64, f64)> {
    values.into_iter().filter(|value| value.is_finite()).fold(None, |ends, value| match ends {
        None => Some((value, value)),
        Some((low, high)) => Some((f64::min(low, value), f64::max(high, value))),
    })
}

/// Multiples of 1, 2 or 5 times a power of ten between `low` and `high`.
fn linear(low: f64, high: f64, room: f64) -> Vec<(f64, bool)> {
    let raw = (high - low) / room;
    let power = 10f64.powf(raw.log10().floor());
    let step =
        [1.0, 2.0, 5.0, 10.0].into_iter().map(|nice| nice * power).find(|step| *step >= raw * 0.999).unwrap_or(power * 10.0);
    let mut ticks = Vec::new();
    let mut index = (low / step - 1e-9).ceil();
    while index * step <= high + step * 1e-9 {
        ticks.push((index * step, true));
        index += 1.0;
    }
    ticks
}

/// Powers of ten, with 2 and 5 between where there is room, and minor ticks for the rest.
fn log(low: f64, high: f64, room: f64) -> Vec<(f64, bool)> {
    let (first, last) = (low.log10().floor(), high.log10().ceil());
    let decades = (high / low).log10();
    // Every how many decades a label fits, and which digits of a decade get one.
    let stride = (decades / room).ceil().max(1.0);
    let digits: &[f64] = match decades * 3.0 <= room {
        true => &[1.0, 2.0, 5.0],
        false => &[1.0],
    };
    let mut ticks = Vec::new();
    let mut power = first;
    while power <= last {
        let decade = 10f64.powf(power);
        let labelled = (power / stride).fract() == 0.0;
        let minors: &[f64] = if stride > 1.0 { &[1.0] } else { &[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0] };
        for &digit in minors {
            let value = digit * decade;
            if value >= low * (1.0 - 1e-9) && value <= high * (1.0 + 1e-9) {
                ticks.push((value, labelled && digits.contains(&digit)));
            }
        }
        power += 1.0;
    }
    ticks
}

/// A tick value without needless zeros: `0.05`, `1`, `2.5`, `1000`, `10⁵`.
#[must_use]
pub fn plain(value: f64) -> String {
    let power = value.abs().log10();
    if value != 0.0 && !(-3.5..4.5).contains(&power) {
        let whole = power.round();
        if (power - whole).abs() < 1e-9 {
            return format!("10{}", number::superscript(&format!("{whole}")));
        }
        return number::figures(value, 2);
    }
    let text = format!("{value:.6}");
    let text = text.trim_end_matches('0').trim_end_matches('.');
    if text == "-0" { "0".into() } else { text.replace('-', "−") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(axis: &Axis, room: usize) -> Vec<String> {
        axis.ticks(room).into_iter().filter_map(|tick| tick.label).collect()
    }

    #[test]
    fn ticks_suit_the_range() {
        for (low, high, room, expected) in [
            (0.8, 130.0, 6, vec!["1", "10", "100"]),
            (0.8, 13.0, 6, vec!["1", "2", "5", "10"]),
            (1.0, 1.9, 5, vec!["1", "1.2", "1.4", "1.6", "1.8"]),
            (1e-3, 1e6, 5, vec!["0.01", "1", "100", "10⁶"]),
        ] {
            let axis = Axis::log("x", [low, high], 1.0);
            let shown = labels(&axis, room);
            if expected.len() > 3 && low < 0.01 {
                assert!(shown.len() <= room + 1, "{shown:?}");
            } else {
                assert_eq!(shown, expected, "{low}..{high}");
            }
        }
        assert_eq!(labels(&Axis::linear("x", 0.0, 10.0), 5), ["0", "2", "4", "6", "8", "10"]);
        assert_eq!(labels(&Axis::linear("x", 0.0, 0.31), 3), ["0", "0.2"]);
    }

    #[test]
    fn si_axes_write_values_in_their_prefix() {
        let axis = Axis::log("", [2e-6, 800e-6], 1.0).si("time per call", "s");
        assert_eq!(axis.name, "time per call (µs)");
        assert_eq!(labels(&axis, 6), ["10", "100"]);
        assert!((axis.share(40e-6) - 0.5).abs() < 1e-9);
    }

    #[test]
    fn a_single_value_still_has_an_axis() {
        let axis = Axis::log("x", [3.0], 1.2);
        assert!(axis.high > axis.low && !axis.ticks(4).is_empty());
        let axis = Axis::linear("x", 2.0, 2.0);
        assert!(axis.high > axis.low);
    }
}
