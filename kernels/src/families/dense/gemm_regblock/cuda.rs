//! A block per tile of D; a second kernel where k is sliced.

use super::cuda_knobs::Blocks;
use crate::devices::cuda::{CudaProgram, CudaSource, text};
use crate::families::dense::Gemm;
use crate::families::dense::cuda::{Feed, Kernel, TiledKnobs};
use crate::{Config, DeviceInfo, Problem};

pub(super) struct Source;

impl CudaSource for Source {
    fn program(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> CudaProgram {
        let gemm = Gemm::of(problem);
        let blocks = Blocks::of(config).effective(&gemm);
        let feed = blocks.feed(&gemm, device);
        let mut texts = vec![text::FEED, include_str!("kernel.cu")];
        if feed == Feed::Async {
            texts.insert(0, text::ASYNC);
        }
        let sizes = [
            ("THREADS", blocks.threads()),
            ("THREAD_M", blocks.thread_m),
            ("THREAD_N", blocks.thread_n),
            ("STAGES", blocks.stages),
            ("VECTOR", blocks.vector),
        ];
        let mut defines: Vec<_> = sizes.map(|(name, value)| (name, value.to_string())).into();
        defines.push(("FEED", feed.name().to_owned()));
        CudaProgram::Compiled(blocks.tiling.compiled(
            &gemm,
            Kernel {
                name: "gemm_regblock",
                texts,
                defines,
                threads: (blocks.threads(), 1),
                shared_bytes: blocks.shared_bytes(&gemm),
            },
        ))
    }
}
