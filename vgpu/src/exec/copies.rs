//! `cp.async`: copies that are under way. Their bytes become visible only where the thread waits for them.

use std::collections::VecDeque;

use super::lanes::lanes;

/// One lane's copy.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Copy {
    pub(crate) lane: u8,
    pub(crate) bytes: u8,
    /// Byte offset in shared memory.
    pub(crate) to: u32,
    pub(crate) data: [u8; 16],
}

#[derive(Debug, Default)]
struct Group {
    /// Lanes that closed it.
    lanes: u32,
    copies: Vec<Copy>,
}

/// The copies of one warp: those not yet in a group, and the groups, oldest first.
#[derive(Debug, Default)]
pub(crate) struct Copies {
    open: Vec<Copy>,
    groups: VecDeque<Group>,
}

impl Copies {
    pub(crate) fn clear(&mut self) {
        self.open.clear();
        self.groups.clear();
    }

    pub(crate) fn issue(&mut self, copy: Copy) {
        self.open.push(copy);
    }

    /// `cp.async.commit_group` by the lanes of `mask`.
    pub(crate) fn commit(&mut self, mask: u32) {
        let taken = |c: &Copy| mask >> c.lane & 1 == 1;
        let copies = self.open.iter().copied().filter(taken).collect();
        self.open.retain(|c| !taken(c));
        self.groups.push_back(Group { lanes: mask, copies });
    }

    /// `cp.async.wait_group keep`: what of the lanes in `mask` must have landed, in order of issue. A lane counts only groups it closed itself.
    pub(crate) fn wait(&mut self, mask: u32, keep: u32) -> Vec<Copy> {
        let mut newer = [0u32; 32];
        let mut landed = Vec::new();
        for group in self.groups.iter_mut().rev() {
            let due = lanes(mask).filter(|&l| newer[l] >= keep).fold(0u32, |m, l| m | 1 << l);
            let mut here: Vec<Copy> = group.copies.iter().copied().filter(|c| due >> c.lane & 1 == 1).collect();
            group.copies.retain(|c| due >> c.lane & 1 == 0);
            here.append(&mut landed);
            landed = here;
            lanes(group.lanes).for_each(|l| newer[l] += 1);
            group.lanes &= !due;
        }
        while self.groups.front().is_some_and(|g| g.lanes == 0 && g.copies.is_empty()) {
            self.groups.pop_front();
        }
        landed
    }

    /// `cp.async.wait_all`: also what is in no group yet.
    pub(crate) fn wait_all(&mut self, mask: u32) -> Vec<Copy> {
        let mut landed = self.wait(mask, 0);
        landed.extend(self.open.iter().copied().filter(|c| mask >> c.lane & 1 == 1));
        self.open.retain(|c| mask >> c.lane & 1 == 0);
        landed
    }
}
