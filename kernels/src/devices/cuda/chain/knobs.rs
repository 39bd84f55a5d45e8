//! The knobs of a chain on CUDA, the same for every family that is one.

use super::{Chain, Math, Permute, depth_step, element_bytes};
use crate::devices::cuda::{Architecture, Gpu};
use crate::{Config, DeviceInfo, Dtype, Misfit, Named, Parameter};

/// Element types there are kernels for; single precision first.
pub(crate) const DTYPES: [Dtype; 5] = [Dtype::F32, Dtype::F64, Dtype::Tf32, Dtype::F16, Dtype::Bf16];

/// Most blocks along x.
const MAX_BLOCKS: u128 = (1 << 31) - 1;
/// Widest access of a thread.
const MAX_PACKET_BYTES: usize = 16;
/// Sums one thread may hold in registers, in 32-bit words: more would spill.
const MAX_SUM_WORDS: usize = 128;
/// Threads of a block where none are asked for.
const THREADS: usize = 128;
/// Multiprocessors that a default is to fill where only the architecture is known.
const SOME_SMS: usize = 64;

/// A configuration, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct GpuChainKnobs {
    pub(crate) math: Math,
    pub(crate) permute: Permute,
    /// Columns per block of threads.
    pub(crate) strip: usize,
    /// Rows of every first product that one block keeps; 1 where Z is in main memory.
    pub(crate) group: usize,
    pub(crate) threads: usize,
    /// Elements per thread; 1 × 1 on tensor cores.
    pub(crate) thread_m: usize,
    pub(crate) thread_n: usize,
    /// Rows per warp, rows of X staged at once, and how many of those; the least there is without tensor cores.
    pub(crate) tile_m: usize,
    pub(crate) tile_k: usize,
    pub(crate) stages: usize,
    /// Columns moved at once.
    pub(crate) vector: usize,
}

impl GpuChainKnobs {
    /// What a family declares on a GPU.
    pub(crate) fn parameters() -> Vec<Parameter> {
        vec![
            Parameter::choice("math", &Math::WORDS, &Math::WORDS, "multiply-adds of threads, or tensor cores (f16, bf16, tf32)"),
            Parameter::choice(
                "permute",
                &Permute::WORDS,
                &Permute::WORDS,
                "one kernel with the middle result in shared memory, two with it in main memory, or with passes of copies",
            ),
            Parameter::int("strip", (1, 256), &[16, 32, 64], "columns per block of threads"),
            Parameter::int("group", (1, 4096), &[8, 16, 32], "rows of every first product that one block keeps (fused)"),
            Parameter::int("threads", (32, 1024), &[128, 256], "threads per block"),
            Parameter::int("thread_m", (1, 16), &[4, 8], "rows per thread (simt)"),
            Parameter::int("thread_n", (1, 16), &[2, 4, 8], "columns per thread (simt)"),
            Parameter::int("tile_m", (16, 64), &[16, 32], "rows per warp (tensor)"),
            Parameter::int("tile_k", (16, 64), &[16, 32], "rows of X staged at once (tensor)"),
            Parameter::int("stages", (1, 4), &[1, 2, 3], "stages of X under way; from 2 on by cp.async (tensor)"),
            Parameter::int("vector", (1, 8), &[1, 4, 8], "columns moved at once"),
        ]
    }

    /// From a checked configuration.
    pub(crate) fn read(config: &Config) -> Self {
        Self {
            math: if config.text("math") == "tensor" { Math::Tensor } else { Math::Simt },
            permute: match config.text("permute") {
                "fused" => Permute::Fused,
                "staged" => Permute::Staged,
                _ => Permute::Copied,
            },
            strip: config.size("strip"),
            group: config.size("group"),
            threads: config.size("threads"),
            thread_m: config.size("thread_m"),
            thread_n: config.size("thread_n"),
            tile_m: config.size("tile_m"),
            tile_k: config.size("tile_k"),
            stages: config.size("stages"),
            vector: config.size("vector"),
        }
    }

    pub(crate) fn config(&self) -> Config {
        let mut named = Named(vec![("math".into(), self.math.word().into()), ("permute".into(), self.permute.word().into())]);
        let sizes = [
            ("strip", self.strip),
            ("group", self.group),
            ("threads", self.threads),
            ("thread_m", self.thread_m),
            ("thread_n", self.thread_n),
            ("tile_m", self.tile_m),
            ("tile_k", self.tile_k),
            ("stages", self.stages),
            ("vector", self.vector),
        ];
        named.0.extend(sizes.map(|(name, size)| (name.to_owned(), (size as u64).into())));
        Config(named)
    }

    /// What really runs: the tile of the other kind of arithmetic changes nothing, nor does a group where Z is in main memory, nor one of
    /// more rows than there are.
    #[must_use]
    pub(crate) fn effective(mut self, chain: &Chain) -> Self {
        match self.math {
            Math::Simt => (self.tile_m, self.tile_k, self.stages) = (16, 16, 1),
            Math::Tensor => (self.thread_m, self.thread_n) = (1, 1),
        }
        self.group = if self.permute == Permute::Fused { self.group.min(chain.shape.inner) } else { 1 };
        self
    }

    /// Whether they can run `chain` on `device`.
    ///
    /// # Errors
    /// [`Misfit`] with the knob, its value and the limit.
    pub(crate) fn check(&self, chain: &Chain, device: &DeviceInfo) -> Result<(), Misfit> {
        let gpu = device.gpu();
        self.check_types(chain.extent.dtype, gpu)?;
        self.check_vector(chain)?;
        match self.math {
            Math::Simt => self.check_threads(chain.extent.dtype)?,
            Math::Tensor => self.check_warps(chain.extent.dtype)?,
        }
        let effective = self.effective(chain);
        effective.check_shared(chain, gpu)?;
        effective.check_grid(chain)
    }

    fn check_types(&self, dtype: Dtype, gpu: &Gpu) -> Result<(), Misfit> {
        let before_ampere = gpu.arch < Architecture::new(8, 0);
        if matches!(dtype, Dtype::Bf16 | Dtype::Tf32) && before_ampere {
            return Err(Misfit::new(format!("`dtype={dtype}` needs sm_80 or later; the device is {}", gpu.arch)));
        }
        if self.math == Math::Simt {
            return Ok(());
        }
        match dtype {
            Dtype::F16 | Dtype::Bf16 | Dtype::Tf32 if before_ampere => Err(Misfit::new(format!(
                "`math=tensor` needs the m16n8k16 instructions of sm_80 or later; the device is {}",
                gpu.arch
            ))),
            Dtype::F16 | Dtype::Bf16 | Dtype::Tf32 => Ok(()),
            other => Err(Misfit::new(format!("`math=tensor` multiplies f16, bf16 and tf32, not `{other}`"))),
        }
    }

    fn check_vector(&self, chain: &Chain) -> Result<(), Misfit> {
        let (vector, bytes) = (self.vector, element_bytes(chain.extent.dtype));
        if !vector.is_power_of_two() || vector * bytes > MAX_PACKET_BYTES {
            return Err(Misfit::new(format!(
                "`vector={vector}` is no power of two up to {}, the {} in {MAX_PACKET_BYTES} B",
                MAX_PACKET_BYTES / bytes,
                chain.extent.dtype
            )));
        }
        if !chain.extent.batch.is_multiple_of(vector) {
            let batch = chain.extent.batch;
            return Err(Misfit::new(format!(
                "`vector={vector}` does not divide `batch={batch}`: rows of X are not aligned to it"
            )));
        }
        if !self.strip.is_multiple_of(vector) {
            return Err(Misfit::new(format!("`vector={vector}` does not divide `strip={}`", self.strip)));
        }
        Ok(())
    }

    fn check_threads(&self, dtype: Dtype) -> Result<(), Misfit> {
        let Self { strip, threads, thread_m, thread_n, vector, .. } = *self;
        if !thread_n.is_multiple_of(vector) {
            return Err(Misfit::new(format!("`thread_n={thread_n}` is not a multiple of `vector={vector}`")));
        }
        if !strip.is_multiple_of(thread_n) || !threads.is_multiple_of(strip / thread_n) {
            return Err(Misfit::new(format!(
                "`strip={strip}` in runs of `thread_n={thread_n}` does not divide into `threads={threads}`"
            )));
        }
        let words = thread_m * thread_n * element_bytes(dtype.accumulator()) / 4;
        if words > MAX_SUM_WORDS {
            return Err(Misfit::new(format!(
                "`thread_m={thread_m} thread_n={thread_n}` keeps {words} words of sums per thread; at most {MAX_SUM_WORDS} are supported"
            )));
        }
        Ok(())
    }

    fn check_warps(&self, dtype: Dtype) -> Result<(), Misfit> {
        for (name, value, step) in
            [("strip", self.strip, 16), ("threads", self.threads, 32), ("tile_m", self.tile_m, 16), ("tile_k", self.tile_k, 16)]
        {
            if !value.is_multiple_of(step) {
                return Err(Misfit::new(format!("`{name}={value}` is not a multiple of {step}, as tensor cores need it")));
            }
        }
        let words = self.tile_m * self.strip / 32;
        if words > MAX_SUM_WORDS {
            return Err(Misfit::new(format!(
                "`tile_m={} strip={}` keeps {words} words of sums per thread; at most {MAX_SUM_WORDS} are supported",
                self.tile_m, self.strip
            )));
        }
        let bytes = self.vector * element_bytes(dtype);
        if self.stages > 1 && bytes < 4 {
            let Self { stages, vector, .. } = self;
            return Err(Misfit::new(format!(
                "`stages={stages}` with `vector={vector}` copies {bytes} B at a time; cp.async copies at least 4"
            )));
        }
        Ok(())
    }

    fn check_shared(&self, chain: &Chain, gpu: &Gpu) -> Result<(), Misfit> {
        let (needs, limit) = (self.shared_bytes(chain), u64::from(gpu.shared_per_block));
        if needs <= limit as u128 {
            return Ok(());
        }
        let subject = match (self.permute, self.math) {
            (Permute::Fused, _) => format!("`strip={} group={}` of {} products", self.strip, self.group, chain.shape.outer),
            _ => format!("`strip={} stages={} tile_k={}`", self.strip, self.stages, self.tile_k),
        };
        Err(Misfit::new(format!("{subject} needs {needs} B of shared memory; a block of {} has {limit} B", gpu.arch)))
    }

    fn check_grid(&self, chain: &Chain) -> Result<(), Misfit> {
        let blocks = self.most_blocks(chain);
        if blocks <= MAX_BLOCKS {
            return Ok(());
        }
        Err(Misfit::new(format!(
            "`strip={} group={} threads={}` makes {blocks} blocks; a grid has at most {MAX_BLOCKS}",
            self.strip, self.group, self.threads
        )))
    }

    /// Dynamic shared memory of every launch but the copies. Z has its rows padded on tensor cores, as the text says.
    pub(crate) fn shared_bytes(&self, chain: &Chain) -> u128 {
        let (bytes, outer) = (element_bytes(chain.extent.dtype), chain.shape.outer);
        let fused = self.permute == Permute::Fused;
        let elements = match self.math {
            Math::Simt if fused => self.group as u128 * outer as u128 * self.strip as u128,
            Math::Simt => 0,
            Math::Tensor => {
                let pitch = self.strip + 8;
                let rows = outer.next_multiple_of(depth_step(chain.extent.dtype));
                let z = if fused { self.group as u128 * (rows as u128 * pitch as u128 + 8) } else { 0 };
                z + (self.threads / 32 * self.stages * self.tile_k * pitch) as u128
            }
        };
        elements * bytes as u128
    }

    /// Where none is asked for: tensor cores where they multiply the type and blocks fill them, 16-byte accesses where the batch allows, and as much
    /// of Z in shared memory as leaves room for two blocks on a multiprocessor and still fills the GPU.
    pub(crate) fn default(chain: &Chain, device: &DeviceInfo) -> Self {
        let (shape, extent) = (&chain.shape, &chain.extent);
        let vector = [8, 4, 2]
            .into_iter()
            .find(|v| v * element_bytes(extent.dtype) <= MAX_PACKET_BYTES && extent.batch.is_multiple_of(*v));
        let vector = vector.unwrap_or(1);
        let smallest = [shape.inner, shape.depth, shape.rows, shape.outer].into_iter().min().unwrap_or(1);
        let start = Self {
            math: Math::Tensor,
            permute: Permute::Fused,
            strip: if extent.batch > 16 { 32 } else { 16 },
            group: 1,
            threads: THREADS,
            thread_m: 1,
            thread_n: 1,
            tile_m: 16,
            tile_k: 16,
            stages: if vector * element_bytes(extent.dtype) < 4 { 1 } else { 2 },
            vector,
        };
        let tensor = smallest >= 8 && extent.batch >= 8 && start.check_types(extent.dtype, device.gpu()).is_ok();
        let strip = extent.batch.next_power_of_two().min(32);
        let simt = Self { math: Math::Simt, strip, thread_m: 4, thread_n: strip.min(4).max(vector), stages: 1, ..start };
        if tensor { start } else { simt }.with_group(chain, device)
    }

    fn with_group(self, chain: &Chain, device: &DeviceInfo) -> Self {
        let gpu = device.gpu();
        let sms = if gpu.sms == 0 { SOME_SMS } else { gpu.sms as usize };
        let fits = |knobs: &Self, blocks: u128| {
            let each = knobs.shared_bytes(chain) + u128::from(gpu.shared_reserved);
            blocks * each <= u128::from(gpu.shared_per_sm) && knobs.check(chain, device).is_ok()
        };
        let groups = [32, 16, 8, 4, 2, 1].map(|group| Self { group, ..self }.effective(chain));
        let filling = groups.iter().find(|knobs| fits(knobs, 2) && knobs.most_blocks(chain) >= sms as u128);
        let roomy = || groups.iter().rev().filter(|knobs| knobs.group >= 4.min(chain.shape.inner)).find(|knobs| fits(knobs, 1));
        let chosen = filling.filter(|knobs| knobs.group >= 4).or_else(roomy);
        chosen.copied().unwrap_or_else(|| Self { permute: Permute::Staged, ..self }.effective(chain))
    }
}
