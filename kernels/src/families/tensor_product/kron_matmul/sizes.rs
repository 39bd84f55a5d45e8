//! Sizes of a Kronecker product.

use crate::devices::cpu::chain::{Rows, Shape};
use crate::{Misfit, Problem};

/// Which factor is applied first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// K2, whose index runs fastest.
    InnerFirst,
    /// K1.
    OuterFirst,
}

/// Sizes of Y = (K1 ⊗ K2)·X.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sizes {
    /// Rows of K1.
    pub m1: usize,
    /// Columns of K1.
    pub n1: usize,
    /// Rows of K2.
    pub m2: usize,
    /// Columns of K2.
    pub n2: usize,
    /// Columns of X.
    pub batch: usize,
}

/// Elements above which sizes are a mistake: 64 TiB of f64.
const MOST_ELEMENTS: f64 = (8u64 << 40) as f64;

impl Sizes {
    /// From a problem with all its axes.
    #[must_use]
    pub fn of(problem: &Problem) -> Self {
        let [m1, n1, m2, n2, batch] = ["m1", "n1", "m2", "n2", "batch"].map(|name| problem.axes.size(name));
        Self { m1, n1, m2, n2, batch }
    }

    /// Multiply-adds per column.
    #[must_use]
    pub fn products(&self, order: Order) -> usize {
        match order {
            Order::InnerFirst => self.n1 * self.m2 * (self.n2 + self.m1),
            Order::OuterFirst => self.n2 * self.m1 * (self.n1 + self.m2),
        }
    }

    /// The order with fewer multiply-adds; [`Order::OuterFirst`] where they are equal, since its second stage writes rows of Y that lie together.
    #[must_use]
    pub fn cheaper(&self) -> Order {
        if self.products(Order::InnerFirst) < self.products(Order::OuterFirst) { Order::InnerFirst } else { Order::OuterFirst }
    }

    /// The loop it is.
    #[must_use]
    pub fn shape(&self, order: Order) -> Shape {
        match order {
            Order::InnerFirst => Shape {
                outer: self.n1,
                inner: self.m2,
                depth: self.n2,
                rows: self.m1,
                input: Rows { share: 1, block_step: self.n2, step: 1 },
                output: Rows { share: 1, block_step: 1, step: self.m2 },
            },
            Order::OuterFirst => Shape {
                outer: self.n2,
                inner: self.m1,
                depth: self.n1,
                rows: self.m2,
                input: Rows { share: 1, block_step: 1, step: self.n2 },
                output: Rows { share: 1, block_step: self.m2, step: 1 },
            },
        }
    }

    /// Whether they make a problem that any machine could hold.
    ///
    /// # Errors
    /// [`Misfit`] naming the sizes and the limit.
    pub fn check(&self) -> Result<(), Misfit> {
        #[allow(clippy::cast_precision_loss)] // an order of magnitude
        let elements = [self.m1.max(self.n1), self.m2.max(self.n2), self.batch].map(|n| n as f64).iter().product::<f64>();
        if elements > MOST_ELEMENTS {
            let Self { m1, n1, m2, n2, batch } = self;
            return Err(Misfit::new(format!("`m1={m1} n1={n1} m2={m2} n2={n2} batch={batch}` exceeds 64 TiB")));
        }
        Ok(())
    }
}
