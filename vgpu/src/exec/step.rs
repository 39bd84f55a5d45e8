//! Runs one warp, instruction after instruction, until it has to wait.

use super::access::{Access, Request, load, store};
use super::atomics::{self, Update};
use super::lanes::{FULL, Regs, lanes};
use super::warp::{State, Warp};
use super::worker::{BlockMemory, LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, Worker};
use super::{compare, convert, exchange, float, int, matrix};
use crate::check::FindingKind;
use crate::launch::Fault;
use crate::ptx::op::{BarKind, Finish, Inst, Op, Order, Space, Special};
use crate::ptx::types::{Class, Reg, Ty};

/// Bytes of an assertion's text that are told.
const TEXT_MOST: usize = 1024;

/// Why a warp stopped running.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stop {
    /// All its lanes left.
    Done,
    /// It came to a block barrier.
    Barrier(Arrival),
    /// Somebody else should run first.
    Yield,
}

/// One instruction about to be executed: its operands, the registers behind them, the active lanes.
#[derive(Clone, Copy)]
pub(crate) struct Turn<'a> {
    pub(crate) inst: &'a Inst,
    pub(crate) r: &'a [Reg],
    pub(crate) regs: Regs,
    pub(crate) mask: u32,
}

/// A warp at a barrier.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Arrival {
    pub(crate) kind: BarKind,
    pub(crate) id: u32,
    /// Threads expected; `u32::MAX` for all of the block.
    pub(crate) count: u32,
    /// Lanes whose predicate is true.
    pub(crate) votes: u32,
    pub(crate) lanes: u32,
}

impl Worker<'_> {
    /// Runs at most `budget` instructions.
    pub(crate) fn run_warp(&mut self, b: &mut BlockMemory, w: &mut Warp, budget: u64) -> Result<Stop, Fault> {
        let function = self.env.function;
        let regs = w.regs(function);
        let mut left = budget;
        let stop = loop {
            if w.pc == w.join {
                w.reconverge();
            }
            if w.state == State::Done {
                break Stop::Done;
            }
            if left == 0 {
                break Stop::Yield;
            }
            left -= 1;
            let pc = w.pc as usize;
            let inst = &function.code[pc];
            let mut mask = w.mask;
            if let Some((pred, negated)) = inst.guard {
                let bits = regs.pred_at(pred as usize);
                mask &= if negated { !bits } else { bits };
            }
            let count = &mut self.counts[pc];
            count[0] += 1;
            count[1] += u64::from(mask.count_ones());
            w.pc += 1;
            let turn = Turn { inst, r: inst.all(&function.pool), regs, mask };
            if !b.taints.is_empty() {
                self.follow(b, w.id, turn, w.mask);
            }
            if mask == 0 {
                continue;
            }
            if self.arithmetic(b, turn, w) {
                continue;
            }
            match self.effect(b, w, turn) {
                Ok(None) => {}
                Ok(Some(stop)) => break stop,
                Err(fault) => {
                    w.executed += budget - left;
                    return Err(fault);
                }
            }
        };
        w.executed += budget - left;
        Ok(stop)
    }

    /// What only reads and writes registers; says whether it was that.
    #[inline(always)]
    fn arithmetic(&mut self, b: &BlockMemory, turn: Turn<'_>, w: &mut Warp) -> bool {
        let Turn { inst, r, regs, mask } = turn;
        match inst.op {
            Op::Fma(Ty::F32, fin) if fin == Finish::default() => float::fma_plain(regs, r, mask),
            Op::Int2(kind, ty) => int::int2(kind, ty, regs, r, mask),
            Op::Mov32 => regs.set32(r[0], &regs.get32(r[1]), mask),
            Op::Mov64 => regs.set64(r[0], &regs.get64(r[1]), mask),
            Op::Setp { cmp, ty: ty @ (Ty::F16x2 | Ty::Bf16x2), combine, negate, ftz } => {
                let (dsts, srcs) = r.split_at(inst.dst as usize);
                let (low, high) = compare::compare_packed(cmp, ty, ftz, regs, srcs[0], srcs[1]);
                let third = third(regs, srcs, negate);
                for (&d, bits) in dsts.iter().zip([low, high]) {
                    regs.set_pred(d, compare::combined(combine, bits, third), mask);
                }
            }
            Op::Setp { cmp, ty, combine, negate, ftz } => {
                let bits = compare::compare(cmp, ty, ftz, regs, r[inst.dst as usize], r[inst.dst as usize + 1]);
                let third = third(regs, &r[inst.dst as usize..], negate);
                regs.set_pred(r[0], compare::combined(combine, bits, third), mask);
                if inst.dst == 2 {
                    regs.set_pred(r[1], compare::combined(combine, !bits, third), mask);
                }
            }
            Op::Cvt { to, from, finish, integral } => convert::cvt(to, from, finish, integral, regs, r, mask),
            Op::Fl2(kind, ty, fin) => float::float2(kind, ty, fin, regs, r, mask),
            Op::Fma(ty, fin) => float::fma(ty, fin, regs, r, mask),
            Op::Int3(kind, ty) => int::int3(kind, ty, regs, r, mask),
            Op::MulWide(ty) => int::mul_wide(ty, regs, r, mask),
            Op::MadWide(ty) => int::mad_wide(ty, regs, r, mask),
            Op::Selp(ty) => compare::selp(ty.class() == Some(Class::R64), regs, r, mask),
            Op::Cvta { space, to } => cvta(space, to, regs, r, mask),
            _ => return self.rarer(b, turn, w),
        }
        true
    }

    fn rarer(&mut self, b: &BlockMemory, turn: Turn<'_>, w: &mut Warp) -> bool {
        let Turn { inst, r, regs, mask } = turn;
        match inst.op {
            Op::Nop => {}
            Op::Int1(kind, ty) => int::int1(kind, ty, regs, r, mask),
            Op::Carry { kind, ty, uses, sets } => {
                let flag = int::carry(kind, ty, uses, w.carry, regs, r, mask);
                w.carry = if sets { flag } else { w.carry };
            }
            Op::Bfe(ty) => int::bfe(ty, regs, r, mask),
            Op::Bfi(ty) => int::bfi(ty, regs, r, mask),
            Op::Shf { left, wrap } => int::shf(left, wrap, regs, r, mask),
            Op::Prmt(mode) => int::prmt(mode, regs, r, mask),
            Op::Lop3(table) => int::lop3(table, regs, r, mask),
            Op::Dp4a { a_signed, b_signed } => int::dot(None, a_signed, b_signed, regs, r, mask),
            Op::Dp2a { a_signed, b_signed, hi } => int::dot(Some(hi), a_signed, b_signed, regs, r, mask),
            Op::Szext { signed, wrap } => int::szext(signed, wrap, regs, r, mask),
            Op::Bmsk { wrap } => int::bmsk(wrap, regs, r, mask),
            Op::Slct { ty, float, ftz } => compare::slct(ty.class() == Some(Class::R64), (float, ftz), regs, r, mask),
            Op::Set { cmp, ty, to, combine, negate, ftz } => {
                let third = third(regs, &r[1..], negate);
                let packed = matches!(ty, Ty::F16x2 | Ty::Bf16x2);
                let (low, high) = if packed {
                    compare::compare_packed(cmp, ty, ftz, regs, r[1], r[2])
                } else {
                    (compare::compare(cmp, ty, ftz, regs, r[1], r[2]), 0)
                };
                let high = packed.then(|| compare::combined(combine, high, third));
                regs.set32(r[0], &compare::spread(to, compare::combined(combine, low, third), high), mask);
            }
            Op::PredNot => regs.set_pred(r[0], !regs.pred(r[1]), mask),
            Op::PredMov => regs.set_pred(r[0], regs.pred(r[1]), mask),
            Op::PredAnd => regs.set_pred(r[0], regs.pred(r[1]) & regs.pred(r[2]), mask),
            Op::PredOr => regs.set_pred(r[0], regs.pred(r[1]) | regs.pred(r[2]), mask),
            Op::PredXor => regs.set_pred(r[0], regs.pred(r[1]) ^ regs.pred(r[2]), mask),
            Op::MovSym => {
                let value = self.env.symbols[inst.sym as usize].wrapping_add(inst.imm as u64);
                set_any(regs, r[0], &[value; 32], mask);
            }
            Op::Pack { bits } => convert::pack(bits, regs, r, mask),
            Op::Unpack { bits } => convert::unpack(bits, regs, &r[..inst.dst as usize], r[inst.dst as usize], mask),
            Op::Fl1(kind, ty, fin) => float::float1(kind, ty, fin, regs, r, mask),
            Op::DivApprox(fin) => float::div_approx(fin, regs, r, mask),
            Op::Testp(kind, ty) => regs.set_pred(r[0], compare::testp(kind, ty, regs, r[1]), mask),
            Op::CvtPack { to, finish } => convert::cvt_pack(to, finish, regs, r, mask),
            Op::CvtPackInt { to } => convert::cvt_pack_int(to, regs, r, mask),
            Op::Isspacep(space) => {
                let addresses = regs.get64(r[1]);
                let inside = |l: &usize| {
                    super::access::place(addresses[*l]).0 == if space == Space::Const { Space::Global } else { space }
                };
                regs.set_pred(r[0], (0..32).filter(inside).fold(0, |m, l| m | 1 << l), mask);
            }
            _ => return self.between_lanes(b, turn, w),
        }
        true
    }

    fn between_lanes(&mut self, b: &BlockMemory, turn: Turn<'_>, w: &mut Warp) -> bool {
        let Turn { inst, r, regs, mask } = turn;
        match inst.op {
            Op::Shfl(_) | Op::Vote { .. } | Op::MatchAny(_) | Op::MatchAll(_) => self.exchange(b, turn, w),
            Op::Redux { .. } | Op::Elect | Op::WarpSync => self.exchange(b, turn, w),
            Op::Activemask => regs.set32(r[0], &[mask; 32], mask),
            Op::Mma(_) | Op::WmmaMma { .. } | Op::Movmatrix => {
                self.all_here(b, turn, w);
                match inst.op {
                    Op::Mma(shape) => matrix::mma(shape, regs, r, mask),
                    Op::WmmaMma { shape } => matrix::wmma(shape, inst.dst.into(), regs, r, mask),
                    _ => matrix::movmatrix(regs, r, mask),
                }
            }
            Op::CpCommit => w.copies.commit(mask),
            _ => return false,
        }
        true
    }

    /// What lanes do together with those their membermask names.
    fn exchange(&mut self, b: &BlockMemory, turn: Turn<'_>, w: &mut Warp) {
        let Turn { inst, r, regs, mask: active } = turn;
        let (dsts, srcs) = r.split_at(inst.dst as usize);
        exchange::by_members(srcs[srcs.len() - 1], regs, active, |named, mask| {
            if mask != named & w.alive {
                let site = super::worker::Site { inst, warp: w.id, lane: mask.trailing_zeros() };
                let (id, alive) = (w.id, named & w.alive);
                self.report(b, site, FindingKind::DivergentBarrier, None, |_| {
                    format!(
                        "brings the lanes {mask:#010x} of warp {id} to an exchange whose membermask {named:#010x} names the living lanes {alive:#010x}"
                    )
                });
            }
            match inst.op {
                Op::Shfl(mode) => exchange::shuffle(mode, regs, dsts, srcs, mask),
                Op::Vote { kind, negate } => {
                    exchange::vote(kind, regs.pred(srcs[0]) ^ if negate { FULL } else { 0 }, dsts[0], regs, mask);
                }
                Op::MatchAny(ty) => exchange::match_any(ty, regs, dsts[0], srcs[0], mask),
                Op::MatchAll(ty) => exchange::match_all(ty, regs, dsts, srcs[0], mask),
                Op::Redux { rmw, ty } => exchange::redux(rmw, ty, regs, dsts[0], srcs[0], mask),
                Op::Elect => exchange::elect(regs, dsts, mask),
                _ => w.synchronise(named & mask),
            }
        });
    }

    /// An instruction of the whole warp wants all its lanes.
    pub(super) fn all_here(&mut self, b: &BlockMemory, turn: Turn<'_>, w: &Warp) {
        if turn.mask == w.alive {
            return;
        }
        let site = super::worker::Site { inst: turn.inst, warp: w.id, lane: turn.mask.trailing_zeros() };
        let (here, all) = (turn.mask.count_ones(), w.alive.count_ones());
        self.report(b, site, FindingKind::DivergentBarrier, None, |_| {
            format!("brings {here} of the {all} threads of warp {} to an instruction in which all must take part", w.id)
        });
    }

    /// What touches memory or the flow of control.
    fn effect(&mut self, b: &mut BlockMemory, w: &mut Warp, turn: Turn<'_>) -> Result<Option<Stop>, Fault> {
        let Turn { inst, r, regs, mask } = turn;
        let dst = inst.dst as usize;
        match inst.op {
            Op::Ld { space, ty, order: Order::Weak } => {
                let what = Transfer { ty, count: dst as u32, access: Access::Read, order: Order::Weak };
                self.transfer(b, w, turn, (space, what), |p, m| load(p, ty, &r[..dst], regs, m))?;
            }
            Op::St { space, ty, order: Order::Weak } => {
                let what = Transfer { ty, count: inst.src as u32 - 1, access: Access::Write, order: Order::Weak };
                self.transfer(b, w, turn, (space, what), |p, m| store(p, ty, &r[1..], regs, m))?;
                if !b.spoiled.is_empty() {
                    self.spoil(b);
                }
            }
            Op::Bra => {
                if w.branch(mask, inst.imm as u32, inst.join) {
                    self.counters.divergent_branches += 1;
                }
            }
            Op::Exit => w.leave(mask),
            Op::Bar { kind, aligned, negate } => return self.arrive(b, w, turn, (kind, aligned, negate)),
            Op::Ldmatrix { count, trans } => self.ldmatrix(b, w, turn, (count, trans))?,
            Op::Stmatrix { count, trans } => self.stmatrix(b, w, turn, (count, trans))?,
            Op::CpAsync { bytes } => self.copy_async(b, w, turn, bytes)?,
            Op::CpWait => {
                let landed = w.copies.wait(mask, inst.imm as u32);
                self.land(b, w, &landed);
            }
            Op::CpWaitAll => {
                let landed = w.copies.wait_all(mask);
                self.land(b, w, &landed);
            }
            _ => return self.rare_effect(b, w, turn),
        }
        Ok(None)
    }

    fn rare_effect(&mut self, b: &mut BlockMemory, w: &mut Warp, turn: Turn<'_>) -> Result<Option<Stop>, Fault> {
        let Turn { inst, r, regs, mask } = turn;
        let dst = inst.dst as usize;
        match inst.op {
            Op::MovSpecial(special) => {
                let values = self.special(special, b, w);
                set_any(regs, r[0], &values, mask);
            }
            Op::Ld { space, ty, order } => {
                let what = Transfer { ty, count: dst as u32, access: Access::Read, order };
                self.ordered(b, w, turn, (space, what), |p, m| load(p, ty, &r[..dst], regs, m))?;
            }
            Op::St { space, ty, order } => {
                let what = Transfer { ty, count: inst.src as u32 - 1, access: Access::Write, order };
                self.ordered(b, w, turn, (space, what), |p, m| store(p, ty, &r[1..], regs, m))?;
                self.spoil(b);
            }
            Op::Atom { space, rmw, ty, order } | Op::Red { space, rmw, ty, order } => {
                let update = Update { rmw, ty, values: &r[dst + 1..], old: r[..dst].first().copied() };
                let what = Transfer { ty, count: 1, access: Access::Atomic, order };
                self.ordered(b, w, turn, (space, what), |p, m| atomics::apply(&update, p, regs, m))?;
            }
            Op::Brx => self.brx(w, turn),
            Op::WmmaLoad(mem) | Op::WmmaStore(mem) => self.wmma_memory(b, w, turn, mem)?,
            Op::Fence => b.handover.fence(),
            Op::Nanosleep => return Ok(Some(Stop::Yield)),
            Op::Mbar(kind) => {
                if self.mbarrier(b, w, turn, kind)? {
                    return Ok(Some(Stop::Yield));
                }
            }
            Op::CopyLocal { from, to, bytes } => copy_local(w, self.env.function.local_bytes, from, to, bytes, mask),
            Op::Trap => {
                let site = super::worker::Site { inst, warp: w.id, lane: mask.trailing_zeros() };
                return Err(self.fault(b, site, FindingKind::Trap, "executes a trap (`__trap()`)".into(), None));
            }
            Op::Assert => {
                let site = super::worker::Site { inst, warp: w.id, lane: mask.trailing_zeros() };
                let what = self.assertion(w, inst, mask.trailing_zeros() as usize);
                return Err(self.fault(b, site, FindingKind::Assert, what, None));
            }
            other => {
                self.env.stop.store(true, std::sync::atomic::Ordering::Relaxed);
                return Err(Fault::Unsupported { what: format!("{other:?}"), line: inst.line });
            }
        }
        Ok(None)
    }

    /// One access in whatever space its lanes point to.
    #[inline(always)]
    fn transfer(
        &mut self,
        b: &mut BlockMemory,
        w: &mut Warp,
        turn: Turn<'_>,
        (space, what): (Space, Transfer),
        each: impl Fn(&[*mut u8; 32], u32),
    ) -> Result<(), Fault> {
        let inst = turn.inst;
        let addresses = self.addresses(inst, turn.r[inst.dst as usize], space, turn.regs);
        let bytes = what.ty.bytes() * what.count;
        self.by_space(space, &addresses, turn.mask, |worker, space, offsets, mask| {
            let req = Request { inst, addresses: offsets, mask, bytes, access: what.access, order: what.order, slot: inst.slot };
            let pointers = worker.pointers(b, w, space, &req)?;
            each(&pointers, mask);
            Ok(())
        })
    }

    /// A strong access, or an atomic: hands on to other blocks and takes over from them.
    fn ordered(
        &mut self,
        b: &mut BlockMemory,
        w: &mut Warp,
        turn: Turn<'_>,
        (space, what): (Space, Transfer),
        each: impl Fn(&[*mut u8; 32], u32),
    ) -> Result<(), Fault> {
        let base = turn.r[turn.inst.dst as usize];
        let addresses = self.addresses(turn.inst, base, space, turn.regs);
        let global = match space {
            Space::Generic => lanes(turn.mask).any(|l| super::access::place(addresses[l]).0 == Space::Global),
            _ => space == Space::Global,
        };
        if global && what.access != Access::Read {
            b.handover.give(&self.env.publications, b.index, what.order == Order::Release);
        }
        self.transfer(b, w, turn, (space, what), each)?;
        // A `red` gives nothing back that could tell of another block.
        if global && turn.inst.dst > 0 {
            b.handover.take(&self.env.publications);
        }
        Ok(())
    }

    /// What a lane's failed assertion says: condition, function, file and line, as far as they are there.
    fn assertion(&self, w: &Warp, inst: &Inst, lane: usize) -> String {
        let places = &self.env.function.tables[inst.imm as usize];
        let stretch = self.env.function.local_bytes as usize;
        let local = w.local.iter().flat_map(|word| word.to_le_bytes()).skip(lane * stretch).take(stretch);
        let local: Vec<u8> = local.collect();
        let word = |at: usize, bytes: usize| {
            let from = *places.get(at)? as usize;
            Some(local.get(from..from + bytes)?.iter().rev().fold(0, |all, byte| all << 8 | u64::from(*byte)))
        };
        let text = |at: usize| word(at, 8).and_then(|address| self.text(address));
        let mut what = format!("fails the assertion `{}`", text(0).unwrap_or_default());
        if let Some(function) = text(3) {
            what += &format!(" in `{function}`");
        }
        if let (Some(file), Some(line)) = (text(1), word(2, 4)) {
            what += &format!(" ({file}:{line})");
        }
        what
    }

    /// A text that ends with a zero.
    fn text(&self, address: u64) -> Option<String> {
        let mut byte = [0];
        let mut all = Vec::new();
        while all.len() < TEXT_MOST {
            self.env.memory.read(address.wrapping_add(all.len() as u64), &mut byte).ok()?;
            if byte[0] == 0 {
                break;
            }
            all.push(byte[0]);
        }
        Some(String::from_utf8_lossy(&all).into_owned())
    }

    fn brx(&mut self, w: &mut Warp, turn: Turn<'_>) {
        let Turn { inst, r, regs, mask } = turn;
        let table = &self.env.function.tables[inst.imm as usize];
        let index = regs.get32(r[0]);
        let mut groups: Vec<(u32, u32)> = Vec::new();
        let mut add = |lane: usize, target: u32| match groups.iter_mut().find(|g| g.1 == target) {
            Some(group) => group.0 |= 1 << lane,
            None => groups.push((1 << lane, target)),
        };
        // An index beyond the table is undefined; the last entry is as good as any.
        lanes(mask).for_each(|l| add(l, table[(index[l] as usize).min(table.len() - 1)]));
        lanes(w.mask & !mask).for_each(|l| add(l, w.pc));
        if w.scatter(&groups, inst.join) {
            self.counters.divergent_branches += 1;
        }
    }

    fn arrive(
        &mut self,
        b: &BlockMemory,
        w: &mut Warp,
        turn: Turn<'_>,
        (kind, aligned, negate): (BarKind, bool, bool),
    ) -> Result<Option<Stop>, Fault> {
        let Turn { inst, r, regs, mask } = turn;
        let dst = inst.dst as usize;
        let lead = mask.trailing_zeros();
        let site = super::worker::Site { inst, warp: w.id, lane: lead };
        if mask != w.alive {
            let (here, all) = (mask.count_ones(), w.alive.count_ones());
            let rule = if aligned { "all must take part" } else { "the others are taken to have arrived with them" };
            self.report(b, site, FindingKind::DivergentBarrier, None, |_| {
                format!("warp {} comes to a barrier with {here} of its {all} threads, where {rule}", w.id)
            });
        }
        self.counters.barriers += 1;
        let (id, count) = (regs.get32(r[dst])[lead as usize], regs.get32(r[dst + 1])[lead as usize]);
        let votes = r.get(dst + 2).map_or(0, |&p| regs.pred(p) ^ if negate { FULL } else { 0 }) & mask;
        w.result = r[..dst].first().copied();
        if id >= 16 || (count != u32::MAX && (count == 0 || count % 32 != 0)) {
            let what =
                format!("names barrier {id} for {} threads: barriers are 0 to 15, their threads a multiple of 32", count as i32);
            return Err(self.fault(b, site, FindingKind::Trap, what, None));
        }
        Ok(Some(Stop::Barrier(Arrival { kind, id, count, votes, lanes: mask })))
    }

    fn special(&self, special: Special, b: &BlockMemory, w: &Warp) -> [u64; 32] {
        let launch = self.env.launch;
        let [x, y, _] = launch.block;
        let tid = |lane: u32, axis: u8| {
            let t = w.id * 32 + lane;
            [t % x, t / x % y, t / (x * y)][axis as usize]
        };
        let threads = launch.block.iter().product::<u32>();
        let each = |f: &dyn Fn(u32) -> u32| std::array::from_fn(|lane| u64::from(f(lane as u32)));
        match special {
            Special::Tid(axis) => each(&|lane| tid(lane, axis)),
            Special::Laneid => each(&|lane| lane),
            Special::LanemaskEq => each(&|lane| 1 << lane),
            Special::LanemaskLt => each(&|lane| (1 << lane) - 1),
            Special::LanemaskLe => each(&|lane| (2u64 << lane).wrapping_sub(1) as u32),
            Special::LanemaskGt => each(&|lane| !((2u64 << lane).wrapping_sub(1) as u32)),
            Special::LanemaskGe => each(&|lane| !((1u32 << lane) - 1)),
            Special::Ntid(axis) => [launch.block[axis as usize].into(); 32],
            Special::Ctaid(axis) => [b.id[axis as usize].into(); 32],
            Special::Nctaid(axis) => [launch.grid[axis as usize].into(); 32],
            Special::Warpid => [w.id.into(); 32],
            Special::Nwarpid => [threads.div_ceil(32).into(); 32],
            Special::One | Special::Nsmid => [1; 32],
            // A clock that advances with the warp's own instructions keeps runs repeatable.
            Special::Clock | Special::Clock64 | Special::Globaltimer => [w.executed + 1; 32],
            Special::DynamicSmem => [launch.dynamic_shared_bytes.into(); 32],
            Special::TotalSmem => [self.env.shared_bytes.into(); 32],
            Special::Zero | Special::Smid | Special::Gridid => [0; 32],
        }
    }
}

/// What an instruction moves.
#[derive(Clone, Copy)]
struct Transfer {
    ty: Ty,
    count: u32,
    access: Access,
    order: Order,
}

/// The predicate a comparison is combined with.
#[inline(always)]
fn third(regs: Regs, srcs: &[Reg], negate: bool) -> u32 {
    srcs.get(2).map_or(0, |&p| regs.pred(p) ^ if negate { FULL } else { 0 })
}

fn set_any(regs: Regs, reg: Reg, values: &[u64; 32], mask: u32) {
    if reg.class() == Class::R64 {
        regs.set64(reg, values, mask);
    } else {
        regs.set32(reg, &values.map(|v| v as u32), mask);
    }
}

fn cvta(space: Space, to: bool, regs: Regs, r: &[Reg], mask: u32) {
    let window = match space {
        Space::Shared => SHARED_WINDOW,
        Space::Local => LOCAL_WINDOW,
        Space::Param => PARAM_WINDOW,
        _ => 0,
    };
    let by = if to { window.wrapping_neg() } else { window };
    regs.set64(r[0], &regs.get64(r[1]).map(|a| a.wrapping_add(by)), mask);
}

fn copy_local(w: &mut Warp, stretch: u32, from: u32, to: u32, bytes: u32, mask: u32) {
    // SAFETY: a view of the vector's own bytes.
    let all = unsafe { std::slice::from_raw_parts_mut(w.local.as_mut_ptr().cast::<u8>(), w.local.len() * 8) };
    for lane in lanes(mask) {
        let base = lane * stretch as usize;
        all.copy_within(base + from as usize..base + (from + bytes) as usize, base + to as usize);
    }
}
