//! Empties the caches between calls.

use std::sync::atomic::{AtomicU64, Ordering};

use super::Team;

/// A buffer of twice the last-level cache that is written and read to drive everything else out.
///
/// Twice, since replacement is not strictly least-recently-used; written, since a victim cache may keep dirty lines of others.
#[derive(Debug)]
pub(super) struct Flush {
    lines: Vec<Line>,
}

/// One cache line.
#[derive(Debug, Default)]
#[repr(align(64))]
struct Line(AtomicU64);

impl Flush {
    /// For a last-level cache of `llc_bytes`.
    pub(super) fn new(llc_bytes: u64) -> Self {
        let lines = usize::try_from(2 * llc_bytes / size_of::<Line>() as u64).expect("a cache fits the address space");
        Self { lines: (0..lines.max(1)).map(|_| Line::default()).collect() }
    }

    /// Bytes walked by one flush.
    #[cfg(test)]
    pub(super) fn bytes(&self) -> usize {
        self.lines.len() * size_of::<Line>()
    }

    /// Writes, then reads every line. With several threads each walks its own stretch, so that private caches are emptied too.
    pub(super) fn run(&self, team: &Team, threads: usize) {
        let threads = threads.clamp(1, team.size());
        let stretch = self.lines.len().div_ceil(threads);
        team.run(threads, &|rank| {
            let start = (rank * stretch).min(self.lines.len());
            let own = &self.lines[start..(start + stretch).min(self.lines.len())];
            own.iter().for_each(|line| line.0.store(line.0.load(Ordering::Relaxed) + 1, Ordering::Relaxed));
            std::hint::black_box(own.iter().map(|line| line.0.load(Ordering::Relaxed)).fold(0, u64::wrapping_add));
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flush_touches_every_line_of_twice_the_cache_once() {
        for (llc, threads) in [(64u64, 1), (1 << 16, 1), (1 << 16, 2), ((1 << 16) + 64, 3)] {
            let (team, flush) = (Team::new(threads), Flush::new(llc));
            assert_eq!(flush.bytes() as u64, 2 * llc);
            (0..3).for_each(|_| flush.run(&team, threads));
            assert!(flush.lines.iter().all(|line| line.0.load(Ordering::Relaxed) == 3), "{llc} B, {threads} threads");
        }
    }
}
