//! Knobs, what is legal, and the default.

use crate::devices::cuda::Architecture;
use crate::families::dense::cuda::{Feed, MAX_THREADS, Tiling, check_shared, check_threads, some_sms, widest_vector};
use crate::families::dense::gemm::{Gemm, to_f64};
use crate::{Config, DeviceInfo, Misfit, Named, Parameter, Work};

/// A configuration, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Groups {
    pub(super) tiling: Tiling,
    pub(super) warpgroups: usize,
    pub(super) stages: usize,
}

/// The one architecture that has `wgmma`.
const ARCH: Architecture = Architecture::new(9, 0);
/// Rows of one product, and elements of 128 bytes: what the swizzle of shared memory spans.
const STEP: usize = 64;
/// Columns of one product that the text has an instruction for.
const WIDTHS: [usize; 3] = [64, 128, 256];
/// Registers beside the sums; from trials, rounded up.
const OTHER_REGISTERS: usize = 40;
/// Most registers of one thread.
const MAX_REGISTERS: usize = 255;

/// The knobs.
pub(super) fn knobs() -> Vec<Parameter> {
    vec![
        Parameter::int("tile_m", (64, 512), &[64, 128, 256], "rows of D per block"),
        Parameter::int("tile_n", (64, 256), &WIDTHS.map(|width| width as u64), "columns of D per block and product"),
        Parameter::int("tile_k", (64, 256), &[64, 128], "products per element and step"),
        Parameter::int("warpgroups", (1, 4), &[1, 2], "groups of four warps that share the rows"),
        Parameter::int("stages", (1, 8), &[2, 3, 4], "pairs of tiles in shared memory"),
        Parameter::int("split_k", (1, 1024), &[1, 2, 4], "slices of k, added by a second kernel"),
        Parameter::int("swizzle", (1, 1024), &[1, 4, 8], "rows of tiles visited column by column"),
    ]
}

impl Groups {
    /// Reads a configuration.
    pub(super) fn of(config: &Config) -> Self {
        let size = |name| config.size(name);
        let tiling = Tiling {
            m: size("tile_m"),
            n: size("tile_n"),
            k: size("tile_k"),
            split_k: size("split_k"),
            swizzle: size("swizzle"),
        };
        Self { tiling, warpgroups: size("warpgroups"), stages: size("stages") }
    }

    /// The configuration.
    pub(super) fn config(&self) -> Config {
        let values = [
            ("tile_m", self.tiling.m),
            ("tile_n", self.tiling.n),
            ("tile_k", self.tiling.k),
            ("warpgroups", self.warpgroups),
            ("stages", self.stages),
            ("split_k", self.tiling.split_k),
            ("swizzle", self.tiling.swizzle),
        ];
        Config(values.into_iter().fold(Named::default(), |named, (name, value)| named.with(name, value as u64)))
    }

    /// Knobs that decide nothing for `gemm` at one value.
    #[must_use]
    pub(super) fn effective(self, gemm: &Gemm) -> Self {
        Self { tiling: self.tiling.effective(gemm), ..self }
    }

    pub(super) fn threads(&self) -> usize {
        128 * self.warpgroups
    }

    /// Shared memory: `STAGES * STAGE` of `feed.cuh`.
    pub(super) fn shared_bytes(&self, gemm: &Gemm) -> usize {
        self.stages * (self.tiling.m + self.tiling.n) * self.tiling.k * gemm.element_size()
    }

    /// Whether it can run.
    ///
    /// # Errors
    /// [`Misfit`] naming knob, value and limit.
    pub(super) fn check(&self, gemm: &Gemm, device: &DeviceInfo) -> Result<(), Misfit> {
        let arch = device.gpu().arch;
        if arch != ARCH {
            return Err(Misfit::new(format!("`wgmma` exists on `{ARCH}` alone; the device is `{arch}`")));
        }
        self.check_tile()?;
        Feed::check(self.stages, widest_vector(gemm), gemm, device)?;
        let Tiling { m, n, k, .. } = self.tiling;
        let registers = m / self.warpgroups * n / 128 + OTHER_REGISTERS;
        let limit = MAX_REGISTERS.min(device.gpu().registers_per_sm as usize / self.threads());
        if registers > limit {
            return Err(Misfit::new(format!(
                "`tile_m={m} tile_n={n} warpgroups={}` takes about {registers} registers in each of {} threads; {limit} are there",
                self.warpgroups,
                self.threads()
            )));
        }
        let subject = format!("`tile_m={m} tile_n={n} tile_k={k} stages={}`", self.stages);
        check_shared(&subject, self.shared_bytes(gemm), device)?;
        self.tiling.check(gemm, device)
    }

    fn check_tile(&self) -> Result<(), Misfit> {
        let Tiling { m, n, k, .. } = self.tiling;
        if !m.is_multiple_of(STEP * self.warpgroups) {
            return Err(Misfit::new(format!(
                "`tile_m={m}` is not a multiple of {} for `warpgroups={}`: a product has {STEP} rows",
                STEP * self.warpgroups,
                self.warpgroups
            )));
        }
        if !WIDTHS.contains(&n) {
            return Err(Misfit::new(format!("`tile_n={n}` is not one of 64, 128, 256")));
        }
        if !k.is_multiple_of(STEP) {
            return Err(Misfit::new(format!(
                "`tile_k={k}` is not a multiple of {STEP}, the 128 B that shared memory is swizzled over"
            )));
        }
        check_threads(&format!("`warpgroups={}`", self.warpgroups), self.threads(), (128, MAX_THREADS))
    }

    /// Work of one call: every product of 64 rows reads its rows of A once and all columns of B.
    pub(super) fn work(&self, gemm: &Gemm) -> Work {
        let Tiling { m, n, .. } = self.tiling;
        let (read, written) = (1.0 / to_f64(n) + 1.0 / to_f64(STEP), 1.0 / to_f64(n) + 1.0 / to_f64(m));
        self.tiling.work(gemm, (read + written) * self.tiling.padded(gemm) * gemm.element_bytes())
    }
}

/// Tiles that are tried in turn: (`tile_m`, `tile_n`, `warpgroups`).
const CANDIDATES: [(usize, usize, usize); 3] = [(128, 128, 2), (128, 64, 2), (64, 64, 1)];

/// The largest tiles of which there is one for every multiprocessor; slices of k where even the smallest are too few.
pub(super) fn default_groups(gemm: &Gemm, device: &DeviceInfo) -> Groups {
    let sms = some_sms(device);
    let legal: Vec<Groups> = CANDIDATES.iter().filter_map(|&candidate| staged(candidate, gemm, device)).collect();
    let tiles = |groups: &Groups| gemm.m.div_ceil(groups.tiling.m) * gemm.n.div_ceil(groups.tiling.n);
    let last = legal.last().copied().unwrap_or_else(|| plain(CANDIDATES[2]));
    let mut chosen = legal.into_iter().find(|groups| tiles(groups) >= sms).unwrap_or(last);
    chosen.tiling = chosen.tiling.sliced_for(gemm, sms);
    chosen.effective(gemm)
}

/// The candidate with the most stages that fit.
fn staged(candidate: (usize, usize, usize), gemm: &Gemm, device: &DeviceInfo) -> Option<Groups> {
    let staged = [4, 3, 2, 1].map(|stages| Groups { stages, ..plain(candidate) });
    staged.into_iter().find(|groups| groups.check(gemm, device).is_ok())
}

fn plain((m, n, warpgroups): (usize, usize, usize)) -> Groups {
    Groups { tiling: Tiling::plain(m, n, STEP), warpgroups, stages: 1 }
}
