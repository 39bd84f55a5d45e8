//! Moves and conversions.

use super::super::op::{Finish, Op, Space};
use super::super::syntax::Arg;
use super::super::types::{Class, Reg, Round, Ty};
use super::modifiers::Mods;
use super::{Lower, Res};

impl<'a> Lower<'a, '_> {
    pub(super) fn convert(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<bool> {
        match base {
            "mov" => self.mov(mods, args)?,
            "cvt" => self.cvt(mods, args)?,
            "cvta" => self.cvta(mods, args)?,
            "isspacep" => {
                let Some(space) = take_space(mods) else { return self.fail("`isspacep` without a space") };
                let p = self.dst(self.arg(args, 0)?, Ty::Pred)?;
                let a = self.src(self.arg(args, 1)?, Ty::U64)?;
                self.push(Op::Isspacep(space), &[p], &[a]);
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn mov(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let ty = mods.ty()?;
        let (to, from) = (self.arg(args, 0)?, self.arg(args, 1)?);
        if let Arg::Vector(parts) = to {
            let bits = (ty.bytes() * 8 / parts.len() as u32) as u8;
            let dsts: Res<Vec<Reg>> = parts.iter().map(|p| self.any_dst(p)).collect();
            let a = self.src(from, ty)?;
            self.push(Op::Unpack { bits }, &dsts?, &[a]);
            return Ok(());
        }
        if let Arg::Vector(parts) = from {
            let bits = (ty.bytes() * 8 / parts.len() as u32) as u8;
            let part = if bits == 32 { Ty::B32 } else { Ty::B16 };
            let srcs: Res<Vec<Reg>> = parts.iter().map(|p| self.natural(p, part)).collect();
            let d = self.dst(to, ty)?;
            self.push(Op::Pack { bits }, &[d], &srcs?);
            return Ok(());
        }
        let d = self.dst(to, ty)?;
        if ty == Ty::Pred {
            let (p, negated) = self.pred(from)?;
            self.push(if negated { Op::PredNot } else { Op::PredMov }, &[d], &[p]);
            return Ok(());
        }
        if self.named_into(from, d)? {
            return Ok(());
        }
        let a = self.src(from, ty)?;
        self.push(if ty.bytes() == 8 { Op::Mov64 } else { Op::Mov32 }, &[d], &[a]);
        Ok(())
    }

    fn cvt(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        if mods.take("pack") {
            return self.cvt_pack_int(mods, args);
        }
        let integral = mods.take_any(&["rni", "rzi", "rmi", "rpi"]);
        let mut finish = mods.finishing();
        finish.round = match integral {
            Some("rzi") => Round::Zero,
            Some("rmi") => Round::Down,
            Some("rpi") => Round::Up,
            Some(_) => Round::Nearest,
            None => finish.round,
        };
        let types = mods.types();
        let [to, from] = types[..] else { return self.fail(format!("`{}` does not name two types this GPU knows", mods.opcode)) };
        if matches!(to, Ty::F16x2 | Ty::Bf16x2) {
            return self.mixed(Op::CvtPack { to, finish }, args, to, &[from, from]);
        }
        let source = self.natural(self.arg(args, 1)?, from)?;
        let source = self.narrowed(source, from);
        let wanted = self.any_dst(self.arg(args, 0)?)?;
        let same = Some(wanted.class()) == to.class();
        let d = if same { wanted } else { self.fresh(to.class().unwrap_or(Class::R32)) };
        self.push(Op::Cvt { to, from, finish, integral: integral.is_some() }, &[d], &[source]);
        if !same {
            let (to, from) = if wanted.class() == Class::R64 { (Ty::U64, to) } else { (Ty::U32, Ty::U64) };
            self.push(Op::Cvt { to, from, finish: Finish::default(), integral: false }, &[wanted], &[d]);
        }
        Ok(())
    }

    /// A source in a wider register than its type counts by its low bits.
    fn narrowed(&mut self, source: Reg, ty: Ty) -> Reg {
        if Some(source.class()) == ty.class() {
            return source;
        }
        let d = self.fresh(Class::R32);
        let op = Op::Cvt { to: Ty::U32, from: Ty::U64, finish: Finish::default(), integral: false };
        self.push(op, &[d], &[source]);
        d
    }

    fn cvt_pack_int(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        mods.take("sat");
        let types = mods.types();
        let Some(&to) = types.first() else { return self.fail("`cvt.pack` without types") };
        if !matches!(to, Ty::S8 | Ty::U8 | Ty::S16 | Ty::U16) {
            return self.fail(format!("`{}` is not supported", mods.opcode));
        }
        let d = self.dst(self.arg(args, 0)?, Ty::B32)?;
        let mut srcs = vec![self.src(self.arg(args, 1)?, Ty::S32)?, self.src(self.arg(args, 2)?, Ty::S32)?];
        srcs.push(match args.get(3) {
            Some(c) => self.src(c, Ty::B32)?,
            None => self.constant(Class::R32, 0),
        });
        self.push(Op::CvtPackInt { to }, &[d], &srcs);
        Ok(())
    }

    fn cvta(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let to = mods.take("to");
        let Some(space) = take_space(mods) else { return self.fail("`cvta` without a space") };
        mods.ty()?;
        self.mixed(Op::Cvta { space, to }, args, Ty::U64, &[Ty::U64])
    }
}

/// Takes the state space.
pub(super) fn take_space(mods: &mut Mods<'_>) -> Option<Space> {
    let words = [
        ("global", Space::Global),
        ("const", Space::Const),
        ("shared::cta", Space::Shared),
        ("shared", Space::Shared),
        ("local", Space::Local),
        ("param::entry", Space::Param),
        ("param::func", Space::Param),
        ("param", Space::Param),
    ];
    words.into_iter().find(|(word, _)| mods.take(word)).map(|(_, space)| space)
}
