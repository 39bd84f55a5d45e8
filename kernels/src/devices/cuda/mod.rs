//! CUDA GPUs: limits of architectures, how a family describes its kernels, compiling, launching, timing.

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
mod roofs;
mod source;
mod timing;

pub use device::{CudaDevice, Gauge};
pub use gpu::{Architecture, Gpu, Occupancy};
pub use info::found;
pub use library::{Libraries, compiler_present, driver_present};
pub use source::{Arg, Compiled, CudaProgram, CudaSource, Include, Launch, Unit, VendorCall};
