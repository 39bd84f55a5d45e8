//! Knobs on a GPU, what is legal, and the analytic default.

use crate::families::dense::cuda::{Feed, MAX_THREADS, Taken, TiledKnobs, Tiling, check_threads};
use crate::families::dense::gemm::{Gemm, to_f64};
use crate::{Config, DeviceInfo, Misfit, Parameter, Work};

/// A configuration, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Blocks {
    pub(super) tiling: Tiling,
    pub(super) thread_m: usize,
    pub(super) thread_n: usize,
    pub(super) stages: usize,
    pub(super) vector: usize,
}

/// Widest access of a thread.
const WIDEST_BYTES: usize = 16;
/// Registers for addresses, counters and bounds, beside what is held of A, B and D: what the compiler needed in trials, rounded up.
const OTHER_REGISTERS: usize = 24;

impl TiledKnobs for Blocks {
    fn parameters() -> Vec<Parameter> {
        vec![
            Parameter::int("tile_m", (1, 512), &[32, 64, 128, 256], "rows of D per block"),
            Parameter::int("tile_n", (1, 512), &[32, 64, 128, 256], "columns of D per block"),
            Parameter::int("tile_k", (1, 256), &[8, 16, 32], "products per element and step"),
            Parameter::int("thread_m", (1, 32), &[4, 8], "rows of D per thread"),
            Parameter::int("thread_n", (1, 32), &[4, 8], "columns of D per thread"),
            Parameter::int("stages", (1, 4), &[1, 2, 3, 4], "tiles in shared memory; 3 and more are filled by cp.async"),
            Parameter::int("vector", (1, 8), &[1, 2, 4], "elements per access of device memory"),
            Parameter::int("split_k", (1, 1024), &[1, 2, 4, 8], "slices of k, added by a second kernel"),
            Parameter::int("swizzle", (1, 1024), &[1, 2, 4, 8], "rows of tiles visited column by column"),
        ]
    }

    fn of(config: &Config) -> Self {
        let size = |name| config.size(name);
        Self {
            tiling: Tiling::of(config),
            thread_m: size("thread_m"),
            thread_n: size("thread_n"),
            stages: size("stages"),
            vector: size("vector"),
        }
    }

    fn config(&self) -> Config {
        self.tiling.config(&[
            ("thread_m", self.thread_m),
            ("thread_n", self.thread_n),
            ("stages", self.stages),
            ("vector", self.vector),
        ])
    }

    fn tiling(&mut self) -> &mut Tiling {
        &mut self.tiling
    }

    fn check(&self, gemm: &Gemm, device: &DeviceInfo) -> Result<(), Misfit> {
        self.check_tile()?;
        self.check_vector(gemm)?;
        Feed::check(self.stages, self.vector, gemm, device)?;
        let taken = Taken {
            register_knobs: format!("`thread_m={} thread_n={}`", self.thread_m, self.thread_n),
            registers: self.registers(gemm, device),
            threads: self.threads(),
            stages: self.stages,
            shared_bytes: self.shared_bytes(gemm),
        };
        self.tiling.check_block(&taken, gemm, device)
    }

    /// Every element of A read from shared memory serves `thread_n` products, every one of B `thread_m`.
    fn work(&self, gemm: &Gemm) -> Work {
        let share = |reads: usize, writes: usize| 1.0 / to_f64(reads) + 1.0 / to_f64(writes);
        let per_product = share(self.thread_n, self.tiling.n) + share(self.thread_m, self.tiling.m);
        self.tiling.work(gemm, per_product * self.tiling.padded(gemm) * gemm.element_bytes())
    }

    fn candidates(gemm: &Gemm, device: &DeviceInfo) -> (Vec<Self>, Self) {
        let legal = CANDIDATES
            .iter()
            .filter_map(|&candidate| fed(candidate, gemm, device))
            .filter(|blocks| blocks.registers(gemm, device) <= UNSPILLED_REGISTERS)
            .collect();
        (legal, plain(CANDIDATES[3]))
    }
}

impl Blocks {
    pub(super) fn threads(&self) -> usize {
        self.tiling.m / self.thread_m * (self.tiling.n / self.thread_n)
    }

    /// How tiles come on `device`; stages were checked.
    pub(super) fn feed(&self, gemm: &Gemm, device: &DeviceInfo) -> Feed {
        Feed::of(self.stages, self.vector, gemm, device)
    }

    /// Columns of the tiles of A and B as stored.
    fn stored_cols(&self, gemm: &Gemm) -> (usize, usize) {
        let a = if gemm.layout.a_transposed() { self.tiling.m } else { self.tiling.k };
        let b = if gemm.layout.b_transposed() { self.tiling.k } else { self.tiling.n };
        (a, b)
    }

    /// Shared memory; `STAGES * STAGE_SIZE` of `kernel.cu`.
    pub(super) fn shared_bytes(&self, gemm: &Gemm) -> usize {
        let (along_a, along_b) = (!gemm.layout.a_transposed(), gemm.layout.b_transposed());
        let ((a_cols, b_cols), tiling) = (self.stored_cols(gemm), &self.tiling);
        let pitch = |cols: usize, along_k: bool| {
            let units = (cols * gemm.element_size()).div_ceil(WIDEST_BYTES);
            WIDEST_BYTES * if along_k { units | 1 } else { units }
        };
        let a = tiling.m * tiling.k / a_cols * pitch(a_cols, along_a);
        let b = tiling.n * tiling.k / b_cols * pitch(b_cols, along_b);
        self.stages * (a + b)
    }

    /// An estimate, from above where the compiler reuses operand registers early: sums, operands of one step of the inner loop, vectors on their
    /// way to shared memory.
    fn registers(&self, gemm: &Gemm, device: &DeviceInfo) -> usize {
        let words = usize::try_from(gemm.dtype.accumulator().bytes()).expect("small") / 4;
        let widest = if words == 2 { 2 } else { 4 };
        let wide = common_divisor(self.tiling.k, widest);
        let per_step = |along_k: bool| if along_k { wide } else { 1 };
        let a = self.thread_m * per_step(!gemm.layout.a_transposed());
        let b = self.thread_n * per_step(gemm.layout.b_transposed());
        let held = match self.feed(gemm, device) {
            Feed::Async => 0,
            Feed::Direct | Feed::Registers => {
                (self.tiling.m + self.tiling.n) * self.tiling.k * gemm.element_size() / 4 / self.threads().max(1)
            }
        };
        words * (self.thread_m * self.thread_n + a + b) + held + OTHER_REGISTERS
    }

    fn check_tile(&self) -> Result<(), Misfit> {
        for (tile, size, thread, step) in
            [("tile_m", self.tiling.m, "thread_m", self.thread_m), ("tile_n", self.tiling.n, "thread_n", self.thread_n)]
        {
            if !size.is_multiple_of(step) {
                return Err(Misfit::new(format!("`{tile}={size}` is not a multiple of `{thread}={step}`")));
            }
        }
        let (m, n) = (self.tiling.m, self.tiling.n);
        let subject = format!("`tile_m={m} tile_n={n} thread_m={} thread_n={}`", self.thread_m, self.thread_n);
        check_threads(&subject, self.threads(), (32, MAX_THREADS))
    }

    fn check_vector(&self, gemm: &Gemm) -> Result<(), Misfit> {
        let vector = self.vector;
        let refuse = |reason: String| Err(Misfit::new(format!("`vector={vector}` {reason}")));
        if !vector.is_power_of_two() {
            return refuse("is not a power of two".to_owned());
        }
        if vector * gemm.element_size() > WIDEST_BYTES {
            return refuse(format!(
                "of {} is {} B; an access has at most {WIDEST_BYTES} B",
                gemm.dtype,
                vector * gemm.element_size()
            ));
        }
        for (name, ld) in ["a", "b", "c", "d"].into_iter().zip(gemm.leading()) {
            if !ld.is_multiple_of(vector) {
                return refuse(format!("needs rows at multiples of {vector} elements; those of `{name}` are {ld} apart"));
            }
        }
        let (a, b) = self.stored_cols(gemm);
        let names = [
            (a, if gemm.layout.a_transposed() { "tile_m" } else { "tile_k" }),
            (b, if gemm.layout.b_transposed() { "tile_k" } else { "tile_n" }),
        ];
        match names.into_iter().find(|(cols, _)| !cols.is_multiple_of(vector)) {
            Some((cols, name)) => refuse(format!("does not divide `{name}={cols}`")),
            None => Ok(()),
        }
    }
}

fn common_divisor(a: usize, b: usize) -> usize {
    if b == 0 { a } else { common_divisor(b, a % b) }
}

/// Tiles that are tried in turn: (`tile_m`, `tile_n`, `tile_k`, `thread_m`, `thread_n`).
const CANDIDATES: [(usize, usize, usize, usize, usize); 4] =
    [(128, 128, 16, 8, 8), (128, 64, 16, 8, 4), (64, 64, 16, 4, 4), (32, 32, 16, 4, 4)];
/// Estimated registers up to which the compiler was never seen to spill (sm_75 to sm_90, NVRTC 13.5).
const UNSPILLED_REGISTERS: usize = 192;

/// The candidate with the widest vectors that fit, then with the most stages that do.
fn fed(candidate: (usize, usize, usize, usize, usize), gemm: &Gemm, device: &DeviceInfo) -> Option<Blocks> {
    let blocks = plain(candidate);
    let vector = [8, 4, 2, 1].into_iter().find(|&vector| Blocks { vector, ..blocks }.check_vector(gemm).is_ok())?;
    let staged = [3, 2, 1].map(|stages| Blocks { stages, vector, ..blocks });
    staged.into_iter().find(|blocks| blocks.check(gemm, device).is_ok())
}

fn plain((m, n, k, thread_m, thread_n): (usize, usize, usize, usize, usize)) -> Blocks {
    Blocks { tiling: Tiling { m, n, k, split_k: 1, swizzle: 1 }, thread_m, thread_n, stages: 1, vector: 1 }
}
