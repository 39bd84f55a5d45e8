//! What a sweep asks for: a TOML file becomes a checked [`Sweep`].
//!
//! ```toml
//! name = "gemm-cpu"
//! device = "cpu"                  # cpu, cpu:1t, cuda:0
//! cache = ["hot"]                 # hot, cold
//! seed = 1
//!
//! [measure]                       # all optional
//! max_noise = 0.02
//!
//! [[sweep]]
//! family = "gemm_tiled"
//! dtype = ["f32"]
//! problems = [{ m = 512, n = 512, k = 512 }, { m = [64, 256], n = 1024, k = 1024 }]
//! knobs = { tile = [8, 16, 32] }  # what is not named takes the family's own values
//!                                 # on a GPU also nvml_clock, nvml_memory_clock (MHz) and nvml_power_limit (W)
//! limit = 200                     # a seeded sample where the space is larger
//! ```

mod parse;
mod table;

use std::path::PathBuf;

use tilecast_kernels::{CacheMode, Dtype, Family, Value};

pub use parse::{Overrides, find_family, knobs_on, parse, unknown_knob};

/// A checked sweep: no unknown family, axis or knob, no value outside its domain, no empty axis.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Name of the spec.
    pub name: String,
    /// Device it was written for, if it names one.
    pub device: Option<String>,
    /// Cache modes measured.
    pub cache: Vec<CacheMode>,
    /// Seed of operands, order and samples of large spaces.
    pub seed: u64,
    /// How it is measured.
    pub measure: Measure,
    /// Families swept.
    pub entries: Vec<Entry>,
    /// Path of a BLAS library for `gemm_blas`.
    pub blas: Option<PathBuf>,
}

/// One family in a sweep.
#[derive(Clone)]
pub struct Entry {
    /// The family.
    pub family: &'static dyn Family,
    /// Element types.
    pub dtypes: Vec<Dtype>,
    /// Axis assignments, already multiplied out.
    pub problems: Vec<Vec<(String, Value)>>,
    /// Knob values that replace the family's own.
    pub knobs: Vec<(String, Vec<Value>)>,
    /// At most this many configurations per problem.
    pub limit: Option<usize>,
    /// Whether the dense rival is measured beside it.
    pub baseline: Baseline,
}

/// Whether a structured family's dense rival is measured in the same rounds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Baseline {
    /// Measured where the family has one.
    Measured,
    /// Left out.
    Omitted,
}

impl std::fmt::Debug for Entry {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Entry")
            .field("family", &self.family.card().id)
            .field("problems", &self.problems)
            .field("knobs", &self.knobs)
            .finish()
    }
}

/// How points are measured. See `docs/measuring.md` for why.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    /// Samples a point takes at least.
    pub min_samples: u32,
    /// Samples a point takes at most.
    pub max_samples: u32,
    /// A point stops once the half width of its interval, relative to its time, is below this.
    pub max_noise: f64,
    /// Kernel time a point may use for samples, in seconds; three samples are taken whatever they cost.
    pub point_s: f64,
    /// A sample repeats the call until it lasts this long, in seconds.
    pub sample_s: f64,
    /// A worker that does not answer for this long is killed and its point recorded as `timeout`.
    pub timeout_s: f64,
    /// Length of an energy window, in seconds, where there is a sensor.
    pub energy_s: f64,
}

impl Default for Measure {
    fn default() -> Self {
        Self { min_samples: 5, max_samples: 30, max_noise: 0.01, point_s: 1.0, sample_s: 1e-3, timeout_s: 60.0, energy_s: 2.0 }
    }
}
