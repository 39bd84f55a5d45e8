use std::collections::HashSet;

use super::knobs::Knobs;
use super::{GEMM_CUTLASS, cuda};
use crate::devices::cuda::{Architecture, CudaProgram, Include, Templated};
use crate::families::dense::Gemm;
use crate::{Config, DeviceInfo, Dtype, Family, Problem, Value, product};

const ARCHITECTURES: [(u8, u8); 7] = [(7, 5), (8, 0), (8, 6), (8, 9), (9, 0), (10, 0), (12, 0)];

fn problem(dtype: Dtype, (m, n, k): (u64, u64, u64), layout: &str, beta: f64) -> Problem {
    let axes: [(&str, Value); 5] =
        [("m", m.into()), ("n", n.into()), ("k", k.into()), ("layout", layout.into()), ("beta", beta.into())];
    GEMM_CUTLASS.problem(dtype, &axes.map(|(name, value)| (name.to_owned(), value)), 1).expect("legal")
}

fn on(arch: (u8, u8)) -> DeviceInfo {
    DeviceInfo::assumed(Architecture::new(arch.0, arch.1))
}

fn templated(problem: &Problem, config: &Config, device: &DeviceInfo) -> Templated {
    match GEMM_CUTLASS.cuda().expect("a source").program(problem, config, device) {
        CudaProgram::Templated(templated) => templated,
        other => panic!("{other:?}"),
    }
}

/// The default of `problem` with `knobs` changed.
fn config(problem: &Problem, device: &DeviceInfo, knobs: &[(&str, u64)]) -> Config {
    let default = GEMM_CUTLASS.default_config(problem, device).0;
    Config(knobs.iter().fold(default, |named, &(name, value)| named.with(name, value)))
}

#[test]
fn defaults_are_legal_wherever_the_type_is_and_describe_one_launch() {
    for (dtype, layout) in [
        (Dtype::F32, "nn"),
        (Dtype::F64, "tt"),
        (Dtype::F16, "nt"),
        (Dtype::F16, "tn"),
        (Dtype::Bf16, "nn"),
        (Dtype::Tf32, "tn"),
        (Dtype::Int8, "nt"),
    ] {
        for size in [(512, 512, 512), (128_256, 4096, 64), (64, 96, 4096), (32, 16, 16)] {
            let problem = problem(dtype, size, layout, 0.0);
            for arch in ARCHITECTURES {
                let device = on(arch);
                let config = GEMM_CUTLASS.default_config(&problem, &device);
                let said = GEMM_CUTLASS.check(&problem, &config, &device).map_err(|e| e.to_string());
                if arch < (8, 0) && matches!(dtype, Dtype::Bf16 | Dtype::Tf32 | Dtype::Int8) {
                    assert!(said.clone().is_err_and(|e| e.contains("stages=2")), "{problem}: {said:?}");
                    continue;
                }
                assert_eq!(said, Ok(()), "{problem} | {config} on {arch:?}");
                let call = templated(&problem, &config, &device);
                assert!(call.unit.kernels == ["cutlass_gemm", "cutlass_make"] && call.unit.include == Include::Cutlass);
                assert_eq!(call.args.len(), 14, "as `cutlass_make` has parameters");
                assert!(call.block[0] <= 1024 && call.grid.iter().all(|&n| n >= 1), "{call:?}");
            }
        }
    }
}

#[test]
fn odd_sizes_take_narrower_accesses_or_simt_and_what_is_left_says_why() {
    let device = on((8, 0));
    for (dtype, size, op, align) in [
        (Dtype::F16, (33, 50, 66), "tensorop", 2),
        (Dtype::F16, (33, 51, 67), "simt", 1),
        (Dtype::Tf32, (33, 51, 67), "tensorop", 1),
        (Dtype::F32, (1, 1, 1), "simt", 1),
    ] {
        let problem = problem(dtype, size, "nn", 1.0);
        let config = GEMM_CUTLASS.default_config(&problem, &device);
        assert_eq!((config.text("op"), config.int("align")), (op, align), "{problem}");
        assert_eq!(GEMM_CUTLASS.check(&problem, &config, &device).map_err(|e| e.to_string()), Ok(()), "{problem} | {config}");
    }
    let odd = problem(Dtype::Bf16, (33, 51, 67), "nn", 1.0);
    let said = GEMM_CUTLASS.check(&odd, &GEMM_CUTLASS.default_config(&odd, &device), &device).map_err(|e| e.to_string());
    assert_eq!(said, Err("`align=2` does not divide the row of A, `67` elements".to_owned()));
}

#[test]
fn names_are_those_of_cutlass_profiler_for_the_column_major_product() {
    type Case<'a> = (Dtype, &'a str, (u8, u8), &'a [(&'a str, u64)], &'a str);
    let cases: [Case<'_>; 8] = [
        (Dtype::F32, "nn", (8, 0), &[], "cutlass_simt_sgemm_128x128_8x2_nn_align1"),
        (Dtype::F32, "nt", (8, 0), &[("stages", 5)], "cutlass_simt_sgemm_128x128_8x5_tn_align1"),
        (Dtype::F64, "tt", (8, 0), &[], "cutlass_simt_dgemm_128x128_8x2_tt_align1"),
        (Dtype::F16, "nt", (8, 0), &[], "cutlass_tensorop_f16_s16816gemm_f16_128x128_32x3_tn_align8"),
        (Dtype::F16, "tn", (7, 5), &[], "cutlass_tensorop_f16_s1688gemm_f16_128x128_32x2_nt_align8"),
        (
            Dtype::Bf16,
            "nn",
            (9, 0),
            &[("tile_m", 256), ("warps_m", 4)],
            "cutlass_tensorop_bf16_s16816gemm_bf16_256x128_32x3_nn_align8",
        ),
        (Dtype::Tf32, "nn", (8, 9), &[("stages", 4)], "cutlass_tensorop_s1688tf32gemm_128x128_16x4_nn_align4"),
        (Dtype::Int8, "nt", (8, 0), &[], "cutlass_tensorop_i16832gemm_s8_128x128_64x3_tn_align16"),
    ];
    for (dtype, layout, arch, knobs, expected) in cases {
        let (problem, device) = (problem(dtype, (512, 512, 512), layout, 0.0), on(arch));
        assert_eq!(templated(&problem, &config(&problem, &device, knobs), &device).name, expected);
    }
}

#[test]
fn every_legal_configuration_is_different_code_under_a_name_of_its_own() {
    for (dtype, arch, least) in [(Dtype::F32, (8, 0), 50), (Dtype::F16, (8, 9), 100), (Dtype::Int8, (9, 0), 20)] {
        let (problem, device) = (problem(dtype, (1024, 1024, 1024), "nt", 0.0), on(arch));
        let (mut configs, mut codes, mut names) = (HashSet::new(), HashSet::new(), HashSet::new());
        for config in product(&GEMM_CUTLASS.knobs(&device)) {
            if GEMM_CUTLASS.check(&problem, &config, &device).is_err() {
                continue;
            }
            let effective = GEMM_CUTLASS.effective(&problem, &config, &device);
            assert_eq!(GEMM_CUTLASS.effective(&problem, &effective, &device), effective);
            if configs.insert(effective.to_string()) {
                let call = templated(&problem, &effective, &device);
                assert!(codes.insert(call.unit.id()), "{effective} is not new code");
                // The grammar has no place for the swizzle, nor for two ways of cutting one tile into warps.
                names.insert((call.name, effective.int("swizzle"), effective.int("warps_m")));
            }
        }
        assert!(configs.len() >= least && names.len() == configs.len(), "{dtype}: {} of {}", names.len(), configs.len());
    }
}

#[test]
fn the_grid_is_that_of_the_identity_swizzle() {
    for (n, swizzle, effective, grid) in
        [(1024, 1, 1, [4, 8]), (1024, 8, 8, [32, 1]), (640, 8, 4, [16, 2]), (256, 8, 2, [8, 1]), (128, 4, 1, [4, 1])]
    {
        let (problem, device) = (problem(Dtype::F32, (512, n, 64), "nn", 0.0), on((8, 0)));
        let knobs = [("tile_m", 128), ("tile_n", 128), ("warps_m", 4), ("warps_n", 2), ("swizzle", swizzle)];
        let config = config(&problem, &device, &knobs);
        let gemm = Gemm::of(&problem);
        assert_eq!(Knobs::read(&config).effective(&gemm).swizzle, effective, "n = {n}, {swizzle}");
        assert_eq!(templated(&problem, &config, &device).grid[..2], grid, "n = {n}, {swizzle}");
    }
}

#[test]
fn configurations_that_do_not_fit_are_refused_with_the_limit() {
    type Case<'a> = (Dtype, (u64, u64, u64), &'a str, (u8, u8), &'a [(&'a str, u64)], &'a str);
    let size = (512, 512, 512);
    let cases: [Case<'_>; 9] = [
        (Dtype::F32, size, "nn", (7, 5), &[("stages", 3)], "`op=simt stages=3` needs sm_80 or later; the device is sm_75"),
        (
            Dtype::F32,
            size,
            "nn",
            (8, 0),
            &[("tile_m", 96)],
            "`tile_m=96 tile_n=128 warps_m=4 warps_n=2` is none of the 8 shapes of `op=simt` for `f32`",
        ),
        (Dtype::F32, size, "nn", (8, 0), &[("tile_k", 16)], "`tile_k=16` is not 8, as `op=simt` needs it for `f32`"),
        (Dtype::F32, size, "nn", (8, 0), &[("align", 4)], "`align=4` is not one of 1, as `op=simt` has it for `f32`"),
        (Dtype::F32, (8, 8, 0), "nn", (8, 0), &[], "`k=0` is no step of a CUTLASS kernel; it must be at least 1"),
        (Dtype::F16, (64, 60, 64), "nn", (8, 0), &[("align", 8)], "`align=8` does not divide the row of B, `60` elements"),
        (
            Dtype::Bf16,
            size,
            "nn",
            (8, 0),
            &[("stages", 2)],
            "`stages=2` with `op=tensorop` is for f16, as on sm_75; `bf16` has 3 or more",
        ),
        (Dtype::Int8, size, "nn", (8, 0), &[], "`layout=nn` of int8 has no CUTLASS kernel; `nt` has"),
        (
            Dtype::F16,
            size,
            "nn",
            (8, 9),
            &[("tile_k", 64), ("stages", 5)],
            "`tile_m=128 tile_n=128 tile_k=64 stages=5` needs 163840 B of shared memory; a block of sm_89 has 101376 B",
        ),
    ];
    for (dtype, size, layout, arch, knobs, expected) in cases {
        let (problem, device) = (problem(dtype, size, layout, 0.0), on(arch));
        let config = config(&problem, &device, knobs);
        assert_eq!(GEMM_CUTLASS.check(&problem, &config, &device).map_err(|e| e.to_string()), Err(expected.to_owned()));
    }
}

#[test]
fn executed_flop_counts_whole_tiles_steps_and_the_epilogue() {
    // 100 × 70 in tiles of 64 × 64 is 2 × 2; k = 20 in steps of 8 is 3.
    for (beta, each) in [(0.0, 1.0), (0.5, 3.0)] {
        let problem = problem(Dtype::F32, (100, 70, 20), "nn", beta);
        let knobs = Knobs::read(&GEMM_CUTLASS.default_config(&problem, &on((8, 0))));
        let work = cuda::work(&Gemm::of(&problem), &knobs);
        assert_eq!(work.executed_flop, 2.0 * 128.0 * 128.0 * 24.0 + each * 128.0 * 128.0);
    }
}
