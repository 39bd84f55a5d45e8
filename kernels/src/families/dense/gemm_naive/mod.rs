//! `gemm_naive`: the textbook triple loop.
//!
//! # Math
//! D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n; D is a matrix of its own.
//!
//! # Work
//! 2mnk FLOP. Nothing is kept in registers beyond one element or row of D, so each product moves an element of A or B through the first
//! level cache: `ijk` and `jik` read 2mnk elements, `ikj` reads mnk and updates mnk.
//!
//! # Knobs
//! `loop_order`: which loop is outermost to innermost. `ikj` walks rows of B and D and is what a compiler can vectorise; `ijk` and `jik` sum one
//! element at a time.

mod cpu;

use super::gemm::{Dense, Gemm, GemmKernel};
use crate::devices::cpu::CpuSource;
use crate::{Card, Config, DeviceInfo, Level, Named, Parameter, Work};

/// The family.
pub static GEMM_NAIVE: Dense<Naive> = Dense(Naive);

/// The kernel of [`GEMM_NAIVE`].
#[derive(Debug)]
pub struct Naive;

static CARD: Card = Card {
    id: "gemm_naive",
    group: "dense",
    title: "GEMM by the textbook triple loop",
    math: "D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n",
    look_at: "The floor: what the same loops cost before any blocking. The order of the loops alone is worth a factor of several. \
              Speed-ups over it say little; compare with gemm_blas or gemm_regblock.",
    references: &["Golub and Van Loan, Matrix Computations, 4th ed. 2013, section 1.1"],
};

impl GemmKernel for Naive {
    fn card(&self) -> &'static Card {
        &CARD
    }
    fn knobs(&self, _device: &DeviceInfo) -> Vec<Parameter> {
        let orders = ["ikj", "ijk", "jik"];
        vec![Parameter::choice("loop_order", &orders, &orders, "loops from outermost to innermost: i rows, j columns, k depth")]
    }
    fn default_config(&self, _gemm: &Gemm, _device: &DeviceInfo) -> Config {
        Config(Named::default().with("loop_order", "ikj"))
    }
    fn work(&self, gemm: &Gemm, config: &Config, _device: &DeviceInfo) -> Work {
        // ikj: read B, read and write D per product; the others: read A and B.
        let per_product = if config.text("loop_order") == "ikj" { 3.0 } else { 2.0 };
        let mut work = gemm.work();
        let products = super::gemm::to_f64(gemm.m) * super::gemm::to_f64(gemm.n) * super::gemm::to_f64(gemm.k);
        work.traffic.insert(0, (Level::L1, per_product * products * gemm.element_bytes()));
        work
    }
    fn cpu(&self) -> Option<&dyn CpuSource> {
        Some(&cpu::Source)
    }
}
