//! What the structured families describe for GPUs, without one. Arithmetic is tested on the virtual GPU.

use std::collections::{BTreeMap, HashSet};

use super::{Chain, GpuChainKnobs, Math, Permute, depth_step, work};
use crate::devices::cpu::chain::{Extent, Rows, Shape};
use crate::devices::cuda::{Architecture, Compiled, CudaProgram};
use crate::{Config, DeviceInfo, Dtype, Family, Problem, Value, family, product};

const ARCHITECTURES: [(u8, u8); 7] = [(7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)];
const TEXT: &str = include_str!("chain.cu");

const PROBLEMS: [(&str, &str); 14] = [
    ("monarch", "n_in=1024 batch=256"),
    ("monarch", "n_in=4096 batch=100"),
    ("monarch", "n_in=48 n_out=30 nblocks=6 batch=33 source=monarch"),
    ("monarch", "n_in=36 nblocks=3 rank=4 batch=130"),
    ("monarch", "n_in=13 batch=1"),
    ("monarch", "n_in=13 nblocks=13 batch=8"),
    ("monarch", "n_in=65536 nblocks=256 batch=17 source=monarch"),
    ("monarch", "n_in=1048576 nblocks=1024 batch=3 source=monarch"),
    ("kron_matmul", "n1=32 n2=32 batch=256"),
    ("kron_matmul", "n1=64 n2=64 batch=4096"),
    ("kron_matmul", "n1=5 n2=9 m1=11 m2=3 batch=17"),
    ("kron_matmul", "n1=1 n2=31 batch=33"),
    ("kron_matmul", "n1=1 n2=1 batch=1"),
    ("kron_matmul", "n1=4096 n2=4096 batch=64"),
];

fn problem(id: &str, dtype: Dtype, axes: &str) -> Problem {
    let given: Vec<(String, Value)> = axes
        .split_whitespace()
        .map(|word| {
            let (name, value) = word.split_once('=').expect("name=value");
            (name.to_owned(), value.parse::<u64>().map_or_else(|_| Value::from(value), Value::Int))
        })
        .collect();
    family(id).expect("registered").problem(dtype, &given, 7).expect("legal")
}

fn on(arch: (u8, u8)) -> DeviceInfo {
    DeviceInfo::assumed(Architecture::new(arch.0, arch.1))
}

fn compiled(family: &dyn Family, problem: &Problem, config: &Config, device: &DeviceInfo) -> Compiled {
    match family.cuda().expect("a CUDA family").program(problem, config, device) {
        CudaProgram::Compiled(compiled) => compiled,
        other => panic!("{problem}: {other:?}"),
    }
}

/// Parameters of every kernel of the text, by name.
fn parameters() -> BTreeMap<&'static str, usize> {
    let kernels = TEXT.split("__launch_bounds__(THREADS)").skip(1);
    kernels
        .map(|rest| {
            let (name, rest) = rest.trim_start().split_once('(').expect("a parameter list");
            (name, rest.split_once(')').expect("closed").0.split(',').count())
        })
        .collect()
}

fn assert_launchable(compiled: &Compiled, device: &DeviceInfo, what: &str) {
    let parameters = parameters();
    for launch in &compiled.launches {
        assert!(compiled.unit.kernels.contains(&launch.kernel), "{what}: {}", launch.kernel);
        assert_eq!(launch.args.len(), parameters[launch.kernel], "{what}: arguments of {}", launch.kernel);
        assert!(launch.grid[0] >= 1 && launch.grid[0] <= i32::MAX as u32 && launch.grid[1..] == [1, 1], "{what}: {launch:?}");
        assert!((1..=1024).contains(&launch.block.iter().product::<u32>()), "{what}: {launch:?}");
        assert!(launch.dynamic_shared_bytes <= device.gpu().shared_per_block, "{what}: {launch:?}");
    }
}

#[test]
fn defaults_are_legal_on_every_architecture_and_can_be_launched() {
    for (id, axes) in PROBLEMS {
        let family = family(id).expect("registered");
        for dtype in super::DTYPES {
            let problem = problem(id, dtype, axes);
            for arch in ARCHITECTURES {
                let device = on(arch);
                let config = family.default_config(&problem, &device);
                let what = format!("{problem} | {config} on {arch:?}");
                if arch < (8, 0) && matches!(dtype, Dtype::Bf16 | Dtype::Tf32) {
                    let said = family.check(&problem, &config, &device).map_err(|e| e.to_string());
                    assert_eq!(said, Err(format!("`dtype={dtype}` needs sm_80 or later; the device is sm_75")));
                    continue;
                }
                assert_eq!(family.check(&problem, &config, &device).map_err(|e| e.to_string()), Ok(()), "{what}");
                assert_eq!(family.effective(&problem, &config, &device), config, "{what}: the default is what runs");
                assert_launchable(&compiled(family, &problem, &config, &device), &device, &what);
            }
        }
    }
}

#[test]
fn defaults_use_tensor_cores_where_they_multiply_the_type_and_shared_memory_where_it_holds_the_middle() {
    for (id, dtype, axes, math, permute) in [
        ("monarch", Dtype::F16, "n_in=1024 batch=256", "tensor", "fused"),
        ("monarch", Dtype::F32, "n_in=1024 batch=256", "simt", "fused"),
        ("kron_matmul", Dtype::Tf32, "n1=64 n2=64 batch=4096", "tensor", "fused"),
        ("kron_matmul", Dtype::Bf16, "n1=1 n2=31 batch=33", "simt", "fused"),
        ("kron_matmul", Dtype::F64, "n1=4096 n2=4096 batch=64", "simt", "staged"),
    ] {
        let config = family(id).expect("registered").default_config(&problem(id, dtype, axes), &on((8, 0)));
        assert_eq!((config.text("math"), config.text("permute")), (math, permute), "{id} {dtype} {axes}: {config}");
    }
}

#[test]
fn effective_is_idempotent_and_what_differs_is_different_code_or_different_launches() {
    for (id, dtype, axes) in [
        ("monarch", Dtype::F16, "n_in=48 n_out=96 nblocks=6 batch=40"),
        ("kron_matmul", Dtype::F32, "n1=5 n2=9 m1=11 m2=3 batch=16"),
    ] {
        let (family, problem, device) = (family(id).expect("registered"), problem(id, dtype, axes), on((8, 0)));
        let (mut configs, mut codes) = (HashSet::new(), HashSet::new());
        for config in product(&family.knobs(&device)).iter().step_by(7) {
            if family.check(&problem, config, &device).is_err() {
                continue;
            }
            let effective = family.effective(&problem, config, &device);
            assert_eq!(family.effective(&problem, &effective, &device), effective);
            assert!(family.check(&problem, &effective, &device).is_ok(), "{effective}");
            if configs.insert(effective.to_string()) {
                let program = compiled(family, &problem, &effective, &device);
                assert_eq!(program, compiled(family, &problem, config, &device), "{config} is {effective}");
                assert_launchable(&program, &device, &format!("{problem} | {effective}"));
                let new = codes.insert(format!("{} {:?}", program.unit.id(), program.launches));
                assert!(new, "{problem} | {effective} is not new code");
            }
        }
        assert!(configs.len() > 100, "{id}: {} configurations", configs.len());
    }
}

#[test]
fn configurations_that_do_not_fit_are_refused_with_knob_value_and_limit() {
    let narrow = "n1=8 n2=8 batch=17";
    let wide = "n1=64 n2=64 batch=256";
    type Case<'a> = (Dtype, &'a str, (u8, u8), &'a [(&'a str, u64)], &'a str, &'a str);
    let cases: [Case<'_>; 11] = [
        (Dtype::F32, wide, (8, 0), &[], "tensor", "`math=tensor` multiplies f16, bf16 and tf32, not `f32`"),
        (
            Dtype::F16,
            wide,
            (7, 5),
            &[],
            "tensor",
            "`math=tensor` needs the m16n8k16 instructions of sm_80 or later; the device is sm_75",
        ),
        (
            Dtype::F32,
            narrow,
            (8, 9),
            &[("vector", 4)],
            "simt",
            "`vector=4` does not divide `batch=17`: rows of X are not aligned to it",
        ),
        (Dtype::F64, wide, (8, 9), &[("vector", 4)], "simt", "`vector=4` is no power of two up to 2, the f64 in 16 B"),
        (Dtype::F32, wide, (8, 9), &[("vector", 4), ("thread_n", 2)], "simt", "`thread_n=2` is not a multiple of `vector=4`"),
        (
            Dtype::F32,
            wide,
            (8, 9),
            &[("strip", 48), ("thread_n", 16), ("threads", 64)],
            "simt",
            "`strip=48` in runs of `thread_n=16` does not divide into `threads=64`",
        ),
        (
            Dtype::F32,
            wide,
            (8, 9),
            &[("thread_m", 16), ("thread_n", 16)],
            "simt",
            "`thread_m=16 thread_n=16` keeps 256 words of sums per thread; at most 128 are supported",
        ),
        (Dtype::F16, wide, (8, 9), &[("strip", 24)], "tensor", "`strip=24` is not a multiple of 16, as tensor cores need it"),
        (
            Dtype::F16,
            wide,
            (8, 9),
            &[("strip", 128), ("tile_m", 64)],
            "tensor",
            "`tile_m=64 strip=128` keeps 256 words of sums per thread; at most 128 are supported",
        ),
        (
            Dtype::F16,
            narrow,
            (8, 9),
            &[("vector", 1), ("stages", 2)],
            "tensor",
            "`stages=2` with `vector=1` copies 2 B at a time; cp.async copies at least 4",
        ),
        (
            Dtype::F32,
            wide,
            (8, 9),
            &[("strip", 64), ("group", 32)],
            "simt",
            "`strip=64 group=32` of 64 products needs 524288 B of shared memory; a block of sm_89 has 101376 B",
        ),
    ];
    let family = family("kron_matmul").expect("registered");
    for (dtype, axes, arch, knobs, math, expected) in cases {
        let (problem, device) = (problem("kron_matmul", dtype, axes), on(arch));
        let plain =
            [("thread_m", 4), ("thread_n", 4), ("vector", 1), ("strip", 32), ("stages", 1), ("group", 1), ("threads", 128)];
        let named = family.default_config(&problem, &device).0.with("math", math).with("permute", "fused");
        let named = plain.iter().chain(knobs).fold(named, |named, &(name, value)| named.with(name, value));
        assert_eq!(family.check(&problem, &Config(named), &device).map_err(|e| e.to_string()), Err(expected.to_owned()));
    }
}

/// Multiply-adds and subtractions that the loops of the text make, counted one tile at a time.
fn counted(chain: &Chain, knobs: &GpuChainKnobs) -> f64 {
    let Shape { outer, inner, depth, rows, .. } = chain.shape;
    let tf32 = chain.extent.dtype == Dtype::Tf32;
    let up = |n: usize, step: usize| n.div_ceil(step) * step;
    let mut flop = 0;
    for column in (0..chain.extent.batch).step_by(knobs.strip) {
        let left = knobs.strip.min(chain.extent.batch - column);
        // What one tile of rows costs in the first and in the second stage.
        let (tile, first, second) = match knobs.math {
            Math::Simt => {
                let lanes = (0..knobs.strip / knobs.thread_n).filter(|lane| lane * knobs.vector < left).count();
                let each = lanes * knobs.thread_m * knobs.thread_n * 2;
                (knobs.thread_m, each * depth, each * outer)
            }
            Math::Tensor => {
                let fused = knobs.permute == Permute::Fused;
                let step = if fused { depth_step(chain.extent.dtype) } else { knobs.tile_k };
                let each = knobs.tile_m * knobs.strip * 2;
                let parts = if tf32 { 2 * each + knobs.strip } else { each };
                (knobs.tile_m, each * up(depth, knobs.tile_k), parts * up(outer, step))
            }
        };
        let group = if knobs.permute == Permute::Fused { knobs.group } else { inner };
        for begin in (0..inner).step_by(group) {
            let kept = group.min(inner - begin);
            flop += outer * kept.div_ceil(tile) * first + kept * rows.div_ceil(tile) * second;
        }
    }
    flop as f64
}

#[test]
fn executed_flop_is_what_the_loops_of_the_text_make() {
    let rows = |block_step, step| Rows { share: 1, block_step, step };
    for (sizes, batch) in [((5, 7, 9, 3), 37), ((32, 32, 32, 32), 256), ((1, 40, 17, 50), 8)] {
        let (outer, inner, depth, rows_out) = sizes;
        let shape = Shape { outer, inner, depth, rows: rows_out, input: rows(depth, 1), output: rows(1, inner) };
        for dtype in [Dtype::F32, Dtype::F16, Dtype::Tf32] {
            let extent = Extent { rows_in: outer * depth, rows_out: inner * rows_out, weights: 1, batch, dtype };
            let weights = [(0, depth), (1, outer)].map(|(operand, ld)| super::StageWeights { operand, block_step: 0, ld });
            let chain = Chain { shape, extent, weights, x: 2 };
            for permute in [Permute::Fused, Permute::Staged, Permute::Copied] {
                for (math, strip, group, thread, tile, vector) in [
                    (Math::Simt, 32, 4, (4, 4), (16, 16), 1),
                    (Math::Simt, 16, 3, (2, 8), (16, 16), 4),
                    (Math::Tensor, 32, 16, (1, 1), (16, 16), 1),
                    (Math::Tensor, 16, 5, (1, 1), (32, 32), 2),
                ] {
                    let ((thread_m, thread_n), (tile_m, tile_k)) = (thread, tile);
                    let knobs = GpuChainKnobs {
                        math,
                        permute,
                        strip,
                        group,
                        threads: 128,
                        thread_m,
                        thread_n,
                        tile_m,
                        tile_k,
                        stages: 1,
                        vector,
                    };
                    let knobs = knobs.effective(&chain);
                    let found = work(&chain, &knobs);
                    assert_eq!(found.executed_flop, counted(&chain, &knobs), "{sizes:?} {batch} {dtype} {knobs:?}");
                    assert!(found.executed_flop >= found.useful_flop);
                }
            }
        }
    }
}

#[test]
fn scratch_is_what_the_launches_reach() {
    let problem = problem("kron_matmul", Dtype::F16, "n1=5 n2=9 m1=11 m2=3 batch=70");
    let (family, device) = (family("kron_matmul").expect("registered"), on((8, 0)));
    // 128 columns a row; K1 (outer) first: 9 products of 11 rows, then 11 of 3.
    for (permute, rows, launches) in [("fused", 0, 1), ("staged", 9 * 11, 2), ("copied", 2 * 9 * 11 + 11 * 3, 4)] {
        let config = Config(family.default_config(&problem, &device).0.with("permute", permute).with("order", "outer_first"));
        let program = compiled(family, &problem, &config, &device);
        assert_eq!((program.scratch_bytes, program.launches.len()), (rows * 128 * 2, launches), "{permute}");
        let work = family.work(&problem, &config, &device);
        assert_eq!((work.workspace_bytes, work.launches), (program.scratch_bytes as f64, launches as u64));
    }
}
