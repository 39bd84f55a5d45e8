//! `gemm_naive`: the textbook triple loop.
//!
//! # Math
//! D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n; D is a matrix of its own.
//!
//! # Work
//! 2mnk FLOP. Nothing is kept in registers beyond one element or row of D, so each product moves an element of A or B through the first
//! level cache: `ijk` and `jik` read 2mnk elements, `ikj` reads mnk and updates mnk. On a GPU every thread sums one element and reads 2k.
//!
//! # Knobs
//! On a GPU `block_m` × `block_n` threads, one per element of D, make a block. On a CPU `loop_order`: which loop is outermost to innermost. `ikj` walks rows of B and D and is what a compiler can vectorise; `ijk` and `jik` sum one
//! element at a time.

mod cpu;
mod cuda;

use super::cuda::{MAX_THREADS, SIMT, Tiling, check_threads};
use super::gemm::{Dense, Gemm, GemmKernel, to_f64};
use crate::devices::cpu::CpuSource;
use crate::devices::cuda::CudaSource;
use crate::{Card, Config, DeviceInfo, DeviceKind, Dtype, Level, Misfit, Named, Parameter, Work};

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
    fn dtypes(&self, kind: DeviceKind) -> &'static [Dtype] {
        match kind {
            DeviceKind::Cpu => &Dtype::CPU,
            DeviceKind::Cuda => &SIMT,
        }
    }
    fn knobs(&self, device: &DeviceInfo) -> Vec<Parameter> {
        if device.kind == DeviceKind::Cuda {
            let values = [1, 2, 4, 8, 16, 32];
            return vec![
                Parameter::int("block_m", (1, 1024), &values, "threads of a block along rows of D"),
                Parameter::int("block_n", (1, 1024), &[8, 16, 32, 64, 128, 256], "threads of a block along columns of D"),
            ];
        }
        let orders = ["ikj", "ijk", "jik"];
        vec![Parameter::choice("loop_order", &orders, &orders, "loops from outermost to innermost: i rows, j columns, k depth")]
    }
    fn check(&self, gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
        if device.kind == DeviceKind::Cpu {
            return Ok(());
        }
        let tiling = gemm_tiling(config);
        check_threads(&format!("`block_m={} block_n={}`", tiling.m, tiling.n), tiling.m * tiling.n, (1, MAX_THREADS))?;
        tiling.check(gemm, device)
    }
    fn default_config(&self, _gemm: &Gemm, device: &DeviceInfo) -> Config {
        if device.kind == DeviceKind::Cuda {
            // A warp per row of the block reads 32 neighbouring columns of B at once.
            return Config(Named::default().with("block_m", 8).with("block_n", 32));
        }
        Config(Named::default().with("loop_order", "ikj"))
    }
    fn work(&self, gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Work {
        let products = to_f64(gemm.m) * to_f64(gemm.n) * to_f64(gemm.k);
        if device.kind == DeviceKind::Cuda {
            let tiled = gemm_tiling(config).work(gemm, 2.0 * products * gemm.element_bytes());
            // Threads beyond the edges return at once.
            let each = if gemm.beta == 0.0 { 1.0 } else { 3.0 };
            return Work { executed_flop: 2.0 * products + each * to_f64(gemm.m) * to_f64(gemm.n), ..tiled };
        }
        // ikj: read B, read and write D per product; the others: read A and B.
        let per_product = if config.text("loop_order") == "ikj" { 3.0 } else { 2.0 };
        let mut work = gemm.work();
        work.traffic.insert(0, (Level::L1, per_product * products * gemm.element_bytes()));
        work
    }
    fn cpu(&self) -> Option<&dyn CpuSource> {
        Some(&cpu::Source)
    }
    fn cuda(&self) -> Option<&dyn CudaSource> {
        Some(&cuda::Source)
    }
}

/// Blocks of threads as tiles of one step.
fn gemm_tiling(config: &Config) -> Tiling {
    Tiling::plain(config.size("block_m"), config.size("block_n"), 1)
}
