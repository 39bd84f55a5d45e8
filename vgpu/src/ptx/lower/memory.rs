//! Loads, stores, atomics, asynchronous copies.

use super::super::op::{Mbar, NO_SYM, Op, Order, Rmw, Space, Symbol};
use super::super::syntax::Arg;
use super::super::types::{Class, Reg, Ty};
use super::convert::take_space;
use super::modifiers::Mods;
use super::operands::Address;
use super::{Lower, Res};

impl<'a> Lower<'a, '_> {
    pub(super) fn memory(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<bool> {
        match base {
            "ld" | "ldu" => self.load(mods, args)?,
            "st" => self.store(mods, args)?,
            "atom" | "red" => self.atomic(base, mods, args)?,
            "cp" => self.copy_async(mods, args)?,
            "mbarrier" => self.mbarrier(mods, args)?,
            "prefetch" | "prefetchu" | "applypriority" | "discard" => {
                mods.words.clear();
                self.push(Op::Nop, &[], &[]);
            }
            "createpolicy" => {
                mods.words.clear();
                let d = self.dst(self.arg(args, 0)?, Ty::B64)?;
                let zero = self.constant(Class::R64, 0);
                self.push(Op::Mov64, &[d], &[zero]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Ordering, scope, cache hints; what is left are types and the vector width.
    fn access(&mut self, mods: &mut Mods<'a>) -> (Space, Order, Ty, u32) {
        let space = take_space(mods).unwrap_or(Space::Generic);
        let order = order(mods);
        mods.drop_if(|w| {
            matches!(w, "weak" | "ca" | "cg" | "cs" | "lu" | "cv" | "nc" | "wb" | "wt" | "unified")
                || (w.contains("::") && (w.starts_with("L1") || w.starts_with("L2") || w.ends_with("L2::cache_hint")))
        });
        let lanes = match mods.take_any(&["v2", "v4", "v8"]) {
            Some("v2") => 2,
            Some("v4") => 4,
            Some(_) => 8,
            None => 1,
        };
        (space, order, mods.ty().unwrap_or(Ty::B128), lanes)
    }

    /// Symbols decide the space of parameters: those of expanded functions lie in local memory.
    fn placed(&self, space: Space, address: Address) -> Space {
        if address.sym == NO_SYM {
            return space;
        }
        match (space, &self.out.symbols[address.sym as usize]) {
            (Space::Param, Symbol::Local(_)) | (Space::Generic, Symbol::Local(_)) => Space::Local,
            (Space::Generic, Symbol::Param(_)) => Space::Param,
            (Space::Generic, Symbol::Shared(_) | Symbol::Dynamic) => Space::Shared,
            (space, _) => space,
        }
    }

    /// Gives the last instruction its address and a place in the table of memory instructions.
    pub(super) fn addressed(&mut self, op: Op, dsts: &[Reg], address: Address, rest: &[Reg]) {
        let mut srcs = vec![address.base];
        srcs.extend_from_slice(rest);
        let slot = self.out.slots;
        // A copy touches two places.
        self.out.slots += 1 + u32::from(matches!(op, Op::CpAsync { .. }));
        let inst = self.push(op, dsts, &srcs);
        (inst.sym, inst.imm, inst.slot) = (address.sym, address.offset, slot);
    }

    fn load(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let (space, order, ty, lanes) = self.access(mods);
        let list = self.list(self.arg(args, 0)?);
        self.check_width(mods, ty, lanes, list.len())?;
        let dsts: Res<Vec<Reg>> = list.iter().map(|a| self.any_dst(a)).collect();
        let address = self.address(self.arg(args, 1)?)?;
        let space = self.placed(space, address);
        self.addressed(Op::Ld { space, ty, order }, &dsts?, address, &[]);
        Ok(())
    }

    fn check_width(&self, mods: &Mods<'a>, ty: Ty, lanes: u32, given: usize) -> Res<()> {
        if ty == Ty::B128 {
            return self.fail(format!("`{}`: 128-bit registers are not supported", mods.opcode));
        }
        if lanes as usize != given {
            return self.fail(format!("`{}` wants `{lanes}` registers, not `{given}`", mods.opcode));
        }
        Ok(())
    }

    fn store(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        if mods.words.contains(&"async") {
            return self.fail(format!("opcode `{}` is not supported", mods.opcode));
        }
        let (space, order, ty, lanes) = self.access(mods);
        let address = self.address(self.arg(args, 0)?)?;
        let list = self.list(self.arg(args, 1)?);
        self.check_width(mods, ty, lanes, list.len())?;
        let values: Res<Vec<Reg>> = list.iter().map(|a| self.natural(a, ty)).collect();
        let space = self.placed(space, address);
        self.addressed(Op::St { space, ty, order }, &[], address, &values?);
        Ok(())
    }

    fn atomic(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        if mods.words.iter().any(|w| matches!(*w, "async" | "v2" | "v4" | "v8" | "b128")) {
            return self.fail(format!("opcode `{}` is not supported", mods.opcode));
        }
        // Without a word an atomic is relaxed.
        let order = if order(mods) == Order::Release { Order::Release } else { Order::Strong };
        mods.drop_if(|w| matches!(w, "noftz" | "L2::cache_hint"));
        let space = take_space(mods).unwrap_or(Space::Generic);
        let rmw = match mods.take_any(&["add", "min", "max", "and", "or", "xor", "inc", "dec", "exch", "cas"]) {
            Some("add") => Rmw::Add,
            Some("min") => Rmw::Min,
            Some("max") => Rmw::Max,
            Some("and") => Rmw::And,
            Some("or") => Rmw::Or,
            Some("xor") => Rmw::Xor,
            Some("inc") => Rmw::Inc,
            Some("dec") => Rmw::Dec,
            Some("exch") => Rmw::Exch,
            Some(_) => Rmw::Cas,
            None => return self.fail(format!("`{}` names no operation this GPU knows", mods.opcode)),
        };
        let ty = mods.ty()?;
        let at = usize::from(base == "atom");
        let address = self.address(self.arg(args, at)?)?;
        let mut values = vec![self.src(self.arg(args, at + 1)?, ty)?];
        if rmw == Rmw::Cas {
            values.push(self.src(self.arg(args, at + 2)?, ty)?);
        }
        let space = self.placed(space, address);
        if base == "atom" {
            let d = self.dst(self.arg(args, 0)?, ty)?;
            self.addressed(Op::Atom { space, rmw, ty, order }, &[d], address, &values);
        } else {
            self.addressed(Op::Red { space, rmw, ty, order }, &[], address, &values);
        }
        Ok(())
    }

    fn copy_async(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let plain = mods.take("async") && !mods.words.iter().any(|w| matches!(*w, "bulk" | "mbarrier" | "reduce"));
        if !plain {
            return self.fail(format!("opcode `{}` is not supported", mods.opcode));
        }
        if mods.take("commit_group") {
            self.push(Op::CpCommit, &[], &[]);
        } else if mods.take("wait_all") {
            self.push(Op::CpWaitAll, &[], &[]);
        } else if mods.take("wait_group") {
            let keep = self.number(self.arg(args, 0)?)?;
            self.push(Op::CpWait, &[], &[]).imm = keep;
        } else {
            let past_l1 = mods.take("cg");
            mods.drop_if(|w| matches!(w, "ca" | "shared" | "shared::cta" | "global") || w.starts_with("L2::"));
            self.copy_issue(past_l1, args)?;
        }
        Ok(())
    }

    fn copy_issue(&mut self, past_l1: bool, args: &[Arg<'a>]) -> Res<()> {
        let (to, from) = (self.address(self.arg(args, 0)?)?, self.address(self.arg(args, 1)?)?);
        let bytes = self.number(self.arg(args, 2)?)?;
        if !matches!(bytes, 4 | 8 | 16) {
            return self.fail(format!("`cp.async` of `{bytes}` bytes: only 4, 8 and 16 can be copied"));
        }
        if past_l1 && bytes != 16 {
            return self.fail(format!("`cp.async.cg` of `{bytes}` bytes: only 16 can be copied; hint: `.ca` copies 4 and 8"));
        }
        // The address of the source needs a register of its own: an instruction carries one symbol and one offset.
        let source = self.flattened(from);
        let size = match args.get(3) {
            // Ignoring the source under a predicate is a copy of no bytes.
            Some(arg) if self.is_predicate(arg) => {
                let (p, negated) = self.pred(arg)?;
                let d = self.fresh(Class::R32);
                let (zero, all) = (self.constant(Class::R32, 0), self.constant(Class::R32, bytes as u64));
                let picked = if negated { [all, zero] } else { [zero, all] };
                self.push(Op::Selp(Ty::B32), &[d], &[picked[0], picked[1], p]);
                d
            }
            // A 64-bit register here is a cache policy.
            Some(arg @ Arg::Name { .. }) => match self.natural(arg, Ty::U32)? {
                reg if reg.class() == Class::R32 => reg,
                _ => self.constant(Class::R32, bytes as u64),
            },
            _ => self.constant(Class::R32, bytes as u64),
        };
        self.addressed(Op::CpAsync { bytes: bytes as u8 }, &[], to, &[source, size]);
        Ok(())
    }

    fn is_predicate(&self, arg: &Arg<'a>) -> bool {
        match arg {
            Arg::Not(_) => true,
            Arg::Name { text, .. } => self.any_register(text).is_some_and(|(r, _)| r.class() == Class::Pred),
            _ => false,
        }
    }

    fn flattened(&mut self, address: Address) -> Reg {
        if address.sym == NO_SYM && address.offset == 0 && address.base.class() == Class::R64 {
            return address.base;
        }
        let whole = self.fresh(Class::R64);
        if address.sym != NO_SYM {
            let inst = self.push(Op::MovSym, &[whole], &[]);
            (inst.sym, inst.imm) = (address.sym, address.offset);
            return whole;
        }
        let offset = self.constant(Class::R64, address.offset as u64);
        let base = if address.base.class() == Class::R64 { address.base } else { self.constant(Class::R64, 0) };
        self.push(Op::Int2(super::super::op::Int2::Add, Ty::U64), &[whole], &[base, offset]);
        whole
    }

    pub(super) fn number(&self, arg: &Arg<'a>) -> Res<i64> {
        if let Arg::Name { text, negative, .. } = arg
            && let Some(value) = super::super::number::parse(text)
        {
            return Ok(value.bits(Ty::B64, *negative) as i64);
        }
        self.fail("number expected")
    }

    fn mbarrier(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let unsupported = ["expect_tx", "complete_tx", "pending_count"];
        if mods.words.iter().any(|w| unsupported.contains(w) || *w == "shared::cluster" || *w == "cluster") {
            return self.fail(format!("opcode `{}` is not supported", mods.opcode));
        }
        let parity = mods.take("parity");
        mods.drop_if(|w| {
            matches!(w, "shared" | "shared::cta" | "b64" | "release" | "acquire" | "relaxed" | "cta" | "noComplete")
        });
        let kind = match mods.take_any(&["init", "inval", "arrive_drop", "arrive", "test_wait", "try_wait"]) {
            Some("init") => Mbar::Init,
            Some("inval") => Mbar::Inval,
            Some("arrive") => Mbar::Arrive,
            Some("arrive_drop") => Mbar::ArriveDrop,
            Some(_) if parity => Mbar::TestParity,
            Some(_) => Mbar::TestWait,
            None => return self.fail(format!("opcode `{}` is not supported", mods.opcode)),
        };
        let (at, dsts) = match kind {
            Mbar::Init | Mbar::Inval => (0, vec![]),
            Mbar::Arrive | Mbar::ArriveDrop => (1, vec![self.dst(self.arg(args, 0)?, Ty::B64)?]),
            _ => (1, vec![self.dst(self.arg(args, 0)?, Ty::Pred)?]),
        };
        let address = self.address(self.arg(args, at)?)?;
        let rest = match (kind, args.get(at + 1)) {
            (Mbar::TestWait, Some(arg)) => vec![self.src(arg, Ty::B64)?],
            (Mbar::Inval, _) => vec![],
            (Mbar::Arrive | Mbar::ArriveDrop, None) => vec![self.constant(Class::R32, 1)],
            (_, Some(arg)) => vec![self.src(arg, Ty::U32)?],
            (_, None) => return self.fail("`mbarrier` without its count or state"),
        };
        self.addressed(Op::Mbar(kind), &dsts, address, &rest);
        Ok(())
    }
}

/// Takes the words for ordering and scope. Within a block nothing is handed on to others.
fn order(mods: &mut Mods<'_>) -> Order {
    let mut took = |words: &[&str]| words.iter().fold(false, |any, word| any | mods.take(word));
    let (releases, strong) = (took(&["release", "acq_rel"]), took(&["volatile", "relaxed", "acquire", "mmio"]));
    let beyond = !took(&["cta"]) | took(&["gpu", "sys"]);
    match (releases, strong) {
        (true, _) if beyond => Order::Release,
        (true, _) | (_, true) => Order::Strong,
        _ => Order::Weak,
    }
}
