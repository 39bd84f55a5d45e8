//! The shadow of global memory during one launch: which block wrote each granule last, and which read it. It finds races between blocks, counts the distinct
//! bytes touched, and tells whether a launch can be repeated.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Reader field of a granule that several blocks read.
const MANY: u64 = 0xffff_ffff;

/// What an access collided with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Collision {
    /// This block wrote it.
    Written(u32),
    /// This block read it.
    Read(u32),
    /// Several blocks read it.
    ReadByMany,
}

/// What an access found.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// Granules nobody had touched in this way before.
    pub(crate) first: u64,
    /// First granule with a collision.
    pub(crate) collision: Option<(usize, Collision)>,
}

/// Shadows of all allocations, made when first touched.
pub(crate) struct GlobalShadow {
    cells: Vec<OnceLock<Box<[AtomicU64]>>>,
    pub(crate) shift: u32,
    /// Some granule was both read and written.
    pub(crate) mixed: AtomicBool,
}

impl GlobalShadow {
    /// For `allocations` allocations, in granules of `1 << shift` bytes.
    pub(crate) fn new(allocations: usize, shift: u32) -> Self {
        Self { cells: (0..allocations).map(|_| OnceLock::new()).collect(), shift, mixed: AtomicBool::new(false) }
    }

    fn cells(&self, allocation: usize, bytes: u64) -> &[AtomicU64] {
        self.cells[allocation].get_or_init(|| {
            let count = (bytes >> self.shift) as usize + 1;
            // SAFETY: all-zero bytes are a valid `AtomicU64`. Zeroed pages cost nothing until touched.
            unsafe { Box::<[AtomicU64]>::new_zeroed_slice(count).assume_init() }
        })
    }

    /// `block` reads `range` (bytes) of an allocation of `size` bytes.
    pub(crate) fn read(&self, block: u32, allocation: usize, size: u64, range: std::ops::Range<u64>, seen: &mut Seen) {
        let (me, cells) = (u64::from(block) + 1, self.cells(allocation, size));
        for at in granules(range, self.shift) {
            let mut old = cells[at].load(Ordering::Relaxed);
            while (old & MANY) != me && (old & MANY) != MANY {
                let new = (old & !MANY) | if old & MANY == 0 { me } else { MANY };
                match cells[at].compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => {
                        seen.first += u64::from(old & MANY == 0);
                        break;
                    }
                    Err(now) => old = now,
                }
            }
            let writer = old >> 32;
            if writer != 0 {
                self.mixed.store(true, Ordering::Relaxed);
                if writer != me {
                    seen.collision.get_or_insert((at, Collision::Written(writer as u32 - 1)));
                }
            }
        }
    }

    /// `block` writes `range`.
    pub(crate) fn write(&self, block: u32, allocation: usize, size: u64, range: std::ops::Range<u64>, seen: &mut Seen) {
        let (me, cells) = (u64::from(block) + 1, self.cells(allocation, size));
        for at in granules(range, self.shift) {
            let mut old = cells[at].load(Ordering::Relaxed);
            while old >> 32 != me {
                match cells[at].compare_exchange_weak(old, (old & MANY) | me << 32, Ordering::Relaxed, Ordering::Relaxed) {
                    Ok(_) => {
                        seen.first += u64::from(old >> 32 == 0);
                        break;
                    }
                    Err(now) => old = now,
                }
            }
            let (reader, writer) = (old & MANY, old >> 32);
            if reader != 0 {
                self.mixed.store(true, Ordering::Relaxed);
            }
            let found = if writer != 0 && writer != me {
                Some(Collision::Written(writer as u32 - 1))
            } else if reader == MANY {
                Some(Collision::ReadByMany)
            } else {
                (reader != 0 && reader != me).then(|| Collision::Read(reader as u32 - 1))
            };
            if let Some(found) = found {
                seen.collision.get_or_insert((at, found));
            }
        }
    }
}

fn granules(range: std::ops::Range<u64>, shift: u32) -> std::ops::Range<usize> {
    (range.start >> shift) as usize..((range.end - 1) >> shift) as usize + 1
}
