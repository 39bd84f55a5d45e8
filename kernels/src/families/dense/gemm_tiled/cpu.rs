//! Row updates within tiles, compiled for the best instruction set of the processor.

use crate::devices::cpu::micro::{Isa, Real, Vectorised};
use crate::devices::cpu::{CpuIo, CpuProgram, CpuSource};
use crate::families::dense::{Gemm, View, gemm_view};
use crate::{Config, DeviceError, Dtype, Problem, Tensor};

pub(super) struct Source;

impl CpuSource for Source {
    fn prepare(&self, problem: &Problem, config: &Config, _operands: &[Tensor]) -> Result<Box<dyn CpuProgram>, DeviceError> {
        Ok(Box::new(Program { gemm: Gemm::of(problem), tile: config.size("tile") }))
    }
}

struct Program {
    gemm: Gemm,
    tile: usize,
}

impl CpuProgram for Program {
    fn run(&mut self, io: &mut CpuIo<'_>) {
        let (gemm, tile) = (self.gemm, self.tile);
        match gemm.dtype {
            Dtype::F32 => Isa::best().run(Tiles { view: gemm_view::<f32>(&gemm, io), tile }),
            // Others were refused when the problem was loaded.
            _ => Isa::best().run(Tiles { view: gemm_view::<f64>(&gemm, io), tile }),
        }
    }
    fn note(&self) -> Option<String> {
        Some(format!("compiled for {}", Isa::best()))
    }
}

struct Tiles<'a, T> {
    view: View<'a, T>,
    tile: usize,
}

impl<T: Real> Vectorised for Tiles<'_, T> {
    type Output = ();
    #[inline(always)]
    fn run(self) {
        let Self { mut view, tile } = self;
        let (m, n, k) = view.size;
        for i0 in (0..m).step_by(tile) {
            let rows = i0..m.min(i0 + tile);
            rows.clone().for_each(|i| view.start_row(i));
            for p0 in (0..k).step_by(tile) {
                let depth = p0..k.min(p0 + tile);
                for j0 in (0..n).step_by(tile) {
                    multiply_tile(&mut view, &rows, &depth, j0..n.min(j0 + tile));
                }
            }
        }
    }
}

type Range = std::ops::Range<usize>;

/// One tile of D plus a tile of A times a tile of B: row updates where rows of op(B) are contiguous, sums of products where its columns are.
#[inline(always)]
fn multiply_tile<T: Real>(view: &mut View<'_, T>, rows: &Range, depth: &Range, cols: Range) {
    let (b, (b_row, b_col)) = (view.b, view.b_strides);
    for i in rows.clone() {
        if b_col == 1 {
            for p in depth.clone() {
                let x = view.alpha * view.a_at(i, p);
                let row = &mut view.d[i * view.d_ld..][cols.clone()];
                row.iter_mut().zip(&b[p * b_row..][cols.clone()]).for_each(|(d, &b)| *d += x * b);
            }
        } else {
            for j in cols.clone() {
                let sum = depth.clone().fold(T::ZERO, |sum, p| sum + view.a_at(i, p) * b[p * b_row + j * b_col]);
                view.d[i * view.d_ld + j] += view.alpha * sum;
            }
        }
    }
}
