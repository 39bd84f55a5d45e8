//! y = 2x on a row of numbers: what the test families of the CPU and of GPUs, whose every fault is known, have in common.

use tilecast_kernels::oracle::{Magnitude, Reference};
use tilecast_kernels::{Card, Dtype, Family, Parameter, Problem, Tensor, Value, Work};

pub(crate) static CARD: Card =
    Card { id: "doubling", group: "test", title: "y = 2x", math: "y (1 × n) = 2·x", look_at: "nothing", references: &[] };

pub(crate) fn axes() -> Vec<Parameter> {
    vec![Parameter::int("n", (1, 1 << 50), &[1000], "elements")]
}

/// A row of `n` numbers.
pub(crate) fn problem(family: &dyn Family, n: u64) -> Problem {
    family.problem(Dtype::F64, &[("n".to_owned(), Value::Int(n))], 1).expect("a legal problem")
}

pub(crate) fn work(problem: &Problem) -> Work {
    Work { compulsory_bytes: 16.0 * problem.axes.real("n"), ..Work::default() }
}

pub(crate) fn operands(problem: &Problem) -> Vec<Tensor> {
    let mut x = row("x", problem);
    x.fill(|_, j| 1.0 + f64::from(u32::try_from(j % 1000).expect("small")));
    vec![x]
}

pub(crate) fn output(problem: &Problem) -> Tensor {
    row("y", problem)
}

pub(crate) fn reference(operands: &[Tensor]) -> Reference {
    let cols = operands[0].cols;
    let values: Vec<f64> = (0..cols).map(|j| 2.0 * operands[0].at(0, j)).collect();
    Reference { rows: vec![0], cols, magnitude: Magnitude::Full(values.clone()), values, depth: 1 }
}

fn row(name: &'static str, problem: &Problem) -> Tensor {
    let n = problem.axes.size("n");
    Tensor::zeros(name, Dtype::F64, (1, n), n)
}
