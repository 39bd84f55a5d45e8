#![allow(clippy::print_stderr)] // a skip must be seen

use super::{Isa, PanelRun, Real, Strided, Tile, pack, packed_len};
use crate::random::Random;

fn random<T: Real>(len: usize, seed: u64) -> Vec<T> {
    let mut random = Random::new(seed);
    (0..len).map(|_| T::from_f64(random.signed())).collect()
}

/// One call of the (`mr`, `nr`) kernel against sums in f64; outside of the tile nothing may change.
fn check_shape<T: Real>(isa: Isa, (mr, nr): (usize, usize), k: usize, cols: usize, beta: f64) {
    let call = T::kernels(isa).expect("available").get(mr, nr).expect("listed");
    let (a, b) = (random::<T>(k * mr, 1), random::<T>(k * nr, 2));
    let ld = nr + 3;
    let c: Vec<T> = if beta == 0.0 { vec![T::from_f64(f64::NAN); mr * ld] } else { random(mr * ld, 3) };
    let mut d = vec![T::from_f64(7.0); mr * ld];
    let (alpha, beta_t) = (T::from_f64(1.5), T::from_f64(beta));
    let (a_start, b_start, c_start) = (a.as_ptr(), b.as_ptr(), c.as_ptr());
    let tile = Tile {
        k,
        a: a_start,
        a_step: mr,
        b: b_start,
        b_step: nr,
        alpha,
        beta: beta_t,
        c: c_start,
        c_ld: ld,
        d: d.as_mut_ptr(),
        d_ld: ld,
        cols,
    };
    // SAFETY: the instruction set is available, and the slices have the lengths the contract asks for.
    unsafe { call(&tile) };
    for i in 0..mr {
        for j in 0..ld {
            let got = d[i * ld + j].to_f64();
            if j >= cols {
                assert_eq!(got, 7.0, "{isa} {mr}x{nr} wrote outside of its {cols} columns at ({i}, {j})");
                continue;
            }
            let sum: f64 = (0..k).map(|p| a[p * mr + i].to_f64() * b[p * nr + j].to_f64()).sum();
            let old = if beta == 0.0 { 0.0 } else { beta * c[i * ld + j].to_f64() };
            let bound = 4.0 * (k + 4) as f64 * T::DTYPE.unit_roundoff();
            assert!((got - 1.5 * sum - old).abs() <= bound, "{isa} {mr}x{nr} k={k} ({i}, {j}): {got} for {}", 1.5 * sum + old);
        }
    }
}

fn check_all<T: Real>() {
    for isa in Isa::ALL {
        let Some(kernels) = T::kernels(isa) else {
            eprintln!("skipped: {isa} micro-kernels for {}: this processor has no {isa}", T::DTYPE);
            continue;
        };
        for (mr, nr) in kernels.sizes() {
            for (k, cols, beta) in [
                (0, nr, 0.0),
                (1, nr, 0.5),
                (4, nr, 0.0),
                (31, nr, 1.0),
                (31, 1, 0.5),
                (6, nr - 1, 0.0),
                (9, nr.div_ceil(2), 0.5),
            ] {
                check_shape::<T>(isa, (mr, nr), k, cols, beta);
            }
        }
    }
}

#[test]
fn every_micro_kernel_agrees_with_sums_in_f64() {
    check_all::<f32>();
    check_all::<f64>();
}

/// A run over panels that lie side by side, read in place and packed meanwhile, and one over what it packed: both as single calls have it, bit for bit.
fn check_run<T: Real>(isa: Isa, (mr, nr): (usize, usize), (k, count, cols): (usize, usize, usize)) {
    let kernels = T::kernels(isa).expect("available");
    let (call, run) = (kernels.get(mr, nr).expect("listed"), kernels.get_run(mr, nr).expect("listed"));
    let (b_ld, d_ld) = (count * nr + 1, count * nr + 2);
    let (a, b) = (random::<T>(k * mr, 1), random::<T>(k * b_ld, 2));
    let fresh = || vec![T::from_f64(7.0); mr * d_ld];
    let tile = |b: *const T, b_step: usize, d: *mut T, cols: usize| Tile {
        k,
        a: a.as_ptr(),
        a_step: mr,
        b,
        b_step,
        alpha: T::ONE,
        beta: T::ZERO,
        c: d.cast_const(),
        c_ld: d_ld,
        d,
        d_ld,
        cols,
    };
    let (mut expected, mut in_place, mut from_packed) = (fresh(), fresh(), fresh());
    let mut packed = vec![T::ZERO; count * k * nr];
    // SAFETY: the instruction set is available, and every slice has room for all panels.
    unsafe {
        for q in 0..count {
            let cols = if q + 1 == count { cols } else { nr };
            call(&tile(b.as_ptr().add(q * nr), b_ld, expected.as_mut_ptr().add(q * nr), cols));
        }
        let all = PanelRun { count, b_step: nr, d_step: nr, packed: packed.as_mut_ptr() };
        run(&tile(b.as_ptr(), b_ld, in_place.as_mut_ptr(), cols), all);
        let again = PanelRun { b_step: k * nr, packed: std::ptr::null_mut(), ..all };
        run(&tile(packed.as_ptr(), nr, from_packed.as_mut_ptr(), cols), again);
    }
    assert_eq!(in_place, expected, "{isa} {mr}x{nr} k={k}, {count} panels in place");
    assert_eq!(from_packed, expected, "{isa} {mr}x{nr} k={k}, {count} packed panels");
    for (at, value) in packed.iter().enumerate() {
        let (q, p, j) = (at / (k * nr), at / nr % k, at % nr);
        assert_eq!(*value, b[p * b_ld + q * nr + j], "{isa} {mr}x{nr}: panel {q}, step {p}, column {j}");
    }
}

#[test]
fn a_run_of_panels_equals_single_calls_and_packs_what_it_reads() {
    fn check<T: Real>() {
        for isa in Isa::available() {
            for (mr, nr) in T::kernels(isa).expect("available").sizes() {
                for (k, count, cols) in [(1, 1, nr), (7, 3, nr), (8, 2, 1), (5, 2, nr.div_ceil(2))] {
                    check_run::<T>(isa, (mr, nr), (k, count, cols));
                }
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn every_row_count_up_to_the_best_shape_has_a_kernel() {
    fn check<T: Real>() {
        for isa in Isa::available() {
            let kernels = T::kernels(isa).expect("available");
            for mr in 1..=kernels.best.0 {
                assert!(kernels.get(mr, kernels.best.1).is_some(), "{isa} has no {mr}x{}", kernels.best.1);
                assert!(kernels.get(mr, kernels.lanes).is_some(), "{isa} has no {mr}x{}", kernels.lanes);
            }
        }
    }
    check::<f32>();
    check::<f64>();
}

#[test]
fn packing_gathers_every_lane_of_every_panel() {
    fn check<T: Real>(lanes: usize, depth: usize, width: usize, round: usize) {
        let source = random::<T>((lanes + 2) * (depth + 3), 5);
        for (lane, step) in [(1, lanes + 2), (depth + 3, 1)] {
            let mut packed = vec![T::from_f64(9.0); packed_len(lanes, depth, width, round) + 1];
            let from = Strided { start: source.as_ptr(), lane, depth: step };
            // SAFETY: the source holds every lane and depth, the target `packed_len` elements.
            unsafe { pack(from, (lanes, depth), (width, round), packed.as_mut_ptr()) };
            let mut expected = Vec::new();
            for first in (0..lanes).step_by(width) {
                let there = width.min(lanes - first);
                let panel = if there == width { width } else { there.next_multiple_of(round) };
                for p in 0..depth {
                    expected.extend((0..panel).map(|i| if i < there { source[(first + i) * lane + p * step] } else { T::ZERO }));
                }
            }
            expected.push(T::from_f64(9.0));
            assert_eq!(packed, expected, "{lanes} lanes, depth {depth}, width {width}, strides ({lane}, {step})");
        }
    }
    for (lanes, depth, width, round) in
        [(1, 1, 6, 1), (6, 5, 6, 1), (13, 9, 6, 1), (40, 7, 16, 8), (33, 4, 16, 8), (7, 0, 4, 4), (23, 11, 12, 1), (5, 3, 3, 1)]
    {
        check::<f32>(lanes, depth, width, round);
        check::<f64>(lanes, depth, width, round);
    }
}

#[test]
fn instruction_sets_are_read_by_name() {
    for isa in Isa::ALL {
        assert_eq!(isa.name().parse::<Isa>(), Ok(isa));
    }
    assert_eq!("sse9".parse::<Isa>().expect_err("unknown").to_string(), "`isa=sse9` is not one of avx512, avx2, portable");
    assert!(Isa::Portable.is_available());
}
