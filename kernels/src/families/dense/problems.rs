//! What makes a dense problem, and what does not.

use super::conformance::{Case, device};
use super::gemm_naive::GEMM_NAIVE;
use crate::{Dtype, Family, Level, Value};

#[test]
fn sizes_and_factors_that_make_no_problem_are_refused() {
    let check = |given: &[(&str, Value)], expected: &str| {
        let given: Vec<_> = given.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
        let found = GEMM_NAIVE.problem(Dtype::F32, &given, 0).map(|problem| problem.to_string());
        assert_eq!(found.unwrap_or_else(|misfit| misfit.to_string()), expected);
    };
    check(&[("k", 0u64.into())], "gemm_naive f32 m=512 n=512 k=0 layout=nn alpha=1 beta=0 ld_pad=0");
    check(&[("m", 0u64.into())], "`m=0` is not an integer from 1 to 16777216");
    check(&[("n", u64::MAX.into())], "`n=18446744073709551615` is not an integer from 1 to 16777216");
    check(&[("layout", "nx".into())], "`layout=nx` is not one of nn, nt, tn, tt");
    check(&[("alpha", 0.0.into())], "`alpha=0` leaves nothing to multiply; it must not be 0");
    check(&[("beta", f64::NAN.into())], "`beta=NaN` is not a finite number");
    check(&[("tile", 3u64.into())], "`tile` is not a parameter here");
    check(
        &[("m", (1u64 << 24).into()), ("n", (1u64 << 24).into())],
        "`m=16777216 n=16777216 k=512` needs 2251868533161984 B of operands; at most 17592186044416 B are supported",
    );
}

#[test]
fn work_counts_flop_and_each_operand_once() {
    let check = |factors: (f64, f64), flop: f64, bytes: f64| {
        let case = Case { factors, ..Case::plain(Dtype::F64, (3, 5, 7)) };
        let problem = case.problem(&GEMM_NAIVE);
        let config = crate::Config(crate::Named::default().with("loop_order", "ijk"));
        let work = GEMM_NAIVE.work(&problem, &config, &device());
        assert_eq!((work.useful_flop, work.dense_flop, work.compulsory_bytes), (flop, flop, bytes));
        assert_eq!(work.traffic[0], (Level::L1, 8.0 * 2.0 * 105.0));
    };
    check((1.0, 0.0), 210.0, 8.0 * (21.0 + 35.0 + 15.0));
    check((1.0, 0.5), 240.0, 8.0 * (21.0 + 35.0 + 30.0));
}
