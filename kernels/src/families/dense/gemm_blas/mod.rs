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
//! `threads`: as told to the library.

mod cpu;

use super::gemm::{Dense, Gemm, GemmKernel};
use crate::devices::cpu::CpuSource;
use crate::{Card, Config, DeviceInfo, Misfit, Named, Parameter};

pub use crate::devices::cpu::set_library;

/// The family.
pub static GEMM_BLAS: Dense<VendorBlas> = Dense(VendorBlas);

/// The kernel of [`GEMM_BLAS`].
#[derive(Debug)]
pub struct VendorBlas;

static CARD: Card = Card {
    id: "gemm_blas",
    group: "dense",
    title: "GEMM by a vendor library (OpenBLAS or oneDNN)",
    math: "D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n",
    look_at: "The rival every other dense family is judged by. Read the note beside it: a library that does not know the processor falls back \
              to a slow kernel, and beating that one means nothing.",
    references: &["https://www.openblas.net", "https://uxlfoundation.github.io/oneDNN/"],
};

impl GemmKernel for VendorBlas {
    fn card(&self) -> &'static Card {
        &CARD
    }
    fn knobs(&self, device: &DeviceInfo) -> Vec<Parameter> {
        let threads = if device.threads > 1 { vec![1, device.threads] } else { vec![1] };
        vec![Parameter::int("threads", (1, 4096), &threads, "threads the library may use")]
    }
    fn check(&self, _gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
        let threads = config.int("threads");
        if threads > device.threads {
            return Err(Misfit::new(format!("`threads={threads}` is above the {} of `{}`", device.threads, device.spec)));
        }
        Ok(())
    }
    fn default_config(&self, _gemm: &Gemm, device: &DeviceInfo) -> Config {
        Config(Named::default().with("threads", device.threads))
    }
    fn cpu(&self) -> Option<&dyn CpuSource> {
        Some(&cpu::Source)
    }
}
