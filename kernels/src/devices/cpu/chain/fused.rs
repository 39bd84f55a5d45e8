//! Strip by strip, with the permutation folded into strides.

use std::ops::Range;

use super::{Chain, Target};
use crate::devices::cpu::micro::{PanelRun, Real, Strided, Tile, pack, packed_len, prefetch_far};

/// Elements of scratch that a strip of `columns` takes: X of one product, and Z.
pub(super) fn scratch(shape: &super::Shape, width: usize, pitch: usize, columns: usize) -> usize {
    columns.div_ceil(width) * (shape.depth * width + shape.inner * pitch)
}

/// Most panels of columns per call of a micro-kernel in the first stage: more spare calls, fewer spread the reading of X finer.
const MOST_PANELS: usize = 4;
/// Bytes of packed X that the panels of a call take: three eighths of the smallest first-level cache.
const CALL_BYTES: usize = 12 << 10;
/// An X above this does not stay in a core's share of the last-level cache: its lines are asked for one product ahead, which gains a fifth there and costs 3 %
/// where X is near (n = 1024, Zen 2).
const NEAR_BYTES: usize = 2 << 20;
/// Bytes of a cache line.
const LINE: usize = 64;

/// X as one product reads it: row 0 in the strip's columns, and elements to the next row.
#[derive(Clone, Copy)]
struct Source<T> {
    start: *const T,
    step: usize,
    depth: usize,
}

impl<T: Real> Source<T> {
    /// Asks for `rows`, as far as there are that many, in `columns` of the strip.
    fn ask_for(self, rows: Range<usize>, columns: &Range<usize>) {
        for row in rows.start..rows.end.min(self.depth) {
            let row = self.start.wrapping_add(row * self.step + columns.start);
            (0..columns.len()).step_by(LINE / size_of::<T>()).for_each(|at| prefetch_far(row.wrapping_add(at)));
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
        let pitch = Self::pitch(&self.shape, self.width);
        let (inputs, z) = scratch.split_at_mut(columns.len().div_ceil(self.width) * self.shape.depth * self.width);
        let source = |o: usize| {
            let new = o < self.shape.outer && o.is_multiple_of(self.shape.input.share);
            new.then(|| self.source((x, x_ld), o, &columns))
        };
        for o in 0..self.shape.outer {
            let next = if size_of_val(x) > NEAR_BYTES { source(o + 1) } else { None };
            // SAFETY: X is packed, or its source is at hand, and Z has `inner` rows of `pitch` per panel.
            unsafe { self.first_product(o, (source(o), next), (inputs, columns.len()), (z, pitch)) };
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
        let source = self.source((x, x_ld), o, columns);
        assert!(packed_len(columns.len(), depth, self.width, self.width) <= inputs.len(), "scratch has room for the panels");
        let rows = Strided { start: source.start, lane: 1, depth: source.step };
        // SAFETY: both ends were just checked, and a mutable slice overlaps nothing.
        unsafe { pack(rows, (columns.len(), depth), (self.width, self.width), inputs.as_mut_ptr()) };
    }

    /// What product `o` reads; all `depth` rows are in X.
    fn source(&self, (x, x_ld): (&[T], usize), o: usize, columns: &Range<usize>) -> Source<T> {
        let (input, depth) = (self.shape.input, self.shape.depth);
        let (first, step) = (input.at(o, 0) * x_ld + columns.start, input.step * x_ld);
        let last = first + depth.saturating_sub(1) * step + columns.len();
        Source { start: x[first..last].as_ptr(), step, depth }
    }

    /// `Z[·, o]` of every panel. Where X is new (`source`), the first rows of the block read it in place and pack it for the others; meanwhile `next`, what the
    /// next product will read, is asked for where given.
    unsafe fn first_product(
        &self,
        o: usize,
        (source, next): (Option<Source<T>>, Option<Source<T>>),
        (inputs, columns): (&mut [T], usize),
        (z, pitch): (&mut [T], usize),
    ) {
        let block = self.first.block(o);
        let (width, depth) = (self.width, self.shape.depth);
        let (tiles, input_step, z_step) = (self.first.tiles.len(), depth * width, self.shape.inner * pitch);
        let whole = columns / width;
        // Rows of X asked for beside each tile.
        let asked = depth.div_ceil(tiles.max(1));
        if let (Some(source), true) = (source, whole * width < columns) {
            // Read in place, a panel that is not whole would end beyond its row.
            let rows = Strided { start: source.start.wrapping_add(whole * width), lane: 1, depth: source.step };
            let to = inputs[whole * input_step..].as_mut_ptr();
            // SAFETY: the columns are in X, and `inputs` has every panel.
            unsafe { pack(rows, (columns - whole * width, depth), (width, width), to) };
        }
        let at_once = (CALL_BYTES / (input_step * size_of::<T>()).max(1)).clamp(1, MOST_PANELS);
        let groups = (0..whole).step_by(at_once).map(|first| first..whole.min(first + at_once));
        let cut = whole..columns.div_ceil(width);
        for group in groups.chain([cut]).filter(|group| !group.is_empty()) {
            let z = &mut z[group.start * z_step..group.end * z_step];
            let packed = inputs[group.start * input_step..].as_mut_ptr();
            for (part, tile) in self.first.tiles.iter().enumerate() {
                if let Some(next) = next {
                    next.ask_for(part * asked..(part + 1) * asked, &(group.start * width..columns.min(group.end * width)));
                }
                let in_place = source.filter(|_| part == 0 && group.end <= whole);
                let (b, b_step, panel_step, to) = match in_place {
                    Some(x) => (x.start.wrapping_add(group.start * width), x.step, width, packed),
                    None => (packed.cast_const(), width, input_step, std::ptr::null_mut()),
                };
                let d = z[tile.row * pitch + o * width..].as_mut_ptr();
                let call = Tile {
                    k: depth,
                    a: block[tile.row * depth..].as_ptr(),
                    a_step: tile.rows,
                    b,
                    b_step,
                    alpha: T::ONE,
                    beta: T::ZERO,
                    c: d,
                    c_ld: pitch,
                    d,
                    d_ld: pitch,
                    cols: width,
                };
                let run = PanelRun { count: group.len(), b_step: panel_step, d_step: z_step, packed: to };
                // SAFETY: the panel of A has `rows` per depth, those of X `width` (whole ones in place too), and rows `tile.row ..` of Z are there for each.
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
            let run = PanelRun {
                count: columns.len().div_ceil(self.width),
                b_step: self.shape.inner * pitch,
                d_step: self.width,
                packed: std::ptr::null_mut(),
            };
            // SAFETY: every panel of Z has `outer` rows of `width` from here, Y `tile.rows` rows of these columns.
            unsafe { (tile.run)(&call, run) };
        }
    }
}
