//! A GPU to test on, real or virtual, and a kernel whose every fault is known: it doubles a row of numbers.

#[path = "../doubling/mod.rs"]
mod doubling;

use std::ops::Deref;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use tilecast_kernels::devices::cuda::compile::{CompileOptions, Lines};
use tilecast_kernels::devices::cuda::{Arg, Compiled, CudaDevice, CudaProgram, CudaSource, Include, Launch, Libraries, Unit};
use tilecast_kernels::oracle::Reference;
use tilecast_kernels::{Card, Config, DeviceInfo, Dtype, Family, Misfit, Named, Parameter, Problem, Tensor, Work};

/// The GPU while no other test of this process has it: another's launch between two events would count as one's own.
pub(crate) struct Turn {
    device: CudaDevice,
    _turn: MutexGuard<'static, ()>,
}

impl Deref for Turn {
    type Target = CudaDevice;
    fn deref(&self) -> &CudaDevice {
        &self.device
    }
}

/// Waits for a turn on what `TILECAST_CUDA_LIB` and `TILECAST_NVRTC` name; `None`, with a word on it, where either is missing.
pub(crate) fn device() -> Option<Turn> {
    static TURN: Mutex<()> = Mutex::new(());
    let library = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let (Some(cuda), Some(nvrtc)) = (library("TILECAST_CUDA_LIB"), library("TILECAST_NVRTC")) else {
        println!(
            "skipped: nothing ran on a GPU: TILECAST_CUDA_LIB (a driver, or the virtual GPU) and TILECAST_NVRTC are not both set"
        );
        return None;
    };
    // The virtual GPU's NVML lies beside its driver.
    let nvml =
        library("TILECAST_NVML_LIB").or_else(|| Some(cuda.with_file_name("libnvidia-ml.so.1")).filter(|path| path.exists()));
    let libraries = Libraries { cuda: Some(cuda), nvrtc: Some(nvrtc), nvml, ..Libraries::default() };
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cuda");
    let cutlass = library("TILECAST_CUTLASS_INCLUDE");
    let options = CompileOptions { libraries, cache, cutlass, lines: Lines::Dropped };
    // A test that failed in its turn takes none from the others.
    let turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    let device = CudaDevice::open("cuda:0", options).expect("the GPU that TILECAST_CUDA_LIB names");
    Some(Turn { device, _turn: turn })
}

/// y = 2x.
pub(crate) struct Doubling;

/// What is wrong with it, each a branch of the text.
pub(crate) const FAULTS: [&str; 7] = ["NONE", "IDLE", "OVERRUN", "SHORT", "WILD", "BROKEN", "SLOW"];

const TEXT: &str = r#"
#define NONE 0
#define IDLE 1
#define OVERRUN 2
#define SHORT 3
#define WILD 4
#define BROKEN 5
#define SLOW 6
extern __shared__ double through[];
extern "C" __global__ void doubling(double *y, const double *x, int n) {
    const int i = blockIdx.x * blockDim.x + threadIdx.x;
    through[threadIdx.x] = i < n ? x[i] : 0;
    __syncthreads();
#if FAULT == NONE
    if (i < n) y[i] = 2 * through[threadIdx.x];
#elif FAULT == OVERRUN
    if (i <= n) y[i] = 2 * through[threadIdx.x];
#elif FAULT == SHORT
    if (i < n - 1) y[i] = 2 * through[threadIdx.x];
#elif FAULT == WILD
    if (i < n) y[((long long)i + 1) << 36] = 2 * through[threadIdx.x];
#elif FAULT == SLOW
    float v = through[threadIdx.x];
#pragma unroll 1
    for (int round = 0; round < 60000; round++) v = v * 1.0001f + 1e-3f;
    if (i < n) y[i] = v;
#elif FAULT == BROKEN
    y[i] = missing;
#endif
}
"#;

const THREADS: u32 = 128;

/// A configuration with a fault and so many KiB of dynamic shared memory.
pub(crate) fn config(fault: &str, shared_kib: u64) -> Config {
    Config(Named(vec![("fault".to_owned(), fault.into()), ("shared_kib".to_owned(), shared_kib.into())]))
}

/// A row of `n` numbers.
pub(crate) fn problem(n: u64) -> Problem {
    doubling::problem(&Doubling, n)
}

impl Family for Doubling {
    fn card(&self) -> &'static Card {
        &doubling::CARD
    }
    fn axes(&self) -> Vec<Parameter> {
        doubling::axes()
    }
    fn dtypes(&self) -> &'static [Dtype] {
        &[Dtype::F64]
    }
    fn knobs(&self, _device: &DeviceInfo) -> Vec<Parameter> {
        vec![
            Parameter::choice("fault", &FAULTS, &FAULTS, "what is wrong with it"),
            Parameter::int("shared_kib", (1, 1024), &[1], "dynamic shared memory"),
        ]
    }
    fn check_problem(&self, _problem: &Problem) -> Result<(), Misfit> {
        Ok(())
    }
    fn check(&self, _problem: &Problem, _config: &Config, _device: &DeviceInfo) -> Result<(), Misfit> {
        Ok(())
    }
    fn default_config(&self, _problem: &Problem, _device: &DeviceInfo) -> Config {
        config("NONE", 1)
    }
    fn work(&self, problem: &Problem, _config: &Config, _device: &DeviceInfo) -> Work {
        doubling::work(problem)
    }
    fn operands(&self, problem: &Problem) -> Vec<Tensor> {
        doubling::operands(problem)
    }
    fn output(&self, problem: &Problem) -> Tensor {
        doubling::output(problem)
    }
    fn reference(&self, _problem: &Problem, operands: &[Tensor]) -> Reference {
        doubling::reference(operands)
    }
    fn cuda(&self) -> Option<&dyn CudaSource> {
        Some(self)
    }
}

impl CudaSource for Doubling {
    fn program(&self, problem: &Problem, config: &Config, _device: &DeviceInfo) -> CudaProgram {
        let n = u32::try_from(problem.axes.int("n")).expect("small enough to launch");
        CudaProgram::Compiled(Compiled {
            unit: Unit {
                texts: vec![TEXT],
                defines: vec![("FAULT", config.text("fault").to_owned())],
                include: Include::None,
                kernels: vec!["doubling"],
                arch_specific: false,
            },
            launches: vec![Launch {
                kernel: "doubling",
                // One block more than needed, so that an overrun has a thread for it.
                grid: [n / THREADS + 1, 1, 1],
                block: [THREADS, 1, 1],
                dynamic_shared_bytes: u32::try_from(config.int("shared_kib") << 10).expect("small"),
                args: vec![Arg::Output, Arg::Operand(0), Arg::Int(n.cast_signed())],
            }],
            scratch_bytes: 0,
        })
    }
}
