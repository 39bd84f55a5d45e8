//! Arithmetic, logic, comparison and moves.

use super::super::op::{Carry, Cmp, Combine, Finish, Fl1, Fl2, Int1, Int2, Int3, Op, Testp};
use super::super::syntax::Arg;
use super::super::types::{Class, Reg, Ty};
use super::modifiers::Mods;
use super::{Lower, Res};

/// `setp.ne.u32`.
pub(super) fn not_zero() -> Op {
    Op::Setp { cmp: Cmp::Ne, ty: Ty::U32, combine: Combine::None, negate: false, ftz: false }
}

impl<'a> Lower<'a, '_> {
    pub(super) fn arith(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<bool> {
        match base {
            "add" | "sub" | "addc" | "subc" => self.add_sub(base, mods, args)?,
            "mul" | "mul24" => self.mul(base, mods, args)?,
            "mad" | "madc" | "mad24" | "fma" => self.mad(base, mods, args)?,
            "div" => self.div(mods, args)?,
            "rem" | "min" | "max" | "copysign" => self.two(base, mods, args)?,
            "and" | "or" | "xor" | "not" => self.logic(base, mods, args)?,
            "shl" | "shr" => self.shift(base, mods, args)?,
            "neg" | "abs" | "cnot" | "popc" | "clz" | "brev" | "bfind" => self.one(base, mods, args)?,
            "rcp" | "sqrt" | "rsqrt" | "ex2" | "lg2" | "sin" | "cos" | "tanh" => self.special_function(base, mods, args)?,
            "sad" | "bfe" | "bfi" | "shf" | "prmt" | "lop3" | "dp4a" | "dp2a" | "szext" | "bmsk" => {
                self.bits(base, mods, args)?
            }
            "setp" | "set" => self.compare(base, mods, args)?,
            "selp" | "slct" => self.select(base, mods, args)?,
            "testp" => self.testp(mods, args)?,
            _ => return Ok(false),
        }
        Ok(true)
    }

    /// Destination and sources all of one type.
    fn uniform(&mut self, op: Op, ty: Ty, args: &[Arg<'a>], sources: usize) -> Res<()> {
        let d = self.dst(self.arg(args, 0)?, ty)?;
        let srcs: Res<Vec<Reg>> = (1..=sources).map(|i| self.src(self.arg(args, i)?, ty)).collect();
        self.push(op, &[d], &srcs?);
        Ok(())
    }

    fn add_sub(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let (uses, sets) = (base.ends_with('c'), mods.take("cc"));
        let ty = mods.ty()?;
        let add = base.starts_with("add");
        let op = if uses || sets {
            Op::Carry { kind: if add { Carry::Add } else { Carry::Sub }, ty, uses, sets }
        } else if ty.is_float() {
            Op::Fl2(if add { Fl2::Add } else { Fl2::Sub }, ty, mods.finishing_of(ty))
        } else {
            let kind = match (add, ty == Ty::S32 && mods.take("sat")) {
                (true, false) => Int2::Add,
                (true, true) => Int2::AddSat,
                (false, false) => Int2::Sub,
                (false, true) => Int2::SubSat,
            };
            Op::Int2(kind, ty)
        };
        self.uniform(op, ty, args, 2)
    }

    fn mul(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let (lo, hi, wide) = (mods.take("lo"), mods.take("hi"), mods.take("wide"));
        let ty = mods.ty()?;
        if ty.is_float() {
            return self.uniform(Op::Fl2(Fl2::Mul, ty, mods.finishing_of(ty)), ty, args, 2);
        }
        if wide {
            let d = self.dst(self.arg(args, 0)?, doubled(ty))?;
            let srcs = [self.src(self.arg(args, 1)?, ty)?, self.src(self.arg(args, 2)?, ty)?];
            self.push(Op::MulWide(ty), &[d], &srcs);
            return Ok(());
        }
        let kind = match (base, hi, lo) {
            ("mul24", true, _) => Int2::Mul24Hi,
            ("mul24", ..) => Int2::Mul24Lo,
            (_, true, _) => Int2::MulHi,
            (_, _, true) => Int2::MulLo,
            _ => return self.fail(format!("`{}` is neither lo, hi nor wide", mods.opcode)),
        };
        self.uniform(Op::Int2(kind, ty), ty, args, 2)
    }

    fn mad(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let (lo, hi, wide, cc) = (mods.take("lo"), mods.take("hi"), mods.take("wide"), mods.take("cc"));
        let ty = mods.ty()?;
        if ty.is_float() {
            return self.uniform(Op::Fma(ty, mods.finishing_of(ty)), ty, args, 3);
        }
        if wide {
            let d = self.dst(self.arg(args, 0)?, doubled(ty))?;
            let (a, b) = (self.src(self.arg(args, 1)?, ty)?, self.src(self.arg(args, 2)?, ty)?);
            let c = self.src(self.arg(args, 3)?, doubled(ty))?;
            self.push(Op::MadWide(ty), &[d], &[a, b, c]);
            return Ok(());
        }
        let saturates = hi && ty == Ty::S32 && !cc && base != "madc" && mods.take("sat");
        let op = match (base, hi) {
            ("mad24", true) if saturates => Op::Int3(Int3::Mad24HiSat, ty),
            ("mad24", true) => Op::Int3(Int3::Mad24Hi, ty),
            ("mad24", false) => Op::Int3(Int3::Mad24Lo, ty),
            _ if cc || base == "madc" => {
                Op::Carry { kind: if hi { Carry::MadHi } else { Carry::MadLo }, ty, uses: base == "madc", sets: cc }
            }
            (_, true) => Op::Int3(if saturates { Int3::MadHiSat } else { Int3::MadHi }, ty),
            (_, false) if lo => Op::Int3(Int3::MadLo, ty),
            _ => return self.fail(format!("`{}` is neither lo, hi nor wide", mods.opcode)),
        };
        self.uniform(op, ty, args, 3)
    }

    fn div(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let approx = mods.take("approx") | mods.take("full");
        let ty = mods.ty()?;
        let finish = mods.finishing_of(ty);
        let op = match (ty.is_float(), approx) {
            (true, true) => Op::DivApprox(finish),
            (true, false) => Op::Fl2(Fl2::Div, ty, finish),
            _ => Op::Int2(Int2::Div, ty),
        };
        self.uniform(op, ty, args, 2)
    }

    fn two(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let ty = mods.ty()?;
        let extreme = matches!(base, "min" | "max");
        let nan = ty.is_float() && extreme && mods.take("NaN");
        let finish = if extreme { mods.finishing_of(ty) } else { Finish::default() };
        let relu = ty == Ty::S32 && extreme && mods.take("relu");
        let op = match (base, ty.is_float()) {
            ("rem", _) => Op::Int2(Int2::Rem, ty),
            ("min", false) => Op::Int2(Int2::Min, ty),
            ("max", false) => Op::Int2(Int2::Max, ty),
            ("min", true) => Op::Fl2(if nan { Fl2::MinNan } else { Fl2::Min }, ty, finish),
            ("max", true) => Op::Fl2(if nan { Fl2::MaxNan } else { Fl2::Max }, ty, finish),
            _ => Op::Fl2(Fl2::Copysign, ty, finish),
        };
        let sources = if args.len() == 4 {
            return self.fail(format!("`{}` with three sources is not supported", mods.opcode));
        } else {
            2
        };
        self.uniform(op, ty, args, sources)?;
        if relu {
            let d = self.dst(self.arg(args, 0)?, ty)?;
            let zero = self.constant(Class::R32, 0);
            self.push(Op::Int2(Int2::Max, ty), &[d], &[d, zero]);
        }
        Ok(())
    }

    fn logic(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let ty = mods.ty()?;
        if ty == Ty::Pred {
            let d = self.dst(self.arg(args, 0)?, ty)?;
            let srcs: Res<Vec<Reg>> = args[1..].iter().map(|a| self.pred(a).map(|p| p.0)).collect();
            let op = match base {
                "and" => Op::PredAnd,
                "or" => Op::PredOr,
                "xor" => Op::PredXor,
                _ => Op::PredNot,
            };
            self.push(op, &[d], &srcs?);
            return Ok(());
        }
        match base {
            "not" => self.uniform(Op::Int1(Int1::Not, ty), ty, args, 1),
            "and" => self.uniform(Op::Int2(Int2::And, ty), ty, args, 2),
            "or" => self.uniform(Op::Int2(Int2::Or, ty), ty, args, 2),
            _ => self.uniform(Op::Int2(Int2::Xor, ty), ty, args, 2),
        }
    }

    fn shift(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let ty = mods.ty()?;
        let d = self.dst(self.arg(args, 0)?, ty)?;
        let a = self.src(self.arg(args, 1)?, ty)?;
        let amount = self.src(self.arg(args, 2)?, Ty::U32)?;
        self.push(Op::Int2(if base == "shl" { Int2::Shl } else { Int2::Shr }, ty), &[d], &[a, amount]);
        Ok(())
    }

    fn one(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let shift = base == "bfind" && mods.take("shiftamt");
        let ty = mods.ty()?;
        if ty.is_float() {
            let finish = Finish { ftz: mods.flushing(ty), ..Finish::default() };
            let kind = if base == "neg" { Fl1::Neg } else { Fl1::Abs };
            return self.uniform(Op::Fl1(kind, ty, finish), ty, args, 1);
        }
        let kind = match base {
            "neg" => Int1::Neg,
            "abs" => Int1::Abs,
            "cnot" => Int1::Cnot,
            "popc" => Int1::Popc,
            "clz" => Int1::Clz,
            "brev" => Int1::Brev,
            _ if shift => Int1::BfindShift,
            _ => Int1::Bfind,
        };
        let counts = matches!(kind, Int1::Popc | Int1::Clz | Int1::Bfind | Int1::BfindShift);
        let d = self.dst(self.arg(args, 0)?, if counts { Ty::U32 } else { ty })?;
        let a = self.src(self.arg(args, 1)?, ty)?;
        self.push(Op::Int1(kind, ty), &[d], &[a]);
        Ok(())
    }

    fn special_function(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let approx = mods.take("approx");
        let ty = mods.ty()?;
        let mut finish = mods.finishing_of(ty);
        finish.ftz |= approx && mods.take("ftz");
        let kind = match base {
            "rcp" => Fl1::Rcp,
            "sqrt" => Fl1::Sqrt,
            "rsqrt" => Fl1::Rsqrt,
            "ex2" => Fl1::Ex2,
            "lg2" => Fl1::Lg2,
            "sin" => Fl1::Sin,
            "cos" => Fl1::Cos,
            _ => Fl1::Tanh,
        };
        self.uniform(Op::Fl1(kind, ty, finish), ty, args, 1)
    }

    fn bits(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        match base {
            "sad" => {
                let ty = mods.ty()?;
                self.uniform(Op::Int3(Int3::Sad, ty), ty, args, 3)
            }
            "bfe" => {
                let ty = mods.ty()?;
                self.mixed(Op::Bfe(ty), args, ty, &[ty, Ty::U32, Ty::U32])
            }
            "bfi" => {
                let ty = mods.ty()?;
                self.mixed(Op::Bfi(ty), args, ty, &[ty, ty, Ty::U32, Ty::U32])
            }
            "shf" => {
                let op = Op::Shf { left: !mods.take("r") & mods.take("l"), wrap: mods.take("wrap") | !mods.take("clamp") };
                mods.ty()?;
                self.uniform(op, Ty::B32, args, 3)
            }
            "prmt" => {
                mods.ty()?;
                let modes = ["f4e", "b4e", "rc8", "ecl", "ecr", "rc16"];
                let mode = mods.take_any(&modes).and_then(|m| modes.iter().position(|x| *x == m)).map_or(0, |p| p as u8 + 1);
                self.uniform(Op::Prmt(mode), Ty::B32, args, 3)
            }
            "lop3" => {
                mods.ty()?;
                let Arg::Name { text, .. } = self.arg(args, 4)? else { return self.fail("`lop3` without a table") };
                let Some(super::super::number::Number::Int(lut)) = super::super::number::parse(text) else {
                    return self.fail(format!("`lop3`: `{text}` is no table"));
                };
                self.uniform(Op::Lop3(lut as u8), Ty::B32, args, 3)
            }
            "dp4a" | "dp2a" => {
                let hi = mods.take("hi");
                mods.take("lo");
                let types = mods.types();
                let [a, b] = types[..] else { return self.fail(format!("`{}` needs two types", mods.opcode)) };
                let (a_signed, b_signed) = (a.is_signed(), b.is_signed());
                let op = if base == "dp4a" { Op::Dp4a { a_signed, b_signed } } else { Op::Dp2a { a_signed, b_signed, hi } };
                self.uniform(op, Ty::B32, args, 3)
            }
            "szext" => {
                let wrap = mods.take("wrap") & !mods.take("clamp");
                let ty = mods.ty()?;
                self.uniform(Op::Szext { signed: ty.is_signed(), wrap }, Ty::B32, args, 2)
            }
            _ => {
                let wrap = mods.take("wrap") & !mods.take("clamp");
                mods.ty()?;
                self.uniform(Op::Bmsk { wrap }, Ty::B32, args, 2)
            }
        }
    }

    /// Destination of one type, sources each of their own.
    pub(super) fn mixed(&mut self, op: Op, args: &[Arg<'a>], to: Ty, from: &[Ty]) -> Res<()> {
        let d = self.dst(self.arg(args, 0)?, to)?;
        let srcs: Res<Vec<Reg>> = from.iter().enumerate().map(|(i, &ty)| self.src(self.arg(args, i + 1)?, ty)).collect();
        self.push(op, &[d], &srcs?);
        Ok(())
    }

    fn compare(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let Some(cmp) = comparison(mods.first()) else {
            return self.fail(format!("`{}`: `{}` is no comparison", mods.opcode, mods.first()));
        };
        mods.words.remove(0);
        let combine = match mods.take_any(&["and", "or", "xor"]) {
            Some("and") => Combine::And,
            Some("or") => Combine::Or,
            Some(_) => Combine::Xor,
            None => Combine::None,
        };
        let types = mods.types();
        let (to, ty) = match (base, &types[..]) {
            ("setp", [ty]) => (Ty::Pred, *ty),
            ("set", [to, ty]) => (*to, *ty),
            _ => return self.fail(format!("`{}` has the wrong number of types", mods.opcode)),
        };
        let ftz = mods.flushing(ty);
        let mut srcs = vec![self.src(self.arg(args, 1)?, ty)?, self.src(self.arg(args, 2)?, ty)?];
        let mut negate = false;
        if combine != Combine::None {
            let (reg, negated) = self.pred(self.arg(args, 3)?)?;
            srcs.push(reg);
            negate = negated;
        }
        let dsts = match self.arg(args, 0)? {
            Arg::Pair(p, q) => vec![self.pred_dst(p)?, self.pred_dst(q)?],
            other => vec![self.dst(other, to)?],
        };
        let op = if base == "setp" {
            Op::Setp { cmp, ty, combine, negate, ftz }
        } else {
            Op::Set { cmp, ty, to, combine, negate, ftz }
        };
        self.push(op, &dsts, &srcs);
        Ok(())
    }

    pub(super) fn pred_dst(&mut self, name: &str) -> Res<Reg> {
        if name == "_" { Ok(self.fresh(Class::Pred)) } else { self.register(name, Class::Pred) }
    }

    fn select(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let types = mods.types();
        let Some(&ty) = types.first() else { return self.fail(format!("`{}` has no type", mods.opcode)) };
        if base == "slct" {
            let float = types.get(1) == Some(&Ty::F32);
            let ftz = float && mods.take("ftz");
            return self.mixed(Op::Slct { ty, float, ftz }, args, ty, &[ty, ty, Ty::B32]);
        }
        let d = self.dst(self.arg(args, 0)?, ty)?;
        let (a, b) = (self.src(self.arg(args, 1)?, ty)?, self.src(self.arg(args, 2)?, ty)?);
        let (p, negated) = self.pred(self.arg(args, 3)?)?;
        let srcs = if negated { [b, a, p] } else { [a, b, p] };
        self.push(Op::Selp(ty), &[d], &srcs);
        Ok(())
    }

    fn testp(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let kind = match mods.take_any(&["finite", "infinite", "notanumber", "number", "normal", "subnormal"]) {
            Some("finite") => Testp::Finite,
            Some("infinite") => Testp::Infinite,
            Some("number") => Testp::Number,
            Some("notanumber") => Testp::NotANumber,
            Some("normal") => Testp::Normal,
            Some(_) => Testp::Subnormal,
            None => return self.fail(format!("`{}` asks for nothing", mods.opcode)),
        };
        let ty = mods.ty()?;
        self.mixed(Op::Testp(kind, ty), args, Ty::Pred, &[ty])
    }
}

fn comparison(word: &str) -> Option<Cmp> {
    Some(match word {
        "eq" => Cmp::Eq,
        "ne" => Cmp::Ne,
        "lt" | "lo" => Cmp::Lt,
        "le" | "ls" => Cmp::Le,
        "gt" | "hi" => Cmp::Gt,
        "ge" | "hs" => Cmp::Ge,
        "equ" => Cmp::Equ,
        "neu" => Cmp::Neu,
        "ltu" => Cmp::Ltu,
        "leu" => Cmp::Leu,
        "gtu" => Cmp::Gtu,
        "geu" => Cmp::Geu,
        "num" => Cmp::Num,
        "nan" => Cmp::Nan,
        _ => return None,
    })
}

fn doubled(ty: Ty) -> Ty {
    match ty {
        Ty::U16 => Ty::U32,
        Ty::S16 => Ty::S32,
        Ty::U32 => Ty::U64,
        Ty::S32 => Ty::S64,
        _ => Ty::B128,
    }
}
