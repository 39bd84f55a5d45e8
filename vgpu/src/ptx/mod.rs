//! PTX text → [`Module`]: decoded once, run many times.
//!
//! text → tokens (`lexer`) → statements (`parser`) → instructions (`lower`) → joins of divergent lanes (`flow`) → few registers (`registers`).

mod flow;
mod lexer;
mod lower;
mod number;
pub(crate) mod op;
mod parser;
mod registers;
mod syntax;
pub(crate) mod types;

use std::sync::Arc;

use op::{Inst, Op, Space, Symbol};
use syntax::{Init, RawFunction, Var, VarSpace};
use types::Reg;

/// Why a text is not a module this GPU can run.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("ptx line {line}: {message}")]
pub struct PtxError {
    /// Line, from 1.
    pub line: u32,
    /// Subject first.
    pub message: String,
}

/// One kernel parameter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Param {
    /// Byte offset in the parameter buffer.
    pub offset: u32,
    /// Bytes.
    pub size: u32,
    /// Alignment in bytes.
    pub align: u32,
}

/// One `.global` or `.const` variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Global {
    /// Its name.
    pub name: String,
    /// Bytes.
    pub size: u64,
    /// Alignment in bytes.
    pub align: u32,
    /// Initial bytes; shorter than `size` means zeros follow.
    pub init: Vec<u8>,
    /// Places in `init` (byte offset) that hold the address of another variable plus an offset.
    pub addresses: Vec<(usize, String, i64)>,
}

/// One kernel (`.entry`), decoded.
#[derive(Debug, Clone)]
pub struct Function {
    /// Its (mangled) name.
    pub name: String,
    /// Parameters in order.
    pub params: Vec<Param>,
    /// Bytes of the parameter buffer.
    pub param_bytes: u32,
    /// Bytes of `.shared` declared with a size.
    pub static_shared_bytes: u64,
    /// Bytes of `.local` per thread.
    pub local_bytes: u32,
    /// Product of `.maxntid` / `.reqntid`.
    pub max_threads: Option<u32>,
    /// Estimate of 32-bit registers per thread: most virtual registers live at once.
    pub registers: u32,
    pub(crate) code: Vec<Inst>,
    pub(crate) pool: Vec<Reg>,
    pub(crate) tables: Vec<Vec<u32>>,
    pub(crate) symbols: Vec<Symbol>,
    /// Constants, each in all lanes.
    pub(crate) consts32: Vec<[u32; 32]>,
    pub(crate) consts64: Vec<[u64; 32]>,
    /// Register slots: 32-bit, 64-bit, predicates.
    pub(crate) slots: [u32; 3],
    /// Memory instructions.
    pub(crate) memory_slots: u32,
    /// Log2 of the smallest access to shared and to global memory, at most 2: what the shadows are kept for.
    pub(crate) shared_granule: u32,
    pub(crate) global_granule: u32,
}

/// A parsed module.
#[derive(Debug, Clone)]
pub struct Module {
    /// Kernels.
    pub functions: Vec<Function>,
    /// Variables.
    pub globals: Vec<Global>,
    /// As in `.target`, such as `sm_80`.
    pub target: String,
    /// As in `.version`.
    pub version: (u32, u32),
    /// Source files by number, as `.loc` names them.
    pub files: Vec<(u32, String)>,
    pub(crate) text: Arc<str>,
}

impl Module {
    /// A kernel by name.
    pub fn function(&self, name: &str) -> Option<&Function> {
        self.functions.iter().find(|f| f.name == name)
    }

    /// A line of the text, trimmed.
    pub(crate) fn line(&self, line: u32) -> &str {
        self.text.lines().nth(line.saturating_sub(1) as usize).unwrap_or("").trim()
    }
}

/// Parses and decodes a module.
///
/// # Errors
/// The line and what is wrong with it; an unknown opcode is named.
pub fn parse(text: &str) -> Result<Module, PtxError> {
    let raw = parser::parse_raw(text)?;
    let entries = raw.functions.iter().filter(|f| f.entry && f.body.is_some());
    let functions: Result<Vec<Function>, PtxError> = entries.map(|f| function(&raw, f)).collect();
    let placed = |v: &&Var<'_>| v.space != VarSpace::Shared && v.size.is_some();
    Ok(Module {
        functions: functions?,
        globals: raw.vars.iter().filter(placed).map(global).collect(),
        target: raw.target.trim_end_matches(',').to_owned(),
        version: raw.version,
        files: raw.files.iter().map(|&(n, name)| (n, name.to_owned())).collect(),
        text: text.into(),
    })
}

fn function(raw: &syntax::RawModule<'_>, source: &RawFunction<'_>) -> Result<Function, PtxError> {
    let mut low = lower::lower(raw, source)?;
    let blocks = flow::blocks(&low.code, &low.tables);
    flow::set_joins(&mut low.code, &blocks);
    let files = registers::allocate(&mut low.code, &mut low.pool, &blocks, low.registers);
    let mut offset = 0;
    let params: Vec<Param> = source
        .params
        .iter()
        .map(|p| {
            let at = lower::align(offset, p.align);
            offset = at + p.size.unwrap_or(0) as u32;
            Param { offset: at, size: p.size.unwrap_or(0) as u32, align: p.align }
        })
        .collect();
    Ok(Function {
        name: source.name.to_owned(),
        params,
        param_bytes: offset,
        static_shared_bytes: u64::from(low.shared_bytes),
        local_bytes: low.local_bytes.next_multiple_of(16),
        max_threads: source.max_threads,
        registers: files.estimate,
        consts32: low.consts32.iter().map(|&c| [c; 32]).collect(),
        consts64: low.consts64.iter().map(|&c| [c; 32]).collect(),
        slots: files.slots,
        memory_slots: low.slots,
        shared_granule: granule(&low.code, Space::Shared),
        global_granule: granule(&low.code, Space::Global),
        code: low.code,
        pool: low.pool,
        tables: low.tables,
        symbols: low.symbols,
    })
}

fn granule(code: &[Inst], space: Space) -> u32 {
    let bytes = |inst: &Inst| {
        let (at, ty, count) = match inst.op {
            Op::Ld { space, ty, .. } => (space, ty, u32::from(inst.dst)),
            Op::St { space, ty, .. } => (space, ty, u32::from(inst.src) - 1),
            Op::Atom { space, ty, .. } | Op::Red { space, ty, .. } => (space, ty, 1),
            // Along columns, elements move one by one.
            Op::WmmaLoad(mem) | Op::WmmaStore(mem) if mem.col => (mem.space, mem.ty, 1),
            _ => return None,
        };
        (at == space || at == Space::Generic).then(|| ty.bytes() * count)
    };
    code.iter().filter_map(bytes).min().unwrap_or(4).clamp(1, 4).ilog2()
}

fn global(var: &Var<'_>) -> Global {
    let width = var.elem.bytes() as usize;
    let (mut init, mut addresses) = (Vec::with_capacity(var.init.len() * width), Vec::new());
    for item in &var.init {
        match *item {
            Init::Bits(bits) => init.extend_from_slice(&bits.to_le_bytes()[..width]),
            Init::Address(name, offset) => {
                addresses.push((init.len(), name.to_owned(), offset));
                init.resize(init.len() + width, 0);
            }
        }
    }
    Global { name: var.name.to_owned(), size: var.size.unwrap_or(0).max(1), align: var.align, init, addresses }
}
