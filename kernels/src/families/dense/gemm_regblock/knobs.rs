//! Knobs, what is legal, and the analytic default.

use std::sync::LazyLock;

use crate::devices::cpu::micro::{Isa, Kernels, Real};
use crate::families::dense::Gemm;
use crate::{Config, DeviceInfo, Dtype, Misfit, Named, Parameter, Value};

/// Which micro-panel loop is outer: `jr` over columns of B, `ir` over rows of A.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum LoopOrder {
    /// A panel of B stays in the first-level cache.
    JrIr,
    /// A panel of A stays in the first-level cache.
    IrJr,
}

impl LoopOrder {
    const NAMES: [&'static str; 2] = ["jr_ir", "ir_jr"];
}

/// A configuration, read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Plan {
    pub(super) tile_m: usize,
    pub(super) tile_n: usize,
    pub(super) tile_k: usize,
    pub(super) micro_m: usize,
    pub(super) micro_n: usize,
    pub(super) isa: Isa,
    pub(super) loop_order: LoopOrder,
    pub(super) threads: usize,
}

impl Plan {
    /// Reads a checked configuration.
    pub(super) fn of(config: &Config) -> Self {
        Self {
            tile_m: config.size("tile_m"),
            tile_n: config.size("tile_n"),
            tile_k: config.size("tile_k"),
            micro_m: config.size("micro_m"),
            micro_n: config.size("micro_n"),
            isa: config.text("isa").parse().expect("checked against its domain"),
            loop_order: if config.text("loop_order") == "ir_jr" { LoopOrder::IrJr } else { LoopOrder::JrIr },
            threads: config.size("threads"),
        }
    }

    /// The configuration of this plan.
    pub(super) fn config(&self) -> Config {
        let sizes = [
            ("tile_m", self.tile_m),
            ("tile_n", self.tile_n),
            ("tile_k", self.tile_k),
            ("micro_m", self.micro_m),
            ("micro_n", self.micro_n),
        ];
        let order = LoopOrder::NAMES[usize::from(self.loop_order == LoopOrder::IrJr)];
        let rest = [("isa", self.isa.name().into()), ("loop_order", order.into()), ("threads", (self.threads as u64).into())];
        let values = sizes.into_iter().map(|(name, size)| (name, Value::from(size as u64))).chain(rest);
        Config(Named(values.map(|(name, value)| (name.to_owned(), value)).collect()))
    }

    /// Blocks cut to the problem, and knobs that then decide nothing at their canonical value.
    pub(super) fn effective(mut self, gemm: &Gemm) -> Self {
        self.tile_m = self.tile_m.min(gemm.m.next_multiple_of(self.micro_m));
        self.tile_n = self.tile_n.min(gemm.n.next_multiple_of(self.micro_n));
        self.tile_k = self.tile_k.min(gemm.k.max(1));
        if self.tile_m == self.micro_m || self.tile_n == self.micro_n {
            self.loop_order = LoopOrder::JrIr;
        }
        let panels = gemm.m.div_ceil(self.micro_m).max(gemm.n.div_ceil(self.micro_n));
        self.threads = self.threads.min(panels);
        self
    }
}

/// The knobs on `device`.
pub(super) fn knobs(device: &DeviceInfo) -> Vec<Parameter> {
    let isa: Vec<&'static str> = known_isa(device).iter().map(|isa| isa.name()).collect();
    let threads = if device.threads > 1 { vec![1, device.threads] } else { vec![1] };
    vec![
        Parameter::int("tile_m", (1, 1 << 20), &[48, 96, 192, 384], "rows of a packed block of A (MC)"),
        Parameter::int("tile_n", (1, 1 << 20), &[192, 960, 4032], "columns of a packed block of B (NC)"),
        Parameter::int("tile_k", (1, 1 << 20), &[128, 256, 512], "depth of packed blocks (KC)"),
        Parameter::int("micro_m", (1, 24), &[4, 6, 8, 12], "rows of D held in registers"),
        Parameter::int("micro_n", (4, 64), &[8, 16, 24, 32, 64], "columns of D held in registers"),
        Parameter::choice("isa", &Isa::ALL.map(Isa::name), &isa, "instruction set of the micro-kernel"),
        Parameter::choice(
            "loop_order",
            &LoopOrder::NAMES,
            &LoopOrder::NAMES,
            "loop over micro-panels of B (jr) or A (ir) outside",
        ),
        Parameter::int("threads", (1, 4096), &threads, "threads"),
    ]
}

fn known_isa(device: &DeviceInfo) -> Vec<Isa> {
    device.isa.iter().filter_map(|name| name.parse().ok()).collect()
}

/// Shapes (`MR`, `NR`) of an instruction set for one element type, and the best of them.
#[derive(Debug)]
struct Shapes {
    sizes: Vec<(usize, usize)>,
    best: (usize, usize),
}

impl Shapes {
    /// Where this build has no such kernels.
    const NONE: Self = Self { sizes: Vec::new(), best: (1, 1) };

    /// Those of each of [`Isa::ALL`].
    fn tables<T: Real>() -> [Self; Isa::ALL.len()] {
        let of = |kernels: &Kernels<T>| Self { sizes: kernels.sizes().collect(), best: kernels.best };
        Isa::ALL.map(|isa| T::table(isa).map_or(Self::NONE, of))
    }
}

/// Shapes for `isa` and `dtype`, listed once: every configuration of a space is held against them.
fn shapes(isa: Isa, dtype: Dtype) -> &'static Shapes {
    static SINGLE: LazyLock<[Shapes; Isa::ALL.len()]> = LazyLock::new(Shapes::tables::<f32>);
    static DOUBLE: LazyLock<[Shapes; Isa::ALL.len()]> = LazyLock::new(Shapes::tables::<f64>);
    static OTHER: Shapes = Shapes::NONE;
    let at = Isa::ALL.iter().position(|&known| known == isa).expect("`ALL` is all");
    match dtype {
        Dtype::F32 => &SINGLE[at],
        Dtype::F64 => &DOUBLE[at],
        _ => &OTHER,
    }
}

/// Lanes of a vector of `isa`.
pub(super) fn lanes(isa: Isa, dtype: Dtype) -> usize {
    isa.vector_bytes() / usize::try_from(dtype.bytes()).expect("4 or 8")
}

/// Whether `plan` can run.
pub(super) fn check(gemm: &Gemm, plan: &Plan, device: &DeviceInfo) -> Result<(), Misfit> {
    if !device.isa.iter().any(|name| name == plan.isa.name()) {
        return Err(Misfit::new(format!("`isa={}` is not on `{}`; it has {}", plan.isa, device.spec, device.isa.join(", "))));
    }
    check_shape(gemm, plan)?;
    for (tile, size, micro, step) in
        [("tile_m", plan.tile_m, "micro_m", plan.micro_m), ("tile_n", plan.tile_n, "micro_n", plan.micro_n)]
    {
        if !size.is_multiple_of(step) {
            return Err(Misfit::new(format!("`{tile}={size}` is not a multiple of `{micro}={step}`")));
        }
    }
    if plan.threads as u64 > device.threads {
        return Err(Misfit::new(format!("`threads={}` is above the {} of `{}`", plan.threads, device.threads, device.spec)));
    }
    let scratch = super::cpu::scratch_bytes(gemm, plan, lanes(plan.isa, gemm.dtype)) as u64;
    if scratch > device.memory_bytes / 2 {
        let limit = device.memory_bytes / 2;
        return Err(Misfit::new(format!("packed blocks need `{scratch}` B; half the memory of `{}` is {limit} B", device.spec)));
    }
    Ok(())
}

fn check_shape(gemm: &Gemm, plan: &Plan) -> Result<(), Misfit> {
    let sizes = &shapes(plan.isa, gemm.dtype).sizes;
    if sizes.contains(&(plan.micro_m, plan.micro_n)) {
        return Ok(());
    }
    let rows = sizes.iter().filter(|(_, nr)| *nr == plan.micro_n).map(|(mr, _)| *mr).max();
    let limit = match rows {
        Some(most) => format!("with `micro_n={}` `micro_m` is at most {most}", plan.micro_n),
        None => {
            let lanes = lanes(plan.isa, gemm.dtype);
            let widest = sizes.iter().map(|(_, nr)| *nr).max().unwrap_or(0);
            format!("`micro_n` is a multiple of {lanes} up to {widest}")
        }
    };
    Err(Misfit::new(format!(
        "`micro_m={} micro_n={}` is no shape of {} {}: {limit}",
        plan.micro_m, plan.micro_n, plan.isa, gemm.dtype
    )))
}

/// An analytic choice in the manner of Low et al. ("Analytical modeling is enough for high-performance BLIS", 2016): a panel of B takes three
/// quarters of L1, a block of A a quarter of L2, a block of B a quarter of a thread's share of the last level. Blocks of k and m are evened
/// out, since a short last block pays for its packing and for its pass over D without much work to show.
pub(super) fn default_plan(gemm: &Gemm, device: &DeviceInfo) -> Plan {
    let isa = known_isa(device).into_iter().find(|&isa| !shapes(isa, gemm.dtype).sizes.is_empty()).unwrap_or(Isa::Portable);
    let (micro_m, micro_n) = shapes(isa, gemm.dtype).best;
    let cache = |level: u8, otherwise: usize| {
        let found = device.caches.iter().find(|cache| cache.level == level).map(|cache| cache.bytes / cache.shared_by.max(1));
        found.and_then(|bytes| usize::try_from(bytes).ok()).unwrap_or(otherwise)
    };
    let element = usize::try_from(gemm.dtype.bytes()).expect("4 or 8");
    let threads = usize::try_from(device.threads).unwrap_or(1);
    let most_k = (cache(1, 32 << 10) / 4 * 3 / (micro_n * element)).clamp(64, 512);
    let tile_k = even(gemm.k, most_k, 8);
    let block = |bytes: usize, micro: usize, most: usize| (bytes / (tile_k * element)).clamp(micro, most) / micro * micro;
    let tile_m = even(gemm.m.div_ceil(threads), block(cache(2, 512 << 10) / 4, micro_m, 1024), micro_m);
    let tile_n = block(cache(3, 8 << 20) / 4, micro_n, 8192);
    Plan { tile_m, tile_n, tile_k, micro_m, micro_n, isa, loop_order: LoopOrder::JrIr, threads }.effective(gemm)
}

/// The size of as few equal blocks of at most `most` as cover `size`, in whole steps.
fn even(size: usize, most: usize, step: usize) -> usize {
    let size = size.max(1);
    size.div_ceil(size.div_ceil(most)).next_multiple_of(step)
}
