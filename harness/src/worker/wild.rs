//! A kernel that stores where nothing is: what a worker runs for the fault `wild`.

use tilecast_kernels::devices::cuda::{Arg, Compiled, CudaProgram, CudaSource, Include, Launch, Unit};
use tilecast_kernels::oracle::{Magnitude, Reference};
use tilecast_kernels::{
    CacheMode, Card, Config, Device, DeviceError, DeviceInfo, Dtype, Family, Misfit, Parameter, Problem, Sample, Tensor, Work,
};

/// One number is stored 64 GiB away from the output.
struct Wild;

static CARD: Card = Card { id: "wild", group: "test", title: "A wild store", math: "none", look_at: "nothing", references: &[] };

const TEXT: &str = "extern \"C\" __global__ void wild(float *y) { y[1ll << 34] = 1; }\n";

/// Runs it on `device`, in the context that its other kernels use.
///
/// # Errors
/// What the device says of it, which is the point; without CUDA, that it has no such kernel.
pub(super) fn run(device: &dyn Device) -> Result<Sample, DeviceError> {
    let problem = Wild.problem(Dtype::F32, &[], 1)?;
    let mut loaded = device.load(&Wild, &problem)?;
    let prepared = loaded.prepare(&Config::default())?;
    loaded.sample(prepared.slot, 1, CacheMode::Hot)
}

impl Family for Wild {
    fn card(&self) -> &'static Card {
        &CARD
    }
    fn axes(&self) -> Vec<Parameter> {
        Vec::new()
    }
    fn dtypes(&self) -> &'static [Dtype] {
        &[Dtype::F32]
    }
    fn knobs(&self, _device: &DeviceInfo) -> Vec<Parameter> {
        Vec::new()
    }
    fn check_problem(&self, _problem: &Problem) -> Result<(), Misfit> {
        Ok(())
    }
    fn check(&self, _problem: &Problem, _config: &Config, _device: &DeviceInfo) -> Result<(), Misfit> {
        Ok(())
    }
    fn default_config(&self, _problem: &Problem, _device: &DeviceInfo) -> Config {
        Config::default()
    }
    fn work(&self, _problem: &Problem, _config: &Config, _device: &DeviceInfo) -> Work {
        Work::default()
    }
    fn operands(&self, _problem: &Problem) -> Vec<Tensor> {
        Vec::new()
    }
    fn output(&self, _problem: &Problem) -> Tensor {
        Tensor::zeros("y", Dtype::F32, (1, 1), 1)
    }
    fn reference(&self, _problem: &Problem, _operands: &[Tensor]) -> Reference {
        Reference { rows: vec![0], cols: 1, magnitude: Magnitude::Full(vec![1.0]), values: vec![1.0], depth: 1 }
    }
    fn cuda(&self) -> Option<&dyn CudaSource> {
        Some(self)
    }
}

impl CudaSource for Wild {
    fn program(&self, _problem: &Problem, _config: &Config, _device: &DeviceInfo) -> CudaProgram {
        let unit =
            Unit { texts: vec![TEXT], defines: Vec::new(), include: Include::None, kernels: vec!["wild"], arch_specific: false };
        let args = vec![Arg::Output];
        let launch = Launch { kernel: "wild", grid: [1; 3], block: [1; 3], dynamic_shared_bytes: 0, args };
        CudaProgram::Compiled(Compiled { unit, launches: vec![launch], scratch_bytes: 0 })
    }
}
