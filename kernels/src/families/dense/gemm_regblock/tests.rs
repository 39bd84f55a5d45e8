use super::*;
use crate::families::dense::conformance::{Case, device};
use crate::{Dtype, Family};

fn config(changes: &[(&str, u64)], isa: &str, order: &str) -> Config {
    let base = [("tile_m", 96), ("tile_n", 960), ("tile_k", 256), ("micro_m", 6), ("micro_n", 16)];
    let named = base.iter().chain(changes.iter().filter(|(name, _)| *name != "threads"));
    let named = named.fold(crate::Named::default(), |named, &(name, value)| named.with(name, value));
    let threads = changes.iter().find(|(name, _)| *name == "threads").map_or(1, |(_, value)| *value);
    Config(named.with("isa", isa).with("loop_order", order).with("threads", threads))
}

/// A device with AVX2, whatever this machine has: checking does not run anything.
fn avx2() -> DeviceInfo {
    DeviceInfo { isa: vec!["avx2".to_owned(), "portable".to_owned()], ..device() }
}

#[test]
#[cfg(target_arch = "x86_64")]
fn misfits_name_the_knob_the_value_and_the_limit() {
    let check = |changes: &[(&str, u64)], isa: &str, expected: &str| {
        let problem = Case::plain(Dtype::F32, (512, 512, 512)).problem(&GEMM_REGBLOCK);
        let found = GEMM_REGBLOCK.check(&problem, &config(changes, isa, "jr_ir"), &avx2());
        assert_eq!(found.map_or_else(|misfit| misfit.to_string(), |()| "fits".to_owned()), expected);
    };
    check(&[], "avx2", "fits");
    check(&[], "avx512", "`isa=avx512` is not on `cpu`; it has avx2, portable");
    check(&[("micro_m", 7)], "avx2", "`micro_m=7 micro_n=16` is no shape of avx2 f32: with `micro_n=16` `micro_m` is at most 6");
    check(&[("micro_n", 12)], "avx2", "`micro_m=6 micro_n=12` is no shape of avx2 f32: `micro_n` is a multiple of 8 up to 32");
    check(&[("tile_m", 100)], "avx2", "`tile_m=100` is not a multiple of `micro_m=6`");
    check(&[("tile_n", 100)], "avx2", "`tile_n=100` is not a multiple of `micro_n=16`");
    check(&[("threads", 3)], "avx2", "`threads=3` is above the 2 of `cpu`");
}

#[test]
fn packed_blocks_beyond_half_the_memory_are_refused() {
    let problem = Case::plain(Dtype::F64, (4096, 4096, 4096)).problem(&GEMM_REGBLOCK);
    let device = DeviceInfo { memory_bytes: 1 << 20, ..avx2() };
    let given = config(&[("tile_n", 4096), ("micro_m", 4), ("micro_n", 4)], "portable", "jr_ir");
    let misfit = GEMM_REGBLOCK.check(&problem, &given, &device).expect_err("too little memory").to_string();
    assert!(misfit.starts_with("packed blocks need `") && misfit.ends_with("half the memory of `cpu` is 524288 B"), "{misfit}");
}

#[test]
fn knobs_that_decide_nothing_take_one_value() {
    let check = |size: (u64, u64, u64), given: Config, expected: Config| {
        let problem = Case::plain(Dtype::F32, size).problem(&GEMM_REGBLOCK);
        assert_eq!(GEMM_REGBLOCK.effective(&problem, &given, &avx2()), expected, "{size:?}");
        assert_eq!(GEMM_REGBLOCK.effective(&problem, &expected, &avx2()), expected, "{size:?} twice");
    };
    let large = config(&[], "avx2", "ir_jr");
    check((2000, 2000, 2000), large.clone(), large.clone());
    check((50, 100, 20), large.clone(), config(&[("tile_m", 54), ("tile_n", 112), ("tile_k", 20)], "avx2", "ir_jr"));
    check((5, 2000, 0), large, config(&[("tile_m", 6), ("tile_k", 1)], "avx2", "jr_ir"));
    let threads = config(&[("threads", 2)], "avx2", "jr_ir");
    check((6, 16, 9), threads, config(&[("tile_m", 6), ("tile_n", 16), ("tile_k", 9)], "avx2", "jr_ir"));
}

#[test]
fn defaults_are_legal_everywhere() {
    for isa in [&["avx512", "avx2", "portable"][..], &["avx2", "portable"], &["portable"]] {
        let isa: Vec<String> = isa.iter().map(|&name| name.to_owned()).collect();
        for caches in [device().caches, Vec::new()] {
            let device = DeviceInfo { isa: isa.clone(), caches, ..device() };
            for dtype in Dtype::CPU {
                for size in [(1, 1, 0), (7, 300, 40), (512, 512, 512), (4096, 64, 4096)] {
                    let problem = Case::plain(dtype, size).problem(&GEMM_REGBLOCK);
                    let config = GEMM_REGBLOCK.default_config(&problem, &device);
                    assert_eq!(GEMM_REGBLOCK.check(&problem, &config, &device), Ok(()), "{size:?} {config}");
                    assert_eq!(GEMM_REGBLOCK.effective(&problem, &config, &avx2()), config);
                }
            }
        }
    }
}

#[test]
fn traffic_falls_towards_memory_and_never_below_what_is_compulsory() {
    for order in ["jr_ir", "ir_jr"] {
        let problem = Case::plain(Dtype::F32, (1000, 900, 800)).problem(&GEMM_REGBLOCK);
        let work = GEMM_REGBLOCK.work(&problem, &config(&[], "avx2", order), &avx2());
        assert_eq!(work.useful_flop, 2.0 * 1000.0 * 900.0 * 800.0);
        assert_eq!(work.executed_flop, 2.0 * 1000.0 * 904.0 * 800.0);
        let bytes: Vec<f64> = work.traffic.iter().map(|(_, bytes)| *bytes).collect();
        assert!(bytes.is_sorted_by(|near, far| near >= far), "{bytes:?}");
        assert!(bytes.iter().all(|&bytes| bytes >= work.compulsory_bytes), "{bytes:?}");
        assert!(work.workspace_bytes >= 4.0 * (96.0 * 256.0 + 256.0 * 904.0), "{}", work.workspace_bytes);
    }
}
