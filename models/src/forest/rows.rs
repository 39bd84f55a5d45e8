//! Which rows each tree draws. Drawn from the tree's own stream, so out-of-bag rows can be found again without storing them.

use super::params::Sampling;
use crate::rng::Rng;

/// The sample of one tree.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Draws {
    /// Every one of so many rows, once.
    Every(usize),
    /// How often each row was drawn.
    Counted(Vec<u32>),
}

/// The rows drawn by tree number `tree` of the forest with `seed`.
pub(crate) fn draw(sampling: Sampling, rows: usize, seed: u64, tree: u64) -> Draws {
    match sampling {
        Sampling::Every => Draws::Every(rows),
        Sampling::Bootstrap => {
            let mut rng = Rng::new(seed, 2 * tree);
            let mut counts = vec![0; rows];
            (0..rows).for_each(|_| counts[rng.below(rows)] += 1);
            Draws::Counted(counts)
        }
    }
}
