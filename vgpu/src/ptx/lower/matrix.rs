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
    fn mma_types(&self, mods: &mut Mods<'a>, shape: (u8, u8, u8), wmma: bool) -> Res<Mma> {
        let types = mods.types();
        let (d, a, b, c) = match types[..] {
            [d, a, b, c] => (d, a, b, c),
            // wmma on f16 names only D and C.
            [d, c] if wmma => (d, Ty::F16, Ty::F16, c),
            _ => return self.fail(format!("`{}`: its types are not supported", mods.opcode)),
        };
        match (element(a), element(b), accumulator(c), accumulator(d)) {
            (Some(a), Some(b), Some(c), Some(d)) => {
                // Only integers saturate.
                let sat = d == AccTy::S32 && mods.take("satfinite");
                Ok(Mma { m: shape.0, n: shape.1, k: shape.2, a, b, c, d, sat })
            }
            _ => self.fail(format!("`{}`: its types are not supported", mods.opcode)),
        }
    }

    fn mma(&mut self, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let ok = mods.take("sync") & mods.take("aligned") & mods.take("row") & mods.take("col");
        let shape = self.shape(mods)?;
        if !ok {
            return self.fail(format!("opcode `{}` is not supported", mods.opcode));
        }
        let mma = self.mma_types(mods, shape, false)?;
        if shape == (8, 8, 4) && mma.a != MmaTy::F64 {
            return self.fail(format!("opcode `{}` (Volta's layout) is not supported", mods.opcode));
        }
        if !mma.is_mma() {
            return self.fail(format!("`{}`: its shape and types do not go together", mods.opcode));
        }
        let (a, b) = mma.registers();
        let (dsts, srcs) = self.mma_operands(mods, &mma, [a as u32, b as u32], args)?;
        self.push(Op::Mma(mma), &dsts, &srcs);
        Ok(())
    }

    /// D, and A, B and C, which have so many registers.
    fn mma_operands(&mut self, mods: &Mods<'a>, mma: &Mma, [a, b]: [u32; 2], args: &[Arg<'a>]) -> Res<(Vec<Reg>, Vec<Reg>)> {
        let whole = |acc: AccTy| Fragment { registers: fragment(mma.m, mma.n, acc.bits()), bits: acc.bits() };
        let (d, c) = (whole(mma.d), whole(mma.c));
        let (a, b) = (Fragment { registers: a, bits: mma.a.bits() }, Fragment { registers: b, bits: mma.b.bits() });
        let dsts = self.results(mods, "D", d, self.arg(args, 0)?)?;
        let mut srcs = self.operands(mods, "A", a, self.arg(args, 1)?)?;
        srcs.extend(self.operands(mods, "B", b, self.arg(args, 2)?)?);
        srcs.extend(self.operands(mods, "C", c, self.arg(args, 3)?)?);
        Ok((dsts, srcs))
    }

    fn counted<'x>(&self, mods: &Mods<'a>, name: &str, wanted: Fragment, arg: &'x Arg<'a>) -> Res<&'x [Arg<'a>]> {
        let (list, wants) = (self.list(arg), wanted.registers);
        if list.len() as u32 != wants {
            return self.fail(format!("`{}` has `{}` registers for {name}: it wants {wants}", mods.opcode, list.len()));
        }
        Ok(list)
    }

    fn results(&mut self, mods: &Mods<'a>, name: &str, wanted: Fragment, arg: &Arg<'a>) -> Res<Vec<Reg>> {
        self.counted(mods, name, wanted, arg)?.iter().map(|part| self.dst(part, wanted.word())).collect()
    }

    fn operands(&mut self, mods: &Mods<'a>, name: &str, wanted: Fragment, arg: &Arg<'a>) -> Res<Vec<Reg>> {
        self.counted(mods, name, wanted, arg)?.iter().map(|part| self.src(part, wanted.word())).collect()
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
            let shape = self.mma_types(mods, shape, true)?;
            if !shape.is_wmma() {
                return self.fail(format!("`{}`: its shape and types do not go together", mods.opcode));
            }
            let (a, b) = shape.wmma_registers();
            let (dsts, srcs) = self.mma_operands(mods, &shape, [a, b], args)?;
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
        let Some(fragment) = mem.fragment() else {
            return self.fail(format!("`{}`: its shape and type do not go together", mods.opcode));
        };
        if load {
            let dsts = self.results(mods, "the fragment", fragment, self.arg(args, data)?)?;
            self.addressed(Op::WmmaLoad(mem), &dsts, address, &[stride]);
        } else {
            let mut rest = vec![stride];
            rest.extend(self.operands(mods, "the fragment", fragment, self.arg(args, data)?)?);
            self.addressed(Op::WmmaStore(mem), &[], address, &rest);
        }
        Ok(())
    }

    fn ldmatrix(&mut self, base: &str, mods: &mut Mods<'a>, args: &[Arg<'a>]) -> Res<()> {
        let ok = mods.take("sync") & mods.take("aligned") & mods.take("m8n8");
        let count = match mods.take_any(&["x1", "x2", "x4"]) {
            Some("x1") => 1,
            Some("x2") => 2,
            Some(_) => 4,
            None => return self.fail(format!("`{}` does not say of how many matrices", mods.opcode)),
        };
        let trans = mods.take("trans");
        take_space(mods);
        if !ok || mods.ty()? != Ty::B16 {
            return self.fail(format!("opcode `{}` is not supported", mods.opcode));
        }
        let (data, place) = if base == "ldmatrix" { (0, 1) } else { (1, 0) };
        let address = self.address(self.arg(args, place)?)?;
        let (wanted, data) = (Fragment { registers: count.into(), bits: 16 }, self.arg(args, data)?);
        if base == "ldmatrix" {
            let dsts = self.results(mods, "the matrices", wanted, data)?;
            self.addressed(Op::Ldmatrix { count, trans }, &dsts, address, &[]);
        } else {
            let srcs = self.operands(mods, "the matrices", wanted, data)?;
            self.addressed(Op::Stmatrix { count, trans }, &[], address, &srcs);
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

    /// Its registers, if there is such a fragment.
    fn fragment(&self) -> Option<Fragment> {
        let shape = (self.m, self.n, self.k);
        let known = match (self.frag, self.ty) {
            (Frag::C, Ty::F16 | Ty::S32) | (Frag::A | Frag::B, Ty::F16 | Ty::Bf16 | Ty::S8 | Ty::U8) => is_wide(shape),
            (Frag::C, Ty::F32) => is_wide(shape) || shape == (16, 16, 8),
            (Frag::A | Frag::B, Ty::Tf32) => shape == (16, 16, 8),
            (_, Ty::F64) => shape == (8, 8, 4),
            _ => false,
        };
        let ((rows, cols), bits) = (self.extent(), self.ty.bytes() * 8);
        let registers = if self.ty == Ty::F16 && self.frag != Frag::C { 8 } else { fragment(rows as u8, cols as u8, bits) };
        known.then_some(Fragment { registers, bits })
    }
}

/// The shapes `wmma` has for halves and bytes.
fn is_wide(shape: (u8, u8, u8)) -> bool {
    matches!(shape, (16, 16, 16) | (32, 8, 16) | (8, 32, 16))
}

/// What a fragment looks like in a lane.
#[derive(Clone, Copy)]
struct Fragment {
    registers: u32,
    /// Of an element.
    bits: u32,
}

impl Fragment {
    /// Type of its registers.
    fn word(self) -> Ty {
        if self.bits == 64 { Ty::B64 } else { Ty::B32 }
    }
}

impl Mma {
    /// Whether `mma.sync` has its shape and types.
    fn is_mma(&self) -> bool {
        use MmaTy::{Bf16, F16, F64, S8, Tf32, U8};
        let (shape, c, d) = ((self.m, self.n, self.k), self.c, self.d);
        match (self.a, self.b) {
            (F16, F16) => matches!(shape, (16, 8, 8 | 16)) && c == d && matches!(d, AccTy::F16 | AccTy::F32),
            (Bf16, Bf16) => matches!(shape, (16, 8, 8 | 16)) && (c, d) == (AccTy::F32, AccTy::F32),
            (Tf32, Tf32) => matches!(shape, (16, 8, 4 | 8)) && (c, d) == (AccTy::F32, AccTy::F32),
            (S8 | U8, S8 | U8) => matches!(shape, (8, 8, 16) | (16, 8, 16 | 32)) && (c, d) == (AccTy::S32, AccTy::S32),
            (F64, F64) => matches!(shape, (8, 8, 4) | (16, 8, 4 | 8 | 16)) && (c, d) == (AccTy::F64, AccTy::F64),
            _ => false,
        }
    }

    /// Whether `wmma.mma` has them.
    fn is_wmma(&self) -> bool {
        use MmaTy::{Bf16, F16, F64, S8, Tf32, U8};
        let shape = (self.m, self.n, self.k);
        match (self.a, self.b, self.c, self.d) {
            (F16, F16, AccTy::F16 | AccTy::F32, AccTy::F16 | AccTy::F32) | (Bf16, Bf16, AccTy::F32, AccTy::F32) => is_wide(shape),
            (S8, S8, AccTy::S32, AccTy::S32) | (U8, U8, AccTy::S32, AccTy::S32) => is_wide(shape),
            (Tf32, Tf32, AccTy::F32, AccTy::F32) => shape == (16, 16, 8),
            (F64, F64, AccTy::F64, AccTy::F64) => shape == (8, 8, 4),
            _ => false,
        }
    }

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
