//! The CPU device with a kernel whose every fault is known: it doubles a row of numbers.

#![allow(clippy::disallowed_methods)] // the test writes a fake sysfs

mod doubling;

use std::path::Path;
use std::sync::Mutex;

use tilecast_kernels::devices::cpu::{CpuDevice, CpuIo, CpuProgram, CpuSource};
use tilecast_kernels::oracle::{Reference, Verdict};
use tilecast_kernels::{
    CacheMode, Card, Config, Device, DeviceError, DeviceInfo, Dtype, ElementsMut, EnergySource, Family, Loaded, Misfit, Named,
    Parameter, Problem, Tensor, Work,
};

struct Doubling;

const FAULTS: [&str; 6] = ["none", "stale", "second_call", "skipped_end", "overrun", "not_prepared"];

impl Family for Doubling {
    fn card(&self) -> &'static Card {
        &doubling::CARD
    }
    fn axes(&self) -> Vec<Parameter> {
        doubling::axes()
    }
    fn dtypes(&self) -> &'static [Dtype] {
        &[Dtype::F64]
    }
    fn knobs(&self, device: &DeviceInfo) -> Vec<Parameter> {
        vec![
            Parameter::int("threads", (1, device.threads), &[1], "threads"),
            Parameter::choice("fault", &FAULTS, &FAULTS, "what is wrong with it"),
        ]
    }
    fn check_problem(&self, _problem: &Problem) -> Result<(), Misfit> {
        Ok(())
    }
    fn check(&self, problem: &Problem, config: &Config, _device: &DeviceInfo) -> Result<(), Misfit> {
        if config.int("threads") > problem.axes.int("n") {
            return Err(Misfit::new("`threads` is above `n`"));
        }
        Ok(())
    }
    fn default_config(&self, _problem: &Problem, _device: &DeviceInfo) -> Config {
        config(1, "none")
    }
    fn work(&self, problem: &Problem, _config: &Config, _device: &DeviceInfo) -> Work {
        doubling::work(problem)
    }
    fn operands(&self, problem: &Problem) -> Vec<Tensor> {
        doubling::operands(problem)
    }
    fn output(&self, problem: &Problem) -> Tensor {
        doubling::output(problem)
    }
    fn reference(&self, _problem: &Problem, operands: &[Tensor]) -> Reference {
        doubling::reference(operands)
    }
    fn quality(&self, _problem: &Problem, _operands: &[Tensor]) -> Option<f64> {
        Some(0.25)
    }
    fn cpu(&self) -> Option<&dyn CpuSource> {
        Some(self)
    }
}

impl CpuSource for Doubling {
    fn prepare(&self, _problem: &Problem, config: &Config, _operands: &[Tensor]) -> Result<Box<dyn CpuProgram>, DeviceError> {
        if config.text("fault") == "not_prepared" {
            return Err(DeviceError::Library { name: "libdouble".into(), reason: "is not installed".into() });
        }
        Ok(Box::new(Doubler { threads: config.size("threads"), fault: config.text("fault").to_owned(), calls: 0 }))
    }
}

struct Doubler {
    threads: usize,
    fault: String,
    calls: usize,
}

impl CpuProgram for Doubler {
    fn run(&mut self, io: &mut CpuIo<'_>) {
        self.calls += 1;
        let stale = self.fault == "stale" || (self.fault == "second_call" && self.calls > 1);
        let (x, n) = (&io.operands[0], io.operands[0].cols - usize::from(self.fault == "skipped_end"));
        let ElementsMut::F64(y) = io.output.elements_mut() else { return };
        if stale {
            return;
        }
        let stretch = n.div_ceil(self.threads);
        let parts: Vec<Mutex<&mut [f64]>> = y[..n].chunks_mut(stretch).map(Mutex::new).collect();
        io.team.run(self.threads, &|rank| {
            let mut part = parts[rank].lock().expect("own part");
            part.iter_mut().enumerate().for_each(|(j, y)| *y = 2.0 * x.at(0, rank * stretch + j));
        });
        drop(parts);
        if self.fault == "overrun" {
            // SAFETY: the guard zone behind the matrix is part of the same allocation.
            unsafe { y.as_mut_ptr().add(y.len()).write(0.0) };
        }
    }
    fn scratch_bytes(&self) -> usize {
        1 << 16
    }
    fn threads(&self) -> usize {
        self.threads
    }
    fn note(&self) -> Option<String> {
        Some(format!("doubles on {}", self.threads))
    }
}

fn config(threads: u64, fault: &str) -> Config {
    Config(Named(vec![("threads".into(), threads.into()), ("fault".into(), fault.into())]))
}

fn problem(n: u64) -> Problem {
    doubling::problem(&Doubling, n)
}

/// A machine with a 64 KiB last-level cache, so that flushing costs nothing, and whatever else `root` holds.
fn small_caches() -> tempfile::TempDir {
    let root = tempfile::tempdir().expect("a temporary folder");
    let index = root.path().join("devices/system/cpu/cpu0/cache/index0");
    std::fs::create_dir_all(&index).expect("a folder");
    for (name, text) in [("level", "1"), ("type", "Data"), ("size", "64K"), ("shared_cpu_list", "0")] {
        std::fs::write(index.join(name), text).expect("a file");
    }
    root
}

fn loaded(spec: &str, sysfs: &Path, n: u64) -> Box<dyn Loaded> {
    CpuDevice::open(spec, sysfs).expect("a device").load(&Doubling, &problem(n)).expect("it fits")
}

#[test]
fn a_right_kernel_is_prepared_verified_sampled_and_rechecked() {
    let root = small_caches();
    let device = CpuDevice::open("cpu", root.path()).expect("a device");
    let mut loaded = device.load(&Doubling, &problem(1000)).expect("it fits");
    for threads in 1..=device.info().threads.min(2) {
        let prepared = loaded.prepare(&config(threads, "none")).expect("it runs");
        assert_eq!(prepared.note, Some(format!("doubles on {threads}")));
        assert_eq!(loaded.time_basis(prepared.slot), if threads == 1 { "thread_cpu" } else { "critical_cpu" });
        assert_eq!(loaded.verify(prepared.slot).expect("it ran").verdict, Verdict::Correct);
        for (cache, iterations) in [(CacheMode::Hot, 1), (CacheMode::Hot, 50), (CacheMode::Cold, 3)] {
            let sample = loaded.sample(prepared.slot, iterations, cache).expect("it ran");
            assert_eq!(sample.iterations, iterations);
            assert!(sample.time_s > 0.0 && sample.wall_s > 0.0 && sample.cpu_s >= sample.time_s, "{sample:?}");
            assert!(threads > 1 || sample.cpu_s == sample.time_s, "{sample:?}");
            assert_eq!(loaded.recheck(prepared.slot).expect("it ran").verdict, Verdict::Correct);
        }
    }
    assert_eq!(loaded.quality(), Some(0.25));
}

#[test]
fn planted_faults_are_caught_by_the_verification_that_can_see_them() {
    let root = small_caches();
    let mut loaded = loaded("cpu:1t", root.path(), 77);
    // (fault, caught by the first verification, caught after sampling)
    for (fault, first, after) in
        [("stale", true, true), ("second_call", false, true), ("skipped_end", true, true), ("overrun", true, true)]
    {
        let slot = loaded.prepare(&config(1, fault)).expect("it runs").slot;
        let wrong = |verdict| matches!(verdict, Verdict::Incorrect(_));
        assert_eq!(wrong(loaded.verify(slot).expect("it ran").verdict), first, "{fault}");
        loaded.sample(slot, 2, CacheMode::Hot).expect("it ran");
        assert_eq!(wrong(loaded.recheck(slot).expect("it ran").verdict), after, "{fault}");
    }
}

#[test]
fn what_cannot_run_is_refused_with_its_reason_and_leaves_other_slots_alone() {
    let root = small_caches();
    let mut loaded = loaded("cpu:1t", root.path(), 1000);
    let good = loaded.prepare(&config(1, "none")).expect("it runs").slot;
    let incomplete = Config(Named(vec![("threads".into(), 1u64.into())]));
    let cases = [
        (config(2, "none"), "`threads=2` is not an integer from 1 to 1"),
        (config(1, "other"), "`fault=other` is not one of none, stale, second_call, skipped_end, overrun, not_prepared"),
        (config(1, "not_prepared"), "library `libdouble` is not installed"),
        (incomplete, "`fault` is missing from the configuration"),
    ];
    for (config, expected) in cases {
        assert_eq!(loaded.prepare(&config).map_err(|e| e.to_string()), Err(expected.to_owned()));
    }
    assert_eq!(loaded.verify(good).expect("it ran").verdict, Verdict::Correct);
    assert_eq!(loaded.verify(7).map_err(|e| e.to_string()), Err("slot failed: slot `7` of 1 was not prepared".to_owned()));
    let other = loaded.prepare(&config(1, "none")).expect("it runs").slot;
    assert!(loaded.recheck(other).is_err(), "the output is another slot's");
}

#[test]
fn a_problem_that_does_not_fit_in_memory_is_refused_before_it_is_allocated() {
    let device = CpuDevice::open("cpu:1t", small_caches().path()).expect("a device");
    let error = device.load(&Doubling, &problem(1 << 50)).err().expect("2^54 B").to_string();
    assert!(error.starts_with("`the operands` needs 18014398509481984 B of memory; "), "{error}");
}

#[test]
fn several_problems_share_a_device_and_outlive_its_handle() {
    let root = small_caches();
    let device = CpuDevice::open("cpu:1t", root.path()).expect("a device");
    let mut both = [10, 2000].map(|n| device.load(&Doubling, &problem(n)).expect("it fits"));
    drop(device);
    for loaded in &mut both {
        let slot = loaded.prepare(&config(1, "none")).expect("it runs").slot;
        assert_eq!(loaded.verify(slot).expect("it ran").verdict, Verdict::Correct);
    }
}

#[test]
fn without_a_sensor_there_is_no_energy_and_the_device_says_why() {
    let root = small_caches();
    let device = CpuDevice::open("cpu:1t", root.path()).expect("a device");
    let expected = format!(
        "no RAPL: `{}` does not exist (a virtual machine, or a kernel without powercap)",
        root.path().join("class/powercap").display()
    );
    assert_eq!(device.energy_source(), EnergySource::Unavailable(expected));
    let mut loaded = device.load(&Doubling, &problem(10)).expect("it fits");
    let slot = loaded.prepare(&config(1, "none")).expect("it runs").slot;
    assert_eq!(loaded.energy(slot, 0.01).expect("not an error"), None);
}

#[test]
fn a_sensor_that_stands_still_or_dies_is_an_error_never_a_zero() {
    let root = small_caches();
    let zone = root.path().join("class/powercap/intel-rapl:0");
    std::fs::create_dir_all(&zone).expect("a folder");
    for (name, text) in [("name", "package-0"), ("energy_uj", "123"), ("max_energy_range_uj", "1000")] {
        std::fs::write(zone.join(name), text).expect("a file");
    }
    let device = CpuDevice::open("cpu:1t", root.path()).expect("a device");
    assert_eq!(device.energy_source(), EnergySource::Rapl);
    let mut loaded = device.load(&Doubling, &problem(10)).expect("it fits");
    let slot = loaded.prepare(&config(1, "none")).expect("it runs").slot;
    let still = loaded.energy(slot, 0.01).map_err(|e| e.to_string()).expect_err("the counter stands still");
    assert!(still.starts_with("power sensor: the energy counter did not move in 0.01"), "{still}");
    std::fs::remove_dir_all(&zone).expect("own folder");
    let gone = loaded.energy(slot, 0.01).map_err(|e| e.to_string()).expect_err("the counter is gone");
    assert!(gone.starts_with("power sensor: no RAPL: "), "{gone}");
}

/// What the calling thread hands on to the threads and processes it starts is what it had, until it measures itself.
#[test]
fn roofs_cover_every_cache_the_machine_reports_and_leave_the_thread_unpinned() {
    let device = CpuDevice::open("cpu:1t", small_caches().path()).expect("a device");
    let processors = || std::thread::available_parallelism().expect("Linux knows").get();
    let before = processors();
    let roofs = device.roofs();
    assert_eq!(processors(), before);
    device.load(&Doubling, &problem(10)).expect("it fits");
    assert_eq!(processors(), 1);
    for name in ["flop_per_s", "flop_per_s_f64", "l1_bytes_per_s", "dram_bytes_per_s", "flop_per_s_all", "dram_bytes_per_s_all"] {
        assert_eq!(roofs.iter().filter(|roof| roof.name == name).count(), 1, "{name}");
    }
}
