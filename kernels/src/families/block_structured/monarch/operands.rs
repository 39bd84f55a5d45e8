//! Seeded operands of a Monarch problem, and the factors its kernels run.

use super::project::{Factors, project};
use super::sizes::{Sizes, Source};
use crate::random::Random;
use crate::{Problem, Tensor};

/// Singular values of the `spectrum` source: 1/k for k up to here. The tail that is cut holds 1 % of the energy of the whole series.
const SPECTRUM_RANK: usize = 64;

/// `w` (n_out × n_in) and `x`, or where the source is exact `l` (outer·nblocks × p), `r` (n_out × outer) and `x`.
pub(super) fn operands(problem: &Problem) -> Vec<Tensor> {
    let sizes = Sizes::of(problem);
    let tensor = |name, shape: (usize, usize)| Tensor::zeros(name, problem.dtype, shape, shape.1);
    let mut all = match sizes.source {
        Source::Monarch => {
            let mut l = tensor("l", (sizes.outer() * sizes.nblocks, sizes.block_in()));
            let mut r = tensor("r", (sizes.n_out, sizes.outer()));
            fill_uniform(&mut l, problem.seed, 0);
            fill_uniform(&mut r, problem.seed, 1);
            vec![l, r]
        }
        Source::Gaussian => {
            let mut w = tensor("w", (sizes.n_out, sizes.n_in));
            let mut random = Random::stream(problem.seed, 0);
            #[allow(clippy::cast_precision_loss)] // a size
            let scale = 1.0 / (sizes.n_in as f64).sqrt();
            w.fill(|_, _| scale * random.normal());
            vec![w]
        }
        Source::Spectrum => {
            let mut w = tensor("w", (sizes.n_out, sizes.n_in));
            fill_spectrum(&mut w, problem.seed);
            vec![w]
        }
    };
    let mut x = tensor("x", (sizes.n_in, sizes.batch));
    fill_uniform(&mut x, problem.seed, 2);
    all.push(x);
    all
}

fn fill_uniform(tensor: &mut Tensor, seed: u64, stream: u64) {
    let mut random = Random::stream(seed, stream);
    tensor.fill(|_, _| random.signed());
}

/// Σ (1/k)·u_k·v_kᵀ with random orthonormal vectors.
fn fill_spectrum(w: &mut Tensor, seed: u64) {
    let rank = SPECTRUM_RANK.min(w.rows).min(w.cols);
    let (left, right) = (orthonormal(rank, w.rows, seed, 3), orthonormal(rank, w.cols, seed, 4));
    let mut row = vec![0.0; w.cols];
    w.fill(|i, j| {
        if j == 0 {
            row.fill(0.0);
            for (k, (u, v)) in (1u32..).zip(left.iter().zip(&right)) {
                let by = u[i] / f64::from(k);
                row.iter_mut().zip(v).for_each(|(to, v)| *to += by * v);
            }
        }
        row[j]
    });
}

/// `count` orthonormal vectors of length `n`: normal ones, made orthogonal one after the other (twice, which is enough: Giraud and others, 2005).
fn orthonormal(count: usize, n: usize, seed: u64, stream: u64) -> Vec<Vec<f64>> {
    let mut random = Random::stream(seed, stream);
    let mut all: Vec<Vec<f64>> = Vec::with_capacity(count);
    for _ in 0..count {
        let mut next: Vec<f64> = (0..n).map(|_| random.normal()).collect();
        for other in all.iter().chain(&all) {
            let along: f64 = next.iter().zip(other).map(|(a, b)| a * b).sum();
            next.iter_mut().zip(other).for_each(|(a, b)| *a -= along * b);
        }
        let length = next.iter().map(|x| x * x).sum::<f64>().sqrt();
        next.iter_mut().for_each(|x| *x /= length);
        all.push(next);
    }
    all
}

/// The factors, in f64 before they are rounded to the element type: those given, or the projection of the dense operand.
pub(super) fn factors(sizes: &Sizes, operands: &[Tensor]) -> Factors {
    match sizes.source {
        Source::Monarch => Factors { first: widened(&operands[0]), second: widened(&operands[1]), norm2: 0.0, missed2: 0.0 },
        Source::Gaussian | Source::Spectrum => project(&operands[0], sizes),
    }
}

fn widened(tensor: &Tensor) -> Vec<f64> {
    (0..tensor.rows).flat_map(|i| (0..tensor.cols).map(move |j| tensor.at(i, j))).collect()
}
