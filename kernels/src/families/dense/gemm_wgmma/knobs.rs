//! Knobs, what is legal, and the default.

use crate::devices::cuda::Architecture;
use crate::families::dense::cuda::{Feed, MAX_THREADS, Taken, TiledKnobs, Tiling, check_threads, widest_vector};
use crate::families::dense::gemm::{Gemm, to_f64};
use crate::{Config, DeviceInfo, Misfit, Parameter, Work};

/// A configuration, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Groups {
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

impl TiledKnobs for Groups {
    fn parameters() -> Vec<Parameter> {
        vec![
            Parameter::int("tile_m", (64, 512), &[64, 128, 256], "rows of D per block"),
            Parameter::int("tile_n", (64, 256), &WIDTHS.map(|width| width as u64), "columns of D per block and product"),
            Parameter::int("tile_k", (64, 256), &[64, 128], "products per element and step"),
            Parameter::int("warpgroups", (1, 4), &[1, 2], "groups of four warps that share the rows"),
            Parameter::int("stages", (1, 8), &[2, 3, 4], "pairs of tiles in shared memory, filled by cp.async"),
            Parameter::int("split_k", (1, 1024), &[1, 2, 4], "slices of k, added by a second kernel"),
            Parameter::int("swizzle", (1, 1024), &[1, 4, 8], "rows of tiles visited column by column"),
        ]
    }

    fn of(config: &Config) -> Self {
        Self { tiling: Tiling::of(config), warpgroups: config.size("warpgroups"), stages: config.size("stages") }
    }

    fn config(&self) -> Config {
        self.tiling.config(&[("warpgroups", self.warpgroups), ("stages", self.stages)])
    }

    fn tiling(&mut self) -> &mut Tiling {
        &mut self.tiling
    }

    fn check(&self, gemm: &Gemm, device: &DeviceInfo) -> Result<(), Misfit> {
        let arch = device.gpu().arch;
        if arch != ARCH {
            return Err(Misfit::new(format!("`wgmma` exists on `{ARCH}` alone; the device is `{arch}`")));
        }
        self.check_tile()?;
        Feed::check(self.stages, widest_vector(gemm), gemm, device)?;
        let Tiling { m, n, .. } = self.tiling;
        let taken = Taken {
            register_knobs: format!("`tile_m={m} tile_n={n} warpgroups={}`", self.warpgroups),
            registers: m / self.warpgroups * n / 128 + OTHER_REGISTERS,
            threads: self.threads(),
            stages: self.stages,
            shared_bytes: self.shared_bytes(gemm),
        };
        self.tiling.check_block(&taken, gemm, device)
    }

    /// Every product of 64 rows reads its rows of A once and all columns of B.
    fn work(&self, gemm: &Gemm) -> Work {
        let Tiling { m, n, .. } = self.tiling;
        let (read, written) = (1.0 / to_f64(n) + 1.0 / to_f64(STEP), 1.0 / to_f64(n) + 1.0 / to_f64(m));
        self.tiling.work(gemm, (read + written) * self.tiling.padded(gemm) * gemm.element_bytes())
    }

    fn candidates(gemm: &Gemm, device: &DeviceInfo) -> (Vec<Self>, Self) {
        let legal = CANDIDATES.iter().filter_map(|&candidate| staged(candidate, gemm, device)).collect();
        (legal, plain(CANDIDATES[2]))
    }
}

impl Groups {
    pub(super) fn threads(&self) -> usize {
        128 * self.warpgroups
    }

    /// Shared memory: `STAGES * STAGE` of `feed.cuh`.
    pub(super) fn shared_bytes(&self, gemm: &Gemm) -> usize {
        self.stages * (self.tiling.m + self.tiling.n) * self.tiling.k * gemm.element_size()
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
}

/// Tiles that are tried in turn: (`tile_m`, `tile_n`, `warpgroups`).
const CANDIDATES: [(usize, usize, usize); 3] = [(128, 128, 2), (128, 64, 2), (64, 64, 1)];

/// The candidate with the most stages that fit.
fn staged(candidate: (usize, usize, usize), gemm: &Gemm, device: &DeviceInfo) -> Option<Groups> {
    let staged = [4, 3, 2, 1].map(|stages| Groups { stages, ..plain(candidate) });
    staged.into_iter().find(|groups| groups.check(gemm, device).is_ok())
}

fn plain((m, n, warpgroups): (usize, usize, usize)) -> Groups {
    Groups { tiling: Tiling::plain(m, n, STEP), warpgroups, stages: 1 }
}
