//! The shadow of a block's shared memory: who wrote each granule last, who read or updated it since, whether anybody wrote it at all, whether a copy to it is in
//! flight. Updates (atomics, and strong stores such as volatile ones) are in order with each other and with strong loads, not with anything plain. A strong load
//! is checked against plain stores and leaves no mark.
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
/// Warps in the lower bits read it plainly, updated it.
const PLAIN: u64 = 1 << 40;
const UPDATED: u64 = 1 << 41;
const EPOCH: u32 = 42;
const TOUCHED: u64 = (1 << WRITER) - 1;
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
    /// Another warp updated it.
    Updated(u32),
    /// Another lane of the warp touched it and no `__syncwarp` came between.
    Lane(Hazard),
    /// A `cp.async` to it has not been waited for.
    InFlight,
}

impl Trouble {
    /// The writer of a cell.
    fn written(cell: u64) -> Self {
        Self::Written((cell >> WRITER & 31) as u32)
    }
}

/// Exact record of one granule.
#[derive(Debug, Clone, Default)]
struct Exact {
    writer: Option<(u32, u32)>,
    /// Time of each warp's last plain read and last update, 0 for none.
    reads: [u32; 32],
    updates: [u32; 32],
}

impl Exact {
    /// Another warp that wrote, as far as warp `w` does not know of it.
    fn writer(&self, w: u32, known: &[u32; 32]) -> Option<Trouble> {
        self.writer.filter(|&(v, t)| v != w && t >= known[v as usize]).map(|(v, _)| Trouble::Written(v))
    }
    fn reader(&self, w: u32, known: &[u32; 32]) -> Option<Trouble> {
        other(&self.reads, w, known).map(Trouble::Read)
    }
    fn updater(&self, w: u32, known: &[u32; 32]) -> Option<Trouble> {
        other(&self.updates, w, known).map(Trouble::Updated)
    }
}

fn other(times: &[u32; 32], w: u32, known: &[u32; 32]) -> Option<u32> {
    (0..32).find(|&v| v != w && times[v as usize] != 0 && times[v as usize] >= known[v as usize])
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
        let calm = (now.0 << EPOCH | INIT | PLAIN) >> WRITER;
        let cells = &mut self.cells[range.clone()];
        for cell in cells.iter_mut() {
            *cell = now.of(*cell) | bit | PLAIN;
            odd |= *cell >> WRITER ^ calm;
        }
        if odd == 0 {
            return None;
        }
        let cells = &self.cells[range.clone()];
        let race = |cell: u64| {
            let others = cell & TOUCHED & !bit;
            let updated = (cell & UPDATED != 0 && others != 0).then(|| Trouble::Updated(others.trailing_zeros()));
            (!is_own(cell, mine)).then(|| Trouble::written(cell)).or(updated).filter(|_| self.races)
        };
        range.zip(cells).find_map(|(at, &cell)| self.lacking(cell).or_else(|| race(cell)).map(|trouble| (at, trouble)))
    }

    /// What a read finds that is not there.
    fn lacking(&self, cell: u64) -> Option<Trouble> {
        let uninitialised = (cell & INIT == 0 && self.uninitialised).then_some(Trouble::Uninitialised);
        (cell & PENDING != 0 && self.races).then_some(Trouble::InFlight).or(uninitialised)
    }

    /// Warp `w` reads a range by a strong load.
    pub(crate) fn read_strong(&mut self, w: u32, range: std::ops::Range<usize>) -> Option<(usize, Trouble)> {
        self.touch(w, range, 0)
    }

    /// Warp `w` updates a range: an atomic or a strong store, after which it is written.
    pub(crate) fn update(&mut self, w: u32, range: std::ops::Range<usize>) -> Option<(usize, Trouble)> {
        self.touch(w, range, UPDATED | INIT)
    }

    /// A strong access, `set` being the mark it leaves.
    fn touch(&mut self, w: u32, range: std::ops::Range<usize>, set: u64) -> Option<(usize, Trouble)> {
        let (mine, bit, now) = (WRITTEN | u64::from(w) << WRITER, 1u64 << w, self.now());
        let (updates, exact, time) = (set != 0, self.clocks.is_some(), self.time);
        let mut bad = None;
        for at in range {
            let before = now.of(self.cells[at]);
            let race = if exact {
                let (record, known) = self.exact(at);
                let known = &known[w as usize];
                let race = record.writer(w, known).or_else(|| record.reader(w, known).filter(|_| updates));
                if updates {
                    record.updates[w as usize] = time;
                }
                race
            } else {
                let others = before & TOUCHED & !bit;
                let read = updates && before & PLAIN != 0 && others != 0;
                (!is_own(before, mine)).then(|| Trouble::written(before)).or(read.then(|| Trouble::Read(others.trailing_zeros())))
            };
            if updates {
                self.cells[at] = if exact { self.cells[at] | INIT } else { before | bit | set };
            }
            let trouble = (before & PENDING != 0).then_some(Trouble::InFlight).or(race);
            bad = bad.or(trouble.filter(|_| self.races).map(|trouble| (at, trouble)));
        }
        bad
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
            let others = before & TOUCHED & !bit;
            if self.races && bad.is_none() {
                if before & PENDING != 0 {
                    bad = Some((at, Trouble::InFlight));
                } else if !is_own(before, mine) {
                    bad = Some((at, Trouble::written(before)));
                } else if others != 0 {
                    let did = if before & UPDATED == 0 { Trouble::Read } else { Trouble::Updated };
                    bad = Some((at, did(others.trailing_zeros())));
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
        if self.base >= 1 << (64 - EPOCH) {
            // The bits of an epoch are used up: start over, keeping what outlives them.
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
                let times = if cell & UPDATED == 0 { &mut record.reads } else { &mut record.updates };
                (0..32).filter(|v| cell >> v & 1 == 1).for_each(|v| times[v] = base);
            }
            record
        });
        (record, &clocks.known)
    }

    fn read_exact(&mut self, w: u32, range: std::ops::Range<usize>) -> Option<(usize, Trouble)> {
        let mut bad = None;
        let (time, races) = (self.time, self.races);
        for at in range {
            let lacking = self.lacking(self.cells[at]);
            let (record, known) = self.exact(at);
            record.reads[w as usize] = time;
            let known = &known[w as usize];
            let race = record.writer(w, known).or_else(|| record.updater(w, known)).filter(|_| races);
            bad = bad.or(lacking.or(race).map(|trouble| (at, trouble)));
        }
        bad
    }

    fn write_exact(&mut self, w: u32, range: std::ops::Range<usize>, set: u64) -> Option<(usize, Trouble)> {
        let mut bad = None;
        let (time, races) = (self.time, self.races);
        for at in range {
            let pending = (self.cells[at] & PENDING != 0).then_some(Trouble::InFlight);
            let (record, known) = self.exact(at);
            let known = &known[w as usize];
            let race = record.writer(w, known).or_else(|| record.reader(w, known)).or_else(|| record.updater(w, known));
            record.writer = Some((w, time));
            self.cells[at] |= set;
            bad = bad.or(pending.or(race).filter(|_| races).map(|trouble| (at, trouble)));
        }
        bad
    }
}
