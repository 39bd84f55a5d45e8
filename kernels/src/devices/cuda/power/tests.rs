//! The protocol against boards whose truth is known.

use super::simulated::{Fault, Kernel, Offers, PROFILES, Profile, Setup, Truth, board};
use super::statistics::quantile;
use super::*;
use crate::{CacheMode, DeviceError, Energy};

/// Trials per type of sensor here; `scripts/bench/energy` runs 1,000.
const TRIALS: u64 = 200;
/// Share of trials in which the truth has to lie inside the 95 % interval.
const BAR: f64 = 0.94;
/// Median half width of the interval for one board: one that is too wide covers everything and says nothing.
const WIDTH: f64 = 0.015;

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

fn measured(setup: &Setup, settings: &Settings) -> Result<(EnergyReport, Truth), Unavailable> {
    let (mut stage, mut sensor, truth) = board(setup);
    let character = characterise(&mut stage, &mut sensor, setup.profile.architecture, setup.seed)?;
    Ok((measure(&mut stage, &mut sensor, &character, settings)?, truth))
}

/// A board that was characterised before anything went wrong with it.
fn measured_later(setup: &Setup, settings: &Settings) -> Result<EnergyReport, Unavailable> {
    let healthy = Setup { fault: Fault::None, ..*setup };
    let (mut stage, mut sensor, _) = board(&healthy);
    let character = characterise(&mut stage, &mut sensor, setup.profile.architecture, setup.seed).expect("healthy");
    let (mut stage, mut sensor, _) = board(setup);
    measure(&mut stage, &mut sensor, &character, settings)
}

/// The interval of one board covers what its sensor would show of the truth; with the gain's share it covers the truth itself.
fn covers(name: &str) {
    let (mut inside, mut widths) = ([0, 0], Vec::new());
    for seed in 0..TRIALS {
        let setup = Setup::drawn(named(name), seed);
        let (report, truth) = measured(&setup, &Settings { seed, ..Settings::default() }).expect("a healthy board");
        let true_j = truth.energy_j(&report.windows);
        inside[0] += u64::from((report.energy_j - true_j * setup.gain).abs() <= report.relative_j);
        inside[1] += u64::from((report.energy_j - true_j).abs() <= report.absolute_j());
        widths.push(report.relative_j / report.energy_j);
    }
    #[allow(clippy::cast_precision_loss)] // hundreds
    let share = inside.map(|n| n as f64 / TRIALS as f64);
    let width = quantile(&widths, 0.5);
    assert!(share.iter().all(|share| *share >= BAR) && width <= WIDTH, "{name}: inside {share:?}, half width {width}");
}

macro_rules! coverage {
    ($($test:ident: $name:literal,)*) => {
        $(#[test]
        fn $test() {
            covers($name);
        })*

        #[test]
        fn every_sensor_type_is_covered_by_a_test() {
            let tested = [$($name),*];
            assert!(PROFILES.iter().all(|profile| tested.contains(&profile.name)) && tested.len() == PROFILES.len());
        }
    };
}

coverage! {
    the_truth_is_inside_for_kepler_and_maxwell: "Kepler, Maxwell",
    the_truth_is_inside_for_pascal: "Pascal",
    the_truth_is_inside_for_volta: "Volta",
    the_truth_is_inside_for_turing: "Turing",
    the_truth_is_inside_for_an_rtx_3090: "RTX 3090",
    the_truth_is_inside_for_an_a100: "A100",
    the_truth_is_inside_for_an_h100_with_instant_power: "H100 instant",
    the_truth_is_inside_for_an_h100_with_average_power: "H100 average",
    the_truth_is_inside_for_ada_with_average_power: "Ada average",
    the_truth_is_inside_for_a_gh200: "GH200",
}

#[test]
fn sensors_are_characterised_as_they_are() {
    for profile in PROFILES {
        for (seed, lag) in [(1, 0.1), (2, 0.6), (3, 0.95)] {
            let setup = Setup { lag_s: lag * profile.period_s, seed, ..quiet(profile.name) };
            let (mut stage, mut sensor, _) = board(&setup);
            let character = characterise(&mut stage, &mut sensor, profile.architecture, seed).expect("a healthy board");
            let what = format!("{} with a lag of {} s: {character:?}", profile.name, setup.lag_s);
            let near = |found: f64, is: f64, by: f64| assert!((found - is).abs() <= by, "{found} is not {is} ± {by}: {what}");
            if let Some(found) = character.instant.filter(|found| found.explained > 0.0) {
                near(found.period_s, profile.period_s, 0.03 * profile.period_s);
                near(found.shift_s(), setup.lag_s + profile.period_s / 2.0 + profile.tau_s.max(profile.window_s / 2.0), 0.012);
                match found.rise {
                    Rise::Exponential { tau_s } => near(tau_s, profile.tau_s, 0.15 * profile.tau_s),
                    Rise::Instant => near(found.window_s, profile.window_s, 0.010),
                    Rise::Ramp => panic!("a ramp: {what}"),
                }
                assert_eq!(profile.tau_s > 0.0, matches!(found.rise, Rise::Exponential { .. }), "{what}");
            }
            if let Some(found) = character.average.filter(|found| found.explained > 0.0) {
                assert_eq!(found.rise, Rise::Ramp, "{what}");
                near(found.window_s, 1.0, 0.06);
            }
            if let Some(tick) = character.counter {
                near(tick.period_s, profile.tick_s, 0.03 * profile.tick_s);
            }
            let readings = [character.counter.is_some(), character.instant.is_some_and(|r| r.explained > 0.0)];
            let offered = [profile.tick_s > 0.0, !matches!(profile.offers, Offers::Average | Offers::CounterAverage)];
            assert_eq!(readings, offered, "{what}");
        }
    }
}

#[test]
fn a_sensor_unlike_what_is_published_is_noted() {
    let (mut stage, mut sensor, _) = board(&quiet("A100"));
    let character = characterise(&mut stage, &mut sensor, "ampere-ga10x", 1).expect("a healthy board");
    assert_eq!(character.notes.len(), 1, "{:?}", character.notes);
    assert!(character.notes[0].starts_with("instant power averages 2"), "{:?}", character.notes);
    assert!(character.notes[0].ends_with("; 100 ms are published for this architecture"), "{:?}", character.notes);
    let told: Character = serde_json::from_str(&serde_json::to_string(&character).expect("plain data")).expect("its own words");
    assert_eq!((told.scope, told.notes), (character.scope, character.notes));
}

#[test]
fn every_board_rests_on_the_best_reading_it_has() {
    let cases = [
        ("Pascal", Source::Instant, None),
        ("Volta", Source::Counter, Some(Source::Instant)),
        ("H100 instant", Source::Counter, Some(Source::Instant)),
        ("H100 average", Source::Counter, Some(Source::Average)),
        ("Ada average", Source::Average, None),
    ];
    for (name, first, second) in cases {
        let (report, _) = measured(&quiet(name), &Settings::default()).expect("a healthy board");
        assert_eq!((report.source, report.second_source), (first, second), "{name}");
        assert_eq!(second.is_none(), report.flags.contains(&Flag::OneEstimate), "{name}: {:?}", report.flags);
    }
}

#[test]
fn windows_are_long_enough_and_of_running_kernels_only() {
    for profile in PROFILES {
        for launch_s in [2e-5, 0.03, 0.3] {
            let mut setup = quiet(profile.name);
            setup.kernel.launch_s = launch_s;
            let (report, truth) = measured(&setup, &Settings::default()).expect("a healthy board");
            let what = format!("{} with launches of {launch_s} s", profile.name);
            assert!(report.trials >= 3 && report.windows.len() >= report.trials, "{what}");
            let least = [2.0, 32.0 * launch_s, 20.0 * profile.period_s];
            for trial in 0..report.trials {
                let windows: Vec<_> = report.windows.iter().filter(|window| window.trial == trial).collect();
                let length: f64 = windows.iter().map(|window| window.to_s - window.from_s).sum();
                let launches: f64 = windows.iter().map(|window| window.launches).sum();
                // A tick is lost where a window waits for one; there is one more of them than periods asked for.
                assert!(least.iter().all(|least| length >= 0.97 * least), "{what}: {length} s");
                assert!(launches >= 31.0, "{what}: {launches} launches");
            }
            for window in &report.windows {
                assert!(truth.was_busy(window.from_s, window.to_s), "{what}: idle between {} and {}", window.from_s, window.to_s);
            }
            assert!((report.launch_s / launch_s - 1.0).abs() < 0.01, "{what}: {} s", report.launch_s);
        }
    }
}

#[test]
fn idle_is_subtracted_and_kept() {
    let setup = quiet("A100");
    let (report, _) = measured(&setup, &Settings::default()).expect("a healthy board");
    for idle_w in [report.idle_before_w, report.idle_after_w, report.idle_w] {
        // The glow of clocks that are still up fades within the seconds that idle is measured.
        assert!((idle_w - setup.profile.idle_w).abs() < 4.0, "{report:?}");
    }
    assert!((report.energy_j - report.net_j - report.idle_w * report.launch_s).abs() < 1e-12);
    assert!((report.power_w * report.launch_s / report.energy_j - 1.0).abs() < 1e-3);
    assert_eq!(report.regime, CacheMode::Hot);
}

#[test]
fn ticks_make_a_window_exact_to_a_poll_where_they_would_make_it_inexact_to_a_tick() {
    let (report, _) = measured(&quiet("Turing"), &Settings::default()).expect("a healthy board");
    let one_tick = named("Turing").tick_s / report.window_s;
    assert!(report.terms.tick_j / report.energy_j < one_tick / 20.0, "{:?}", report.terms);
}

#[test]
fn random_phases_narrow_what_a_part_time_sensor_leaves_open() {
    // Launches in step with the sensor: without a change of phase it sees the same quarter of every launch.
    let mut errors = [Vec::new(), Vec::new()];
    for seed in 0..40 {
        for (at, phases) in [8, 1].into_iter().enumerate() {
            let kernel = Kernel { launch_s: 0.1, power_w: 250.0, swing: 0.4 };
            let setup = Setup { kernel, seed, ..quiet("A100") };
            let (report, truth) = measured(&setup, &Settings { phases, seed, ..Settings::default() }).expect("healthy");
            assert_eq!(report.windows.len(), report.trials * phases);
            assert!(report.flags.contains(&Flag::PartTime));
            errors[at].push((report.energy_j / truth.energy_j(&report.windows) - 1.0).abs());
        }
    }
    let [shifted, fixed] = errors.map(|errors| quantile(&errors, 0.7));
    assert!(shifted < 0.7 * fixed, "{shifted} with phases, {fixed} without");
}

#[test]
fn there_is_no_energy_without_its_reason() {
    let cases: [(&str, Fault, &str); 10] = [
        ("A100", Fault::Dies(9.0), "the energy counter stopped answering 8.9 s into the measurement: device fell off the bus"),
        ("Pascal", Fault::Dies(6.0), "the instant power stopped answering 5.9 s into the measurement: device fell off the bus"),
        ("A100", Fault::Frozen, "the energy counter did not move in 3.1 s of load"),
        ("Ada average", Fault::Frozen, "the average power did not move in 24.5 s of load"),
        ("Volta", Fault::CounterReset(9.0), "the energy counter fell from "),
        ("A100", Fault::OtherProcess(0.0), "another process is on the GPU (pid 4242): its energy cannot be told apart"),
        ("A100", Fault::OtherProcess(12.0), "another process is on the GPU (pid 4242): its energy cannot be told apart"),
        ("A100", Fault::Mig, "MIG is on: power and energy are those of the whole board, not of one instance"),
        (
            "Pascal",
            Fault::Denied,
            "the board offers no power reading: energy counter: `energy counter` is not offered by this board; \
             instant power: `instant power` is denied to this user; average power: `average power` is not offered by this board",
        ),
        ("H100 instant", Fault::SlowLaunches(0.05), "launches could not be queued fast enough: the GPU was idle at "),
    ];
    for (name, fault, expected) in cases {
        let why = measured_later(&Setup { fault, ..quiet(name) }, &Settings::default()).expect_err("a fault").to_string();
        let (said, expected) = (strip_times(&why), strip_times(expected));
        assert!(said.starts_with(&expected), "{name}, {fault:?}: {why}");
    }
}

/// Without the seconds, which depend on how long reads take.
fn strip_times(text: &str) -> String {
    let word = |word: &str| if word.parse::<f64>().is_ok() { "…".to_owned() } else { word.to_owned() };
    text.split(' ').map(word).collect::<Vec<_>>().join(" ")
}

#[test]
fn a_kernel_that_fails_is_no_fault_of_the_sensor() {
    let why =
        measured_later(&Setup { fault: Fault::KernelFails(5.0), ..quiet("A100") }, &Settings::default()).expect_err("it fails");
    assert!(matches!(why, Unavailable::Kernel(DeviceError::System { call: "cuLaunchKernel", .. })), "{why}");
    assert!(matches!(DeviceError::from(Unavailable::Mig), DeviceError::Sensor(_)));
    assert!(matches!(DeviceError::from(why), DeviceError::System { .. }));
}

#[test]
fn what_cannot_be_characterised_is_taken_as_published_and_flagged_unless_the_kernel_failed() {
    let (mut stage, mut sensor, _) = board(&quiet("A100"));
    let found = characterise(&mut stage, &mut sensor, "ampere-ga100", 1).expect("a healthy board");
    assert_eq!(Character::believed(Ok(found.clone()), "ampere-ga100").ok(), Some((found, None)));
    let still = Err(Unavailable::StoodStill { what: "instant power", over_s: 9.0 });
    let published = (Character::published("ampere-ga100"), Some(Flag::Uncharacterised));
    assert_eq!(Character::believed(still, "ampere-ga100").ok(), Some(published));
    let failed = || DeviceError::System { call: "cuLaunchKernel", reason: "no".to_owned() };
    let why = Character::believed(Err(Unavailable::Kernel(failed())), "ampere-ga100").map(|_| ()).map_err(DeviceError::from);
    assert_eq!(why.map_err(|error| error.to_string()), Err(failed().to_string()));
}

#[test]
fn a_slow_kernel_is_measured_with_less_or_not_at_all_and_never_beyond_the_limit() {
    let (mut stage, mut sensor, _) = board(&quiet("A100"));
    let character = characterise(&mut stage, &mut sensor, "ampere-ga100", 1).expect("a healthy board");
    let slow = |launch_s: f64| {
        let plain = quiet("A100");
        Setup { kernel: Kernel { launch_s, ..plain.kernel }, ..plain }
    };
    let mut bursts = Vec::new();
    for launch_s in [0.1, 0.5, 1.0, 2.0, 3.0, 20.0] {
        let (mut stage, mut sensor, truth) = board(&slow(launch_s));
        let start = stage.clock_s();
        let found = measure(&mut stage, &mut sensor, &character, &Settings::default());
        let lasted_s = stage.clock_s() - start;
        assert!(lasted_s <= measure::MEASURE_S, "launches of {launch_s} s: {lasted_s} s");
        match found {
            Ok(report) => {
                let asked = report.windows.len() == 4 * 8;
                assert_eq!(report.flags.contains(&Flag::SlowKernel), !asked, "{launch_s}: {:?}", report.flags);
                assert!(
                    report.trials >= 3 && (report.energy_j / truth.energy_j(&report.windows) - 1.0).abs() < 0.15,
                    "{launch_s}"
                );
                bursts.push(report.windows.len());
            }
            Err(why) => {
                let words = "a launch takes `20.00` s: its sensors would have to be watched for ";
                assert!(
                    why.to_string().starts_with(words) && why.to_string().ends_with("150 s are the limit"),
                    "{launch_s}: {why}"
                );
            }
        }
    }
    assert!(bursts.len() == 5 && bursts[0] == 32 && bursts.is_sorted_by(|a, b| a >= b) && bursts[4] < 24, "{bursts:?}");
    let (mut stage, mut sensor, _) = board(&slow(2.0));
    let why = characterise(&mut stage, &mut sensor, "ampere-ga100", 1).expect_err("a square wave of it would take minutes");
    assert!(matches!(why, Unavailable::Slow { .. }) && stage.clock_s() < 10.0, "{why}");
}

#[test]
fn a_measurement_that_overruns_its_limit_gives_up() {
    let (mut stage, mut sensor, _) = board(&quiet("A100"));
    let load = load::Load::calibrate(&mut stage).expect("runs");
    let mut watch = trial::Watch::new(load, &mut sensor, vec![Source::Counter], 1e-3).within(0.5);
    let why = (0..10_000).find_map(|_| watch.poll(trial::Work::Feed).err()).expect("it ends");
    assert_eq!(why.to_string(), "the sensors had been watched for 0.5 s, which is the limit, before there was a result");
    assert!(watch.clock_s() < 1.0);
}

#[test]
fn a_counter_that_wraps_in_a_window_changes_nothing() {
    // About 1.5 kJ go by before the second trial of this board, and 280 W after that.
    let plain = measured_later(&quiet("A100"), &Settings::default()).expect("a healthy board");
    let wraps = Setup { fault: Fault::CounterWraps(2500.0), ..quiet("A100") };
    let wrapped = measured_later(&wraps, &Settings::default()).expect("a wrap is no fault");
    assert!((wrapped.energy_j / plain.energy_j - 1.0).abs() < 1e-6, "{} and {}", wrapped.energy_j, plain.energy_j);
}

#[test]
fn estimates_that_disagree_are_flagged_then_refused_unless_overridden() {
    let cases = [
        (0.0, Disagreement::Refuse, Ok(None)),
        (0.08, Disagreement::Refuse, Ok(Some(Flag::Crosscheck))),
        (0.40, Disagreement::Refuse, Err("instant power gives 0.7")),
        (0.40, Disagreement::Publish, Ok(Some(Flag::Disagree))),
    ];
    for (extra, disagreement, expected) in cases {
        let mut setup = quiet("H100 instant");
        setup.fault = Fault::CounterExtra(extra * setup.kernel.power_w);
        let result = measured_later(&setup, &Settings { disagreement, ..Settings::default() });
        match (result, expected) {
            (Ok(report), Ok(flag)) => {
                let raised: Vec<_> =
                    report.flags.iter().filter(|flag| [Flag::Crosscheck, Flag::Disagree].contains(flag)).copied().collect();
                assert_eq!(raised, Vec::from_iter(flag), "{extra}");
                let ratio = report.crosscheck.expect("two estimates");
                assert!((ratio * (1.0 + extra) - 1.0).abs() < 0.01, "{ratio} for {extra}");
            }
            (Err(why), Err(start)) => {
                let why = why.to_string();
                assert!(why.starts_with(start) && why.ends_with("over the same windows; the limit is ±15 %"), "{why}");
            }
            (got, _) => panic!("{extra}: {got:?}"),
        }
    }
}

#[test]
fn a_window_in_a_slowdown_is_thrown_away_and_one_that_stays_is_flagged() {
    let slow = |to| Setup { fault: Fault::Slowdown(0.0, to), ..quiet("Turing") };
    let passing = measured_later(&slow(17.0), &Settings::default()).expect("it passes");
    assert!(passing.discarded > 0 && !passing.flags.contains(&Flag::Slowdown), "{passing:?}");
    let staying = measured_later(&slow(1e9), &Settings::default()).expect("kept, and flagged");
    assert_eq!((staying.discarded, staying.flags.contains(&Flag::Slowdown)), (2, true));
    assert_eq!(Energy::from(&staying).detail.throttle_reasons.as_deref(), Some("hw_thermal"));
}

#[test]
fn a_superchip_says_that_its_processor_is_in_the_reading() {
    let (report, _) = measured(&quiet("GH200"), &Settings::default()).expect("a healthy board");
    assert!(report.flags.contains(&Flag::Module) && report.scope == prior::Scope::Module);
}

#[test]
fn a_report_becomes_the_energy_of_a_row() {
    let (report, _) = measured(&quiet("A100"), &Settings::default()).expect("a healthy board");
    let energy = Energy::from(&report);
    assert_eq!((energy.energy_j, energy.uncertainty_j, energy.idle_w), (report.energy_j, report.relative_j, report.idle_w));
    let detail = &energy.detail;
    assert_eq!((detail.second_j, detail.crosscheck, detail.trials), (report.second_j, report.crosscheck, Some(4)));
    assert_eq!(detail.systematic_j, Some(0.05 * report.energy_j));
    assert_eq!((detail.clock_hz, detail.regime), (Some(1.5e9), Some(CacheMode::Hot)));
    assert_eq!((detail.sensor.as_deref(), detail.scope.as_deref()), (Some("energy counter"), Some("board")));
    assert!(detail.temperature_before_c.is_some() && detail.temperature_after_c.is_some());
    assert_eq!(detail.flags, ["part-time"]);
    let sent = serde_json::to_string(&energy).expect("plain data");
    assert_eq!(serde_json::from_str::<Energy>(&sent).expect("its own words"), energy);
}
