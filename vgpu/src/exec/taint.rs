//! Values that came from shared memory nobody wrote. Reading them, even computing with them, is harmless as long as the results are dropped: pipelined kernels
//! read one stage too far, and tiles that hang over the edge of a matrix multiply rows that do not exist. What is told is a mark that reaches a store to global
//! memory, an address, a branch, or another lane.

use super::access::Request;
use super::lanes::lanes;
use super::step::Turn;
use super::worker::{BlockMemory, Site, Worker};
use crate::check::FindingKind;
use crate::check::shared::Trouble;
use crate::ptx::op::{Inst, Mma, Op, Space};
use crate::ptx::types::{Class, Reg, Ty};

/// A register whose lanes hold such a value.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Taint {
    warp: u32,
    reg: Reg,
    lanes: u32,
    /// The load it came from: place in the code, lane, byte of shared memory.
    pc: u32,
    lane: u32,
    byte: u32,
}

/// What an instruction does with a marked source.
enum Role {
    /// The result of a lane depends on that lane's sources.
    Lanewise,
    Select,
    /// Rows of A and columns of B spread over the lanes of D.
    Matrix(Mma),
    /// The mark moves on to shared memory.
    ToShared(Ty),
    /// Whatever leaves the warp's registers, decides where it goes, or what it does next.
    Use,
}

fn role(op: Op) -> Role {
    match op {
        Op::Mma(shape) => Role::Matrix(shape),
        Op::St { space: Space::Shared, ty, .. } => Role::ToShared(ty),
        Op::Selp(_) => Role::Select,
        Op::St { .. } | Op::Ld { .. } | Op::Atom { .. } | Op::Red { .. } | Op::CpAsync { .. } | Op::Mbar(_) => Role::Use,
        Op::Bra | Op::Exit | Op::Trap | Op::Assert | Op::Brx | Op::Bar { .. } | Op::Vote { .. } => Role::Use,
        Op::Shfl(_) | Op::MatchAny(_) | Op::MatchAll(_) | Op::Redux { .. } | Op::Movmatrix => Role::Use,
        Op::Ldmatrix { .. } | Op::Stmatrix { .. } | Op::WmmaLoad(_) | Op::WmmaStore(_) | Op::WmmaMma { .. } => Role::Use,
        _ => Role::Lanewise,
    }
}

/// Registers and lanes of D that depend on source `at` (A, then B, then C) in the lanes `from`.
fn through_matrix(shape: Mma, at: usize, from: u32, dsts: &[Reg]) -> Vec<(Reg, u32)> {
    let (na, nb) = shape.registers();
    let groups =
        |keep: &dyn Fn(u32, u32) -> bool| (0..32).filter(|&l| lanes(from).any(|f| keep(f as u32, l))).fold(0, |m, l| m | 1 << l);
    let packed = shape.d.bits() == 16;
    let in_half = |d: usize, half: usize| if packed { d == half } else { d / 2 == half };
    if at < na {
        let half = if shape.m == 16 { at & 1 } else { 0 };
        let row = groups(&|f, l| f / 4 == l / 4);
        dsts.iter().enumerate().filter(|(d, _)| in_half(*d, half)).map(|(_, &r)| (r, row)).collect()
    } else if at < na + nb {
        // Column n of D lies in lanes with the same n / 2, in its even or odd registers.
        let of = |parity: u32| groups(&|f, l| (f / 4) / 2 == l % 4 && (packed || f / 4 % 2 == parity));
        dsts.iter().enumerate().map(|(d, &r)| (r, of(d as u32 & 1))).filter(|m| m.1 != 0).collect()
    } else {
        dsts.get(at - na - nb).map(|&r| (r, from)).into_iter().collect()
    }
}

/// Adds a mark; a register that has one keeps where it came from.
fn mark(taints: &mut Vec<Taint>, new: Taint) {
    match taints.iter_mut().find(|t| t.warp == new.warp && t.reg == new.reg) {
        Some(old) => old.lanes |= new.lanes,
        None => taints.push(new),
    }
}

impl Worker<'_> {
    /// A load found bytes nobody wrote: marks what it loads, or tells it at once where that cannot be followed.
    pub(crate) fn taint(&mut self, b: &mut BlockMemory, warp: u32, req: &Request<'_>, (lane, byte): (u32, u32)) {
        let function = self.env.function;
        let start = function.code.as_ptr() as usize;
        let pc = ((std::ptr::from_ref(req.inst) as usize - start) / size_of::<Inst>()) as u32;
        let dsts = req.inst.dsts(&function.pool);
        let unwritten = |at: u64, bytes: u32| b.shadow.unwritten(b.shadow.granules(at as u32, bytes));
        let marks: Vec<(Reg, u32)> = match req.inst.op {
            Op::Ld { ty, .. } => {
                let part = |j: usize| {
                    let at = |l: usize| req.addresses[l] + u64::from(ty.bytes()) * j as u64;
                    lanes(req.mask).filter(|&l| unwritten(at(l), ty.bytes())).fold(0, |m, l| m | 1 << l)
                };
                dsts.iter().enumerate().map(|(j, &d)| (d, part(j))).collect()
            }
            Op::Ldmatrix { trans, .. } => {
                // A lane gets two neighbours of one row, or transposed one of each of two rows.
                let lacks = |i: usize, l: usize| {
                    let row = |r: usize, unit: usize, bytes: u32| unwritten(req.addresses[8 * i + r] + 2 * unit as u64, bytes);
                    let (line, pair) = (l / 4, l % 4 * 2);
                    if trans { row(pair, line, 2) || row(pair + 1, line, 2) } else { row(line, pair, 4) }
                };
                let part = |i: usize| (0..32).filter(|&l| lacks(i, l)).fold(0, |m, l| m | 1 << l);
                dsts.iter().enumerate().map(|(i, &d)| (d, part(i))).collect()
            }
            _ => return self.shared_trouble(b, warp, lane, req, byte, Trouble::Uninitialised),
        };
        let marks = marks.into_iter().filter(|m| m.1 != 0);
        marks.for_each(|(reg, lanes)| mark(&mut b.taints, Taint { warp, reg, lanes, pc, lane, byte }));
    }

    /// Before an instruction is executed: follows the marks through it.
    #[cold]
    pub(crate) fn follow(&mut self, b: &mut BlockMemory, warp: u32, turn: Turn<'_>, present: u32) {
        let guard = turn.inst.guard.map(|(slot, _)| Reg::new(Class::Pred, slot));
        let (dsts, srcs) = turn.r.split_at(turn.inst.dst as usize);
        let (mut carried, mut used) = (Vec::new(), Vec::new());
        for at in 0..b.taints.len() {
            let taint = b.taints[at];
            if taint.warp != warp || taint.lanes & present == 0 {
                continue;
            }
            if guard == Some(taint.reg) && !self.guarded(turn, taint, &mut carried) {
                used.push(taint);
                b.taints[at].lanes = 0;
            }
            if taint.lanes & turn.mask == 0 {
                continue;
            }
            for (place, _) in srcs.iter().enumerate().filter(|(_, r)| **r == taint.reg) {
                if self.pass(b, turn, (taint, place), &mut carried) {
                    used.push(taint);
                    b.taints[at].lanes = 0;
                }
            }
            if dsts.contains(&taint.reg) {
                b.taints[at].lanes &= !turn.mask;
            }
        }
        b.taints.retain(|t| t.lanes != 0);
        carried.into_iter().for_each(|new| mark(&mut b.taints, new));
        for taint in used {
            let site = Site { inst: &self.env.function.code[taint.pc as usize], warp, lane: taint.lane };
            let (byte, line) = (taint.byte, turn.inst.line);
            self.report(b, site, FindingKind::UninitialisedShared, Some(byte.into()), |_| {
                format!("warp {warp} reads shared memory at offset {byte:#x}, which nobody has written; ptx line {line} uses what came of it")
            });
        }
    }

    /// A marked guard passes on to the results; says whether that is all it decides.
    fn guarded(&self, turn: Turn<'_>, taint: Taint, carried: &mut Vec<Taint>) -> bool {
        let dsts = &turn.r[..turn.inst.dst as usize];
        carried.extend(dsts.iter().map(|&reg| Taint { reg, ..taint }));
        matches!(role(turn.inst.op), Role::Lanewise | Role::Select)
    }

    /// Passes a mark on from source `place`; says whether the instruction uses it instead.
    fn pass(&self, b: &mut BlockMemory, turn: Turn<'_>, (taint, place): (Taint, usize), carried: &mut Vec<Taint>) -> bool {
        let (dsts, srcs) = turn.r.split_at(turn.inst.dst as usize);
        let from = taint.lanes & turn.mask;
        let mut give = |reg: Reg, lanes: u32| carried.push(Taint { reg, lanes, ..taint });
        match role(turn.inst.op) {
            Role::Lanewise => dsts.iter().for_each(|&d| give(d, from)),
            Role::Select => {
                let first = turn.regs.pred(srcs[2]);
                let picked = [first, !first, u32::MAX][place];
                give(dsts[0], from & picked);
            }
            Role::Matrix(shape) => through_matrix(shape, place, from, dsts).into_iter().for_each(|(d, lanes)| give(d, lanes)),
            Role::ToShared(ty) if place > 0 => {
                let addresses = self.addresses(turn.inst, srcs[0], Space::Shared, turn.regs);
                let offset = ty.bytes() * (place as u32 - 1);
                b.spoiled.extend(lanes(from).map(|l| (addresses[l] as u32 + offset, ty.bytes())));
            }
            Role::ToShared(_) | Role::Use => return true,
        }
        false
    }

    /// After a store to shared memory: what it wrote is as good as not written where the value was not.
    pub(crate) fn spoil(&mut self, b: &mut BlockMemory) {
        for (byte, bytes) in std::mem::take(&mut b.spoiled) {
            let range = b.shadow.granules(byte, bytes);
            b.shadow.unwrite(range);
        }
    }
}
