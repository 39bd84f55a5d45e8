//! The template's arguments as definitions, the launch, the name.

use super::super::cuda::{factor, int};
use super::super::gemm::to_f64;
use super::knobs::{Knobs, Op, result_access};
use crate::devices::cuda::{Arg, CudaProgram, CudaSource, Include, Templated, Unit};
use crate::families::dense::Gemm;
use crate::{Config, DeviceInfo, Dtype, Problem, Work};

pub(super) struct Source;

/// Tiles and steps as any tiled kernel has them; through shared memory every warp reads its rows and columns once per step. The epilogue
/// multiplies every element of a tile by alpha, and where beta is not 0 C by beta before it.
pub(super) fn work(gemm: &Gemm, knobs: &Knobs) -> Work {
    let tiling = knobs.tiling();
    let padded = tiling.padded(gemm);
    let per_product = to_f64(knobs.warps_n) / to_f64(knobs.tile_n) + to_f64(knobs.warps_m) / to_f64(knobs.tile_m);
    let elements = to_f64(gemm.m.next_multiple_of(knobs.tile_m)) * to_f64(gemm.n.next_multiple_of(knobs.tile_n));
    let each = match (gemm.dtype.is_integer(), gemm.beta == 0.0) {
        (true, _) => 0.0,
        (false, true) => 1.0,
        (false, false) => 3.0,
    };
    let shared_bytes = per_product * padded * gemm.element_bytes();
    Work { executed_flop: 2.0 * padded + each * elements, ..tiling.work(gemm, shared_bytes) }
}

impl CudaSource for Source {
    fn program(&self, problem: &Problem, config: &Config, _device: &DeviceInfo) -> CudaProgram {
        let gemm = Gemm::of(problem);
        let knobs = Knobs::read(config).effective(&gemm);
        let [lda, ldb, ldc, ldd] = gemm.leading().map(int);
        let mut args = vec![Arg::Operand(0), Arg::Operand(1), Arg::Operand(2), Arg::Output];
        args.extend([int(gemm.m), int(gemm.n), int(gemm.k), lda, ldb, ldc, ldd]);
        args.extend([factor(&gemm, gemm.alpha), factor(&gemm, gemm.beta), Arg::Scratch(0)]);
        CudaProgram::Templated(Templated {
            unit: unit(&gemm, &knobs),
            maker: "cutlass_make",
            args,
            kernel: "cutlass_gemm",
            grid: grid(&gemm, &knobs),
            block: [count(32 * knobs.warps_m * knobs.warps_n), 1, 1],
            object_bytes: "cutlass_object_bytes",
            shared_bytes: "cutlass_shared_bytes",
            name: name(&gemm, &knobs),
        })
    }
}

/// The grid of `GemmIdentityThreadblockSwizzle`: `swizzle` blocks of a row of tiles lie along x; those beyond the last column do nothing.
fn grid(gemm: &Gemm, knobs: &Knobs) -> [u32; 3] {
    let (tiles_m, tiles_n) = (gemm.m.div_ceil(knobs.tile_m), gemm.n.div_ceil(knobs.tile_n));
    [count(tiles_m * knobs.swizzle), count(tiles_n.div_ceil(knobs.swizzle)), 1]
}

fn unit(gemm: &Gemm, knobs: &Knobs) -> Unit {
    let (instruction_m, instruction_n, instruction_k) = knobs.instruction(gemm.dtype);
    let layout = |transposed| if transposed { "cutlass::layout::ColumnMajor" } else { "cutlass::layout::RowMajor" };
    let operation = if knobs.op == Op::Simt { "cutlass::arch::OpClassSimt" } else { "cutlass::arch::OpClassTensorOp" };
    let math = if gemm.dtype == Dtype::Int8 { "cutlass::arch::OpMultiplyAddSaturate" } else { "cutlass::arch::OpMultiplyAdd" };
    let words = [
        ("OPERATION", operation.to_owned()),
        ("GENERATION", format!("cutlass::arch::Sm{}", knobs.generation().number())),
        ("MATH", math.to_owned()),
        ("ELEMENT", cpp_type(gemm.dtype).to_owned()),
        ("RESULT", cpp_type(gemm.dtype.result()).to_owned()),
        ("SUM", cpp_type(gemm.dtype.accumulator()).to_owned()),
        ("LAYOUT_A", layout(gemm.layout.a_transposed()).to_owned()),
        ("LAYOUT_B", layout(gemm.layout.b_transposed()).to_owned()),
    ];
    let sizes = [
        ("TILE_M", knobs.tile_m),
        ("TILE_N", knobs.tile_n),
        ("TILE_K", knobs.tile_k),
        ("WARPS_M", knobs.warps_m),
        ("WARPS_N", knobs.warps_n),
        ("INSTRUCTION_M", instruction_m),
        ("INSTRUCTION_N", instruction_n),
        ("INSTRUCTION_K", instruction_k),
        ("STAGES", knobs.stages),
        ("ALIGN", knobs.align),
        ("ALIGN_C", result_access(gemm, knobs.op)),
        ("SWIZZLE", knobs.swizzle),
    ];
    let defines = words.into_iter().chain(sizes.map(|(name, size)| (name, size.to_string()))).collect();
    Unit {
        texts: vec![include_str!("kernel.cu")],
        defines,
        include: Include::Cutlass,
        kernels: vec!["cutlass_gemm", "cutlass_make"],
        arch_specific: false,
    }
}

fn cpp_type(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 | Dtype::Tf32 => "float",
        Dtype::F64 => "double",
        Dtype::F16 => "cutlass::half_t",
        Dtype::Bf16 => "cutlass::bfloat16_t",
        Dtype::Int8 => "int8_t",
        Dtype::Int32 => "int",
    }
}

/// The name that cutlass_profiler gives the kernel: `cutlass_simt_sgemm_128x128_8x2_nn_align1`,
/// `cutlass_tensorop_f16_s16816gemm_f16_128x128_32x3_tn_align8`. Layouts are those of the column-major product, operands swapped.
pub(super) fn name(gemm: &Gemm, knobs: &Knobs) -> String {
    let letter = |transposed| if transposed { 't' } else { 'n' };
    let layout: String = [gemm.layout.b_transposed(), gemm.layout.a_transposed()].map(letter).iter().collect();
    let Knobs { tile_m, tile_n, tile_k, stages, align, .. } = knobs;
    format!(
        "cutlass_{}_{}_{tile_m}x{tile_n}_{tile_k}x{stages}_{layout}_align{align}",
        knobs.op.word(),
        operation_name(gemm.dtype, knobs)
    )
}

/// Sum, instruction and element: a type that differs from the sum's is named, before the instruction for results and behind for operands.
fn operation_name(dtype: Dtype, knobs: &Knobs) -> String {
    let instruction = match (knobs.op, knobs.instruction(dtype)) {
        (Op::Simt, _) => String::new(),
        (Op::TensorOp, (m, n, k)) => format!("{m}{n}{k}"),
    };
    match dtype {
        Dtype::F64 => format!("d{instruction}gemm"),
        Dtype::F32 => format!("s{instruction}gemm"),
        Dtype::Tf32 => format!("s{instruction}tf32gemm"),
        Dtype::Int8 | Dtype::Int32 => format!("i{instruction}gemm_s8"),
        Dtype::F16 | Dtype::Bf16 => format!("{dtype}_s{instruction}gemm_{dtype}"),
    }
}

fn count(size: usize) -> u32 {
    u32::try_from(size).expect("grids and blocks were checked")
}
