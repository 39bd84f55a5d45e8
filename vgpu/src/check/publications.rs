//! What blocks handed on to other blocks during one launch, and when.
//!
//! A block hands on what it did by a release, or by a fence and a strong store or an atomic after it (PTX ISA, "Memory Consistency Model", release patterns); it
//! takes over what others handed on by a strong load or an atomic with a result. Which word one block writes and another reads is not followed, nor whether a
//! fence comes after the load: whatever was handed on before it counts. What a block does carries a stamp, the number of its releases and fences so far.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

/// All blocks' publications; their clock counts them.
#[derive(Debug, Default)]
pub(crate) struct Publications {
    clock: AtomicU64,
    known: Mutex<Known>,
}

#[derive(Debug, Default)]
struct Known {
    /// By block and stamp.
    times: HashMap<u32, Vec<u64>>,
    /// The first two blocks that published anything, and when.
    first: Vec<(u32, u64)>,
}

impl Publications {
    /// `block` hands on all it did under stamps below `stamp`. Comes before the store that others see.
    fn publish(&self, block: u32, stamp: u32) {
        let mut known = self.known();
        let now = self.clock.fetch_add(1, Ordering::SeqCst) + 1;
        known.times.entry(block).or_default().resize(stamp as usize, now);
        if known.first.len() < 2 && known.first.iter().all(|f| f.0 != block) {
            known.first.push((block, now));
        }
    }

    /// Whether what `block` did under `stamp` was handed on to a block that took over last at `taken`.
    pub(crate) fn reached(&self, block: u32, stamp: u32, taken: u64) -> bool {
        self.known().times.get(&block).and_then(|times| times.get(stamp as usize)).is_some_and(|at| *at <= taken)
    }

    /// Whether any block but `block` had handed on anything at `taken`.
    pub(crate) fn others_reached(&self, block: u32, taken: u64) -> bool {
        self.known().first.iter().any(|&(other, at)| other != block && at <= taken)
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One block's part.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Handover {
    /// Of what the block does now.
    pub(crate) stamp: u32,
    /// Stamps below this one are published.
    published: u32,
    /// Of the strong access being made.
    pub(crate) strong: u32,
    /// When the block took over last.
    pub(crate) taken: u64,
}

impl Handover {
    /// A fence: what comes after it is not handed on with what came before.
    pub(crate) fn fence(&mut self) {
        self.stamp += 1;
    }

    /// `block` is about to store strongly, or to update; the access itself belongs to what it hands on.
    pub(crate) fn give(&mut self, all: &Publications, block: u32, releases: bool) {
        self.stamp += u32::from(releases);
        self.strong = self.stamp;
        if self.published < self.stamp {
            self.published = self.stamp;
            self.strong = self.stamp - 1;
            all.publish(block, self.stamp);
        }
    }

    /// The block has loaded strongly.
    pub(crate) fn take(&mut self, all: &Publications) {
        self.taken = all.clock.load(Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_came_before_a_fence_is_handed_on_by_the_store_after_it() {
        let (all, mut one, mut two) = (Publications::default(), Handover::default(), Handover::default());
        one.fence();
        two.take(&all);
        assert!(!all.reached(1, 0, two.taken), "nothing was stored since the fence");
        one.give(&all, 1, false);
        assert!(!all.reached(1, 0, two.taken), "the other block did not look since");
        two.take(&all);
        assert!(all.reached(1, 0, two.taken) && !all.reached(1, 1, two.taken), "what came after the fence stays");
        assert!(all.others_reached(2, two.taken) && !all.others_reached(1, two.taken));
        one.give(&all, 1, true);
        two.take(&all);
        assert!(all.reached(1, 1, two.taken), "a release needs no fence");
    }
}
