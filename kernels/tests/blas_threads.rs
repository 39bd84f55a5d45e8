//! Threads that a vendor BLAS starts. In a process of its own: every thread that appears is the library's.

#![allow(clippy::disallowed_methods, clippy::print_stderr)] // the test reads its own process, and where a library is; a skipped test says so

use std::collections::BTreeSet;
use std::path::Path;

use tilecast_kernels::devices::cpu::{CpuDevice, allowed_processors, blas, set_library};
use tilecast_kernels::oracle::Verdict;
use tilecast_kernels::{CacheMode, Config, Device, Dtype, Loaded, Named};

fn tasks() -> BTreeSet<String> {
    let tasks = std::fs::read_dir("/proc/self/task").expect("this process has threads");
    tasks.map(|task| task.expect("a thread").file_name().to_string_lossy().into_owned()).collect()
}

fn mask(task: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/self/task/{task}/status")).expect("the thread lives");
    let line = status.lines().find(|line| line.starts_with("Cpus_allowed_list:")).expect("it has a mask");
    line["Cpus_allowed_list:".len()..].trim().to_owned()
}

fn loaded(device: &CpuDevice, id: &str, size: u64) -> Box<dyn Loaded> {
    let family = tilecast_kernels::family(id).expect("a family");
    let axes = ["m", "n", "k"].map(|axis| (axis.to_owned(), size.into()));
    device.load(family, &family.problem(Dtype::F32, &axes, 1).expect("a problem")).expect("it fits")
}

#[test]
fn a_librarys_threads_are_not_pinned_to_the_processor_of_the_thread_that_calls_it() {
    if let Some(path) = std::env::var_os("TILECAST_BLAS") {
        set_library(Some(path.into()));
    }
    if allowed_processors().len() < 2 {
        eprintln!("skipped: one processor is allowed");
        return;
    }
    let free = mask(&std::process::id().to_string());
    // As in a worker that has measured before: the device's own threads are there, and the caller is pinned.
    let device = CpuDevice::open("cpu:2t", Path::new("/sys")).expect("a device");
    let mut first = loaded(&device, "gemm_naive", 8);
    let config = Config(Named(vec![("loop_order".into(), "ijk".into())]));
    let slot = first.prepare(&config).expect("it runs").slot;
    first.verify(slot).expect("it ran");
    let before = tasks();
    if let Err(error) = blas() {
        eprintln!("skipped: {error} (TILECAST_BLAS names one)");
        return;
    }
    let mut problem = loaded(&device, "gemm_blas", 384);
    for threads in [1_u64, 2] {
        let config = Config(Named(vec![("threads".into(), threads.into())]));
        let slot = problem.prepare(&config).expect("it runs").slot;
        assert_eq!(problem.verify(slot).expect("it ran").verdict, Verdict::Correct);
        let sample = problem.sample(slot, 10, CacheMode::Hot).expect("it ran");
        assert_eq!(sample.cpu_s > sample.time_s, threads > 1, "the library's own thread counts: {sample:?}");
        assert_eq!(problem.time_basis(slot), if threads > 1 { "critical_cpu" } else { "thread_cpu" });
    }
    let started: Vec<String> = tasks().difference(&before).map(|task| mask(task)).collect();
    assert!(!started.is_empty(), "two threads are one more than the caller");
    assert!(started.iter().all(|mask| *mask == free), "{started:?} are not all `{free}`");
}
