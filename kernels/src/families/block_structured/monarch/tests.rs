use super::operands::{factors, operands};
use super::*;
use crate::devices::cpu::micro::Isa;
use crate::devices::cpu::{CpuIo, Pages, Team};
use crate::{Cache, DeviceKind};

fn problem(dtype: Dtype, axes: &[(&str, u64)], source: &str, seed: u64) -> Result<Problem, Misfit> {
    let mut given: Vec<(String, Value)> = axes.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect();
    given.push(("source".into(), source.into()));
    Monarch.problem(dtype, &given, seed)
}

pub(super) fn device() -> DeviceInfo {
    let cache = |level, bytes| Cache { level, bytes, shared_by: 1 };
    DeviceInfo {
        spec: "cpu".to_owned(),
        kind: DeviceKind::Cpu,
        slug: "test".to_owned(),
        name: "test".to_owned(),
        threads: 1,
        isa: Isa::available().iter().map(ToString::to_string).collect(),
        caches: vec![cache(1, 32 << 10), cache(2, 1 << 20)],
        memory_bytes: 8 << 30,
        os: "test".to_owned(),
        gpu: None,
    }
}

/// `dense` as an f64 operand.
fn tensor((rows, cols): (usize, usize), value: impl FnMut(usize, usize) -> f64) -> Tensor {
    let mut w = Tensor::zeros("w", Dtype::F64, (rows, cols), cols);
    w.fill(value);
    w
}

fn densified(sizes: &Sizes, factors: &Factors) -> Tensor {
    tensor((sizes.n_out, sizes.n_in), |i, j| factors.at(sizes, i, j))
}

/// Frobenius norm of the difference over that of `b`.
fn distance(a: &Tensor, b: &Tensor) -> f64 {
    let both = (0..a.rows).flat_map(|i| (0..a.cols).map(move |j| (a.at(i, j), b.at(i, j))));
    let (missed, norm) = both.fold((0.0, 0.0), |(m, n), (x, y)| (m + (x - y) * (x - y), n + y * y));
    f64::sqrt(missed / norm)
}

fn square(n: usize, nblocks: usize, rank: usize) -> Sizes {
    Sizes { n_in: n, n_out: n, nblocks, rank, batch: 1, source: Source::Gaussian }
}

/// y[l, j] = Σ_k Σ_t R[j, l, (k, t)] Σ_d L[(k, t), j, d] x[k, d], index by index.
fn einsum(s: &Sizes, f: &Factors, x: &Tensor) -> Tensor {
    tensor((s.n_out, s.batch), |row, col| {
        let (l, j) = (row / s.nblocks, row % s.nblocks);
        (0..s.outer())
            .map(|u| {
                let k = u / s.rank;
                let inner: f64 = (0..s.block_in())
                    .map(|d| f.first[(u * s.nblocks + j) * s.block_in() + d] * x.at(k * s.block_in() + d, col))
                    .sum();
                f.second[(j * s.block_out() + l) * s.outer() + u] * inner
            })
            .sum()
    })
}

/// Two batched products with a reshape and a permuted copy after each, as tensor libraries compose it.
fn two_batched_products(s: &Sizes, f: &Factors, x: &Tensor) -> Tensor {
    let (nb, outer, p, r, b) = (s.nblocks, s.outer(), s.block_in(), s.block_out(), s.batch);
    let first =
        tensor((outer * nb, b), |row, col| (0..p).map(|d| f.first[row * p + d] * x.at(row / nb / s.rank * p + d, col)).sum());
    let permuted = tensor((nb * outer, b), |row, col| first.at(row % outer * nb + row / outer, col));
    let second = tensor((nb * r, b), |row, col| {
        (0..outer).map(|u| f.second[row * outer + u] * permuted.at(row / r * outer + u, col)).sum()
    });
    tensor((s.n_out, b), |row, col| second.at(row % nb * r + row / nb, col))
}

fn dense_product(w: &Tensor, x: &Tensor) -> Tensor {
    tensor((w.rows, x.cols), |i, j| (0..w.cols).map(|k| w.at(i, k) * x.at(k, j)).sum())
}

const SHAPES: [&[(&str, u64)]; 5] = [
    &[("n_in", 64), ("batch", 5)],
    &[("n_in", 48), ("n_out", 30), ("nblocks", 6), ("batch", 3)],
    &[("n_in", 30), ("n_out", 48), ("nblocks", 6), ("rank", 4), ("batch", 1)],
    &[("n_in", 13), ("batch", 7)],
    &[("n_in", 36), ("nblocks", 36), ("batch", 2)],
];

#[test]
fn three_equivalent_evaluations_the_reference_and_the_kernel_agree_in_f64() {
    for source in SOURCES {
        for axes in SHAPES {
            let problem = problem(Dtype::F64, axes, source, 3).expect("legal");
            let (sizes, operands) = (Sizes::of(&problem), operands(&problem));
            let (factors, x) = (factors(&sizes, &operands), operands.last().expect("x"));
            let expected = einsum(&sizes, &factors, x);
            let reference = Monarch.reference(&problem, &operands);
            assert_eq!(reference.rows, (0..sizes.n_out).collect::<Vec<_>>());
            let config = Monarch.default_config(&problem, &device());
            let mut program = CpuSource::prepare(&Monarch, &problem, &config, &operands).expect("prepares");
            let mut output = Monarch.output(&problem);
            output.poison();
            let (mut scratch, team) = (Pages::zeroed(program.scratch_bytes()), Team::new(1));
            program.run(&mut CpuIo { operands: &operands, output: &mut output, scratch: &mut scratch, team: &team });
            for (name, other) in [
                ("two batched products", two_batched_products(&sizes, &factors, x)),
                ("densified", dense_product(&densified(&sizes, &factors), x)),
                ("reference", tensor((sizes.n_out, sizes.batch), |i, j| reference.values[i * sizes.batch + j])),
                ("kernel", output),
            ] {
                let off = distance(&other, &expected);
                assert!(off < 1e-14, "{problem}, {name}: off by {off:e}");
            }
        }
    }
}

#[test]
fn projecting_a_monarch_operator_recovers_it() {
    for axes in SHAPES {
        let problem = problem(Dtype::F64, axes, "monarch", 5).expect("legal");
        let sizes = Sizes::of(&problem);
        let exact = densified(&sizes, &factors(&sizes, &operands(&problem)));
        let found = project(&exact, &sizes);
        assert!(found.error() < 2e-15 && distance(&densified(&sizes, &found), &exact) < 4e-15, "{problem}: {:e}", found.error());
    }
}

#[test]
fn projection_is_idempotent() {
    for axes in SHAPES {
        let problem = problem(Dtype::F64, axes, "gaussian", 5).expect("legal");
        let sizes = Sizes::of(&problem);
        let once = densified(&sizes, &project(&operands(&problem)[0], &sizes));
        let twice = densified(&sizes, &project(&once, &sizes));
        assert!(distance(&twice, &once) < 4e-15, "{problem}: {:e}", distance(&twice, &once));
    }
}

#[test]
fn the_error_that_is_reported_is_the_distance_to_the_dense_operator() {
    for axes in SHAPES {
        let problem = problem(Dtype::F64, axes, "gaussian", 5).expect("legal");
        let (sizes, operands) = (Sizes::of(&problem), operands(&problem));
        let off = distance(&densified(&sizes, &project(&operands[0], &sizes)), &operands[0]);
        assert!((Monarch.quality(&problem, &operands).expect("approximates") - off).abs() < 1e-12, "{problem}");
    }
    let exact = problem(Dtype::F64, SHAPES[0], "monarch", 5).expect("legal");
    assert_eq!(Monarch.quality(&exact, &operands(&exact)), None);
}

#[test]
fn more_rank_never_fits_worse_and_full_rank_is_exact() {
    let errors: Vec<f64> = (1..=8)
        .map(|rank| {
            let problem = problem(Dtype::F64, &[("n_in", 64), ("rank", rank)], "gaussian", 2).expect("legal");
            Monarch.quality(&problem, &operands(&problem)).expect("approximates")
        })
        .collect();
    assert!(errors.windows(2).all(|pair| pair[1] < pair[0]), "{errors:?}");
    assert!(errors[7] < 1e-13, "{errors:?}");
}

#[test]
fn gaussian_weights_are_missed_by_as_much_as_theory_says_and_a_decaying_spectrum_by_less() {
    for (n, expected) in [(64, 0.778), (256, 0.886), (1024, 0.941)] {
        let error = |source| {
            let problem = problem(Dtype::F64, &[("n_in", n), ("batch", 1)], source, 1).expect("legal");
            Monarch.quality(&problem, &operands(&problem)).expect("approximates")
        };
        let gaussian = error("gaussian");
        assert!((gaussian - expected).abs() <= 0.01, "n = {n}: {gaussian}");
        assert!((0.4..0.65).contains(&error("spectrum")), "n = {n}: {}", error("spectrum"));
    }
}

/// The discrete Fourier transform of n = b² points as a real operator of size 2n: every entry is the 2 × 2 block of its complex number, so a complex block
/// of rank 1 is a real one of rank 2. Rows are ((l, part), j), columns (k, (d, part)). Input `time(k, d)` says which point in time a column is.
fn fourier(b: usize, time: impl Fn(usize, usize) -> usize) -> Tensor {
    let n = b * b;
    tensor((2 * n, 2 * n), |row, col| {
        let (l, row_part, j) = (row / b / 2, row / b % 2, row % b);
        let (k, d, col_part) = (col / (2 * b), col % (2 * b) / 2, col % 2);
        let turns = ((l * b + j) * time(k, d)) % n;
        let angle = -2.0 * std::f64::consts::PI * turns as f64 / n as f64;
        match (row_part, col_part) {
            (0, 0) | (1, 1) => angle.cos(),
            (0, _) => -angle.sin(),
            _ => angle.sin(),
        }
    })
}

#[test]
fn the_fourier_transform_is_exact_with_its_axes_swapped_and_far_off_without() {
    for (b, low, high) in [(8, 0.93, 0.94), (16, 0.96, 0.97)] {
        let sizes = square(2 * b * b, b, 2);
        let swapped = project(&fourier(b, |k, d| d * b + k), &sizes).error();
        assert!(swapped < 2e-15, "b = {b}, swapped: {swapped:e}");
        let straight = project(&fourier(b, |k, d| k * b + d), &sizes).error();
        assert!((low..high).contains(&straight), "b = {b}, straight: {straight}");
    }
}

#[test]
fn weights_without_a_leading_direction_of_any_scale_are_projected() {
    let sizes = square(16, 4, 1);
    for (name, value) in [
        ("zero", &(|_, _| 0.0) as &dyn Fn(usize, usize) -> f64),
        ("identity", &|i, j| f64::from(u8::from(i == j))),
        ("tiny", &|i, j| 1e-200 * (1.0 + (i * 16 + j) as f64)),
        ("huge", &|i, j| 1e200 * (1.0 + (i * 16 + j) as f64)),
        ("one entry", &|i, j| f64::from(u8::from(i == 3 && j == 9))),
    ] {
        let factors = project(&tensor((16, 16), value), &sizes);
        assert!(factors.first.iter().chain(&factors.second).all(|x| x.is_finite()), "{name}");
    }
    let spoilt = project(&tensor((16, 16), |i, j| if (i, j) == (5, 6) { f64::NAN } else { 1.0 }), &sizes);
    let found: Vec<(usize, usize)> =
        (0..256).map(|at| (at / 16, at % 16)).filter(|&(i, j)| spoilt.at(&sizes, i, j).is_nan()).collect();
    let block: Vec<(usize, usize)> = (0..4).flat_map(|l| (4..8).map(move |j| (l * 4 + 1, j))).collect();
    assert_eq!(found, block, "a NaN spoils its own block only");
}

#[test]
fn sizes_that_make_no_operator_are_refused_with_what_would_do() {
    let cases: [(&[(&str, u64)], &str); 6] = [
        (&[("n_in", 12), ("nblocks", 5)], "`nblocks=5` does not divide `n_in=12`; 1, 2, 3, 4, 6, 12 do"),
        (&[("n_in", 13), ("nblocks", 5)], "`nblocks=5` does not divide `n_in=13`, which is prime: only 1 and 13 do"),
        (&[("n_in", 12), ("n_out", 10), ("nblocks", 3)], "`nblocks=3` does not divide `n_out=10`; 1, 2, 5, 10 do"),
        (&[("n_in", 16), ("nblocks", 4), ("rank", 5)], "`rank=5` is above 4, the rank of a 4 x 4 block"),
        (&[("n_in", 0)], "`n_in=0` is not an integer from 1 to 1048576"),
        (&[("n_in", 1 << 20), ("batch", 1 << 24)], "`n_in=1048576 n_out=1048576 batch=16777216` exceeds 64 TiB"),
    ];
    for (axes, expected) in cases {
        assert_eq!(problem(Dtype::F32, axes, "gaussian", 1).map_err(|e| e.to_string()), Err(expected.to_owned()), "{axes:?}");
    }
}

#[test]
fn sizes_that_are_not_given_follow_those_that_are() {
    type Given<'a> = &'a [(&'a str, u64)];
    let cases: [(Given<'_>, (u64, u64)); 6] = [
        (&[], (1024, 32)),
        (&[("n_in", 4096)], (4096, 64)),
        (&[("n_in", 1000)], (1000, 25)),
        (&[("n_in", 1021)], (1021, 1)),
        (&[("n_in", 768), ("n_out", 3072)], (3072, 24)),
        (&[("n_in", 64), ("nblocks", 4)], (64, 4)),
    ];
    for (axes, expected) in cases {
        let problem = problem(Dtype::F32, axes, "gaussian", 1).expect("legal");
        assert_eq!((problem.axes.int("n_out"), problem.axes.int("nblocks")), expected, "{axes:?}");
    }
}

#[test]
fn work_follows_the_formulas_and_the_rival_has_the_same_result() {
    let problem = problem(Dtype::F32, &[("n_in", 1024), ("batch", 100)], "gaussian", 1).expect("legal");
    let config = Monarch.default_config(&problem, &device());
    let work = Monarch.work(&problem, &config, &device());
    assert_eq!(work.useful_flop, 4.0 * 100.0 * 32768.0);
    assert_eq!(work.dense_flop / work.useful_flop, 16.0);
    assert_eq!(work.compulsory_bytes, 4.0 * (100.0 * 2048.0 + 2.0 * 32768.0));
    let width = config.real("micro_n");
    assert_eq!(work.executed_flop, work.useful_flop / 100.0 * (100.0 / width).ceil() * width);
    let rival = Monarch.baseline(&problem).expect("the dense family is registered");
    assert_eq!([rival.axes.int("m"), rival.axes.int("n"), rival.axes.int("k")], [1024, 100, 1024]);
    let copied = Monarch.work(&problem, &Config(config.0.with("permute", "copied")), &device());
    assert!(copied.traffic.iter().any(|&(level, bytes)| level == crate::Level::Dram && bytes > 2.0 * work.compulsory_bytes));
}
