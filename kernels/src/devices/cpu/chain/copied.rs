//! Stage by stage over the whole batch, with copies for the permutations.

use std::ops::Range;

use super::{Chain, Shape, Target};
use crate::devices::cpu::micro::{Real, Tile};

/// Elements of scratch that `columns` take: X of one product, Z in both orders, Y in the order of the products.
pub(super) fn scratch(shape: &Shape, width: usize, columns: usize) -> usize {
    let ld = columns.next_multiple_of(width);
    ld * (shape.depth + 2 * shape.outer * shape.inner + shape.inner * shape.rows)
}

/// Several products of one stage: what they read and where they write, rows of `ld`.
struct Stretch<'a, T> {
    from: &'a [T],
    to: &'a mut [T],
    /// From one row of `from` to the next, and from one panel of columns to the next.
    from_ld: usize,
    from_panel: usize,
}

impl<T: Real> Chain<T> {
    /// Both stages for `columns`, as [`Chain::fused`].
    ///
    /// # Safety
    /// As [`Chain::fused`], with the scratch of this module.
    pub(super) unsafe fn copied(&self, x: (&[T], usize), y: Target<T>, columns: Range<usize>, scratch: &mut [T]) {
        let Shape { outer, inner, depth, rows, .. } = self.shape;
        let ld = columns.len().next_multiple_of(self.width);
        let (inputs, rest) = scratch.split_at_mut(depth * ld);
        let (by_outer, rest) = rest.split_at_mut(outer * inner * ld);
        let (by_inner, by_product) = rest.split_at_mut(outer * inner * ld);
        for o in 0..outer {
            if o.is_multiple_of(self.shape.input.share) {
                self.gather(x, o, &columns, inputs);
            }
            let to = &mut by_outer[o * inner * ld..(o + 1) * inner * ld];
            let stretch = Stretch { from: inputs, to, from_ld: self.width, from_panel: depth * self.width };
            // SAFETY: `inputs` and `to` have `ld` columns; the instruction set was checked when the weights were packed.
            unsafe { products(&self.first, o, stretch, (self.width, ld)) };
        }
        transpose(by_outer, by_inner, (outer, inner), ld);
        for i in 0..inner {
            let from = &by_inner[i * outer * ld..(i + 1) * outer * ld];
            let to = &mut by_product[i * rows * ld..(i + 1) * rows * ld];
            let stretch = Stretch { from, to, from_ld: ld, from_panel: self.width };
            // SAFETY: as above.
            unsafe { products(&self.second, i, stretch, (self.width, ld)) };
        }
        for (product, row) in by_product.chunks_exact(ld).take(inner * rows).enumerate() {
            let to = self.shape.output.at(product / rows, product % rows);
            // SAFETY: the row is one of Y's and these columns are the caller's.
            let to = unsafe { std::slice::from_raw_parts_mut(y.at(to, columns.start), columns.len()) };
            to.copy_from_slice(&row[..columns.len()]);
        }
    }
}

/// Rows (o, i) to rows (i, o).
fn transpose<T: Copy>(from: &[T], to: &mut [T], (outer, inner): (usize, usize), ld: usize) {
    for (i, to) in to.chunks_exact_mut(outer * ld).enumerate().take(inner) {
        for (o, to) in to.chunks_exact_mut(ld).enumerate() {
            to.copy_from_slice(&from[(o * inner + i) * ld..][..ld]);
        }
    }
}

/// One block times all panels of columns.
unsafe fn products<T: Real>(panels: &super::Panels<T>, block: usize, stretch: Stretch<'_, T>, (width, ld): (usize, usize)) {
    let a = panels.block(block);
    for panel in 0..ld / width {
        for tile in &panels.tiles {
            let d = stretch.to[tile.row * ld + panel * width..].as_mut_ptr();
            let call = Tile {
                k: panels.depth,
                a: a[tile.row * panels.depth..].as_ptr(),
                a_step: tile.rows,
                b: stretch.from[panel * stretch.from_panel..].as_ptr(),
                b_step: stretch.from_ld,
                alpha: T::ONE,
                beta: T::ZERO,
                c: d,
                c_ld: ld,
                d,
                d_ld: ld,
                cols: width,
            };
            // SAFETY: `from` has `depth` rows of `width` from here, `to` `tile.rows` rows; A is a packed panel.
            unsafe { (tile.call)(&call) };
        }
    }
}
