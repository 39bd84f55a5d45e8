//! A chain's launches.

use super::{Chain, GpuChainKnobs, Math, Permute, element_bytes, scratch_ld};
use crate::Dtype;
use crate::devices::cpu::chain::{Rows, Shape};
use crate::devices::cuda::{Arg, Compiled, CudaProgram, Include, Launch, Unit, text};

/// Rows of a stage's products in main memory, and where they go.
#[derive(Clone, Copy)]
struct Pass {
    kernel: &'static str,
    /// 0 or 1.
    stage: usize,
    from: Side,
    to: Side,
}

/// A matrix, how far apart its rows lie, and in what order they are.
#[derive(Clone, Copy)]
struct Side {
    at: Arg,
    ld: usize,
    rows: Rows,
}

/// One call of effective `knobs`.
pub(crate) fn program(chain: &Chain, knobs: &GpuChainKnobs) -> CudaProgram {
    let launches = match knobs.permute {
        Permute::Fused => vec![fused(chain, knobs)],
        Permute::Staged => staged(chain, knobs),
        Permute::Copied => copied(chain, knobs),
    };
    let mut kernels: Vec<&'static str> = launches.iter().map(|launch| launch.kernel).collect();
    kernels.sort_unstable();
    kernels.dedup();
    let scratch_bytes = knobs.scratch_bytes(chain);
    CudaProgram::Compiled(Compiled { unit: unit(chain, knobs, kernels), launches, scratch_bytes })
}

fn unit(chain: &Chain, knobs: &GpuChainKnobs, kernels: Vec<&'static str>) -> Unit {
    let dtype = match chain.extent.dtype {
        Dtype::F64 => "DTYPE_F64",
        Dtype::Tf32 => "DTYPE_TF32",
        Dtype::F16 => "DTYPE_F16",
        Dtype::Bf16 => "DTYPE_BF16",
        _ => "DTYPE_F32",
    };
    let [first, second] = [0, 1].map(|stage| knobs.weights_at_once(chain, stage));
    let mut defines = vec![
        (dtype, 1),
        ("STRIP", knobs.strip),
        ("THREADS", knobs.threads),
        ("VECTOR", knobs.vector),
        ("WEIGHTS_1", first),
        ("WEIGHTS_2", second),
    ];
    if knobs.permute == Permute::Fused {
        defines.extend([("FUSED", 1), ("GROUP", knobs.group)]);
    }
    match knobs.math {
        Math::Simt => defines.extend([("THREAD_M", knobs.thread_m), ("THREAD_N", knobs.thread_n)]),
        Math::Tensor => {
            defines.extend([("TENSOR", 1), ("TILE_M", knobs.tile_m), ("TILE_K", knobs.tile_k), ("STAGES", knobs.stages)]);
        }
    }
    let mut texts = vec![text::HALF, text::ELEMENT];
    if knobs.math == Math::Tensor {
        texts.extend([text::ASYNC, text::MMA]);
    }
    texts.push(include_str!("chain.cu"));
    let defines = defines.into_iter().map(|(name, value)| (name, value.to_string())).collect();
    Unit { texts, defines, include: Include::None, kernels, arch_specific: false }
}

impl GpuChainKnobs {
    /// Weights of one row that a thread reads at once: as many as alignment allows, up to 16 bytes; on tensor cores a 32-bit word.
    fn weights_at_once(&self, chain: &Chain, stage: usize) -> usize {
        let weights = chain.weights[stage];
        let bytes = element_bytes(chain.extent.dtype);
        let most = if self.math == Math::Tensor { (4 / bytes).max(1) } else { 16 / bytes };
        let fits = |n: &usize| [chain.depth_of(stage), weights.ld, weights.block_step].iter().all(|size| size.is_multiple_of(*n));
        [8, 4, 2].into_iter().find(|n| *n <= most && fits(n)).unwrap_or(1)
    }

    /// Teams of threads or warps that each take a tile of rows.
    pub(super) fn workers(&self) -> usize {
        match self.math {
            Math::Simt => self.threads / (self.strip / self.thread_n),
            Math::Tensor => self.threads / 32,
        }
    }

    /// Rows that one worker takes at a time.
    pub(super) fn rows_at_once(&self) -> usize {
        match self.math {
            Math::Simt => self.thread_m,
            Math::Tensor => self.tile_m,
        }
    }

    /// Blocks of the launch that makes most, for effective knobs.
    pub(super) fn most_blocks(&self, chain: &Chain) -> u128 {
        let strips = chain.extent.batch.div_ceil(self.strip) as u128;
        match self.permute {
            Permute::Fused => strips * chain.shape.inner.div_ceil(self.group) as u128,
            Permute::Staged => [0, 1].map(|stage| strips * self.chunks(chain, stage)).into_iter().max().unwrap_or(0),
            Permute::Copied => {
                let passes = [0, 1].map(|stage| strips * self.chunks(chain, stage));
                let copies = [0, 1].map(|stage| self.copying_blocks(chain, stage));
                passes.into_iter().chain(copies).max().unwrap_or(0)
            }
        }
    }

    /// Blocks per strip of a stage by itself.
    fn chunks(&self, chain: &Chain, stage: usize) -> u128 {
        let (products, rows) = chain.products_of(stage);
        (products as u128 * rows.div_ceil(self.rows_at_once()) as u128).div_ceil(self.workers() as u128)
    }

    fn copying_blocks(&self, chain: &Chain, stage: usize) -> u128 {
        let (products, rows) = chain.products_of(stage);
        let packets = chain.extent.batch.div_ceil(self.vector);
        (products as u128 * rows as u128 * packets as u128).div_ceil(self.threads as u128)
    }

    /// Scratch memory: Z, and with copies Z in both orders and Y in that of the products.
    pub(super) fn scratch_bytes(&self, chain: &Chain) -> u64 {
        let Shape { outer, inner, rows, .. } = chain.shape;
        let rows = match self.permute {
            Permute::Fused => 0,
            Permute::Staged => outer * inner,
            Permute::Copied => 2 * outer * inner + inner * rows,
        };
        (rows * scratch_ld(chain.extent.batch)) as u64 * chain.extent.dtype.bytes()
    }
}

impl Chain {
    /// Products of a stage, and rows of each.
    pub(super) fn products_of(&self, stage: usize) -> (usize, usize) {
        if stage == 0 { (self.shape.outer, self.shape.inner) } else { (self.shape.inner, self.shape.rows) }
    }

    pub(super) fn depth_of(&self, stage: usize) -> usize {
        if stage == 0 { self.shape.depth } else { self.shape.outer }
    }

    fn x(&self) -> Side {
        Side { at: Arg::Operand(self.x), ld: self.extent.batch, rows: self.shape.input }
    }

    fn y(&self) -> Side {
        Side { at: Arg::Output, ld: self.extent.batch, rows: self.shape.output }
    }

    /// Rows of scratch memory from row `first` on.
    fn scratch(&self, first: usize, rows: Rows) -> Side {
        let ld = scratch_ld(self.extent.batch);
        Side { at: Arg::Scratch((first * ld) as u64 * self.extent.dtype.bytes()), ld, rows }
    }

    fn weights_args(&self, stage: usize) -> [Arg; 3] {
        let weights = self.weights[stage];
        [Arg::Operand(weights.operand), long(weights.block_step), int(weights.ld)]
    }
}

impl Side {
    fn matrix(&self) -> [Arg; 2] {
        [self.at, long(self.ld)]
    }
}

/// Rows in an order of their own: `block` from one block to the next, `step` within.
const fn order(block_step: usize, step: usize) -> Rows {
    Rows { share: 1, block_step, step }
}

fn fused(chain: &Chain, knobs: &GpuChainKnobs) -> Launch {
    let Shape { outer, inner, depth, rows, input, output } = chain.shape;
    let groups = inner.div_ceil(knobs.group);
    let mut args = Vec::from(chain.weights_args(0));
    args.extend(chain.weights_args(1));
    args.extend(chain.x().matrix());
    args.extend(chain.y().matrix());
    args.extend([outer, inner, depth, rows].map(int));
    args.extend([input.share, input.block_step, input.step, output.block_step, output.step].map(int));
    args.extend([chain.extent.batch, groups].map(int));
    launch("chain_fused", (knobs.most_blocks(chain), knobs.threads), knobs.shared_bytes(chain), args)
}

fn staged(chain: &Chain, knobs: &GpuChainKnobs) -> Vec<Launch> {
    let outer = chain.shape.outer;
    let written = chain.scratch(0, order(1, outer));
    let read = chain.scratch(0, order(outer, 1));
    let first = Pass { kernel: "chain_first", stage: 0, from: chain.x(), to: written };
    let second = Pass { kernel: "chain_second", stage: 1, from: read, to: chain.y() };
    vec![pass(chain, knobs, first), pass(chain, knobs, second)]
}

fn copied(chain: &Chain, knobs: &GpuChainKnobs) -> Vec<Launch> {
    let Shape { outer, inner, rows, .. } = chain.shape;
    let by_outer = chain.scratch(0, order(inner, 1));
    let (turned, by_inner) = (chain.scratch(outer * inner, order(1, outer)), chain.scratch(outer * inner, order(outer, 1)));
    let by_product = chain.scratch(2 * outer * inner, order(rows, 1));
    vec![
        pass(chain, knobs, Pass { kernel: "chain_first", stage: 0, from: chain.x(), to: by_outer }),
        copy(chain, knobs, 0, (by_outer, turned)),
        pass(chain, knobs, Pass { kernel: "chain_second", stage: 1, from: by_inner, to: by_product }),
        copy(chain, knobs, 1, (by_product, chain.y())),
    ]
}

/// One stage over main memory.
fn pass(chain: &Chain, knobs: &GpuChainKnobs, pass: Pass) -> Launch {
    let (products, rows) = chain.products_of(pass.stage);
    let chunks = knobs.chunks(chain, pass.stage);
    let strips = chain.extent.batch.div_ceil(knobs.strip) as u128;
    let (from, to) = (pass.from.rows, pass.to.rows);
    let mut args = Vec::from(chain.weights_args(pass.stage));
    args.extend(pass.from.matrix());
    args.extend(pass.to.matrix());
    args.extend([products, rows, chain.depth_of(pass.stage)].map(int));
    args.extend([from.share, from.block_step, from.step, to.block_step, to.step].map(int));
    args.extend([int(chain.extent.batch), Arg::Int(i32::try_from(chunks).expect("the grid was checked"))]);
    launch(pass.kernel, (strips * chunks, knobs.threads), knobs.shared_bytes(chain), args)
}

/// Rows of every product of `stage` from one order to another.
fn copy(chain: &Chain, knobs: &GpuChainKnobs, stage: usize, (from, to): (Side, Side)) -> Launch {
    let (products, rows) = chain.products_of(stage);
    let mut args = Vec::from(from.matrix());
    args.extend(to.matrix());
    args.extend([products, rows, from.rows.block_step, from.rows.step, to.rows.block_step, to.rows.step].map(int));
    args.push(int(chain.extent.batch));
    launch("chain_permute", (knobs.copying_blocks(chain, stage), knobs.threads), 0, args)
}

fn launch(kernel: &'static str, (blocks, threads): (u128, usize), shared: u128, args: Vec<Arg>) -> Launch {
    let checked = |count: u128| u32::try_from(count).expect("grids and shared memory were checked");
    Launch {
        kernel,
        grid: [checked(blocks), 1, 1],
        block: [checked(threads as u128), 1, 1],
        dynamic_shared_bytes: checked(shared),
        args,
    }
}

fn int(size: usize) -> Arg {
    Arg::Int(i32::try_from(size).expect("sizes stay below 2^31"))
}

fn long(size: usize) -> Arg {
    Arg::Long(i64::try_from(size).expect("sizes fit the address space"))
}
