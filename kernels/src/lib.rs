//! What tilecast can run and what it runs on.
//!
//! | module | holds |
//! |---|---|
//! | [`value`] | named values: axes, knobs, their domains |
//! | [`problem`] | what is computed, and its stable id |
//! | [`space`] | configurations, and why one does not fit |
//! | [`work`] | FLOP and bytes of a call |
//! | [`tensor`] | host matrices with canaries |
//! | [`random`] | seeded operands |
//! | [`oracle`] | f64 references, error bounds, verdicts |
//! | [`mod@family`] | what a kernel family gives; the registry |
//! | [`device`] | what a device gives; samples, roofs, energy |
//! | [`families`] | the families, one folder each |
//! | [`devices`] | the devices, one folder each |

pub mod device;
pub mod devices;
pub mod families;
pub mod family;
pub mod oracle;
pub mod problem;
pub mod random;
pub mod space;
pub mod tensor;
pub mod value;
pub mod work;

pub use device::{
    Cache, CacheMode, Device, DeviceError, DeviceInfo, DeviceKind, Energy, EnergyDetail, EnergySource, KernelFacts, Loaded,
    PowerMeter, Preparation, Roof, Sample,
};
pub use family::{Card, Family, check_dtype, family, registry};
pub use problem::{Dtype, Problem, stable_id};
pub use space::{Config, Misfit, product};
pub use tensor::{Elements, ElementsMut, Tensor};
pub use value::{Domain, Named, Parameter, Value};
pub use work::{Level, Work};
