//! The blocks of one stage, packed for a micro-kernel.

use crate::devices::cpu::micro::{Kernels, MicroKernel, Real, RunKernel};

/// Whether the products of a stage have a block each or share one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Blocks {
    /// As many as there are products.
    Each(usize),
    /// One for all.
    Shared,
}

/// Blocks of `rows × depth`, each cut into panels of a few rows in which the rows of one depth are adjacent.
#[derive(Debug)]
pub(super) struct Panels<T: Real> {
    /// The cut, the same for every block.
    pub(super) tiles: Vec<RowTile<T>>,
    pub(super) depth: usize,
    blocks: Blocks,
    packed: Vec<T>,
}

/// Some rows of a block.
#[derive(Clone, Copy, Debug)]
pub(super) struct RowTile<T> {
    pub(super) row: usize,
    pub(super) rows: usize,
    pub(super) call: MicroKernel<T>,
    pub(super) run: RunKernel<T>,
}

impl<T: Real> Panels<T> {
    /// Packs `weight(block, row, depth)`. No tile has more than `most` rows, and their row counts differ by one at most: 32 rows at 6 a tile are
    /// 6 6 5 5 5 5, since a last tile of 2 would leave the multipliers idle.
    pub(super) fn pack(
        kernels: &Kernels<T>,
        (most, width): (usize, usize),
        (rows, depth): (usize, usize),
        blocks: Blocks,
        weight: impl Fn(usize, usize, usize) -> T,
    ) -> Option<Self> {
        let tiles = cut(rows, most)
            .into_iter()
            .map(|(row, rows)| Some(RowTile { row, rows, call: kernels.get(rows, width)?, run: kernels.get_run(rows, width)? }))
            .collect::<Option<Vec<_>>>()?;
        let count = match blocks {
            Blocks::Each(count) => count,
            Blocks::Shared => 1,
        };
        let mut packed = Vec::with_capacity(count * rows * depth);
        for block in 0..count {
            for tile in &tiles {
                for d in 0..depth {
                    packed.extend((tile.row..tile.row + tile.rows).map(|row| weight(block, row, d)));
                }
            }
        }
        Some(Self { tiles, depth, blocks, packed })
    }

    /// The panels of `block`, tile after tile; a tile's starts at `tile.row · depth`.
    pub(super) fn block(&self, block: usize) -> &[T] {
        let len = self.tiles.last().map_or(0, |tile| tile.row + tile.rows) * self.depth;
        match self.blocks {
            Blocks::Each(_) => &self.packed[block * len..][..len],
            Blocks::Shared => &self.packed[..len],
        }
    }
}

/// (first row, rows) of as few tiles as `most` rows allow, as even as can be.
fn cut(rows: usize, most: usize) -> Vec<(usize, usize)> {
    let tiles = rows.div_ceil(most.max(1));
    (0..tiles).map(|t| (t * rows / tiles, (t + 1) * rows / tiles)).map(|(start, end)| (start, end - start)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::cpu::micro::Isa;

    #[test]
    fn tiles_cover_all_rows_and_are_even() {
        for (rows, most, expected) in [
            (32, 6, vec![5, 5, 6, 5, 5, 6]),
            (6, 6, vec![6]),
            (7, 6, vec![3, 4]),
            (1, 6, vec![1]),
            (5, 1, vec![1; 5]),
            (13, 6, vec![4, 4, 5]),
        ] {
            let tiles = cut(rows, most);
            assert_eq!(tiles.iter().map(|&(_, n)| n).collect::<Vec<_>>(), expected, "{rows} rows by {most}");
            assert!(tiles.windows(2).all(|w| w[0].0 + w[0].1 == w[1].0));
        }
    }

    #[test]
    fn a_panel_holds_the_rows_of_one_depth_side_by_side() {
        let kernels = f64::kernels(Isa::Portable).expect("everywhere");
        let weight = |b: usize, i: usize, d: usize| f64::from(u32::try_from(100 * b + 10 * i + d).expect("small"));
        let panels = Panels::pack(kernels, (2, 4), (3, 2), Blocks::Each(2), weight).expect("these shapes exist");
        assert_eq!(panels.block(1), [100.0, 101.0, 110.0, 120.0, 111.0, 121.0]);
        let shared = Panels::pack(kernels, (2, 4), (3, 2), Blocks::Shared, weight).expect("these shapes exist");
        assert_eq!(shared.block(7), panels.block(0));
        assert!(Panels::pack(kernels, (2, 5), (3, 2), Blocks::Shared, weight).is_none(), "no kernel is 5 wide");
    }
}
