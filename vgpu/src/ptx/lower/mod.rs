//! Statements → decoded instructions: names are resolved, calls of device functions are expanded in place.

mod arith;
mod convert;
mod matrix;
mod memory;
mod modifiers;
mod operands;
mod warp;

use std::collections::HashMap;

use super::PtxError;
use super::op::{Inst, NO_SYM, Op, Symbol};
use super::syntax::{Arg, RawFunction, RawInst, RawModule, Stmt, Var, VarSpace};
use super::types::{Class, Reg, Ty};
use modifiers::Mods;

type Res<T> = Result<T, PtxError>;

/// What a name stands for in one scope.
#[derive(Debug, Clone)]
enum Name<'a> {
    Reg(Reg, Ty),
    Symbol(u16),
    Label(u32),
    Targets(Vec<&'a str>),
}

#[derive(Debug, Default)]
struct Scope<'a> {
    parent: Option<usize>,
    names: HashMap<&'a str, Name<'a>>,
    /// `%r<5>`: prefix, type, first register, count.
    ranges: Vec<(&'a str, Ty, u32, u32)>,
}

/// A function as it comes out of lowering; registers are still virtual.
#[derive(Debug, Default)]
pub(crate) struct Lowered {
    pub(crate) code: Vec<Inst>,
    pub(crate) pool: Vec<Reg>,
    pub(crate) tables: Vec<Vec<u32>>,
    pub(crate) symbols: Vec<Symbol>,
    pub(crate) consts32: Vec<u32>,
    pub(crate) consts64: Vec<u64>,
    /// Virtual registers per class.
    pub(crate) registers: [u32; 3],
    pub(crate) shared_bytes: u32,
    pub(crate) local_bytes: u32,
    pub(crate) slots: u32,
}

struct Lower<'a, 'm> {
    raw: &'m RawModule<'a>,
    out: Lowered,
    map32: HashMap<u32, u32>,
    map64: HashMap<u64, u32>,
    /// Module-level shared variables this kernel names.
    module_shared: HashMap<&'a str, u16>,
    scopes: Vec<Scope<'a>>,
    scope: usize,
    /// Branches whose target is not known yet: instruction, scope, name.
    fixups: Vec<(usize, usize, &'a str)>,
    table_fixups: Vec<(usize, usize, Vec<&'a str>)>,
    /// Functions being expanded, outermost first.
    calls: Vec<&'a str>,
    /// Jumps to the end of the innermost expanded function.
    returns: Vec<usize>,
    line: u32,
    loc: (u16, u32),
    guard: Option<(u32, bool)>,
}

/// Decodes a kernel.
pub(crate) fn lower<'a>(raw: &RawModule<'a>, function: &RawFunction<'a>) -> Res<Lowered> {
    let mut lower = Lower {
        raw,
        out: Lowered::default(),
        map32: HashMap::new(),
        map64: HashMap::new(),
        module_shared: HashMap::new(),
        scopes: vec![Scope::default()],
        scope: 0,
        fixups: Vec::new(),
        table_fixups: Vec::new(),
        calls: vec![function.name],
        returns: Vec::new(),
        line: function.line,
        loc: (0, 0),
        guard: None,
    };
    let mut offset = 0;
    for param in &function.params {
        offset = align(offset, param.align);
        lower.declare_symbol(param.name, Symbol::Param(offset));
        offset += param.size.unwrap_or(0) as u32;
    }
    lower.body(function.body.as_deref().unwrap_or(&[]))?;
    lower.guard = None;
    lower.push(Op::Exit, &[], &[]);
    lower.resolve()?;
    Ok(lower.out)
}

/// `value` rounded up to a multiple of `to`.
pub(crate) fn align(value: u32, to: u32) -> u32 {
    value.next_multiple_of(to.max(1))
}

impl<'a> Lower<'a, '_> {
    fn fail<T>(&self, message: impl Into<String>) -> Res<T> {
        Err(PtxError { line: self.line, message: message.into() })
    }

    fn body(&mut self, stmts: &[Stmt<'a>]) -> Res<()> {
        for stmt in stmts {
            match stmt {
                Stmt::Open => self.open(Some(self.scope)),
                Stmt::Close => self.scope = self.scopes[self.scope].parent.unwrap_or(0),
                Stmt::Label(name) => {
                    let pc = self.out.code.len() as u32;
                    self.declare(name, Name::Label(pc));
                }
                Stmt::Targets { name, targets } => self.declare(name, Name::Targets(targets.clone())),
                Stmt::Reg { ty, name, count, line } => {
                    self.line = *line;
                    self.declare_registers(*ty, name, *count)?;
                }
                Stmt::Var(var) => self.variable(var)?,
                Stmt::Inst(inst) => self.instruction(inst)?,
            }
        }
        Ok(())
    }

    fn open(&mut self, parent: Option<usize>) {
        self.scopes.push(Scope { parent, ..Scope::default() });
        self.scope = self.scopes.len() - 1;
    }

    fn declare(&mut self, name: &'a str, what: Name<'a>) {
        self.scopes[self.scope].names.insert(name, what);
    }

    fn declare_symbol(&mut self, name: &'a str, symbol: Symbol) {
        let index = self.symbol(symbol);
        self.declare(name, Name::Symbol(index));
    }

    fn symbol(&mut self, symbol: Symbol) -> u16 {
        let at = self.out.symbols.iter().position(|s| *s == symbol).unwrap_or_else(|| {
            self.out.symbols.push(symbol);
            self.out.symbols.len() - 1
        });
        at as u16
    }

    fn declare_registers(&mut self, ty: Ty, name: &'a str, count: Option<u32>) -> Res<()> {
        let Some(class) = ty.class() else { return self.fail(format!("register `{name}` of 128 bits is not supported")) };
        let first = self.out.registers[class as usize];
        self.out.registers[class as usize] += count.unwrap_or(1);
        match count {
            Some(n) => self.scopes[self.scope].ranges.push((name, ty, first, n)),
            None => self.declare(name, Name::Reg(Reg::new(class, first), ty)),
        }
        Ok(())
    }

    /// A register of the interpreter's own.
    fn fresh(&mut self, class: Class) -> Reg {
        self.out.registers[class as usize] += 1;
        Reg::new(class, self.out.registers[class as usize] - 1)
    }

    fn variable(&mut self, var: &Var<'a>) -> Res<()> {
        let size = var.size.unwrap_or(0) as u32;
        let symbol = match var.space {
            VarSpace::Shared if var.size.is_none() => Symbol::Dynamic,
            VarSpace::Shared => Symbol::Shared(reserve(&mut self.out.shared_bytes, size, var.align)),
            VarSpace::Local | VarSpace::Param => Symbol::Local(reserve(&mut self.out.local_bytes, size, var.align)),
            VarSpace::Global | VarSpace::Const => {
                return self.fail(format!("variable `{}`: global variables inside functions are not supported", var.name));
            }
        };
        self.declare_symbol(var.name, symbol);
        Ok(())
    }

    fn instruction(&mut self, inst: &RawInst<'a>) -> Res<()> {
        (self.line, self.loc) = (inst.line, inst.loc);
        self.guard = None;
        if let Some((name, negated)) = inst.guard {
            let reg = self.register(name, Class::Pred)?;
            self.guard = Some((reg.index() as u32, negated));
        }
        let mut words = inst.opcode.split('.');
        let base = words.next().unwrap_or("");
        let mut mods = Mods { opcode: inst.opcode, words: words.collect(), line: inst.line };
        if base == "call" {
            return self.call(inst);
        }
        let known = self.arith(base, &mut mods, &inst.args)?
            || self.convert(base, &mut mods, &inst.args)?
            || self.memory(base, &mut mods, &inst.args)?
            || self.warp(base, &mut mods, &inst.args)?
            || self.matrix(base, &mut mods, &inst.args)?;
        if !known {
            return self.fail(format!("opcode `{}` is not supported", inst.opcode));
        }
        mods.finish()
    }

    fn push(&mut self, op: Op, dsts: &[Reg], srcs: &[Reg]) -> &mut Inst {
        let at = self.out.pool.len() as u32;
        self.out.pool.extend_from_slice(dsts);
        self.out.pool.extend_from_slice(srcs);
        self.out.code.push(Inst {
            op,
            guard: self.guard,
            at,
            dst: dsts.len() as u8,
            src: srcs.len() as u8,
            sym: NO_SYM,
            imm: 0,
            join: u32::MAX,
            line: self.line,
            loc: self.loc,
            slot: u32::MAX,
        });
        let last = self.out.code.len() - 1;
        &mut self.out.code[last]
    }

    /// A branch to a name that may come later.
    fn branch(&mut self, name: &'a str) {
        self.fixups.push((self.out.code.len(), self.scope, name));
        self.push(Op::Bra, &[], &[]);
    }

    fn lookup(&self, mut scope: usize, name: &str) -> Option<&Name<'a>> {
        loop {
            if let Some(found) = self.scopes[scope].names.get(name) {
                return Some(found);
            }
            scope = self.scopes[scope].parent?;
        }
    }

    fn label(&self, scope: usize, name: &str) -> Res<u32> {
        match self.lookup(scope, name) {
            Some(Name::Label(pc)) => Ok(*pc),
            _ => self.fail(format!("label `{name}` is not in this function")),
        }
    }

    fn resolve(&mut self) -> Res<()> {
        for (at, scope, name) in std::mem::take(&mut self.fixups) {
            self.line = self.out.code[at].line;
            self.out.code[at].imm = i64::from(self.label(scope, name)?);
        }
        for (table, scope, names) in std::mem::take(&mut self.table_fixups) {
            let targets: Res<Vec<u32>> = names.iter().map(|n| self.label(scope, n)).collect();
            self.out.tables[table] = targets?;
        }
        Ok(())
    }

    /// `call (result), function, (arguments)`: the callee's body stands here, with its own names.
    fn call(&mut self, inst: &RawInst<'a>) -> Res<()> {
        let mut args = inst.args.iter();
        let mut next = args.next();
        let results: &[Arg<'a>] = match next {
            Some(Arg::Group(list)) => {
                next = args.next();
                list
            }
            _ => &[],
        };
        let Some(Arg::Name { text, .. }) = next else { return self.fail("call without a function's name") };
        let arguments: &[Arg<'a>] = match args.next() {
            Some(Arg::Group(list)) => list,
            _ => &[],
        };
        if matches!(*text, "__assertfail" | "__assert_fail") {
            // Where condition, file, line and function lie; told when it fails.
            let places: Res<Vec<u32>> = arguments.iter().map(|a| self.local_offset(a)).collect();
            let table = self.out.tables.len();
            self.out.tables.push(places?);
            self.push(Op::Assert, &[], &[]).imm = table as i64;
            return Ok(());
        }
        if *text == "vprintf" {
            return Ok(());
        }
        let raw = self.raw;
        let callee = raw.functions.iter().find(|f| f.name == *text && f.body.is_some());
        let Some(callee) = callee else {
            return self.fail(format!("call of `{text}`, which is not in this module, is not supported"));
        };
        if self.calls.contains(text) {
            return self.fail(format!("recursion through `{text}` is not supported"));
        }
        self.expand(callee, results, arguments)
    }

    fn expand(&mut self, callee: &RawFunction<'a>, results: &[Arg<'a>], arguments: &[Arg<'a>]) -> Res<()> {
        let caller = self.scope;
        let skip = self.guard.map(|(pred, negated)| {
            self.guard = Some((pred, !negated));
            self.push(Op::Bra, &[], &[]);
            self.guard = None;
            self.out.code.len() - 1
        });
        let actual: Res<Vec<u32>> = arguments.iter().map(|a| self.local_offset(a)).collect();
        let back: Res<Vec<u32>> = results.iter().map(|a| self.local_offset(a)).collect();
        self.open(None);
        let mut inner = Vec::new();
        for var in callee.params.iter().chain(&callee.returns) {
            let at = reserve(&mut self.out.local_bytes, var.size.unwrap_or(0) as u32, var.align);
            self.declare_symbol(var.name, Symbol::Local(at));
            inner.push((at, var.size.unwrap_or(0) as u32));
        }
        let (params, returns) = inner.split_at(callee.params.len());
        for (&from, &(to, bytes)) in actual?.iter().zip(params) {
            self.push(Op::CopyLocal { from, to, bytes }, &[], &[]);
        }
        let outer = std::mem::take(&mut self.returns);
        self.calls.push(callee.name);
        self.body(callee.body.as_deref().unwrap_or(&[]))?;
        self.calls.pop();
        let end = self.out.code.len() as i64;
        for jump in std::mem::replace(&mut self.returns, outer) {
            self.out.code[jump].imm = end;
        }
        self.guard = None;
        for (&to, &(from, bytes)) in back?.iter().zip(returns) {
            self.push(Op::CopyLocal { from, to, bytes }, &[], &[]);
        }
        self.push(Op::Nop, &[], &[]);
        if let Some(at) = skip {
            self.out.code[at].imm = self.out.code.len() as i64 - 1;
        }
        self.scope = caller;
        Ok(())
    }

    fn local_offset(&self, arg: &Arg<'a>) -> Res<u32> {
        if let Arg::Name { text, .. } = arg
            && let Some(Name::Symbol(index)) = self.lookup(self.scope, text)
            && let Symbol::Local(at) = self.out.symbols[*index as usize]
        {
            return Ok(at);
        }
        self.fail("arguments of calls that are not `.param` variables are not supported")
    }
}

fn reserve(used: &mut u32, size: u32, to: u32) -> u32 {
    let at = align(*used, to);
    *used = at + size;
    at
}
