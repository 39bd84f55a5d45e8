//! Strip by strip, with the permutation folded into strides.

use std::ops::Range;

use super::{Chain, Target};
use crate::devices::cpu::micro::{Real, Tile, prefetch};

/// Bytes of a cache line.
const LINE: usize = 64;

/// Elements of scratch that a strip of `columns` takes: its X of one product, and its Z.
pub(super) fn scratch(shape: &super::Shape, width: usize, pitch: usize, columns: usize) -> usize {
    columns.div_ceil(width) * (shape.depth * width + shape.inner * pitch)
}

/// Lines of some rows that will be read soon.
struct Ahead<T> {
    row: *const T,
    row_step: usize,
    /// Rows that are left.
    rows: usize,
    /// Next line of this row, and lines per row.
    line: usize,
    lines: usize,
    per_line: usize,
}

impl<T> Ahead<T> {
    #[inline(always)]
    fn ask_for(&mut self, lines: usize) {
        for _ in 0..lines {
            if self.rows == 0 {
                return;
            }
            prefetch(self.row.wrapping_add(self.line * self.per_line));
            self.line += 1;
            if self.line == self.lines {
                (self.line, self.rows, self.row) = (0, self.rows - 1, self.row.wrapping_add(self.row_step));
            }
        }
    }
}

impl<T: Real> Chain<T> {
    /// Both stages for `columns` of `x` (row-major, `x_ld`), into the same columns of `y`.
    ///
    /// # Safety
    /// `x` holds every row that `shape.input` names and `y` every row that `shape.output` names, both with `columns`; no one else uses these
    /// columns of `y`. `scratch` has [`scratch`] elements for the strip.
    pub(super) unsafe fn fused(&self, (x, x_ld): (&[T], usize), y: Target<T>, columns: Range<usize>, scratch: &mut [T]) {
        let panels = columns.len().div_ceil(self.width);
        let pitch = Self::pitch(&self.shape, self.width);
        let (inputs, z) = scratch.split_at_mut(panels * self.shape.depth * self.width);
        for o in 0..self.shape.outer {
            if o.is_multiple_of(self.shape.input.share) {
                self.gather((x, x_ld), o, &columns, inputs);
            }
            let ahead = self.ahead((x, x_ld), o + 1, &columns);
            // SAFETY: the panels of X were just gathered, and Z has `inner` rows of `pitch` per panel.
            unsafe { self.first_product(o, inputs, (z, pitch), ahead) };
        }
        for i in 0..self.shape.inner {
            let z = z.chunks_exact(self.shape.inner * pitch).take(panels).map(|panel| &panel[i * pitch..]);
            // SAFETY: Z is complete, and the columns of `y` are the caller's.
            unsafe { self.second_product(i, z, y, &columns) };
        }
    }

    /// Copies what product `o` reads into panels of `width` columns, zeros beyond the last column: contiguous, since rows of a large power-of-two
    /// leading dimension all fall into the same few cache sets.
    pub(super) fn gather(&self, (x, x_ld): (&[T], usize), o: usize, columns: &Range<usize>, inputs: &mut [T]) {
        let panel_len = self.shape.depth * self.width;
        for d in 0..self.shape.depth {
            let row = &x[self.shape.input.at(o, d) * x_ld..][columns.clone()];
            let mut parts = row.chunks_exact(self.width);
            let mut at = d * self.width;
            for part in &mut parts {
                inputs[at..at + self.width].copy_from_slice(part);
                at += panel_len;
            }
            let rest = parts.remainder();
            if !rest.is_empty() {
                inputs[at..at + rest.len()].copy_from_slice(rest);
                inputs[at + rest.len()..at + self.width].fill(T::ZERO);
            }
        }
    }

    /// The lines of X that product `o` will gather, where they are not those at hand.
    fn ahead(&self, (x, x_ld): (&[T], usize), o: usize, columns: &Range<usize>) -> Ahead<T> {
        let (input, per_line) = (self.shape.input, LINE / size_of::<T>());
        let rows = if o < self.shape.outer && o.is_multiple_of(input.share) { self.shape.depth } else { 0 };
        let start = x.as_ptr().wrapping_add(input.at(o, 0) * x_ld + columns.start);
        Ahead { row: start, row_step: input.step * x_ld, rows, line: 0, lines: columns.len().div_ceil(per_line), per_line }
    }

    /// `Z[·, o]` of every panel. Between micro-kernels some lines `ahead` are asked for: gathering them would else wait for memory, since strided
    /// rows are no stream that a hardware prefetcher follows.
    unsafe fn first_product(&self, o: usize, inputs: &[T], (z, pitch): (&mut [T], usize), mut ahead: Ahead<T>) {
        let block = self.first.block(o);
        let lines = (self.shape.depth * self.width * size_of::<T>() / LINE).div_ceil(self.first.tiles.len());
        let z_panels = z.chunks_exact_mut(self.shape.inner * pitch);
        for (input, z) in inputs.chunks_exact(self.shape.depth * self.width).zip(z_panels) {
            for tile in &self.first.tiles {
                ahead.ask_for(lines);
                let d = z[tile.row * pitch + o * self.width..].as_mut_ptr();
                let call = Tile {
                    k: self.shape.depth,
                    a: block[tile.row * self.shape.depth..].as_ptr(),
                    a_step: tile.rows,
                    b: input.as_ptr(),
                    b_step: self.width,
                    alpha: T::ONE,
                    beta: T::ZERO,
                    c: d,
                    c_ld: pitch,
                    d,
                    d_ld: pitch,
                    cols: self.width,
                };
                // SAFETY: the panel of A has `rows` per depth, the panel of X `width`, and rows `tile.row ..` of Z are there.
                unsafe { (tile.call)(&call) };
            }
        }
    }

    /// Rows `output(i, ·)` of Y. Panels run fastest: rows of Y that a large power of two separates share a few cache sets, and a line that two
    /// panels write must not be driven out between them.
    unsafe fn second_product<'a>(&self, i: usize, z: impl Iterator<Item = &'a [T]> + Clone, y: Target<T>, columns: &Range<usize>)
    where
        T: 'a,
    {
        let block = self.second.block(i);
        let d_ld = self.shape.output.step * y.ld;
        for tile in &self.second.tiles {
            let row = self.shape.output.at(i, tile.row);
            for (z, first) in z.clone().zip(columns.clone().step_by(self.width)) {
                // SAFETY: the row and the column are in Y.
                let d = unsafe { y.at(row, first) };
                let call = Tile {
                    k: self.shape.outer,
                    a: block[tile.row * self.shape.outer..].as_ptr(),
                    a_step: tile.rows,
                    b: z.as_ptr(),
                    b_step: self.width,
                    alpha: T::ONE,
                    beta: T::ZERO,
                    c: d,
                    c_ld: d_ld,
                    d,
                    d_ld,
                    cols: self.width.min(columns.end - first),
                };
                // SAFETY: Z has `outer` rows of `width` from here, Y `tile.rows` rows of these columns.
                unsafe { (tile.call)(&call) };
            }
        }
    }
}
