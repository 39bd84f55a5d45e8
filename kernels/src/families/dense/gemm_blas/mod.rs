//! `gemm_blas`: a vendor library, loaded at run time.
//!
//! # Math
//! D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n. BLAS works in place, so where beta is not 0 the call copies C into D first;
//! the copy is part of its time.
//!
//! # Work
//! 2mnk FLOP; what the library packs and how it blocks is its own affair, so traffic is modelled at main memory only.
//!
//! # Knobs
//! On a CPU `threads`: as told to the library. On a GPU `algorithm`: `cublas`, which picks its kernel itself, or `lt0` to `lt7`, the kernels that cuBLASLt's
//! heuristic proposes, best first.

mod cpu;
mod cuda;

use super::gemm::{Dense, Gemm, GemmKernel};
use crate::devices::cpu::{CpuSource, blas};
use crate::devices::cuda::CudaSource;
use crate::{Card, Config, DeviceInfo, DeviceKind, Dtype, Misfit, Named, Parameter};

pub use crate::devices::cpu::set_library;

/// The family.
pub static GEMM_BLAS: Dense<VendorBlas> = Dense(VendorBlas);

/// The kernel of [`GEMM_BLAS`].
#[derive(Debug)]
pub struct VendorBlas;

static CARD: Card = Card {
    id: "gemm_blas",
    group: "dense",
    title: "GEMM by a vendor library (OpenBLAS, oneDNN, cuBLAS, cuBLASLt)",
    math: "D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n",
    look_at: "The rival every other dense family is judged by. Read the note beside it: a library that does not know the processor falls back \
              to a slow kernel, and beating that one means nothing. On a GPU the best of cuBLASLt's list is the rival, not its first.",
    references: &["https://www.openblas.net", "https://uxlfoundation.github.io/oneDNN/", "https://docs.nvidia.com/cuda/cublas/"],
};

impl GemmKernel for VendorBlas {
    fn card(&self) -> &'static Card {
        &CARD
    }
    fn dtypes(&self, kind: DeviceKind) -> &'static [Dtype] {
        match kind {
            DeviceKind::Cpu => &Dtype::CPU,
            DeviceKind::Cuda => &Dtype::ALL,
        }
    }
    fn knobs(&self, device: &DeviceInfo) -> Vec<Parameter> {
        if device.kind == DeviceKind::Cuda {
            return cuda::knobs();
        }
        let threads = if device.threads > 1 { vec![1, device.threads] } else { vec![1] };
        vec![Parameter::int("threads", (1, 4096), &threads, "threads the library may use")]
    }
    fn check(&self, gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
        if device.kind == DeviceKind::Cuda {
            return cuda::check(gemm, config, device);
        }
        let threads = config.int("threads");
        if threads > device.threads {
            return Err(Misfit::new(format!("`threads={threads}` is above the {} of `{}`", device.threads, device.spec)));
        }
        Ok(())
    }
    /// On a CPU the library at hand. What a driver brings along is the device's own.
    fn relies_on(&self, device: &DeviceInfo) -> Option<String> {
        match device.kind {
            DeviceKind::Cpu => blas().ok().map(|library| library.identity()),
            DeviceKind::Cuda => None,
        }
    }
    fn default_config(&self, _gemm: &Gemm, device: &DeviceInfo) -> Config {
        match device.kind {
            DeviceKind::Cpu => Config(Named::default().with("threads", device.threads)),
            DeviceKind::Cuda => Config(Named::default().with("algorithm", "cublas")),
        }
    }
    fn cpu(&self) -> Option<&dyn CpuSource> {
        Some(&cpu::Source)
    }
    fn cuda(&self) -> Option<&dyn CudaSource> {
        Some(&cuda::Source)
    }
}
