//! What the sensors and the driver of a virtual card are like: a TOML text laid over a ready-made scenario.
//!
//! Times are seconds of virtual time on the clock of `vgpuNow`, which starts at 10. Powers are watts at the board.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::status::Status;
use super::{presets, ranges};

/// One card's sensors and troubles.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Scenario {
    /// The ready-made scenario this one starts from.
    pub preset: String,
    /// Seeds the sensors' noise and the phase of their updates.
    pub seed: u64,
    /// Virtual seconds one NVML call costs the host.
    pub call_cost_s: f64,
    /// The truth about power.
    pub power: Power,
    /// The instantaneous reading (field 186).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instant: Option<Sensor>,
    /// The averaged reading (field 185).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub average: Option<Sensor>,
    /// Which of the two `nvmlDeviceGetPowerUsage` gives.
    pub usage: Usage,
    /// The energy counter (field 83).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub counter: Option<Counter>,
    /// Whether the card is cut into instances.
    pub mig: Mig,
    /// Whether the caller may change settings.
    pub settings: Settings,
    /// Stretches of time in which the clock is held down from outside.
    pub throttle: Vec<Throttle>,
    /// Other processes on the card.
    pub process: Vec<Process>,
    /// When a sensor stops working.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub death: Option<Death>,
    /// Calls (`nvmlDeviceGetPowerUsage`) and fields (`field:186`) that fail, and with what.
    pub errors: BTreeMap<String, Status>,
    /// What the driver calls itself.
    pub driver: Driver,
}

/// The truth about a card's power.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Power {
    /// With nothing running, W; the profile's where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub idle_w: Option<f64>,
    /// With every resource of the model's weights in use, W; the profile's limit where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_w: Option<f64>,
    /// The power limit at the start, W; the profile's where absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit_w: Option<f64>,
    /// Within how many seconds 63 % of a step is covered.
    pub rise_s: f64,
    /// What the rest of the module draws all the time (GH200: the CPU and its memory), W.
    pub module_w: f64,
    /// Air around the card, °C.
    pub ambient_c: f64,
    /// Temperature at the power limit, °C.
    pub hot_c: f64,
}

/// One power sensor. It updates every `period_s`; the value is the mean true power over the `window_s` that ended `lag_s` before the update.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sensor {
    /// Between updates, s.
    pub period_s: f64,
    /// Averaging window, s. Shorter than the period: a part of the time is never seen.
    pub window_s: f64,
    /// Between the end of the window and the update, s.
    pub lag_s: f64,
    /// Of the first update, s; below zero it is drawn from the seed.
    pub phase_s: f64,
    /// Factor on the truth.
    pub gain: f64,
    /// Added to it, W.
    pub offset_w: f64,
    /// Standard deviation of one reading, W.
    pub noise_w: f64,
    /// What it measures.
    pub scope: Scope,
}

/// What a reading covers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The GPU.
    Gpu,
    /// The GPU and what shares its module.
    Module,
}

/// Which reading the old power call gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Usage {
    /// The instantaneous one.
    Instant,
    /// The averaged one.
    Average,
}

/// The energy counter. Read in mJ, it moves once every `tick_s`.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Counter {
    /// Between changes, s.
    pub tick_s: f64,
    /// What it adds up.
    pub source: CounterSource,
    /// What it covers; for the sensor's readings, the sensor decides.
    pub scope: Scope,
    /// It starts again from zero at this many mJ; 0: never.
    pub wrap_mj: u64,
    /// Its value when the clock stands at zero, mJ.
    pub start_mj: u64,
}

/// What a counter adds up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CounterSource {
    /// The readings of the instantaneous sensor, each times its period: what the sensor does not see, the counter does not count.
    Sensor,
    /// The true energy times the instantaneous sensor's gain.
    Truth,
}

/// Multi-instance mode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Mig {
    /// The card has no such mode.
    Unsupported,
    /// Off.
    Disabled,
    /// On: power and energy cannot be attributed.
    Enabled,
}

/// Whether clocks and limits can be set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Settings {
    /// Yes.
    Allowed,
    /// The caller is not root.
    NoPermission,
    /// The card does not do it.
    NotSupported,
}

/// A stretch of time in which the clock is held down.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Throttle {
    /// Begin, s.
    pub from_s: f64,
    /// End, s.
    pub to_s: f64,
    /// Highest multiprocessor clock meanwhile, MHz.
    pub sm_mhz: u32,
    /// Why.
    pub reason: Reason,
}

/// NVML's clock event reasons that a scenario can cause.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
#[allow(missing_docs)] // NVML's names
pub enum Reason {
    SwPowerCap,
    HwSlowdown,
    SwThermalSlowdown,
    HwThermalSlowdown,
    HwPowerBrake,
}

impl Reason {
    /// The bit NVML shows.
    pub fn bit(self) -> u64 {
        match self {
            Reason::SwPowerCap => 4,
            Reason::HwSlowdown => 8,
            Reason::SwThermalSlowdown => 32,
            Reason::HwThermalSlowdown => 64 | 8,
            Reason::HwPowerBrake => 128 | 8,
        }
    }
}

/// Another process on the card.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Process {
    /// Process id.
    pub pid: u32,
    /// Device memory it holds, MiB.
    #[serde(default)]
    pub memory_mib: u64,
    /// Power it adds, W.
    #[serde(default)]
    pub power_w: f64,
    /// Share of the card's time it takes, 0 to 1: kernels take 1/(1 − share) as long.
    #[serde(default)]
    pub share: f64,
    /// When it comes, s.
    #[serde(default)]
    pub from_s: f64,
    /// When it goes, s; it stays where absent.
    #[serde(default = "forever")]
    pub to_s: f64,
}

fn forever() -> f64 {
    1e12
}

/// The moment a sensor stops working.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Death {
    /// When, s.
    pub at_s: f64,
    /// What dies.
    #[serde(default)]
    pub what: Mortal,
    /// How it shows.
    pub how: Demise,
}

/// What can die.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mortal {
    /// Power readings.
    Power,
    /// The energy counter.
    Energy,
    /// Both.
    #[default]
    Both,
}

/// How a dead sensor shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Demise {
    /// It repeats its last value for ever.
    Frozen,
    /// Every call fails with `NVML_ERROR_GPU_IS_LOST`.
    GpuLost,
    /// Every call fails with `NVML_ERROR_NOT_SUPPORTED`.
    NotSupported,
    /// Every call fails with `NVML_ERROR_UNKNOWN`.
    Unknown,
}

/// What the driver calls itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Driver {
    /// Its version.
    pub version: String,
    /// The CUDA version it speaks, such as 13050: PTX newer than that is refused.
    pub cuda: u32,
}

impl Default for Scenario {
    fn default() -> Self {
        presets::ideal()
    }
}

impl Default for Power {
    fn default() -> Self {
        Self { idle_w: None, max_w: None, limit_w: None, rise_s: 0.005, module_w: 0.0, ambient_c: 28.0, hot_c: 78.0 }
    }
}

impl Default for Sensor {
    fn default() -> Self {
        Self {
            period_s: 0.1,
            window_s: 0.1,
            lag_s: 0.0,
            phase_s: -1.0,
            gain: 1.0,
            offset_w: 0.0,
            noise_w: 0.0,
            scope: Scope::Gpu,
        }
    }
}

impl Default for Counter {
    fn default() -> Self {
        Self { tick_s: 0.1, source: CounterSource::Sensor, scope: Scope::Gpu, wrap_mj: 0, start_mj: 0 }
    }
}

impl Default for Driver {
    fn default() -> Self {
        Self { version: "595.45.04".into(), cuda: 13_050 }
    }
}

impl Scenario {
    /// The ready-made scenario of that name.
    pub fn named(name: &str) -> Option<Self> {
        presets::named(name)
    }

    /// Reads a scenario; what it does not say comes from its `preset`, or from `fallback`.
    ///
    /// # Errors
    /// Text that is no TOML, an unknown key or preset, or a value out of its range; the sentence names it.
    pub fn parse(text: &str, fallback: &str) -> Result<Self, String> {
        let over: toml::Table = text.parse().map_err(|e: toml::de::Error| e.to_string())?;
        let name = over.get("preset").and_then(|v| v.as_str()).unwrap_or(fallback);
        let base = Self::named(name).ok_or_else(|| format!("preset `{name}` is none of {}", presets::NAMES.join(", ")))?;
        let mut merged = toml::Table::try_from(&base).map_err(|e| e.to_string())?;
        lay_over(&mut merged, over);
        let scenario: Self = merged.try_into().map_err(|e: toml::de::Error| e.to_string())?;
        ranges::check(&scenario)?;
        Ok(scenario)
    }
}

/// Tables are merged, everything else is replaced.
fn lay_over(under: &mut toml::Table, over: toml::Table) {
    for (key, value) in over {
        match (under.get_mut(&key), value) {
            (Some(toml::Value::Table(below)), toml::Value::Table(above)) => lay_over(below, above),
            (_, value) => {
                under.insert(key, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_changes_what_it_names_and_nothing_else() {
        let text = "preset = \"a100\"\n[instant]\ngain = 1.2\n[death]\nat_s = 12.5\nhow = \"gpu-lost\"\n[errors]\n\"field:186\" = \"not-supported\"\n";
        let scenario = Scenario::parse(text, "turing").unwrap();
        let base = Scenario::named("a100").unwrap();
        assert_eq!(scenario.instant.unwrap(), Sensor { gain: 1.2, ..base.instant.unwrap() });
        assert_eq!(scenario.counter, base.counter);
        assert_eq!(scenario.death.unwrap().how, Demise::GpuLost);
        assert_eq!(scenario.errors["field:186"], Status::NotSupported);
    }

    #[test]
    fn every_ready_made_scenario_survives_being_written_and_read() {
        for name in presets::NAMES {
            let scenario = Scenario::named(name).unwrap();
            let text = toml::to_string(&scenario).unwrap();
            assert_eq!(Scenario::parse(&text, "ideal").unwrap(), scenario, "{name}");
        }
    }

    #[test]
    fn wrong_texts_are_refused_by_name() {
        for (text, says) in [
            ("preset = \"voodoo\"", "voodoo"),
            ("[instant]\nperiode_s = 1.0", "periode_s"),
            ("[instant]\nperiod_s = 0.0", "instant"),
            ("[[process]]\npid = 1\nshare = 1.0", "share"),
            ("[errors]\nnvmlInit_v2 = \"sulks\"", "sulks"),
            ("[errors]\nnvmlDeviceGetPowerUsge = \"unknown\"", "`nvmlDeviceGetPowerUsge`"),
            ("[errors]\nnvmlDeviceGetPowerUsge = \"unknown\"", "did you mean `nvmlDeviceGetPowerUsage`?"),
            ("[errors]\n\"field:9\" = \"unknown\"", "`field:9` is not known: of `field:` there are 74,"),
            ("[errors]\n\"samples:3\" = \"unknown\"", "`samples:3` is not known"),
            ("call_cost_s = -1.0", "call_cost_s `-1`: from 0 to 1"),
            ("[power]\nidle_w = -50.0", "power.idle_w `-50`: from 0 to"),
            ("[power]\nidle_w = 50.0\nmax_w = 40.0", "power.max_w `40`: from 50 to"),
            ("[power]\nrise_s = -1.0", "power.rise_s `-1`"),
            ("[power]\nrise_s = nan", "power.rise_s `NaN`"),
            ("[power]\nmodule_w = -1.0", "power.module_w"),
            ("[power]\nhot_c = 10.0", "power.hot_c `10`: from 28 to 200"),
            ("[instant]\ngain = nan", "instant.gain `NaN`: from 0 to 1000"),
            ("[average]\nnoise_w = -1.0", "average.noise_w `-1`"),
            ("[average]\noffset_w = inf", "average.offset_w `inf`"),
            ("[instant]\nphase_s = nan", "instant.phase_s"),
            ("[counter]\ntick_s = 0.0", "counter.tick_s `0`"),
            ("[death]\nat_s = -1.0\nhow = \"frozen\"", "death.at_s `-1`: at least 0"),
            ("[[process]]\npid = 1\npower_w = -1.0", "process.power_w `-1`"),
            ("[[process]]\npid = 1\nfrom_s = 5.0\nto_s = 4.0", "process.to_s `4`: at least 5"),
            ("[[throttle]]\nfrom_s = 5.0\nto_s = 4.0\nsm_mhz = 600\nreason = \"hw-slowdown\"", "throttle.to_s `4`: at least 5"),
            ("[[throttle]]\nfrom_s = 5.0\nto_s = 6.0\nsm_mhz = 0\nreason = \"hw-slowdown\"", "throttle.sm_mhz `0`"),
            ("= 3", "TOML"),
        ] {
            let said = Scenario::parse(text, "ideal").unwrap_err();
            assert!(said.contains(says), "{text}: {said}");
        }
    }
}
