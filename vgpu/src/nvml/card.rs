//! One card as both interfaces see it: its hour, what it did, its sensors and settings.

use super::scenario::{Death, Demise, Mig, Mortal, Scenario, Scope, Sensor, Usage};
use super::sensor::{Gauge, Meter, Reading, Truth};
use super::settings::{CardSettings, memory_clocks, sm_clocks, snap};
use super::status::Status;
use crate::profile::{Market, Profile};
use crate::time::{Clock, Clocks, Envelope, Traces, costs};

/// How long clocks stay up after the last kernel, ns.
const LINGER_NS: u64 = 1_000_000_000;
/// Multiprocessor clock of an idle card, MHz.
const IDLE_MHZ: u32 = 210;
/// Over how long temperature follows power, ns.
const THERMAL_NS: u64 = 30_000_000_000;
/// NVML's reasons: idle, clocks set by the user.
const REASON_IDLE: u64 = 1;
const REASON_SET: u64 = 2;

/// A card.
#[derive(Clone, Debug)]
pub struct Card {
    /// Its place.
    pub index: usize,
    /// Its figures.
    pub profile: &'static Profile,
    /// Its sensors and troubles.
    pub scenario: Scenario,
    /// Its hour.
    pub clock: Clock,
    /// What it did.
    pub traces: Traces,
    /// What is set on it.
    pub settings: CardSettings,
    instant: Option<Gauge>,
    average: Option<Gauge>,
    meter: Option<Meter>,
}

impl Card {
    /// The card `index` at the start of its session.
    pub fn new(index: usize, profile: &'static Profile, scenario: Scenario) -> Self {
        let seed = scenario.seed ^ (index as u64) << 32;
        let instant = scenario.instant.map(|s| Gauge::new(s, seed, 0));
        // Both readings come from one loop of the board's controller: they update together.
        let average = scenario.average.map(|s| Gauge::new(s, seed, 0));
        Self {
            index,
            profile,
            clock: Clock::default(),
            traces: Traces::new(scenario.power.rise_s),
            settings: CardSettings::new(scenario.power.limit_w.unwrap_or(f64::from(profile.tdp_w))),
            meter: scenario.counter.map(|c| Meter::new(c, instant)),
            instant,
            average,
            scenario,
        }
    }

    /// Power with nothing running, W.
    pub fn idle_w(&self) -> f64 {
        self.scenario.power.idle_w.unwrap_or(f64::from(self.profile.idle_w))
    }

    /// The range its power moves in now.
    pub fn envelope(&self) -> Envelope {
        Envelope {
            idle_w: self.idle_w(),
            max_w: self.scenario.power.max_w.unwrap_or(f64::from(self.profile.tdp_w)),
            limit_w: self.settings.limit_w,
            full: Clocks { sm_hz: f64::from(self.profile.boost_mhz) * 1e6, memory_hz: f64::from(self.profile.memory_mhz) * 1e6 },
        }
    }

    /// Its true power.
    pub fn truth(&self) -> Truth<'_> {
        Truth { idle_w: self.idle_w(), traces: &self.traces, scenario: &self.scenario }
    }

    /// The clock a kernel that begins at `at_ns` would like, MHz, and what holds it down apart from the power limit.
    pub fn sm_mhz_wanted(&self, at_ns: u64) -> (u32, u64) {
        let set = self.settings.locked_sm_mhz.map(|(_, high)| high).or(self.settings.application_mhz.map(|(_, sm)| sm));
        let (mut mhz, mut reasons) = set.map_or((self.profile.boost_mhz, 0), |mhz| (mhz.min(self.profile.boost_mhz), REASON_SET));
        let at_s = at_ns as f64 * 1e-9;
        for throttle in self.scenario.throttle.iter().filter(|t| (t.from_s..t.to_s).contains(&at_s)) {
            if throttle.sm_mhz < mhz {
                mhz = throttle.sm_mhz.max(1);
                reasons |= throttle.reason.bit();
            }
        }
        (mhz, reasons)
    }

    /// The memory clock of a kernel, MHz.
    pub fn memory_mhz_wanted(&self) -> u32 {
        let set = self.settings.locked_memory_mhz.or(self.settings.application_mhz.map(|(memory, _)| memory));
        snap(&memory_clocks(self.profile), set.unwrap_or(self.profile.memory_mhz))
    }

    /// Share of the card's time that other processes take at `at_ns`, below 1.
    pub fn others_share(&self, at_ns: u64) -> f64 {
        let at_s = at_ns as f64 * 1e-9;
        let sum: f64 = self.scenario.process.iter().filter(|p| (p.from_s..p.to_s).contains(&at_s)).map(|p| p.share).sum();
        sum.min(0.99)
    }

    /// Multiprocessor clock now, MHz, and the reasons NVML would give for it.
    pub fn pace(&self) -> (u32, u64) {
        let now = self.clock.now_ns();
        match self.traces.pace(now, LINGER_NS) {
            Some((mhz, reasons)) if self.traces.pace(now, 0).is_some() => (mhz, reasons),
            // Just idle: clocks are up still, nothing holds them.
            Some((mhz, _)) => (mhz, REASON_IDLE),
            None => match self.settings.locked_sm_mhz {
                Some((low, _)) => (low, REASON_IDLE | REASON_SET),
                None => (IDLE_MHZ, REASON_IDLE),
            },
        }
    }

    /// Memory clock now, MHz.
    pub fn memory_mhz(&self) -> u32 {
        let awake = self.traces.pace(self.clock.now_ns(), LINGER_NS).is_some() || self.settings.locked_memory_mhz.is_some();
        if awake {
            self.memory_mhz_wanted()
        } else {
            memory_clocks(self.profile).last().copied().unwrap_or(self.profile.memory_mhz)
        }
    }

    /// NVML's performance state: 0 and 2 at work, 8 at rest; data-centre cards stay at 0.
    pub fn performance_state(&self) -> u32 {
        let awake = self.traces.pace(self.clock.now_ns(), LINGER_NS).is_some();
        match (self.profile.market, awake) {
            (Market::Datacentre, _) => 0,
            (_, true) => 2,
            (_, false) => 8,
        }
    }

    /// Degrees Celsius: from the air's to the scenario's hot one, as the mean power of the last half minute goes from zero to the limit.
    pub fn temperature_c(&self) -> f64 {
        let now = self.clock.now_ns();
        let window = THERMAL_NS.min(now);
        let mean_w = self.truth().energy_j(Scope::Gpu, now - window, now) / (window as f64 * 1e-9);
        let power = &self.scenario.power;
        power.ambient_c + (power.hot_c - power.ambient_c) * mean_w / f64::from(self.profile.tdp_w)
    }

    /// The reading that NVML's old power call gives.
    ///
    /// # Errors
    /// The sensor is missing or dead.
    pub fn power_usage(&self) -> Result<Reading, Status> {
        self.power(self.scenario.usage, Scope::Gpu)
    }

    /// The instantaneous or averaged reading of a scope.
    ///
    /// # Errors
    /// The sensor is missing or dead, or there is no such scope.
    pub fn power(&self, which: Usage, scope: Scope) -> Result<Reading, Status> {
        let gauge = match which {
            Usage::Instant => self.instant,
            Usage::Average => self.average,
        };
        let gauge = gauge.ok_or(Status::NotSupported)?;
        let gauge = match scope {
            Scope::Gpu => gauge,
            Scope::Module if self.scenario.power.module_w > 0.0 => {
                Gauge::new(Sensor { scope: Scope::Module, ..*gauge.sensor() }, self.scenario.seed ^ (self.index as u64) << 32, 0)
            }
            Scope::Module => return Err(Status::NotSupported),
        };
        let at_ns = self.alive(Mortal::Power)?;
        gauge.read(at_ns, &self.truth()).ok_or(Status::NoData)
    }

    /// The energy counter, mJ, and when it took that value, ns.
    ///
    /// # Errors
    /// There is none, or it is dead.
    pub fn energy_mj(&mut self) -> Result<(u64, u64), Status> {
        let at_ns = self.alive(Mortal::Energy)?;
        let mut meter = self.meter.take().ok_or(Status::NotSupported)?;
        let read = meter.read(at_ns, &self.truth());
        self.meter = Some(meter);
        Ok(read)
    }

    /// Updates of the sensor behind the old power call after `since_ns`, the latest last, at most `most`.
    pub fn power_samples(&self, since_ns: u64, most: usize) -> Vec<Reading> {
        let gauge = match self.scenario.usage {
            Usage::Instant => self.instant,
            Usage::Average => self.average,
        };
        let (Some(gauge), Ok(at_ns)) = (gauge, self.alive(Mortal::Power)) else { return Vec::new() };
        let updates = gauge.updates(at_ns);
        let first = updates.saturating_sub(most as u64);
        (first..updates).map(|n| gauge.update(n, &self.truth())).filter(|r| r.at_ns > since_ns).collect()
    }

    /// The hour a sensor shows: now, or its last one where it is frozen.
    fn alive(&self, sensor: Mortal) -> Result<u64, Status> {
        let now = self.clock.now_ns();
        let Some(Death { at_s, what, how }) = self.scenario.death else { return Ok(now) };
        let dead = now >= costs::ns(at_s) && (what == Mortal::Both || what == sensor);
        match how {
            _ if !dead => Ok(now),
            Demise::Frozen => Ok(costs::ns(at_s)),
            Demise::GpuLost => Err(Status::GpuIsLost),
            Demise::NotSupported => Err(Status::NotSupported),
            Demise::Unknown => Err(Status::Unknown),
        }
    }

    /// Sixteen bytes that name the card; the same in every run.
    pub fn uuid(&self) -> [u8; 16] {
        let mut bytes = *b"vgpu\0\0\0\0\0\0\0\0\0\0\0\0";
        for (i, byte) in self.profile.key.bytes().enumerate() {
            bytes[4 + i % 10] = bytes[4 + i % 10].wrapping_mul(31).wrapping_add(byte);
        }
        bytes[15] = self.index as u8;
        bytes
    }

    /// The same, or where the card is cut into instances the name of its first, which NVML does not know as a card's.
    pub fn instance_uuid(&self) -> [u8; 16] {
        let mut bytes = self.uuid();
        bytes[14] = u8::from(self.scenario.mig == Mig::Enabled);
        bytes
    }

    /// The UUID as NVML writes it.
    pub fn uuid_text(&self) -> String {
        let hex: String = self.uuid().iter().map(|b| format!("{b:02x}")).collect();
        format!("GPU-{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }

    /// Such as `0000:01:00.0`.
    pub fn bus_id(&self) -> String {
        format!("0000:{:02x}:00.0", crate::profile::bus_number(self.index))
    }

    /// Whether `id` names the card's bus, with a domain of four or eight digits or none.
    pub fn answers_to_bus_id(&self, id: &str) -> bool {
        let own = self.bus_id();
        let wanted = id.to_ascii_lowercase();
        [own.clone(), format!("0000{own}"), own[5..].to_owned()].contains(&wanted)
    }

    /// Locks the multiprocessor clock between two values, snapped to the grid.
    ///
    /// # Errors
    /// `low` above `high`.
    pub fn lock_sm(&mut self, low: u32, high: u32) -> Result<(), Status> {
        if low > high || high == 0 {
            return Err(Status::InvalidArgument);
        }
        let clocks = sm_clocks(self.profile);
        self.settings.locked_sm_mhz = Some((snap(&clocks, low), snap(&clocks, high)));
        Ok(())
    }

    /// Locks the memory clock, snapped to what the card has.
    ///
    /// # Errors
    /// `low` above `high`.
    pub fn lock_memory(&mut self, low: u32, high: u32) -> Result<(), Status> {
        if low > high || high == 0 {
            return Err(Status::InvalidArgument);
        }
        self.settings.locked_memory_mhz = Some(snap(&memory_clocks(self.profile), high));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nvml::scenario::{Reason, Throttle};

    fn card(scenario: Scenario) -> Card {
        Card::new(1, Profile::named("a100").unwrap(), scenario)
    }

    #[test]
    fn locks_limits_and_throttles_shape_the_clock() {
        let mut scenario = Scenario::default();
        scenario.throttle.push(Throttle { from_s: 12.0, to_s: 13.0, sm_mhz: 600, reason: Reason::HwThermalSlowdown });
        let mut card = card(scenario);
        assert_eq!(card.sm_mhz_wanted(11_000_000_000), (1410, 0));
        assert_eq!(card.sm_mhz_wanted(12_500_000_000), (600, 72));
        card.lock_sm(1000, 1000).unwrap();
        assert_eq!(card.sm_mhz_wanted(11_000_000_000), (990, 2));
        assert_eq!(card.lock_sm(900, 800), Err(Status::InvalidArgument));
        assert_eq!(card.pace(), (990, 3));
    }

    #[test]
    fn a_dead_sensor_freezes_or_fails_from_its_hour_on() {
        for (how, expected) in [
            (Demise::Frozen, None),
            (Demise::GpuLost, Some(Status::GpuIsLost)),
            (Demise::NotSupported, Some(Status::NotSupported)),
            (Demise::Unknown, Some(Status::Unknown)),
        ] {
            let mut card = card(Scenario { death: Some(Death { at_s: 11.0, what: Mortal::Energy, how }), ..Scenario::default() });
            let before = card.energy_mj().unwrap();
            card.clock.pass(5_000_000_000);
            assert!(card.power_usage().is_ok(), "only the counter dies");
            let after = card.energy_mj();
            match expected {
                Some(status) => assert_eq!(after, Err(status)),
                None => {
                    let frozen = after.unwrap();
                    card.clock.pass(1_000_000_000);
                    assert!(frozen.0 > before.0);
                    assert_eq!(card.energy_mj().unwrap(), frozen);
                }
            }
        }
    }

    #[test]
    fn bus_ids_are_understood_in_every_spelling() {
        let card = card(Scenario::default());
        for id in ["0000:02:00.0", "00000000:02:00.0", "02:00.0"] {
            assert!(card.answers_to_bus_id(id), "{id}");
        }
        assert!(!card.answers_to_bus_id("0000:01:00.0"));
        assert_eq!(card.uuid_text().len(), 40);
    }
}
