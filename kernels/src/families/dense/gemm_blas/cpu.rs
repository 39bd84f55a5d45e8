//! Calls the library that [`crate::devices::cpu::blas`] holds.

use std::sync::Arc;

use crate::devices::cpu::micro::Real;
use crate::devices::cpu::{Blas, BlasCall, CpuIo, CpuProgram, CpuSource, Crew, blas};
use crate::families::dense::{Addend, Gemm, gemm_view};
use crate::{Config, DeviceError, Dtype, Problem, Tensor};

pub(super) struct Source;

impl CpuSource for Source {
    fn prepare(&self, problem: &Problem, config: &Config, _operands: &[Tensor]) -> Result<Box<dyn CpuProgram>, DeviceError> {
        let library = blas()?;
        if problem.dtype == Dtype::F64 && !library.has_double() {
            let name = library.path.display().to_string();
            return Err(DeviceError::Library { name, reason: "multiplies f32 only".to_owned() });
        }
        Ok(Box::new(Program { gemm: Gemm::of(problem), library, threads: config.size("threads") }))
    }
}

struct Program {
    gemm: Gemm,
    library: Arc<Blas>,
    threads: usize,
}

impl CpuProgram for Program {
    fn run(&mut self, io: &mut CpuIo<'_>) {
        match self.gemm.dtype {
            Dtype::F32 => {
                let call = call::<f32>(&self.gemm, io);
                // SAFETY: `call` points into the operands and the output of this problem.
                self.library.with_threads(self.threads, || unsafe { self.library.single(&call) });
            }
            _ => {
                let call = call::<f64>(&self.gemm, io);
                // SAFETY: as above.
                self.library.with_threads(self.threads, || unsafe { self.library.double(&call) });
            }
        }
    }
    fn threads(&self) -> usize {
        self.threads
    }
    fn crew(&self) -> Crew {
        Crew::Own
    }
    fn note(&self) -> Option<String> {
        Some(self.library.chosen.clone())
    }
}

/// The call, after copying C into D where beta is not 0.
fn call<T: Real>(gemm: &Gemm, io: &mut CpuIo<'_>) -> BlasCall<T> {
    let (a_ld, b_ld) = (io.operands[0].ld, io.operands[1].ld);
    let view = gemm_view::<T>(gemm, io);
    let (m, n, _) = view.size;
    if let Some(Addend { c, ld, .. }) = view.addend {
        for i in 0..m {
            view.d[i * view.d_ld..][..n].copy_from_slice(&c[i * ld..][..n]);
        }
    }
    BlasCall {
        size: view.size,
        a_transposed: gemm.layout.a_transposed(),
        b_transposed: gemm.layout.b_transposed(),
        alpha: view.alpha,
        a: (view.a.as_ptr(), a_ld),
        b: (view.b.as_ptr(), b_ld),
        beta: T::from_f64(gemm.beta),
        c: (view.d.as_mut_ptr(), view.d_ld),
    }
}
