//! A block per tile of D; a second kernel where k is sliced.

use super::knobs::Groups;
use crate::devices::cuda::{CudaProgram, CudaSource, text};
use crate::families::dense::Gemm;
use crate::families::dense::cuda::{Feed, Kernel, TiledKnobs, paired, widest_vector};
use crate::{Config, DeviceInfo, Problem};

pub(super) struct Source;

impl CudaSource for Source {
    fn program(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> CudaProgram {
        let gemm = Gemm::of(problem);
        let groups = Groups::of(config).effective(&gemm);
        let vector = widest_vector(&gemm);
        let feed = Feed::of(groups.stages, vector, &gemm, device);
        let sizes = [
            ("THREADS", groups.threads()),
            ("WARPGROUPS", groups.warpgroups),
            ("STAGES", groups.stages),
            ("VECTOR", vector),
            ("PAIRED", usize::from(paired(&gemm))),
        ];
        let mut defines: Vec<_> = sizes.map(|(name, value)| (name, value.to_string())).into();
        defines.push(("FEED", feed.name().to_owned()));
        let mut compiled = groups.tiling.compiled(
            &gemm,
            Kernel {
                name: "gemm_wgmma",
                texts: vec![text::ASYNC, text::WGMMA, text::FEED, include_str!("kernel.cu")],
                defines,
                threads: (groups.threads(), 1),
                shared_bytes: groups.shared_bytes(&gemm),
            },
        );
        compiled.unit.arch_specific = true;
        CudaProgram::Compiled(compiled)
    }
}
