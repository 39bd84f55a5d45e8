//! The NVML stand-in against the truth it is made from.

#![allow(clippy::unwrap_used)] // helpers of tests

mod driver_support;

use std::ffi::{CStr, c_char};

use driver_support::{Arg, BUMP, FILL, NEXT, WORK, alloc, load, machine, ok, put, run, start};
use vgpu::driver::config::Config;
use vgpu::driver::ffi::{Out, Text};
use vgpu::driver::virtual_time::{vgpuAdvance, vgpuLaunches, vgpuNow, vgpuRepeat, vgpuTrueEnergy, vgpuTruePower};
use vgpu::driver::{context, device};
use vgpu::nvml::fields::{self, FieldValue, Sample};
use vgpu::nvml::processes::{self, Process};
use vgpu::nvml::scenario::Scenario;
use vgpu::nvml::status::Status;
use vgpu::nvml::{clocks, identity, readings, system};
use vgpu::state::scoped;

/// The handle of the only card.
const CARD: u64 = 1;
const SECOND: u64 = 1_000_000_000;

fn with<R>(key: &str, scenario: &str, work: impl FnOnce() -> R) -> R {
    let change = |c: &mut Config| {
        let fallback = c.devices[0].1.preset.clone();
        c.devices[0].1 = Scenario::parse(scenario, &fallback).unwrap();
    };
    scoped(machine(key, change), || {
        start();
        assert_eq!(system::nvmlInit_v2(), Status::Success);
        work()
    })
}

#[track_caller]
fn read<T: Default>(call: impl FnOnce(Out<T>) -> Status) -> T {
    let mut value = T::default();
    assert_eq!(call(Out::to(&mut value)), Status::Success);
    value
}

fn field(id: u32, scope: u32) -> FieldValue {
    let mut value = FieldValue { field: id, scope, ..FieldValue::default() };
    assert_eq!(fields::nvmlDeviceGetFieldValues(CARD, 1, Out::to(&mut value)), Status::Success);
    value
}

/// Keeps the card busy for at least `seconds` of virtual time and gives the hours of begin and end.
fn busy(seconds: f64) -> (u64, u64) {
    let work = load(WORK, "work");
    let out = alloc(4 * 256 * 432);
    ok(context::cuCtxSynchronize());
    let begin = vgpuNow(0);
    while vgpuNow(0) - begin < (seconds * 1e9) as u64 {
        ok(run(work, 432, 256, &[Arg::P(out), Arg::U(400)]));
    }
    ok(context::cuCtxSynchronize());
    (begin, vgpuNow(0))
}

fn mj() -> u64 {
    read(|out| readings::nvmlDeviceGetTotalEnergyConsumption(CARD, out))
}

#[test]
fn idle_power_is_the_profiles_and_work_draws_more() {
    with("a100", "preset = \"ideal\"", || {
        assert_eq!(read(|out| readings::nvmlDeviceGetPowerUsage(CARD, out)), 50_000);
        assert_eq!(vgpuTruePower(0, vgpuNow(0)), 50.0);
        let (begin, end) = busy(0.5);
        let mean = vgpuTrueEnergy(0, begin, end) / ((end - begin) as f64 * 1e-9);
        assert!((100.0..=400.0).contains(&mean), "{mean} W of an A100's 400");
        vgpuAdvance(0, 2 * SECOND);
        assert_eq!(read(|out| readings::nvmlDeviceGetPowerUsage(CARD, out)), 50_000);
    });
}

#[test]
fn the_counter_shows_the_truth_times_gain_within_a_tick_for_full_coverage() {
    for (key, preset, gain) in [("a100", "ideal", 1.0), ("rtx2080ti", "turing", 0.96), ("rtx3090", "ga10x", 0.955)] {
        with(key, &format!("preset = \"{preset}\""), || {
            vgpuAdvance(0, 2 * SECOND);
            let (before, from) = (mj(), vgpuNow(0));
            let (_, end) = busy(1.0);
            vgpuAdvance(0, 2 * SECOND);
            let (after, to) = (mj(), vgpuNow(0));
            let (seen, truth) = ((after - before) as f64 / 1e3, vgpuTrueEnergy(0, from, to) * gain);
            // At both edges a tick of idle power may be missing.
            let tick_j = 2.0 * 0.2 * vgpuTruePower(0, to);
            assert!((seen - truth).abs() < tick_j + truth * 0.01, "{preset}: {seen} J against {truth} J");
            assert!(end < to);
        });
    }
}

#[test]
fn a_trailing_average_lags_a_step_by_its_window() {
    with("rtx4090", "preset = \"ada\"", || {
        let at_rest = f64::from(read(|out| readings::nvmlDeviceGetPowerUsage(CARD, out))) / 0.96;
        let (_, _) = busy(0.5);
        let half = f64::from(read(|out| readings::nvmlDeviceGetPowerUsage(CARD, out))) / 0.96;
        let (begin, end) = busy(1.5);
        let full = f64::from(read(|out| readings::nvmlDeviceGetPowerUsage(CARD, out))) / 0.96;
        let truth = vgpuTrueEnergy(0, begin + SECOND / 2, end) / ((end - begin - SECOND / 2) as f64 * 1e-9) * 1e3;
        let share = (half - at_rest) / (truth - at_rest);
        assert!((0.3..0.65).contains(&share), "after half a second {share} of the step shows");
        assert!((full / truth - 1.0).abs() < 0.03, "after a second and a half all of it: {full} of {truth} mW");
    });
}

#[test]
fn fields_carry_timestamps_types_and_scopes() {
    with("gh200", "", || {
        vgpuAdvance(0, SECOND / 3);
        let (instant, average, energy) = (field(186, 0), field(185, 0), field(83, 0));
        let now_us = (vgpuNow(0) / 1000) as i64;
        for value in [instant, average, energy] {
            assert_eq!(value.status, 0);
            assert!((0..=200_000).contains(&(now_us - value.timestamp_us)), "{value:?} at {now_us}");
        }
        assert_eq!((instant.value_type, energy.value_type), (1, 3));
        // The instantaneous reading mixes in the module's 90 W; the average does not.
        assert_eq!((instant.value, average.value), (170_000, 80_000));
        assert_eq!(field(185, 1).value, 170_000);
        assert_eq!(field(185, 2).status, Status::NotSupported as u32);
        assert_eq!(field(99_999, 0).status, Status::NotSupported as u32);
        let before = (mj(), vgpuNow(0));
        vgpuAdvance(0, 10 * SECOND);
        let watts = (mj() - before.0) as f64 * 1e-3 / 10.0;
        assert!((watts - 170.0).abs() < 2.0, "the counter covers the module: {watts} W");
        assert_eq!((field(187, 0).value, field(188, 0).value, field(189, 0).value), (200_000, 900_000, 900_000));
    });
}

#[test]
fn cards_before_volta_have_no_counter_and_old_drivers_no_instant_field() {
    with("p100", "", || {
        let mut energy = 0;
        assert_eq!(readings::nvmlDeviceGetTotalEnergyConsumption(CARD, Out::to(&mut energy)), Status::NotSupported);
        assert_eq!(field(83, 0).status, Status::NotSupported as u32);
        assert_eq!(field(186, 0).status, 0);
    });
    with("h100", "preset = \"h100-average\"", || {
        assert_eq!(field(186, 0).status, Status::NotSupported as u32);
        assert_eq!(field(185, 0).status, 0);
    });
}

#[test]
fn a_counter_wraps_where_the_scenario_says() {
    with("a100", "preset = \"ideal\"\n[counter]\nwrap_mj = 1000000\nstart_mj = 499000", || {
        let before = mj();
        vgpuAdvance(0, SECOND);
        let after = mj();
        assert!(before > 990_000 && after < 60_000, "{before} then {after}");
        assert_eq!((after + 1_000_000 - before) / 1000, 50);
    });
}

#[test]
fn settings_need_permission_and_are_bounded_and_reset() {
    for (line, expected) in
        [("settings = \"no-permission\"", Status::NoPermission), ("settings = \"not-supported\"", Status::NotSupported)]
    {
        with("a100", line, || {
            let calls = [
                clocks::nvmlDeviceSetGpuLockedClocks(CARD, 1000, 1000),
                clocks::nvmlDeviceResetGpuLockedClocks(CARD),
                clocks::nvmlDeviceSetMemoryLockedClocks(CARD, 1215, 1215),
                readings::nvmlDeviceSetPowerManagementLimit(CARD, 200_000),
                identity::nvmlDeviceSetPersistenceMode(CARD, 0),
            ];
            assert_eq!(calls, [expected; 5]);
        });
    }
    with("a100", "", || {
        let limit = || read(|out| readings::nvmlDeviceGetEnforcedPowerLimit(CARD, out));
        let (mut low, mut high) = (0, 0);
        assert_eq!(
            readings::nvmlDeviceGetPowerManagementLimitConstraints(CARD, Out::to(&mut low), Out::to(&mut high)),
            Status::Success
        );
        assert_eq!((low, high, limit()), (100_000, 400_000, 400_000));
        assert_eq!(readings::nvmlDeviceSetPowerManagementLimit(CARD, 99_999), Status::InvalidArgument);
        assert_eq!(readings::nvmlDeviceSetPowerManagementLimit(CARD, 250_000), Status::Success);
        assert_eq!((limit(), read(|out| readings::nvmlDeviceGetPowerManagementDefaultLimit(CARD, out))), (250_000, 400_000));
        assert_eq!(clocks::nvmlDeviceSetGpuLockedClocks(CARD, 990, 990), Status::Success);
        busy(0.01);
        let sm = || read(|out| clocks::nvmlDeviceGetClockInfo(CARD, 1, out));
        let reasons = || read(|out| clocks::nvmlDeviceGetCurrentClocksEventReasons(CARD, out));
        assert_eq!((sm(), reasons()), (990, 1));
        assert_eq!(clocks::nvmlDeviceResetGpuLockedClocks(CARD), Status::Success);
        assert_eq!(readings::nvmlDeviceSetPowerManagementLimit(CARD, 400_000), Status::Success);
        busy(0.01);
        assert_eq!(sm(), 1410);
    });
}

#[test]
fn the_power_limit_and_throttling_show_as_reasons_while_kernels_run() {
    let during = |scenario: &str, limit_mw: u32| {
        with("h100", scenario, || {
            if limit_mw > 0 {
                assert_eq!(readings::nvmlDeviceSetPowerManagementLimit(CARD, limit_mw), Status::Success);
            }
            let work = load(WORK, "work");
            let out = alloc(4 * 256 * 432);
            for _ in 0..300 {
                ok(run(work, 432, 256, &[Arg::P(out), Arg::U(400)]));
            }
            let reasons = read(|out| clocks::nvmlDeviceGetCurrentClocksThrottleReasons(CARD, out));
            let clock = read(|out| clocks::nvmlDeviceGetClock(CARD, 1, 0, out));
            ok(context::cuCtxSynchronize());
            (reasons, clock, field(74, 0).value)
        })
    };
    let (free, full_clock, _) = during("", 0);
    assert_eq!((free, full_clock), (0, 1980));
    let (capped, clock, nanoseconds) = during("", 200_000);
    assert_eq!(capped, 4);
    assert!(clock < full_clock && nanoseconds > 0, "{clock} MHz, {nanoseconds} ns");
    let hot = "[[throttle]]\nfrom_s = 0.0\nto_s = 100.0\nsm_mhz = 700\nreason = \"hw-thermal-slowdown\"";
    assert_eq!(during(hot, 0).0, 72);
    assert_eq!(during(hot, 0).1, 700);
}

#[test]
fn troubles_of_the_scenario_are_seen_by_the_caller() {
    let trouble = "mig = \"enabled\"\n[[process]]\npid = 4242\nmemory_mib = 512\npower_w = 25.0\n[errors]\nnvmlDeviceGetPowerUsage = \"gpu-is-lost\"\nnvmlDeviceGetName = \"unknown\"\n\"field:186\" = \"no-permission\"";
    with("a100", trouble, || {
        let mut power = 0;
        assert_eq!(readings::nvmlDeviceGetPowerUsage(CARD, Out::to(&mut power)), Status::GpuIsLost);
        assert_eq!(identity::nvmlDeviceGetName(CARD, Out::NULL, 0), Status::Unknown);
        assert_eq!(field(186, 0).status, Status::NoPermission as u32);
        let (mut current, mut pending) = (9, 9);
        let mut uuids = [[0u8; 16]; 2];
        ok(device::cuDeviceGetUuid(Out::to(&mut uuids[0]), 0));
        ok(device::cuDeviceGetUuid_v2(Out::to(&mut uuids[1]), 0));
        assert_ne!(uuids[0], uuids[1], "CUDA names the instance, NVML the card");
        assert_eq!(identity::nvmlDeviceGetMigMode(CARD, Out::to(&mut current), Out::to(&mut pending)), Status::Success);
        assert_eq!((current, pending), (1, 1));
        let mut list = [Process::default(); 4];
        let mut count = 4;
        assert_eq!(
            processes::nvmlDeviceGetComputeRunningProcesses_v3(CARD, Out::to(&mut count), Out::to_slice(&mut list)),
            Status::Success
        );
        let pids: Vec<u32> = list[..count as usize].iter().map(|p| p.pid).collect();
        assert_eq!(pids, [std::process::id(), 4242]);
        count = 0;
        let short = processes::nvmlDeviceGetComputeRunningProcesses_v3(CARD, Out::to(&mut count), Out::NULL);
        assert_eq!((short, count), (Status::InsufficientSize, 2));
    });
    let death = "preset = \"ideal\"\n[death]\nat_s = 12.0\nwhat = \"power\"\nhow = \"gpu-lost\"";
    with("a100", death, || {
        let mut power = 0;
        assert_eq!(readings::nvmlDeviceGetPowerUsage(CARD, Out::to(&mut power)), Status::Success);
        vgpuAdvance(0, 3 * SECOND);
        assert_eq!(readings::nvmlDeviceGetPowerUsage(CARD, Out::to(&mut power)), Status::GpuIsLost);
        assert!(mj() > 0, "the counter lives on");
    });
    scoped(
        machine("a100", |c| c.devices[0].1 = Scenario::parse("[errors]\nnvmlInit_v2 = \"driver-not-loaded\"", "a100").unwrap()),
        || {
            assert_eq!(system::nvmlInit_v2(), Status::DriverNotLoaded);
        },
    );
}

#[test]
fn the_library_must_be_open_and_cards_are_found_every_way() {
    scoped(machine("rtx4070", |_| {}), || {
        let mut count = 0;
        assert_eq!(system::nvmlDeviceGetCount_v2(Out::to(&mut count)), Status::Uninitialized);
        assert_eq!(system::nvmlInit_v2(), Status::Success);
        let handle = read(|out| system::nvmlDeviceGetHandleByIndex_v2(0, out));
        assert_eq!(system::nvmlDeviceGetHandleByIndex_v2(1, Out::to(&mut 0)), Status::InvalidArgument);
        let text = |call: &dyn Fn(Out<c_char>) -> Status| {
            let mut bytes = [0 as c_char; 96];
            assert_eq!(call(Out::to_slice(&mut bytes)), Status::Success);
            // SAFETY: the call ended the text with a zero byte inside the buffer.
            unsafe { CStr::from_ptr(bytes.as_ptr()) }.to_owned()
        };
        assert_eq!(text(&|out| identity::nvmlDeviceGetName(handle, out, 96)).to_str(), Ok("NVIDIA GeForce RTX 4070 (virtual)"));
        let uuid = text(&|out| identity::nvmlDeviceGetUUID(handle, out, 96));
        assert_eq!(read(|out| system::nvmlDeviceGetHandleByUUID(Text::of(&uuid), out)), handle);
        assert_eq!(read(|out| system::nvmlDeviceGetHandleByPciBusId_v2(Text::of(c"00000000:01:00.0"), out)), handle);
        assert_eq!(identity::nvmlDeviceGetUUID(handle, Out::to(&mut 0), 5), Status::InsufficientSize);
        assert_eq!(identity::nvmlDeviceGetIndex(77, Out::to(&mut 0)), Status::InvalidArgument);
        let mut clocks_mhz = [0; 256];
        let mut n = 256;
        assert_eq!(
            clocks::nvmlDeviceGetSupportedGraphicsClocks(handle, 10_501, Out::to(&mut n), Out::to_slice(&mut clocks_mhz)),
            Status::Success
        );
        assert_eq!((clocks_mhz[0], n), (2475, 152));
        assert_eq!(system::nvmlShutdown(), Status::Success);
        assert_eq!(system::nvmlShutdown(), Status::Uninitialized);
    });
}

#[test]
fn samples_are_the_updates_since_the_last_look() {
    with("v100", "", || {
        vgpuAdvance(0, SECOND);
        let since = vgpuNow(0) / 1000 - 100_000;
        let (mut kind, mut count) = (0, 0);
        assert_eq!(
            fields::nvmlDeviceGetSamples(CARD, 0, since, Out::to(&mut kind), Out::to(&mut count), Out::NULL),
            Status::Success
        );
        let mut samples = vec![Sample::default(); count as usize];
        let got =
            fields::nvmlDeviceGetSamples(CARD, 0, since, Out::to(&mut kind), Out::to(&mut count), Out::to_slice(&mut samples));
        assert_eq!((got, kind, count), (Status::Success, 1, 5), "five updates in a tenth of a second");
        assert!(samples[..5].windows(2).all(|w| w[1].timestamp_us - w[0].timestamp_us == 20_000));
        assert!(samples[..5].iter().all(|s| s.value == 40_000 && s.timestamp_us > since));
    });
}

#[test]
fn every_call_costs_the_host_its_time_and_the_card_warms_up() {
    with("a100", "call_cost_s = 0.0005", || {
        let before = vgpuNow(0);
        for _ in 0..10 {
            mj();
        }
        assert_eq!(vgpuNow(0) - before, 5_000_000);
        let temperature = || read(|out| readings::nvmlDeviceGetTemperature(CARD, 0, out));
        let cold = temperature();
        busy(3.0);
        let warm = temperature();
        assert!(warm > cold, "{cold} °C, then {warm} °C");
        let rates = read(|out| readings::nvmlDeviceGetUtilizationRates(CARD, out));
        assert!(rates.gpu > 90, "{rates:?}");
    });
}

#[test]
fn settings_outlive_the_process_that_made_them_where_a_file_keeps_them() {
    let path = std::env::temp_dir().join(format!("vgpu-state-{}.json", std::process::id()));
    let process = || machine("a100", |c| c.state = Some(path.clone()));
    let limit = || read(|out| readings::nvmlDeviceGetEnforcedPowerLimit(CARD, out));
    let opened = |work: &dyn Fn()| {
        scoped(process(), || {
            start();
            assert_eq!(system::nvmlInit_v2(), Status::Success);
            work();
        });
    };
    opened(&|| {
        assert_eq!(readings::nvmlDeviceSetPowerManagementLimit(CARD, 250_000), Status::Success);
        assert_eq!(clocks::nvmlDeviceSetGpuLockedClocks(CARD, 990, 990), Status::Success);
        // Another process restores the limit while this one lives on.
        opened(&|| {
            assert_eq!(limit(), 250_000);
            assert_eq!(readings::nvmlDeviceSetPowerManagementLimit(CARD, 400_000), Status::Success);
        });
        assert_eq!(limit(), 400_000);
    });
    opened(&|| {
        assert_eq!(limit(), 400_000);
        busy(0.005);
        assert_eq!(read(|out| clocks::nvmlDeviceGetClockInfo(CARD, 1, out)), 990);
    });
    std::fs::remove_file(&path).unwrap();
    opened(&|| assert_eq!(limit(), 400_000, "without the file a card starts afresh"));
    let _ = std::fs::remove_file(&path);
}

/// A throttled stretch in the middle and somebody else at its end, so that the price of a launch changes on the way.
const BUMPY: &str = "seed = 3\n[power]\nidle_w = 40.0\n[[throttle]]\nfrom_s = 10.001\nto_s = 10.003\nsm_mhz = 600\nreason = \"hw-thermal-slowdown\"\n\
                     [[process]]\npid = 4242\nmemory_mib = 8\npower_w = 30.0\nshare = 0.25\nfrom_s = 10.004\n";

#[test]
fn launches_repeated_at_once_leave_the_time_the_energy_and_the_sensors_of_as_many_calls() {
    let times = 3000u64;
    let seen = |at_once: bool| {
        with("a100", BUMPY, || {
            let (x, y, out) = (alloc(128), alloc(128), alloc(4 * 256 * 108));
            let (fill, next, work) = (load(FILL, "fill"), load(NEXT, "next"), load(WORK, "work"));
            let begin = vgpuNow(0);
            let calls = || {
                ok(run(fill, 1, 32, &[Arg::P(x), Arg::U(5), Arg::U(32)]));
                ok(run(next, 1, 32, &[Arg::P(y), Arg::P(x), Arg::U(32)]));
                ok(run(work, 108, 256, &[Arg::P(out), Arg::U(20)]));
            };
            calls();
            if at_once {
                assert_eq!(vgpuRepeat(3, times), times);
            } else {
                (0..times).for_each(|_| calls());
            }
            let queued = vgpuNow(0);
            ok(context::cuCtxSynchronize());
            let end = vgpuNow(0);
            vgpuAdvance(0, SECOND / 10);
            let (mut executed, mut remembered) = (0, 0);
            vgpuLaunches(Out::to(&mut executed), Out::to(&mut remembered));
            let energy: u64 = read(|out| readings::nvmlDeviceGetTotalEnergyConsumption(CARD, out));
            let power: u32 = read(|out| readings::nvmlDeviceGetPowerUsage(CARD, out));
            let truth = vgpuTrueEnergy(0, begin, end + SECOND / 20).to_bits();
            assert!(end - begin > SECOND / 200, "{} ns", end - begin);
            (queued, end, truth, energy, power, (executed, remembered))
        })
    };
    assert_eq!(seen(true), seen(false));
}

#[test]
fn what_would_have_to_be_executed_is_not_repeated() {
    with("a100", "", || {
        assert_eq!(vgpuRepeat(1, 5), 0, "nothing was launched");
        let x = alloc(128);
        put(x, &[0; 32]);
        let (bump, fill) = (load(BUMP, "bump"), load(FILL, "fill"));
        ok(run(bump, 1, 32, &[Arg::P(x)]));
        assert_eq!(vgpuRepeat(1, 5), 0, "it reads what it writes");
        ok(run(fill, 1, 32, &[Arg::P(x), Arg::U(5), Arg::U(32)]));
        assert_eq!((vgpuRepeat(2, 5), vgpuRepeat(0, 5), vgpuRepeat(3, 5), vgpuRepeat(1, 5)), (0, 0, 0, 5));
        put(x, &[0; 32]);
        assert_eq!(vgpuRepeat(1, 5), 0, "what it wrote has changed");
    });
}
