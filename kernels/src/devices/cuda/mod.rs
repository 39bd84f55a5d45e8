//! CUDA GPUs: limits of architectures, how a family describes its kernels, compiling, launching, timing.

pub mod compile;
mod door;
mod gpu;
mod library;
mod source;

pub use gpu::{Architecture, Gpu, Occupancy};
pub use library::{Libraries, compiler_present, driver_present};
pub use source::{Arg, Compiled, CudaProgram, CudaSource, Include, Launch, Unit, VendorCall};
