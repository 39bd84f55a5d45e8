//! D in f64, by loops that share nothing with the kernels they judge.

use super::gemm::Gemm;
use crate::Tensor;
use crate::devices::cpu::micro::{Isa, Vectorised};
use crate::oracle::{Magnitude, Reference};

/// Steps of k and columns per block: 128 × 512 f64 are 512 KiB, half of a common L2.
const BLOCK_K: usize = 128;
const BLOCK_N: usize = 512;

/// The reference for `rows` of D.
pub(super) fn of_rows(gemm: &Gemm, operands: &[Tensor], rows: Vec<usize>) -> Reference {
    let (a, b) = (left_rows(gemm, &operands[0], &rows), right(gemm, &operands[1]));
    let mut values = vec![0.0; rows.len() * gemm.n];
    if gemm.k > 0 {
        Isa::best().run(Multiply { a: &a, b: &b, d: &mut values, k: gemm.k, n: gemm.n });
    }
    let row_norms: Vec<f64> = (0..rows.len()).map(|row| gemm.alpha.abs() * norm(a[row * gemm.k..][..gemm.k].iter())).collect();
    let col_norms = column_norms(&b, gemm.n);
    values.iter_mut().for_each(|value| *value *= gemm.alpha);
    let magnitude = if gemm.beta == 0.0 {
        Magnitude::Outer { rows: row_norms, cols: col_norms }
    } else {
        Magnitude::Full(add_c(gemm, &operands[2], &rows, &mut values, |row, j| row_norms[row] * col_norms[j]))
    };
    Reference { rows, cols: gemm.n, values, magnitude, depth: gemm.k + usize::from(gemm.beta != 0.0) }
}

/// Adds beta·C to `values` and |beta·C| to the magnitudes.
fn add_c(gemm: &Gemm, c: &Tensor, rows: &[usize], values: &mut [f64], product: impl Fn(usize, usize) -> f64) -> Vec<f64> {
    let mut magnitude = Vec::with_capacity(values.len());
    for (row, &i) in rows.iter().enumerate() {
        for j in 0..gemm.n {
            let added = gemm.beta * c.at(i, j);
            values[row * gemm.n + j] += added;
            magnitude.push(product(row, j) + added.abs());
        }
    }
    magnitude
}

/// The chosen rows of op(A), k adjacent.
fn left_rows(gemm: &Gemm, a: &Tensor, rows: &[usize]) -> Vec<f64> {
    let at = |i, p| if gemm.layout.a_transposed() { a.at(p, i) } else { a.at(i, p) };
    rows.iter().flat_map(|&i| (0..gemm.k).map(move |p| at(i, p))).collect()
}

/// op(B), n adjacent.
fn right(gemm: &Gemm, b: &Tensor) -> Vec<f64> {
    let at = |p, j| if gemm.layout.b_transposed() { b.at(j, p) } else { b.at(p, j) };
    (0..gemm.k).flat_map(|p| (0..gemm.n).map(move |j| at(p, j))).collect()
}

fn norm<'a>(values: impl Iterator<Item = &'a f64>) -> f64 {
    values.map(|x| x * x).sum::<f64>().sqrt()
}

fn column_norms(b: &[f64], n: usize) -> Vec<f64> {
    let mut squares = vec![0.0; n];
    for row in b.chunks_exact(n) {
        squares.iter_mut().zip(row).for_each(|(sum, x)| *sum += x * x);
    }
    squares.into_iter().map(f64::sqrt).collect()
}

struct Multiply<'a> {
    a: &'a [f64],
    b: &'a [f64],
    d: &'a mut [f64],
    k: usize,
    n: usize,
}

impl Vectorised for Multiply<'_> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { a, b, d, k, n } = self;
        for p0 in (0..k).step_by(BLOCK_K) {
            let p1 = k.min(p0 + BLOCK_K);
            for j0 in (0..n).step_by(BLOCK_N) {
                let j1 = n.min(j0 + BLOCK_N);
                for (a, d) in a.chunks_exact(k).zip(d.chunks_exact_mut(n)) {
                    add_rows(&a[p0..p1], |p| &b[(p0 + p) * n + j0..(p0 + p) * n + j1], &mut d[j0..j1]);
                }
            }
        }
    }
}

/// `d += Σ a[p]·row(p)`, four rows at a time so that each load and store of `d` serves four products.
#[inline(always)]
fn add_rows<'b>(a: &[f64], row: impl Fn(usize) -> &'b [f64], d: &mut [f64]) {
    let fours = a.chunks_exact(4);
    let rest = fours.remainder();
    let done = a.len() - rest.len();
    for (q, a) in fours.enumerate() {
        let (b0, b1, b2, b3) = (row(4 * q), row(4 * q + 1), row(4 * q + 2), row(4 * q + 3));
        for ((((d, b0), b1), b2), b3) in d.iter_mut().zip(b0).zip(b1).zip(b2).zip(b3) {
            *d += a[0] * b0 + a[1] * b1 + (a[2] * b2 + a[3] * b3);
        }
    }
    for (q, a) in rest.iter().enumerate() {
        d.iter_mut().zip(row(done + q)).for_each(|(d, b)| *d += a * b);
    }
}
