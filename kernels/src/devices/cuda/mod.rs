//! CUDA GPUs: limits of architectures, how a family describes its kernels, compiling, launching, timing.

pub mod blas;
pub(crate) mod chain;
pub mod compile;
mod door;
mod gpu;
mod library;
mod source;
pub mod text;

pub use gpu::{Architecture, Gpu, Occupancy};
pub use library::{Libraries, compiler_present, driver_present};
pub use source::{Arg, Compiled, CudaProgram, CudaSource, Include, Launch, OBJECT_BYTES, Templated, Unit, VendorCall};
