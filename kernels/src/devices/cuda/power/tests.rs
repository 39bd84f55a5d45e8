//! The protocol against boards whose truth is known.

use super::simulated::{Fault, Kernel, Offers, PROFILES, Profile, Setup, board};
use super::*;
use crate::{CacheMode, Energy};

/// Trials per type of sensor here; `scripts/bench/energy` runs 1,000.
const TRIALS: u64 = 200;
/// Share of trials in which the truth has to lie inside the 95 % interval.
const BAR: f64 = 0.94;

fn named(name: &str) -> Profile {
    PROFILES.into_iter().find(|profile| profile.name == name).expect("in the table")
}

/// A quiet board with a short kernel.
fn quiet(name: &str) -> Setup {
    let profile = named(name);
    let kernel = Kernel { launch_s: 3e-4, power_w: 0.7 * profile.tdp_w, swing: 0.0 };
    Setup {
        profile,
        kernel,
        gain: 1.0,
        noise: 0.001,
        flutter: 0.005,
        lag_s: 0.3 * profile.period_s,
        fault: Fault::None,
        seed: 11,
    }
}

fn measured(setup: &Setup, settings: &Settings) -> Result<(EnergyReport, simulated::Truth), Unavailable> {
    let (mut stage, mut sensor, truth) = board(setup);
    let character = characterise(&mut stage, &mut sensor, setup.profile.architecture, setup.seed)?;
    Ok((measure(&mut stage, &mut sensor, &character, settings)?, truth))
}

#[test]
#[allow(clippy::print_stderr)]
fn probe() {
    for profile in PROFILES {
        let start = std::time::Instant::now();
        let mut inside = [0, 0];
        let mut widths = Vec::new();
        let mut errors = Vec::new();
        let mut reasons = Vec::new();
        for seed in 0..TRIALS {
            let setup = Setup::drawn(profile, seed);
            match measured(&setup, &Settings { seed, ..Settings::default() }) {
                Ok((report, truth)) => {
                    let truth = truth.energy_j(&report.windows);
                    let off = report.energy_j / setup.gain / truth - 1.0;
                    inside[0] += usize::from((report.energy_j - truth * setup.gain).abs() <= report.relative_j);
                    inside[1] += usize::from((report.energy_j - truth).abs() <= report.absolute_j());
                    widths.push(report.relative_j / report.energy_j);
                    errors.push(off.abs());
                    if seed < 3 {
                        eprintln!("{:?} {:?}", report.terms, report.crosscheck);
                    }
                }
                Err(why) => reasons.push(why.to_string()),
            }
        }
        let n = |x: usize| x as f64 / TRIALS as f64;
        eprintln!(
            "{:16} inside {:.3} {:.3} width {:.4} error {:.4} q95 {:.4} failed {} {:?} {:?}",
            profile.name,
            n(inside[0]),
            n(inside[1]),
            statistics::quantile(&widths, 0.5),
            statistics::quantile(&errors, 0.5),
            statistics::quantile(&errors, 0.95),
            reasons.len(),
            reasons.first(),
            start.elapsed()
        );
        let (mut stage, mut sensor, _) = board(&Setup::drawn(profile, 5));
        let setup = Setup::drawn(profile, 5);
        eprintln!("    lag {} {:?}", setup.lag_s, characterise(&mut stage, &mut sensor, profile.architecture, 3));
    }
}
