//! True power over time, and sensors that look at it.

use std::collections::VecDeque;

use crate::random::Random;

use super::{Fault, Setup};

/// Longest step in which power is followed.
const STEP_S: f64 = 1e-3;
/// Correlation time of the power's own movement.
const FLUTTER_S: f64 = 0.05;
/// What clocks that are still up add to idle power after load, and how fast that goes.
const AFTERGLOW: (f64, f64) = (0.04, 0.8);
/// Power at the start of load is so much below its end, and rises with this time constant.
const RISE: (f64, f64) = (0.2, 0.01);
/// Temperature above the room per watt, and its time constant; leakage per degree.
const HEAT: (f64, f64, f64) = (0.12, 15.0, 0.0006);
const ROOM_C: f64 = 30.0;
/// Range of a 32-bit counter of millijoules.
const WRAP_MJ: f64 = 4_294_967_296.0;

/// Cumulative sums at one moment.
#[derive(Clone, Copy, Debug, Default)]
struct Sums {
    time_s: f64,
    /// Energy as it was.
    energy_j: f64,
    /// The same with what moves within a launch averaged out.
    mean_j: f64,
    busy_s: f64,
}

/// A value that is shown from a moment on.
#[derive(Clone, Copy, Debug)]
struct Shown {
    from_s: f64,
    instant_w: f64,
    average_w: f64,
}

#[derive(Clone, Copy, Debug)]
struct Counted {
    from_s: f64,
    energy_j: f64,
}

pub(super) struct World {
    pub(super) setup: Setup,
    pub(super) now_s: f64,
    random: Random,
    /// Truth and sensors are worked out up to here, which is as far as anybody has looked.
    known_s: f64,
    history: Vec<Sums>,
    /// Work queued without a gap: from, to.
    queue: (f64, f64),
    launched: u64,
    /// (done at, launches done by then).
    batches: VecDeque<(f64, u64)>,
    done: u64,
    flutter: f64,
    heat_c: f64,
    next_update_s: f64,
    next_tick_s: f64,
    last_tick_s: f64,
    low_pass_w: f64,
    /// Last instant reading, for a counter that ticks with it.
    sampled_w: f64,
    counted_j: f64,
    readings: VecDeque<Shown>,
    counts: VecDeque<Counted>,
}

impl World {
    pub(super) fn new(setup: &Setup) -> Self {
        let mut random = Random::stream(setup.seed, 0xb0a);
        let phase = f64::midpoint(random.signed(), 1.0);
        let idle_w = setup.profile.idle_w + setup.profile.module_w;
        // Sums begin before time 0, so that the first windows have something to average.
        let past = Sums { time_s: -5.0, ..Sums::default() };
        let now = Sums { time_s: 0.0, energy_j: 5.0 * idle_w, mean_j: 5.0 * idle_w, busy_s: 0.0 };
        let first_w = setup.gain * idle_w;
        Self {
            setup: *setup,
            now_s: 0.0,
            known_s: 0.0,
            history: vec![past, now],
            queue: (-1e9, -1e9),
            launched: 0,
            batches: VecDeque::new(),
            done: 0,
            flutter: 0.0,
            heat_c: HEAT.0 * idle_w,
            next_update_s: phase * setup.profile.period_s,
            next_tick_s: phase * setup.profile.period_s,
            last_tick_s: 0.0,
            low_pass_w: idle_w,
            sampled_w: first_w,
            counted_j: 0.0,
            readings: VecDeque::from([Shown { from_s: -1.0, instant_w: first_w, average_w: first_w }]),
            counts: VecDeque::from([Counted { from_s: -1.0, energy_j: 0.0 }]),
            random,
        }
    }

    pub(super) fn launch_s(&self) -> f64 {
        self.setup.kernel.launch_s
    }

    pub(super) fn pass_between(&mut self, (low, high): (f64, f64)) {
        let seconds = low + (high - low) * f64::midpoint(self.random.signed(), 1.0);
        self.pass(seconds);
    }

    pub(super) fn pass(&mut self, seconds: f64) {
        self.now_s += seconds;
    }

    /// Works truth and sensors out up to now.
    pub(super) fn catch_up(&mut self) {
        while self.known_s < self.now_s {
            self.step(STEP_S.min(self.now_s - self.known_s));
        }
    }

    /// The same, where a sensor has done something since.
    pub(super) fn look(&mut self) {
        if self.next_update_s <= self.now_s || self.next_tick_s <= self.now_s {
            self.catch_up();
        }
    }

    pub(super) fn launch(&mut self, n: u64) {
        self.pass(if let Fault::SlowLaunches(seconds) = self.setup.fault { seconds } else { 2e-5 });
        #[allow(clippy::cast_precision_loss)] // launches of one measurement
        let work_s = n as f64 * self.launch_s();
        if self.queue.1 <= self.now_s {
            self.catch_up();
        }
        let start = if self.queue.1 > self.now_s { self.queue.0 } else { self.now_s };
        self.queue = (start, self.queue.1.max(self.now_s) + work_s);
        self.launched += n;
        self.batches.push_back((self.queue.1, self.launched));
    }

    pub(super) fn completed(&mut self) -> u64 {
        while let Some((_, done)) = self.batches.front().copied().filter(|(at_s, _)| *at_s <= self.now_s) {
            self.done = done;
            self.batches.pop_front();
        }
        self.done
    }

    pub(super) fn wait(&mut self) {
        self.pass((self.queue.1 - self.now_s).max(0.0) + 1e-5);
    }

    pub(super) fn temperature_c(&self) -> f64 {
        ROOM_C + self.heat_c
    }

    /// One step of the truth, then whatever sensors do in it.
    fn step(&mut self, dt: f64) {
        let (from, to) = (self.known_s, self.known_s + dt);
        let busy_s = (to.min(self.queue.1) - from.max(self.queue.0)).max(0.0);
        let (idle_w, load_w, swing) = (self.idle_w(), self.load_w(dt), self.swing(from, to.min(self.queue.1)));
        let mean_w = idle_w + (load_w - idle_w) * busy_s / dt;
        let power_w = idle_w + (load_w * (1.0 + swing) - idle_w) * busy_s / dt;
        self.heat_c += (HEAT.0 * power_w - self.heat_c) * dt / HEAT.1;
        let last = *self.history.last().expect("begins with two");
        self.history.push(Sums {
            time_s: to,
            energy_j: last.energy_j + power_w * dt,
            mean_j: last.mean_j + mean_w * dt,
            busy_s: last.busy_s + busy_s,
        });
        self.known_s = to;
        while self.next_update_s <= to {
            self.update();
        }
        while self.setup.profile.tick_s > 0.0 && self.next_tick_s <= to {
            self.tick();
        }
    }

    fn idle_w(&self) -> f64 {
        let since = (self.known_s - self.queue.1).max(0.0) / AFTERGLOW.1;
        // Not worth an exponential once it is gone.
        let glow = if since < 20.0 { AFTERGLOW.0 * self.setup.profile.tdp_w * (-since).exp() } else { 0.0 };
        self.setup.profile.idle_w + self.setup.profile.module_w + glow
    }

    fn load_w(&mut self, dt: f64) -> f64 {
        self.flutter += -self.flutter * dt / FLUTTER_S + (2.0 * dt / FLUTTER_S).sqrt() * self.normal();
        let since = (self.known_s - self.queue.0).max(0.0) / RISE.1;
        let rise = if since < 20.0 { 1.0 - RISE.0 * (-since).exp() } else { 1.0 };
        let leak = 1.0 + HEAT.2 * (self.temperature_c() - 60.0);
        self.setup.kernel.power_w * rise * leak * (1.0 + self.setup.flutter * self.flutter) + self.setup.profile.module_w
    }

    /// What the moment within the launch adds, averaged from one time to another: a third of a launch is above the mean, two thirds below.
    fn swing(&self, from_s: f64, to_s: f64) -> f64 {
        if to_s - from_s < 1e-9 {
            return 0.0;
        }
        let launch_s = self.launch_s();
        let sum = |time_s: f64| {
            let phase = ((time_s - self.queue.0) / launch_s).fract();
            launch_s * if phase < 1.0 / 3.0 { phase } else { 0.5 - 0.5 * phase }
        };
        self.setup.kernel.swing * (sum(to_s) - sum(from_s)) / (to_s - from_s)
    }

    /// Close to a normal: the sum of four uniforms from one draw.
    fn normal(&mut self) -> f64 {
        let bits = self.random.bits();
        let sum = [0, 16, 32, 48].map(|shift| f64::from(((bits >> shift) & 0xFFFF) as u16)).iter().sum::<f64>();
        (sum / 65_536.0 - 2.0) * 3f64.sqrt()
    }

    fn at(&self, time_s: f64) -> Sums {
        let after = self.history.partition_point(|sums| sums.time_s < time_s).clamp(1, self.history.len() - 1);
        let (a, b) = (self.history[after - 1], self.history[after]);
        let share = (time_s - a.time_s) / (b.time_s - a.time_s);
        let mix = |x: f64, y: f64| x + (y - x) * share;
        Sums { time_s, energy_j: mix(a.energy_j, b.energy_j), mean_j: mix(a.mean_j, b.mean_j), busy_s: mix(a.busy_s, b.busy_s) }
    }

    pub(super) fn mean_energy_j(&self, from_s: f64, to_s: f64) -> f64 {
        self.at(to_s).mean_j - self.at(from_s).mean_j
    }

    pub(super) fn idle_time_s(&self, from_s: f64, to_s: f64) -> f64 {
        to_s - from_s - (self.at(to_s).busy_s - self.at(from_s).busy_s)
    }

    fn mean_w(&self, to_s: f64, window_s: f64) -> f64 {
        (self.at(to_s).energy_j - self.at(to_s - window_s).energy_j) / window_s
    }

    /// The sensor takes a value, to be shown `lag_s` later.
    fn update(&mut self) {
        let (at_s, profile) = (self.next_update_s, self.setup.profile);
        let mut read_w = self.mean_w(at_s, profile.window_s);
        if profile.tau_s > 0.0 {
            self.low_pass_w += (read_w - self.low_pass_w) * (1.0 - (-profile.period_s / profile.tau_s).exp());
            read_w = self.low_pass_w;
        }
        let noise = 1.0 + self.setup.noise * self.normal();
        let milliwatts = |watts: f64| (watts * 1e3).round() * 1e-3;
        self.sampled_w = self.setup.gain * read_w * noise;
        let average_w = milliwatts(self.setup.gain * self.mean_w(at_s, 1.0));
        self.readings.push_back(Shown { from_s: at_s + self.setup.lag_s, instant_w: milliwatts(self.sampled_w), average_w });
        while self.readings.len() > 1 && self.readings[1].from_s <= self.known_s {
            self.readings.pop_front();
        }
        // Periods wander by two percent.
        self.next_update_s += profile.period_s * (1.0 + 0.02 * self.random.signed());
    }

    /// The counter adds what the sensor saw since its last tick. It ticks with the sensor's own updates where their periods are the same.
    fn tick(&mut self) {
        let (at_s, profile) = (self.next_tick_s, self.setup.profile);
        let extra_w = if let Fault::CounterExtra(watts) = self.setup.fault { watts } else { 0.0 };
        let next_s = self.next_update_s.max(at_s + profile.tick_s / 2.0);
        self.counted_j += (self.sampled_w + extra_w) * (at_s - self.last_tick_s);
        self.last_tick_s = at_s;
        self.counts.push_back(Counted { from_s: at_s + self.setup.lag_s, energy_j: self.counted_j });
        while self.counts.len() > 1 && self.counts[1].from_s <= self.known_s {
            self.counts.pop_front();
        }
        self.next_tick_s = next_s;
    }

    fn shown(&self) -> Shown {
        if self.setup.fault == Fault::Frozen {
            return self.readings[0];
        }
        *self.readings.iter().rev().find(|shown| shown.from_s <= self.now_s).unwrap_or(&self.readings[0])
    }

    pub(super) fn instant_w(&self) -> f64 {
        if self.setup.fault == Fault::Frozen { self.setup.profile.idle_w } else { self.shown().instant_w }
    }

    pub(super) fn average_w(&self) -> f64 {
        if self.setup.fault == Fault::Frozen { self.setup.profile.idle_w } else { self.shown().average_w }
    }

    /// In whole millijoules.
    pub(super) fn counter_j(&self) -> f64 {
        let counted = self.counts.iter().rev().find(|counted| counted.from_s <= self.now_s).unwrap_or(&self.counts[0]);
        let millijoules = (counted.energy_j * 1e3).round();
        match self.setup.fault {
            Fault::Frozen => 1e3,
            Fault::CounterReset(at_s) if self.now_s >= at_s => (millijoules * 1e-3).round() * 1e-3,
            Fault::CounterWraps(after_j) => (WRAP_MJ - after_j * 1e3 + millijoules).rem_euclid(WRAP_MJ).round() * 1e-3,
            _ => millijoules * 1e-3,
        }
    }
}
