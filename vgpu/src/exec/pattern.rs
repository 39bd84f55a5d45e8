//! How the lanes of one memory instruction lie to each other. It rarely changes from one execution to the next, so what follows from it (bank conflicts, sectors,
//! which bytes are touched at all) is computed once and kept.

use super::lanes::lanes;
use crate::check::lanes::SEVERAL;

/// The lanes' addresses relative to the first active lane, and what follows from them.
#[derive(Debug, Clone)]
pub(crate) struct Pattern {
    mask: u32,
    key: u64,
    bytes: u32,
    rel: [u64; 32],
    care: [u64; 32],
    /// Lowest and one past the highest byte.
    pub(crate) low: i64,
    pub(crate) high: i64,
    /// All bits that differ from the first lane's address below 32.
    pub(crate) bits: u64,
    /// Bytes touched, merged and ascending: start and length.
    pub(crate) ranges: Vec<(i64, u32)>,
    /// Lane of each granule of the ranges, range after range, [`SEVERAL`] where there are several; empty before [`Pattern::own`].
    pub(crate) owners: Vec<u32>,
    /// 32-byte sectors.
    pub(crate) sectors: u32,
    /// Passes through shared memory beyond the least possible.
    pub(crate) conflicts: u32,
    /// Passes in all.
    pub(crate) wavefronts: u32,
    /// The lanes lie too far apart for one allocation.
    pub(crate) far: bool,
}

impl Pattern {
    pub(crate) fn new() -> Self {
        Self {
            mask: 0,
            key: 0,
            bytes: 0,
            rel: [0; 32],
            care: [0; 32],
            low: 0,
            high: 0,
            bits: 0,
            ranges: Vec::new(),
            owners: Vec::new(),
            sectors: 0,
            conflicts: 0,
            wavefronts: 0,
            far: false,
        }
    }

    /// Makes the pattern fit `addresses`, whose first active one is `lead`; `key` is the part of `lead` that sectors or banks depend on.
    #[inline]
    pub(crate) fn fit(&mut self, addresses: &[u64; 32], mask: u32, lead: u64, key: u64, bytes: u32) {
        let mut differ = u64::from(self.mask ^ mask) | (self.key ^ key) | u64::from(self.bytes ^ bytes);
        for ((address, rel), care) in addresses.iter().zip(&self.rel).zip(&self.care) {
            differ |= (address ^ lead.wrapping_add(*rel)) & care;
        }
        if differ != 0 {
            self.rebuild(addresses, mask, lead, key, bytes);
        }
    }

    #[cold]
    #[inline(never)]
    fn rebuild(&mut self, addresses: &[u64; 32], mask: u32, lead: u64, key: u64, bytes: u32) {
        (self.mask, self.key, self.bytes) = (mask, key, bytes);
        (self.low, self.high, self.bits) = (0, i64::from(bytes), 0);
        let mut parts: Vec<(i64, u32)> = Vec::with_capacity(32);
        (self.rel, self.care) = ([0; 32], [0; 32]);
        for lane in lanes(mask) {
            let rel = addresses[lane].wrapping_sub(lead);
            (self.rel[lane], self.care[lane]) = (rel, u64::MAX);
            self.low = self.low.min(rel as i64);
            self.high = self.high.max((rel as i64).saturating_add(i64::from(bytes)));
            self.bits |= rel & 31;
            parts.push((rel as i64, bytes));
        }
        self.far = self.high.saturating_sub(self.low) > 1 << 40;
        (self.conflicts, self.wavefronts) = passes(&self.rel, mask, key, bytes);
        parts.sort_unstable();
        self.ranges.clear();
        self.owners.clear();
        for (start, len) in parts {
            match self.ranges.last_mut() {
                Some((s, l)) if start <= *s + i64::from(*l) => *l = (*l).max((start + i64::from(len) - *s) as u32),
                _ => self.ranges.push((start, len)),
            }
        }
        self.sectors = sectors(&self.ranges, key);
    }

    /// The lane that touches the byte `rel` away from the first.
    pub(crate) fn lane_at(&self, rel: i64) -> u32 {
        let near = |lane: &usize| (self.rel[*lane] as i64..self.rel[*lane] as i64 + i64::from(self.bytes)).contains(&rel);
        lanes(self.mask).find(near).unwrap_or(self.mask.trailing_zeros() as usize & 31) as u32
    }

    /// The same, some other lane than `not` where there is one.
    pub(crate) fn lane_beside(&self, rel: i64, not: u32) -> u32 {
        let touches = |lane: &usize| (self.rel[*lane] as i64..self.rel[*lane] as i64 + i64::from(self.bytes)).contains(&rel);
        lanes(self.mask).filter(touches).map(|lane| lane as u32).find(|&lane| lane != not).unwrap_or_else(|| self.lane_at(rel))
    }

    /// The lanes that touch any of the `bytes` bytes from `rel` away from the first on.
    pub(crate) fn lanes_in(&self, rel: i64, bytes: i64) -> u32 {
        let touches = |lane: &usize| {
            let start = self.rel[*lane] as i64;
            start < rel + bytes && rel < start + i64::from(self.bytes)
        };
        lanes(self.mask).filter(touches).fold(0, |m, l| m | 1 << l)
    }

    /// Finds the owners of granules of `1 << shift` bytes, at most 4. Where the warp accesses as one, all belong to [`SEVERAL`].
    #[inline]
    pub(crate) fn own(&mut self, shift: u32, as_one: bool) {
        if self.owners.is_empty() {
            self.find_owners(shift);
            if as_one {
                self.owners.fill(SEVERAL);
            }
        }
    }

    #[cold]
    fn find_owners(&mut self, shift: u32) {
        let granule = |rel: i64| (rel + self.key as i64) >> shift;
        let mut starts = Vec::with_capacity(self.ranges.len());
        for &(start, len) in &self.ranges {
            starts.push((granule(start), self.owners.len()));
            let count = granule(start + i64::from(len) - 1) - granule(start) + 1;
            self.owners.resize(self.owners.len() + count as usize, u32::MAX);
        }
        for lane in lanes(self.mask) {
            let rel = self.rel[lane] as i64;
            let (first, place) = starts[self.ranges.partition_point(|&(start, _)| start <= rel) - 1];
            for at in granule(rel)..=granule(rel + i64::from(self.bytes) - 1) {
                let owner = &mut self.owners[place + (at - first) as usize];
                *owner = if *owner == u32::MAX { lane as u32 } else { SEVERAL };
            }
        }
    }

    /// Offset of a lane from the first.
    #[inline(always)]
    pub(crate) fn rel(&self, lane: usize) -> u64 {
        self.rel[lane]
    }
}

fn sectors(ranges: &[(i64, u32)], key: u64) -> u32 {
    let (mut count, mut last) = (0, i64::MIN);
    for &(start, len) in ranges {
        let first = (start + key as i64) >> 5;
        let end = (start + key as i64 + i64::from(len) - 1) >> 5;
        count += (end - first.max(last.saturating_add(1)) + 1).max(0);
        last = last.max(end);
    }
    count as u32
}

/// Passes through shared memory, those beyond the least and all: 8-byte accesses go in two halves of the warp, 16-byte ones in quarters; within a part, each
/// bank gives one word a pass. A part that asks for nothing but words of one before it rides along.
fn passes(rel: &[u64; 32], mask: u32, key: u64, bytes: u32) -> (u32, u32) {
    let words = bytes.div_ceil(4).max(1);
    let part = (32 / words).max(1) as usize;
    let (mut extra, mut all) = (0, 0);
    let mut given: Vec<u64> = Vec::new();
    for first in (0..32).step_by(part) {
        let mut banks: [Vec<u64>; 32] = Default::default();
        for lane in (first..first + part).filter(|l| mask >> l & 1 == 1) {
            for word in 0..u64::from(words) {
                let at = (rel[lane].wrapping_add(key) >> 2).wrapping_add(word);
                let bank = &mut banks[(at & 31) as usize];
                if !bank.contains(&at) {
                    bank.push(at);
                }
            }
        }
        let most = banks.iter().map(Vec::len).max().unwrap_or(0);
        extra += most.saturating_sub(1);
        if !banks.iter().flatten().all(|at| given.contains(at)) {
            all += most;
            given.extend(banks.iter().flatten());
        }
    }
    (extra as u32, all.max(1) as u32)
}
