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
    for first in (0..lanes).step_by(width) {
        let there = width.min(lanes - first);
        let panel = if there == width { width } else { there.next_multiple_of(round) };
        let from = Strided { start: from.start.wrapping_add(first * from.lane), ..from };
        // SAFETY: the caller's guarantee for lanes `first .. first + there`; the panel starts at `first·depth` since all before it are full.
        unsafe {
            let to = to.add(first * depth);
            if from.lane == 1 {
                copy_panel(from, (there, depth), panel, to);
            } else {
                transpose_panel(from, (there, depth), panel, to);
            }
            for lane in there..panel {
                (0..depth).for_each(|p| *to.add(p * panel + lane) = T::ZERO);
            }
        }
    }
}

/// Lanes lie next to each other: one short copy per step of depth, with the usual panel widths as constants so that it is a few moves.
unsafe fn copy_panel<T: Real>(from: Strided<T>, size: (usize, usize), panel: usize, to: *mut T) {
    macro_rules! widths {
        ($($width:literal)*) => {
            match size.0 {
                // SAFETY: the caller's guarantee.
                $($width => unsafe { copy_fixed::<T, $width>(from, size.1, panel, to) },)*
                // SAFETY: the caller's guarantee.
                _ => unsafe { copy_any(from, size, panel, to) },
            }
        };
    }
    widths!(4 6 8 12 14 16 24 32 48 64);
}

/// Rows ahead whose line is asked for: a column of a matrix with a long leading dimension defeats the hardware's own prefetching.
const AHEAD: usize = 12;

unsafe fn copy_fixed<T: Real, const N: usize>(from: Strided<T>, depth: usize, panel: usize, to: *mut T) {
    for p in 0..depth {
        let row = from.start.wrapping_add(p * from.depth);
        prefetch(row.wrapping_add(AHEAD * from.depth));
        // SAFETY: N lanes are readable at each depth, and `panel ≥ N` elements are there for each depth in `to`.
        unsafe { to.add(p * panel).cast::<[T; N]>().write(row.cast::<[T; N]>().read()) };
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
        let block = match lanes - lane {
            4.. => 4,
            2.. => 2,
            _ => 1,
        };
        let from = Strided { start: from.start.wrapping_add(lane * from.lane), ..from };
        // SAFETY: lanes `lane .. lane + block` are readable at each depth, and the panel has room for them.
        unsafe {
            let to = to.add(lane);
            match block {
                4 => turn::<T, 4>(from, depth, panel, to),
                2 => turn::<T, 2>(from, depth, panel, to),
                _ => turn::<T, 1>(from, depth, panel, to),
            }
        }
        lane += block;
    }
}

/// `N` lanes by four steps at a time. With `depth` stride 1 the reads are contiguous and the compiler sees an N×4 transpose in registers.
#[inline(always)]
unsafe fn turn<T: Real, const N: usize>(from: Strided<T>, depth: usize, panel: usize, to: *mut T) {
    let mut p = 0;
    if from.depth == 1 {
        while p + 4 <= depth {
            let mut block = [[T::ZERO; 4]; N];
            for (i, row) in block.iter_mut().enumerate() {
                // SAFETY: four steps are readable from p in each lane.
                *row = unsafe { from.start.wrapping_add(i * from.lane + p).cast::<[T; 4]>().read() };
            }
            for s in 0..4 {
                let column: [T; N] = std::array::from_fn(|i| block[i][s]);
                // SAFETY: the panel has N lanes from `to` at each depth.
                unsafe { to.add((p + s) * panel).cast::<[T; N]>().write(column) };
            }
            p += 4;
        }
    }
    for p in p..depth {
        for i in 0..N {
            // SAFETY: as above, one element.
            unsafe { *to.add(p * panel + i) = *from.start.wrapping_add(i * from.lane + p * from.depth) };
        }
    }
}
