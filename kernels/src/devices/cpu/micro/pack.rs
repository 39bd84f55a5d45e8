//! Packing: a strided block of a matrix into panels that a micro-kernel reads front to back.

use super::Real;
use super::vector::prefetch;

/// A block to pack. The lane of a panel is a row of A or a column of B; depth is k. One of the two strides is 1 for speed, any are right.
#[derive(Clone, Copy, Debug)]
pub struct Strided<T> {
    /// Element (lane 0, depth 0).
    pub start: *const T,
    /// Elements from one lane to the next.
    pub lane: usize,
    /// Elements from one step of k to the next.
    pub depth: usize,
}

/// Elements that `lanes × depth` fill when packed `width` lanes to a panel, the last panel rounded up to a multiple of `round`.
#[must_use]
pub fn packed_len(lanes: usize, depth: usize, width: usize, round: usize) -> usize {
    let full = lanes / width * width;
    (full + (lanes - full).next_multiple_of(round)) * depth
}

/// Packs `lanes × depth` of `from` into panels of `width` lanes: panel q holds, for each step of depth, lanes `q·width ..` next to each other.
/// The last panel is only as wide as it must be: the lanes left, rounded up to a multiple of `round` and filled with zeros.
/// A panels take `round = 1`, B panels `round =` lanes of a vector. Panel q starts at `q·width·depth`.
///
/// # Safety
/// `from` is readable for all its lanes and depths, `to` writable for [`packed_len`] elements, and the two do not overlap.
pub unsafe fn pack<T: Real>(from: Strided<T>, (lanes, depth): (usize, usize), (width, round): (usize, usize), to: *mut T) {
    let whole = lanes / width;
    let rest = lanes - whole * width;
    let tail = Strided { start: from.start.wrapping_add(whole * width * from.lane), ..from };
    let panel = rest.next_multiple_of(round);
    // SAFETY: the caller's guarantee; whole panels fill `whole·width·depth` elements, the last one follows them.
    unsafe {
        let last = to.add(whole * width * depth);
        if from.lane == 1 {
            copy_panels(from, (whole, depth), width, to);
            copy_any(tail, (rest, depth), panel, last);
        } else {
            for q in 0..whole {
                let from = Strided { start: from.start.wrapping_add(q * width * from.lane), ..from };
                transpose_panel(from, (width, depth), width, to.add(q * width * depth));
            }
            transpose_panel(tail, (rest, depth), panel, last);
        }
        for lane in rest..panel {
            (0..depth).for_each(|p| *last.add(p * panel + lane) = T::ZERO);
        }
    }
}

/// Adjacent elements copied per step of depth, as far as whole panels allow: four cache lines of f32. A panel alone would read a part of
/// each line of a column of lines, lose it to the next ones (a leading dimension of 1024 f32 maps them all to one set), and read it again.
const STRETCH: usize = 64;

/// Lanes lie next to each other: short copies, with the usual panel widths as constants so that each is a few moves.
unsafe fn copy_panels<T: Real>(from: Strided<T>, (panels, depth): (usize, usize), width: usize, to: *mut T) {
    let panel_step = width * depth;
    let group = (STRETCH / width).max(1);
    for first in (0..panels).step_by(group) {
        let from = Strided { start: from.start.wrapping_add(first * width), ..from };
        let count = group.min(panels - first);
        macro_rules! widths {
            ($($fixed:literal)*) => {
                match width {
                    // SAFETY: the caller's guarantee for panels `first .. first + count`.
                    $($fixed => unsafe { copy_fixed::<T, $fixed>(from, (count, depth), to.add(first * panel_step)) },)*
                    _ => for q in 0..count {
                        let from = Strided { start: from.start.wrapping_add(q * width), ..from };
                        // SAFETY: as above, one panel.
                        unsafe { copy_any(from, (width, depth), width, to.add((first + q) * panel_step)) };
                    },
                }
            };
        }
        widths!(4 6 8 12 14 16 24 32 48 64);
    }
}

/// Rows ahead whose lines are asked for: the hardware does not see a pattern across pages. Above 8, lines of one set would push each other out.
const AHEAD: usize = 4;

unsafe fn copy_fixed<T: Real, const N: usize>(from: Strided<T>, (panels, depth): (usize, usize), to: *mut T) {
    let line = 64 / size_of::<T>();
    for p in 0..depth {
        let row = from.start.wrapping_add(p * from.depth);
        (0..panels * N).step_by(line).for_each(|at| prefetch(row.wrapping_add(AHEAD * from.depth + at)));
        for q in 0..panels {
            // SAFETY: `panels·N` lanes are readable at each depth, and each panel has N elements for each depth in `to`.
            unsafe { to.add((q * depth + p) * N).cast::<[T; N]>().write(row.add(q * N).cast::<[T; N]>().read()) };
        }
    }
}

unsafe fn copy_any<T: Real>(from: Strided<T>, (lanes, depth): (usize, usize), panel: usize, to: *mut T) {
    for p in 0..depth {
        // SAFETY: `lanes` are readable at each depth, and `panel ≥ lanes` elements are there for each depth in `to`.
        unsafe { std::ptr::copy_nonoverlapping(from.start.wrapping_add(p * from.depth), to.add(p * panel), lanes) };
    }
}

/// Depth lies next to each other (or nothing does): blocks of four, two and one lanes are turned in registers.
unsafe fn transpose_panel<T: Real>(from: Strided<T>, (lanes, depth): (usize, usize), panel: usize, to: *mut T) {
    let mut lane = 0;
    while lane < lanes {
        let from = Strided { start: from.start.wrapping_add(lane * from.lane), ..from };
        // SAFETY: lanes from `lane` on are readable at each depth, as many as the block has, and the panel has room for them.
        lane += unsafe {
            let to = to.add(lane);
            match lanes - lane {
                4.. => turn_block::<T, 4>(from, depth, panel, to),
                2.. => turn_block::<T, 2>(from, depth, panel, to),
                _ => turn_block::<T, 1>(from, depth, panel, to),
            }
        };
    }
}

/// `N` lanes at every depth; returns `N`.
unsafe fn turn_block<T: Real, const N: usize>(from: Strided<T>, depth: usize, panel: usize, to: *mut T) -> usize {
    let fast = if from.depth == 1 && N > 1 { depth / 4 * 4 } else { 0 };
    // SAFETY: the caller's guarantee.
    unsafe {
        for p in (0..fast).step_by(4) {
            T::turn::<N>((from.start.add(p), from.lane), (to.add(p * panel), panel));
        }
        for p in fast..depth {
            (0..N).for_each(|i| *to.add(p * panel + i) = *from.start.wrapping_add(i * from.lane + p * from.depth));
        }
    }
    N
}
