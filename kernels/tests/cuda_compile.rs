//! Every CUDA family through the real compiler, for every architecture: every element type, layout and knob value at least once.

#![allow(clippy::disallowed_methods)] // a test that needs a library learns its path from the environment
#![allow(clippy::print_stdout)] // a skip must be seen

mod nvrtc;

use std::path::{Path, PathBuf};
use std::sync::Mutex;

use tilecast_kernels::devices::cuda::compile::{Compiler, Sample, cover};
use tilecast_kernels::devices::cuda::{Architecture, Include};
use tilecast_kernels::{DeviceInfo, Family, registry};

const ARCHITECTURES: [(u8, u8); 7] = [(7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)];
/// Configurations of a family on one architecture: far above what showing every value takes.
const MOST: usize = 60;
/// CUTLASS's templates take seconds each: so many for one architecture, and one for each of the others.
const CUTLASS: (Architecture, usize) = (Architecture::new(8, 0), 8);

/// What is wrong with a configuration's code; `None` where nothing is.
fn fault(sample: &Sample, device: &DeviceInfo, compiler: &Compiler) -> Option<String> {
    let code = match compiler.compile(&sample.unit, device.gpu().arch) {
        Ok(code) => code,
        Err(error) => return Some(error.to_string()),
    };
    if let Some(missing) = sample.unit.kernels.iter().find(|name| code.kernel(name).is_none()) {
        return Some(format!("the code has no kernel `{missing}`"));
    }
    sample.launches.iter().find_map(|launch| {
        let Some(kernel) = code.kernel(launch.kernel) else {
            return Some(format!("`{}` is launched, not compiled", launch.kernel));
        };
        let (threads, shared) = (launch.block.iter().product(), kernel.shared_static_bytes + launch.dynamic_shared_bytes);
        let occupancy = device.gpu().occupancy(threads, kernel.registers, shared);
        let fits = occupancy.blocks_per_sm > 0 && shared <= device.gpu().shared_per_block && threads <= 1024;
        (!fits).then(|| format!("`{}` compiles and cannot be launched: {launch:?}, {kernel:?}, {occupancy:?}", launch.kernel))
    })
}

fn faults(family: &'static dyn Family, arch: Architecture, compiler: &Compiler) -> (usize, Vec<String>) {
    let device = DeviceInfo::assumed(arch);
    let mut samples = cover(family, &device, 0, MOST, 1).samples;
    if samples.iter().any(|sample| sample.unit.include == Include::Cutlass) {
        let many = if arch == CUTLASS.0 { CUTLASS.1 } else { 1 };
        samples = if compiler.has_cutlass() { cover(family, &device, many, many, 1).samples } else { Vec::new() };
        if arch == CUTLASS.0 && compiler.has_cutlass() {
            assert_eq!(samples.len(), many, "{arch}");
        }
    }
    let count = samples.len();
    let (todo, found) = (Mutex::new(samples), Mutex::new(Vec::new()));
    let work = || {
        loop {
            let Some(sample) = todo.lock().expect("no panic").pop() else { return };
            if let Some(words) = fault(&sample, &device, compiler) {
                found.lock().expect("no panic").push(format!("{arch}: {} | {}: {words}", sample.problem, sample.config));
            }
        }
    };
    let processors = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    std::thread::scope(|scope| (0..processors).for_each(|_| drop(scope.spawn(work))));
    (count, found.into_inner().expect("no panic"))
}

#[test]
fn every_family_compiles_for_every_architecture_with_every_type_layout_and_knob_value() {
    let Some(library) = nvrtc::library() else { return };
    // Kept between runs: what did not change is not compiled again.
    let cutlass = std::env::var_os("TILECAST_CUTLASS_INCLUDE").filter(|value| !value.is_empty()).map(PathBuf::from);
    let compiler = nvrtc::open(library, &Path::new(env!("CARGO_TARGET_TMPDIR")).join("cuda"), cutlass);
    if !compiler.has_cutlass() {
        println!(
            "skipped: gemm_cutlass was not compiled: TILECAST_CUTLASS_INCLUDE is not set (scripts/setup-cuda --cutlass prints it)"
        );
    }
    let mut wrong = Vec::new();
    for family in registry().iter().filter(|family| family.cuda().is_some()) {
        let mut total = 0;
        for (major, minor) in ARCHITECTURES {
            let (count, found) = faults(*family, Architecture::new(major, minor), &compiler);
            total += count;
            wrong.extend(found);
        }
        println!("{}: {total} configurations on {} architectures", family.card().id, ARCHITECTURES.len());
    }
    assert!(wrong.is_empty(), "{} fail:\n{}", wrong.len(), wrong.join("\n"));
}
