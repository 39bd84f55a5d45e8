//! Control flow, barriers, votes and exchanges between lanes.

use super::super::op::{BarKind, Op, Rmw, Shfl, Vote};
use super::super::syntax::Arg;
use super::super::types::{Class, Reg, Ty};
use super::modifiers::Mods;
use super::{Lower, Name, Res};

impl<'a> Lower<'a, '_> {
    pub(super) fn warp(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<bool> {
        match base {
            "bra" | "brx" | "ret" | "exit" | "trap" | "brkpt" => self.control(base, mods, args)?,
            "bar" | "barrier" => self.barrier(base, mods, args)?,
            "membar" | "fence" => {
                // Within a block, and between the ways memory can be reached, nothing is ordered for other blocks.
                let inner = ["cta", "proxy", "mbarrier_init"].iter().any(|word| mods.take(word));
                mods.words.clear();
                self.push(if inner { Op::Nop } else { Op::Fence }, &[], &[]);
            }
            "nanosleep" => {
                mods.ty()?;
                self.push(Op::Nanosleep, &[], &[]);
            }
            "pmevent" | "griddepcontrol" | "setmaxnreg" => {
                mods.words.clear();
                self.push(Op::Nop, &[], &[]);
            }
            "shfl" => self.shuffle(mods, args)?,
            "vote" => self.vote(mods, args)?,
            "match" => self.matching(mods, args)?,
            "activemask" => {
                mods.ty()?;
                let d = self.dst(self.arg(args, 0)?, Ty::B32)?;
                self.push(Op::Activemask, &[d], &[]);
            }
            "redux" => self.redux(mods, args)?,
            "elect" => {
                let members = self.members(mods, args, 1)?;
                let dsts = self.with_pred(self.arg(args, 0)?)?;
                self.push(Op::Elect, &dsts, &[members]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn control(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        mods.take("uni");
        match base {
            "bra" => {
                let Arg::Name { text, .. } = self.arg(args, 0)? else { return self.fail("`bra` without a label") };
                self.branch(text);
            }
            "brx" => {
                mods.take("idx");
                let index = self.src(self.arg(args, 0)?, Ty::U32)?;
                let Arg::Name { text, .. } = self.arg(args, 1)? else { return self.fail("`brx` without targets") };
                let Some(Name::Targets(names)) = self.lookup(self.scope, text) else {
                    return self.fail(format!("`{text}` is no list of targets"));
                };
                let names = names.clone();
                let table = self.out.tables.len();
                self.out.tables.push(Vec::new());
                self.table_fixups.push((table, self.scope, names));
                self.push(Op::Brx, &[], &[index]).imm = table as i64;
            }
            "ret" if self.calls.len() > 1 => {
                self.returns.push(self.out.code.len());
                self.push(Op::Bra, &[], &[]);
            }
            "ret" | "exit" => {
                self.push(Op::Exit, &[], &[]);
            }
            _ => {
                self.push(Op::Trap, &[], &[]);
            }
        }
        Ok(())
    }

    fn barrier(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        if mods.take("warp") {
            let members = self.members(mods, args, 0)?;
            self.push(Op::WarpSync, &[], &[members]);
            return Ok(());
        }
        if mods.words.contains(&"cluster") {
            return self.fail(format!("opcode `{}` is not supported", mods.opcode));
        }
        mods.take("cta");
        let aligned = mods.take("aligned") || base == "bar";
        let kind = match mods.take_any(&["sync", "arrive", "red"]) {
            Some("sync") => BarKind::Sync,
            Some("arrive") => BarKind::Arrive,
            Some(_) => match mods.take_any(&["popc", "and", "or"]) {
                Some("popc") => BarKind::RedPopc,
                Some("and") => BarKind::RedAnd,
                _ => BarKind::RedOr,
            },
            None => return self.fail(format!("opcode `{}` is not supported", mods.opcode)),
        };
        let reduces = !matches!(kind, BarKind::Sync | BarKind::Arrive);
        let (mut dsts, mut negate) = (vec![], false);
        let mut rest = args;
        if reduces {
            mods.types();
            let result = if kind == BarKind::RedPopc { Ty::B32 } else { Ty::Pred };
            dsts.push(self.dst(self.arg(args, 0)?, result)?);
            rest = &args[1..];
        }
        let id = self.src(self.arg(rest, 0)?, Ty::U32)?;
        let counted = rest.len() > 1 + usize::from(reduces);
        // A count of all ones stands for "every thread of the block".
        let count = if counted { self.src(&rest[1], Ty::U32)? } else { self.constant(Class::R32, u64::from(u32::MAX)) };
        let mut srcs = vec![id, count];
        if reduces {
            let (p, negated) = self.pred(self.arg(rest, rest.len() - 1)?)?;
            srcs.push(p);
            negate = negated;
        }
        self.push(Op::Bar { kind, aligned, negate }, &dsts, &srcs);
        Ok(())
    }

    /// The membermask, operand `at` of everything with `.sync`; forms without are of the lanes that are there.
    fn members(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>], at: usize) -> Res<Reg> {
        if mods.take("sync") {
            return self.src(self.arg(args, at)?, Ty::B32);
        }
        let here = self.fresh(Class::R32);
        self.push(Op::Activemask, &[here], &[]);
        Ok(here)
    }

    /// `%r|%p` or `%r`.
    fn with_pred(&mut self, arg: &Arg<'a>) -> Res<Vec<Reg>> {
        Ok(match arg {
            Arg::Pair(d, p) => {
                let d = if *d == "_" { self.fresh(Class::R32) } else { self.register(d, Class::R32)? };
                vec![d, self.pred_dst(p)?]
            }
            other => vec![self.dst(other, Ty::B32)?],
        })
    }

    fn shuffle(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let members = self.members(mods, args, 4)?;
        let mode = match mods.take_any(&["up", "down", "bfly", "idx"]) {
            Some("up") => Shfl::Up,
            Some("down") => Shfl::Down,
            Some("bfly") => Shfl::Bfly,
            _ => Shfl::Idx,
        };
        mods.ty()?;
        let dsts = self.with_pred(self.arg(args, 0)?)?;
        let mut srcs = (1..4).map(|i| self.src(self.arg(args, i)?, Ty::B32)).collect::<Res<Vec<Reg>>>()?;
        srcs.push(members);
        self.push(Op::Shfl(mode), &dsts, &srcs);
        Ok(())
    }

    fn vote(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let members = self.members(mods, args, 2)?;
        let kind = match mods.take_any(&["all", "any", "uni", "ballot"]) {
            Some("all") => Vote::All,
            Some("any") => Vote::Any,
            Some("uni") => Vote::Uni,
            _ => Vote::Ballot,
        };
        let ty = mods.ty()?;
        let d = self.dst(self.arg(args, 0)?, ty)?;
        let (p, negate) = self.pred(self.arg(args, 1)?)?;
        self.push(Op::Vote { kind, negate }, &[d], &[p, members]);
        Ok(())
    }

    fn matching(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let members = self.members(mods, args, 2)?;
        let all = mods.take("all");
        mods.take("any");
        let ty = mods.ty()?;
        let dsts = self.with_pred(self.arg(args, 0)?)?;
        let a = self.src(self.arg(args, 1)?, ty)?;
        self.push(if all { Op::MatchAll(ty) } else { Op::MatchAny(ty) }, &dsts, &[a, members]);
        Ok(())
    }

    fn redux(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let members = self.members(mods, args, 2)?;
        let rmw = match mods.take_any(&["add", "min", "max", "and", "or", "xor"]) {
            Some("add") => Rmw::Add,
            Some("min") => Rmw::Min,
            Some("max") => Rmw::Max,
            Some("and") => Rmw::And,
            Some("or") => Rmw::Or,
            _ => Rmw::Xor,
        };
        let ty = mods.ty()?;
        if ty.is_float() {
            return self.fail(format!("opcode `{}` is not supported", mods.opcode));
        }
        let d = self.dst(self.arg(args, 0)?, ty)?;
        let a = self.src(self.arg(args, 1)?, ty)?;
        self.push(Op::Redux { rmw, ty }, &[d], &[a, members]);
        Ok(())
    }
}
