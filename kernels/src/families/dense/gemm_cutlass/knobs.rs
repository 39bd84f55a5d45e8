//! The configurations that cutlass_profiler enumerates, and which of them fit.

use super::super::cuda::{Tiling, check_shared};
use crate::devices::cuda::Architecture;
use crate::families::dense::{Gemm, Layout};
use crate::{Config, DeviceInfo, Dtype, Misfit, Named, Parameter};

/// What multiplies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Op {
    /// Multiply-adds of single threads.
    Simt,
    /// Tensor cores.
    TensorOp,
}

/// A configuration, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Knobs {
    pub(super) op: Op,
    pub(super) tile_m: usize,
    pub(super) tile_n: usize,
    pub(super) tile_k: usize,
    pub(super) warps_m: usize,
    pub(super) warps_n: usize,
    pub(super) stages: usize,
    pub(super) align: usize,
    pub(super) swizzle: usize,
}

/// A shape of `mma`, as the templates and the names count it.
pub(super) type Instruction = (usize, usize, usize);

/// Tiles with their warps: `tile_m tile_n warps_m warps_n`.
type Shapes = &'static [(usize, usize, usize, usize)];

const SIMT: Shapes = &[
    (128, 128, 4, 2),
    (128, 64, 2, 2),
    (64, 128, 2, 2),
    (64, 64, 2, 1),
    (128, 32, 2, 1),
    (32, 128, 1, 2),
    (256, 128, 4, 2),
    (128, 256, 2, 4),
];
/// Sums of doubles take twice the registers: 64 × 64 of a warp would not fit.
const SIMT_F64: Shapes = &[(128, 128, 4, 2), (128, 64, 2, 2), (64, 128, 2, 2), (64, 64, 2, 1), (128, 32, 2, 1), (32, 128, 1, 2)];
const TENSOR: Shapes = &[
    (128, 128, 2, 2),
    (256, 128, 4, 2),
    (128, 256, 2, 4),
    (256, 64, 4, 1),
    (64, 256, 1, 4),
    (128, 64, 2, 2),
    (64, 128, 2, 2),
    (64, 64, 2, 2),
];
/// As for SIMT.
const TENSOR_F64: Shapes = &[(128, 128, 4, 2), (128, 64, 2, 2), (64, 128, 2, 2), (64, 64, 2, 2)];

/// Most bytes of one access.
const MAX_ACCESS_BYTES: usize = 16;
/// Fewest bytes of one `cp.async`.
const MIN_COPY_BYTES: usize = 4;

impl Op {
    const WORDS: [&'static str; 2] = ["simt", "tensorop"];

    /// As cutlass_profiler calls it.
    pub(super) fn word(self) -> &'static str {
        Self::WORDS[self as usize]
    }
}

impl Knobs {
    pub(super) fn parameters() -> Vec<Parameter> {
        let tiles = [32, 64, 128, 256];
        vec![
            Parameter::choice("op", &Op::WORDS, &Op::WORDS, "multiply-adds of threads, or tensor cores"),
            Parameter::int("tile_m", (32, 256), &tiles, "rows of D per block"),
            Parameter::int("tile_n", (32, 256), &tiles, "columns of D per block"),
            Parameter::int("tile_k", (8, 128), &[8, 16, 32, 64, 128], "depth of one step"),
            Parameter::int("warps_m", (1, 4), &[1, 2, 4], "warps of a block along rows"),
            Parameter::int("warps_n", (1, 4), &[1, 2, 4], "warps of a block along columns"),
            Parameter::int("stages", (2, 10), &[2, 3, 4, 5], "steps in shared memory; 2 through registers, more by cp.async"),
            Parameter::int("align", (1, 16), &[1, 2, 4, 8, 16], "elements of A and B moved at once"),
            Parameter::int("swizzle", (1, 8), &[1, 4], "columns of tiles visited together, at most"),
        ]
    }

    pub(super) fn read(config: &Config) -> Self {
        Self {
            op: if config.text("op") == "simt" { Op::Simt } else { Op::TensorOp },
            tile_m: config.size("tile_m"),
            tile_n: config.size("tile_n"),
            tile_k: config.size("tile_k"),
            warps_m: config.size("warps_m"),
            warps_n: config.size("warps_n"),
            stages: config.size("stages"),
            align: config.size("align"),
            swizzle: config.size("swizzle"),
        }
    }

    pub(super) fn config(&self) -> Config {
        let mut named = Named(vec![("op".to_owned(), self.op.word().into())]);
        let sizes = [
            ("tile_m", self.tile_m),
            ("tile_n", self.tile_n),
            ("tile_k", self.tile_k),
            ("warps_m", self.warps_m),
            ("warps_n", self.warps_n),
            ("stages", self.stages),
            ("align", self.align),
            ("swizzle", self.swizzle),
        ];
        named.0.extend(sizes.map(|(name, size)| (name.to_owned(), (size as u64).into())));
        Config(named)
    }

    /// CUTLASS narrows the swizzle where there are few columns of tiles.
    #[must_use]
    pub(super) fn effective(mut self, gemm: &Gemm) -> Self {
        self.swizzle = match (self.swizzle, gemm.n.div_ceil(self.tile_n)) {
            (8.., 6..) => 8,
            (4.., 3..) => 4,
            (2.., 2..) => 2,
            _ => 1,
        };
        self
    }

    /// Tiles and steps, as other dense kernels have them.
    pub(super) const fn tiling(&self) -> Tiling {
        Tiling::plain(self.tile_m, self.tile_n, self.tile_k)
    }

    /// The `mma` shape: none for SIMT, that of Turing for two stages of f16.
    pub(super) fn instruction(&self, dtype: Dtype) -> Instruction {
        match (self.op, dtype) {
            (Op::Simt, _) => (1, 1, 1),
            (_, Dtype::F16) if self.stages == 2 => (16, 8, 8),
            (_, Dtype::F64) => (8, 8, 4),
            (_, Dtype::Tf32 | Dtype::F32) => (16, 8, 8),
            (_, Dtype::Int8 | Dtype::Int32) => (16, 8, 32),
            (_, Dtype::F16 | Dtype::Bf16) => (16, 8, 16),
        }
    }

    /// The generation the template is written for: two stages need no `cp.async`.
    pub(super) fn generation(&self) -> Architecture {
        match (self.op, self.stages) {
            (Op::Simt, 2) => Architecture::new(5, 0),
            (Op::TensorOp, 2) => Architecture::new(7, 5),
            _ => Architecture::new(8, 0),
        }
    }

    /// Whether they can multiply `gemm` on `device`.
    ///
    /// # Errors
    /// [`Misfit`] with the knob, its value and the limit.
    pub(super) fn check(&self, gemm: &Gemm, device: &DeviceInfo) -> Result<(), Misfit> {
        self.check_type(gemm, device.gpu().arch)?;
        self.check_shape(gemm.dtype)?;
        self.check_alignment(gemm)?;
        let bytes = element_bytes(gemm.dtype);
        let shared = self.stages * self.tile_k * (self.tile_m + self.tile_n) * bytes;
        let Self { tile_m, tile_n, tile_k, stages, .. } = self;
        check_shared(&format!("`tile_m={tile_m} tile_n={tile_n} tile_k={tile_k} stages={stages}`"), shared, device)?;
        self.tiling().check(gemm, device)
    }

    fn check_type(&self, gemm: &Gemm, arch: Architecture) -> Result<(), Misfit> {
        let (op, dtype, stages) = (self.op.word(), gemm.dtype, self.stages);
        let multiplied: &[Dtype] = match self.op {
            Op::Simt => &[Dtype::F32, Dtype::F64, Dtype::F16],
            Op::TensorOp => &[Dtype::F16, Dtype::Bf16, Dtype::Tf32, Dtype::Int8, Dtype::F64],
        };
        if !multiplied.contains(&dtype) {
            let names = multiplied.iter().map(|dtype| dtype.name()).collect::<Vec<_>>().join(", ");
            return Err(Misfit::new(format!("`op={op}` does not multiply `{dtype}`; it does {names}")));
        }
        if self.op == Op::TensorOp && stages == 2 && dtype != Dtype::F16 {
            return Err(Misfit::new(format!("`stages=2` with `op=tensorop` is for f16, as on sm_75; `{dtype}` has 3 or more")));
        }
        if self.op == Op::Simt && stages > 2 && element_bytes(dtype) < MIN_COPY_BYTES {
            return Err(Misfit::new(format!(
                "`stages={stages}` with `op=simt` copies one `{dtype}` at a time; cp.async copies at least 4 B"
            )));
        }
        if arch < self.generation() {
            let needs = self.generation();
            return Err(Misfit::new(format!("`op={op} stages={stages}` needs {needs} or later; the device is {arch}")));
        }
        if gemm.k == 0 {
            return Err(Misfit::new("`k=0` is no step of a CUTLASS kernel; it must be at least 1"));
        }
        if dtype == Dtype::Int8 && gemm.layout != Layout::Nt {
            return Err(Misfit::new(format!("`layout={}` of int8 has no CUTLASS kernel; `nt` has", gemm.layout.name())));
        }
        Ok(())
    }

    fn check_shape(&self, dtype: Dtype) -> Result<(), Misfit> {
        let (shapes, depths): (Shapes, &[usize]) = match (self.op, dtype) {
            (Op::Simt, Dtype::F64) => (SIMT_F64, &[8]),
            (Op::Simt, _) => (SIMT, &[8]),
            (_, Dtype::F64) => (TENSOR_F64, &[16]),
            (_, Dtype::Tf32 | Dtype::F32) => (TENSOR, &[16, 32]),
            (_, Dtype::Int8 | Dtype::Int32) => (TENSOR, &[64, 128]),
            (_, Dtype::F16 | Dtype::Bf16) if self.stages == 2 => (TENSOR, &[32]),
            (_, Dtype::F16 | Dtype::Bf16) => (TENSOR, &[32, 64]),
        };
        let Self { op, tile_m, tile_n, tile_k, warps_m, warps_n, .. } = *self;
        if !shapes.contains(&(tile_m, tile_n, warps_m, warps_n)) {
            let op = op.word();
            return Err(Misfit::new(format!(
                "`tile_m={tile_m} tile_n={tile_n} warps_m={warps_m} warps_n={warps_n}` is none of the {} shapes of `op={op}` for `{dtype}`",
                shapes.len()
            )));
        }
        if !depths.contains(&tile_k) {
            let words = depths.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ");
            return Err(Misfit::new(format!("`tile_k={tile_k}` is not {words}, as `op={}` needs it for `{dtype}`", op.word())));
        }
        Ok(())
    }

    /// Rows of A and B must begin and end on accesses of `align` elements.
    fn check_alignment(&self, gemm: &Gemm) -> Result<(), Misfit> {
        let align = self.align;
        let legal = alignments(self.op, gemm.dtype);
        if !legal.contains(&align) {
            let words = legal.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
            return Err(Misfit::new(format!(
                "`align={align}` is not one of {words}, as `op={}` has it for `{}`",
                self.op.word(),
                gemm.dtype
            )));
        }
        let (rows, [lda, ldb, ..]) = (row_lengths(gemm), gemm.leading());
        for (name, size) in
            [("row of A", rows[0]), ("row of B", rows[1]), ("leading dimension of A", lda), ("leading dimension of B", ldb)]
        {
            if !size.is_multiple_of(align) {
                return Err(Misfit::new(format!("`align={align}` does not divide the {name}, `{size}` elements")));
            }
        }
        Ok(())
    }

    /// What one would take without measuring: 128 × 128 tiles where D has them, the widest accesses.
    pub(super) fn default(gemm: &Gemm, device: &DeviceInfo) -> Self {
        let tensor = matches!(gemm.dtype, Dtype::F16 | Dtype::Bf16 | Dtype::Tf32 | Dtype::Int8);
        let large = gemm.m >= 256 && gemm.n >= 256;
        let (side, (warps_m, warps_n)) =
            if large { (128, if tensor { (2, 2) } else { (4, 2) }) } else { (64, (2, if tensor { 2 } else { 1 })) };
        let simt =
            Self { op: Op::Simt, tile_m: side, tile_n: side, tile_k: 8, warps_m, warps_n, stages: 2, align: 1, swizzle: 1 };
        if !tensor {
            return simt;
        }
        let tile_k = 64 / element_bytes(gemm.dtype);
        let stages = if device.gpu().arch.has_cp_async() { 3 } else { 2 };
        let widest = Self { op: Op::TensorOp, tile_k, stages, ..simt };
        let narrower = alignments(Op::TensorOp, gemm.dtype).iter().map(|&align| Self { align, ..widest });
        let fitting = narrower.clone().find(|knobs| knobs.check_alignment(gemm).is_ok());
        let (warps_m, warps_n) = if large { (4, 2) } else { (2, 1) };
        fitting.unwrap_or_else(|| match gemm.dtype {
            Dtype::F16 => Self { warps_m, warps_n, ..simt },
            _ => narrower.min_by_key(|knobs| knobs.align).unwrap_or(widest),
        })
    }
}

/// Elements per access, widest first.
fn alignments(op: Op, dtype: Dtype) -> &'static [usize] {
    match (op, dtype) {
        (Op::Simt, _) | (_, Dtype::F64) => &[1],
        (_, Dtype::Tf32 | Dtype::F32) => &[4, 2, 1],
        (_, Dtype::Int8 | Dtype::Int32) => &[16],
        (_, Dtype::F16 | Dtype::Bf16) => &[8, 4, 2],
    }
}

/// Columns of A and B as they are stored.
fn row_lengths(gemm: &Gemm) -> [usize; 2] {
    let a = if gemm.layout.a_transposed() { gemm.m } else { gemm.k };
    let b = if gemm.layout.b_transposed() { gemm.k } else { gemm.n };
    [a, b]
}

/// Elements of C and D moved at once: as many as their rows allow. SIMT kernels move one.
pub(super) fn result_access(gemm: &Gemm, op: Op) -> usize {
    let [.., ldc, ldd] = gemm.leading();
    let most = MAX_ACCESS_BYTES / element_bytes(gemm.dtype.result());
    let fits = |n: &usize| *n <= most && [gemm.n, ldc, ldd].iter().all(|size| size.is_multiple_of(*n));
    if op == Op::Simt { 1 } else { [8, 4, 2].into_iter().find(fits).unwrap_or(1) }
}

fn element_bytes(dtype: Dtype) -> usize {
    usize::try_from(dtype.bytes()).expect("at most 8")
}
