//! Which lane read and which lane wrote each granule of shared memory last, and when: hazards between the lanes of one warp.
//!
//! Two lanes' accesses are in order only if a `__syncwarp` (`bar.warp.sync`) or a barrier of the block came between: those alone make memory ordered (PTX ISA,
//! "Memory Consistency Model", causality order). `shfl.sync`, `vote.sync`, `ldmatrix.sync` and `mma.sync` make lanes wait for each other and order nothing, so
//! they do not count, and neither does that lanes happen to run in step. What `ldmatrix`, `wmma.load` and their stores move belongs to all lanes.
//!
//! While all lanes of a warp synchronise together, one number orders everything. Where only some do, [`Parted`] says who knows of whom until all meet again.

use std::ops::Range;

use crate::exec::lanes::lanes;

/// Owner of a granule that several lanes touched.
pub(crate) const SEVERAL: u32 = 63;
/// Bits of an entry: owner, warp, times the warp synchronised, whether there is one at all.
const OWNER: u32 = 63;
const WARP: u32 = 6;
const SYNCS: u32 = 11;
const SYNCS_KEPT: u32 = (1 << 20) - 1;
const THERE: u32 = 1 << 31;

/// A warp between two of its synchronisations.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment(u32);

impl Moment {
    pub(crate) fn new(warp: u32, syncs: u32) -> Self {
        Self(THERE | (syncs & SYNCS_KEPT) << SYNCS | warp << WARP)
    }
}

/// Who knows of whom in a warp since all its lanes last met. Moments are counted from there.
#[derive(Debug)]
pub(crate) struct Parted {
    since: u32,
    /// `known[a][b]`: what lane b did before this moment is ordered before what lane a does.
    known: [[u32; 32]; 32],
}

impl Parted {
    /// All lanes met when they had synchronised `since` times.
    pub(crate) fn since(since: u32) -> Self {
        Self { since, known: [[0; 32]; 32] }
    }

    /// The lanes of `group` meet and thereby have synchronised `syncs` times.
    pub(crate) fn meet(&mut self, group: u32, syncs: u32) {
        let now = syncs.wrapping_sub(self.since);
        let mut sum = [0; 32];
        for a in lanes(group) {
            sum.iter_mut().zip(self.known[a]).for_each(|(s, k)| *s = k.max(*s));
        }
        lanes(group).for_each(|a| sum[a] = now);
        lanes(group).for_each(|a| self.known[a] = sum);
    }

    /// Whether what an entry stands for is unordered with what the lanes of `touching` do now. Which lanes [`SEVERAL`] were is not known: they count as having
    /// been in the lane's own group.
    fn clashes(&self, entry: u32, now: Moment, touching: u32) -> bool {
        let age = |word: u32| (word >> SYNCS).wrapping_sub(self.since) & SYNCS_KEPT;
        let mine = (entry ^ now.0) & (31 << WARP | THERE) == 0 && age(entry) <= age(now.0);
        let owner = entry & OWNER;
        let knows = |lane: usize| {
            let of = if owner == SEVERAL { lane } else { owner as usize };
            lane as u32 == owner || age(entry) < self.known[lane][of]
        };
        mine && !lanes(touching).all(knows)
    }
}

/// An earlier access of another lane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Hazard {
    /// This lane, or [`SEVERAL`], wrote it.
    Written(u32),
    /// This lane, or [`SEVERAL`], read it.
    Read(u32),
}

/// Last readers and writers of one block's shared memory.
#[derive(Debug)]
pub(crate) struct LaneShadow {
    readers: Vec<u32>,
    writers: Vec<u32>,
}

impl LaneShadow {
    /// For so many granules; none switch it off.
    pub(crate) fn new(granules: usize) -> Self {
        Self { readers: vec![0; granules], writers: vec![0; granules] }
    }

    pub(crate) fn reset(&mut self) {
        self.readers.fill(0);
        self.writers.fill(0);
    }

    pub(crate) fn is_off(&self) -> bool {
        self.writers.is_empty()
    }

    /// Lanes read a range, each granule its owner; gives the first granule that another lane wrote.
    #[inline]
    pub(crate) fn read(
        &mut self,
        now: Moment,
        range: Range<usize>,
        owners: &[u32],
        order: &impl LaneOrder,
    ) -> Option<(usize, Hazard)> {
        let found =
            order.first(&self.writers[range.clone()], now, owners).map(|(at, by)| (range.start + at, Hazard::Written(by)));
        for (entry, owner) in self.readers[range].iter_mut().zip(owners) {
            let mine = now.0 | owner;
            let again = (*entry ^ mine) & !OWNER == 0;
            *entry = if again && *entry != mine { now.0 | SEVERAL } else { mine };
        }
        found
    }

    /// Lanes write a range, or start copies to it; gives the first granule that another lane read or wrote.
    #[inline]
    pub(crate) fn write(
        &mut self,
        now: Moment,
        range: Range<usize>,
        owners: &[u32],
        order: &impl LaneOrder,
    ) -> Option<(usize, Hazard)> {
        let start = range.start;
        let written = order.first(&self.writers[range.clone()], now, owners).map(|(at, by)| (start + at, Hazard::Written(by)));
        let read = order.first(&self.readers[range.clone()], now, owners).map(|(at, by)| (start + at, Hazard::Read(by)));
        self.writers[range].iter_mut().zip(owners).for_each(|(entry, owner)| *entry = now.0 | owner);
        written.or(read)
    }

    /// A lane's copy arrived.
    pub(crate) fn landed(&mut self, now: Moment, range: Range<usize>, lane: u32) {
        self.writers[range].fill(now.0 | lane);
    }
}

/// What orders a warp's lanes.
pub(crate) trait LaneOrder {
    /// The first of a range's entries that is unordered with what `owners` do now, and its owner.
    fn first(&self, entries: &[u32], now: Moment, owners: &[u32]) -> Option<(usize, u32)>;
}

/// All lanes have synchronised together.
#[derive(Debug)]
pub(crate) struct Together;

impl LaneOrder for Together {
    /// All entries are looked at together, which vector instructions do, before one is looked for.
    #[inline(always)]
    fn first(&self, entries: &[u32], now: Moment, owners: &[u32]) -> Option<(usize, u32)> {
        // Of the same warp, since it last synchronised, and not by one and the same lane.
        let clashes = |entry: u32, owner: u32| ((entry ^ now.0) & !OWNER == 0) & ((entry & OWNER != owner) | (owner == SEVERAL));
        let pairs = || entries.iter().zip(owners).map(|(&entry, &owner)| clashes(entry, owner));
        if !pairs().fold(false, |any, clash| any | clash) {
            return None;
        }
        let at = pairs().position(|clash| clash)?;
        Some((at, entries[at] & OWNER))
    }
}

/// Only some lanes have; `touching` gives those that touch the range's granule of a number.
#[derive(Debug)]
pub(crate) struct Apart<'a, T> {
    pub(crate) parted: &'a Parted,
    pub(crate) touching: T,
}

impl<T: Fn(usize) -> u32> LaneOrder for Apart<'_, T> {
    #[cold]
    fn first(&self, entries: &[u32], now: Moment, _owners: &[u32]) -> Option<(usize, u32)> {
        let at = (0..entries.len()).find(|&at| self.parted.clashes(entries[at], now, (self.touching)(at)))?;
        Some((at, entries[at] & OWNER))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lanes_clash_until_their_warp_synchronises() {
        let (one, two, later) = ([3], [4], Moment::new(2, 1));
        for (case, first, second, now, expected) in [
            ("the same lane", one, one, Moment::new(2, 0), None),
            ("another lane", one, two, Moment::new(2, 0), Some(Hazard::Read(3))),
            ("another lane after a __syncwarp", one, two, later, None),
            ("another warp", one, two, Moment::new(1, 0), None),
            ("several lanes read", [SEVERAL], one, Moment::new(2, 0), Some(Hazard::Read(SEVERAL))),
            ("several lanes write", one, [SEVERAL], Moment::new(2, 0), Some(Hazard::Read(3))),
        ] {
            let mut shadow = LaneShadow::new(8);
            assert_eq!(shadow.read(Moment::new(2, 0), 5..6, &first, &Together), None, "{case}");
            assert_eq!(shadow.write(now, 5..6, &second, &Together), expected.map(|hazard| (5, hazard)), "{case}");
        }
    }

    #[test]
    fn readers_add_up_within_a_moment_and_what_the_warp_reads_as_one_belongs_to_all() {
        let (mut shadow, now) = (LaneShadow::new(4), Moment::new(0, 7));
        shadow.read(now, 0..2, &[1, 2], &Together);
        shadow.read(now, 0..2, &[1, 1], &Together);
        assert_eq!(shadow.write(now, 0..1, &[1], &Together), None);
        assert_eq!(shadow.write(now, 1..2, &[1], &Together), Some((1, Hazard::Read(SEVERAL))));
        shadow.read(now, 2..4, &[SEVERAL; 2], &Together);
        assert_eq!(shadow.write(now, 2..4, &[0, 0], &Together), Some((2, Hazard::Read(SEVERAL))));
        assert_eq!(shadow.read(now, 3..4, &[SEVERAL], &Together), Some((3, Hazard::Written(0))));
        shadow.landed(Moment::new(0, 8), 3..4, 9);
        assert_eq!(shadow.read(Moment::new(0, 8), 3..4, &[9], &Together), None);
        assert_eq!(shadow.read(Moment::new(0, 8), 3..4, &[8], &Together), Some((3, Hazard::Written(9))));
    }
}
