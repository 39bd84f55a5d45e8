//! How a family runs on a CUDA GPU: text to compile, launches to make. Pure descriptions, so that every configuration can be compiled, planned
//! and checked on a machine without a GPU.

use super::Architecture;
use super::blas::VendorGemm;
use crate::{Config, DeviceInfo, Problem, Tensor, stable_id};

/// A family's CUDA source.
pub trait CudaSource: Sync {
    /// What one call of `config` on `problem` is made of; both were checked for `device`.
    fn program(&self, problem: &Problem, config: &Config, device: &DeviceInfo) -> CudaProgram;
    /// Operands as the kernels take them where that is not how the family gives them (factors projected from dense weights): computed once
    /// per problem and timed as preparation. [`Arg::Operand`] counts in this list where there is one.
    fn prepared(&self, _problem: &Problem, _operands: &[Tensor]) -> Option<Vec<Tensor>> {
        None
    }
}

/// What one call is made of.
#[derive(Clone, Debug, PartialEq)]
pub enum CudaProgram {
    /// Our own kernels.
    Compiled(Compiled),
    /// A template library's kernel, compiled from its headers.
    Templated(Templated),
    /// A vendor library's GEMM.
    Vendor(VendorGemm),
}

/// One launch of a kernel whose parameter object and shared memory only the compiled code knows the sizes of (CUTLASS).
///
/// The unit exports both sizes as `extern "C" __constant__ unsigned`. The object is made on the device: `maker` runs once per prepared
/// configuration (one thread, arguments in order; [`Arg::Scratch`]`(0)` is where it writes), the host reads the bytes back and passes them by
/// value as the only argument of every launch of `kernel`. Operands and output must therefore stay where they are, and the scratch memory is
/// free again once the object was read.
#[derive(Clone, Debug, PartialEq)]
pub struct Templated {
    /// What is compiled; `kernels` holds `maker` and `kernel`.
    pub unit: Unit,
    /// Writes the parameter object to its last argument.
    pub maker: &'static str,
    /// Arguments of `maker`.
    pub args: Vec<Arg>,
    /// The kernel that is timed.
    pub kernel: &'static str,
    /// Blocks along x, y, z.
    pub grid: [u32; 3],
    /// Threads along x, y, z.
    pub block: [u32; 3],
    /// Constant that holds the object's size in bytes (at most 4 KiB).
    pub object_bytes: &'static str,
    /// Constant that holds the dynamic shared memory of `kernel` in bytes; what exceeds 48 KiB is opted into before the launch.
    pub shared_bytes: &'static str,
    /// The kernel's name in the library's own grammar.
    pub name: String,
}

/// Bytes of scratch memory that a [`Templated`] parameter object is made in: the most a kernel takes as arguments.
pub const OBJECT_BYTES: u64 = 4096;

/// Kernels compiled from text, and the launches of one call, in order, on one stream.
#[derive(Clone, Debug, PartialEq)]
pub struct Compiled {
    /// What is compiled.
    pub unit: Unit,
    /// One call; never empty.
    pub launches: Vec<Launch>,
    /// Device memory that [`Arg::Scratch`] points into; its content is undefined when a call starts.
    pub scratch_bytes: u64,
}

/// Text for the run-time compiler. What differs between configurations is in `defines`: every configuration is different code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unit {
    /// CUDA C++, concatenated in this order.
    pub texts: Vec<&'static str>,
    /// Preprocessor definitions, in a stable order.
    pub defines: Vec<(&'static str, String)>,
    /// Header folders it needs.
    pub include: Include,
    /// `extern "C"` kernels that are launched.
    pub kernels: Vec<&'static str>,
    /// Whether it uses instructions of one architecture only (`wgmma`): it is then compiled for `sm_90a` and not for `sm_90`.
    pub arch_specific: bool,
}

impl Unit {
    /// 128-bit id of the code: texts and definitions, not the compiler or the architecture.
    #[must_use]
    pub fn id(&self) -> String {
        let mut parts: Vec<&str> = self.texts.clone();
        for (name, value) in &self.defines {
            parts.extend([*name, value.as_str()]);
        }
        stable_id(&parts)
    }

    /// What it is compiled for on `arch` (`sm_90`, `sm_90a`).
    #[must_use]
    pub fn target(&self, arch: Architecture) -> String {
        format!("{arch}{}", if self.arch_specific { "a" } else { "" })
    }
}

/// Headers beside the text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Include {
    /// None.
    None,
    /// The headers that the compiler carries (`cuda_fp16.h`, `mma.h`).
    Bundled,
    /// Those, and the CUTLASS folder that the user named.
    Cutlass,
}

/// One kernel launch.
#[derive(Clone, Debug, PartialEq)]
pub struct Launch {
    /// One of [`Unit::kernels`].
    pub kernel: &'static str,
    /// Blocks along x, y, z.
    pub grid: [u32; 3],
    /// Threads along x, y, z.
    pub block: [u32; 3],
    /// Dynamic shared memory; what exceeds 48 KiB is opted into before the launch.
    pub dynamic_shared_bytes: u32,
    /// Arguments in the kernel's order.
    pub args: Vec<Arg>,
}

/// One kernel argument.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Arg {
    /// Address of element (0, 0) of an operand, read only.
    Operand(usize),
    /// Address of element (0, 0) of the output.
    Output,
    /// Address of a byte of the scratch memory.
    Scratch(u64),
    /// `int`.
    Int(i32),
    /// `long long`.
    Long(i64),
    /// `float`.
    Float(f32),
    /// `double`.
    Double(f64),
}

/// Which library multiplies, and by which of its kernels; operands are a, b and c of a dense problem.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VendorCall {
    /// cuBLAS picks its kernel itself.
    Cublas,
    /// The n-th of the kernels that cuBLASLt's heuristic proposes, from 0.
    CublasLt(u32),
}
