//! Power and energy of a CUDA GPU: what its sensors are, and energy per launch with an uncertainty.
//!
//! | module | holds |
//! |---|---|
//! | [`sensor`] | one reading each, or why there is none |
//! | [`stage`] | what a measurement needs of the device: a clock, launches, waiting |
//! | [`mod@characterise`] | update period, averaging window, lag, counter tick and rise of a sensor, from a square wave |
//! | [`mod@prior`] | what is published of those, per architecture |
//! | [`mod@measure`] | the energy protocol |
//! | [`report`] | what it gives |
//! | [`unavailable`] | why there is no energy |
//! | [`board`] | facts of a board that decide whether energy can be measured at all |
//! | [`nvml`] | sensors, facts and settings by NVML |
//! | [`limits`] | clocks and power limit as axes, put back on every way out |
//! | [`simulated`] | boards with a known truth, for tests and benches |
//!
//! Everything but [`nvml`] is free of clock, library and process: a test plays all three. The protocol follows Yang, Adámek and Armour, "Part-time
//! power measurements: nvidia-smi's lack of attention", SC24 (arXiv:2312.02741), with counter windows aligned to the counter's own ticks.

pub mod board;
pub mod characterise;
mod fit;
pub mod limits;
mod load;
pub mod measure;
pub mod nvml;
pub mod prior;
pub mod report;
pub mod sensor;
pub mod simulated;
pub mod stage;
mod statistics;
mod trace;
mod trial;
pub mod unavailable;

/// Longest that a board's sensors are watched for one configuration, characterising them included.
pub const LONGEST_S: f64 = characterise::CHARACTERISE_S + measure::MEASURE_S;

#[cfg(test)]
mod tests;

pub use board::{Board, Own, Process};
pub use characterise::{Character, Response, Rise, characterise};
pub use limits::{Guard, Held, Limits, Refused, Saved, Setting, Wish, restore};
pub use measure::{Disagreement, Settings, measure};
pub use nvml::{Nvml, Selector};
pub use prior::{Prior, Reading, prior};
pub use report::{EnergyReport, Flag, Source, Window};
pub use sensor::{Absent, Read, Sensor, Stamped, Throttle};
pub use stage::Stage;
pub use unavailable::Unavailable;
