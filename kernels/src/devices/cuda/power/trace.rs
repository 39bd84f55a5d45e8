//! What polling saw: values held between the moments at which they changed.

use super::{Stamped, Unavailable};

/// A value that a poll found different from the one before.
#[derive(Clone, Copy, Debug)]
pub(super) struct Change {
    /// Midway between the two polls.
    pub(super) time_s: f64,
    pub(super) value: f64,
    /// Between the two polls: the change may have been anywhere in it.
    pub(super) gap_s: f64,
}

/// One reading over time.
#[derive(Clone, Debug, Default)]
pub(super) struct Series {
    first: Option<(f64, f64)>,
    last: Option<(f64, f64)>,
    pub(super) changes: Vec<Change>,
    stamps: Vec<f64>,
    polls: usize,
}

impl Series {
    /// Adds what a poll at `time_s` saw. A repeated value is no new sample.
    pub(super) fn push(&mut self, time_s: f64, read: Stamped) {
        self.polls += 1;
        if let Some(stamp) = read.stamp_s.filter(|stamp| self.stamps.last() != Some(stamp)) {
            self.stamps.push(stamp);
        }
        match self.last {
            None => self.first = Some((time_s, read.value)),
            #[allow(clippy::float_cmp)] // the same number shown again, not a computed one
            Some((before, value)) if value != read.value => {
                self.changes.push(Change { time_s: (before + time_s) / 2.0, value: read.value, gap_s: time_s - before });
            }
            Some(_) => {}
        }
        self.last = Some((time_s, read.value));
    }

    /// Time between one update and the next, as far as changes show them. The sensor's own stamps say it too, but only where they repeat while it
    /// holds a value: elsewhere they are the time of the read.
    pub(super) fn gaps(&self) -> Vec<f64> {
        let differences = |times: &mut dyn Iterator<Item = f64>| {
            let times: Vec<f64> = times.collect();
            times.windows(2).map(|pair| pair[1] - pair[0]).collect::<Vec<_>>()
        };
        if self.stamps.len() > 4 && self.stamps.len() * 2 < self.polls {
            return differences(&mut self.stamps.iter().copied());
        }
        differences(&mut self.changes.iter().map(|change| change.time_s))
    }

    /// Changes from `from_s` to `to_s`.
    pub(super) fn within(&self, from_s: f64, to_s: f64) -> &[Change] {
        let start = self.changes.partition_point(|change| change.time_s < from_s);
        let end = self.changes.partition_point(|change| change.time_s <= to_s);
        &self.changes[start..end.max(start)]
    }

    /// Integral of the shown value from `from_s` to `to_s`; `None` where polling did not cover that.
    pub(super) fn integral(&self, from_s: f64, to_s: f64) -> Option<f64> {
        let ((first_s, first), (last_s, _)) = (self.first?, self.last?);
        if from_s < first_s || to_s > last_s || to_s <= from_s {
            return None;
        }
        let before = self.changes.partition_point(|change| change.time_s <= from_s);
        let mut value = before.checked_sub(1).map_or(first, |at| self.changes[at].value);
        let (mut sum, mut at_s) = (0.0, from_s);
        for change in self.within(from_s, to_s) {
            sum += value * (change.time_s - at_s);
            (value, at_s) = (change.value, change.time_s);
        }
        Some(sum + value * (to_s - at_s))
    }

    /// Value at `time_s` on the straight line between neighbouring changes; `None` outside them.
    pub(super) fn interpolate(&self, time_s: f64) -> Option<f64> {
        let after = self.changes.partition_point(|change| change.time_s < time_s);
        let (a, b) = (self.changes.get(after.checked_sub(1)?)?, self.changes.get(after)?);
        Some(a.value + (b.value - a.value) * (time_s - a.time_s) / (b.time_s - a.time_s))
    }

    /// Rise per second of the straight line through the changes in a stretch, at least six; errs less than the two ends alone.
    pub(super) fn slope(&self, from_s: f64, to_s: f64) -> Option<f64> {
        let changes = self.within(from_s, to_s);
        let middle = |of: fn(&Change) -> f64| changes.iter().map(of).sum::<f64>() / super::statistics::count(changes.len());
        let (time_s, value) = (middle(|change| change.time_s), middle(|change| change.value));
        let (xx, xy) = changes.iter().fold((0.0, 0.0), |(xx, xy), change| {
            let x = change.time_s - time_s;
            (xx + x * x, xy + x * (change.value - value))
        });
        (changes.len() >= 6).then_some(xy / xx)
    }

    /// Adds a point whose time is known, such as the end of a wait.
    pub(super) fn mark(&mut self, time_s: f64, value: f64) {
        self.changes.push(Change { time_s, value, gap_s: 0.0 });
        self.last = Some((time_s, value));
        self.first.get_or_insert((time_s, value));
    }
}

/// Undoes the wrap of a 32-bit counter of millijoules.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Unwrap {
    last_j: Option<f64>,
    offset_j: f64,
}

impl Unwrap {
    /// 2³² mJ: four hours at 300 W.
    const RANGE_J: f64 = 4_294_967.296;

    /// The reading with wraps undone.
    pub(super) fn next(&mut self, now_j: f64) -> Result<f64, Unavailable> {
        let last_j = self.last_j.replace(now_j).unwrap_or(now_j);
        if now_j < last_j {
            // A wrap comes from the top of the range and lands near zero; anything else is a counter that was reset.
            let wrapped = (0.9 * Self::RANGE_J..=Self::RANGE_J).contains(&last_j) && now_j < 0.1 * Self::RANGE_J;
            if !wrapped {
                return Err(Unavailable::CounterFell { from_j: last_j, to_j: now_j });
            }
            self.offset_j += Self::RANGE_J;
        }
        Ok(now_j + self.offset_j)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stairs() -> Series {
        let mut series = Series::default();
        for (time_s, value) in [(0.0, 1.0), (1.0, 1.0), (3.0, 2.0), (4.0, 2.0), (6.0, 5.0), (7.0, 5.0)] {
            series.push(time_s, Stamped::plain(value));
        }
        series
    }

    #[test]
    fn a_change_lies_midway_between_two_polls() {
        let changes: Vec<_> = stairs().changes.iter().map(|c| (c.time_s, c.value, c.gap_s)).collect();
        assert_eq!(changes, [(2.0, 2.0, 2.0), (5.0, 5.0, 2.0)]);
    }

    #[test]
    fn the_integral_holds_each_value_until_it_changes() {
        for (from, to, expected) in
            [(0.0, 2.0, Some(2.0)), (1.0, 6.0, Some(12.0)), (2.5, 4.5, Some(4.0)), (-1.0, 2.0, None), (6.0, 8.0, None)]
        {
            assert_eq!(stairs().integral(from, to), expected, "{from} to {to}");
        }
        assert_eq!(stairs().interpolate(3.5), Some(3.5));
        assert_eq!(stairs().interpolate(1.0), None);
        assert_eq!(stairs().slope(0.0, 7.0), None);
        let mut line = Series::default();
        (0..8).for_each(|i| line.mark(f64::from(i), 3.0 + 2.0 * f64::from(i)));
        assert_eq!(line.slope(0.0, 7.0), Some(2.0));
    }

    #[test]
    fn a_wrapped_counter_goes_on_and_a_reset_one_is_refused() {
        let mut unwrap = Unwrap::default();
        let seen: Vec<f64> = [4_294_960.0, 4_294_967.0, 2.704].map(|j| unwrap.next(j).expect("a wrap")).into();
        assert!((seen[2] - seen[1] - 3.0).abs() < 1e-6, "{seen:?}");
        let mut reset = Unwrap::default();
        reset.next(1000.0).expect("a first reading");
        let error = reset.next(3.0).expect_err("a reset").to_string();
        assert_eq!(error, "the energy counter fell from 1000.000 J to 3.000 J: the driver was reloaded or the counter was reset");
    }
}
