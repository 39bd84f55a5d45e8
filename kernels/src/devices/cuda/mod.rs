//! CUDA GPUs: limits of architectures, how a family describes its kernels, compiling, launching, timing, power.

pub mod blas;
pub(crate) mod chain;
mod clock;
pub mod compile;
mod context;
mod device;
mod door;
mod facts;
mod flush;
mod gpu;
mod info;
mod launch;
mod library;
mod loaded;
pub mod power;
mod program;
mod roofs;
mod source;
pub mod text;
mod timing;

pub use device::CudaDevice;
pub use gpu::{Architecture, Gpu, Occupancy};
pub use info::found;
pub use library::{Libraries, compiler_present, driver_present};
pub use source::{Arg, Compiled, CudaProgram, CudaSource, Include, Launch, OBJECT_BYTES, Templated, Unit, VendorCall};
