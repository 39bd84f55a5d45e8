//! What a PTX text says, before any name or opcode is given a meaning.

use super::types::Ty;

/// A register, symbol, label, number, or a group of them.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Arg<'a> {
    /// Register, symbol, label or number; numbers may carry a sign.
    Name { text: &'a str, negative: bool, offset: i64 },
    /// `!%p`.
    Not(&'a str),
    /// `%p|%q`.
    Pair(&'a str, &'a str),
    /// `{a, b}`.
    Vector(Vec<Arg<'a>>),
    /// `(a, b)`.
    Group(Vec<Arg<'a>>),
    /// `[base + offset]`; a number as base is an absolute address.
    Memory { base: Option<&'a str>, offset: i64 },
}

/// One instruction as written.
#[derive(Debug, Clone)]
pub(crate) struct RawInst<'a> {
    pub(crate) line: u32,
    pub(crate) loc: (u16, u32),
    pub(crate) guard: Option<(&'a str, bool)>,
    pub(crate) opcode: &'a str,
    pub(crate) args: Vec<Arg<'a>>,
}

/// Spaces a variable can be declared in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum VarSpace {
    Global,
    Const,
    Shared,
    Local,
    Param,
}

/// A declared variable.
#[derive(Debug, Clone)]
pub(crate) struct Var<'a> {
    pub(crate) name: &'a str,
    pub(crate) space: VarSpace,
    pub(crate) align: u32,
    /// Bytes; `None` for an array without bound.
    pub(crate) size: Option<u64>,
    pub(crate) elem: Ty,
    pub(crate) init: Vec<Init<'a>>,
}

/// One initial element.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Init<'a> {
    Bits(u64),
    /// Address of a variable plus an offset.
    Address(&'a str, i64),
}

/// One statement of a function's body.
#[derive(Debug, Clone)]
pub(crate) enum Stmt<'a> {
    Label(&'a str),
    Inst(RawInst<'a>),
    Open,
    Close,
    /// `.reg .type name;` or `name<count>`.
    Reg {
        ty: Ty,
        name: &'a str,
        count: Option<u32>,
        line: u32,
    },
    Var(Var<'a>),
    /// `label: .branchtargets a, b;`
    Targets {
        name: &'a str,
        targets: Vec<&'a str>,
    },
}

/// A function with or without body.
#[derive(Debug, Clone)]
pub(crate) struct RawFunction<'a> {
    pub(crate) name: &'a str,
    pub(crate) entry: bool,
    pub(crate) params: Vec<Var<'a>>,
    pub(crate) returns: Vec<Var<'a>>,
    pub(crate) max_threads: Option<u32>,
    pub(crate) body: Option<Vec<Stmt<'a>>>,
    pub(crate) line: u32,
}

/// A text.
#[derive(Debug, Default)]
pub(crate) struct RawModule<'a> {
    pub(crate) version: (u32, u32),
    pub(crate) target: &'a str,
    pub(crate) files: Vec<(u32, &'a str)>,
    pub(crate) vars: Vec<Var<'a>>,
    pub(crate) functions: Vec<RawFunction<'a>>,
}
