//! What a launch did, counted.

use serde::Serialize;

use crate::ptx::op::{Fl1, Fl2, Inst, MmaTy, Op, Space};
use crate::ptx::types::Ty;

/// Warp instructions executed, by what they keep busy.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Instructions {
    pub int: u64,
    pub fp32: u64,
    pub fp64: u64,
    pub fp16: u64,
    pub tensor: u64,
    pub load_global: u64,
    pub store_global: u64,
    pub load_shared: u64,
    pub store_shared: u64,
    pub load_local: u64,
    pub store_local: u64,
    pub load_param: u64,
    pub atomic: u64,
    pub async_copy: u64,
    pub control: u64,
    pub barrier: u64,
    pub convert: u64,
    /// Reciprocals, roots, exponentials, sines.
    pub special: u64,
    /// Moves, selects, comparisons on predicates.
    pub moves: u64,
    pub total: u64,
}

/// Floating-point (and tensor integer) operations of active lanes; a fused multiply-add is two.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
#[allow(missing_docs)]
pub struct Flops {
    pub fp64: u64,
    pub fp32: u64,
    /// f16 and bf16 outside tensor cores; a packed instruction counts both halves.
    pub fp16: u64,
    pub tensor_f16: u64,
    pub tensor_bf16: u64,
    pub tensor_tf32: u64,
    pub tensor_int8: u64,
    pub tensor_f64: u64,
}

/// Traffic of one memory space in one direction.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Traffic {
    /// Warp-level requests.
    pub requests: u64,
    /// Bytes asked for by active lanes.
    pub requested_bytes: u64,
    /// 32-byte sectors moved, counted within one request.
    pub sectors: u64,
    /// Distinct bytes touched in the whole launch; 0 where the global shadow is off.
    pub unique_bytes: u64,
}

/// Everything counted in one launch. Sums over blocks, so the order of blocks does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Counters {
    /// Warp instructions by class.
    pub instructions: Instructions,
    /// Thread-level operations by pipe.
    pub flops: Flops,
    /// Global loads.
    pub global_load: Traffic,
    /// Global stores.
    pub global_store: Traffic,
    /// Warp-level shared-memory requests.
    pub shared_requests: u64,
    /// Cycles beyond the first wavefronts that bank conflicts cost.
    pub shared_conflict_cycles: u64,
    /// Wavefronts of shared memory, conflicts included: cycles in which it gives up to 128 bytes.
    pub shared_wavefronts: u64,
    /// Warp-level waits at block barriers.
    pub barriers: u64,
    /// Branches at which a warp split.
    pub divergent_branches: u64,
    /// Warps run.
    pub warps: u64,
    /// Blocks run.
    pub blocks: u64,
    /// Instructions of the busiest warp.
    pub max_warp_instructions: u64,
}

impl Counters {
    /// Adds another thread's share.
    pub(crate) fn merge(&mut self, other: &Self) {
        for (mine, theirs) in [(&mut self.global_load, &other.global_load), (&mut self.global_store, &other.global_store)] {
            mine.requests += theirs.requests;
            mine.requested_bytes += theirs.requested_bytes;
            mine.sectors += theirs.sectors;
            mine.unique_bytes += theirs.unique_bytes;
        }
        self.shared_requests += other.shared_requests;
        self.shared_conflict_cycles += other.shared_conflict_cycles;
        self.shared_wavefronts += other.shared_wavefronts;
        self.barriers += other.barriers;
        self.divergent_branches += other.divergent_branches;
        self.warps += other.warps;
        self.blocks += other.blocks;
        self.max_warp_instructions = self.max_warp_instructions.max(other.max_warp_instructions);
    }

    /// Adds what one instruction did: executed by `warps` warps with `lanes` lanes active in all.
    pub(crate) fn count(&mut self, inst: &Inst, warps: u64, lanes: u64) {
        self.instructions.total += warps;
        *self.instructions.class(&inst.op) += warps;
        self.flops.add(&inst.op, lanes);
    }
}

impl Instructions {
    fn class(&mut self, op: &Op) -> &mut u64 {
        match op {
            Op::Ld { space, .. } | Op::St { space, .. } => {
                let loads = matches!(op, Op::Ld { .. });
                self.memory(*space, loads)
            }
            Op::WmmaLoad(mem) => self.memory(mem.space, true),
            Op::WmmaStore(mem) => self.memory(mem.space, false),
            Op::Ldmatrix { .. } => &mut self.load_shared,
            Op::Stmatrix { .. } => &mut self.store_shared,
            Op::Atom { .. } | Op::Red { .. } => &mut self.atomic,
            Op::CpAsync { .. } | Op::CpCommit | Op::CpWait | Op::CpWaitAll => &mut self.async_copy,
            Op::Mma(_) | Op::WmmaMma { .. } => &mut self.tensor,
            Op::Bra | Op::Brx | Op::Exit | Op::Trap | Op::Assert | Op::Nop | Op::Nanosleep => &mut self.control,
            Op::Bar { .. } | Op::WarpSync | Op::Fence | Op::Mbar(_) => &mut self.barrier,
            Op::Cvt { .. } | Op::CvtPack { .. } | Op::CvtPackInt { .. } | Op::Cvta { .. } => &mut self.convert,
            Op::Fl1(Fl1::Neg | Fl1::Abs, ty, _) => self.float(*ty),
            Op::Fl1(..) | Op::DivApprox(_) => &mut self.special,
            Op::Fl2(_, ty, _) | Op::Fma(ty, _) | Op::Testp(_, ty) => self.float(*ty),
            Op::Setp { ty, .. } | Op::Set { ty, .. } if ty.is_float() => self.float(*ty),
            Op::Mov32 | Op::Mov64 | Op::MovSpecial(_) | Op::MovSym | Op::Pack { .. } | Op::Unpack { .. } => &mut self.moves,
            Op::Selp(_) | Op::Slct { .. } | Op::PredMov | Op::PredNot | Op::PredAnd | Op::PredOr | Op::PredXor => &mut self.moves,
            Op::Shfl(_) | Op::Vote { .. } | Op::MatchAny(_) | Op::MatchAll(_) | Op::Activemask | Op::Elect | Op::Movmatrix => {
                &mut self.moves
            }
            Op::CopyLocal { .. } => &mut self.moves,
            _ => &mut self.int,
        }
    }

    fn memory(&mut self, space: Space, loads: bool) -> &mut u64 {
        match (space, loads) {
            (Space::Shared, true) => &mut self.load_shared,
            (Space::Shared, false) => &mut self.store_shared,
            (Space::Local, true) => &mut self.load_local,
            (Space::Local, false) => &mut self.store_local,
            (Space::Param, _) => &mut self.load_param,
            (_, true) => &mut self.load_global,
            (_, false) => &mut self.store_global,
        }
    }

    fn float(&mut self, ty: Ty) -> &mut u64 {
        match ty {
            Ty::F64 => &mut self.fp64,
            Ty::F32 => &mut self.fp32,
            _ => &mut self.fp16,
        }
    }
}

impl Flops {
    fn add(&mut self, op: &Op, lanes: u64) {
        let (ty, each) = match op {
            Op::Fma(ty, _) => (*ty, 2),
            Op::Fl2(Fl2::Add | Fl2::Sub | Fl2::Mul | Fl2::Div, ty, _) => (*ty, 1),
            Op::Fl1(kind, ty, _) if !matches!(kind, Fl1::Neg | Fl1::Abs) => (*ty, 1),
            Op::DivApprox(_) => (Ty::F32, 1),
            Op::Mma(shape) | Op::WmmaMma { shape } => {
                // Two operations a product, for the whole warp at once.
                let all = 2 * u64::from(shape.m) * u64::from(shape.n) * u64::from(shape.k) * lanes / 32;
                return *self.tensor(shape.a) += all;
            }
            _ => return,
        };
        match ty {
            Ty::F64 => self.fp64 += each * lanes,
            Ty::F32 => self.fp32 += each * lanes,
            Ty::F16x2 | Ty::Bf16x2 => self.fp16 += 2 * each * lanes,
            _ => self.fp16 += each * lanes,
        }
    }

    fn tensor(&mut self, ty: MmaTy) -> &mut u64 {
        match ty {
            MmaTy::F16 => &mut self.tensor_f16,
            MmaTy::Bf16 => &mut self.tensor_bf16,
            MmaTy::Tf32 => &mut self.tensor_tf32,
            MmaTy::S8 | MmaTy::U8 => &mut self.tensor_int8,
            MmaTy::F64 => &mut self.tensor_f64,
        }
    }
}
