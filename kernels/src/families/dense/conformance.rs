//! Every dense family against the f64 reference: types, layouts, odd sizes, leading dimensions, factors, hostile values.

#![allow(clippy::print_stderr)] // a skip must be seen

use super::gemm_regblock::GEMM_REGBLOCK;
use crate::devices::cpu::micro::{Isa, Real};
use crate::devices::cpu::{CpuIo, Pages, Team};
use crate::oracle::{Verdict, check};
use crate::{Cache, Config, DeviceError, DeviceInfo, DeviceKind, Dtype, ElementsMut, Family, Problem, Tensor, Value};

const IDS: [&str; 4] = ["gemm_naive", "gemm_tiled", "gemm_regblock", "gemm_blas"];
const LAYOUTS: [&str; 4] = ["nn", "nt", "tn", "tt"];
const FACTORS: [(f64, f64); 4] = [(1.0, 0.0), (1.0, 1.0), (0.5, 0.5), (2.0, 0.0)];

/// A device of this machine's instruction sets with two threads.
pub(super) fn device() -> DeviceInfo {
    let cache = |level, bytes| Cache { level, bytes, shared_by: 1 };
    DeviceInfo {
        spec: "cpu".to_owned(),
        kind: DeviceKind::Cpu,
        slug: "test".to_owned(),
        name: "test".to_owned(),
        threads: 2,
        isa: Isa::available().iter().map(ToString::to_string).collect(),
        caches: vec![cache(1, 32 << 10), cache(2, 1 << 20), cache(3, 32 << 20)],
        memory_bytes: 8 << 30,
        os: "test".to_owned(),
        gpu: None,
    }
}

/// One problem in words.
#[derive(Clone, Copy, Debug)]
pub(super) struct Case {
    pub(super) dtype: Dtype,
    pub(super) size: (u64, u64, u64),
    pub(super) layout: &'static str,
    pub(super) factors: (f64, f64),
    pub(super) ld_pad: u64,
}

impl Case {
    pub(super) fn plain(dtype: Dtype, size: (u64, u64, u64)) -> Self {
        Self { dtype, size, layout: "nn", factors: (1.0, 0.0), ld_pad: 0 }
    }

    pub(super) fn problem(&self, family: &dyn Family) -> Problem {
        let given: Vec<(String, Value)> = [
            ("m", self.size.0.into()),
            ("n", self.size.1.into()),
            ("k", self.size.2.into()),
            ("layout", self.layout.into()),
            ("alpha", self.factors.0.into()),
            ("beta", self.factors.1.into()),
            ("ld_pad", self.ld_pad.into()),
        ]
        .map(|(name, value)| (name.to_owned(), value))
        .into();
        family.problem(self.dtype, &given, 42).expect("legal")
    }
}

/// Prepares and runs `config` on operands that `spoil` has changed, and compares; `None` where the library is missing.
fn verdict(family: &dyn Family, case: &Case, config: &Config, spoil: impl FnOnce(&mut [Tensor])) -> Option<Verdict> {
    let problem = case.problem(family);
    let mut operands = family.operands(&problem);
    spoil(&mut operands);
    let mut output = family.output(&problem);
    output.poison();
    let source = family.cpu().expect("dense families run on a CPU");
    let mut program = match source.prepare(&problem, config, &operands) {
        Ok(program) => program,
        Err(DeviceError::Library { name, reason }) => {
            eprintln!("skipped: {}: library `{name}` {reason}", family.card().id);
            return None;
        }
        Err(error) => panic!("{}: {error}", family.card().id),
    };
    let mut scratch = Pages::zeroed(program.scratch_bytes());
    let team = Team::new(program.threads());
    for _ in 0..2 {
        program.run(&mut CpuIo { operands: &operands, output: &mut output, scratch: &mut scratch, team: &team });
    }
    Some(check(&output, &family.reference(&problem, &operands)).verdict)
}

fn assert_correct(family: &dyn Family, case: &Case, config: &Config) {
    let found = verdict(family, case, config, |_| {});
    assert!(matches!(found, None | Some(Verdict::Correct)), "{} {case:?} {config}: {found:?}", family.card().id);
}

/// The default, and every fifth legal point of the swept product where there are many.
fn configs(family: &dyn Family, problem: &Problem) -> Vec<Config> {
    let device = device();
    let legal: Vec<Config> = crate::product(&family.knobs(&device))
        .into_iter()
        .filter(|config| family.check(problem, config, &device).is_ok())
        .collect();
    let step = legal.len().div_ceil(8).max(1);
    let offset = problem.axes.size("m") % step;
    std::iter::once(family.default_config(problem, &device)).chain(legal.into_iter().skip(offset).step_by(step)).collect()
}

#[test]
fn dense_families_agree_with_the_reference_at_odd_sizes() {
    let sizes = [1, 7, 63, 64, 65, 127, 257];
    let mut shapes: Vec<(u64, u64, u64)> = sizes.map(|n| (n, n, n)).into();
    shapes.extend([
        (300, 3, 17),
        (3, 300, 17),
        (5, 9, 700),
        (1, 257, 64),
        (257, 1, 64),
        (65, 97, 0),
        (193, 191, 129),
        (95, 97, 255),
    ]);
    let mut turn = 0;
    for id in IDS {
        let family = crate::family(id).expect("registered");
        for &size in &shapes {
            for dtype in Dtype::CPU {
                for layout in LAYOUTS {
                    // Factors and padding rotate, so that every pair of axes meets somewhere.
                    let case = Case { dtype, size, layout, factors: FACTORS[turn % 4], ld_pad: [0, 3][turn / 4 % 2] };
                    turn += 1;
                    let configs = configs(family, &case.problem(family));
                    assert_correct(family, &case, &configs[0]);
                    assert_correct(family, &case, &configs[turn % configs.len()]);
                }
                turn += 1;
            }
        }
    }
}

#[test]
fn dense_families_agree_with_the_reference_for_every_layout_factor_and_padding() {
    for id in IDS {
        let family = crate::family(id).expect("registered");
        for layout in LAYOUTS {
            for factors in FACTORS {
                for ld_pad in [0, 3] {
                    let case = Case { dtype: Dtype::F32, size: (37, 41, 53), layout, factors, ld_pad };
                    for config in configs(family, &case.problem(family)) {
                        assert_correct(family, &case, &config);
                    }
                }
            }
        }
    }
}

#[test]
fn every_register_shape_is_right_at_sizes_beside_its_tiles() {
    fn check_isa<T: Real>(isa: Isa) {
        let Some(kernels) = T::kernels(isa) else {
            eprintln!("skipped: gemm_regblock with {isa} for {}: this processor has no {isa}", T::DTYPE);
            return;
        };
        for (turn, (mr, nr)) in kernels.sizes().enumerate() {
            let config = GEMM_REGBLOCK.default_config(&Case::plain(T::DTYPE, (64, 64, 64)).problem(&GEMM_REGBLOCK), &device());
            let (mr, nr) = (mr as u64, nr as u64);
            let sizes = [
                ("tile_m", 2 * mr),
                ("tile_n", 3 * nr),
                ("tile_k", 19),
                ("micro_m", mr),
                ("micro_n", nr),
                ("threads", 1 + turn as u64 % 2),
            ];
            let named = sizes.into_iter().fold(config.0, |named, (name, value)| named.with(name, value));
            let order = ["jr_ir", "ir_jr"][turn % 2];
            let config = Config(named.with("isa", isa.name()).with("loop_order", order));
            for (more, less) in [(0, 0), (1, 0), (0, 1)] {
                let size = (4 * mr + more - less, 6 * nr + more - less, 57);
                let case = Case { dtype: T::DTYPE, size, layout: LAYOUTS[turn % 4], factors: FACTORS[turn / 4 % 4], ld_pad: 0 };
                assert_correct(&GEMM_REGBLOCK, &case, &config);
            }
        }
    }
    for isa in Isa::ALL {
        check_isa::<f32>(isa);
        check_isa::<f64>(isa);
    }
}

#[test]
fn hostile_values_stay_in_their_rows_and_columns() {
    type Spoil = fn(usize, usize, f64) -> f64;
    let spoils: [(&str, Spoil); 6] = [
        ("a row of A is NaN", |i, _, x| if i == 3 { f64::NAN } else { x }),
        ("an element of A is infinite", |i, p, x| if (i, p) == (5, 2) { f64::INFINITY } else { x }),
        ("rows of A are zeros", |i, _, x| if i % 3 == 0 { 0.0 } else { x }),
        ("A is huge", |_, _, x| x * 1e18),
        ("A is tiny", |_, _, x| x * 1e-18),
        ("rows of A differ in magnitude", |i, _, x| x * if i % 2 == 0 { 1e12 } else { 1e-12 }),
    ];
    for id in IDS {
        let family = crate::family(id).expect("registered");
        for (what, spoil) in spoils {
            for dtype in Dtype::CPU {
                let case = Case::plain(dtype, (67, 65, 63));
                let config = family.default_config(&case.problem(family), &device());
                let found = verdict(family, &case, &config, |operands| {
                    let old: Vec<f64> = (0..67 * 63).map(|at| operands[0].at(at / 63, at % 63)).collect();
                    operands[0].fill(|i, p| spoil(i, p, old[i * 63 + p]));
                });
                assert!(matches!(found, None | Some(Verdict::Correct)), "{id} {dtype} where {what}: {found:?}");
            }
        }
    }
}

#[test]
fn the_reference_equals_sums_of_products() {
    for layout in LAYOUTS {
        let case = Case { dtype: Dtype::F64, size: (9, 600, 150), layout, factors: (0.5, 2.0), ld_pad: 1 };
        let problem = case.problem(&GEMM_REGBLOCK);
        let operands = GEMM_REGBLOCK.operands(&problem);
        let reference = GEMM_REGBLOCK.reference(&problem, &operands);
        let (a, b) = (&operands[0], &operands[1]);
        for (i, j) in [(0, 0), (8, 599), (3, 512), (4, 511)] {
            let at = |p: usize| {
                let left = if layout.starts_with('t') { a.at(p, i) } else { a.at(i, p) };
                left * if layout.ends_with('t') { b.at(j, p) } else { b.at(p, j) }
            };
            let expected = 0.5 * (0..150).map(at).sum::<f64>() + 2.0 * operands[2].at(i, j);
            assert!((reference.values[i * 600 + j] - expected).abs() < 1e-12, "{layout} ({i}, {j})");
        }
    }
}

#[test]
fn beta_zero_leaves_c_unread_and_operands_are_reproducible() {
    let case = Case::plain(Dtype::F32, (5, 6, 7));
    let problem = case.problem(&GEMM_REGBLOCK);
    let (mut first, second) = (GEMM_REGBLOCK.operands(&problem), GEMM_REGBLOCK.operands(&problem));
    assert!(first[2].at(0, 0).is_nan());
    assert_eq!(first[0].at(4, 6), second[0].at(4, 6));
    assert!(matches!(first[0].elements_mut(), ElementsMut::F32(data) if data.len() == 35));
}
