//! Text to machine code, without a GPU: NVRTC compiles for the exact architecture, and what it makes is kept on disk.
//!
//! Compiling for `sm_XX` runs the assembler here, so that what would not load (too much shared memory, an instruction the architecture lacks)
//! fails here too, and registers and spills are known before anything runs.

mod ahead;
mod cache;
mod cover;
mod cubin;
mod headers;
mod log;
mod nvrtc;

use std::collections::HashSet;
use std::path::PathBuf;
use std::sync::{Condvar, Mutex, PoisonError};

use serde::{Deserialize, Serialize};

pub use ahead::{Ahead, Job, threads_for};
use cache::{Cache, Entry, Made};
pub use cover::{Cover, Sample, cover};

use super::library::Libraries;
use super::{Architecture, Gpu, Unit};
use crate::devices::cpu::wall_s;
use crate::{DeviceError, stable_id};

/// What a compiler is opened with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CompileOptions {
    /// Where the libraries are.
    pub libraries: Libraries,
    /// Folder for compiled code and headers; made where there is none.
    pub cache: PathBuf,
    /// CUTLASS's include folder, for the families that need it.
    pub cutlass: Option<PathBuf>,
    /// Whether code says which line of text it came from.
    pub lines: Lines,
}

/// Whether code says which line of text it came from. It costs no speed and about doubles what is stored.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Lines {
    /// It does not.
    #[default]
    Dropped,
    /// It does: findings of the virtual GPU and profilers then name lines.
    Kept,
}

/// NVRTC with its cache. Shared between threads; the same code is compiled once however many ask for it at the same time.
#[derive(Debug)]
pub struct Compiler {
    version: (u32, u32),
    architectures: Vec<u32>,
    options: CompileOptions,
    cache: Cache,
    busy: Mutex<HashSet<String>>,
    freed: Condvar,
    headers: Mutex<()>,
}

/// Compiled code.
#[derive(Clone, Debug, PartialEq)]
pub struct Code {
    /// Id of text, definitions, options, compiler and architecture, in hexadecimal.
    pub id: String,
    /// Compiler and version (`nvrtc 13.5`).
    pub compiler: String,
    /// Architecture (`sm_89`, `sm_90a`).
    pub arch: String,
    /// Machine code for exactly that architecture.
    pub cubin: Vec<u8>,
    /// The portable form it was made from, which a virtual GPU executes.
    pub ptx: String,
    /// What is known of each kernel in it.
    pub kernels: Vec<KernelCode>,
    /// How long compiling took, in seconds, when it was compiled.
    pub compile_s: f64,
    /// Whether it came from the disk.
    pub cached: bool,
}

/// What the compiler says of one kernel.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct KernelCode {
    /// Its name.
    pub name: String,
    /// 32-bit registers per thread.
    pub registers: u32,
    /// Bytes of spilled registers stored, per thread.
    pub spill_store_bytes: u32,
    /// Bytes of spilled registers loaded, per thread.
    pub spill_load_bytes: u32,
    /// Local memory per thread: arrays that registers could not hold.
    pub stack_bytes: u32,
    /// Barriers used.
    pub barriers: u32,
    /// Static shared memory per block.
    pub shared_static_bytes: u32,
}

impl Code {
    /// What is known of the kernel called `name`.
    #[must_use]
    pub fn kernel(&self, name: &str) -> Option<&KernelCode> {
        self.kernels.iter().find(|kernel| kernel.name == name)
    }
}

impl Compiler {
    /// Opens NVRTC; needs neither a GPU nor a driver.
    ///
    /// # Errors
    /// [`DeviceError::Library`] where there is none, [`DeviceError::System`] where the cache folder cannot be made.
    pub fn open(options: CompileOptions) -> Result<Self, DeviceError> {
        let (version, architectures) = nvrtc::open(&options.libraries)?;
        let cache = Cache::open(&options.cache)?;
        let busy = Mutex::default();
        Ok(Self { version, architectures, options, cache, busy, freed: Condvar::new(), headers: Mutex::new(()) })
    }

    /// `nvrtc 13.5`.
    #[must_use]
    pub fn name(&self) -> String {
        format!("nvrtc {}.{}", self.version.0, self.version.1)
    }

    /// Whether [`super::Include::Cutlass`] can be met.
    #[must_use]
    pub fn has_cutlass(&self) -> bool {
        self.options.cutlass.is_some()
    }

    /// Machine code of `unit` for `arch`: from the cache, from another thread that is compiling it already, or compiled now.
    ///
    /// # Errors
    /// [`DeviceError::Compile`] with the compiler's own words where the code is at fault; [`DeviceError::Library`] where the compiler does not
    /// know the architecture or headers are missing.
    pub fn compile(&self, unit: &Unit, arch: Architecture) -> Result<Code, DeviceError> {
        self.knows(arch)?;
        let options = self.options(unit, arch)?;
        let key = self.key(unit, &options);
        let _turn = self.turn(&key);
        let entry = match self.cache.find(&key) {
            Some(entry) => entry,
            None => self.fresh(unit, arch, &options, &key)?,
        };
        match entry {
            Entry::Code(code) => Ok(*code),
            Entry::Refused(log) => Err(DeviceError::Compile { kernel: title(unit).to_owned(), arch: unit.target(arch), log }),
        }
    }

    /// Whether what it makes runs on `gpu` under its driver.
    ///
    /// # Errors
    /// [`DeviceError::Library`] where it does not know the architecture, or is of a later major release than the driver, which then loads nothing
    /// that it makes (CUDA Compatibility, "Minor Version Compatibility").
    pub fn serves(&self, gpu: &Gpu) -> Result<(), DeviceError> {
        let driver: Option<u32> = gpu.driver.split('.').next().and_then(|major| major.parse().ok());
        match driver {
            Some(major) if major < self.version.0 => Err(DeviceError::Library {
                name: self.name(),
                reason: format!(
                    "makes code for drivers of CUDA {}.0 or later, and this one supports CUDA `{}`: a newer driver is needed, or \
                     `libnvrtc.so.{major}` in the compiler's place (`--nvrtc-lib`)",
                    self.version.0, gpu.driver
                ),
            }),
            _ => self.knows(gpu.arch),
        }
    }

    fn knows(&self, arch: Architecture) -> Result<(), DeviceError> {
        if self.architectures.contains(&arch.number()) {
            return Ok(());
        }
        let known: Vec<String> = self.architectures.iter().map(|number| format!("sm_{number}")).collect();
        let reason = format!("does not compile for {arch}; it does for {}", known.join(", "));
        Err(DeviceError::Library { name: self.name(), reason })
    }

    fn options(&self, unit: &Unit, arch: Architecture) -> Result<Vec<String>, DeviceError> {
        let mut options =
            vec![format!("--gpu-architecture={}", unit.target(arch)), "--std=c++17".to_owned(), "--ptxas-options=-v".to_owned()];
        if self.options.lines == Lines::Kept {
            options.push("--generate-line-info".to_owned());
        }
        options.extend(unit.defines.iter().map(|(name, value)| format!("-D{name}={value}")));
        let _one = self.headers.lock().unwrap_or_else(PoisonError::into_inner);
        let cutlass = self.options.cutlass.as_deref();
        options.extend(headers::options(unit.include, self.cache.folder(), self.version, cutlass)?);
        Ok(options)
    }

    fn key(&self, unit: &Unit, options: &[String]) -> String {
        let name = self.name();
        let release = headers::release(unit.include, self.options.cutlass.as_deref());
        let texts = unit.texts.iter().copied();
        let options = options.iter().map(String::as_str);
        stable_id(&[name.as_str(), title(unit), release.as_str()].into_iter().chain(texts).chain(options).collect::<Vec<_>>())
    }

    fn fresh(&self, unit: &Unit, arch: Architecture, options: &[String], key: &str) -> Result<Entry, DeviceError> {
        let start = wall_s();
        let compiled = nvrtc::compile(&format!("{}.cu", title(unit)), &unit.texts.concat(), options);
        let (compiler, target, compile_s) = (self.name(), unit.target(arch), wall_s() - start);
        let entry = match compiled {
            Ok(output) => {
                let mut kernels = log::facts(&output.log);
                complete(&mut kernels, cubin::facts(&output.cubin, arch.major));
                let nvrtc::Output { cubin, ptx, .. } = output;
                let (compiler, arch) = (compiler.clone(), target.clone());
                Entry::Code(Box::new(Code { id: key.to_owned(), compiler, arch, cubin, ptx, kernels, compile_s, cached: false }))
            }
            Err(nvrtc::Failed::Code(log)) => Entry::Refused(log::complaint(&log)),
            Err(nvrtc::Failed::Tool(error)) => return Err(error),
        };
        self.cache.keep(key, &entry, &Made { compiler: &compiler, arch: &target, options, compile_s });
        Ok(entry)
    }

    /// Waits until no other thread works on `key`, and keeps others waiting until the turn is dropped.
    fn turn<'a>(&'a self, key: &'a str) -> Turn<'a> {
        let mut busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        while busy.contains(key) {
            busy = self.freed.wait(busy).unwrap_or_else(PoisonError::into_inner);
        }
        busy.insert(key.to_owned());
        Turn { compiler: self, key }
    }
}

struct Turn<'a> {
    compiler: &'a Compiler,
    key: &'a str,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.compiler.busy.lock().unwrap_or_else(PoisonError::into_inner).remove(self.key);
        self.compiler.freed.notify_all();
    }
}

/// What a unit is called in messages: its first kernel.
fn title(unit: &Unit) -> &'static str {
    unit.kernels.first().copied().unwrap_or("kernel")
}

/// Adds what the machine code says of kernels that the log does not mention.
fn complete(from_log: &mut Vec<KernelCode>, from_code: Vec<KernelCode>) {
    let missing = |kernel: &KernelCode| !from_log.iter().any(|known| known.name == kernel.name);
    let missing: Vec<KernelCode> = from_code.into_iter().filter(missing).collect();
    from_log.extend(missing);
}
