//! Kernels on the virtual GPU: a process per card, what it found and what it counted.

use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value as Json;
use tilecast_kernels::devices::cuda::compile::{CompileOptions, Lines};
use tilecast_kernels::devices::cuda::{CudaDevice, Libraries};
use tilecast_kernels::oracle::Verdict;
use tilecast_kernels::{Config, Device, DeviceError, DeviceInfo, Family, Problem};

/// The test that a child process is to run.
const CHILD: &str = "TILECAST_TEST_ON_CARD";

/// What a race or an uninitialised read does to the launch it is found in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(dead_code)] // each test needs one of them
pub(crate) enum OnFinding {
    /// It is told.
    Tell,
    /// The launch fails, and the context with it.
    Fail,
}

/// Where to begin, for a child that goes on where another was lost.
const FIRST: &str = "TILECAST_TEST_FIRST";

/// A child process that runs a test on a card.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Child {
    /// `VGPU_DEVICE`.
    pub(crate) card: &'static str,
    /// Name of the calling test.
    pub(crate) test: &'static str,
    pub(crate) finding: OnFinding,
    /// What the body is told to begin with.
    pub(crate) first: usize,
}

/// Runs `body` on a virtual card in a process of its own, since a driver is opened once per process and a fault ends it; gives what the child
/// printed. `None` in the child itself, and, with a word on it, where there is no virtual GPU.
pub(crate) fn on_card(child: Child, body: impl FnOnce(&mut Bench, usize)) -> Option<String> {
    let Child { card, test, finding, first } = child;
    let library = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let (Some(cuda), Some(nvrtc)) = (library("TILECAST_CUDA_LIB"), library("TILECAST_NVRTC")) else {
        println!(
            "skipped: nothing ran on a virtual GPU: TILECAST_CUDA_LIB (its libcuda.so.1) and TILECAST_NVRTC are not both set"
        );
        return None;
    };
    if std::env::var(CHILD).is_ok_and(|child| child == test) {
        let libraries = Libraries { cuda: Some(cuda), nvrtc: Some(nvrtc), ..Libraries::default() };
        let first = std::env::var(FIRST).ok().and_then(|first| first.parse().ok()).expect("set by the parent");
        if let Some(mut bench) = Bench::open(libraries, library("TILECAST_CUTLASS_INCLUDE")) {
            body(&mut bench, first);
        }
        return None;
    }
    let folder = tempfile::tempdir().expect("a folder for what is found and counted");
    let output = Command::new(std::env::current_exe().expect("this test"))
        .args([test, "--exact", "--nocapture"])
        .envs([(CHILD, test), ("VGPU_DEVICE", card), ("VGPU_CHECKS", "all"), ("VGPU_THREADS", "1")])
        .env(FIRST, first.to_string())
        .env("VGPU_FAIL_ON_FINDING", if finding == OnFinding::Fail { "1" } else { "0" })
        // Far above any kernel here: what exceeds it hangs.
        .env("VGPU_MAX_INSTRUCTIONS", "100000000")
        .env("VGPU_LOG", folder.path().join("log"))
        .env("VGPU_COUNTERS", folder.path().join("counters"))
        .output()
        .expect("this test can be run again");
    let (said, complained) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(said.contains("1 passed"), "`{test}` on a virtual {card}: {}\n{said}\n{complained}", output.status);
    Some(said.into_owned())
}

/// A file that only grows.
struct Tail {
    path: PathBuf,
    seen: usize,
}

impl Tail {
    fn of(variable: &str) -> Self {
        Self { path: std::env::var_os(variable).expect("set by the parent").into(), seen: 0 }
    }

    /// What was written since the last call.
    fn fresh(&mut self) -> String {
        let all = std::fs::read_to_string(&self.path).unwrap_or_default();
        let fresh = all[self.seen..].to_owned();
        self.seen = all.len();
        fresh
    }
}

/// A virtual GPU with its findings and counters.
pub(crate) struct Bench {
    device: CudaDevice,
    info: DeviceInfo,
    options: CompileOptions,
    findings: Tail,
    counters: Tail,
}

/// What one call did, summed over its launches.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(dead_code)] // not every test counts
pub(crate) struct Counted {
    pub(crate) flop: f64,
    /// Global bytes that threads asked for.
    pub(crate) requested_bytes: f64,
    /// Distinct global bytes read plus distinct global bytes written, launch by launch.
    pub(crate) distinct_bytes: f64,
}

/// One call against the oracle.
#[derive(Debug)]
pub(crate) struct Called {
    pub(crate) verdict: Result<Verdict, DeviceError>,
    /// What the virtual GPU said of it; empty where nothing was found.
    pub(crate) findings: String,
    #[allow(dead_code)] // not every test counts
    pub(crate) counted: Counted,
}

impl Called {
    /// Whether nothing can run after it in this process.
    pub(crate) fn lost(&self) -> bool {
        matches!(self.verdict, Err(DeviceError::Poisoned { .. }))
    }
}

impl Bench {
    fn open(libraries: Libraries, cutlass: Option<PathBuf>) -> Option<Self> {
        let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("cuda");
        let options = CompileOptions { libraries, cache, cutlass, lines: Lines::Kept };
        let device = CudaDevice::open("cuda:0", options.clone()).expect("the GPU that TILECAST_CUDA_LIB names");
        let info = device.info().clone();
        if !info.gpu().simulated {
            println!("skipped: TILECAST_CUDA_LIB is no virtual GPU: nothing could be checked or counted");
            return None;
        }
        let (findings, counters) = (Tail::of("VGPU_LOG"), Tail::of("VGPU_COUNTERS"));
        Some(Self { device, info, options, findings, counters })
    }

    pub(crate) fn info(&self) -> &DeviceInfo {
        &self.info
    }

    /// Whether CUTLASS's headers are there.
    #[allow(dead_code)] // not every test compiles templates
    pub(crate) fn has_cutlass(&self) -> bool {
        self.options.cutlass.is_some()
    }

    /// Prepares, runs and verifies. A fault loses the device for the rest of the process.
    pub(crate) fn call(&mut self, family: &'static dyn Family, problem: &Problem, config: &Config) -> Called {
        self.findings.fresh();
        let verdict = self.verified(family, problem, config);
        Called { verdict, findings: self.findings.fresh(), counted: counted(&self.counters.fresh()) }
    }

    fn verified(&mut self, family: &'static dyn Family, problem: &Problem, config: &Config) -> Result<Verdict, DeviceError> {
        let mut loaded = self.device.load(family, problem)?;
        let slot = loaded.prepare(config)?.slot;
        self.counters.fresh();
        Ok(loaded.verify(slot)?.verdict)
    }
}

fn counted(lines: &str) -> Counted {
    let mut sum = Counted::default();
    for line in lines.lines() {
        let launch: Json = serde_json::from_str(line).expect("a line of VGPU_COUNTERS is JSON");
        let counters = &launch["counters"];
        let flops = counters["flops"].as_object().expect("FLOP by pipe");
        sum.flop += flops.values().map(number).sum::<f64>();
        for side in ["global_load", "global_store"] {
            sum.requested_bytes += number(&counters[side]["requested_bytes"]);
            sum.distinct_bytes += number(&counters[side]["unique_bytes"]);
        }
    }
    sum
}

fn number(value: &Json) -> f64 {
    value.as_f64().expect("a count")
}
