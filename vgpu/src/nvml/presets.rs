//! Ready-made sensors. Update periods, windows and coverage: "Part-time Power Measurements: nvidia-smi's Lack of Attention" (Yang, Adámek, Armour; arXiv 2312.02741) and
//! the measurements published with it; which call gives an average: NVML's documentation. Gains are typical steady-state errors of single boards against a meter; they
//! differ from board to board by up to ten per cent either way. Blackwell's sensor has not been measured: it is taken to be Hopper's.

use std::collections::BTreeMap;

use super::scenario::{Counter, CounterSource, Driver, Mig, Power, Scenario, Scope, Sensor, Settings, Usage};
use super::status::Status;
use crate::time::costs::NVML_NS;

/// Names that [`named`] knows.
pub(super) const NAMES: [&str; 12] = [
    "ideal",
    "kepler",
    "pascal",
    "volta",
    "turing",
    "a100",
    "ga10x",
    "ada",
    "h100-instant",
    "h100-average",
    "gh200",
    "blackwell",
];

/// Full coverage, no error, 1 ms.
pub(super) fn ideal() -> Scenario {
    let sensor = Sensor { period_s: 0.001, window_s: 0.001, ..Sensor::default() };
    Scenario {
        preset: "ideal".into(),
        seed: 1,
        call_cost_s: NVML_NS as f64 * 1e-9,
        power: Power::default(),
        instant: Some(sensor),
        average: Some(Sensor { window_s: 1.0, ..sensor }),
        usage: Usage::Instant,
        counter: Some(Counter { tick_s: 0.001, source: CounterSource::Truth, ..Counter::default() }),
        mig: Mig::Unsupported,
        settings: Settings::Allowed,
        throttle: Vec::new(),
        process: Vec::new(),
        death: None,
        errors: BTreeMap::new(),
        driver: Driver::default(),
    }
}

/// One generation's figures: period, window (s), gain of the board.
fn board(name: &str, period_s: f64, window_s: f64, gain: f64) -> Scenario {
    Scenario {
        preset: name.into(),
        instant: Some(Sensor { period_s, window_s, gain, ..Sensor::default() }),
        average: None,
        counter: Some(Counter { tick_s: period_s, ..Counter::default() }),
        ..ideal()
    }
}

/// A board whose driver also averages over a second, and whose old power call gives that average.
fn averaging(name: &str, window_s: f64, gain: f64) -> Scenario {
    Scenario {
        average: Some(Sensor { window_s: 1.0, gain, ..Sensor::default() }),
        usage: Usage::Average,
        ..board(name, 0.1, window_s, gain)
    }
}

/// The ready-made scenario `name`.
pub(super) fn named(name: &str) -> Option<Scenario> {
    Some(match name {
        "ideal" => ideal(),
        // No energy counter before Volta.
        "kepler" => Scenario { counter: None, ..board(name, 0.02, 0.02, 1.0) },
        "pascal" => Scenario { counter: None, ..board(name, 0.02, 0.01, 1.005) },
        "volta" => board(name, 0.02, 0.01, 1.0),
        "turing" => board(name, 0.1, 0.1, 0.96),
        "a100" => Scenario { mig: Mig::Disabled, ..board(name, 0.1, 0.025, 0.96) },
        "ga10x" => averaging(name, 0.1, 0.955),
        "ada" => averaging(name, 0.109, 0.96),
        "h100-instant" | "blackwell" => Scenario { mig: Mig::Disabled, ..averaging(name, 0.025, 0.98) },
        // As on a driver that does not know the instantaneous field yet.
        "h100-average" => Scenario {
            mig: Mig::Disabled,
            errors: BTreeMap::from([("field:186".to_owned(), Status::NotSupported)]),
            ..averaging(name, 0.025, 0.98)
        },
        "gh200" => gh200(),
        _ => return None,
    })
}

/// The counter covers the whole module, and the instantaneous reading mixes GPU and CPU.
fn gh200() -> Scenario {
    let mut scenario = averaging("gh200", 0.02, 1.0);
    scenario.mig = Mig::Disabled;
    scenario.power.module_w = 90.0;
    scenario.counter = Some(Counter { scope: Scope::Module, ..Counter::default() });
    scenario.instant = scenario.instant.map(|s| Sensor { scope: Scope::Module, ..s });
    scenario
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_is_known_and_every_card_carries_a_known_sensor() {
        for name in NAMES {
            assert_eq!(named(name).map(|s| s.preset).as_deref(), Some(name));
        }
        for profile in crate::profile::TABLE {
            assert!(named(profile.sensor).is_some(), "{}: `{}`", profile.key, profile.sensor);
        }
        assert!(named("voodoo").is_none());
    }
}
