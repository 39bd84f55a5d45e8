//! The shadow of global memory during one launch: which block wrote or updated each granule last, and which read it. It finds races between blocks, counts the
//! distinct bytes touched plainly, and tells whether a launch can be repeated.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

/// Reader field of a granule that several blocks read.
const MANY: u64 = 0xffff_ffff;
/// Bits of a reader and of a writer: block, counted from 1 (of grids with more blocks, some share a number), and the stamp of what it did; later stamps than the last
/// count as that one.
const STAMP: u32 = 26;
const ID: u64 = (1 << STAMP) - 1;
const LAST_STAMP: u32 = 31;
/// The writer updated the granule: atomics and strong stores are in order with each other. `ID` then stands for several blocks.
const UPDATED: u64 = 1 << 31;

/// What is done to a granule.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Touch {
    Read,
    Write,
    /// Checked against plain writes; leaves no mark.
    StrongRead,
    Update,
}

/// Who does it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Actor {
    pub(crate) block: u32,
    pub(crate) stamp: u32,
}

impl Actor {
    fn bits(self) -> u64 {
        (u64::from(self.block) % (ID - 1) + 1) | (u64::from(self.stamp.min(LAST_STAMP)) << STAMP)
    }
    fn of(bits: u64) -> Self {
        Self { block: (bits & ID) as u32 - 1, stamp: (bits >> STAMP) as u32 & LAST_STAMP }
    }
}

/// What an access collided with.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Collision {
    Written(Actor),
    Read(Actor),
    ReadByMany,
    Updated(Actor),
    UpdatedByMany,
}

impl Collision {
    fn with_writer(writer: u64) -> Self {
        match (writer & UPDATED != 0, writer & ID) {
            (true, ID) => Self::UpdatedByMany,
            (true, _) => Self::Updated(Actor::of(writer)),
            (false, _) => Self::Written(Actor::of(writer)),
        }
    }

    /// With the readers of a granule, if any is not `me`.
    fn with_reader(reader: u64, me: u64) -> Option<Self> {
        match reader {
            0 => None,
            MANY => Some(Self::ReadByMany),
            one => ((one ^ me) & ID != 0).then(|| Self::Read(Actor::of(one))),
        }
    }
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

    /// Notes that an actor touches `range` (bytes) of an allocation of `size` bytes.
    pub(crate) fn touch(
        &self,
        touch: Touch,
        actor: Actor,
        (allocation, size): (usize, u64),
        range: std::ops::Range<u64>,
        seen: &mut Seen,
    ) {
        let (me, cells) = (actor.bits(), self.cells(allocation, size));
        let cells = granules(range, self.shift).map(|at| (at, &cells[at]));
        match touch {
            Touch::Read => self.read(me, cells, seen),
            Touch::Write => self.write(me, cells, seen),
            Touch::StrongRead => {
                for (at, cell) in cells {
                    let writer = cell.load(Ordering::Relaxed) >> 32;
                    if writer != 0 && writer & UPDATED == 0 && (writer ^ me) & ID != 0 {
                        seen.collision.get_or_insert((at, Collision::with_writer(writer)));
                    }
                }
            }
            Touch::Update => update(me, cells, seen),
        }
    }

    #[inline(always)]
    fn read<'a>(&self, me: u64, cells: impl Iterator<Item = (usize, &'a AtomicU64)>, seen: &mut Seen) {
        for (at, cell) in cells {
            let mut old = cell.load(Ordering::Relaxed);
            while (old & MANY) != me && (old & MANY) != MANY {
                let mine = old & MANY == 0 || (old ^ me) & ID == 0;
                let new = (old & !MANY) | if mine { me } else { MANY };
                match cell.compare_exchange_weak(old, new, Ordering::Relaxed, Ordering::Relaxed) {
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
                if (writer ^ me) & ID != 0 {
                    seen.collision.get_or_insert((at, Collision::with_writer(writer)));
                }
            }
        }
    }

    #[inline(always)]
    fn write<'a>(&self, me: u64, cells: impl Iterator<Item = (usize, &'a AtomicU64)>, seen: &mut Seen) {
        for (at, cell) in cells {
            let mut old = cell.load(Ordering::Relaxed);
            while old >> 32 != me {
                match cell.compare_exchange_weak(old, (old & MANY) | me << 32, Ordering::Relaxed, Ordering::Relaxed) {
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
            let found = if writer != 0 && (writer ^ me) & ID != 0 {
                Some(Collision::with_writer(writer))
            } else {
                Collision::with_reader(reader, me)
            };
            if let Some(found) = found {
                seen.collision.get_or_insert((at, found));
            }
        }
    }
}

/// What a block wrote plainly itself stays plain: for other blocks that is what counts.
fn update<'a>(me: u64, cells: impl Iterator<Item = (usize, &'a AtomicU64)>, seen: &mut Seen) {
    for (at, cell) in cells {
        let mut old = cell.load(Ordering::Relaxed);
        loop {
            let (writer, same) = (old >> 32, (old >> 32 ^ me) & ID == 0);
            let new = match (writer & UPDATED != 0, same) {
                (true, false) => UPDATED | ID,
                (false, true) if writer != 0 => writer,
                _ => UPDATED | me,
            };
            match cell.compare_exchange_weak(old, (old & MANY) | new << 32, Ordering::Relaxed, Ordering::Relaxed) {
                Ok(_) => break,
                Err(now) => old = now,
            }
        }
        let writer = old >> 32;
        let found = if writer != 0 && writer & UPDATED == 0 && (writer ^ me) & ID != 0 {
            Some(Collision::with_writer(writer))
        } else {
            Collision::with_reader(old & MANY, me)
        };
        if let Some(found) = found {
            seen.collision.get_or_insert((at, found));
        }
    }
}

fn granules(range: std::ops::Range<u64>, shift: u32) -> std::ops::Range<usize> {
    (range.start >> shift) as usize..((range.end - 1) >> shift) as usize + 1
}
