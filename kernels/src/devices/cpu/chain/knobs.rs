//! The knobs of a chain, the same for every family that is one.

use super::{Permute, Shape};
use crate::devices::cpu::micro::{Isa, Real};
use crate::{Config, DeviceInfo, Dtype, Misfit, Named, Parameter};

/// A configuration, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct ChainKnobs {
    pub(crate) isa: Isa,
    pub(crate) micro_m: usize,
    pub(crate) micro_n: usize,
    pub(crate) permute: Permute,
    pub(crate) strip: usize,
    pub(crate) threads: usize,
}

/// A strip's Z is to leave this share of the second-level cache to weights, X and Y.
const L2_SHARE: u64 = 2;
/// Wider strips gain nothing more: rows of X are then read in runs of 512 B, and the weights of one product serve 128 columns.
const WIDEST_DEFAULT: usize = 128;

impl ChainKnobs {
    /// What a family declares on `device`.
    pub(crate) fn parameters(device: &DeviceInfo) -> Vec<Parameter> {
        let best = available(device).first().copied().unwrap_or(Isa::Portable);
        let (single, double) = (best_micro(best, Dtype::F32), best_micro(best, Dtype::F64));
        let lanes = best.vector_bytes() as u64 / Dtype::F32.bytes();
        let words = Isa::ALL.map(Isa::name);
        let swept: Vec<&'static str> = available(device).into_iter().map(Isa::name).collect();
        let threads: Vec<u64> = if device.threads > 1 { vec![device.threads, 1] } else { vec![1] };
        vec![
            Parameter::choice("isa", &words, &swept, "instruction set"),
            Parameter::int(
                "micro_m",
                (1, 24),
                &[single.0 as u64, rows_beside_three(best)],
                "most rows of a block held in registers",
            ),
            Parameter::int("micro_n", (1, 64), &[single.1 as u64, double.1 as u64, 3 * lanes], "columns held in registers"),
            Parameter::choice(
                "permute",
                &["fused", "copied"],
                &["fused", "copied"],
                "permutation folded into strides, or a pass of copies",
            ),
            Parameter::int("strip", (1, 1 << 20), &[64, 96, 128, 192, 256], "columns whose middle result stays in cache (fused)"),
            Parameter::int("threads", (1, device.threads.max(1)), &threads, "threads, each with its own columns"),
        ]
    }

    /// From a checked configuration.
    pub(crate) fn read(config: &Config) -> Self {
        Self {
            isa: config.text("isa").parse().unwrap_or(Isa::Portable),
            micro_m: config.size("micro_m"),
            micro_n: config.size("micro_n"),
            permute: if config.text("permute") == "fused" { Permute::Fused } else { Permute::Copied },
            strip: config.size("strip"),
            threads: config.size("threads"),
        }
    }

    fn config(&self) -> Config {
        let permute = if self.permute == Permute::Fused { "fused" } else { "copied" };
        Config(Named(vec![
            ("isa".into(), self.isa.name().into()),
            ("micro_m".into(), (self.micro_m as u64).into()),
            ("micro_n".into(), (self.micro_n as u64).into()),
            ("permute".into(), permute.into()),
            ("strip".into(), (self.strip as u64).into()),
            ("threads".into(), (self.threads as u64).into()),
        ]))
    }

    /// Whether `config` can run on `device`.
    pub(crate) fn check(config: &Config, dtype: Dtype, device: &DeviceInfo) -> Result<(), Misfit> {
        let knobs = Self::read(config);
        if !device.isa.iter().any(|isa| isa == knobs.isa.name()) {
            return Err(Misfit::new(format!("`isa={}` is not on this device; it has {}", knobs.isa, device.isa.join(", "))));
        }
        if !has_micro(knobs.isa, dtype, (knobs.micro_m, knobs.micro_n)) {
            let shape = (knobs.micro_m, knobs.micro_n);
            return Err(Misfit::new(format!(
                "`micro_m={} micro_n={}` is no {dtype} micro-kernel of {}",
                shape.0, shape.1, knobs.isa
            )));
        }
        if !knobs.strip.is_multiple_of(knobs.micro_n) {
            return Err(Misfit::new(format!("`strip={}` is not a multiple of `micro_n={}`", knobs.strip, knobs.micro_n)));
        }
        Ok(())
    }

    /// A strip is never wider than the batch, and copying knows no strips.
    pub(crate) fn effective(config: &Config, batch: usize) -> Config {
        let mut knobs = Self::read(config);
        let whole = batch.next_multiple_of(knobs.micro_n);
        knobs.strip = if knobs.permute == Permute::Copied { whole } else { knobs.strip.min(whole) };
        knobs.config()
    }

    /// Where none is asked for: the best instruction set and micro-kernel, fused, strips whose Z fills at most half of the second-level cache.
    pub(crate) fn default_config(shape: &Shape, dtype: Dtype, batch: usize, device: &DeviceInfo) -> Config {
        let isa = available(device).first().copied().unwrap_or(Isa::Portable);
        let (micro_m, micro_n) = best_micro(isa, dtype);
        let l2 = device.caches.iter().find(|cache| cache.level == 2).map_or(1 << 20, |cache| cache.bytes);
        let column = (shape.outer * shape.inner + shape.depth) as u64 * dtype.bytes();
        let fits = usize::try_from(l2 / L2_SHARE / column.max(1)).unwrap_or(WIDEST_DEFAULT).min(WIDEST_DEFAULT);
        let strip = (fits / micro_n * micro_n).max(micro_n);
        let strips = batch.div_ceil(strip).max(1);
        let threads = usize::try_from(device.threads).unwrap_or(1).min(strips);
        Self { isa, micro_m, micro_n, permute: Permute::Fused, strip, threads }.config()
    }

    /// Columns that one thread works on at a time.
    pub(super) fn columns_at_once(&self, batch: usize) -> usize {
        match self.permute {
            Permute::Fused => self.strip.min(batch),
            Permute::Copied => batch.div_ceil(self.threads).next_multiple_of(self.micro_n).min(batch),
        }
    }
}

fn available(device: &DeviceInfo) -> Vec<Isa> {
    device.isa.iter().filter_map(|name| name.parse().ok()).filter(|isa: &Isa| isa.is_available()).collect()
}

/// Rows that fit in registers beside three vectors of columns: fewer loads per product, and 32 rows come out even.
fn rows_beside_three(isa: Isa) -> u64 {
    if isa == Isa::Avx512 { 8 } else { 4 }
}

fn best_micro(isa: Isa, dtype: Dtype) -> (usize, usize) {
    let best = match dtype {
        Dtype::F32 => f32::kernels(isa).map(|kernels| kernels.best),
        Dtype::F64 => f64::kernels(isa).map(|kernels| kernels.best),
        _ => None,
    };
    best.unwrap_or((1, 1))
}

/// Whether every row count up to `micro_m` has a kernel: blocks are cut into tiles of that many rows or fewer.
fn has_micro(isa: Isa, dtype: Dtype, (micro_m, micro_n): (usize, usize)) -> bool {
    fn all<T: Real>(isa: Isa, (micro_m, micro_n): (usize, usize)) -> bool {
        T::kernels(isa).is_some_and(|kernels| (1..=micro_m).all(|rows| kernels.get(rows, micro_n).is_some()))
    }
    match dtype {
        Dtype::F32 => all::<f32>(isa, (micro_m, micro_n)),
        Dtype::F64 => all::<f64>(isa, (micro_m, micro_n)),
        _ => false,
    }
}
