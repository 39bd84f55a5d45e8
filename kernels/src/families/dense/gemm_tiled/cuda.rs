//! T × T threads, two T × T tiles in shared memory.

use crate::devices::cuda::{CudaProgram, CudaSource};
use crate::families::dense::Gemm;
use crate::families::dense::cuda::{Kernel, MAX_THREADS, Tiling, check_threads};
use crate::families::dense::gemm::to_f64;
use crate::{Config, DeviceInfo, Misfit, Problem, Work};

pub(super) struct Source;

fn tiling(config: &Config) -> Tiling {
    let tile = config.size("tile");
    Tiling::plain(tile, tile, tile)
}

/// Whether T × T threads make a block.
pub(super) fn check(gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
    let tile = config.size("tile");
    check_threads(&format!("`tile={tile}`"), tile * tile, (1, MAX_THREADS))?;
    tiling(config).check(gemm, device)
}

/// Per product one element of A and one of B are read from shared memory; every element of a tile is written there once.
pub(super) fn work(gemm: &Gemm, config: &Config) -> Work {
    let tiling = tiling(config);
    let reads = 2.0 + 2.0 / to_f64(tiling.m);
    tiling.work(gemm, reads * tiling.padded(gemm) * gemm.element_bytes())
}

impl CudaSource for Source {
    fn program(&self, problem: &Problem, config: &Config, _device: &DeviceInfo) -> CudaProgram {
        let (gemm, tiling) = (Gemm::of(problem), tiling(config));
        CudaProgram::Compiled(tiling.compiled(
            &gemm,
            Kernel {
                name: "gemm_tiled",
                texts: vec![include_str!("kernel.cu")],
                defines: Vec::new(),
                threads: (tiling.m, tiling.m),
                shared_bytes: 2 * tiling.m * (tiling.m + 1) * gemm.element_size(),
            },
        ))
    }
}
