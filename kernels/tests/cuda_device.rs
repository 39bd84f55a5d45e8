//! The CUDA device on a real or virtual GPU, with a kernel whose every fault is known.

#![allow(clippy::disallowed_methods)] // a test that needs a library learns its path from the environment
#![allow(clippy::print_stdout)] // a skip must be seen

mod gpu;

use gpu::{Doubling, config, problem};
use tilecast_kernels::devices::cuda::compile::CompileOptions;
use tilecast_kernels::devices::cuda::{CudaDevice, Libraries, driver_present, found};
use tilecast_kernels::oracle::Verdict;
use tilecast_kernels::{CacheMode, Device, DeviceError, Loaded};

/// Ragged against blocks of 128.
const N: u64 = 1000;

fn loaded() -> Option<(gpu::Turn, Box<dyn Loaded>)> {
    let device = gpu::device()?;
    let loaded = device.load(&Doubling, &problem(N)).expect("fits any GPU");
    Some((device, loaded))
}

#[test]
fn without_a_driver_a_gpu_is_refused_in_one_sentence() {
    let nowhere = CompileOptions {
        libraries: Libraries { cuda: Some("/nowhere/libcuda.so.1".into()), ..Libraries::default() },
        ..CompileOptions::default()
    };
    let said = CudaDevice::open("cuda:0", nowhere).map(|_| ()).map_err(|error| error.to_string());
    assert!(said.clone().is_err_and(|e| e.starts_with("library `/nowhere/libcuda.so.1` could not be loaded: ")), "{said:?}");
    if driver_present() {
        println!("skipped: this machine has a driver, so its absence cannot be tested");
        return;
    }
    let none = "cannot be opened: no CUDA driver (libcuda.so.1) was found";
    let said = CudaDevice::open("cuda:0", CompileOptions::default()).map(|_| ()).map_err(|error| error.to_string());
    assert_eq!(said, Err(format!("device `cuda:0` {none}")));
    let said = found(&Libraries::default()).map(|found| found.len()).map_err(|error| error.to_string());
    assert_eq!(said, Err(format!("device `cuda` {none}")));
}

#[test]
fn a_right_kernel_is_verified_timed_both_ways_and_right_afterwards() {
    let Some((device, mut loaded)) = loaded() else { return };
    let prepared = loaded.prepare(&config("NONE", 1)).expect("prepares");
    assert_eq!(loaded.verify(prepared.slot).expect("runs").verdict, Verdict::Correct);
    assert_eq!(loaded.time_basis(prepared.slot), "event");
    for (cache, iterations) in [(CacheMode::Hot, 40), (CacheMode::Hot, 1), (CacheMode::Cold, 3)] {
        let sample = loaded.sample(prepared.slot, iterations, cache).expect("runs");
        assert!(sample.time_s > 0.0 && sample.time_s < 1.0 && sample.wall_s > 0.0, "{sample:?}");
        assert!(sample.launch_s.is_some_and(|s| s >= 0.0) && sample.iterations == iterations, "{sample:?}");
        assert_eq!(loaded.recheck(prepared.slot).expect("downloads").verdict, Verdict::Correct, "{cache:?}");
    }
    // Behind a flush as behind another call nothing of the host's way to the GPU is in the events, and nothing of the call is taken off.
    let hot = loaded.sample(prepared.slot, 40, CacheMode::Hot).expect("runs");
    let cold = loaded.sample(prepared.slot, 10, CacheMode::Cold).expect("runs");
    println!("hot {hot:?}, cold {cold:?}");
    assert!(cold.time_s > 0.98 * hot.time_s, "cold {cold:?} below hot {hot:?}");
    let code = prepared.code.expect("compiled code");
    assert!((1..=255).contains(&code.registers) && code.compiler.starts_with("nvrtc "), "{code:?}");
    assert_eq!((code.threads_per_block, code.blocks, code.shared_dynamic_bytes), (128, N / 128 + 1, 1024));
    assert!(code.blocks_per_sm > 0 && code.waves > 0.0 && (0.0..=1.0).contains(&code.occupancy), "{code:?}");
    assert!(device.info().gpu().sms > 0 && device.info().llc_bytes() > 1 << 19);
}

#[test]
fn every_fault_of_a_result_is_found_and_other_slots_are_not_affected() {
    let Some((_device, mut loaded)) = loaded() else { return };
    let right = loaded.prepare(&config("NONE", 1)).expect("prepares").slot;
    for (fault, words) in [("IDLE", "NaN"), ("SHORT", "(0, 999)"), ("OVERRUN", "canaries")] {
        let slot = loaded.prepare(&config(fault, 1)).expect("prepares").slot;
        let found = loaded.verify(slot).expect("runs");
        assert!(matches!(&found.verdict, Verdict::Incorrect(said) if said.contains(words)), "{fault}: {found:?}");
        loaded.sample(slot, 2, CacheMode::Hot).expect("runs");
        let again = loaded.recheck(slot).expect("downloads");
        assert!(matches!(again.verdict, Verdict::Incorrect(_)), "{fault}: {again:?}");
        assert_eq!(loaded.verify(right).expect("runs").verdict, Verdict::Correct, "after {fault}");
        assert!(loaded.recheck(slot).is_err(), "the output holds another slot's result");
    }
}

#[test]
fn what_cannot_be_prepared_says_why_and_leaves_the_rest_alone() {
    let Some((device, mut loaded)) = loaded() else { return };
    let right = loaded.prepare(&config("NONE", 1)).expect("prepares").slot;
    match loaded.prepare(&config("BROKEN", 1)) {
        Err(DeviceError::Compile { log, .. }) => assert!(log.contains("identifier \"missing\" is undefined"), "{log}"),
        other => panic!("{other:?}"),
    }
    let limit = device.info().gpu().shared_per_block;
    let over = loaded.prepare(&config("NONE", u64::from(limit / 1024) + 1)).map_err(|error| error.to_string());
    assert!(over.clone().is_err_and(|e| e.ends_with(&format!("a block may have {limit}"))), "{over:?}");
    let most = loaded.prepare(&config("NONE", u64::from(limit / 1024))).expect("shared memory is opted into").slot;
    for slot in [right, most] {
        assert_eq!(loaded.verify(slot).expect("runs").verdict, Verdict::Correct);
    }
    assert!(loaded.verify(99).is_err());
    let huge = device.load(&Doubling, &problem(1 << 46)).map(|_| ()).map_err(|error| error.to_string());
    assert!(huge.clone().is_err_and(|e| e.contains("B of memory; ")), "{huge:?}");
}

#[test]
fn roofs_are_positive_within_their_spread_and_named_once() {
    let Some(device) = gpu::device() else { return };
    let roofs = device.roofs();
    let names: Vec<&str> = roofs.iter().map(|roof| roof.name.as_str()).collect();
    for name in ["flop_per_s", "flop_per_s_f64", "l1_bytes_per_s", "l2_bytes_per_s", "dram_bytes_per_s", "dram_triad_bytes_per_s"]
    {
        assert_eq!(names.iter().filter(|known| **known == name).count(), 1, "{names:?} {:?}", device.missing_roofs());
    }
    for roof in &roofs {
        assert!(0.0 < roof.low && roof.low <= roof.value && roof.value == roof.high && roof.high.is_finite(), "{roof:?}");
    }
}
