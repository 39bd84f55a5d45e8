//! What the CUDA kernels of dense families share: how D is cut into tiles and k into slices, the arguments, the launches.

use std::fmt;
use std::marker::PhantomData;

use super::gemm::{Gemm, GemmKernel, to_f64};
use crate::devices::cuda::{Arg, Compiled, CudaSource, Include, Launch, Unit, text};
use crate::{Card, Config, DeviceInfo, DeviceKind, Dtype, Level, Misfit, Named, Parameter, Work};

/// Element types of the SIMT kernels.
pub(super) const SIMT: [Dtype; 3] = [Dtype::F32, Dtype::F64, Dtype::F16];
/// Most threads of one block, on every architecture.
pub(super) const MAX_THREADS: usize = 1024;
/// Most blocks along x.
const MAX_BLOCKS: u128 = (1 << 31) - 1;
/// Most blocks along y.
const MAX_SLICES: usize = 65535;
/// Threads of the kernel that adds slices up; `ADD_THREADS` in `blocks.cuh`.
const ADD_THREADS: usize = 256;

/// Tiles of D, one block each, in an order; slices of k.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Tiling {
    /// Rows of a tile.
    pub(super) m: usize,
    /// Columns of a tile.
    pub(super) n: usize,
    /// Depth of one step.
    pub(super) k: usize,
    /// Slices of k whose sums are added by a kernel of their own; 1 is no slicing.
    pub(super) split_k: usize,
    /// Rows of tiles visited column by column; 1 is row by row.
    pub(super) swizzle: usize,
}

/// A configuration on a GPU, read: a tiling, and what the kernel adds to it.
pub(super) trait TiledKnobs: Copy + Send + Sync + 'static {
    /// The knobs, as a family declares them.
    fn parameters() -> Vec<Parameter>;
    /// Reads a configuration.
    fn of(config: &Config) -> Self;
    /// The configuration.
    fn config(&self) -> Config;
    /// The tiling.
    fn tiling(&mut self) -> &mut Tiling;
    /// Whether it can run.
    ///
    /// # Errors
    /// [`Misfit`] naming knob, value and limit.
    fn check(&self, gemm: &Gemm, device: &DeviceInfo) -> Result<(), Misfit>;
    /// Work of one call; the tiling is effective.
    fn work(&self, gemm: &Gemm) -> Work;
    /// Tiles that the default is chosen from, largest first, those that can run; and the smallest, should none.
    fn candidates(gemm: &Gemm, device: &DeviceInfo) -> (Vec<Self>, Self);

    /// Knobs that decide nothing for `gemm` at one value.
    #[must_use]
    fn effective(mut self, gemm: &Gemm) -> Self {
        *self.tiling() = self.tiling().effective(gemm);
        self
    }

    /// The largest tiles of which there is one for every multiprocessor; slices of k where even the smallest are too few.
    fn default_for(gemm: &Gemm, device: &DeviceInfo) -> Self {
        let sms = some_sms(device);
        let (legal, otherwise) = Self::candidates(gemm, device);
        let last = legal.last().copied().unwrap_or(otherwise);
        let enough = |knobs: &Self| {
            let (tiles_m, tiles_n) = { *knobs }.tiling().tiles(gemm);
            tiles_m * tiles_n >= sms
        };
        let mut chosen = legal.into_iter().find(enough).unwrap_or(last);
        *chosen.tiling() = chosen.tiling().sliced_for(gemm, sms);
        chosen.effective(gemm)
    }
}

/// A dense kernel that exists on GPUs alone, with the knobs `K`.
pub struct OnGpu<K> {
    card: &'static Card,
    dtypes: &'static [Dtype],
    source: &'static dyn CudaSource,
    knobs: PhantomData<fn() -> K>,
}

impl<K> fmt::Debug for OnGpu<K> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("OnGpu").field(&self.card.id).finish()
    }
}

impl<K> OnGpu<K> {
    pub(super) const fn new(card: &'static Card, dtypes: &'static [Dtype], source: &'static dyn CudaSource) -> Self {
        Self { card, dtypes, source, knobs: PhantomData }
    }
}

impl<K: TiledKnobs> GemmKernel for OnGpu<K> {
    fn card(&self) -> &'static Card {
        self.card
    }
    fn dtypes(&self, kind: DeviceKind) -> &'static [Dtype] {
        match kind {
            DeviceKind::Cpu => &[],
            DeviceKind::Cuda => self.dtypes,
        }
    }
    fn knobs(&self, _device: &DeviceInfo) -> Vec<Parameter> {
        K::parameters()
    }
    fn check(&self, gemm: &Gemm, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
        K::of(config).check(gemm, device)
    }
    fn effective(&self, gemm: &Gemm, config: &Config, _device: &DeviceInfo) -> Config {
        K::of(config).effective(gemm).config()
    }
    fn default_config(&self, gemm: &Gemm, device: &DeviceInfo) -> Config {
        K::default_for(gemm, device).config()
    }
    fn work(&self, gemm: &Gemm, config: &Config, _device: &DeviceInfo) -> Work {
        K::of(config).effective(gemm).work(gemm)
    }
    fn cuda(&self) -> Option<&dyn CudaSource> {
        Some(self.source)
    }
}

/// What a family adds to the launches of [`Tiling`].
#[derive(Debug)]
pub(super) struct Kernel {
    /// Name of the kernel in the text.
    pub(super) name: &'static str,
    /// Its text behind the shared ones.
    pub(super) texts: Vec<&'static str>,
    /// Definitions beside those of the tiling, the element type and the layout.
    pub(super) defines: Vec<(&'static str, String)>,
    /// Threads of a block along x and y.
    pub(super) threads: (usize, usize),
    /// Dynamic shared memory.
    pub(super) shared_bytes: usize,
}

/// What one block of threads takes.
pub(super) struct Taken {
    /// The knobs that decide how many registers a thread takes, as an error names them.
    pub(super) register_knobs: String,
    /// An estimate, each thread.
    pub(super) registers: usize,
    pub(super) threads: usize,
    pub(super) stages: usize,
    pub(super) shared_bytes: usize,
}

impl Tiling {
    /// Whole tiles without slices, row by row.
    pub(super) const fn plain(m: usize, n: usize, k: usize) -> Self {
        Self { m, n, k, split_k: 1, swizzle: 1 }
    }

    /// Whether registers and shared memory suffice for a block, and the slices and the grid are legal.
    ///
    /// # Errors
    /// [`Misfit`] naming knobs, value and limit.
    pub(super) fn check_block(self, taken: &Taken, gemm: &Gemm, device: &DeviceInfo) -> Result<(), Misfit> {
        check_registers(&taken.register_knobs, taken.registers, taken.threads, device)?;
        let Self { m, n, k, .. } = self;
        check_shared(&format!("`tile_m={m} tile_n={n} tile_k={k} stages={}`", taken.stages), taken.shared_bytes, device)?;
        self.check(gemm, device)
    }

    /// Reads `tile_m tile_n tile_k split_k swizzle`.
    pub(super) fn of(config: &Config) -> Self {
        let size = |name| config.size(name);
        Self { m: size("tile_m"), n: size("tile_n"), k: size("tile_k"), split_k: size("split_k"), swizzle: size("swizzle") }
    }

    /// The configuration with the kernel's own knobs between the tile and the slices.
    pub(super) fn config(&self, own: &[(&'static str, usize)]) -> Config {
        let tile = [("tile_m", self.m), ("tile_n", self.n), ("tile_k", self.k)];
        let order = [("split_k", self.split_k), ("swizzle", self.swizzle)];
        let values = tile.iter().chain(own).chain(&order);
        Config(values.fold(Named::default(), |named, &(name, value)| named.with(name, value as u64)))
    }

    /// Tiles along m and n.
    fn tiles(&self, gemm: &Gemm) -> (usize, usize) {
        (gemm.m.div_ceil(self.m), gemm.n.div_ceil(self.n))
    }

    /// Steps along k.
    pub(super) fn steps(&self, gemm: &Gemm) -> usize {
        gemm.k.div_ceil(self.k)
    }

    /// No more slices than get a step each, no wider band than there are rows of tiles.
    #[must_use]
    pub(super) fn effective(mut self, gemm: &Gemm) -> Self {
        let (steps, (tiles_m, tiles_n)) = (self.steps(gemm).max(1), self.tiles(gemm));
        self.split_k = steps.div_ceil(steps.div_ceil(self.split_k));
        self.swizzle = if tiles_n == 1 { 1 } else { self.swizzle.min(tiles_m) };
        self
    }

    /// The same in as many slices as keep `sms` multiprocessors busy, eight at most; below eight steps a slice is mostly start and end.
    #[must_use]
    pub(super) fn sliced_for(mut self, gemm: &Gemm, sms: usize) -> Self {
        let (tiles_m, tiles_n) = self.tiles(gemm);
        self.split_k = (sms / (tiles_m * tiles_n)).min(8).min(self.steps(gemm) / 8).max(1);
        self
    }

    /// Whether the grid and the scratch memory exist.
    ///
    /// # Errors
    /// [`Misfit`] naming the tiles or the slices.
    pub(super) fn check(&self, gemm: &Gemm, device: &DeviceInfo) -> Result<(), Misfit> {
        let (tiles_m, tiles_n) = self.tiles(gemm);
        let blocks = tiles_m as u128 * tiles_n as u128;
        if blocks > MAX_BLOCKS {
            return Err(Misfit::new(format!(
                "tiles of `{}×{}` cut `m={} n={}` into {blocks} blocks; a grid has at most {MAX_BLOCKS}",
                self.m, self.n, gemm.m, gemm.n
            )));
        }
        if self.effective(gemm).split_k == 1 {
            return Ok(());
        }
        let adding = gemm.m as u128 * gemm.n.div_ceil(ADD_THREADS) as u128;
        if self.split_k > MAX_SLICES || adding > MAX_BLOCKS {
            return Err(Misfit::new(format!(
                "`split_k={}` of `m={} n={}` needs {adding} blocks and as many slices; a grid has at most {MAX_BLOCKS} by {MAX_SLICES}",
                self.split_k, gemm.m, gemm.n
            )));
        }
        let (needs, limit) = (self.effective(gemm).workspace_bytes(gemm), device.memory_bytes / 2);
        if needs > u128::from(limit) {
            let split_k = self.split_k;
            return Err(Misfit::new(format!("`split_k={split_k}` needs {needs} B for sums; half the memory is {limit} B")));
        }
        Ok(())
    }

    /// Scratch memory of the slices' sums.
    pub(super) fn workspace_bytes(&self, gemm: &Gemm) -> u128 {
        let slices = if self.split_k > 1 { self.split_k } else { 0 };
        slices as u128 * gemm.m as u128 * gemm.n as u128 * u128::from(gemm.dtype.accumulator().bytes())
    }

    /// FLOP executed: whole tiles and steps, one multiplication by alpha and, with beta, one multiply-add per element of D, one addition per
    /// element and further slice. For integers the last three are integer instructions like those of addresses, and not counted.
    fn executed_flop(&self, gemm: &Gemm) -> f64 {
        let padded = self.padded(gemm);
        let elements = to_f64(gemm.m) * to_f64(gemm.n);
        let each = if gemm.dtype.is_integer() { 0 } else { self.split_k + if gemm.beta == 0.0 { 0 } else { 2 } };
        2.0 * padded + to_f64(each) * elements
    }

    /// Products in whole tiles and steps.
    pub(super) fn padded(&self, gemm: &Gemm) -> f64 {
        let (tiles_m, tiles_n) = self.tiles(gemm);
        to_f64(tiles_m * self.m) * to_f64(tiles_n * self.n) * to_f64(self.steps(gemm) * self.k)
    }

    /// Work of one call. `shared_bytes` is what passes through shared memory, or through the first-level cache where there is none. From the
    /// second level every block reads its rows of A and its columns of B once; the slices' sums are written and read once.
    pub(super) fn work(&self, gemm: &Gemm, shared_bytes: f64) -> Work {
        let (tiles_m, tiles_n) = self.tiles(gemm);
        let (m, n, k) = (to_f64(gemm.m), to_f64(gemm.n), to_f64(gemm.k));
        #[allow(clippy::cast_precision_loss)] // bytes stay below 2^53
        let workspace_bytes = self.workspace_bytes(gemm) as f64;
        let read = gemm.element_bytes() * (m * k * to_f64(tiles_n) + k * n * to_f64(tiles_m));
        let once = gemm.element_bytes() * (m * k + k * n);
        let plain = gemm.work();
        Work {
            executed_flop: self.executed_flop(gemm),
            traffic: vec![
                (Level::L1, shared_bytes),
                (Level::L2, plain.compulsory_bytes - once + read + 2.0 * workspace_bytes),
                (Level::Dram, plain.compulsory_bytes + 2.0 * workspace_bytes),
            ],
            workspace_bytes,
            launches: if self.split_k > 1 { 2 } else { 1 },
            ..plain
        }
    }

    /// The unit and the launches of one call; the tiling is effective and was checked.
    pub(super) fn compiled(&self, gemm: &Gemm, kernel: Kernel) -> Compiled {
        let (tiles_m, tiles_n) = self.tiles(gemm);
        let mut unit = self.unit(gemm, kernel.texts, kernel.defines);
        unit.kernels.push(kernel.name);
        let out = if self.split_k > 1 { Arg::Scratch(0) } else { Arg::Output };
        let [lda, ldb, ldc, ldd] = gemm.leading().map(int);
        let mut args = vec![Arg::Operand(0), Arg::Operand(1), Arg::Operand(2), out];
        args.extend([
            int(gemm.m),
            int(gemm.n),
            int(gemm.k),
            lda,
            ldb,
            ldc,
            ldd,
            factor(gemm, gemm.alpha),
            factor(gemm, gemm.beta),
        ]);
        let mut launches = vec![Launch {
            kernel: kernel.name,
            grid: [blocks(tiles_m * tiles_n), blocks(self.split_k), 1],
            block: [blocks(kernel.threads.0), blocks(kernel.threads.1), 1],
            dynamic_shared_bytes: blocks(kernel.shared_bytes),
            args,
        }];
        if self.split_k > 1 {
            unit.kernels.push("add_slices");
            launches.push(adding(gemm));
        }
        let scratch_bytes = u64::try_from(self.workspace_bytes(gemm)).expect("at most half the memory");
        Compiled { unit, launches, scratch_bytes }
    }

    fn unit(&self, gemm: &Gemm, own: Vec<&'static str>, own_defines: Vec<(&'static str, String)>) -> Unit {
        let mut texts = vec![text::HALF, text::ELEMENT, text::BLOCKS];
        texts.extend(own);
        let sizes = [
            ("TILE_M", self.m),
            ("TILE_N", self.n),
            ("TILE_K", self.k),
            ("SPLIT_K", self.split_k),
            ("SWIZZLE", self.swizzle),
            ("TRANS_A", usize::from(gemm.layout.a_transposed())),
            ("TRANS_B", usize::from(gemm.layout.b_transposed())),
            (dtype_define(gemm.dtype), 1),
        ];
        let mut defines: Vec<_> = sizes.map(|(name, value)| (name, value.to_string())).into();
        defines.extend(own_defines);
        Unit { texts, defines, include: Include::None, kernels: Vec::new(), arch_specific: false }
    }
}

/// The launch that adds the slices' sums up.
fn adding(gemm: &Gemm) -> Launch {
    let [_, _, ldc, ldd] = gemm.leading().map(int);
    let mut args = vec![Arg::Scratch(0), Arg::Operand(2), Arg::Output];
    args.extend([int(gemm.m), int(gemm.n), ldc, ldd, factor(gemm, gemm.alpha), factor(gemm, gemm.beta)]);
    Launch {
        kernel: "add_slices",
        grid: [blocks(gemm.m * gemm.n.div_ceil(ADD_THREADS)), 1, 1],
        block: [blocks(ADD_THREADS), 1, 1],
        dynamic_shared_bytes: 0,
        args,
    }
}

/// Definition that chooses the element type in `element.cuh`.
const fn dtype_define(dtype: Dtype) -> &'static str {
    match dtype {
        Dtype::F32 | Dtype::Int32 => "DTYPE_F32",
        Dtype::F64 => "DTYPE_F64",
        Dtype::Tf32 => "DTYPE_TF32",
        Dtype::F16 => "DTYPE_F16",
        Dtype::Bf16 => "DTYPE_BF16",
        Dtype::Int8 => "DTYPE_INT8",
    }
}

/// alpha or beta in the type of sums.
#[allow(clippy::cast_possible_truncation)] // single precision is what the kernels multiply by; integers were checked
pub(super) fn factor(gemm: &Gemm, value: f64) -> Arg {
    match gemm.dtype.accumulator() {
        Dtype::F64 => Arg::Double(value),
        Dtype::Int32 => Arg::Int(value as i32),
        _ => Arg::Float(value as f32),
    }
}

pub(super) fn int(size: usize) -> Arg {
    Arg::Int(i32::try_from(size).expect("sizes stay below 2^24, leading dimensions 4096 above"))
}

fn blocks(count: usize) -> u32 {
    u32::try_from(count).expect("grids, blocks and shared memory were checked")
}

/// Multiprocessors; those of a middling board where only the architecture is known.
pub(super) fn some_sms(device: &DeviceInfo) -> usize {
    match device.gpu().sms {
        0 => 80,
        sms => sms as usize,
    }
}

/// Widest access of device memory.
const WIDEST_BYTES: usize = 16;

/// Elements per access of device memory: the widest at whose multiples rows of A and B start.
pub(super) fn widest_vector(gemm: &Gemm) -> usize {
    let [lda, ldb, ..] = gemm.leading();
    (WIDEST_BYTES / gemm.element_size()).min(1 << (lda | ldb).trailing_zeros().min(4))
}

/// Whether rows of C and D start at even elements and have an even number of them (`PAIRED` of `blocks.cuh`).
pub(super) fn paired(gemm: &Gemm) -> bool {
    gemm.n.is_multiple_of(2) && gemm.ld_pad.is_multiple_of(2)
}

/// How tiles come into shared memory; the constants of `feed.cuh`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Feed {
    /// One stage: copied, then multiplied.
    Direct,
    /// Two stages: the next tiles are held in registers meanwhile.
    Registers,
    /// `cp.async` into as many stages as there are.
    Async,
}

/// Smallest copy of `cp.async`.
const LEAST_ASYNC_BYTES: usize = 4;

impl Feed {
    /// Its constant in the text.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Direct => "FEED_DIRECT",
            Self::Registers => "FEED_REGISTERS",
            Self::Async => "FEED_ASYNC",
        }
    }

    /// How `stages` stages come, `vector` elements per access; [`Feed::check`] accepted them.
    pub(super) fn of(stages: usize, vector: usize, gemm: &Gemm, device: &DeviceInfo) -> Self {
        match stages {
            1 => Self::Direct,
            2 if Self::why_not_async(vector, gemm, device).is_some() => Self::Registers,
            _ => Self::Async,
        }
    }

    /// Refuses more than two stages without `cp.async`.
    ///
    /// # Errors
    /// [`Misfit`] naming the architecture or the width of the accesses.
    pub(super) fn check(stages: usize, vector: usize, gemm: &Gemm, device: &DeviceInfo) -> Result<(), Misfit> {
        match Self::why_not_async(vector, gemm, device) {
            Some(reason) if stages > 2 => Err(Misfit::new(format!("`stages={stages}` needs cp.async, {reason}; at most 2"))),
            _ => Ok(()),
        }
    }

    fn why_not_async(vector: usize, gemm: &Gemm, device: &DeviceInfo) -> Option<String> {
        let (arch, bytes) = (device.gpu().arch, vector * gemm.element_size());
        if !arch.has_cp_async() {
            return Some(format!("which `{arch}` does not have"));
        }
        let narrow = bytes < LEAST_ASYNC_BYTES;
        narrow.then(|| format!("which copies at least {LEAST_ASYNC_BYTES} B and not {vector} element of {}", gemm.dtype))
    }
}

/// Refuses blocks of more threads than there can be.
///
/// # Errors
/// [`Misfit`] that names what makes the threads.
pub(super) fn check_threads(subject: &str, threads: usize, (least, most): (usize, usize)) -> Result<(), Misfit> {
    if (least..=most).contains(&threads) {
        return Ok(());
    }
    let limit = if threads < least { format!("at least {least}") } else { format!("at most {most}") };
    Err(Misfit::new(format!("{subject} makes {threads} threads; a block has {limit}")))
}

/// Refuses more shared memory than a block may have.
///
/// # Errors
/// [`Misfit`] that names what takes the memory.
pub(super) fn check_shared(subject: &str, bytes: usize, device: &DeviceInfo) -> Result<(), Misfit> {
    let gpu = device.gpu();
    if bytes as u64 <= u64::from(gpu.shared_per_block) {
        return Ok(());
    }
    Err(Misfit::new(format!(
        "{subject} needs {bytes} B of shared memory; a block of {} has {} B",
        gpu.arch, gpu.shared_per_block
    )))
}

/// Most registers of one thread.
const MAX_REGISTERS: usize = 255;

/// Refuses more registers than a thread may have, or than there are for all of a block.
///
/// # Errors
/// [`Misfit`] that names what takes the registers.
fn check_registers(subject: &str, registers: usize, threads: usize, device: &DeviceInfo) -> Result<(), Misfit> {
    let limit = MAX_REGISTERS.min(device.gpu().registers_per_sm as usize / threads.next_multiple_of(32));
    if registers <= limit {
        return Ok(());
    }
    Err(Misfit::new(format!("{subject} takes about {registers} registers in each of {threads} threads; {limit} are there")))
}
