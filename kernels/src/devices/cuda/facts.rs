//! What is known of compiled code before it runs, for the row.

use super::compile::Code;
use super::{Gpu, Launch};
use crate::KernelFacts;

/// What the driver says of the launch that matters most.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Told {
    /// Registers per thread; 0 where the driver was not asked.
    pub(super) registers: u32,
    /// Static shared memory per block.
    pub(super) shared_static_bytes: u32,
    /// Blocks resident per multiprocessor.
    pub(super) blocks_per_sm: u32,
}

/// The launch with the most blocks × threads; there always is one.
pub(super) fn heaviest(launches: &[Launch]) -> &Launch {
    launches.iter().max_by_key(|launch| blocks(launch) * u64::from(threads(launch))).expect("a call has a launch")
}

pub(super) fn threads(launch: &Launch) -> u32 {
    launch.block.iter().product()
}

fn blocks(launch: &Launch) -> u64 {
    launch.grid.iter().map(|&n| u64::from(n)).product()
}

/// Facts of `launch`. The compiler's figures stand; the driver's fill in what it did not say, and its occupancy is the one that holds, since it
/// knows the board. A virtual GPU is not asked: it knows no machine code.
pub(super) fn facts(code: &Code, launch: &Launch, gpu: &Gpu, told: Option<Told>) -> KernelFacts {
    let kernel = code.kernel(launch.kernel).cloned().unwrap_or_default();
    let registers = if kernel.registers > 0 { kernel.registers } else { told.map_or(0, |told| told.registers) };
    let shared_static_bytes = kernel.shared_static_bytes.max(told.map_or(0, |told| told.shared_static_bytes));
    let shared = shared_static_bytes + launch.dynamic_shared_bytes;
    let calculated = gpu.occupancy(threads(launch), registers, shared);
    let blocks_per_sm = told.map_or(calculated.blocks_per_sm, |told| told.blocks_per_sm);
    let warps = threads(launch).div_ceil(32);
    let resident = u64::from(blocks_per_sm) * u64::from(gpu.sms);
    #[allow(clippy::cast_precision_loss)] // block counts below 2^53
    let waves = if resident == 0 { 0.0 } else { blocks(launch) as f64 / resident as f64 };
    KernelFacts {
        code_id: code.id.clone(),
        compiler: code.compiler.clone(),
        registers,
        spill_bytes: kernel.spill_store_bytes + kernel.spill_load_bytes,
        shared_static_bytes,
        shared_dynamic_bytes: launch.dynamic_shared_bytes,
        threads_per_block: threads(launch),
        blocks: blocks(launch),
        blocks_per_sm,
        occupancy: f64::from(blocks_per_sm * warps * 32) / f64::from(gpu.threads_per_sm),
        occupancy_limiter: calculated.limiter.to_owned(),
        waves,
    }
}

#[cfg(test)]
mod tests {
    use super::super::Architecture;
    use super::super::compile::KernelCode;
    use super::*;

    fn launch(kernel: &'static str, grid: [u32; 3], block: [u32; 3], dynamic_shared_bytes: u32) -> Launch {
        Launch { kernel, grid, block, dynamic_shared_bytes, args: Vec::new() }
    }

    fn code(kernel: KernelCode) -> Code {
        Code {
            id: "id".into(),
            compiler: "nvrtc 13.5".into(),
            arch: "sm_89".into(),
            cubin: Vec::new(),
            ptx: String::new(),
            kernels: vec![kernel],
            compile_s: 0.1,
            cached: false,
        }
    }

    #[test]
    fn the_heaviest_launch_is_described_with_its_waves() {
        let launches = [launch("reduce", [40, 1, 1], [256, 1, 1], 0), launch("gemm", [46, 4, 2], [16, 16, 1], 40 << 10)];
        let gpu = Gpu { sms: 46, ..Gpu::assumed(Architecture::new(8, 9)) };
        let compiled =
            KernelCode { name: "gemm".into(), registers: 64, spill_store_bytes: 4, spill_load_bytes: 8, ..KernelCode::default() };
        let found = facts(&code(compiled.clone()), heaviest(&launches), &gpu, None);
        assert_eq!((found.registers, found.spill_bytes, found.blocks, found.threads_per_block), (64, 12, 368, 256));
        assert_eq!((found.blocks_per_sm, found.occupancy_limiter.as_str()), (2, "shared memory"));
        assert_eq!((found.waves, found.occupancy), (4.0, 512.0 / 1536.0));
        let told = Told { registers: 99, shared_static_bytes: 0, blocks_per_sm: 1 };
        let on_board = facts(&code(compiled), heaviest(&launches), &gpu, Some(told));
        assert_eq!((on_board.registers, on_board.blocks_per_sm, on_board.waves), (64, 1, 8.0));
    }
}
