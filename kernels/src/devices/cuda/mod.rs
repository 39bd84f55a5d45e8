//! CUDA GPUs: limits of architectures, how a family describes its kernels.

pub(crate) mod chain;
mod gpu;
mod source;
pub mod text;

pub use gpu::{Architecture, Gpu, Occupancy};
pub use source::{Arg, Compiled, CudaProgram, CudaSource, Include, Launch, OBJECT_BYTES, Templated, Unit, VendorCall};
