//! The micro-kernel, once for every vector type, and the tables of its shapes.

use super::vector::{Vector, prefetch};
use super::{Isa, Real};

/// What one micro-kernel call works on: `D[0..MR, 0..cols] = alpha·A·B + beta·C`.
///
/// A is read as `MR` adjacent elements per step of k (`a[p·a_step + i]`), B as `NR` adjacent ones (`b[p·b_step + j]`): packed panels have
/// `a_step = MR` and `b_step = NR`, but a row-major B whose strip is `NR` wide can be read in place.
#[derive(Clone, Copy, Debug)]
pub struct Tile<T> {
    /// Products summed per element.
    pub k: usize,
    /// Panel of A.
    pub a: *const T,
    /// Elements from one step of k to the next in `a`.
    pub a_step: usize,
    /// Panel of B.
    pub b: *const T,
    /// Elements from one step of k to the next in `b`.
    pub b_step: usize,
    /// Factor of the product.
    pub alpha: T,
    /// Factor of C; with 0, C is not read.
    pub beta: T,
    /// C, row-major; may be D itself.
    pub c: *const T,
    /// Leading dimension of C.
    pub c_ld: usize,
    /// D, row-major.
    pub d: *mut T,
    /// Leading dimension of D.
    pub d_ld: usize,
    /// Columns written, at most `NR`.
    pub cols: usize,
}

/// A micro-kernel of a fixed shape.
///
/// # Safety
/// The processor has the instruction set of the table it came from. `a` is readable for `(k − 1)·a_step + MR` elements, `b` for
/// `(k − 1)·b_step + NR` (all `NR` of them, even where `cols` is less), `d` is writable for `MR` rows of `cols`, and so is `c` readable where
/// `beta` is not 0.
pub type MicroKernel<T> = unsafe fn(&Tile<T>);

/// Panels of B that are multiplied by the same A, one after the other. One call for several spares what a call costs beside its multiplications, some 30
/// cycles on Zen 2: much against a depth of 32 (192 cycles), nothing against one of 256.
#[derive(Clone, Copy, Debug)]
pub struct PanelRun<T> {
    /// How many, at least 1.
    pub count: usize,
    /// Elements from one to the next in `b`.
    pub b_step: usize,
    /// Elements from the results of one to those of the next, in `d` and in `c`.
    pub d_step: usize,
    /// Where not null, the panels of B are also written there, packed (`NR` elements per step of k, `k·NR` to the next panel): the call that reads them
    /// first then packs them for those that follow, almost for nothing, since B is in registers and stores are idle meanwhile.
    pub packed: *mut T,
}

/// A micro-kernel over several panels: what a tile says is the first of them, but for `cols`, which is the last one's; all before it write `NR`.
///
/// # Safety
/// As [`MicroKernel`], for every panel; `packed`, unless null, is writable for `count·k·NR` elements that nothing else of the call overlaps.
pub type RunKernel<T> = unsafe fn(&Tile<T>, PanelRun<T>);

/// One shape of a table.
#[derive(Clone, Copy, Debug)]
pub struct Shape<T> {
    /// Rows held in registers.
    pub mr: usize,
    /// Vectors per row held in registers.
    pub nv: usize,
    /// The kernel.
    pub call: MicroKernel<T>,
    /// The kernel over several panels: of its own, since the loop around it costs the other two percent.
    pub run: RunKernel<T>,
}

/// The micro-kernels of one instruction set and element type.
#[derive(Clone, Copy, Debug)]
pub struct Kernels<T: 'static> {
    /// Instruction set.
    pub isa: Isa,
    /// Elements per vector; every `NR` is a multiple of it.
    pub lanes: usize,
    /// Shapes; for each `nv` all row counts from 1 up, so that ragged rows have an exact kernel.
    pub shapes: &'static [Shape<T>],
    /// The shape (`MR`, `NR`) that keeps the multipliers busiest.
    pub best: (usize, usize),
}

impl<T: Real> Kernels<T> {
    /// The kernel of `mr` rows by `nr` columns (elements).
    #[must_use]
    pub fn get(&self, mr: usize, nr: usize) -> Option<MicroKernel<T>> {
        self.shape(mr, nr).map(|shape| shape.call)
    }

    /// The same over several panels.
    #[must_use]
    pub fn get_run(&self, mr: usize, nr: usize) -> Option<RunKernel<T>> {
        self.shape(mr, nr).map(|shape| shape.run)
    }

    /// Both.
    #[must_use]
    pub fn shape(&self, mr: usize, nr: usize) -> Option<&'static Shape<T>> {
        self.shapes.iter().find(|shape| shape.mr == mr && shape.nv * self.lanes == nr)
    }

    /// Every (`MR`, `NR`) there is.
    pub fn sizes(&self) -> impl Iterator<Item = (usize, usize)> + '_ {
        self.shapes.iter().map(|shape| (shape.mr, shape.nv * self.lanes))
    }
}

/// Lists shapes as `vectors => [rows …]`.
macro_rules! shapes {
    ($call:ident $run:ident: $($nv:literal => [$($mr:literal)*]),* $(,)?) => {
        &[$($($crate::devices::cpu::micro::Shape { mr: $mr, nv: $nv, call: $call::<$mr, $nv>, run: $run::<$mr, $nv> },)*)*]
    };
}
pub(super) use shapes;

/// Steps of k per round of the main loop.
const UNROLL: usize = 4;
/// Rows of D asked for beside each such round.
const ASKED: usize = 2;

/// Where one panel is read from and written to; the rest is the tile's.
#[derive(Clone, Copy)]
struct At<T> {
    b: *const T,
    packed: *mut T,
    c: *const T,
    d: *mut T,
    cols: usize,
}

/// The micro-kernel's body.
///
/// # Safety
/// As [`MicroKernel`]; the caller has the instruction set of `V` enabled.
#[inline(always)]
pub(super) unsafe fn multiply<V: Vector<Element: Real>, const MR: usize, const NV: usize>(tile: &Tile<V::Element>) {
    let at = At { b: tile.b, packed: std::ptr::null_mut(), c: tile.c, d: tile.d, cols: tile.cols };
    // SAFETY: the caller's guarantee.
    unsafe { panel::<V, MR, NV, false>(tile, at) };
}

/// [`multiply`] for each panel of a run.
///
/// # Safety
/// As [`RunKernel`]; the caller has the instruction set of `V` enabled.
#[inline(always)]
pub(super) unsafe fn multiply_run<V: Vector<Element: Real>, const MR: usize, const NV: usize>(
    tile: &Tile<V::Element>,
    run: PanelRun<V::Element>,
) {
    // SAFETY: the caller's guarantee.
    unsafe {
        if run.packed.is_null() {
            panels::<V, MR, NV, false>(tile, run);
        } else {
            panels::<V, MR, NV, true>(tile, run);
        }
    }
}

#[inline(always)]
unsafe fn panels<V: Vector<Element: Real>, const MR: usize, const NV: usize, const PACK: bool>(
    tile: &Tile<V::Element>,
    run: PanelRun<V::Element>,
) {
    let width = NV * V::LANES;
    let (mut b, mut packed, mut c, mut d) = (tile.b, run.packed, tile.c, tile.d);
    for left in (0..run.count).rev() {
        let cols = if left == 0 { tile.cols } else { width };
        // SAFETY: the caller's guarantee for this panel.
        unsafe { panel::<V, MR, NV, PACK>(tile, At { b, packed, c, d, cols }) };
        (b, c, d) = (b.wrapping_add(run.b_step), c.wrapping_add(run.d_step), d.wrapping_add(run.d_step));
        packed = packed.wrapping_add(tile.k * width);
    }
}

#[inline(always)]
unsafe fn panel<V: Vector<Element: Real>, const MR: usize, const NV: usize, const PACK: bool>(
    tile: &Tile<V::Element>,
    at: At<V::Element>,
) {
    let mut walk = Walk { a: tile.a, b: at.b, packed: at.packed };
    // SAFETY: pointers stay within what `MicroKernel` demands; `wrapping_add` may form, but never read, one past it.
    unsafe {
        let mut sums = [[V::zero(); NV]; MR];
        // D is wanted at the end. Asked for all at once, its lines would take every line buffer from the panels for as long as the last level takes to answer.
        let last = at.d.wrapping_add((MR - 1) * tile.d_ld);
        let mut row = at.d;
        let mut ask = || {
            prefetch(row);
            prefetch(row.wrapping_add(NV * V::LANES - 1));
            row = if std::ptr::eq(row, last) { last } else { row.wrapping_add(tile.d_ld) };
        };
        let rounds = tile.k / UNROLL;
        (ASKED * rounds..MR).for_each(|_| ask());
        for _ in 0..rounds {
            (0..ASKED).for_each(|_| ask());
            for _ in 0..UNROLL {
                walk.step::<V, MR, NV, PACK>(tile, &mut sums);
            }
        }
        for _ in 0..tile.k % UNROLL {
            walk.step::<V, MR, NV, PACK>(tile, &mut sums);
        }
        if at.cols == NV * V::LANES {
            finish(tile, at, &sums, NV);
        } else {
            // Cut at the right edge: from memory, whole vectors, then what is left.
            let (spilled, whole) = (sums, at.cols / V::LANES);
            finish(tile, at, &spilled, whole);
            finish_ragged(tile, at, (MR, NV * V::LANES), whole * V::LANES, spilled.as_ptr().cast());
        }
    }
}

/// Where a panel's next step of k is read, and packed to.
struct Walk<T> {
    a: *const T,
    b: *const T,
    packed: *mut T,
}

impl<T: Real> Walk<T> {
    #[inline(always)]
    unsafe fn step<V: Vector<Element = T>, const MR: usize, const NV: usize, const PACK: bool>(
        &mut self,
        tile: &Tile<T>,
        sums: &mut [[V; NV]; MR],
    ) {
        // SAFETY: `a` holds `MR` elements, `b` and, where it packs, `packed` `NV` vectors.
        unsafe {
            let mut row = [V::zero(); NV];
            for (v, x) in row.iter_mut().enumerate() {
                *x = V::load(self.b.add(v * V::LANES));
                if PACK {
                    x.store(self.packed.add(v * V::LANES));
                }
            }
            for (i, sums) in sums.iter_mut().enumerate() {
                let x = V::splat(*self.a.add(i));
                for (sum, y) in sums.iter_mut().zip(row) {
                    *sum = x.mul_add(y, *sum);
                }
                if (MR + 1) * NV + 1 >= V::REGISTERS {
                    sums.iter_mut().for_each(|sum| sum.pin());
                }
            }
        }
        self.a = self.a.wrapping_add(tile.a_step);
        self.b = self.b.wrapping_add(tile.b_step);
        self.packed = self.packed.wrapping_add(NV * V::LANES);
    }
}

/// Writes the first `vectors` of every row: a constant where the tile is whole.
#[inline(always)]
unsafe fn finish<V: Vector<Element: Real>, const MR: usize, const NV: usize>(
    tile: &Tile<V::Element>,
    at: At<V::Element>,
    sums: &[[V; NV]; MR],
    vectors: usize,
) {
    // A closure would not have the instruction set of the function around it.
    macro_rules! each {
        (|$sum:ident, $i:ident, $from:ident| $value:expr) => {
            for ($i, sums) in sums.iter().enumerate() {
                for (v, $sum) in sums.iter().take(vectors).enumerate() {
                    let $from = v * V::LANES;
                    $value.store(at.d.add($i * tile.d_ld + $from));
                }
            }
        };
    }
    // SAFETY: `d` (and `c` where beta is not 0) hold `MR` rows of `vectors` vectors.
    unsafe {
        let (alpha, beta) = (V::splat(tile.alpha), V::splat(tile.beta));
        if tile.beta != V::Element::ZERO {
            each!(|sum, i, from| sum.mul_add(alpha, V::load(at.c.add(i * tile.c_ld + from)).mul(beta)));
        } else if tile.alpha == V::Element::ONE {
            // A depth of 32 takes some 200 cycles: there a dozen multiplications by one are worth the branch.
            each!(|sum, i, from| sum);
        } else {
            each!(|sum, i, from| sum.mul(alpha));
        }
    }
}

/// The columns from `first` on, element by element.
#[inline(never)]
unsafe fn finish_ragged<T: Real>(tile: &Tile<T>, at: At<T>, (rows, width): (usize, usize), first: usize, sums: *const T) {
    for i in 0..rows {
        for j in first..at.cols {
            // SAFETY: `sums` holds `rows × width`, `d` and `c` `rows` rows of `cols`.
            unsafe {
                let product = *sums.add(i * width + j) * tile.alpha;
                let old = if tile.beta == T::ZERO { T::ZERO } else { *at.c.add(i * tile.c_ld + j) * tile.beta };
                *at.d.add(i * tile.d_ld + j) = product + old;
            }
        }
    }
}
