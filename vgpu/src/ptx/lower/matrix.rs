//! Matrix instructions.

use super::super::op::{AccTy, Frag, Mma, MmaTy, Op, Space, WmmaMem};
use super::super::syntax::Arg;
use super::super::types::{Class, Reg, Ty};
use super::convert::take_space;
use super::modifiers::Mods;
use super::{Lower, Res};

impl<'a> Lower<'a, '_> {
    pub(super) fn matrix(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<bool> {
        match base {
            "mma" => self.mma(mods, args)?,
            "wmma" => self.wmma(mods, args)?,
            "ldmatrix" | "stmatrix" => self.ldmatrix(base, mods, args)?,
            "movmatrix" => {
                for word in ["sync", "aligned", "m8n8", "trans"] {
                    mods.take(word);
                }
                mods.ty()?;
                self.mixed(Op::Movmatrix, args, Ty::B32, &[Ty::B32])?;
            }
            _ => return Ok(false),
        }
        Ok(true)
    }

    fn shape(&mut self, mods: &mut Mods<'a>) -> Res<(u8, u8, u8)> {
        let at = mods.words.iter().position(|w| shape_of(w).is_some());
        match at.and_then(|at| shape_of(mods.words.remove(at))) {
            Some(shape) => Ok(shape),
            None => self.fail(format!("`{}` has no shape", mods.opcode)),
        }
    }

    /// Types of D, A, B, C.
    fn mma_types(&self, mods: &mut Mods<'a>, shape: (u8, u8, u8), sat: bool, wmma: bool) -> Res<Mma> {
        let types = mods.types();
        let (d, a, b, c) = match types[..] {
            [d, a, b, c] => (d, a, b, c),
            // wmma on f16 names only D and C.
            [d, c] if wmma => (d, Ty::F16, Ty::F16, c),
            _ => return self.fail(format!("`{}`: its types are not supported", mods.opcode)),
        };
        match (element(a), element(b), accumulator(c), accumulator(d)) {
            (Some(a), Some(b), Some(c), Some(d)) => Ok(Mma { m: shape.0, n: shape.1, k: shape.2, a, b, c, d, sat }),
            _ => self.fail(format!("`{}`: its types are not supported", mods.opcode)),
        }
    }

    fn mma(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let ok = mods.take("sync") & mods.take("aligned") & mods.take("row") & mods.take("col");
        let shape = self.shape(mods)?;
        let known = matches!(shape, (16, 8, 4 | 8 | 16 | 32) | (8, 8, 4 | 16 | 32));
        if !ok || !known {
            return self.fail(format!("opcode `{}` is not supported", mods.opcode));
        }
        let sat = mods.take("satfinite");
        let mma = self.mma_types(mods, shape, sat, false)?;
        if shape == (8, 8, 4) && mma.a != MmaTy::F64 {
            return self.fail(format!("opcode `{}` (Volta's layout) is not supported", mods.opcode));
        }
        let (dsts, srcs) = self.mma_operands(args)?;
        let wanted = [fragment(mma.m, mma.n, mma.d.bits()), fragment(mma.m, mma.k, mma.a.bits())];
        if dsts.len() as u32 != wanted[0] || self.list(&args[1]).len() as u32 != wanted[1] {
            return self.fail(format!("`{}` has the wrong number of registers", mods.opcode));
        }
        self.push(Op::Mma(mma), &dsts, &srcs);
        Ok(())
    }

    fn mma_operands(&mut self, args: &[Arg<'a>]) -> Res<(Vec<Reg>, Vec<Reg>)> {
        let dsts: Res<Vec<Reg>> = self.list(self.arg(args, 0)?).iter().map(|a| self.any_dst(a)).collect();
        let mut srcs = Vec::new();
        for at in 1..4 {
            for part in self.list(self.arg(args, at)?) {
                srcs.push(self.natural(part, Ty::B32)?);
            }
        }
        Ok((dsts?, srcs))
    }

    fn wmma(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let load = mods.take("load");
        let store = mods.take("store");
        let compute = mods.take("mma");
        let aligned = mods.take("sync") & mods.take("aligned");
        let shape = self.shape(mods)?;
        if !aligned {
            return self.fail(format!("opcode `{}` is not supported", mods.opcode));
        }
        if compute {
            // Which way A and B lay in memory is settled when they are loaded.
            mods.drop_if(|w| matches!(w, "row" | "col"));
            let sat = mods.take("satfinite");
            let shape = self.mma_types(mods, shape, sat, true)?;
            let (dsts, srcs) = self.mma_operands(args)?;
            let (a, b) = shape.wmma_registers();
            let (c, d) = (fragment(shape.m, shape.n, shape.c.bits()), fragment(shape.m, shape.n, shape.d.bits()));
            if dsts.len() as u32 != d || srcs.len() as u32 != a + b + c {
                return self.fail(format!("`{}` has the wrong number of registers", mods.opcode));
            }
            self.push(Op::WmmaMma { shape }, &dsts, &srcs);
            return Ok(());
        }
        let frag = match mods.take_any(&["a", "b", "c", "d"]) {
            Some("a") => Frag::A,
            Some("b") => Frag::B,
            _ => Frag::C,
        };
        let col = mods.take("col") & !mods.take("row");
        let space = take_space(mods).unwrap_or(Space::Generic);
        let mem = WmmaMem { frag, m: shape.0, n: shape.1, k: shape.2, ty: mods.ty()?, col, space };
        let (data, place) = if load { (0, 1) } else { (1, 0) };
        if !load && !store {
            return self.fail(format!("opcode `{}` is not supported", mods.opcode));
        }
        let address = self.address(self.arg(args, place)?)?;
        let (rows, cols) = mem.extent();
        let stride = match args.get(2) {
            Some(arg) => self.src(arg, Ty::U32)?,
            None => self.constant(Class::R32, u64::from(if col { rows } else { cols })),
        };
        let list = self.list(self.arg(args, data)?);
        if list.len() as u32 * 32 / (mem.ty.bytes() * 8).min(32) < rows * cols / 32 || rows > 32 || cols > 32 {
            return self.fail(format!("`{}` has the wrong number of registers", mods.opcode));
        }
        if load {
            let dsts: Res<Vec<Reg>> = list.iter().map(|a| self.any_dst(a)).collect();
            self.addressed(Op::WmmaLoad(mem), &dsts?, address, &[stride]);
        } else {
            let mut rest = vec![stride];
            for part in list {
                rest.push(self.natural(part, Ty::B32)?);
            }
            self.addressed(Op::WmmaStore(mem), &[], address, &rest);
        }
        Ok(())
    }

    fn ldmatrix(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let ok = mods.take("sync") & mods.take("aligned") & mods.take("m8n8");
        let count = match mods.take_any(&["x1", "x2", "x4"]) {
            Some("x1") => 1,
            Some("x2") => 2,
            _ => 4,
        };
        let trans = mods.take("trans");
        take_space(mods);
        if !ok || mods.ty()? != Ty::B16 {
            return self.fail(format!("opcode `{}` is not supported", mods.opcode));
        }
        let (data, place) = if base == "ldmatrix" { (0, 1) } else { (1, 0) };
        let address = self.address(self.arg(args, place)?)?;
        let regs: Res<Vec<Reg>> = self.list(self.arg(args, data)?).iter().map(|a| self.any_dst(a)).collect();
        if base == "ldmatrix" {
            self.addressed(Op::Ldmatrix { count, trans }, &regs?, address, &[]);
        } else {
            self.addressed(Op::Stmatrix { count, trans }, &[], address, &regs?);
        }
        Ok(())
    }
}

impl WmmaMem {
    /// Rows and columns of this fragment's matrix.
    pub(crate) fn extent(&self) -> (u32, u32) {
        let (m, n, k) = (u32::from(self.m), u32::from(self.n), u32::from(self.k));
        match self.frag {
            Frag::A => (m, k),
            Frag::B => (k, n),
            Frag::C => (m, n),
        }
    }
}

impl Mma {
    /// Registers of A's and B's fragments in `mma.sync`.
    pub(crate) fn registers(&self) -> (usize, usize) {
        let (a, b) = (fragment(self.m, self.k, self.a.bits()), fragment(self.k, self.n, self.b.bits()));
        (a as usize, b as usize)
    }

    /// Registers of A's and B's fragments in `wmma.mma`: those of f16 always have eight, holding their elements as often as fits.
    pub(crate) fn wmma_registers(&self) -> (u32, u32) {
        let of = |rows: u8, cols: u8, ty: MmaTy| if ty == MmaTy::F16 { 8 } else { fragment(rows, cols, ty.bits()) };
        (of(self.m, self.k, self.a), of(self.k, self.n, self.b))
    }
}

impl MmaTy {
    /// Bits of one element.
    pub(crate) fn bits(self) -> u32 {
        match self {
            Self::F16 | Self::Bf16 => 16,
            Self::Tf32 => 32,
            Self::S8 | Self::U8 => 8,
            Self::F64 => 64,
        }
    }
}

impl AccTy {
    /// Bits of one element.
    pub(crate) fn bits(self) -> u32 {
        match self {
            Self::F16 => 16,
            Self::F32 | Self::S32 => 32,
            Self::F64 => 64,
        }
    }
}

/// Registers of a fragment.
fn fragment(rows: u8, cols: u8, bits: u32) -> u32 {
    u32::from(rows) * u32::from(cols) * bits / 32 / bits.max(32)
}

fn shape_of(word: &str) -> Option<(u8, u8, u8)> {
    let (m, rest) = word.strip_prefix('m')?.split_once('n')?;
    let (n, k) = rest.split_once('k')?;
    Some((m.parse().ok()?, n.parse().ok()?, k.parse().ok()?))
}

fn element(ty: Ty) -> Option<MmaTy> {
    Some(match ty {
        Ty::F16 => MmaTy::F16,
        Ty::Bf16 => MmaTy::Bf16,
        Ty::Tf32 => MmaTy::Tf32,
        Ty::S8 => MmaTy::S8,
        Ty::U8 => MmaTy::U8,
        Ty::F64 => MmaTy::F64,
        _ => return None,
    })
}

fn accumulator(ty: Ty) -> Option<AccTy> {
    Some(match ty {
        Ty::F16 => AccTy::F16,
        Ty::F32 => AccTy::F32,
        Ty::S32 => AccTy::S32,
        Ty::F64 => AccTy::F64,
        _ => return None,
    })
}
