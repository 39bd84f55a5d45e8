//! Strip by strip, with the permutation folded into strides.

use std::ops::Range;

use super::{Chain, Target};
use crate::devices::cpu::micro::{PanelRun, Real, Strided, Tile, pack, pack_steps, packed_len, prefetch_far};

/// Elements of scratch that a strip of `columns` takes: its X of this product and of the next, and its Z.
pub(super) fn scratch(shape: &super::Shape, width: usize, pitch: usize, columns: usize) -> usize {
    columns.div_ceil(width) * (2 * shape.depth * width + shape.inner * pitch)
}

/// Most panels of columns per call of a micro-kernel in the first stage: more spare calls, fewer spread the packing of X finer between them. Of 1, 2, 4
/// and 8 the fastest, by 1–4 %, at n = 1024 on Zen 2.
const MOST_PANELS: usize = 4;
/// Bytes of X that the panels of a call take, packed and being packed: three quarters of the smallest first-level cache.
const CALL_BYTES: usize = 24 << 10;
/// An X above this does not stay in a core's share of the last-level cache.
const NEAR_BYTES: usize = 2 << 20;
/// Bytes of a cache line.
const LINE: usize = 64;

/// The panels of X of the next product, packed bit by bit between the micro-kernels of this one: out-of-order execution then hides most of the copying,
/// which costs 12 % of a strip when done on its own (n = 1024, Zen 2).
struct Next<'a, T> {
    /// Row 0 of X, and elements to the next; none where the panels at hand serve again.
    rows: Option<(*const T, usize)>,
    depth: usize,
    columns: usize,
    width: usize,
    /// Whether lines are to be asked for one part ahead. Where X is near that costs more than it gains.
    far: bool,
    to: &'a mut [T],
}

impl<T: Real> Next<'_, T> {
    /// Asks for the part after this one: the rows from `next` on of these columns, or the first rows of the columns after them.
    fn ask_for(&self, (next, rows): (usize, usize), columns: Range<usize>, (start, step): (*const T, usize)) {
        let (row, column) = if next < self.depth { (next, columns.start) } else { (0, columns.end) };
        for row in row..row + rows {
            let row = start.wrapping_add(row * step + column);
            (0..columns.len()).step_by(LINE / size_of::<T>()).for_each(|at| prefetch_far(row.wrapping_add(at)));
        }
    }

    /// Packs part `part` of `parts` of the rows, for `panels`.
    fn pack(&mut self, (part, parts): (usize, usize), panels: Range<usize>) {
        let Some((start, step)) = self.rows else { return };
        let rows = part * self.depth / parts..(part + 1) * self.depth / parts;
        let (first, last) = (panels.start * self.width, self.columns.min(panels.end * self.width));
        let from = (start.wrapping_add(first + rows.start * step), step);
        let panel_step = self.depth * self.width;
        let to = self.to[panels.start * panel_step + rows.start * self.width..panels.end * panel_step].as_mut_ptr();
        if self.far {
            self.ask_for((rows.end, rows.len()), first..last, (start, step));
        }
        // SAFETY: `Chain::next` checked that X has `depth` rows of `columns`, and `to` has all of these panels.
        unsafe { pack_steps(from, (last - first, rows.len()), (self.width, panel_step), to) };
    }
}

impl<T: Real> Chain<T> {
    /// Both stages for `columns` of `x` (row-major, `x_ld`), into the same columns of `y`.
    ///
    /// # Safety
    /// `x` holds every row that `shape.input` names and `y` every row that `shape.output` names, both with `columns`; no one else uses these
    /// columns of `y`. `scratch` has [`scratch`] elements for the strip.
    pub(super) unsafe fn fused(&self, (x, x_ld): (&[T], usize), y: Target<T>, columns: Range<usize>, scratch: &mut [T]) {
        let pitch = Self::pitch(&self.shape, self.width);
        let len = columns.len().div_ceil(self.width) * self.shape.depth * self.width;
        let (inputs, z) = scratch.split_at_mut(2 * len);
        let (mut inputs, mut next) = inputs.split_at_mut(len);
        // Columns beyond the last of the strip are multiplied too, and dropped: as zeros they are never slow (denormal) numbers.
        next.fill(T::ZERO);
        self.gather((x, x_ld), 0, &columns, inputs);
        for o in 0..self.shape.outer {
            let ahead = self.next((x, x_ld), o + 1, &columns, next);
            let swap = ahead.rows.is_some();
            // SAFETY: the panels of X are packed, and Z has `inner` rows of `pitch` per panel.
            unsafe { self.first_product(o, inputs, (z, pitch), ahead) };
            if swap {
                std::mem::swap(&mut inputs, &mut next);
            }
        }
        for i in 0..self.shape.inner {
            // SAFETY: Z is complete, and the columns of `y` are the caller's.
            unsafe { self.second_product(i, (z, pitch), y, &columns) };
        }
    }

    /// Packs what product `o` reads into panels of `width` columns, zeros beyond the last column: contiguous, since rows of a large power-of-two
    /// leading dimension all fall into the same few cache sets.
    pub(super) fn gather(&self, (x, x_ld): (&[T], usize), o: usize, columns: &Range<usize>, inputs: &mut [T]) {
        let depth = self.shape.depth;
        let rows = self.rows((x, x_ld), o, columns);
        assert!(packed_len(columns.len(), depth, self.width, self.width) <= inputs.len(), "scratch has room for the panels");
        let rows = Strided { start: rows.0, lane: 1, depth: rows.1 };
        // SAFETY: both ends were just checked, and a mutable slice overlaps nothing.
        unsafe { pack(rows, (columns.len(), depth), (self.width, self.width), inputs.as_mut_ptr()) };
    }

    /// Row 0 of what product `o` reads, and elements to the next; all `depth` rows are in X.
    fn rows(&self, (x, x_ld): (&[T], usize), o: usize, columns: &Range<usize>) -> (*const T, usize) {
        let (input, depth) = (self.shape.input, self.shape.depth);
        let (first, step) = (input.at(o, 0) * x_ld + columns.start, input.step * x_ld);
        let last = first + depth.saturating_sub(1) * step + columns.len();
        (x[first..last].as_ptr(), step)
    }

    /// What product `o` will read, where it is not what is at hand.
    fn next<'a>(&self, x: (&[T], usize), o: usize, columns: &Range<usize>, to: &'a mut [T]) -> Next<'a, T> {
        let new = o < self.shape.outer && o.is_multiple_of(self.shape.input.share);
        let rows = new.then(|| self.rows(x, o, columns));
        Next { rows, depth: self.shape.depth, columns: columns.len(), width: self.width, far: size_of_val(x.0) > NEAR_BYTES, to }
    }

    /// `Z[·, o]` of every panel.
    unsafe fn first_product(&self, o: usize, inputs: &[T], (z, pitch): (&mut [T], usize), mut next: Next<'_, T>) {
        let block = self.first.block(o);
        let (tiles, input_step, z_step) = (self.first.tiles.len(), self.shape.depth * self.width, self.shape.inner * pitch);
        let panels = inputs.len() / input_step;
        let at_once = (CALL_BYTES / (2 * input_step * size_of::<T>())).clamp(1, MOST_PANELS);
        for first in (0..panels).step_by(at_once) {
            let group = first..panels.min(first + at_once);
            let (input, z) = (&inputs[first * input_step..], &mut z[first * z_step..group.end * z_step]);
            for (part, tile) in self.first.tiles.iter().enumerate() {
                next.pack((part, tiles), group.clone());
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
                let run = PanelRun { count: group.len(), b_step: input_step, d_step: z_step };
                // SAFETY: the panel of A has `rows` per depth, those of X `width`, and rows `tile.row ..` of Z are there for each.
                unsafe { (tile.run)(&call, run) };
            }
        }
    }

    /// Rows `output(i, ·)` of Y. Panels run fastest: rows of Y that a large power of two separates share a few cache sets, and a line that two
    /// panels write must not be driven out between them.
    unsafe fn second_product(&self, i: usize, (z, pitch): (&[T], usize), y: Target<T>, columns: &Range<usize>) {
        let block = self.second.block(i);
        let d_ld = self.shape.output.step * y.ld;
        for tile in &self.second.tiles {
            let row = self.shape.output.at(i, tile.row);
            // SAFETY: the row and the column are in Y.
            let d = unsafe { y.at(row, columns.start) };
            let call = Tile {
                k: self.shape.outer,
                a: block[tile.row * self.shape.outer..].as_ptr(),
                a_step: tile.rows,
                b: z[i * pitch..].as_ptr(),
                b_step: self.width,
                alpha: T::ONE,
                beta: T::ZERO,
                c: d,
                c_ld: d_ld,
                d,
                d_ld,
                cols: (columns.len() - 1) % self.width + 1,
            };
            let run =
                PanelRun { count: columns.len().div_ceil(self.width), b_step: self.shape.inner * pitch, d_step: self.width };
            // SAFETY: every panel of Z has `outer` rows of `width` from here, Y `tile.rows` rows of these columns.
            unsafe { (tile.run)(&call, run) };
        }
    }
}
