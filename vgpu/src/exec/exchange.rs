//! Shuffles, votes, matches and reductions between the lanes of a warp.

use super::atomics::combine;
use super::lanes::{Regs, lanes};
use crate::ptx::op::{Rmw, Shfl, Vote};
use crate::ptx::types::{Class, Reg, Ty};

/// Calls `each` with every membermask that active lanes name, and those lanes: lanes with different masks have nothing to do with each other.
#[inline(always)]
pub(crate) fn by_members(members: Reg, regs: Regs, mask: u32, mut each: impl FnMut(u32, u32)) {
    let named = regs.get32(members);
    let mut left = mask;
    while left != 0 {
        let wanted = named[left.trailing_zeros() as usize];
        let alike = |lane: &usize| named[*lane] == wanted;
        let here = if members.is_const() { left } else { lanes(left).filter(alike).fold(0, |m, l| m | 1 << l) };
        each(wanted, here);
        left &= !here;
    }
}

/// `shfl.sync`: d [, p], a, b, c. A lane whose source is out of its segment, or not among `mask`, keeps its own value.
pub(crate) fn shuffle(mode: Shfl, regs: Regs, dsts: &[Reg], srcs: &[Reg], mask: u32) {
    let (a, b, c) = (regs.get32(srcs[0]), regs.get32(srcs[1]), regs.get32(srcs[2]));
    let (mut out, mut inside) = (a, 0);
    for lane in lanes(mask) {
        let l = lane as u32;
        let (by, clamp, segment) = (b[lane] & 31, c[lane] & 31, c[lane] >> 8 & 31);
        let (low, high) = (l & segment, (l & segment) | (clamp & !segment));
        let (from, ok) = match mode {
            Shfl::Up => (l.wrapping_sub(by), l as i32 - by as i32 >= high as i32),
            Shfl::Down => (l + by, l + by <= high),
            Shfl::Bfly => (l ^ by, l ^ by <= high),
            Shfl::Idx => {
                let from = low | (by & !segment);
                (from, from <= high)
            }
        };
        if ok && mask >> (from & 31) & 1 == 1 {
            out[lane] = a[from as usize & 31];
        }
        inside |= u32::from(ok) << lane;
    }
    regs.set32(dsts[0], &out, mask);
    if let Some(&p) = dsts.get(1) {
        regs.set_pred(p, inside, mask);
    }
}

/// `vote.sync` over the lanes of `mask`.
pub(crate) fn vote(kind: Vote, bits: u32, d: Reg, regs: Regs, mask: u32) {
    let yes = bits & mask;
    let truth = match kind {
        Vote::All => yes == mask,
        Vote::Any => yes != 0,
        Vote::Uni => yes == 0 || yes == mask,
        Vote::Ballot => return regs.set32(d, &[yes; 32], mask),
    };
    regs.set_pred(d, if truth { u32::MAX } else { 0 }, mask);
}

fn values(ty: Ty, a: Reg, regs: Regs) -> [u64; 32] {
    if ty.class() == Some(Class::R64) { regs.get64(a) } else { regs.get32(a).map(u64::from) }
}

/// `match.any.sync`: the lanes with the same value.
pub(crate) fn match_any(ty: Ty, regs: Regs, d: Reg, a: Reg, mask: u32) {
    let v = values(ty, a, regs);
    let same = |lane: usize| lanes(mask).filter(|&o| v[o] == v[lane]).fold(0, |m, o| m | 1 << o);
    regs.set32(d, &std::array::from_fn(same), mask);
}

/// `match.all.sync`: all lanes of `mask` if they agree, else none.
pub(crate) fn match_all(ty: Ty, regs: Regs, dsts: &[Reg], a: Reg, mask: u32) {
    let v = values(ty, a, regs);
    let first = v[mask.trailing_zeros() as usize & 31];
    let all = lanes(mask).all(|l| v[l] == first);
    regs.set32(dsts[0], &[if all { mask } else { 0 }; 32], mask);
    if let Some(&p) = dsts.get(1) {
        regs.set_pred(p, if all { u32::MAX } else { 0 }, mask);
    }
}

/// `elect.sync`: the lowest lane of `mask`, and whether a lane is that one.
pub(crate) fn elect(regs: Regs, dsts: &[Reg], mask: u32) {
    let leader = mask.trailing_zeros();
    regs.set32(dsts[0], &[leader; 32], mask);
    if let Some(&p) = dsts.get(1) {
        regs.set_pred(p, 1 << leader, mask);
    }
}

/// `redux.sync`.
pub(crate) fn redux(rmw: Rmw, ty: Ty, regs: Regs, d: Reg, a: Reg, mask: u32) {
    let v = regs.get32(a);
    let total = lanes(mask).map(|l| u64::from(v[l])).reduce(|x, y| combine(rmw, ty, x, y, 0)).unwrap_or(0);
    regs.set32(d, &[total as u32; 32], mask);
}
