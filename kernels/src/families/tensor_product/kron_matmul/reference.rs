//! The result in f64.

use super::sizes::Sizes;
use crate::oracle::{Magnitude, Reference};
use crate::{Problem, Tensor};

/// FLOP a reference may cost: a second or two of plain loops.
const BUDGET_FLOP: f64 = 4e9;

/// Y[(a1, a2)] = Σ_i2 K2[a2, i2] · Σ_i1 K1[a1, i1] · X[(i1, i2)], and once more with absolute values for the error scale. Where all rows would cost more than
/// the budget, some a1 are evaluated: the first, the last, and an even sample between.
pub(super) fn reference(problem: &Problem, operands: &[Tensor]) -> Reference {
    let sizes = Sizes::of(problem);
    let all = [&operands[0], &operands[1], &operands[2]].map(widened);
    let picked = picked_rows(&sizes);
    let rows = picked.iter().flat_map(|a1| (0..sizes.m2).map(move |a2| a1 * sizes.m2 + a2)).collect();
    let values = evaluate(&sizes, &picked, &all, |x| x);
    let magnitude = Magnitude::Full(evaluate(&sizes, &picked, &all, f64::abs));
    Reference { rows, cols: sizes.batch, values, magnitude, depth: sizes.n1 + sizes.n2 + 1 }
}

fn widened(tensor: &Tensor) -> Vec<f64> {
    (0..tensor.rows).flat_map(|i| (0..tensor.cols).map(move |j| tensor.at(i, j))).collect()
}

#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // counts and FLOP
fn picked_rows(sizes: &Sizes) -> Vec<usize> {
    let each = 4.0 * sizes.batch as f64 * sizes.n2 as f64 * (sizes.n1 + sizes.m2) as f64;
    let wanted = ((BUDGET_FLOP / each) as usize).clamp(2, sizes.m1.max(2)).min(sizes.m1);
    (0..wanted).map(|at| at * (sizes.m1 - 1) / (wanted - 1).max(1)).collect()
}

fn evaluate(sizes: &Sizes, picked: &[usize], [k1, k2, x]: &[Vec<f64>; 3], sign: impl Fn(f64) -> f64 + Copy) -> Vec<f64> {
    let Sizes { n1, m2, n2, batch, .. } = *sizes;
    let mut y = vec![0.0; picked.len() * m2 * batch];
    let mut z = vec![0.0; batch];
    for (at, &a1) in picked.iter().enumerate() {
        for i2 in 0..n2 {
            z.fill(0.0);
            for i1 in 0..n1 {
                let by = sign(k1[a1 * n1 + i1]);
                z.iter_mut().zip(&x[(i1 * n2 + i2) * batch..]).for_each(|(z, &x)| *z += by * sign(x));
            }
            for a2 in 0..m2 {
                let by = sign(k2[a2 * n2 + i2]);
                y[(at * m2 + a2) * batch..][..batch].iter_mut().zip(&z).for_each(|(y, z)| *y += by * z);
            }
        }
    }
    y
}
