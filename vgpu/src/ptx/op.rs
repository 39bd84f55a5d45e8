//! Decoded instructions: what to do, apart from the registers it is done to.

use super::types::{Reg, Round, Ty};

/// Integer operations with two sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Int2 {
    Add,
    Sub,
    AddSat,
    SubSat,
    MulLo,
    MulHi,
    Mul24Lo,
    Mul24Hi,
    Div,
    Rem,
    Min,
    Max,
    And,
    Or,
    Xor,
    Shl,
    Shr,
}

/// Integer operations with one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Int1 {
    Neg,
    Abs,
    Not,
    Cnot,
    Popc,
    Clz,
    Brev,
    Bfind,
    BfindShift,
}

/// Integer operations with three sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Int3 {
    MadLo,
    MadHi,
    MadHiSat,
    Mad24Lo,
    Mad24Hi,
    Mad24HiSat,
    Sad,
}

/// Adds and subtracts with the carry flag.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Carry {
    Add,
    Sub,
    MadLo,
    MadHi,
}

/// Floating operations with two sources.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fl2 {
    Add,
    Sub,
    Mul,
    Div,
    Min,
    Max,
    MinNan,
    MaxNan,
    Copysign,
}

/// Floating operations with one source.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Fl1 {
    Neg,
    Abs,
    Sqrt,
    Rcp,
    Rsqrt,
    Ex2,
    Lg2,
    Sin,
    Cos,
    Tanh,
}

/// How a floating result is finished.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub(crate) struct Finish {
    /// Rounding.
    pub(crate) round: Round,
    /// Denormals in and out become zero of the same sign.
    pub(crate) ftz: bool,
    /// Clamp to [0, 1], NaN to 0.
    pub(crate) sat: bool,
    /// Negative and NaN to 0 (`.relu`).
    pub(crate) relu: bool,
}

/// Comparisons; the `u` ones are true for unordered operands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Cmp {
    Eq,
    Ne,
    Lt,
    Le,
    Gt,
    Ge,
    Equ,
    Neu,
    Ltu,
    Leu,
    Gtu,
    Geu,
    Num,
    Nan,
}

/// How a comparison is combined with a predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Combine {
    None,
    And,
    Or,
    Xor,
}

/// Floating-point classes that `testp` asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Testp {
    Finite,
    Infinite,
    Number,
    NotANumber,
    Normal,
    Subnormal,
}

/// Special registers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Special {
    Tid(u8),
    Ntid(u8),
    Ctaid(u8),
    Nctaid(u8),
    Laneid,
    Warpid,
    Nwarpid,
    Smid,
    Nsmid,
    Gridid,
    LanemaskEq,
    LanemaskLt,
    LanemaskLe,
    LanemaskGt,
    LanemaskGe,
    Clock,
    Clock64,
    Globaltimer,
    DynamicSmem,
    TotalSmem,
    /// Cluster registers: a cluster is one block here.
    Zero,
    One,
}

/// Where an access goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Space {
    Generic,
    Global,
    Const,
    Shared,
    Local,
    Param,
}

/// Ordering strength of an access.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Order {
    Weak,
    /// Volatile, relaxed, acquire, and atomics: in order with its like.
    Strong,
    /// Strong, and hands on to other blocks what came before: `release` and `acq_rel` of a scope beyond the block.
    Release,
}

/// Read-modify-write operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Rmw {
    Add,
    Min,
    Max,
    And,
    Or,
    Xor,
    Inc,
    Dec,
    Exch,
    Cas,
}

/// Lane exchanges.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shfl {
    Up,
    Down,
    Bfly,
    Idx,
}

/// Votes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Vote {
    All,
    Any,
    Uni,
    Ballot,
}

/// What a barrier does with its predicate.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum BarKind {
    Sync,
    Arrive,
    RedPopc,
    RedAnd,
    RedOr,
}

/// Element types of matrix instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum MmaTy {
    F16,
    Bf16,
    Tf32,
    S8,
    U8,
    F64,
}

/// Accumulator types of matrix instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum AccTy {
    F16,
    F32,
    S32,
    F64,
}

/// `mma.sync` / `wmma.mma`: shape, types and, for wmma, layouts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct Mma {
    /// Rows of D.
    pub(crate) m: u8,
    /// Columns of D.
    pub(crate) n: u8,
    /// Depth.
    pub(crate) k: u8,
    /// Type of A.
    pub(crate) a: MmaTy,
    /// Type of B.
    pub(crate) b: MmaTy,
    /// Type of C.
    pub(crate) c: AccTy,
    /// Type of D.
    pub(crate) d: AccTy,
    /// Integer saturation.
    pub(crate) sat: bool,
}

/// Which matrix a wmma fragment belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Frag {
    A,
    B,
    C,
}

/// `wmma.load` / `wmma.store`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct WmmaMem {
    /// Which matrix.
    pub(crate) frag: Frag,
    /// Rows of D.
    pub(crate) m: u8,
    /// Columns of D.
    pub(crate) n: u8,
    /// Depth.
    pub(crate) k: u8,
    /// Element type in memory.
    pub(crate) ty: Ty,
    /// Column-major in memory.
    pub(crate) col: bool,
    /// Where.
    pub(crate) space: Space,
}

/// mbarrier operations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Mbar {
    Init,
    Inval,
    Arrive,
    ArriveDrop,
    /// Waits on a state token.
    TestWait,
    /// Waits on a parity.
    TestParity,
}

/// What an instruction does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Op {
    Nop,
    Int2(Int2, Ty),
    Int1(Int1, Ty),
    Int3(Int3, Ty),
    /// Source type; the result has twice its width.
    MulWide(Ty),
    MadWide(Ty),
    Carry {
        kind: Carry,
        ty: Ty,
        uses: bool,
        sets: bool,
    },
    Bfe(Ty),
    Bfi(Ty),
    Shf {
        left: bool,
        wrap: bool,
    },
    /// Modes 0 = default, 1 f4e, 2 b4e, 3 rc8, 4 ecl, 5 ecr, 6 rc16.
    Prmt(u8),
    Lop3(u8),
    Dp4a {
        a_signed: bool,
        b_signed: bool,
    },
    Dp2a {
        a_signed: bool,
        b_signed: bool,
        hi: bool,
    },
    Szext {
        signed: bool,
        wrap: bool,
    },
    Bmsk {
        wrap: bool,
    },
    Selp(Ty),
    /// Selector type is f32 or s32.
    Slct {
        ty: Ty,
        float: bool,
        ftz: bool,
    },
    Setp {
        cmp: Cmp,
        ty: Ty,
        combine: Combine,
        negate: bool,
        ftz: bool,
    },
    Set {
        cmp: Cmp,
        ty: Ty,
        to: Ty,
        combine: Combine,
        negate: bool,
        ftz: bool,
    },
    PredNot,
    PredAnd,
    PredOr,
    PredXor,
    PredMov,
    Mov32,
    Mov64,
    MovSpecial(Special),
    /// Address of `sym` + `imm`.
    MovSym,
    /// n sources of `bits` each into one register.
    Pack {
        bits: u8,
    },
    Unpack {
        bits: u8,
    },
    Fl2(Fl2, Ty, Finish),
    Fl1(Fl1, Ty, Finish),
    /// Division as a multiplication by the reciprocal (`approx`, `full`).
    DivApprox(Finish),
    Fma(Ty, Finish),
    Testp(Testp, Ty),
    Cvt {
        to: Ty,
        from: Ty,
        finish: Finish,
        integral: bool,
    },
    /// Two floats into one packed register: first source is the upper half.
    CvtPack {
        to: Ty,
        finish: Finish,
    },
    /// Two s32 saturated into bytes or halves, shifted into c (`cvt.pack`).
    CvtPackInt {
        to: Ty,
    },
    Ld {
        space: Space,
        ty: Ty,
        order: Order,
    },
    St {
        space: Space,
        ty: Ty,
        order: Order,
    },
    Atom {
        space: Space,
        rmw: Rmw,
        ty: Ty,
        order: Order,
    },
    Red {
        space: Space,
        rmw: Rmw,
        ty: Ty,
        order: Order,
    },
    /// To generic (`to == false`: space → generic) or from generic.
    Cvta {
        space: Space,
        to: bool,
    },
    Isspacep(Space),
    Bra,
    Brx,
    /// Leaves the kernel.
    Exit,
    Trap,
    /// A failed assertion; `imm` is the table of its arguments' offsets in local memory.
    Assert,
    Bar {
        kind: BarKind,
        aligned: bool,
        negate: bool,
    },
    /// From here to `Elect`, the last source is the membermask.
    WarpSync,
    Shfl(Shfl),
    Vote {
        kind: Vote,
        negate: bool,
    },
    MatchAny(Ty),
    MatchAll(Ty),
    Redux {
        rmw: Rmw,
        ty: Ty,
    },
    Elect,
    Activemask,
    CpAsync {
        bytes: u8,
    },
    CpCommit,
    CpWait,
    CpWaitAll,
    Mbar(Mbar),
    Mma(Mma),
    Ldmatrix {
        count: u8,
        trans: bool,
    },
    Stmatrix {
        count: u8,
        trans: bool,
    },
    Movmatrix,
    WmmaLoad(WmmaMem),
    WmmaStore(WmmaMem),
    WmmaMma {
        shape: Mma,
    },
    Fence,
    Nanosleep,
    /// Bytes of per-thread local memory from one place to another (arguments of inlined calls).
    CopyLocal {
        from: u32,
        to: u32,
        bytes: u32,
    },
}

/// No symbol.
pub(crate) const NO_SYM: u16 = u16::MAX;

/// One decoded instruction.
#[derive(Debug, Clone)]
pub(crate) struct Inst {
    /// What.
    pub(crate) op: Op,
    /// Guard predicate and whether it is negated.
    pub(crate) guard: Option<(u32, bool)>,
    /// Operands of the function's pool: destinations, then sources.
    pub(crate) at: u32,
    /// Number of destinations.
    pub(crate) dst: u8,
    /// Number of sources.
    pub(crate) src: u8,
    /// Symbol added to the address.
    pub(crate) sym: u16,
    /// Offset, target, table or immediate, by `op`.
    pub(crate) imm: i64,
    /// For branches: where the two sides meet again.
    pub(crate) join: u32,
    /// Line of the PTX text.
    pub(crate) line: u32,
    /// File and line of the CUDA source, 0 where unknown.
    pub(crate) loc: (u16, u32),
    /// Place in the table of memory instructions, `u32::MAX` if it is none.
    pub(crate) slot: u32,
}

impl Inst {
    /// Destinations.
    #[inline(always)]
    pub(crate) fn dsts<'a>(&self, pool: &'a [Reg]) -> &'a [Reg] {
        &pool[self.at as usize..][..self.dst as usize]
    }
    /// Sources.
    #[inline(always)]
    pub(crate) fn srcs<'a>(&self, pool: &'a [Reg]) -> &'a [Reg] {
        &pool[self.at as usize + self.dst as usize..][..self.src as usize]
    }
    /// All operands.
    #[inline(always)]
    pub(crate) fn all<'a>(&self, pool: &'a [Reg]) -> &'a [Reg] {
        &pool[self.at as usize..][..self.dst as usize + self.src as usize]
    }
}

/// What a symbol of a function stands for; addresses are known at launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Symbol {
    /// A module variable.
    Global(String),
    /// Static shared memory at this offset.
    Shared(u32),
    /// Shared memory whose size comes with the launch.
    Dynamic,
    /// Local memory at this offset of a thread.
    Local(u32),
    /// Kernel parameter at this offset.
    Param(u32),
}
