//! One thread per element of D.

use super::gemm_tiling;
use crate::devices::cuda::{CudaProgram, CudaSource};
use crate::families::dense::Gemm;
use crate::families::dense::cuda::Kernel;
use crate::{Config, DeviceInfo, Problem};

pub(super) struct Source;

impl CudaSource for Source {
    fn program(&self, problem: &Problem, config: &Config, _device: &DeviceInfo) -> CudaProgram {
        let tiling = gemm_tiling(config);
        CudaProgram::Compiled(tiling.compiled(
            &Gemm::of(problem),
            Kernel {
                name: "gemm_naive",
                texts: vec![include_str!("kernel.cu")],
                defines: Vec::new(),
                threads: (tiling.n, tiling.m),
                shared_bytes: 0,
            },
        ))
    }
}
