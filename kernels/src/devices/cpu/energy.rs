//! Energy of a call from windows of calls back to back.

use crate::{DeviceError, Energy, EnergyDetail, PowerMeter};

/// Windows per measurement: the fewest that give a spread.
const TRIALS: usize = 3;
/// 97.5 % quantile of Student's t with `TRIALS − 1` degrees of freedom.
const STUDENT_T: f64 = 4.303;
/// Longest wait for the counter to move at a window's edge. Package counters move every millisecond.
const EDGE_S: f64 = 0.5;

/// What a measurement needs beside the counter; parameters, so that a test can play a clock and a load.
pub(super) struct Stage<'a> {
    /// The counter.
    pub(super) meter: &'a mut dyn PowerMeter,
    /// Wall clock in seconds.
    pub(super) clock: &'a mut dyn FnMut() -> f64,
    /// Does nothing for so many seconds.
    pub(super) idle: &'a mut dyn FnMut(f64),
    /// One call of the kernel.
    pub(super) call: &'a mut dyn FnMut(),
}

/// One reading at a window's edge.
#[derive(Clone, Copy)]
struct Edge {
    time_s: f64,
    energy_j: f64,
}

struct Trial {
    energy_j: f64,
    power_w: f64,
    /// Energy of one step of the counter: what an edge may be off by.
    tick_j: f64,
    calls: f64,
    window_s: f64,
}

/// Measures energy per call: one idle window, then trials back to back, each window at least `window_s`.
///
/// A window opens at the moment the counter moves, under load. It closes wherever the counter stands, so it may miss what accrued since the
/// counter's last step: one tick per window, part of the uncertainty.
pub(super) fn measure(stage: &mut Stage<'_>, window_s: f64) -> Result<Energy, DeviceError> {
    let idle_w = stage.idle_power(window_s)?;
    let trials = (0..TRIALS).map(|_| stage.trial(window_s)).collect::<Result<Vec<_>, _>>()?;
    Ok(summary(&trials, idle_w))
}

fn summary(trials: &[Trial], idle_w: f64) -> Energy {
    #[allow(clippy::cast_precision_loss)] // a handful of trials
    let n = trials.len() as f64;
    let mean = |f: &dyn Fn(&Trial) -> f64| trials.iter().map(f).sum::<f64>() / n;
    let energy_j = mean(&|t| t.energy_j / t.calls);
    let variance = trials.iter().map(|t| (t.energy_j / t.calls - energy_j).powi(2)).sum::<f64>() / (n - 1.0);
    let tick_j = mean(&|t| t.tick_j / t.calls);
    Energy {
        energy_j,
        net_j: mean(&|t| (t.energy_j - idle_w * t.window_s) / t.calls),
        uncertainty_j: (STUDENT_T * (variance / n).sqrt()).hypot(tick_j),
        power_w: mean(&|t| t.power_w),
        idle_w,
        window_s: mean(&|t| t.window_s),
        detail: EnergyDetail { trials: Some(trials.len() as u64), ..EnergyDetail::default() },
    }
}

impl Stage<'_> {
    fn idle_power(&mut self, window_s: f64) -> Result<f64, DeviceError> {
        let start = self.read()?;
        (self.idle)(window_s);
        let end = self.read()?;
        moved(start, end, "of idling")?;
        Ok((end.energy_j - start.energy_j) / (end.time_s - start.time_s))
    }

    fn trial(&mut self, window_s: f64) -> Result<Trial, DeviceError> {
        let before = self.read()?;
        let start = self.next_step(before)?;
        let tick_j = (start.energy_j - before.energy_j).max(0.0);
        let mut calls = 0.0;
        while (self.clock)() - start.time_s < window_s {
            (self.call)();
            calls += 1.0;
        }
        let end = self.read()?;
        moved(start, end, "of calls")?;
        let (energy_j, window_s) = (end.energy_j - start.energy_j, end.time_s - start.time_s);
        Ok(Trial { energy_j, power_w: energy_j / window_s, tick_j, calls: f64::max(calls, 1.0), window_s })
    }

    /// Calls the kernel until the counter leaves `before`, so that the window starts at a step and under load.
    fn next_step(&mut self, before: Edge) -> Result<Edge, DeviceError> {
        loop {
            (self.call)();
            let now = self.read()?;
            if now.energy_j > before.energy_j || now.time_s - before.time_s > EDGE_S {
                return Ok(now);
            }
        }
    }

    fn read(&mut self) -> Result<Edge, DeviceError> {
        let energy_j = self.meter.energy_j()?;
        Ok(Edge { time_s: (self.clock)(), energy_j })
    }
}

/// A counter that stands still measured nothing, whatever it says.
fn moved(start: Edge, end: Edge, what: &str) -> Result<(), DeviceError> {
    if end.energy_j > start.energy_j && end.time_s > start.time_s {
        return Ok(());
    }
    Err(DeviceError::Sensor(format!("the energy counter did not move in {:.3} s {what}", end.time_s - start.time_s)))
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::*;
    use crate::EnergySource;

    /// A machine of 10 W idle and 40 W under load, whose counter moves in steps of a millisecond; a call takes 0.4 ms.
    struct Played {
        time_s: Cell<f64>,
        true_j: Cell<f64>,
        tick_s: f64,
        dies_after_s: f64,
    }

    struct Counter<'a>(&'a Played, f64, f64);

    impl PowerMeter for Counter<'_> {
        fn source(&self) -> EnergySource {
            EnergySource::Rapl
        }
        fn energy_j(&mut self) -> Result<f64, DeviceError> {
            if self.0.time_s.get() > self.0.dies_after_s {
                return Err(DeviceError::Sensor("gone".into()));
            }
            if self.0.time_s.get() >= self.1 {
                self.2 = self.0.true_j.get();
                self.1 = self.0.time_s.get() + self.0.tick_s;
            }
            Ok(self.2)
        }
    }

    impl Played {
        fn new(tick_s: f64, dies_after_s: f64) -> Self {
            Self { time_s: Cell::new(0.0), true_j: Cell::new(100.0), tick_s, dies_after_s }
        }
        fn pass(&self, seconds: f64, watts: f64) {
            self.time_s.set(self.time_s.get() + seconds);
            self.true_j.set(self.true_j.get() + seconds * watts);
        }
        fn measure(&self, window_s: f64) -> Result<Energy, DeviceError> {
            measure(
                &mut Stage {
                    meter: &mut Counter(self, 0.0, 0.0),
                    clock: &mut || self.time_s.get(),
                    idle: &mut |s| self.pass(s, 10.0),
                    call: &mut || self.pass(4e-4, 40.0),
                },
                window_s,
            )
        }
    }

    #[test]
    fn a_known_load_is_found_within_its_own_uncertainty() {
        for tick_s in [1e-3, 1e-2] {
            let energy = Played::new(tick_s, f64::INFINITY).measure(1.0).expect("a counter that works");
            assert!((energy.energy_j - 16e-3).abs() <= energy.uncertainty_j, "{energy:?}");
            assert!(energy.uncertainty_j < 0.05 * energy.energy_j, "{energy:?}");
            assert!((energy.idle_w - 10.0).abs() < 0.2 && (energy.power_w - 40.0).abs() < 1.0, "{energy:?}");
            assert!((energy.net_j - 12e-3).abs() < 0.04 * 12e-3 && energy.window_s >= 1.0, "{energy:?}");
        }
    }

    #[test]
    fn a_counter_that_stands_still_or_dies_is_an_error() {
        let cases = [
            (Played::new(f64::INFINITY, f64::INFINITY), "power sensor: the energy counter did not move in 1.000 s of idling"),
            (Played::new(1e-3, 0.5), "power sensor: gone"),
            (Played::new(1e-3, 2.5), "power sensor: gone"),
        ];
        for (played, expected) in cases {
            assert_eq!(played.measure(1.0).map_err(|e| e.to_string()), Err(expected.to_owned()));
        }
    }
}
