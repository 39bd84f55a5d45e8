//! The time and power of a kernel whose work is known in advance: a SIMT sgemm of 128×128 tiles.

#![allow(clippy::unwrap_used)] // helpers of tests

mod driver_support;
#[allow(dead_code)] // the benchmark's generator: only its text is used here
#[path = "../examples/speed/sgemm.rs"]
mod sgemm;

use driver_support::{alloc, load, ok, on};
use vgpu::driver::ffi::Out;
use vgpu::driver::virtual_time::{vgpuAdvance, vgpuLastCounters, vgpuTrueEnergy};
use vgpu::driver::{context, copy, launch};
use vgpu::profile::{Profile, rates};

/// Runs D = A·B of n×n once on `key` and gives what the driver counted, and the energy above idle, J.
fn sgemm_on(key: &str, n: u32) -> (serde_json::Value, f64) {
    on(
        key,
        |c| c.threads = 2,
        || {
            let bytes = (n * n * 4) as usize;
            let [a, b, d] = [(); 3].map(|()| alloc(bytes));
            ok(copy::cuMemsetD32_v2(a, 0x3f80_0000, bytes / 4));
            ok(copy::cuMemsetD32_v2(b, 0x4000_0000, bytes / 4));
            ok(context::cuCtxSynchronize());
            let kernel = load(&sgemm::ptx(), "sgemm");
            // The power of the fills has died away.
            let begin = vgpuAdvance(0, 1_000_000_000);
            let mut words = [a, b, d, u64::from(n)];
            let mut pointers = words.each_mut().map(|w| std::ptr::from_mut(w).cast());
            let tiles = n / sgemm::TILE;
            ok(launch::cuLaunchKernel(
                kernel,
                tiles,
                tiles,
                1,
                sgemm::THREADS,
                1,
                1,
                0,
                0,
                Out::to_slice(&mut pointers),
                Out::NULL,
            ));
            ok(context::cuCtxSynchronize());
            let end = vgpuAdvance(0, 1_000_000_000);
            let result = driver_support::take(d, 4);
            assert_eq!(result, [(2.0 * n as f32).to_bits(); 4]);
            let mut text = vec![0; 8192];
            let length = vgpuLastCounters(Out::to_slice(&mut text), text.len());
            let text: Vec<u8> = text[..length].iter().map(|c| *c as u8).collect();
            let idle_w = f64::from(Profile::named(key).unwrap().idle_w);
            (serde_json::from_slice(&text).unwrap(), vgpuTrueEnergy(0, begin, end) - idle_w * (end - begin) as f64 * 1e-9)
        },
    )
}

#[test]
fn an_sgemm_does_the_work_its_formula_says_and_takes_what_the_peak_allows() {
    let n = 256u32;
    let flop = 2 * u64::from(n).pow(3);
    for key in ["rtx3090", "a100", "rtx4070", "h100"] {
        let profile = Profile::named(key).unwrap();
        let (seen, energy_j) = sgemm_on(key, n);
        assert_eq!(seen["counters"]["flops"]["fp32"], flop, "{key}");
        assert_eq!(seen["counters"]["global_store"]["unique_bytes"], n * n * 4);
        assert_eq!(seen["counters"]["global_load"]["unique_bytes"], 2 * n * n * 4);
        assert_eq!(seen["findings"], 0);
        // Four blocks on four multiprocessors, each with a quarter of the work.
        let bound = flop as f64 / 4.0 / (rates(profile).fp32 * f64::from(profile.boost_mhz) * 1e6);
        let time_s = seen["time_s"].as_f64().unwrap();
        assert!((bound..bound * 2.2 + 3e-6).contains(&time_s), "{key}: {time_s} s with a bound of {bound} s");
        // Four busy multiprocessors out of dozens draw little, but the energy is what power and time say.
        let above_w = seen["power_w"].as_f64().unwrap() - f64::from(profile.idle_w);
        assert!(above_w > 0.0 && above_w < f64::from(profile.tdp_w) * 0.2, "{key}: {above_w} W above idle");
        assert!((energy_j / (above_w * time_s) - 1.0).abs() < 0.01, "{key}: {energy_j} J");
    }
}

#[test]
fn four_times_the_blocks_on_a_card_with_room_take_no_longer() {
    let time = |n: u32| sgemm_on("a100", n).0["time_s"].as_f64().unwrap() / f64::from(n);
    let (small, large) = (time(256), time(512));
    assert!((large / small - 1.0).abs() < 0.15, "per step of k: {small} s and {large} s");
}
