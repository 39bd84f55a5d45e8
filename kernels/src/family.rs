//! What a kernel family gives, and the registry of families.

use crate::devices::cpu::CpuSource;
use crate::devices::cuda::CudaSource;
use crate::oracle::Reference;
use crate::{Config, DeviceInfo, DeviceKind, Dtype, Misfit, Named, Parameter, Problem, Tensor, Value, Work};

/// A family's own words, printed by `tilecast families` and on the page.
#[derive(Clone, Copy, Debug)]
pub struct Card {
    /// Id in specs and frames.
    pub id: &'static str,
    /// Group of the taxonomy (`dense`, `block structured`, `tensor product` …).
    pub group: &'static str,
    /// One line.
    pub title: &'static str,
    /// What is computed, with shapes.
    pub math: &'static str,
    /// What to look at in a sweep of it, and what not to conclude.
    pub look_at: &'static str,
    /// Where the definitions come from.
    pub references: &'static [&'static str],
}

/// A kernel family: everything tilecast knows of one way to multiply.
///
/// Adding a family touches one folder under `families/` and one line of [`registry`].
pub trait Family: Send + Sync {
    /// The family's own words.
    fn card(&self) -> &'static Card;
    /// Problem axes in their stable order.
    fn axes(&self) -> Vec<Parameter>;
    /// Element types that some device has a kernel for, the usual one first.
    fn dtypes(&self) -> &'static [Dtype];
    /// Element types there is a kernel for on devices of this kind.
    fn dtypes_on(&self, kind: DeviceKind) -> &'static [Dtype] {
        match kind {
            DeviceKind::Cpu if self.cpu().is_some() => &Dtype::CPU,
            DeviceKind::Cpu => &[],
            DeviceKind::Cuda => self.cuda().map_or(&[], |_| self.dtypes()),
        }
    }
    /// Knobs on `device`, in their stable order, with the values swept by default. Empty where there is no source for the device.
    fn knobs(&self, device: &DeviceInfo) -> Vec<Parameter>;
    /// Whether the axes make a problem (`n` factorable, sizes that do not overflow).
    ///
    /// # Errors
    /// [`Misfit`] with subject, value, limit.
    fn check_problem(&self, problem: &Problem) -> Result<(), Misfit>;
    /// Whether `config` can run `problem` on `device`; knob domains were checked before.
    ///
    /// # Errors
    /// [`Misfit`] with subject, value, limit.
    fn check(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Result<(), Misfit>;
    /// What really runs: knobs that change nothing here are set to one canonical value.
    fn effective(&self, _problem: &Problem, config: &Config, _device: &DeviceInfo) -> Config {
        config.clone()
    }
    /// What else decides what runs than problem, configuration and device, in words: a library that is loaded at run time. Results of two of them are two
    /// experiments. `None` where there is nothing.
    fn relies_on(&self, _device: &DeviceInfo) -> Option<String> {
        None
    }
    /// The configuration used where none is asked for.
    fn default_config(&self, problem: &Problem, device: &DeviceInfo) -> Config;
    /// FLOP and bytes of one call.
    fn work(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> Work;
    /// Host memory that operands and output take, asked before any is allocated. More than the compulsory bytes only where a kernel reads what
    /// preparation made of the operands (factors projected from dense weights).
    fn resident_bytes(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> f64 {
        self.work(problem, config, device).compulsory_bytes
    }
    /// Seeded random inputs, in the order the kernels take them.
    fn operands(&self, problem: &Problem) -> Vec<Tensor>;
    /// An output tensor of the right shape, with canaries.
    fn output(&self, problem: &Problem) -> Tensor;
    /// The result in f64 with its error scale, from the operands as rounded to the element type.
    fn reference(&self, problem: &Problem, operands: &[Tensor]) -> Reference;
    /// The dense problem this one replaces (same result shape); `None` for dense families.
    fn baseline(&self, _problem: &Problem) -> Option<Problem> {
        None
    }
    /// Relative Frobenius error of the structured operator against the dense one it approximates; `None` where the family is exact.
    fn quality(&self, _problem: &Problem, _operands: &[Tensor]) -> Option<f64> {
        None
    }
    /// How it runs on a CPU, where it does.
    fn cpu(&self) -> Option<&dyn CpuSource> {
        None
    }
    /// How it runs on a CUDA GPU, where it does.
    fn cuda(&self) -> Option<&dyn CudaSource> {
        None
    }

    /// A checked problem from given axes; what is not given takes its default.
    ///
    /// # Errors
    /// [`Misfit`] for unknown axes, illegal values or axes that make no problem.
    fn problem(&self, dtype: Dtype, given: &[(String, Value)], seed: u64) -> Result<Problem, Misfit> {
        complete(self, dtype, given, seed)
    }
}

/// Whether `family` has a kernel for the problem's element type on `device`; asked before [`Family::check`].
///
/// # Errors
/// [`Misfit`] naming the types there are.
pub fn check_dtype(family: &dyn Family, dtype: Dtype, device: &DeviceInfo) -> Result<(), Misfit> {
    let on = family.dtypes_on(device.kind);
    if on.contains(&dtype) {
        return Ok(());
    }
    let (id, kind) = (family.card().id, device.kind.name());
    if on.is_empty() {
        return Err(Misfit::new(format!("`{id}` has no {kind} kernel")));
    }
    let names = on.iter().map(|dtype| dtype.name()).collect::<Vec<_>>().join(", ");
    Err(Misfit::new(format!("`{id}` has no `{dtype}` kernel on {kind}; it has {names}")))
}

/// [`Family::problem`] for a family whose defaults depend on nothing but the axis.
pub(crate) fn complete(
    family: &(impl Family + ?Sized),
    dtype: Dtype,
    given: &[(String, Value)],
    seed: u64,
) -> Result<Problem, Misfit> {
    let id = family.card().id;
    if !family.dtypes().contains(&dtype) {
        return Err(Misfit::new(format!("`{id}` has no `{dtype}` kernel")));
    }
    let axes = Named::complete(given, &family.axes())?;
    let problem = Problem { family: id.to_owned(), dtype, axes, seed };
    family.check_problem(&problem)?;
    Ok(problem)
}

/// Every family, in the order they are listed. A test checks that folders and registry agree.
#[must_use]
pub fn registry() -> &'static [&'static dyn Family] {
    crate::families::ALL
}

/// The family called `id`.
#[must_use]
pub fn family(id: &str) -> Option<&'static dyn Family> {
    registry().iter().copied().find(|family| family.card().id == id)
}
