//! What dense families describe for a GPU, on every architecture there is and without one: legal, within limits, no two the same.

use std::collections::HashMap;

use super::conformance::Case;
use crate::devices::cuda::{Architecture, Compiled, CudaProgram};
use crate::{Config, DeviceInfo, DeviceKind, Dtype, Family, Level, Value, check_dtype, family, product};

const IDS: [&str; 5] = ["gemm_naive", "gemm_tiled", "gemm_regblock", "gemm_tc", "gemm_wgmma"];
const ARCHS: [(u8, u8); 7] = [(7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)];
const LAYOUTS: [&str; 4] = ["nn", "nt", "tn", "tt"];

fn devices() -> impl Iterator<Item = DeviceInfo> {
    ARCHS.into_iter().map(|(major, minor)| DeviceInfo::assumed(Architecture::new(major, minor)))
}

fn gpu(major: u8, minor: u8) -> DeviceInfo {
    DeviceInfo::assumed(Architecture::new(major, minor))
}

fn registered(id: &str) -> &'static dyn Family {
    family(id).expect("registered")
}

/// Whether any configuration of the family can run the type on the device: what else is refused is told by another test.
fn possible(id: &str, dtype: Dtype, device: &DeviceInfo) -> bool {
    let arch = device.gpu().arch;
    match id {
        "gemm_wgmma" => arch == Architecture::new(9, 0),
        "gemm_tc" => arch >= Architecture::new(8, 0) || dtype == Dtype::F16,
        _ => true,
    }
}

fn compiled(family: &dyn Family, case: &Case, config: &Config, device: &DeviceInfo) -> Compiled {
    let problem = case.problem(family);
    let effective = family.effective(&problem, config, device);
    match family.cuda().expect("runs on a GPU").program(&problem, &effective, device) {
        CudaProgram::Compiled(compiled) => compiled,
        other => panic!("{other:?} is not compiled from text"),
    }
}

/// Every family with every type it has on a GPU.
fn kernels() -> impl Iterator<Item = (&'static str, &'static dyn Family, Dtype)> {
    IDS.into_iter().flat_map(|id| {
        let family = registered(id);
        family.dtypes_on(DeviceKind::Cuda).iter().map(move |&dtype| (id, family, dtype))
    })
}

fn assert_within_limits(compiled: &Compiled, device: &DeviceInfo, what: &str) {
    let gpu = device.gpu();
    assert!(!compiled.launches.is_empty(), "{what}");
    for launch in &compiled.launches {
        assert!(compiled.unit.kernels.contains(&launch.kernel), "{what}: {}", launch.kernel);
        let declared = format!("{}(", launch.kernel);
        assert!(compiled.unit.texts.iter().any(|text| text.contains(&declared)), "{what}: no text has {declared}");
        let [x, y, z] = launch.grid;
        assert!((1..=i32::MAX as u32).contains(&x) && (1..=65535).contains(&y) && z == 1, "{what}: {launch:?}");
        let threads: u32 = launch.block.iter().product();
        assert!((1..=1024).contains(&threads), "{what}: {launch:?}");
        assert!(launch.dynamic_shared_bytes <= gpu.shared_per_block, "{what}: {launch:?}");
    }
}

#[test]
fn defaults_are_legal_on_every_architecture_and_launch_within_its_limits() {
    let sizes = [(1, 1, 0), (1, 1, 1), (7, 300, 40), (17, 31, 129), (512, 512, 512), (64, 64, 8192), (128_256, 257, 4097)];
    for device in devices() {
        for (id, family, dtype) in kernels().filter(|(id, _, dtype)| possible(id, *dtype, &device)) {
            assert_eq!(check_dtype(family, dtype, &device), Ok(()));
            for (layout, size) in LAYOUTS.into_iter().flat_map(|layout| sizes.map(|size| (layout, size))) {
                for ld_pad in [0, 3, 8] {
                    let case = Case { layout, ld_pad, ..Case::plain(dtype, size) };
                    let problem = case.problem(family);
                    let config = family.default_config(&problem, &device);
                    let what = format!("{id} {} {case:?} {config}", device.spec);
                    assert_eq!(family.check(&problem, &config, &device), Ok(()), "{what}");
                    assert_eq!(family.effective(&problem, &config, &device), config, "{what}");
                    for knob in family.knobs(&device) {
                        let value = config.value(knob.name).expect("every knob has a value");
                        assert_eq!(knob.domain.accept(knob.name, value), Ok(()), "{what}");
                    }
                    assert_within_limits(&compiled(family, &case, &config, &device), &device, &what);
                }
            }
        }
    }
}

/// About `count` of the swept product, spread evenly.
fn sample(family: &dyn Family, device: &DeviceInfo, count: usize) -> Vec<Config> {
    let all = product(&family.knobs(device));
    // A step that shares no factor with the numbers of values meets all of them.
    let step = (all.len() / count).max(1) | 1;
    all.into_iter().step_by(step).collect()
}

#[test]
fn what_is_legal_stays_legal_and_the_same_once_it_is_effective_and_every_configuration_is_different_code() {
    for device in [gpu(7, 5), gpu(8, 9), gpu(9, 0)] {
        for (id, family, dtype) in kernels().filter(|(id, _, dtype)| possible(id, *dtype, &device)) {
            for (turn, size) in [(96, 80, 64), (1024, 512, 4096)].into_iter().enumerate() {
                let case = Case { layout: LAYOUTS[(turn + dtype as usize) % 4], ..Case::plain(dtype, size) };
                let problem = case.problem(family);
                let mut code: HashMap<String, Config> = HashMap::new();
                let mut legal = 0;
                for config in sample(family, &device, 600) {
                    if family.check(&problem, &config, &device).is_err() {
                        continue;
                    }
                    legal += 1;
                    let effective = family.effective(&problem, &config, &device);
                    let what = format!("{id} {} {case:?} {config}", device.spec);
                    assert_eq!(family.effective(&problem, &effective, &device), effective, "{what}");
                    assert_eq!(family.check(&problem, &effective, &device), Ok(()), "{what}");
                    let compiled = compiled(family, &case, &effective, &device);
                    assert_within_limits(&compiled, &device, &what);
                    let first = code.entry(compiled.unit.id()).or_insert_with(|| effective.clone());
                    assert_eq!(*first, effective, "{what} compiles to the code of another configuration");
                }
                assert!(legal > 0, "{id} {} {case:?}: nothing is legal", device.spec);
            }
        }
    }
}

#[test]
fn work_is_never_below_what_the_problem_needs() {
    let device = gpu(9, 0);
    for (id, family, dtype) in kernels() {
        let factors = if dtype.is_integer() { (1.0, 1.0) } else { (0.5, 0.5) };
        let case = Case { factors, ..Case::plain(dtype, (193, 1000, 777)) };
        let problem = case.problem(family);
        for config in sample(family, &device, 100) {
            if family.check(&problem, &config, &device).is_err() {
                continue;
            }
            let work = family.work(&problem, &config, &device);
            let compiled = compiled(family, &case, &config, &device);
            let what = format!("{id} {dtype} {config}: {work:?}");
            // Where integers are added in the end, that is not counted.
            assert!(work.executed_flop >= 2.0 * 193.0 * 1000.0 * 777.0, "{what}");
            assert!(dtype.is_integer() || work.executed_flop >= work.useful_flop, "{what}");
            let bytes = |level| work.traffic.iter().find(|(at, _)| *at == level).expect("modelled").1;
            assert!(bytes(Level::L2) >= bytes(Level::Dram) && bytes(Level::Dram) >= work.compulsory_bytes, "{what}");
            assert_eq!(work.launches, compiled.launches.len() as u64, "{what}");
            assert_eq!(work.workspace_bytes, compiled.scratch_bytes as f64, "{what}");
        }
    }
}

#[test]
fn executed_flop_count_whole_tiles_the_factors_and_the_slices() {
    let check = |id: &str, case: &Case, changes: &[(&str, u64)], expected: f64| {
        let (family, device) = (registered(id), gpu(8, 0));
        let problem = case.problem(family);
        let default = family.default_config(&problem, &device);
        let config = changes.iter().fold(default.0, |named, &(name, value)| named.with(name, value));
        assert_eq!(family.work(&problem, &Config(config.clone()), &device).executed_flop, expected, "{id} {config}");
    };
    let case = |dtype, beta| Case { factors: (1.0, beta), ..Case::plain(dtype, (100, 70, 50)) };
    let elements = 100.0 * 70.0;
    check("gemm_naive", &case(Dtype::F32, 0.0), &[], 2.0 * elements * 50.0 + elements);
    check("gemm_tiled", &case(Dtype::F64, 1.0), &[("tile", 16)], 2.0 * 112.0 * 80.0 * 64.0 + 3.0 * elements);
    let blocks = [("tile_m", 64), ("tile_n", 64), ("tile_k", 16), ("thread_m", 4), ("thread_n", 4)];
    check("gemm_regblock", &case(Dtype::F32, 1.0), &blocks, 2.0 * 128.0 * 128.0 * 64.0 + 3.0 * elements);
    let sliced = [&blocks[..], &[("split_k", 2)]].concat();
    check("gemm_regblock", &case(Dtype::F32, 0.0), &sliced, 2.0 * 128.0 * 128.0 * 64.0 + 2.0 * elements);
    let warps = [("tile_m", 64), ("tile_n", 64), ("tile_k", 32), ("warps_m", 2), ("warps_n", 2), ("split_k", 1)];
    check("gemm_tc", &case(Dtype::F16, 0.0), &warps, 2.0 * 128.0 * 128.0 * 64.0 + elements);
    check("gemm_tc", &case(Dtype::Int8, 1.0), &warps, 2.0 * 128.0 * 128.0 * 64.0);
}

/// Checks the default of `id` with `changes` against what is said of it.
fn assert_said(id: &str, device: &DeviceInfo, case: &Case, changes: &[(&str, u64)], expected: &str) {
    let family = registered(id);
    let problem = case.problem(family);
    let default = family.default_config(&problem, device);
    let config = changes.iter().fold(default.0, |named, &(name, value)| named.with(name, value));
    let found = family.check(&problem, &Config(config), device);
    assert_eq!(found.map_or_else(|misfit| misfit.to_string(), |()| "fits".to_owned()), expected, "{id} {changes:?}");
}

fn square(dtype: Dtype) -> Case {
    Case::plain(dtype, (512, 512, 512))
}

#[test]
fn misfits_of_threads_and_grids_name_what_makes_them_and_the_limit() {
    let f32 = square(Dtype::F32);
    assert_said(
        "gemm_naive",
        &gpu(8, 0),
        &f32,
        &[("block_m", 64)],
        "`block_m=64 block_n=32` makes 2048 threads; a block has at most 1024",
    );
    assert_said("gemm_tiled", &gpu(8, 0), &f32, &[("tile", 33)], "`tile=33` makes 1089 threads; a block has at most 1024");
    for tile in [1, 2, 3, 4, 5, 7, 8, 12, 16, 24, 31, 32] {
        assert_said("gemm_tiled", &gpu(7, 5), &square(Dtype::F64), &[("tile", tile)], "fits");
    }
    let huge = Case::plain(Dtype::F32, (1 << 24, 1 << 16, 1));
    let grid = "tiles of `1×1` cut `m=16777216 n=65536` into 1099511627776 blocks; a grid has at most 2147483647";
    assert_said("gemm_tiled", &gpu(8, 0), &huge, &[("tile", 1)], grid);
}

#[test]
fn misfits_of_register_blocks_name_the_knob_the_value_and_the_limit() {
    let (f32, f16) = (square(Dtype::F32), square(Dtype::F16));
    let blocks =
        [("tile_m", 128), ("tile_n", 128), ("tile_k", 16), ("thread_m", 8), ("thread_n", 8), ("stages", 3), ("vector", 4)];
    let regblock = |device: DeviceInfo, case: Case, changes: &[(&'static str, u64)], expected: &str| {
        assert_said("gemm_regblock", &device, &case, &[&blocks[..], changes].concat(), expected);
    };
    regblock(gpu(8, 0), f32, &[], "fits");
    regblock(gpu(8, 0), f32, &[("tile_m", 100)], "`tile_m=100` is not a multiple of `thread_m=8`");
    let few = "`tile_m=32 tile_n=32 thread_m=8 thread_n=8` makes 16 threads; a block has at least 32";
    regblock(gpu(8, 0), f32, &[("tile_m", 32), ("tile_n", 32)], few);
    let many = "`tile_m=256 tile_n=256 thread_m=4 thread_n=4` makes 4096 threads; a block has at most 1024";
    regblock(gpu(8, 0), f32, &[("tile_m", 256), ("tile_n", 256), ("thread_m", 4), ("thread_n", 4)], many);
    regblock(gpu(7, 5), f32, &[], "`stages=3` needs cp.async, which `sm_75` does not have; at most 2");
    regblock(gpu(7, 5), f32, &[("stages", 2)], "fits");
    let narrow = "`stages=3` needs cp.async, which copies at least 4 B and not 1 element of f16; at most 2";
    regblock(gpu(8, 0), f16, &[("vector", 1)], narrow);
    regblock(gpu(8, 0), f32, &[("vector", 3)], "`vector=3` is not a power of two");
    regblock(gpu(8, 0), f32, &[("vector", 8)], "`vector=8` of f32 is 32 B; an access has at most 16 B");
    let odd = Case::plain(Dtype::F32, (512, 512, 513));
    regblock(gpu(8, 0), odd, &[], "`vector=4` needs rows at multiples of 4 elements; those of `a` are 513 apart");
    regblock(gpu(8, 0), f32, &[("tile_k", 6)], "`vector=4` does not divide `tile_k=6`");
    let wide = "`thread_m=16 thread_n=16` takes about 360 registers in each of 64 threads; 255 are there";
    regblock(gpu(8, 0), f32, &[("thread_m", 16), ("thread_n", 16)], wide);
    let large = "`tile_m=256 tile_n=128 tile_k=32 stages=3` needs 159744 B of shared memory; a block of sm_89 has 101376 B";
    regblock(gpu(8, 9), f32, &[("tile_m", 256), ("tile_k", 32)], large);
}

#[test]
fn misfits_of_tensor_cores_name_the_knob_the_value_and_the_limit() {
    let f16 = square(Dtype::F16);
    let warps = [("tile_m", 128), ("tile_n", 128), ("tile_k", 32), ("warps_m", 2), ("warps_n", 2), ("stages", 3)];
    let tc = |device: DeviceInfo, case: Case, changes: &[(&'static str, u64)], expected: &str| {
        assert_said("gemm_tc", &device, &case, &[&warps[..], changes].concat(), expected);
    };
    tc(gpu(8, 0), f16, &[], "fits");
    tc(gpu(7, 5), f16, &[("stages", 2)], "fits");
    tc(gpu(7, 5), f16, &[], "`stages=3` needs cp.async, which `sm_75` does not have; at most 2");
    let turing = "`bf16` products of this shape need `sm_80` or later; the device is `sm_75`";
    tc(gpu(7, 5), square(Dtype::Bf16), &[], turing);
    let rows = "`tile_m=96` is not a multiple of 64 for `warps_m=4`: a warp takes 16 at a time";
    tc(gpu(8, 0), f16, &[("tile_m", 96), ("warps_m", 4)], rows);
    tc(
        gpu(8, 0),
        square(Dtype::Int8),
        &[("tile_k", 48)],
        "`tile_k=48` is not a multiple of 32, the depth of one product of int8",
    );
    let spread = "`tile_m=256 tile_n=128 warps_m=2 warps_n=1` takes about 616 registers in each of 64 threads; 255 are there";
    tc(gpu(8, 0), f16, &[("tile_m", 256), ("warps_n", 1)], spread);
    let only = "`wgmma` exists on `sm_90` alone; the device is `sm_100`";
    assert_said("gemm_wgmma", &gpu(10, 0), &f16, &[], only);
    assert_said("gemm_wgmma", &gpu(9, 0), &f16, &[("tile_n", 96)], "`tile_n=96` is not one of 64, 128, 256");
}

#[test]
fn knobs_that_decide_nothing_take_one_value() {
    let check = |size, given: &[(&str, u64)], expected: &[(&str, u64)]| {
        let (family, device) = (registered("gemm_tc"), gpu(8, 0));
        let problem = Case::plain(Dtype::F16, size).problem(family);
        let base = [("tile_m", 64), ("tile_n", 64), ("tile_k", 32), ("warps_m", 2), ("warps_n", 2), ("stages", 3)];
        let config = |changes: &[(&str, u64)]| {
            let all = base.iter().chain(changes);
            Config(all.fold(crate::Named::default(), |named, &(name, value)| named.with(name, value)))
        };
        assert_eq!(family.effective(&problem, &config(given), &device), config(expected), "{size:?} {given:?}");
    };
    check((512, 512, 512), &[("split_k", 8), ("swizzle", 4)], &[("split_k", 8), ("swizzle", 4)]);
    // Three rows of tiles; two steps of k.
    check((192, 512, 64), &[("split_k", 8), ("swizzle", 4)], &[("split_k", 2), ("swizzle", 3)]);
    // Five steps in four slices are two steps each: three slices.
    check((192, 512, 160), &[("split_k", 4), ("swizzle", 2)], &[("split_k", 3), ("swizzle", 2)]);
    // One column of tiles is visited in one order, and there is nothing to slice.
    check((512, 64, 0), &[("split_k", 4), ("swizzle", 2)], &[("split_k", 1), ("swizzle", 1)]);
}

#[test]
fn layouts_types_and_architectures_are_different_code_but_sizes_and_factors_are_arguments() {
    let family = registered("gemm_regblock");
    let id = |case: &Case, device: &DeviceInfo| {
        let knobs = [("tile_m", 64), ("tile_n", 64), ("tile_k", 16), ("thread_m", 4), ("thread_n", 4)];
        let more = [("stages", 2), ("vector", 2), ("split_k", 1), ("swizzle", 1)];
        let named =
            knobs.iter().chain(&more).fold(crate::Named::default(), |named, &(name, value)| named.with(name, Value::Int(value)));
        compiled(family, case, &Config(named), device).unit.id()
    };
    let case = Case::plain(Dtype::F32, (512, 512, 512));
    let first = id(&case, &gpu(8, 0));
    assert_eq!(id(&Case { size: (300, 500, 44), factors: (2.0, 0.5), ld_pad: 2, ..case }, &gpu(8, 0)), first);
    assert_ne!(id(&Case { layout: "nt", ..case }, &gpu(8, 0)), first);
    assert_ne!(id(&Case { dtype: Dtype::F64, ..case }, &gpu(8, 0)), first);
    // Turing has no cp.async, so two stages pass through registers there.
    assert_ne!(id(&case, &gpu(7, 5)), first);
    assert_eq!(id(&case, &gpu(9, 0)), first);
}
