//! Operands: registers, constants, special registers, addresses.

use super::super::number::{self, Number};
use super::super::op::{NO_SYM, Op, Special, Symbol};
use super::super::syntax::{Arg, VarSpace};
use super::super::types::{Class, Reg, Ty};
use super::{Lower, Name, Res};

/// An address: register part, symbol, offset.
#[derive(Debug, Clone, Copy)]
pub(super) struct Address {
    pub(super) base: Reg,
    pub(super) sym: u16,
    pub(super) offset: i64,
}

impl<'a> Lower<'a, '_> {
    /// A declared register of whatever class.
    pub(super) fn any_register(&self, name: &str) -> Option<(Reg, Ty)> {
        if let Some(Name::Reg(reg, ty)) = self.lookup(self.scope, name) {
            return Some((*reg, *ty));
        }
        let prefix = name.trim_end_matches(|c: char| c.is_ascii_digit());
        let mut scope = Some(self.scope);
        while let Some(at) = scope {
            for &(stem, ty, first, count) in &self.scopes[at].ranges {
                // A stem may itself end in digits (`%r1<3>`), so both cuts are tried.
                let digits = if stem == prefix { &name[prefix.len()..] } else { name.strip_prefix(stem).unwrap_or("") };
                if let Ok(n) = digits.parse::<u32>()
                    && n < count
                {
                    return Some((Reg::new(ty.class()?, first + n), ty));
                }
            }
            scope = self.scopes[at].parent;
        }
        None
    }

    pub(super) fn register(&self, name: &str, class: Class) -> Res<Reg> {
        match self.any_register(name) {
            Some((reg, _)) if reg.class() == class => Ok(reg),
            Some((reg, _)) => self.fail(format!("register `{name}` is a {:?} where a {class:?} is wanted", reg.class())),
            None => self.fail(format!("`{name}` is not declared")),
        }
    }

    pub(super) fn constant(&mut self, class: Class, bits: u64) -> Reg {
        let index = match class {
            Class::R64 => *self.map64.entry(bits).or_insert_with(|| {
                self.out.consts64.push(bits);
                self.out.consts64.len() as u32 - 1
            }),
            _ => *self.map32.entry(bits as u32).or_insert_with(|| {
                self.out.consts32.push(bits as u32);
                self.out.consts32.len() as u32 - 1
            }),
        };
        Reg::constant(class, index)
    }

    /// A source of type `ty`; symbols and special registers are moved into a register first.
    pub(super) fn src(&mut self, arg: &Arg<'a>, ty: Ty) -> Res<Reg> {
        let Some(class) = ty.class() else { return self.fail("128-bit operands are not supported") };
        let reg = self.natural(arg, ty)?;
        if reg.class() == class {
            return Ok(reg);
        }
        let Arg::Name { text, .. } = arg else { return self.fail("operand of the wrong kind") };
        self.fail(format!("operand `{text}` is a {:?} where a {class:?} is wanted", reg.class()))
    }

    /// A source in whatever register it is; literals take the class of `ty`.
    pub(super) fn natural(&mut self, arg: &Arg<'a>, ty: Ty) -> Res<Reg> {
        let Arg::Name { text, negative, offset } = arg else { return self.fail("register or number expected") };
        if let Some(value) = number::parse(text) {
            return self.literal(value, ty, *negative);
        }
        if let Some((reg, _)) = self.any_register(text) {
            return self.no_predicate(text, reg);
        }
        if let Some(special) = special(text) {
            let class = ty.class().unwrap_or(Class::R32);
            let reg = self.fresh(class);
            self.push(Op::MovSpecial(special), &[reg], &[]);
            return Ok(reg);
        }
        if *text == "WARP_SZ" {
            return Ok(self.constant(ty.class().unwrap_or(Class::R32), 32));
        }
        let sym = self.symbol_named(text)?;
        let reg = self.fresh(if ty.bytes() == 8 { Class::R64 } else { Class::R32 });
        let inst = self.push(Op::MovSym, &[reg], &[]);
        (inst.sym, inst.imm) = (sym, *offset);
        Ok(reg)
    }

    fn no_predicate(&self, name: &str, reg: Reg) -> Res<Reg> {
        if reg.class() == Class::Pred {
            return self.fail(format!("predicate `{name}` where a value is wanted"));
        }
        Ok(reg)
    }

    /// Special registers and symbols are moved without a detour; says whether `arg` is one.
    pub(super) fn named_into(&mut self, arg: &Arg<'a>, d: Reg) -> Res<bool> {
        let Arg::Name { text, offset, .. } = arg else { return Ok(false) };
        if number::parse(text).is_some() || self.any_register(text).is_some() || *text == "WARP_SZ" {
            return Ok(false);
        }
        if let Some(special) = special(text) {
            self.push(Op::MovSpecial(special), &[d], &[]);
            return Ok(true);
        }
        let sym = self.symbol_named(text)?;
        let inst = self.push(Op::MovSym, &[d], &[]);
        (inst.sym, inst.imm) = (sym, *offset);
        Ok(true)
    }

    fn literal(&mut self, value: Number, ty: Ty, negative: bool) -> Res<Reg> {
        let class = ty.class().unwrap_or(Class::R32);
        if class == Class::Pred {
            return Ok(self.constant(Class::R32, value.bits(Ty::B32, negative)));
        }
        // In untyped places such as `mov.b32` a `0f` literal keeps its bits.
        Ok(self.constant(class, value.bits(ty, negative)))
    }

    pub(super) fn symbol_named(&mut self, name: &'a str) -> Res<u16> {
        if let Some(Name::Symbol(index)) = self.lookup(self.scope, name) {
            return Ok(*index);
        }
        let raw = self.raw;
        let Some(var) = raw.vars.iter().find(|v| v.name == name) else {
            return self.fail(format!("`{name}` is not declared"));
        };
        if var.space == VarSpace::Shared {
            // Declared for the module, placed once in each kernel that names it.
            if let Some(&index) = self.module_shared.get(name) {
                return Ok(index);
            }
            let index = match var.size {
                None => self.symbol(Symbol::Dynamic),
                Some(size) => {
                    let at = super::reserve(&mut self.out.shared_bytes, size as u32, var.align);
                    self.symbol(Symbol::Shared(at))
                }
            };
            self.module_shared.insert(name, index);
            return Ok(index);
        }
        Ok(self.symbol(Symbol::Global(name.to_owned())))
    }

    /// A destination; `_` is nobody.
    pub(super) fn dst(&mut self, arg: &Arg<'a>, ty: Ty) -> Res<Reg> {
        let Some(class) = ty.class() else { return self.fail("128-bit results are not supported") };
        match arg {
            // A result nobody wants still needs a place.
            Arg::Name { text: "_", .. } => Ok(self.fresh(class)),
            Arg::Name { text, .. } => self.register(text, class),
            _ => self.fail("register expected as result"),
        }
    }

    /// A destination of any class.
    pub(super) fn any_dst(&mut self, arg: &Arg<'a>) -> Res<Reg> {
        match arg {
            Arg::Name { text: "_", .. } => Ok(self.fresh(Class::R32)),
            Arg::Name { text, .. } => match self.any_register(text) {
                Some((reg, _)) => self.no_predicate(text, reg),
                None => self.fail(format!("`{text}` is not declared")),
            },
            _ => self.fail("register expected as result"),
        }
    }

    /// A predicate that may be written `!%p` or as a number.
    pub(super) fn pred(&mut self, arg: &Arg<'a>) -> Res<(Reg, bool)> {
        match arg {
            Arg::Not(name) => Ok((self.register(name, Class::Pred)?, true)),
            Arg::Name { text, .. } => {
                if let Some(Number::Int(value)) = number::parse(text) {
                    let truth = u64::from(value != 0);
                    let reg = self.fresh(Class::Pred);
                    let source = self.constant(Class::R32, truth);
                    let zero = self.constant(Class::R32, 0);
                    self.push(super::arith::not_zero(), &[reg], &[source, zero]);
                    return Ok((reg, false));
                }
                Ok((self.register(text, Class::Pred)?, false))
            }
            _ => self.fail("predicate expected"),
        }
    }

    /// Registers between braces, or the one register.
    pub(super) fn list<'x>(&self, arg: &'x Arg<'a>) -> &'x [Arg<'a>] {
        match arg {
            Arg::Vector(list) => list,
            other => std::slice::from_ref(other),
        }
    }

    pub(super) fn address(&mut self, arg: &Arg<'a>) -> Res<Address> {
        let Arg::Memory { base, offset } = arg else { return self.fail("address in brackets expected") };
        let zero = self.constant(Class::R32, 0);
        let Some(name) = base else { return Ok(Address { base: zero, sym: NO_SYM, offset: *offset }) };
        if let Some((reg, _)) = self.any_register(name) {
            return Ok(Address { base: reg, sym: NO_SYM, offset: *offset });
        }
        let sym = self.symbol_named(name)?;
        Ok(Address { base: zero, sym, offset: *offset })
    }

    pub(super) fn arg<'x>(&self, args: &'x [Arg<'a>], at: usize) -> Res<&'x Arg<'a>> {
        match args.get(at) {
            Some(arg) => Ok(arg),
            None => self.fail(format!("operand {} is missing", at + 1)),
        }
    }
}

fn special(name: &str) -> Option<Special> {
    let axis = |s: &str| match s {
        "x" => Some(0),
        "y" => Some(1),
        "z" => Some(2),
        _ => None,
    };
    let name = name.strip_prefix('%')?;
    if let Some((base, dim)) = name.split_once('.') {
        return Some(match base {
            "tid" => Special::Tid(axis(dim)?),
            "ntid" => Special::Ntid(axis(dim)?),
            "ctaid" => Special::Ctaid(axis(dim)?),
            "nctaid" => Special::Nctaid(axis(dim)?),
            "clusterid" => Special::Ctaid(axis(dim)?),
            "nclusterid" => Special::Nctaid(axis(dim)?),
            "cluster_ctaid" => Special::Zero,
            "cluster_nctaid" => Special::One,
            _ => return None,
        });
    }
    Some(match name {
        "laneid" => Special::Laneid,
        "warpid" => Special::Warpid,
        "nwarpid" => Special::Nwarpid,
        "smid" => Special::Smid,
        "nsmid" => Special::Nsmid,
        "gridid" => Special::Gridid,
        "lanemask_eq" => Special::LanemaskEq,
        "lanemask_lt" => Special::LanemaskLt,
        "lanemask_le" => Special::LanemaskLe,
        "lanemask_gt" => Special::LanemaskGt,
        "lanemask_ge" => Special::LanemaskGe,
        "clock" | "clock_hi" => Special::Clock,
        "clock64" => Special::Clock64,
        "globaltimer" | "globaltimer_lo" => Special::Globaltimer,
        "dynamic_smem_size" => Special::DynamicSmem,
        "total_smem_size" => Special::TotalSmem,
        "cluster_ctarank" => Special::Zero,
        "cluster_nctarank" => Special::One,
        _ => return None,
    })
}
