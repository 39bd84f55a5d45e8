//! A block per tile of D; a second kernel where k is sliced.

use super::knobs::Warps;
use crate::devices::cuda::{CudaProgram, CudaSource, text};
use crate::families::dense::Gemm;
use crate::families::dense::cuda::{Feed, Kernel, TiledKnobs, paired, widest_vector};
use crate::{Config, DeviceInfo, Problem};

pub(super) struct Source;

impl CudaSource for Source {
    fn program(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> CudaProgram {
        let gemm = Gemm::of(problem);
        let warps = Warps::of(config).effective(&gemm);
        let vector = widest_vector(&gemm);
        let feed = Feed::of(warps.stages, vector, &gemm, device);
        let sizes = [
            ("THREADS", warps.threads()),
            ("WARPS_M", warps.warps_m),
            ("WARPS_N", warps.warps_n),
            ("STAGES", warps.stages),
            ("VECTOR", vector),
            ("PAIRED", usize::from(paired(&gemm))),
        ];
        let mut defines: Vec<_> = sizes.map(|(name, value)| (name, value.to_string())).into();
        defines.push(("FEED", feed.name().to_owned()));
        CudaProgram::Compiled(warps.tiling.compiled(
            &gemm,
            Kernel {
                name: "gemm_tc",
                texts: vec![text::ASYNC, text::FEED, text::MMA, include_str!("kernel.cu")],
                defines,
                threads: (warps.threads(), 1),
                shared_bytes: warps.shared_bytes(&gemm),
            },
        ))
    }
}
