//! The result in f64, from the factors as the kernels have them.

use half::{bf16, f16};

use super::operands::factors;
use super::sizes::Sizes;
use crate::oracle::{Magnitude, Reference};
use crate::tensor::to_tf32;
use crate::{Dtype, Problem, Tensor};

/// FLOP a reference may cost: a second or two of plain loops.
const BUDGET_FLOP: f64 = 4e9;

/// Evaluates the two stages, and once more with absolute values for the error scale.
///
/// Where all rows would cost more than the budget, some of the second factor's blocks are evaluated: the first, the last, and an even sample between.
/// A block takes part in every product of the first factor and owns every `nblocks`-th row.
pub(super) fn reference(problem: &Problem, operands: &[Tensor]) -> Reference {
    let sizes = Sizes::of(problem);
    let mut factors = factors(&sizes, operands);
    round(&mut factors.first, problem.dtype);
    round(&mut factors.second, problem.dtype);
    let x = operands.last().expect("x is always there");
    let x: Vec<f64> = (0..x.rows).flat_map(|i| (0..x.cols).map(move |j| x.at(i, j))).collect();
    let picked = picked_blocks(&sizes);
    let all = [factors.first.as_slice(), &factors.second, &x];
    let values = evaluate(&sizes, &picked, all, |x| x);
    let magnitude = Magnitude::Full(evaluate(&sizes, &picked, all, f64::abs));
    let rows = (0..sizes.block_out()).flat_map(|l| picked.iter().map(move |j| l * sizes.nblocks + j)).collect();
    let depth = sizes.block_in() + sizes.outer() + 1;
    Reference { rows, cols: sizes.batch, values, magnitude, depth }
}

/// As [`Tensor::fill`] rounds the factors that kernels get.
#[allow(clippy::cast_possible_truncation)] // rounding to the element type is the point
fn round(values: &mut [f64], dtype: Dtype) {
    let each = |x: f64| match dtype {
        Dtype::F32 => f64::from(x as f32),
        Dtype::Tf32 => f64::from(to_tf32(x as f32)),
        Dtype::F16 => f16::from_f64(x).to_f64(),
        Dtype::Bf16 => bf16::from_f64(x).to_f64(),
        Dtype::F64 | Dtype::Int8 | Dtype::Int32 => x,
    };
    values.iter_mut().for_each(|x| *x = each(*x));
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts and FLOP
fn picked_blocks(sizes: &Sizes) -> Vec<usize> {
    let flop = 4.0 * sizes.batch as f64 * sizes.outer() as f64 * (sizes.n_in + sizes.n_out) as f64;
    let fit = (sizes.nblocks as f64 * BUDGET_FLOP / flop.max(1.0)) as usize;
    let wanted = fit.clamp(2, sizes.nblocks.max(2)).min(sizes.nblocks);
    (0..wanted).map(|at| at * (sizes.nblocks - 1) / (wanted - 1).max(1)).collect()
}

/// Rows (l, j) of Y for the picked j.
fn evaluate(sizes: &Sizes, picked: &[usize], [first, second, x]: [&[f64]; 3], sign: impl Fn(f64) -> f64 + Copy) -> Vec<f64> {
    let (nb, p, s, outer, batch) = (sizes.nblocks, sizes.block_in(), sizes.block_out(), sizes.outer(), sizes.batch);
    let mut y = vec![0.0; s * picked.len() * batch];
    let mut z = vec![0.0; batch];
    for (at, &j) in picked.iter().enumerate() {
        for u in 0..outer {
            z.fill(0.0);
            for d in 0..p {
                let row = &x[((u / sizes.rank) * p + d) * batch..][..batch];
                add_scaled(&mut z, row, sign(first[(u * nb + j) * p + d]), sign);
            }
            for l in 0..s {
                let row = &mut y[(l * picked.len() + at) * batch..][..batch];
                add_scaled(row, &z, sign(second[(j * s + l) * outer + u]), |z| z);
            }
        }
    }
    y
}

fn add_scaled(to: &mut [f64], from: &[f64], by: f64, sign: impl Fn(f64) -> f64) {
    to.iter_mut().zip(from).for_each(|(to, &from)| *to += by * sign(from));
}
