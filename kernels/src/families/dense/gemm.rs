//! The problem all dense families share: axes, operands, reference, work. A family adds its knobs and its kernel ([`GemmKernel`]).

use super::reference;
use crate::devices::cpu::CpuSource;
use crate::devices::cuda::CudaSource;
use crate::oracle::Reference;
use crate::random::Random;
use crate::{Card, Config, DeviceInfo, DeviceKind, Dtype, Family, Level, Misfit, Parameter, Problem, Tensor, Work};

/// Which operands are stored transposed: A then B.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Layout {
    /// A is m×k, B is k×n.
    Nn,
    /// A is m×k, B is n×k.
    Nt,
    /// A is k×m, B is k×n.
    Tn,
    /// A is k×m, B is n×k.
    Tt,
}

impl Layout {
    /// All layouts.
    pub const ALL: [Self; 4] = [Self::Nn, Self::Nt, Self::Tn, Self::Tt];

    /// Name in specs and frames.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Nn => "nn",
            Self::Nt => "nt",
            Self::Tn => "tn",
            Self::Tt => "tt",
        }
    }

    /// Whether A is stored k×m.
    #[must_use]
    pub const fn a_transposed(self) -> bool {
        matches!(self, Self::Tn | Self::Tt)
    }

    /// Whether B is stored n×k.
    #[must_use]
    pub const fn b_transposed(self) -> bool {
        matches!(self, Self::Nt | Self::Tt)
    }
}

/// A dense problem, read from its axes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Gemm {
    /// Rows of D.
    pub m: usize,
    /// Columns of D.
    pub n: usize,
    /// Products summed per element; may be 0.
    pub k: usize,
    /// Transpositions.
    pub layout: Layout,
    /// Factor of the product; not 0.
    pub alpha: f64,
    /// Factor of C; with 0, C is not read.
    pub beta: f64,
    /// Elements by which every leading dimension exceeds its row.
    pub ld_pad: usize,
    /// Element type.
    pub dtype: Dtype,
    /// Seed of the operands.
    pub seed: u64,
}

/// Largest size of one axis: 2²⁴ rows of f64 are 128 MiB per column.
const MAX_SIZE: u64 = 1 << 24;
/// Bytes all operands and the output may take together.
const MAX_BYTES: u128 = 1 << 44;
/// FLOP a reference may cost; at the 8 to 20 GFLOP/s it runs at, one or two seconds per problem.
const REFERENCE_FLOP: f64 = 2e10;

impl Gemm {
    /// Reads the axes of a checked problem.
    #[must_use]
    pub fn of(problem: &Problem) -> Self {
        let axes = &problem.axes;
        let layout = Layout::ALL.into_iter().find(|layout| layout.name() == axes.text("layout"));
        Self {
            m: axes.size("m"),
            n: axes.size("n"),
            k: axes.size("k"),
            layout: layout.expect("checked against its domain"),
            alpha: axes.real("alpha"),
            beta: axes.real("beta"),
            ld_pad: axes.size("ld_pad"),
            dtype: problem.dtype,
            seed: problem.seed,
        }
    }

    /// The axes, in their stable order.
    #[must_use]
    pub fn axes() -> Vec<Parameter> {
        vec![
            Parameter::int("m", (1, MAX_SIZE), &[512], "rows of D"),
            Parameter::int("n", (1, MAX_SIZE), &[512], "columns of D"),
            Parameter::int("k", (0, MAX_SIZE), &[512], "products summed per element"),
            Parameter::choice("layout", &Layout::ALL.map(Layout::name), &["nn"], "A then B: n as is, t stored transposed"),
            Parameter::real("alpha", &[1.0], "factor of the product"),
            Parameter::real("beta", &[0.0], "factor of C; with 0, C is not read"),
            Parameter::int("ld_pad", (0, 4096), &[0], "elements by which every leading dimension exceeds its row"),
        ]
    }

    fn check(&self) -> Result<(), Misfit> {
        if self.alpha == 0.0 {
            return Err(Misfit::new("`alpha=0` leaves nothing to multiply; it must not be 0"));
        }
        if self.dtype.is_integer() {
            self.check_integers()?;
        }
        let bytes = self.tensors().iter().map(|(_, (rows, cols))| (*rows as u128) * (*cols + self.ld_pad) as u128).sum::<u128>()
            * u128::from(self.dtype.bytes());
        if bytes > MAX_BYTES {
            return Err(Misfit::new(format!(
                "`m={} n={} k={}` needs {bytes} B of operands; at most {MAX_BYTES} B are supported",
                self.m, self.n, self.k
            )));
        }
        Ok(())
    }

    /// Integer results are exact, so nothing may overflow: 127²·k·|alpha| + 127·|beta| stays below 2³¹.
    fn check_integers(&self) -> Result<(), Misfit> {
        for (name, value) in [("alpha", self.alpha), ("beta", self.beta)] {
            if value.fract() != 0.0 {
                return Err(Misfit::new(format!("`{name}={value}` is not an integer; `{}` sums are integers", self.dtype)));
            }
        }
        let most = 127.0 * 127.0 * to_f64(self.k) * self.alpha.abs() + 127.0 * self.beta.abs();
        if most >= f64::from(i32::MAX) {
            return Err(Misfit::new(format!(
                "`k={}` with `alpha={}` can sum to {most}; int32 holds less than {}",
                self.k,
                self.alpha,
                i32::MAX
            )));
        }
        Ok(())
    }

    /// Names and stored shapes of A, B, C and D.
    fn tensors(&self) -> [(&'static str, (usize, usize)); 4] {
        let (m, n, k) = (self.m, self.n, self.k);
        let a = if self.layout.a_transposed() { (k, m) } else { (m, k) };
        let b = if self.layout.b_transposed() { (n, k) } else { (k, n) };
        [("a", a), ("b", b), ("c", (m, n)), ("d", (m, n))]
    }

    /// Leading dimensions of A, B, C and D in elements.
    #[must_use]
    pub fn leading(&self) -> [usize; 4] {
        self.tensors().map(|(_, (_, cols))| cols + self.ld_pad)
    }

    fn tensor(&self, index: usize) -> Tensor {
        let (name, (rows, cols)) = self.tensors()[index];
        let dtype = if index < 2 { self.dtype } else { self.dtype.result() };
        Tensor::zeros(name, dtype, (rows, cols), cols + self.ld_pad)
    }

    /// A, B and C: uniform on [−1, 1), integers on [−127, 127], a stream each. With beta = 0, C is all NaN (for integers the smallest): a
    /// kernel that reads it is found out.
    #[must_use]
    pub fn operands(&self) -> Vec<Tensor> {
        let mut operands: Vec<Tensor> = (0..3).map(|index| self.tensor(index)).collect();
        for (stream, tensor) in (1..).zip(&mut operands) {
            let mut random = Random::stream(self.seed, stream);
            let scale = if self.dtype.is_integer() { 127.0 } else { 1.0 };
            tensor.fill(|_, _| scale * random.signed());
        }
        if self.beta == 0.0 {
            operands[2].poison();
        }
        operands
    }

    /// D.
    #[must_use]
    pub fn output(&self) -> Tensor {
        self.tensor(3)
    }

    /// D in f64 from the operands as rounded; rows are sampled above 2·10¹⁰ FLOP.
    #[must_use]
    pub fn reference(&self, operands: &[Tensor]) -> Reference {
        let per_row = 2.0 * to_f64(self.n) * to_f64(self.k);
        let rows = crate::oracle::rows_to_check(self.m, per_row, REFERENCE_FLOP, self.seed);
        reference::of_rows(self, operands, rows)
    }

    /// 2mnk, and 2mn where C is added.
    #[must_use]
    pub fn flop(&self) -> f64 {
        let elements = to_f64(self.m) * to_f64(self.n);
        2.0 * elements * to_f64(self.k) + if self.beta == 0.0 { 0.0 } else { 2.0 * elements }
    }

    /// A and B read once, D written once, C read once where beta is not 0.
    #[must_use]
    pub fn compulsory_bytes(&self) -> f64 {
        let (m, n, k) = (to_f64(self.m), to_f64(self.n), to_f64(self.k));
        let results = if self.beta == 0.0 { 1.0 } else { 2.0 };
        self.element_bytes() * (m * k + k * n) + to_f64(self.dtype.result().bytes() as usize) * results * m * n
    }

    /// Bytes per element of A and B.
    #[must_use]
    pub fn element_size(&self) -> usize {
        usize::try_from(self.dtype.bytes()).expect("at most 8")
    }

    /// Bytes per element of A and B, for arithmetic.
    #[must_use]
    pub fn element_bytes(&self) -> f64 {
        to_f64(self.dtype.bytes() as usize)
    }

    /// The work of a kernel without padding or scratch, whose traffic at main memory is the compulsory one.
    #[must_use]
    pub fn work(&self) -> Work {
        Work {
            useful_flop: self.flop(),
            dense_flop: self.flop(),
            executed_flop: self.flop(),
            compulsory_bytes: self.compulsory_bytes(),
            traffic: vec![(Level::Dram, self.compulsory_bytes())],
            workspace_bytes: 0.0,
            launches: 1,
        }
    }
}

/// A count for arithmetic.
#[allow(clippy::cast_precision_loss)] // counts stay below 2^53
pub(crate) const fn to_f64(count: usize) -> f64 {
    count as f64
}

/// What a dense family adds to the shared problem.
pub trait GemmKernel: Send + Sync {
    /// The family's own words.
    fn card(&self) -> &'static Card;
    /// Element types it has a kernel for on devices of `kind`.
    fn dtypes(&self, kind: DeviceKind) -> &'static [Dtype] {
        match kind {
            DeviceKind::Cpu if self.cpu().is_some() => &Dtype::CPU,
            DeviceKind::Cpu | DeviceKind::Cuda => &[],
        }
    }
    /// Knobs on `device`; asked only where there is a source for its kind.
    fn knobs(&self, device: &DeviceInfo) -> Vec<Parameter>;
    /// As [`Family::check`].
    ///
    /// # Errors
    /// [`Misfit`] with subject, value, limit.
    fn check(&self, _gemm: &Gemm, _config: &Config, _device: &DeviceInfo) -> Result<(), Misfit> {
        Ok(())
    }
    /// As [`Family::effective`].
    fn effective(&self, _gemm: &Gemm, config: &Config, _device: &DeviceInfo) -> Config {
        config.clone()
    }
    /// As [`Family::relies_on`].
    fn relies_on(&self, _device: &DeviceInfo) -> Option<String> {
        None
    }
    /// As [`Family::default_config`].
    fn default_config(&self, gemm: &Gemm, device: &DeviceInfo) -> Config;
    /// As [`Family::work`].
    fn work(&self, gemm: &Gemm, _config: &Config, _device: &DeviceInfo) -> Work {
        gemm.work()
    }
    /// As [`Family::cpu`].
    fn cpu(&self) -> Option<&dyn CpuSource> {
        None
    }
    /// As [`Family::cuda`].
    fn cuda(&self) -> Option<&dyn CudaSource> {
        None
    }
}

/// A dense family: the shared problem with one kernel.
#[derive(Debug)]
pub struct Dense<K>(pub K);

impl<K: GemmKernel> Family for Dense<K> {
    fn card(&self) -> &'static Card {
        self.0.card()
    }
    fn axes(&self) -> Vec<Parameter> {
        Gemm::axes()
    }
    fn dtypes(&self) -> &'static [Dtype] {
        let (cpu, cuda) = (self.0.dtypes(DeviceKind::Cpu), self.0.dtypes(DeviceKind::Cuda));
        if cuda.len() > cpu.len() { cuda } else { cpu }
    }
    fn dtypes_on(&self, kind: DeviceKind) -> &'static [Dtype] {
        self.0.dtypes(kind)
    }
    fn knobs(&self, device: &DeviceInfo) -> Vec<Parameter> {
        if self.0.dtypes(device.kind).is_empty() { Vec::new() } else { self.0.knobs(device) }
    }
    fn check_problem(&self, problem: &Problem) -> Result<(), Misfit> {
        Gemm::of(problem).check()
    }
    fn check(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Result<(), Misfit> {
        self.0.check(&Gemm::of(problem), config, device)
    }
    fn effective(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Config {
        self.0.effective(&Gemm::of(problem), config, device)
    }
    fn relies_on(&self, device: &DeviceInfo) -> Option<String> {
        self.0.relies_on(device)
    }
    fn default_config(&self, problem: &Problem, device: &DeviceInfo) -> Config {
        self.0.default_config(&Gemm::of(problem), device)
    }
    fn work(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Work {
        self.0.work(&Gemm::of(problem), config, device)
    }
    fn operands(&self, problem: &Problem) -> Vec<Tensor> {
        Gemm::of(problem).operands()
    }
    fn output(&self, problem: &Problem) -> Tensor {
        Gemm::of(problem).output()
    }
    fn reference(&self, problem: &Problem, operands: &[Tensor]) -> Reference {
        Gemm::of(problem).reference(operands)
    }
    fn cpu(&self) -> Option<&dyn CpuSource> {
        self.0.cpu()
    }
    fn cuda(&self) -> Option<&dyn CudaSource> {
        self.0.cuda()
    }
}
