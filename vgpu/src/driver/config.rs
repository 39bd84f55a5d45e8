//! The environment variables, read once.

use std::path::PathBuf;

use super::log::Sink;
use crate::check::{Check, Checks};
use crate::nvml::ranges;
use crate::nvml::scenario::Scenario;
use crate::profile::{Profile, TABLE};

/// The card taken where `VGPU_DEVICE` is not set.
const DEFAULT_DEVICE: &str = "rtx4070";
/// Warp instructions after which a launch counts as hung where `VGPU_MAX_INSTRUCTIONS` is not set: hours of interpretation.
const DEFAULT_INSTRUCTIONS: u64 = 1 << 37;

/// What happens when a launch ends well but something was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFinding {
    /// It is told.
    Tell,
    /// It is told and the launch fails with `CUDA_ERROR_LAUNCH_FAILED`.
    Fail,
}

/// How a machine is made.
#[derive(Clone, Debug)]
pub struct Config {
    /// The cards, each with its sensors.
    pub devices: Vec<(&'static Profile, Scenario)>,
    /// What is checked while kernels run.
    pub checks: Checks,
    /// Shuffles blocks and warps.
    pub seed: u64,
    /// Interpreter threads.
    pub threads: usize,
    /// Warp instructions after which a launch is ended.
    pub max_instructions: u64,
    /// What a finding does.
    pub on_finding: OnFinding,
    /// Where things are told.
    pub log: Sink,
    /// Where counters go, one JSON line a launch.
    pub counters: Sink,
    /// The file that keeps settings from process to process.
    pub state: Option<PathBuf>,
}

impl Config {
    /// One card with its own sensors, all checks, nothing told.
    ///
    /// # Errors
    /// The key names no card.
    pub fn of(key: &str) -> Result<Self, String> {
        let profile = profile(key)?;
        let scenario = Scenario::named(profile.sensor).unwrap_or_default();
        Ok(Self {
            devices: vec![(profile, scenario)],
            checks: Checks::ALL,
            seed: 0,
            threads: 1,
            max_instructions: DEFAULT_INSTRUCTIONS,
            on_finding: OnFinding::Tell,
            log: Sink::Nowhere,
            counters: Sink::Nowhere,
            state: None,
        })
    }

    /// From variables looked up by `get`; the names are those of the crate's documentation.
    ///
    /// # Errors
    /// A variable whose value makes no sense, by name.
    pub fn from_variables(get: impl Fn(&str) -> Option<String>) -> Result<Self, String> {
        let keys = get("VGPU_DEVICE").unwrap_or_else(|| DEFAULT_DEVICE.into());
        let scenarios = get("VGPU_SCENARIO").unwrap_or_default();
        let scenarios: Vec<&str> = scenarios.split(',').map(str::trim).collect();
        let mut devices = Vec::new();
        for (i, key) in keys.split(',').map(str::trim).filter(|k| !k.is_empty() && *k != "none").enumerate() {
            let profile = profile(key).map_err(|e| format!("VGPU_DEVICE: {e}"))?;
            let source = scenarios.get(i).or(scenarios.last()).copied().unwrap_or_default();
            devices.push((profile, scenario(source, profile).map_err(|e| format!("VGPU_SCENARIO: {e}"))?));
        }
        let file =
            |name: &str, otherwise: Sink| get(name).filter(|v| !v.is_empty()).map_or(otherwise, |v| Sink::File(PathBuf::from(v)));
        Ok(Self {
            devices,
            checks: checks(&get("VGPU_CHECKS").unwrap_or_else(|| "all".into()))?,
            seed: number(&get, "VGPU_SEED", 0)?,
            threads: number(&get, "VGPU_THREADS", std::thread::available_parallelism().map_or(1, |n| n.get() as u64))?.max(1)
                as usize,
            max_instructions: number(&get, "VGPU_MAX_INSTRUCTIONS", DEFAULT_INSTRUCTIONS)?,
            on_finding: if number(&get, "VGPU_FAIL_ON_FINDING", 0)? == 0 { OnFinding::Tell } else { OnFinding::Fail },
            log: file("VGPU_LOG", Sink::StandardError),
            counters: file("VGPU_COUNTERS", Sink::Nowhere),
            state: get("VGPU_STATE").filter(|v| !v.is_empty()).map(PathBuf::from),
        })
    }

    /// From this process's environment.
    ///
    /// # Errors
    /// As [`Config::from_variables`].
    pub fn from_environment() -> Result<Self, String> {
        Self::from_variables(|name| std::env::var(name).ok())
    }
}

fn profile(key: &str) -> Result<&'static Profile, String> {
    Profile::named(key).ok_or_else(|| {
        let known: Vec<&str> = TABLE.iter().map(|p| p.key).collect();
        format!("`{key}` is none of {}", known.join(", "))
    })
}

/// The name of a ready-made scenario, or a file; nothing means the card's own.
fn scenario(source: &str, profile: &Profile) -> Result<Scenario, String> {
    if source.is_empty() {
        return Scenario::named(profile.sensor).ok_or_else(|| format!("`{}` has no sensor `{}`", profile.key, profile.sensor));
    }
    if let Some(ready) = Scenario::named(source) {
        return Ok(ready);
    }
    let text =
        std::fs::read_to_string(source).map_err(|e| format!("`{source}` is no ready-made scenario and cannot be read: {e}"))?;
    let parsed = Scenario::parse(&text, profile.sensor).and_then(|parsed| {
        ranges::check_on(&parsed, profile)?;
        Ok(parsed)
    });
    parsed.map_err(|e| format!("`{source}`: {e}"))
}

fn checks(list: &str) -> Result<Checks, String> {
    let mut checks = Checks::NONE;
    for name in list.split(',').map(str::trim).filter(|n| !n.is_empty()) {
        checks = match name {
            "all" => Checks::ALL,
            // Bounds and alignment are always checked.
            "none" | "bounds" => checks,
            "races" => checks.with(Check::SharedRaces).with(Check::GlobalRaces),
            "poison" => checks.with(Check::Uninitialised),
            _ => return Err(format!("VGPU_CHECKS: `{name}` is none of all, none, bounds, races, poison")),
        };
    }
    Ok(checks)
}

fn number(get: &impl Fn(&str) -> Option<String>, name: &str, otherwise: u64) -> Result<u64, String> {
    match get(name).filter(|v| !v.is_empty()) {
        None => Ok(otherwise),
        Some(value) => value.parse().map_err(|_| format!("{name}: `{value}` is not a number")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(pairs: &[(&str, &str)]) -> Result<Config, String> {
        Config::from_variables(|name| pairs.iter().find(|(n, _)| *n == name).map(|(_, v)| (*v).to_owned()))
    }

    #[test]
    fn several_cards_and_scenarios_are_paired_in_order() {
        let config = read(&[("VGPU_DEVICE", "h100, v100,t4"), ("VGPU_SCENARIO", "gh200,ideal")]).unwrap();
        let pairs: Vec<_> = config.devices.iter().map(|(p, s)| (p.key, s.preset.as_str())).collect();
        assert_eq!(pairs, [("h100", "gh200"), ("v100", "ideal"), ("t4", "ideal")]);
        assert_eq!(read(&[]).unwrap().devices[0].1.preset, "ada");
        assert!(read(&[("VGPU_DEVICE", "none")]).unwrap().devices.is_empty());
    }

    #[test]
    fn checks_are_named_one_by_one() {
        for (list, has) in [
            ("all", [true, true, true]),
            ("none", [false; 3]),
            ("bounds", [false; 3]),
            ("poison", [true, false, false]),
            ("bounds,races", [false, true, true]),
        ] {
            let checks = read(&[("VGPU_CHECKS", list)]).unwrap().checks;
            assert_eq!([Check::Uninitialised, Check::SharedRaces, Check::GlobalRaces].map(|c| checks.has(c)), has, "{list}");
        }
    }

    #[test]
    fn a_scenario_must_suit_its_card() {
        let path = std::env::temp_dir().join(format!("vgpu-scenario-{}.toml", std::process::id()));
        for (text, says) in [
            ("limit_w = 300.0", None),
            ("limit_w = 10.0", Some("power.limit_w `10`: from 100 to 400")),
            ("idle_w = 500.0", Some("power.max_w `400`: from 500 to")),
            ("max_w = 20.0", Some("power.max_w `20`: from ")),
        ] {
            std::fs::write(&path, format!("[power]\n{text}\n")).unwrap();
            let said = read(&[("VGPU_DEVICE", "a100"), ("VGPU_SCENARIO", path.to_str().unwrap())]).err();
            match says {
                None => assert_eq!(said, None, "{text}"),
                Some(says) => assert!(said.as_ref().is_some_and(|said| said.contains(says)), "{text}: {said:?}"),
            }
        }
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn nonsense_is_refused_by_name() {
        for (name, value) in
            [("VGPU_DEVICE", "voodoo2"), ("VGPU_CHECKS", "luck"), ("VGPU_SEED", "x"), ("VGPU_SCENARIO", "/nowhere/s.toml")]
        {
            let said = read(&[(name, value)]).unwrap_err();
            assert!(said.contains(name) && said.contains(value), "{said}");
        }
    }
}
