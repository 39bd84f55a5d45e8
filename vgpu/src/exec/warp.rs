//! One warp: registers, program counter, and the stack of lanes that wait for each other.
//!
//! Divergence follows a stack of immediate post-dominators: when a branch splits the warp, both sides run one after the other up to the place all their paths
//! share, and go on together from there.

use super::copies::Copies;
use super::lanes::{L32, L64, Regs};
use crate::check::lanes::{Moment, Parted};
use crate::ptx::Function;
use crate::ptx::types::Reg;

/// Lanes that wait to go on at `pc`, up to `join`.
#[derive(Debug, Clone, Copy)]
struct Waiting {
    pc: u32,
    mask: u32,
    join: u32,
}

/// What a warp is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum State {
    Ready,
    /// Waits at this barrier.
    Waits(u8),
    Done,
}

/// One warp.
pub(crate) struct Warp {
    pub(crate) id: u32,
    r32: Vec<L32>,
    r64: Vec<L64>,
    preds: Vec<u32>,
    pub(crate) pc: u32,
    pub(crate) mask: u32,
    pub(crate) join: u32,
    pub(crate) alive: u32,
    stack: Vec<Waiting>,
    pub(crate) carry: u32,
    pub(crate) copies: Copies,
    /// Times lanes of the warp synchronised: `__syncwarp`s, and barriers they waited at.
    syncs: u32,
    /// Which lanes know of which, where some have synchronised since all did.
    pub(crate) parted: Option<Box<Parted>>,
    pub(crate) executed: u64,
    /// Local memory, one stretch a lane.
    pub(crate) local: Vec<u64>,
    pub(crate) state: State,
    /// Where a reducing barrier puts its result.
    pub(crate) result: Option<Reg>,
}

impl Warp {
    /// A warp for `function`; `start` makes it ready.
    pub(crate) fn new(function: &Function) -> Self {
        let [n32, n64, preds] = function.slots.map(|s| s as usize + 1);
        Self {
            id: 0,
            r32: vec![L32([0; 32]); n32],
            r64: vec![L64([0; 32]); n64],
            preds: vec![0; preds],
            pc: 0,
            mask: 0,
            join: u32::MAX,
            alive: 0,
            stack: Vec::new(),
            carry: 0,
            copies: Copies::default(),
            syncs: 0,
            parted: None,
            executed: 0,
            local: vec![0; function.local_bytes as usize / 8 * 32],
            state: State::Ready,
            result: None,
        }
    }

    /// Back to the first instruction with the given lanes; registers hold zeros, so that nothing depends on which block ran here before.
    pub(crate) fn start(&mut self, id: u32, mask: u32) {
        self.r32.fill(L32([0; 32]));
        self.r64.fill(L64([0; 32]));
        self.preds.fill(0);
        self.local.fill(0);
        self.stack.clear();
        self.copies.clear();
        (self.id, self.pc, self.mask, self.alive, self.join) = (id, 0, mask, mask, u32::MAX);
        (self.carry, self.syncs, self.parted, self.executed) = (0, 0, None, 0);
        (self.state, self.result) = (State::Ready, None);
    }

    /// Now, as the shadow of lanes has it.
    #[inline(always)]
    pub(crate) fn moment(&self) -> Moment {
        Moment::new(self.id, self.syncs)
    }

    /// The lanes of `group` synchronise.
    pub(crate) fn synchronise(&mut self, group: u32) {
        let before = self.syncs;
        self.syncs = before.wrapping_add(1);
        if self.alive & !group == 0 {
            self.parted = None;
        } else {
            self.parted.get_or_insert_with(|| Box::new(Parted::since(before))).meet(group, self.syncs);
        }
    }

    /// Its registers, with the constants of its function.
    pub(crate) fn regs(&mut self, function: &Function) -> Regs {
        Regs {
            r32: self.r32.as_mut_ptr().cast(),
            c32: function.consts32.as_ptr(),
            r64: self.r64.as_mut_ptr().cast(),
            c64: function.consts64.as_ptr(),
            preds: self.preds.as_mut_ptr(),
        }
    }

    /// Sends `taken` to `target` and the rest to the next instruction; says whether the warp split.
    pub(crate) fn branch(&mut self, taken: u32, target: u32, join: u32) -> bool {
        let rest = self.mask & !taken;
        if rest == 0 {
            self.pc = target;
            return false;
        }
        if taken == 0 {
            return false;
        }
        self.wait_at(join);
        let next = self.pc;
        if target == join {
            self.mask = rest;
        } else if next == join {
            (self.mask, self.pc) = (taken, target);
        } else {
            self.stack.push(Waiting { pc: target, mask: taken, join });
            self.mask = rest;
        }
        self.join = join;
        true
    }

    /// All present lanes meet again at `join`, unless that is where they were going anyway.
    fn wait_at(&mut self, join: u32) {
        if self.join != join && join != u32::MAX {
            self.stack.push(Waiting { pc: join, mask: self.mask, join: self.join });
        }
    }

    /// Sends groups of lanes to targets of their own.
    pub(crate) fn scatter(&mut self, groups: &[(u32, u32)], join: u32) -> bool {
        if let [(_, target)] = groups {
            self.pc = *target;
            return false;
        }
        self.wait_at(join);
        self.join = join;
        for &(mask, pc) in groups.iter().filter(|g| g.1 != join) {
            self.stack.push(Waiting { pc, mask, join });
        }
        self.reconverge();
        true
    }

    /// The present lanes are where they wait for others: goes on with those that still have to come, or with all.
    pub(crate) fn reconverge(&mut self) {
        while let Some(top) = self.stack.pop() {
            (self.pc, self.mask, self.join) = (top.pc, top.mask & self.alive, top.join);
            if self.mask != 0 && self.pc != self.join {
                return;
            }
        }
        self.mask = 0;
        self.state = State::Done;
    }

    /// Lanes leave for good.
    pub(crate) fn leave(&mut self, mask: u32) {
        self.alive &= !mask;
        self.mask &= !mask;
        if self.mask == 0 {
            self.reconverge();
        }
    }
}
