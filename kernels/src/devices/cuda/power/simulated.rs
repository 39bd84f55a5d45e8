//! **Simulation**: boards whose true power is known, seen through sensors like those of real ones. For tests and for `scripts/bench/energy`; no row of
//! a store ever comes from here.
//!
//! Power is followed in steps of a millisecond at most; sensors average it over their window, show it late, at their period, times a gain, with noise, in
//! milliwatts; counters add up what those readings see.

mod world;

use std::cell::RefCell;
use std::rc::Rc;

use crate::DeviceError;
use crate::random::Random;

use super::{Absent, Read, Sensor, Stage, Stamped, Throttle, Unavailable, Window};
use world::World;

/// Which readings a board offers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Offers {
    /// Instant power only: before Volta.
    Instant,
    /// Counter and instant power.
    CounterInstant,
    /// Everything.
    All,
    /// Counter and one-second average: Ampere and newer on a driver before 530.
    CounterAverage,
    /// One-second average only.
    Average,
}

impl Offers {
    const fn counter(self) -> bool {
        matches!(self, Self::CounterInstant | Self::All | Self::CounterAverage)
    }
    const fn instant(self) -> bool {
        matches!(self, Self::Instant | Self::CounterInstant | Self::All)
    }
    const fn average(self) -> bool {
        matches!(self, Self::All | Self::CounterAverage | Self::Average)
    }
}

/// One type of sensor.
#[derive(Clone, Copy, Debug)]
pub struct Profile {
    /// In tables.
    pub name: &'static str,
    /// Key of the table of priors.
    pub architecture: &'static str,
    /// Readings.
    pub offers: Offers,
    /// From update to update.
    pub period_s: f64,
    /// What an instant value averages.
    pub window_s: f64,
    /// Time constant of a low pass behind it; 0 for none.
    pub tau_s: f64,
    /// From tick to tick of the counter.
    pub tick_s: f64,
    /// Board power limit.
    pub tdp_w: f64,
    /// Power of the idle board.
    pub idle_w: f64,
    /// Power of a superchip's processor, in every reading.
    pub module_w: f64,
}

const fn profile(name: &'static str, architecture: &'static str, offers: Offers, times_s: [f64; 3], watts: [f64; 2]) -> Profile {
    let [period_s, window_s, tick_s] = times_s;
    let [tdp_w, idle_w] = watts;
    Profile { name, architecture, offers, period_s, window_s, tau_s: 0.0, tick_s, tdp_w, idle_w, module_w: 0.0 }
}

/// The rows of the sensor table (`prior`), one board each, in the combinations of readings in which they are met.
pub const PROFILES: [Profile; 10] = [
    Profile { tau_s: 0.15, ..profile("Kepler, Maxwell", "maxwell", Offers::Instant, [0.020, 0.020, 0.0], [235.0, 20.0]) },
    profile("Pascal", "pascal", Offers::Instant, [0.020, 0.010, 0.0], [250.0, 28.0]),
    profile("Volta", "volta", Offers::CounterInstant, [0.020, 0.010, 0.020], [300.0, 40.0]),
    profile("Turing", "turing", Offers::CounterInstant, [0.100, 0.100, 0.100], [280.0, 25.0]),
    profile("RTX 3090", "ampere-ga10x", Offers::All, [0.100, 0.100, 0.100], [350.0, 28.0]),
    profile("A100", "ampere-ga100", Offers::CounterInstant, [0.100, 0.025, 0.100], [400.0, 55.0]),
    profile("H100 instant", "hopper", Offers::All, [0.100, 0.025, 0.100], [350.0, 50.0]),
    profile("H100 average", "hopper", Offers::CounterAverage, [0.100, 0.025, 0.100], [350.0, 50.0]),
    profile("Ada average", "ada", Offers::Average, [0.100, 0.100, 0.0], [450.0, 18.0]),
    Profile { module_w: 70.0, ..profile("GH200", "grace-hopper", Offers::All, [0.100, 0.020, 0.100], [700.0, 80.0]) },
];

/// The kernel that runs.
#[derive(Clone, Copy, Debug)]
pub struct Kernel {
    /// Time of one launch.
    pub launch_s: f64,
    /// Mean power while it runs, the board's idle power included.
    pub power_w: f64,
    /// The first third of every launch draws so much more than the mean (share), the rest less.
    pub swing: f64,
}

/// What goes wrong.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Fault {
    /// Nothing.
    #[default]
    None,
    /// Every reading fails from this moment on.
    Dies(f64),
    /// Readings never change.
    Frozen,
    /// The counter covers so many watts that the power reading does not.
    CounterExtra(f64),
    /// The counter is reset at this moment.
    CounterReset(f64),
    /// The counter wraps at 2³² mJ, this many joules after the start.
    CounterWraps(f64),
    /// Another process appears at this moment.
    OtherProcess(f64),
    /// The board is partitioned.
    Mig,
    /// Readings are denied to the user.
    Denied,
    /// Queueing a batch of launches takes so long.
    SlowLaunches(f64),
    /// A launch fails at this moment.
    KernelFails(f64),
    /// A thermal slowdown is active from the first to the second moment.
    Slowdown(f64, f64),
}

/// One board, its kernel and its luck.
#[derive(Clone, Copy, Debug)]
pub struct Setup {
    /// Sensors.
    pub profile: Profile,
    /// Kernel.
    pub kernel: Kernel,
    /// Readings are so many times what they should be.
    pub gain: f64,
    /// Standard deviation of one reading, share of its value.
    pub noise: f64,
    /// Standard deviation of the power itself round its mean, share, with a correlation time of 50 ms.
    pub flutter: f64,
    /// From the end of an averaging window until its value is shown.
    pub lag_s: f64,
    /// What goes wrong.
    pub fault: Fault,
    /// Seed of everything drawn on the way.
    pub seed: u64,
}

impl Setup {
    /// A board of `profile` with a kernel and properties drawn from `seed`: launches of 20 µs to 200 ms, every third one in step with the sensor; powers
    /// from 35 to 95 % of the limit; gains within ±5 %.
    #[must_use]
    pub fn drawn(profile: Profile, seed: u64) -> Self {
        let mut random = Random::stream(seed, 0x5e7);
        let mut uniform = |low: f64, high: f64| low + (high - low) * f64::midpoint(random.signed(), 1.0);
        let free = 2e-5 * 1e4f64.powf(uniform(0.0, 1.0));
        let in_step = profile.period_s / [4.0, 2.0, 1.0][(seed % 9 / 3) as usize];
        let launch_s = if seed.is_multiple_of(3) { in_step } else { free };
        let kernel = Kernel { launch_s, power_w: profile.tdp_w * uniform(0.35, 0.95), swing: uniform(0.0, 0.4) };
        Self {
            profile,
            kernel,
            gain: uniform(0.95, 1.05),
            noise: uniform(0.0, 0.005),
            flutter: uniform(0.0, 0.02),
            lag_s: uniform(0.0, profile.period_s),
            fault: Fault::None,
            seed,
        }
    }
}

/// The board's sensors.
pub struct SimulatedSensor(Rc<RefCell<World>>);

/// The board's stage.
pub struct SimulatedStage(Rc<RefCell<World>>);

/// What really happened, which no measurement may look at.
pub struct Truth(Rc<RefCell<World>>);

/// A board at time 0.
#[must_use]
pub fn board(setup: &Setup) -> (SimulatedStage, SimulatedSensor, Truth) {
    let world = Rc::new(RefCell::new(World::new(setup)));
    (SimulatedStage(world.clone()), SimulatedSensor(world.clone()), Truth(world))
}

impl Truth {
    /// Energy of one launch of steady load, averaged over the windows of a report: what a perfect meter on the board would have said.
    #[must_use]
    pub fn energy_j(&self, windows: &[Window]) -> f64 {
        let mut world = self.0.borrow_mut();
        world.catch_up();
        let energy: f64 = windows.iter().map(|window| world.mean_energy_j(window.from_s, window.to_s)).sum();
        let time: f64 = windows.iter().map(|window| window.to_s - window.from_s).sum();
        energy / time * world.launch_s()
    }

    /// Energy of one launch between two moments, both under steady load.
    #[must_use]
    pub fn energy_between_j(&self, from_s: f64, to_s: f64) -> f64 {
        let mut world = self.0.borrow_mut();
        world.catch_up();
        world.mean_energy_j(from_s, to_s) / (to_s - from_s) * world.launch_s()
    }

    /// True if the kernel ran all the time between two moments.
    #[must_use]
    pub fn was_busy(&self, from_s: f64, to_s: f64) -> bool {
        let mut world = self.0.borrow_mut();
        world.catch_up();
        world.idle_time_s(from_s, to_s) < 1e-9
    }
}

impl SimulatedSensor {
    /// What the plain power call of this board gives: instant power where the board is old, else the one-second average.
    ///
    /// # Errors
    /// [`Absent`] as the readings.
    pub fn plain_w(&mut self) -> Read<f64> {
        let read = if self.0.borrow().setup.profile.offers.average() { self.average_w() } else { self.instant_w() };
        read.map(|read| read.value)
    }

    fn read(&mut self, offered: bool, what: &str, cost_s: (f64, f64), of: impl Fn(&World) -> f64) -> Read<Stamped> {
        let mut world = self.0.borrow_mut();
        if !offered {
            return Err(Absent::Unsupported(format!("`{what}` is not offered by this board")));
        }
        if world.setup.fault == Fault::Denied {
            return Err(Absent::Denied(format!("`{what}` is denied to this user")));
        }
        world.pass_between(cost_s);
        world.look();
        if matches!(world.setup.fault, Fault::Dies(at_s) if world.now_s >= at_s) {
            return Err(Absent::Lost("device fell off the bus".to_owned()));
        }
        Ok(Stamped::plain(of(&world)))
    }
}

impl Sensor for SimulatedSensor {
    fn energy_j(&mut self) -> Read<Stamped> {
        let offered = self.0.borrow().setup.profile.offers.counter();
        // Up to 2.4 ms were seen for one read of the counter.
        self.read(offered, "energy counter", (5e-5, 1e-3), World::counter_j)
    }
    fn instant_w(&mut self) -> Read<Stamped> {
        let offered = self.0.borrow().setup.profile.offers.instant();
        self.read(offered, "instant power", (2e-5, 2e-4), World::instant_w)
    }
    fn average_w(&mut self) -> Read<Stamped> {
        let offered = self.0.borrow().setup.profile.offers.average();
        self.read(offered, "average power", (2e-5, 2e-4), World::average_w)
    }
    fn clock_hz(&mut self) -> Read<f64> {
        Ok(1.5e9)
    }
    fn memory_clock_hz(&mut self) -> Read<f64> {
        Ok(1.2e9)
    }
    fn temperature_c(&mut self) -> Read<f64> {
        Ok(self.0.borrow().temperature_c().round())
    }
    fn throttle(&mut self) -> Read<Throttle> {
        let world = self.0.borrow();
        let slow = matches!(world.setup.fault, Fault::Slowdown(from, to) if (from..to).contains(&world.now_s));
        Ok(Throttle(if slow { 0x40 } else { 0 }))
    }
    fn attributable(&mut self) -> Result<(), Unavailable> {
        let world = self.0.borrow();
        match world.setup.fault {
            Fault::Mig => Err(Unavailable::Mig),
            Fault::OtherProcess(at_s) if world.now_s >= at_s => Err(Unavailable::OtherProcess("pid 4242".to_owned())),
            _ => Ok(()),
        }
    }
}

impl Stage for SimulatedStage {
    fn clock_s(&mut self) -> f64 {
        self.0.borrow().now_s
    }
    fn idle(&mut self, seconds: f64) {
        self.0.borrow_mut().pass(seconds);
    }
    fn launch(&mut self, n: u64) -> Result<(), DeviceError> {
        let mut world = self.0.borrow_mut();
        if matches!(world.setup.fault, Fault::KernelFails(at_s) if world.now_s >= at_s) {
            return Err(DeviceError::System { call: "cuLaunchKernel", reason: "an illegal memory access".to_owned() });
        }
        world.launch(n);
        Ok(())
    }
    fn completed(&mut self) -> Result<u64, DeviceError> {
        Ok(self.0.borrow_mut().completed())
    }
    fn wait(&mut self) -> Result<(), DeviceError> {
        self.0.borrow_mut().wait();
        Ok(())
    }
}
