use super::*;
use crate::devices::cpu::micro::Isa;
use crate::devices::cpu::{CpuIo, Pages, Team};
use crate::{Cache, DeviceKind};

fn problem(dtype: Dtype, axes: &[(&str, u64)]) -> Result<Problem, Misfit> {
    let given: Vec<(String, Value)> = axes.iter().map(|&(name, value)| (name.to_owned(), value.into())).collect();
    KronMatmul.problem(dtype, &given, 3)
}

fn device() -> DeviceInfo {
    DeviceInfo {
        spec: "cpu".to_owned(),
        kind: DeviceKind::Cpu,
        slug: "test".to_owned(),
        name: "test".to_owned(),
        threads: 1,
        isa: Isa::available().iter().map(ToString::to_string).collect(),
        caches: vec![Cache { level: 1, bytes: 32 << 10, shared_by: 1 }],
        memory_bytes: 8 << 30,
        os: "test".to_owned(),
        gpu: None,
    }
}

#[test]
fn both_orders_and_the_reference_agree_with_the_product_formed_in_f64() {
    for (n1, n2, m1, m2, batch) in [(3, 4, 3, 4, 5), (2, 7, 5, 3, 1), (1, 6, 6, 1, 9), (8, 8, 8, 8, 17), (1, 1, 1, 1, 1)] {
        let axes = [("n1", n1), ("n2", n2), ("m1", m1), ("m2", m2), ("batch", batch)];
        let problem = problem(Dtype::F64, &axes).expect("legal");
        let operands = KronMatmul.operands(&problem);
        let sizes = Sizes::of(&problem);
        let formed = |row: usize, col: usize| {
            operands[0].at(row / sizes.m2, col / sizes.n2) * operands[1].at(row % sizes.m2, col % sizes.n2)
        };
        let expected =
            |i: usize, j: usize| -> f64 { (0..sizes.n1 * sizes.n2).map(|k| formed(i, k) * operands[2].at(k, j)).sum() };
        let reference = KronMatmul.reference(&problem, &operands);
        for order in [Order::InnerFirst, Order::OuterFirst] {
            let default = KronMatmul.default_config(&problem, &device());
            let word = if order == Order::InnerFirst { "inner_first" } else { "outer_first" };
            let config = Config(default.0.with("order", word));
            let mut program = CpuSource::prepare(&KronMatmul, &problem, &config, &operands).expect("prepares");
            let mut output = KronMatmul.output(&problem);
            output.poison();
            let (mut scratch, team) = (Pages::zeroed(program.scratch_bytes()), Team::new(1));
            program.run(&mut CpuIo { operands: &operands, output: &mut output, scratch: &mut scratch, team: &team });
            for i in 0..output.rows {
                for j in 0..output.cols {
                    let want = expected(i, j);
                    let at = i * output.cols + j;
                    assert!((reference.values[at] - want).abs() < 1e-13, "{problem}: reference at ({i}, {j})");
                    assert!((output.at(i, j) - want).abs() < 1e-13, "{problem}, {order:?}: kernel at ({i}, {j})");
                }
            }
        }
    }
}

#[test]
fn the_order_with_fewer_products_is_the_default() {
    // K1 shrinks 64 rows to 2: done first, K2 works on what is left.
    let shrinking = problem(Dtype::F32, &[("n1", 64), ("m1", 2), ("n2", 8), ("m2", 8)]).expect("legal");
    assert_eq!(KronMatmul.default_config(&shrinking, &device()).text("order"), "outer_first");
    let growing = problem(Dtype::F32, &[("n1", 2), ("m1", 64), ("n2", 8), ("m2", 8)]).expect("legal");
    assert_eq!(KronMatmul.default_config(&growing, &device()).text("order"), "inner_first");
}

#[test]
fn work_follows_the_formulas_and_the_rival_has_the_same_result() {
    let problem = problem(Dtype::F64, &[("n1", 8), ("n2", 16), ("m1", 4), ("batch", 100)]).expect("legal");
    let config = KronMatmul.default_config(&problem, &device());
    for (order, flop) in
        [("outer_first", 2.0 * 100.0 * 16.0 * 4.0 * (8.0 + 16.0)), ("inner_first", 2.0 * 100.0 * 8.0 * 16.0 * (16.0 + 4.0))]
    {
        let work = KronMatmul.work(&problem, &Config(config.0.clone().with("order", order)), &device());
        assert_eq!(work.useful_flop, flop, "{order}");
        assert_eq!(work.dense_flop, 2.0 * 100.0 * 64.0 * 128.0);
        assert_eq!(work.compulsory_bytes, 8.0 * (100.0 * (128.0 + 64.0) + 32.0 + 256.0));
    }
    let rival = KronMatmul.baseline(&problem).expect("the dense family is registered");
    assert_eq!([rival.axes.int("m"), rival.axes.int("n"), rival.axes.int("k")], [64, 100, 128]);
    assert_eq!(KronMatmul.quality(&problem, &[]), None, "it is exact");
}

#[test]
fn sizes_beyond_any_machine_and_zeros_are_refused() {
    let cases: [(&[(&str, u64)], &str); 2] = [
        (&[("n1", 0)], "`n1=0` is not an integer from 1 to 65536"),
        (
            &[("n1", 65536), ("n2", 65536), ("batch", 16_777_216)],
            "`m1=65536 n1=65536 m2=65536 n2=65536 batch=16777216` exceeds 64 TiB",
        ),
    ];
    for (axes, expected) in cases {
        assert_eq!(problem(Dtype::F32, axes).map_err(|e| e.to_string()), Err(expected.to_owned()));
    }
}
