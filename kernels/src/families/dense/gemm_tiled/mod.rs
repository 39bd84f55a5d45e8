//! `gemm_tiled`: square cache tiles, no packing.
//!
//! # Math
//! D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n; D is a matrix of its own. All three loops advance in steps of T, and
//! the T×T×T products inside touch one tile each of A, B and D.
//!
//! # Work
//! 2mnk FLOP. Each tile of A is loaded n/T times, each of B m/T times, and each of D is updated k/T times: (2mnk/T + 2mnk/T)·e bytes
//! enter the level that holds three tiles. On a GPU tiles of A and B lie in shared memory and D in registers: 2mnk/T elements are read from the
//! second level, and ragged edges cost whole tiles.
//!
//! # Knobs
//! `tile`: T. Small tiles pay for their loops, large ones leave the first-level cache; since the inner loop runs along rows of B and D,
//! hardware prefetching keeps large tiles fast on most CPUs, so no sharp optimum need appear. On a GPU a block has T² threads, so T ends at 32.

mod cpu;
mod cuda;

use super::cuda::SIMT;
use super::gemm::{Dense, Gemm, GemmKernel, to_f64};
use crate::devices::cpu::CpuSource;
use crate::devices::cuda::CudaSource;
use crate::{Card, Config, DeviceInfo, DeviceKind, Dtype, Level, Misfit, Named, Parameter, Work};

/// The family.
pub static GEMM_TILED: Dense<Tiled> = Dense(Tiled);

/// The kernel of [`GEMM_TILED`].
#[derive(Debug)]
pub struct Tiled;

static CARD: Card = Card {
    id: "gemm_tiled",
    group: "dense",
    title: "GEMM in square cache tiles",
    math: "D = alpha·op(A)·op(B) + beta·C with D m×n, op(A) m×k, op(B) k×n, computed in T×T×T tiles",
    look_at: "Time against T: a strong and simple signal, often monotone on a CPU with large caches rather than peaked as on a GPU. \
              Without packing or register blocks it stays far below the FMA roof; do not read the best T as the best that tiling can do.",
    references: &["Lam, Rothberg and Wolf, The cache performance and optimizations of blocked algorithms, ASPLOS 1991"],
};

impl GemmKernel for Tiled {
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
        let values: &[u64] = match device.kind {
            DeviceKind::Cpu => &[1, 2, 4, 8, 16, 32, 64, 128, 256],
            DeviceKind::Cuda => &[1, 2, 4, 8, 16, 32],
        };
        vec![Parameter::int("tile", (1, 4096), values, "side T of a tile, in elements")]
    }
    fn check(&self, gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
        match device.kind {
            DeviceKind::Cpu => Ok(()),
            DeviceKind::Cuda => cuda::check(gemm, config, device),
        }
    }
    fn effective(&self, gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Config {
        if device.kind == DeviceKind::Cuda {
            return config.clone();
        }
        let largest = gemm.m.max(gemm.n).max(gemm.k).max(1) as u64;
        Config(config.0.clone().with("tile", config.int("tile").min(largest)))
    }
    fn default_config(&self, _gemm: &Gemm, device: &DeviceInfo) -> Config {
        let tile = match device.kind {
            DeviceKind::Cpu => 128,
            DeviceKind::Cuda => 16,
        };
        Config(Named::default().with("tile", tile))
    }
    fn work(&self, gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Work {
        if device.kind == DeviceKind::Cuda {
            return cuda::work(gemm, config);
        }
        let tile = config.size("tile");
        let products = to_f64(gemm.m) * to_f64(gemm.n) * to_f64(gemm.k);
        let blocks = |size: usize| to_f64(size.div_ceil(tile));
        let (m, n, k) = (to_f64(gemm.m), to_f64(gemm.n), to_f64(gemm.k));
        let elements = m * k * blocks(gemm.n) + k * n * blocks(gemm.m) + 2.0 * m * n * blocks(gemm.k);
        let mut work = gemm.work();
        // Per product: B is read, D read and written; a row update keeps its factor of A in a register.
        work.traffic.insert(0, (Level::L1, 3.0 * products * gemm.element_bytes()));
        work.traffic.insert(1, (Level::L2, elements * gemm.element_bytes()));
        work
    }
    fn cpu(&self) -> Option<&dyn CpuSource> {
        Some(&cpu::Source)
    }
    fn cuda(&self) -> Option<&dyn CudaSource> {
        Some(&cuda::Source)
    }
}
