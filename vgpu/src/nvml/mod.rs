//! The NVML stand-in: what `libnvidia-ml.so.1` exports, over sensors whose truth is known.
//!
//! The same shared object serves both names, so that NVML sees what CUDA does. Every call costs the host some virtual time ([`scenario::Scenario::call_cost_s`]); timestamps are
//! microseconds on the clock of `vgpuNow`.

pub mod calls;
pub mod card;
pub mod clocks;
pub mod fields;
pub mod identity;
mod presets;
pub mod processes;
pub(crate) mod ranges;
pub mod readings;
pub mod scenario;
pub mod sensor;
pub(crate) mod settings;
pub mod status;
pub mod system;

pub use settings::CardSettings;
