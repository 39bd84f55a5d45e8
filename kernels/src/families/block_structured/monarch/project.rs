//! The nearest Monarch operator to a dense one: block (j, k) of W is the rows l·nblocks + j and the columns k·p + d; the best operator of
//! rank r in Frobenius norm takes the r leading singular pairs of every block (Dao and others, 2022, theorem 1).

use super::sizes::Sizes;
use crate::Tensor;
use crate::devices::cpu::micro::{Isa, Vectorised};

/// Both factors in f64, and what they miss of the dense operator.
#[derive(Clone, Debug, PartialEq)]
pub struct Factors {
    /// L: element (k·rank + t, j, d) at `((k·rank + t)·nblocks + j)·p + d`.
    pub first: Vec<f64>,
    /// R: element (j, l, k·rank + t) at `(j·s + l)·outer + k·rank + t`.
    pub second: Vec<f64>,
    /// Squared Frobenius norm of the dense operator.
    pub norm2: f64,
    /// Squared Frobenius norm of what is missed.
    pub missed2: f64,
}

impl Factors {
    /// Frobenius norm of what is missed over that of the operator; 0 for a zero operator.
    #[must_use]
    pub fn error(&self) -> f64 {
        if self.norm2 == 0.0 { 0.0 } else { (self.missed2 / self.norm2).sqrt() }
    }

    /// Element (row, col) of the operator the factors make.
    #[must_use]
    pub fn at(&self, sizes: &Sizes, row: usize, col: usize) -> f64 {
        let (nb, p, s) = (sizes.nblocks, sizes.block_in(), sizes.block_out());
        let (l, j, k, d) = (row / nb, row % nb, col / p, col % p);
        (k * sizes.rank..(k + 1) * sizes.rank)
            .map(|u| self.second[(j * s + l) * sizes.outer() + u] * self.first[(u * nb + j) * p + d])
            .sum()
    }
}

/// Projects `dense` (n_out × n_in).
#[must_use]
pub fn project(dense: &Tensor, sizes: &Sizes) -> Factors {
    Isa::best().run(Projection { dense, sizes })
}

struct Projection<'a> {
    dense: &'a Tensor,
    sizes: &'a Sizes,
}

impl Vectorised for Projection<'_> {
    type Output = Factors;

    #[inline(always)]
    fn run(self) -> Factors {
        let sizes = self.sizes;
        let (nb, p, s) = (sizes.nblocks, sizes.block_in(), sizes.block_out());
        let (first, second) = (vec![0.0; sizes.outer() * nb * p], vec![0.0; nb * s * sizes.outer()]);
        let mut factors = Factors { first, second, norm2: 0.0, missed2: 0.0 };
        let mut block = Block::new(s, p);
        for j in 0..nb {
            for k in 0..nb {
                block.fill(|l, d| self.dense.at(l * nb + j, k * p + d));
                factors.norm2 += dot(&block.data, &block.data);
                for u in k * sizes.rank..(k + 1) * sizes.rank {
                    block.peel();
                    factors.first[(u * nb + j) * p..][..p].copy_from_slice(&block.right);
                    block.left.iter().enumerate().for_each(|(l, &x)| factors.second[(j * s + l) * sizes.outer() + u] = x);
                }
                factors.missed2 += dot(&block.data, &block.data);
            }
        }
        factors
    }
}

/// Steps of the power iteration at most. It runs on the fourth power of the Gram matrix, so each counts for eight of the usual ones; blocks whose two leading
/// singular values agree to 10⁻³ still converge, and nearer ones may take either vector: both leave the same error.
const STEPS: usize = 1000;

/// A block of W and its leading singular pair.
struct Block {
    rows: usize,
    cols: usize,
    data: Vec<f64>,
    /// √σ·u.
    left: Vec<f64>,
    /// √σ·v.
    right: Vec<f64>,
    /// Gram matrix of the shorter side, its powers, and vectors of that length.
    gram: [Vec<f64>; 2],
    vector: [Vec<f64>; 2],
}

impl Block {
    fn new(rows: usize, cols: usize) -> Self {
        let side = rows.min(cols);
        Self {
            rows,
            cols,
            data: vec![0.0; rows * cols],
            left: vec![0.0; rows],
            right: vec![0.0; cols],
            gram: [vec![0.0; side * side], vec![0.0; side * side]],
            vector: [vec![0.0; side], vec![0.0; side]],
        }
    }

    #[inline(always)]
    fn fill(&mut self, value: impl Fn(usize, usize) -> f64) {
        for (l, row) in self.data.chunks_exact_mut(self.cols).enumerate() {
            row.iter_mut().enumerate().for_each(|(d, x)| *x = value(l, d));
        }
    }

    /// Finds the leading pair and subtracts it. A block of zeros has the pair (0, 0); one that is not finite has no pair but NaN.
    #[inline(always)]
    fn peel(&mut self) {
        let finite = self.data.iter().all(|x| x.is_finite());
        let scale = self.data.iter().fold(0.0f64, |most, x| most.max(x.abs()));
        if scale == 0.0 || !finite {
            let nothing = if finite { 0.0 } else { f64::NAN };
            self.left.fill(nothing);
            self.right.fill(nothing);
            return;
        }
        self.data.iter_mut().for_each(|x| *x /= scale);
        self.gram_of_shorter_side();
        self.power_iteration();
        let sigma = self.pair_from_vector();
        for (row, &u) in self.data.chunks_exact_mut(self.cols).zip(&self.left) {
            row.iter_mut().zip(&self.right).for_each(|(x, &v)| *x -= sigma * u * v);
        }
        self.data.iter_mut().for_each(|x| *x *= scale);
        let root = (sigma * scale).sqrt();
        self.left.iter_mut().chain(&mut self.right).for_each(|x| *x *= root);
    }

    /// BBᵀ or BᵀB, whichever is smaller.
    #[inline(always)]
    fn gram_of_shorter_side(&mut self) {
        let gram = &mut self.gram[0];
        gram.fill(0.0);
        if self.rows < self.cols {
            for (i, a) in self.data.chunks_exact(self.cols).enumerate() {
                for (j, b) in self.data.chunks_exact(self.cols).enumerate() {
                    gram[i * self.rows + j] = dot(a, b);
                }
            }
        } else {
            for row in self.data.chunks_exact(self.cols) {
                gram.chunks_exact_mut(self.cols).zip(row).for_each(|(to, &x)| add_scaled(to, row, x));
            }
        }
    }

    /// The leading eigenvector of the Gram matrix, into `vector[0]`.
    #[inline(always)]
    fn power_iteration(&mut self) {
        let side = self.vector[0].len();
        for _ in 0..2 {
            let [gram, square] = &mut self.gram;
            let trace: f64 = gram.iter().step_by(side + 1).sum();
            gram.iter_mut().for_each(|x| *x /= trace);
            square.fill(0.0);
            for (to, row) in square.chunks_exact_mut(side).zip(gram.chunks_exact(side)) {
                row.iter().zip(gram.chunks_exact(side)).for_each(|(&x, other)| add_scaled(to, other, x));
            }
            self.gram.swap(0, 1);
        }
        let [from, to] = &mut self.vector;
        let gram = &self.gram[0];
        let longest = (0..side).max_by(|&a, &b| gram[a * (side + 1)].total_cmp(&gram[b * (side + 1)])).unwrap_or(0);
        from.copy_from_slice(&gram[longest * side..][..side]);
        normalise(from);
        let mut last = 0.0;
        for _ in 0..STEPS {
            to.fill(0.0);
            gram.chunks_exact(side).zip(from.iter()).for_each(|(row, &x)| add_scaled(to, row, x));
            let value = normalise(to);
            std::mem::swap(from, to);
            if (value - last).abs() <= 1e-15 * value {
                break;
            }
            last = value;
        }
    }

    /// Unit vectors u and v from the eigenvector, by one step through the block itself each way, and σ.
    #[inline(always)]
    fn pair_from_vector(&mut self) -> f64 {
        if self.rows < self.cols {
            self.left.copy_from_slice(&self.vector[0]);
            self.right_from_left();
            self.left_from_right();
        } else {
            self.right.copy_from_slice(&self.vector[0]);
            self.left_from_right();
        }
        self.right_from_left()
    }

    #[inline(always)]
    fn left_from_right(&mut self) -> f64 {
        self.left.iter_mut().zip(self.data.chunks_exact(self.cols)).for_each(|(u, row)| *u = dot(row, &self.right));
        normalise(&mut self.left)
    }

    #[inline(always)]
    fn right_from_left(&mut self) -> f64 {
        self.right.fill(0.0);
        let right = &mut self.right;
        self.data.chunks_exact(self.cols).zip(&self.left).for_each(|(row, &u)| add_scaled(right, row, u));
        normalise(right)
    }
}

/// Eight partial sums, so that the additions do not wait for each other.
#[inline(always)]
fn dot(a: &[f64], b: &[f64]) -> f64 {
    let mut sums = [0.0; 8];
    let (a8, a_rest) = a.as_chunks::<8>();
    let (b8, b_rest) = b.as_chunks::<8>();
    for (a, b) in a8.iter().zip(b8) {
        for lane in 0..8 {
            sums[lane] += a[lane] * b[lane];
        }
    }
    sums.iter().sum::<f64>() + a_rest.iter().zip(b_rest).map(|(a, b)| a * b).sum::<f64>()
}

#[inline(always)]
fn add_scaled(to: &mut [f64], from: &[f64], by: f64) {
    to.iter_mut().zip(from).for_each(|(to, from)| *to += by * from);
}

/// Scales to length 1 and returns the length it had; leaves zeros alone.
#[inline(always)]
fn normalise(x: &mut [f64]) -> f64 {
    let length = dot(x, x).sqrt();
    if length > 0.0 {
        x.iter_mut().for_each(|x| *x /= length);
    }
    length
}
