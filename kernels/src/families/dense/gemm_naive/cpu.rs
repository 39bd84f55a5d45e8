//! The loops, compiled for the baseline of the target.

use crate::devices::cpu::micro::Real;
use crate::devices::cpu::{CpuIo, CpuProgram, CpuSource};
use crate::families::dense::{Gemm, View, gemm_view};
use crate::{Config, DeviceError, Dtype, Problem, Tensor};

pub(super) struct Source;

impl CpuSource for Source {
    fn prepare(&self, problem: &Problem, config: &Config, _operands: &[Tensor]) -> Result<Box<dyn CpuProgram>, DeviceError> {
        let order = match config.text("loop_order") {
            "ijk" => Order::Ijk,
            "jik" => Order::Jik,
            _ => Order::Ikj,
        };
        Ok(Box::new(Program { gemm: Gemm::of(problem), order }))
    }
}

enum Order {
    Ijk,
    Ikj,
    Jik,
}

struct Program {
    gemm: Gemm,
    order: Order,
}

impl CpuProgram for Program {
    fn run(&mut self, io: &mut CpuIo<'_>) {
        match self.gemm.dtype {
            Dtype::F32 => self.multiply(gemm_view::<f32>(&self.gemm, io)),
            // Others were refused when the problem was loaded.
            _ => self.multiply(gemm_view::<f64>(&self.gemm, io)),
        }
    }
}

impl Program {
    fn multiply<T: Real>(&self, view: View<'_, T>) {
        match self.order {
            Order::Ijk => ijk(view),
            Order::Ikj => ikj(view),
            Order::Jik => jik(view),
        }
    }
}

fn ijk<T: Real>(mut view: View<'_, T>) {
    let (m, n, _) = view.size;
    for i in 0..m {
        for j in 0..n {
            set(&mut view, i, j);
        }
    }
}

fn jik<T: Real>(mut view: View<'_, T>) {
    let (m, n, _) = view.size;
    for j in 0..n {
        for i in 0..m {
            set(&mut view, i, j);
        }
    }
}

#[inline(always)]
fn set<T: Real>(view: &mut View<'_, T>, i: usize, j: usize) {
    let mut sum = T::ZERO;
    for p in 0..view.size.2 {
        sum += view.a_at(i, p) * view.b_at(p, j);
    }
    view.d[i * view.d_ld + j] = view.alpha * sum + view.addend_at(i, j);
}

fn ikj<T: Real>(mut view: View<'_, T>) {
    let (m, n, k) = view.size;
    let (b, strides) = (view.b, view.b_strides);
    for i in 0..m {
        view.start_row(i);
        for p in 0..k {
            let x = view.alpha * view.a_at(i, p);
            let row = &mut view.d[i * view.d_ld..][..n];
            if strides.1 == 1 {
                row.iter_mut().zip(&b[p * strides.0..][..n]).for_each(|(d, &b)| *d += x * b);
            } else {
                row.iter_mut().enumerate().for_each(|(j, d)| *d += x * b[p * strides.0 + j * strides.1]);
            }
        }
    }
}
