//! How sensors show the truth: update periods, windows, gaps, gains, counters.

use super::scenario::{Counter, CounterSource, Scenario, Scope, Sensor};
use crate::time::{Traces, costs};

/// The true power of one card: what it draws idle, what its work adds, what others add.
#[derive(Clone, Copy)]
pub struct Truth<'a> {
    /// Power with nothing running, W.
    pub idle_w: f64,
    /// What the work does.
    pub traces: &'a Traces,
    /// Other processes and the rest of the module.
    pub scenario: &'a Scenario,
}

impl Truth<'_> {
    /// Power at `at_ns`, W.
    pub fn power_w(&self, scope: Scope, at_ns: u64) -> f64 {
        let at_s = at_ns as f64 * 1e-9;
        let others: f64 = self.scenario.process.iter().filter(|p| (p.from_s..p.to_s).contains(&at_s)).map(|p| p.power_w).sum();
        self.idle_w + others + self.module_w(scope) + self.traces.power_w(at_ns)
    }

    /// Energy from `from_ns` to `to_ns`, J.
    pub fn energy_j(&self, scope: Scope, from_ns: u64, to_ns: u64) -> f64 {
        if to_ns <= from_ns {
            return 0.0;
        }
        let (from_s, to_s) = (from_ns as f64 * 1e-9, to_ns as f64 * 1e-9);
        let overlap = |begin: f64, end: f64| (end.min(to_s) - begin.max(from_s)).max(0.0);
        let others: f64 = self.scenario.process.iter().map(|p| p.power_w * overlap(p.from_s, p.to_s)).sum();
        (self.idle_w + self.module_w(scope)) * (to_ns - from_ns) as f64 * 1e-9 + others + self.traces.energy_j(from_ns, to_ns)
    }

    fn module_w(&self, scope: Scope) -> f64 {
        if scope == Scope::Module { self.scenario.power.module_w } else { 0.0 }
    }

    fn mean_w(&self, scope: Scope, from_ns: u64, to_ns: u64) -> f64 {
        if to_ns <= from_ns {
            self.power_w(scope, to_ns)
        } else {
            self.energy_j(scope, from_ns, to_ns) / ((to_ns - from_ns) as f64 * 1e-9)
        }
    }
}

/// One reading.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Reading {
    /// W, as the sensor sees it.
    pub power_w: f64,
    /// When the sensor took it, ns.
    pub at_ns: u64,
}

/// A sensor with its phase drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gauge {
    sensor: Sensor,
    period_ns: u64,
    phase_ns: u64,
    seed: u64,
}

impl Gauge {
    /// The gauge of `sensor`; `salt` keeps gauges of one scenario apart.
    pub fn new(sensor: Sensor, seed: u64, salt: u64) -> Self {
        let seed = scramble(seed ^ scramble(salt));
        let period_ns = costs::ns(sensor.period_s).max(1);
        let phase_ns =
            if sensor.phase_s < 0.0 { (unit(seed) * period_ns as f64) as u64 } else { costs::ns(sensor.phase_s) % period_ns };
        Self { sensor, period_ns, phase_ns: phase_ns % period_ns, seed }
    }

    /// Updates that have happened by `at_ns`.
    pub fn updates(&self, at_ns: u64) -> u64 {
        at_ns.checked_sub(self.phase_ns).map_or(0, |past| past / self.period_ns + 1)
    }

    /// The `n`-th update, from 0.
    pub fn update(&self, n: u64, truth: &Truth<'_>) -> Reading {
        let at_ns = self.phase_ns + n * self.period_ns;
        let to_ns = at_ns.saturating_sub(costs::ns(self.sensor.lag_s));
        let from_ns = to_ns.saturating_sub(costs::ns(self.sensor.window_s));
        let seen = truth.mean_w(self.sensor.scope, from_ns, to_ns) * self.sensor.gain + self.sensor.offset_w;
        let noise = if self.sensor.noise_w > 0.0 { self.sensor.noise_w * normal(self.seed ^ scramble(n)) } else { 0.0 };
        Reading { power_w: (seen + noise).max(0.0), at_ns }
    }

    /// What it shows at `at_ns`: its latest update; `None` before the first.
    pub fn read(&self, at_ns: u64, truth: &Truth<'_>) -> Option<Reading> {
        Some(self.update(self.updates(at_ns).checked_sub(1)?, truth))
    }

    /// The sensor's description.
    pub fn sensor(&self) -> &Sensor {
        &self.sensor
    }
}

/// The energy counter, which remembers how far it has added up.
#[derive(Clone, Debug)]
pub struct Meter {
    counter: Counter,
    gauge: Option<Gauge>,
    added: u64,
    sum_j: f64,
}

impl Meter {
    /// A counter beside the instantaneous gauge it adds up.
    pub fn new(counter: Counter, gauge: Option<Gauge>) -> Self {
        Self { counter, gauge, added: 0, sum_j: 0.0 }
    }

    /// The counter at `at_ns`, mJ, and when it took that value, ns.
    pub fn read(&mut self, at_ns: u64, truth: &Truth<'_>) -> (u64, u64) {
        let tick_ns = costs::ns(self.counter.tick_s).max(1);
        // Counter and sensor tick on one grid where their periods are equal.
        let phase = self.gauge.map_or(0, |g| g.phase_ns % tick_ns);
        let ticked_ns = at_ns.checked_sub(phase).map_or(0, |past| phase + past / tick_ns * tick_ns);
        let joules = match (self.counter.source, self.gauge) {
            (CounterSource::Sensor, Some(gauge)) => self.sum_to(gauge.updates(ticked_ns), &gauge, truth),
            (_, gauge) => truth.energy_j(self.counter.scope, 0, ticked_ns) * gauge.map_or(1.0, |g| g.sensor.gain),
        };
        let total = self.counter.start_mj.wrapping_add((joules * 1e3) as u64);
        (if self.counter.wrap_mj > 0 { total % self.counter.wrap_mj } else { total }, ticked_ns)
    }

    /// The sensor's scope wins, except that a counter of the module adds the module where the sensor leaves it out.
    fn sum_to(&mut self, updates: u64, gauge: &Gauge, truth: &Truth<'_>) -> f64 {
        if updates < self.added {
            (self.added, self.sum_j) = (0, 0.0);
        }
        let seconds = gauge.period_ns as f64 * 1e-9;
        let rest = if self.counter.scope == Scope::Module && gauge.sensor.scope == Scope::Gpu {
            truth.scenario.power.module_w
        } else {
            0.0
        };
        for n in self.added..updates {
            self.sum_j += (gauge.update(n, truth).power_w + rest) * seconds;
        }
        self.added = updates;
        self.sum_j
    }
}

/// splitmix64's finaliser.
fn scramble(x: u64) -> u64 {
    let x = x.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let x = (x ^ (x >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ (x >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ (x >> 31)
}

fn unit(seed: u64) -> f64 {
    (scramble(seed) >> 11) as f64 / (1u64 << 53) as f64
}

/// Box and Muller's transform of two uniform draws.
fn normal(seed: u64) -> f64 {
    let (a, b) = (unit(seed).max(1e-12), unit(seed ^ 0x5555));
    (-2.0 * a.ln()).sqrt() * (std::f64::consts::TAU * b).cos()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::{Activity, Span};

    const MS: u64 = 1_000_000;
    const S: u64 = 1000 * MS;

    /// 50 W idle; 250 W more from 11 s to 16 s.
    fn traces(rise_s: f64) -> Traces {
        let mut traces = Traces::new(rise_s);
        let busy = Activity { above_idle_w: 250.0, dram: 0.2, sm_mhz: 1410, reasons: 0 };
        traces.compute(Span { begin_ns: 11 * S, end_ns: 16 * S }, &busy);
        traces
    }

    fn with<T>(scenario: &Scenario, rise_s: f64, look: impl FnOnce(&Truth<'_>) -> T) -> T {
        let traces = traces(rise_s);
        look(&Truth { idle_w: 50.0, traces: &traces, scenario })
    }

    #[test]
    fn a_reading_is_the_mean_of_the_window_that_ended_a_lag_before_it() {
        let scenario = Scenario::default();
        for (period_s, window_s, lag_s, gain) in
            [(0.1, 0.025, 0.0, 1.0), (0.1, 1.0, 0.0, 0.96), (0.02, 0.01, 0.05, 1.1), (0.1, 0.1, 0.3, 1.0)]
        {
            let sensor = Sensor { period_s, window_s, lag_s, gain, phase_s: 0.013, ..Sensor::default() };
            let gauge = Gauge::new(sensor, 7, 0);
            with(&scenario, 0.02, |truth| {
                for at in (10 * S..17 * S).step_by(37 * MS as usize) {
                    let reading = gauge.read(at, truth).unwrap();
                    assert!(reading.at_ns <= at && at - reading.at_ns < costs::ns(period_s));
                    let to = reading.at_ns - costs::ns(lag_s);
                    let from = to - costs::ns(window_s);
                    // Summed in fine steps, not by the integral the gauge uses.
                    let n = 2000;
                    let mean: f64 =
                        (0..n).map(|i| truth.power_w(Scope::Gpu, from + (to - from) * (2 * i + 1) / (2 * n))).sum::<f64>()
                            / n as f64;
                    assert!(
                        (reading.power_w - gain * mean).abs() < 0.2,
                        "{sensor:?} at {at}: {} against {}",
                        reading.power_w,
                        gain * mean
                    );
                }
            });
        }
    }

    #[test]
    fn a_part_time_sensor_misses_a_load_that_hides_between_its_windows() {
        let mut traces = Traces::new(0.0);
        let busy = Activity { above_idle_w: 200.0, dram: 0.0, sm_mhz: 1000, reasons: 0 };
        // Windows end at multiples of 100 ms and see 25 ms; the load runs in the first 60 ms after each.
        for k in 100..200u64 {
            traces.compute(Span { begin_ns: k * 100 * MS, end_ns: k * 100 * MS + 60 * MS }, &busy);
        }
        let scenario = Scenario::default();
        let truth = Truth { idle_w: 50.0, traces: &traces, scenario: &scenario };
        let gauge = Gauge::new(Sensor { period_s: 0.1, window_s: 0.025, phase_s: 0.0, ..Sensor::default() }, 1, 0);
        assert_eq!(gauge.read(15 * S, &truth).unwrap().power_w, 50.0);
        assert!((truth.energy_j(Scope::Gpu, 10 * S, 20 * S) - (500.0 + 1200.0)).abs() < 1e-6);
        let mut meter = Meter::new(Counter { tick_s: 0.1, ..Counter::default() }, Some(gauge));
        let counted = meter.read(20 * S, &truth).0 - meter.read(10 * S, &truth).0;
        assert!((counted as f64 - 500e3).abs() < 2.0, "the counter inherits the blind spot: {counted} mJ");
    }

    #[test]
    fn the_counter_moves_once_a_tick_and_wraps() {
        let scenario = Scenario::default();
        let counter =
            Counter { tick_s: 0.1, source: CounterSource::Truth, wrap_mj: 600_000, start_mj: 550_000, ..Counter::default() };
        with(&scenario, 0.0, |truth| {
            let mut meter = Meter::new(counter, None);
            let values: Vec<u64> = (0..1000u64).map(|i| meter.read(10 * S + i * MS, truth).0).collect();
            let changes = values.windows(2).filter(|w| w[0] != w[1]).count();
            assert_eq!(changes, 9, "nine ticks lie strictly inside 10.0 s to 10.999 s");
            assert_eq!(values[0], (550_000 + 500_000) % 600_000);
            let (early, late) = (meter.read(12 * S, truth).0, meter.read(14 * S, truth).0);
            assert_eq!((late + 600_000 - early) % 600_000, 0, "two seconds of 300 W are exactly one turn");
        });
    }

    #[test]
    fn noise_has_the_stated_spread_and_repeats() {
        let scenario = Scenario::default();
        let gauge = Gauge::new(Sensor { noise_w: 3.0, period_s: 0.001, ..Sensor::default() }, 3, 1);
        with(&scenario, 0.0, |truth| {
            let draws: Vec<f64> = (100..5100).map(|n| gauge.update(n, truth).power_w - 50.0).collect();
            let mean = draws.iter().sum::<f64>() / draws.len() as f64;
            let spread = (draws.iter().map(|d| (d - mean).powi(2)).sum::<f64>() / draws.len() as f64).sqrt();
            assert!(mean.abs() < 0.2 && (spread - 3.0).abs() < 0.15, "{mean} ± {spread}");
            assert_eq!(gauge.update(7, truth), gauge.update(7, truth));
        });
    }

    #[test]
    fn modules_and_other_processes_are_in_the_truth_for_their_time_only() {
        let mut scenario = Scenario::named("gh200").unwrap();
        scenario.process.push(super::super::scenario::Process {
            pid: 7,
            memory_mib: 1,
            power_w: 20.0,
            share: 0.0,
            from_s: 1.0,
            to_s: 3.0,
        });
        with(&scenario, 0.0, |truth| {
            assert_eq!(truth.power_w(Scope::Gpu, 2 * S), 70.0);
            assert_eq!(truth.power_w(Scope::Gpu, 3 * S), 50.0);
            assert_eq!(truth.power_w(Scope::Module, 3 * S), 140.0);
            assert!((truth.energy_j(Scope::Gpu, 0, 4 * S) - (200.0 + 40.0)).abs() < 1e-9);
        });
    }
}
