//! The shadow of a block's shared memory: who wrote each granule last, who read it since, whether anybody wrote it at all, whether a copy to it is in flight.
//!
//! As long as all barriers are barriers of the whole block, one number (the epoch) orders everything: accesses of an earlier epoch are ordered before those of
//! this one. With the first barrier of only some warps, or an mbarrier, the shadow keeps exact times per warp and vector clocks until the next full barrier.

use std::collections::HashMap;

use super::lanes::Hazard;
use super::{Check, Checks};

const WRITER: u32 = 32;
const WRITTEN: u64 = 1 << 37;
const INIT: u64 = 1 << 38;
const PENDING: u64 = 1 << 39;
const EPOCH: u32 = 40;
const KEPT: u64 = INIT | PENDING;
const WHO: u64 = WRITTEN | 31 << WRITER;

/// Now, as a cell has it.
#[derive(Clone, Copy)]
struct Epoch(u64);

impl Epoch {
    /// A cell as it counts now: what was read and written in an earlier epoch is forgotten.
    #[inline(always)]
    fn of(self, cell: u64) -> u64 {
        if cell >> EPOCH == self.0 { cell } else { cell & KEPT | self.0 << EPOCH }
    }
}

/// Whether no other warp wrote a cell in its epoch; `mine` is what this warp writes.
#[inline(always)]
fn is_own(cell: u64, mine: u64) -> bool {
    (cell & WHO == 0) | (cell & WHO == mine)
}

/// What an access collided with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Trouble {
    /// Nobody wrote it.
    Uninitialised,
    /// Another warp wrote it.
    Written(u32),
    /// Another warp read it.
    Read(u32),
    /// Another lane of the warp touched it and no `__syncwarp` came between.
    Lane(Hazard),
    /// A `cp.async` to it has not been waited for.
    InFlight,
}

/// Exact record of one granule.
#[derive(Debug, Clone, Default)]
struct Exact {
    writer: Option<(u32, u32)>,
    /// Time of each warp's last read, 0 for none.
    reads: [u32; 32],
}

#[derive(Debug)]
struct Clocks {
    cells: HashMap<u32, Exact>,
    /// `known[w][v]`: accesses of warp v before this time are ordered before what warp w does now.
    known: Vec<[u32; 32]>,
    /// What an mbarrier hands on.
    handed: HashMap<u32, [u32; 32]>,
}

/// Shadow of one block's shared memory.
#[derive(Debug)]
pub(crate) struct SharedShadow {
    cells: Vec<u64>,
    shift: u32,
    /// Now.
    time: u32,
    /// Time of the last full barrier.
    base: u32,
    clocks: Option<Clocks>,
    races: bool,
    uninitialised: bool,
}

impl SharedShadow {
    /// For `bytes` of shared memory in granules of `1 << shift` bytes.
    pub(crate) fn new(bytes: usize, shift: u32, checks: Checks) -> Self {
        let (races, uninitialised) = (checks.has(Check::SharedRaces), checks.has(Check::Uninitialised));
        let cells = if races || uninitialised { (bytes + 3) >> shift } else { 0 };
        Self { cells: vec![0; cells], shift, time: 1, base: 1, clocks: None, races, uninitialised }
    }

    /// As new.
    pub(crate) fn reset(&mut self) {
        self.cells.fill(0);
        (self.time, self.base, self.clocks) = (1, 1, None);
    }

    /// Whether nothing is checked.
    pub(crate) fn is_off(&self) -> bool {
        self.cells.is_empty()
    }

    /// Granules of the whole, none where nothing is checked.
    pub(crate) fn len(&self) -> usize {
        self.cells.len()
    }

    /// A granule has `1 << shift` bytes.
    pub(crate) fn shift(&self) -> u32 {
        self.shift
    }

    /// Granules of a byte range.
    #[inline(always)]
    pub(crate) fn granules(&self, byte: u32, bytes: u32) -> std::ops::Range<usize> {
        (byte >> self.shift) as usize..((byte + bytes - 1) >> self.shift) as usize + 1
    }

    /// First byte of a granule.
    pub(crate) fn byte_of(&self, granule: usize) -> u32 {
        (granule as u32) << self.shift
    }

    /// Whether any granule of the range was never written.
    pub(crate) fn unwritten(&self, range: std::ops::Range<usize>) -> bool {
        self.cells[range].iter().any(|c| c & INIT == 0)
    }

    /// Back to never written.
    pub(crate) fn unwrite(&mut self, range: std::ops::Range<usize>) {
        self.cells[range].iter_mut().for_each(|c| *c &= !INIT);
    }

    /// Warp `w` reads a range; gives the first granule with trouble.
    #[inline]
    pub(crate) fn read(&mut self, w: u32, range: std::ops::Range<usize>) -> Option<(usize, Trouble)> {
        if self.clocks.is_some() {
            return self.read_exact(w, range);
        }
        let (mine, bit) = (WRITTEN | u64::from(w) << WRITER, 1u64 << w);
        // All cells are looked at without a branch, for anything but "written before this epoch", before the first bad one, hardly ever there, is looked for.
        let (now, mut odd) = (self.now(), 0);
        let calm = (now.0 << EPOCH | INIT) >> WRITER;
        let cells = &mut self.cells[range.clone()];
        for cell in cells.iter_mut() {
            *cell = now.of(*cell) | bit;
            odd |= *cell >> WRITER ^ calm;
        }
        if odd == 0 {
            return None;
        }
        let cells = &self.cells[range.clone()];
        range.zip(cells).find_map(|(at, &cell)| self.judge_read(cell, is_own(cell, mine)).map(|trouble| (at, trouble)))
    }

    fn judge_read(&self, cell: u64, own: bool) -> Option<Trouble> {
        if cell & PENDING != 0 && self.races {
            Some(Trouble::InFlight)
        } else if cell & INIT == 0 && self.uninitialised {
            Some(Trouble::Uninitialised)
        } else {
            (!own && self.races).then_some(Trouble::Written((cell >> WRITER & 31) as u32))
        }
    }

    /// Whether a copy to a granule has not been waited for.
    pub(crate) fn in_flight(&self, at: usize) -> bool {
        self.cells[at] & PENDING != 0
    }

    /// Warp `w` writes a range.
    #[inline]
    pub(crate) fn write(&mut self, w: u32, range: std::ops::Range<usize>) -> Option<(usize, Trouble)> {
        self.store(w, range, INIT)
    }

    /// Warp `w` starts a copy into a range; its bytes are not there yet.
    pub(crate) fn issue(&mut self, w: u32, range: std::ops::Range<usize>) -> Option<(usize, Trouble)> {
        self.store(w, range, PENDING)
    }

    /// A copy has landed: as if warp `w` wrote it now.
    pub(crate) fn land(&mut self, w: u32, range: std::ops::Range<usize>) {
        for at in range.clone() {
            self.cells[at] &= !PENDING;
        }
        self.store(w, range, INIT);
    }

    fn store(&mut self, w: u32, range: std::ops::Range<usize>, set: u64) -> Option<(usize, Trouble)> {
        if self.clocks.is_some() {
            return self.write_exact(w, range, set);
        }
        let (mine, bit) = (WRITTEN | u64::from(w) << WRITER, 1u64 << w);
        let now = self.now();
        let mut bad = None;
        for (at, cell) in range.clone().zip(&mut self.cells[range]) {
            let before = now.of(*cell);
            *cell = before & !WHO | mine | set;
            let others = before & 0xffff_ffff & !bit;
            if self.races && bad.is_none() {
                if before & PENDING != 0 {
                    bad = Some((at, Trouble::InFlight));
                } else if !is_own(before, mine) {
                    bad = Some((at, Trouble::Written((before >> WRITER & 31) as u32)));
                } else if others != 0 {
                    bad = Some((at, Trouble::Read(others.trailing_zeros())));
                }
            }
        }
        bad
    }

    fn now(&self) -> Epoch {
        Epoch(u64::from(self.base))
    }

    /// All warps of the block met.
    pub(crate) fn full_barrier(&mut self) {
        self.time += 1;
        self.base = self.time;
        self.clocks = None;
        if self.base >= 1 << 24 {
            // Epochs have 24 bits: start over, keeping what outlives them.
            self.cells.iter_mut().for_each(|c| *c &= KEPT);
            (self.time, self.base) = (1, 1);
        }
    }

    fn clocks(&mut self) -> &mut Clocks {
        let base = self.base;
        self.clocks.get_or_insert_with(|| Clocks { cells: HashMap::new(), known: vec![[base; 32]; 32], handed: HashMap::new() })
    }

    /// Some warps met: what `all` did is ordered before what `waiting` do next.
    pub(crate) fn partial_barrier(&mut self, all: u32, waiting: u32) {
        let now = self.time;
        let clocks = self.clocks();
        let mut sum = [0; 32];
        for v in super::super::exec::lanes::lanes(all) {
            sum.iter_mut().zip(clocks.known[v]).for_each(|(s, k)| *s = k.max(*s));
            sum[v] = now + 1;
        }
        for w in super::super::exec::lanes::lanes(waiting) {
            clocks.known[w].iter_mut().zip(sum).for_each(|(k, s)| *k = s.max(*k));
        }
        self.time += 1;
    }

    /// Warp `w` arrives at the mbarrier at `address`.
    pub(crate) fn release(&mut self, w: u32, address: u32) {
        let now = self.time;
        let clocks = self.clocks();
        let known = clocks.known[w as usize];
        let handed = clocks.handed.entry(address).or_insert([0; 32]);
        handed.iter_mut().zip(known).for_each(|(h, k)| *h = k.max(*h));
        handed[w as usize] = now + 1;
        self.time += 1;
    }

    /// Warp `w` saw the mbarrier at `address` complete.
    pub(crate) fn acquire(&mut self, w: u32, address: u32) {
        let clocks = self.clocks();
        if let Some(handed) = clocks.handed.get(&address) {
            clocks.known[w as usize].iter_mut().zip(handed).for_each(|(k, h)| *k = (*k).max(*h));
        }
    }

    /// The exact record, made from the cell where there is none yet.
    fn exact(&mut self, at: usize) -> (&mut Exact, &[[u32; 32]]) {
        let (cell, base) = (self.cells[at], self.base);
        let clocks = self.clocks();
        let record = clocks.cells.entry(at as u32).or_insert_with(|| {
            let mut record = Exact::default();
            if cell >> EPOCH == u64::from(base) {
                record.writer = (cell & WRITTEN != 0).then_some(((cell >> WRITER & 31) as u32, base));
                (0..32).filter(|v| cell >> v & 1 == 1).for_each(|v| record.reads[v] = base);
            }
            record
        });
        (record, &clocks.known)
    }

    fn read_exact(&mut self, w: u32, range: std::ops::Range<usize>) -> Option<(usize, Trouble)> {
        let mut bad = None;
        let (time, races) = (self.time, self.races);
        for at in range {
            let judged = self.judge_read(self.cells[at], true);
            let (record, known) = self.exact(at);
            record.reads[w as usize] = time;
            let race = record.writer.filter(|&(v, t)| races && v != w && t >= known[w as usize][v as usize]);
            let trouble = judged.or(race.map(|(v, _)| Trouble::Written(v)));
            bad = bad.or(trouble.map(|t| (at, t)));
        }
        bad
    }

    fn write_exact(&mut self, w: u32, range: std::ops::Range<usize>, set: u64) -> Option<(usize, Trouble)> {
        let mut bad = None;
        let (time, races) = (self.time, self.races);
        for at in range {
            let pending = self.cells[at] & PENDING != 0;
            let (record, known) = self.exact(at);
            let known = known[w as usize];
            let writer = record.writer.replace((w, time)).filter(|&(v, t)| v != w && t >= known[v as usize]);
            let reader = (0..32).find(|&v| v != w as usize && record.reads[v] != 0 && record.reads[v] >= known[v]);
            let trouble = match (pending, writer, reader) {
                (true, ..) => Some(Trouble::InFlight),
                (_, Some((v, _)), _) => Some(Trouble::Written(v)),
                (.., Some(v)) => Some(Trouble::Read(v as u32)),
                _ => None,
            };
            self.cells[at] |= set;
            bad = bad.or(trouble.filter(|_| races).map(|t| (at, t)));
        }
        bad
    }

    /// Marks a range as written by nobody in particular (mbarrier objects).
    pub(crate) fn exempt(&mut self, range: std::ops::Range<usize>) {
        self.cells[range].iter_mut().for_each(|c| *c |= INIT);
    }
}
