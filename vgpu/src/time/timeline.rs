//! A quantity over virtual time that follows a piecewise constant target with a first-order rise, and its exact integral.

/// One stretch with one target. It ends where the next begins; the last one never ends.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stretch {
    start_ns: u64,
    target: f64,
    /// Value at the start.
    level: f64,
    /// Integral from zero to the start, value × seconds.
    before: f64,
}

/// Appended to in order of time; asked about any time. Zero before the first entry.
#[derive(Clone, Debug, PartialEq)]
pub struct Timeline {
    rise_s: f64,
    most: usize,
    stretches: Vec<Stretch>,
}

/// Stretches kept in full, 32 MiB; of what lies before them only the mean is kept.
const MOST: usize = 1 << 20;

impl Timeline {
    /// A timeline at zero whose value covers 63 % of a step within `rise_s` seconds; 0 steps at once.
    pub fn new(rise_s: f64) -> Self {
        Self { rise_s, most: MOST, stretches: vec![Stretch { start_ns: 0, target: 0.0, level: 0.0, before: 0.0 }] }
    }

    /// The target is `target` from `begin_ns` to `end_ns` and zero afterwards, until the next entry.
    ///
    /// `begin_ns` before the end of the last entry is moved to that end.
    pub fn add(&mut self, begin_ns: u64, end_ns: u64, target: f64) {
        let begin_ns = begin_ns.max(self.last().start_ns);
        if end_ns <= begin_ns || target == 0.0 {
            return;
        }
        if self.last().start_ns == begin_ns
            && self.stretches.len() > 1
            && self.stretches[self.stretches.len() - 2].target == target
        {
            // It goes on as before: without the tail, the last stretch simply lasts longer.
            self.stretches.pop();
        } else {
            self.turn(begin_ns, target);
        }
        self.turn(end_ns, 0.0);
    }

    fn last(&self) -> &Stretch {
        self.stretches.last().expect("a timeline has a stretch from the start")
    }

    fn turn(&mut self, at_ns: u64, target: f64) {
        let last = *self.last();
        let next =
            Stretch { start_ns: at_ns, target, level: self.value_in(&last, at_ns), before: self.integral_in(&last, at_ns) };
        if last.start_ns == at_ns {
            self.stretches.pop();
        }
        self.stretches.push(next);
        if self.stretches.len() > self.most {
            self.forget();
        }
    }

    /// Puts one stretch with the mean value in place of the older half. Integrals from zero, and within the newer half, stay what they were.
    fn forget(&mut self) {
        let cut = self.stretches.len() / 2;
        let kept = self.stretches[cut];
        let mean = kept.before / (kept.start_ns as f64 * 1e-9);
        self.stretches.splice(..cut, [Stretch { start_ns: 0, target: mean, level: mean, before: 0.0 }]);
    }

    fn stretch(&self, at_ns: u64) -> &Stretch {
        let after = self.stretches.partition_point(|s| s.start_ns <= at_ns);
        &self.stretches[after.saturating_sub(1)]
    }

    fn value_in(&self, s: &Stretch, at_ns: u64) -> f64 {
        let dt = at_ns.saturating_sub(s.start_ns) as f64 * 1e-9;
        if self.rise_s > 0.0 { s.target + (s.level - s.target) * (-dt / self.rise_s).exp() } else { s.target }
    }

    fn integral_in(&self, s: &Stretch, at_ns: u64) -> f64 {
        let dt = at_ns.saturating_sub(s.start_ns) as f64 * 1e-9;
        let rising = if self.rise_s > 0.0 { (s.level - s.target) * self.rise_s * -(-dt / self.rise_s).exp_m1() } else { 0.0 };
        s.before + s.target * dt + rising
    }

    /// The value at `at_ns`.
    pub fn value(&self, at_ns: u64) -> f64 {
        self.value_in(self.stretch(at_ns), at_ns)
    }

    /// The integral from `from_ns` to `to_ns`, value × seconds; zero where the range is empty.
    pub fn integral(&self, from_ns: u64, to_ns: u64) -> f64 {
        if to_ns <= from_ns {
            return 0.0;
        }
        self.integral_in(self.stretch(to_ns), to_ns) - self.integral_in(self.stretch(from_ns), from_ns)
    }

    /// The mean over the `window_ns` before `at_ns`, less at the beginning of time.
    pub fn mean(&self, at_ns: u64, window_ns: u64) -> f64 {
        let from = at_ns.saturating_sub(window_ns);
        if from == at_ns { self.value(at_ns) } else { self.integral(from, at_ns) / ((at_ns - from) as f64 * 1e-9) }
    }

    /// Stretches kept.
    pub fn len(&self) -> usize {
        self.stretches.len()
    }

    /// Whether nothing was ever added.
    pub fn is_empty(&self) -> bool {
        self.stretches.len() == 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const S: u64 = 1_000_000_000;

    #[test]
    fn the_integral_equals_a_fine_sum_of_values() {
        for rise in [0.0, 0.02, 0.4] {
            let mut line = Timeline::new(rise);
            line.add(S, 2 * S, 100.0);
            line.add(2 * S, 3 * S, 40.0);
            line.add(4 * S, 4 * S + S / 2, 70.0);
            for (from, to) in [(0, 6 * S), (S / 2, 3 * S + S / 3), (2 * S, 2 * S), (5 * S, 6 * S)] {
                let steps = 400_000;
                let width = (to - from) as f64 / f64::from(steps);
                let sum: f64 =
                    (0..steps).map(|i| line.value(from + ((f64::from(i) + 0.5) * width) as u64)).sum::<f64>() * width * 1e-9;
                assert!((line.integral(from, to) - sum).abs() < 5e-3, "rise {rise}: {} against {sum}", line.integral(from, to));
            }
        }
    }

    #[test]
    fn entries_that_go_on_alike_take_no_room() {
        let mut line = Timeline::new(0.01);
        let mut once = Timeline::new(0.01);
        for i in 0..100_000u64 {
            line.add(i * 1000, (i + 1) * 1000, 5.0);
        }
        once.add(0, 100_000 * 1000, 5.0);
        assert_eq!(line.len(), once.len());
        assert!((line.integral(0, S) - once.integral(0, S)).abs() < 1e-12);
    }

    #[test]
    fn what_is_long_past_is_kept_as_its_mean() {
        let mut whole = Timeline::new(0.002);
        let mut short = Timeline { most: 64, ..whole.clone() };
        for i in 0..1000u64 {
            let (begin, end, value) = (S + i * 3_000_000, S + i * 3_000_000 + 2_000_000, (i % 7) as f64);
            whole.add(begin, end, value);
            short.add(begin, end, value);
        }
        assert!(short.len() <= 64 && whole.len() > 1000);
        let end = S + 3_000_000_000;
        for (from, to) in [(0, end), (0, end - 20_000_000), (end - 50_000_000, end)] {
            assert!((short.integral(from, to) - whole.integral(from, to)).abs() < 1e-9, "{from} to {to}");
        }
    }

    #[test]
    fn a_step_covers_two_thirds_within_the_rise() {
        let mut line = Timeline::new(0.1);
        line.add(S, 3 * S, 100.0);
        assert!((line.value(S + S / 10) - 63.2).abs() < 0.1);
        assert!((line.mean(2 * S, S) - (100.0 - 10.0)).abs() < 0.1);
    }
}
