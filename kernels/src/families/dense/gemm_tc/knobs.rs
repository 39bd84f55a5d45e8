//! Knobs, what is legal, and the default.

use crate::devices::cuda::Architecture;
use crate::families::dense::cuda::{Feed, MAX_THREADS, Taken, TiledKnobs, Tiling, check_threads, widest_vector};
use crate::families::dense::gemm::{Gemm, to_f64};
use crate::{Config, DeviceInfo, Dtype, Misfit, Parameter, Work};

/// A configuration, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warps {
    pub(super) tiling: Tiling,
    pub(super) warps_m: usize,
    pub(super) warps_n: usize,
    pub(super) stages: usize,
}

/// Rows and columns of D that one warp computes come in these: one row of `mma.sync` tiles, two columns of them (one `ldmatrix` of B).
const WARP_STEP: usize = 16;
/// Depth of one product in bytes: k = 16 of 16-bit types, 8 of tf32, 32 of int8.
const DEPTH_BYTES: usize = 32;
/// Unit of copies and permutations in shared memory.
const UNIT_BYTES: usize = 16;
/// Registers for addresses, counters and bounds, and for one more set of operands on its way; from trials with sm_75 to sm_90, rounded up.
const OTHER_REGISTERS: usize = 40;

impl TiledKnobs for Warps {
    fn parameters() -> Vec<Parameter> {
        vec![
            Parameter::int("tile_m", (16, 512), &[64, 128, 256], "rows of D per block"),
            Parameter::int("tile_n", (16, 512), &[64, 128, 256], "columns of D per block"),
            Parameter::int("tile_k", (8, 256), &[32, 64], "products per element and step"),
            Parameter::int("warps_m", (1, 16), &[1, 2, 4], "warps along rows of the tile"),
            Parameter::int("warps_n", (1, 16), &[1, 2, 4], "warps along columns of the tile"),
            Parameter::int("stages", (1, 8), &[2, 3, 4], "pairs of tiles in shared memory; 3 and more are filled by cp.async"),
            Parameter::int("split_k", (1, 1024), &[1, 2, 4, 8], "slices of k, added by a second kernel"),
            Parameter::int("swizzle", (1, 1024), &[1, 2, 4, 8], "rows of tiles visited column by column"),
        ]
    }

    fn of(config: &Config) -> Self {
        let size = |name| config.size(name);
        Self { tiling: Tiling::of(config), warps_m: size("warps_m"), warps_n: size("warps_n"), stages: size("stages") }
    }

    fn config(&self) -> Config {
        self.tiling.config(&[("warps_m", self.warps_m), ("warps_n", self.warps_n), ("stages", self.stages)])
    }

    fn tiling(&mut self) -> &mut Tiling {
        &mut self.tiling
    }

    fn check(&self, gemm: &Gemm, device: &DeviceInfo) -> Result<(), Misfit> {
        check_arch(gemm.dtype, device)?;
        self.check_tile(gemm)?;
        Feed::check(self.stages, widest_vector(gemm), gemm, device)?;
        let Tiling { m, n, .. } = self.tiling;
        let taken = Taken {
            register_knobs: format!("`tile_m={m} tile_n={n} warps_m={} warps_n={}`", self.warps_m, self.warps_n),
            registers: self.registers(gemm, device),
            threads: self.threads(),
            stages: self.stages,
            shared_bytes: self.shared_bytes(gemm),
        };
        self.tiling.check_block(&taken, gemm, device)
    }

    /// Every warp reads its rows of A and its columns of B from shared memory.
    fn work(&self, gemm: &Gemm) -> Work {
        let Tiling { m, n, .. } = self.tiling;
        let per_product = to_f64(self.warps_n + 1) / to_f64(n) + to_f64(self.warps_m + 1) / to_f64(m);
        self.tiling.work(gemm, per_product * self.tiling.padded(gemm) * gemm.element_bytes())
    }

    fn candidates(gemm: &Gemm, device: &DeviceInfo) -> (Vec<Self>, Self) {
        let legal = CANDIDATES.iter().filter_map(|&candidate| staged(candidate, gemm, device)).collect();
        (legal, plain(CANDIDATES[3], gemm))
    }
}

impl Warps {
    pub(super) fn threads(&self) -> usize {
        32 * self.warps_m * self.warps_n
    }

    /// Shared memory; `STAGES * STAGE` of `feed.cuh` with the shapes of `kernel.cu`.
    pub(super) fn shared_bytes(&self, gemm: &Gemm) -> usize {
        let Tiling { m, n, k, .. } = self.tiling;
        let size = |other: usize, along_k: bool| {
            let (rows, cols) = if along_k { (other, k) } else { (k, other) };
            rows * pitch(cols * gemm.element_size() / UNIT_BYTES, along_k, gemm.element_size()) * UNIT_BYTES
        };
        self.stages * (size(m, !gemm.layout.a_transposed()) + size(n, gemm.layout.b_transposed()))
    }

    /// An estimate: sums, operands of one product's depth, units on their way to shared memory.
    fn registers(&self, gemm: &Gemm, device: &DeviceInfo) -> usize {
        let Tiling { m, n, k, .. } = self.tiling;
        let (rows, cols) = (m / self.warps_m, n / self.warps_n);
        let held = match Feed::of(self.stages, widest_vector(gemm), gemm, device) {
            Feed::Async => 0,
            Feed::Direct | Feed::Registers => (m + n) * k * gemm.element_size() / 4 / self.threads(),
        };
        rows * cols / 32 + rows / 4 + cols / 4 + held + OTHER_REGISTERS
    }

    fn check_tile(&self, gemm: &Gemm) -> Result<(), Misfit> {
        let Tiling { m, n, k, .. } = self.tiling;
        for (tile, size, warps, count) in [("tile_m", m, "warps_m", self.warps_m), ("tile_n", n, "warps_n", self.warps_n)] {
            if !size.is_multiple_of(WARP_STEP * count) {
                return Err(Misfit::new(format!(
                    "`{tile}={size}` is not a multiple of {} for `{warps}={count}`: a warp takes {WARP_STEP} at a time",
                    WARP_STEP * count
                )));
            }
        }
        let depth = DEPTH_BYTES / gemm.element_size();
        if !k.is_multiple_of(depth) {
            return Err(Misfit::new(format!(
                "`tile_k={k}` is not a multiple of {depth}, the depth of one product of {}",
                gemm.dtype
            )));
        }
        let subject = format!("`warps_m={} warps_n={}`", self.warps_m, self.warps_n);
        check_threads(&subject, self.threads(), (32, MAX_THREADS))
    }
}

/// Units from row to row of a tile of `units` units; `Shape::PITCH` of `kernel.cu`.
fn pitch(units: usize, along_k: bool, element: usize) -> usize {
    let matrices = along_k || element == 2;
    let words = !matrices && element == 4;
    if units.is_multiple_of(8) || (!words && matches!(units, 1 | 2 | 4)) {
        return units;
    }
    match (words, matrices) {
        (true, _) => units + 2,
        (false, true) => units | 1,
        (false, false) => units,
    }
}

fn check_arch(dtype: Dtype, device: &DeviceInfo) -> Result<(), Misfit> {
    let arch = device.gpu().arch;
    let least = if dtype == Dtype::F16 { Architecture::new(7, 5) } else { Architecture::new(8, 0) };
    if arch >= least {
        return Ok(());
    }
    Err(Misfit::new(format!("`{dtype}` products of this shape need `{least}` or later; the device is `{arch}`")))
}

/// Tiles that are tried in turn: (`tile_m`, `tile_n`, depth in bytes, `warps_m`, `warps_n`).
const CANDIDATES: [(usize, usize, usize, usize, usize); 4] =
    [(128, 128, 64, 2, 2), (128, 64, 64, 2, 2), (64, 64, 64, 2, 2), (32, 32, 64, 1, 2)];

/// Estimated registers up to which the compiler was never seen to spill (sm_75 to sm_120, NVRTC 13.5).
const UNSPILLED_REGISTERS: usize = 208;

/// The candidate with the most stages that fit.
fn staged(candidate: (usize, usize, usize, usize, usize), gemm: &Gemm, device: &DeviceInfo) -> Option<Warps> {
    let staged = [4, 3, 2, 1].map(|stages| Warps { stages, ..plain(candidate, gemm) });
    staged
        .into_iter()
        .find(|warps| warps.check(gemm, device).is_ok())
        .filter(|warps| warps.registers(gemm, device) <= UNSPILLED_REGISTERS)
}

fn plain((m, n, depth, warps_m, warps_n): (usize, usize, usize, usize, usize), gemm: &Gemm) -> Warps {
    Warps { tiling: Tiling::plain(m, n, depth / gemm.element_size()), warps_m, warps_n, stages: 1 }
}
