//! Sizes of a Monarch operator.

use crate::devices::cpu::chain::{Rows, Shape};
use crate::{Misfit, Problem};

/// Where the operator comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Source {
    /// Dense weights, independent normal: the worst case of a projection.
    Gaussian,
    /// Dense weights whose k-th singular value is 1/k up to k = 64, and 0 from there on.
    Spectrum,
    /// Random factors: exact.
    Monarch,
}

/// Sizes of Y = W·X with W of two block-diagonal factors. See the family's documentation for the letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Columns of W.
    pub n_in: usize,
    /// Rows of W.
    pub n_out: usize,
    /// Blocks along each side of W.
    pub nblocks: usize,
    /// Rank of each block.
    pub rank: usize,
    /// Columns of X.
    pub batch: usize,
    /// Where W comes from.
    pub source: Source,
}

/// Bytes above which sizes are a mistake: more than any machine's address space would like.
const MOST_BYTES: f64 = 64.0 * (1u64 << 40) as f64;

impl Sizes {
    /// From a problem with all its axes.
    #[must_use]
    pub fn of(problem: &Problem) -> Self {
        let axes = &problem.axes;
        let source = match axes.text("source") {
            "gaussian" => Source::Gaussian,
            "spectrum" => Source::Spectrum,
            _ => Source::Monarch,
        };
        let [n_in, n_out, nblocks, rank, batch] = ["n_in", "n_out", "nblocks", "rank", "batch"].map(|name| axes.size(name));
        Self { n_in, n_out, nblocks, rank, batch, source }
    }

    /// Columns of a block of W (p).
    #[must_use]
    pub fn block_in(&self) -> usize {
        self.n_in / self.nblocks
    }

    /// Rows of a block of W (s).
    #[must_use]
    pub fn block_out(&self) -> usize {
        self.n_out / self.nblocks
    }

    /// Products of the first factor: one per column of blocks and rank.
    #[must_use]
    pub fn outer(&self) -> usize {
        self.nblocks * self.rank
    }

    /// The loop it is.
    #[must_use]
    pub fn shape(&self) -> Shape {
        Shape {
            outer: self.outer(),
            inner: self.nblocks,
            depth: self.block_in(),
            rows: self.block_out(),
            input: Rows { share: self.rank, block_step: self.block_in(), step: 1 },
            output: Rows { share: 1, block_step: 1, step: self.nblocks },
        }
    }

    /// Whether they make an operator.
    ///
    /// # Errors
    /// [`Misfit`] naming the size, its value and what would do.
    pub fn check(&self) -> Result<(), Misfit> {
        for (name, n) in [("n_in", self.n_in), ("n_out", self.n_out)] {
            if !n.is_multiple_of(self.nblocks) {
                return Err(Misfit::new(format!("`nblocks={}` does not divide `{name}={n}`{}", self.nblocks, dividing(n))));
            }
        }
        let most = self.block_in().min(self.block_out());
        if self.rank > most {
            let block = (self.block_out(), self.block_in());
            return Err(Misfit::new(format!(
                "`rank={}` is above {most}, the rank of a {} x {} block",
                self.rank, block.0, block.1
            )));
        }
        #[allow(clippy::cast_precision_loss)] // an order of magnitude
        let bytes = 8.0 * (self.n_in.max(self.n_out) as f64) * (self.n_in.max(self.batch) as f64);
        if bytes > MOST_BYTES {
            return Err(Misfit::new(format!("`n_in={} n_out={} batch={}` exceeds 64 TiB", self.n_in, self.n_out, self.batch)));
        }
        Ok(())
    }
}

fn dividing(n: usize) -> String {
    let divisors = divisors(n);
    match divisors.as_slice() {
        [1, _] => format!(", which is prime: only 1 and {n} do"),
        _ => format!("; {} do", divisors.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")),
    }
}

fn divisors(n: usize) -> Vec<usize> {
    (1..=n).filter(|d| n.is_multiple_of(*d)).collect()
}

/// The number of blocks that makes the most even factors: the common divisor of both sizes nearest to √n_in, the smaller one of two.
#[must_use]
pub fn natural_blocks(n_in: u64, n_out: u64) -> u64 {
    let common = |d: &u64| n_in.is_multiple_of(*d) && n_out.is_multiple_of(*d);
    (1..=n_in.min(n_out)).filter(common).min_by_key(|&d| d.max(n_in / d)).unwrap_or(1)
}
