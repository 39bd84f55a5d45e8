//! Values that came from shared memory nobody wrote. Reading them is harmless (pipelined kernels read one stage too far and drop it); using them is not.
//! Moves carry the mark along, anything else that takes such a value is told.

use super::access::Request;
use super::lanes::lanes;
use super::step::Turn;
use super::worker::{BlockMemory, Site, Worker};
use crate::check::FindingKind;
use crate::check::shared::Trouble;
use crate::ptx::op::{Inst, Op};
use crate::ptx::types::Reg;

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

/// Instructions that only carry values on.
fn carries(op: Op) -> bool {
    matches!(op, Op::Mov32 | Op::Mov64 | Op::Pack { .. } | Op::Unpack { .. } | Op::Selp(_))
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
            Op::Ldmatrix { .. } => {
                let any = |i: usize| (8 * i..8 * i + 8).any(|l| unwritten(req.addresses[l], 16));
                dsts.iter().enumerate().map(|(i, &d)| (d, if any(i) { u32::MAX } else { 0 })).collect()
            }
            _ => return self.shared_trouble(b, warp, lane, req, byte, Trouble::Uninitialised),
        };
        let marks = marks.into_iter().filter(|m| m.1 != 0);
        b.taints.extend(marks.map(|(reg, lanes)| Taint { warp, reg, lanes, pc, lane, byte }));
    }

    /// Before an instruction is executed: follows the marks through it.
    #[cold]
    pub(crate) fn follow(&mut self, b: &mut BlockMemory, warp: u32, turn: Turn<'_>) {
        let (dsts, srcs) = turn.r.split_at(turn.inst.dst as usize);
        let mut carried = Vec::new();
        let mut used = Vec::new();
        for taint in b.taints.iter_mut().filter(|t| t.warp == warp && t.lanes & turn.mask != 0) {
            if srcs.contains(&taint.reg) {
                if carries(turn.inst.op) {
                    carried.extend(dsts.iter().map(|&reg| Taint { reg, lanes: taint.lanes & turn.mask, ..*taint }));
                } else {
                    used.push(*taint);
                    taint.lanes = 0;
                }
            }
            if dsts.contains(&taint.reg) {
                taint.lanes &= !turn.mask;
            }
        }
        b.taints.retain(|t| t.lanes != 0);
        b.taints.extend(carried);
        for taint in used {
            let site = Site { inst: &self.env.function.code[taint.pc as usize], warp, lane: taint.lane };
            let (byte, line) = (taint.byte, turn.inst.line);
            self.report(b, site, FindingKind::UninitialisedShared, Some(byte.into()), |_| {
                format!("warp {warp} reads shared memory at offset {byte:#x}, which nobody has written, and uses it at ptx line {line}")
            });
        }
    }
}
