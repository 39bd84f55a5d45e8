//! What is published of NVIDIA's power sensors, per architecture: a prior beside what is found, never instead of it.
//!
//! Sources: Yang, Adámek and Armour, SC24 (arXiv:2312.02741), and the results published with it; `nvml.h` on which call averages. Values vary from
//! board to board of one architecture, which is why a sensor is characterised before it is used.

use serde::{Deserialize, Serialize};

/// Which reading of a board.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Reading {
    /// Power over a short window.
    Instant,
    /// Power over the last second.
    Average,
}

/// What a reading of an architecture is expected to be.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Prior {
    /// Architecture (`ampere-ga100`).
    pub architecture: &'static str,
    /// Which reading.
    pub reading: Reading,
    /// Time from one update to the next.
    pub period_s: f64,
    /// Time that a value averages; `None` where nobody published it.
    pub window_s: Option<f64>,
    /// The reading covers more than the GPU.
    pub scope: Scope,
}

/// What a reading is the energy of.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Scope {
    /// The board with its GPU and memory.
    #[default]
    Board,
    /// GPU and processor of a superchip together.
    Module,
}

impl Scope {
    /// Name in rows.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Board => "board",
            Self::Module => "module",
        }
    }
}

impl Prior {
    /// Share of the time that the reading sees; `None` where the window is not known.
    #[must_use]
    pub fn coverage(&self) -> Option<f64> {
        Some((self.window_s? / self.period_s).min(1.0))
    }
}

const fn row(architecture: &'static str, reading: Reading, period_s: f64, window_s: Option<f64>) -> Prior {
    Prior { architecture, reading, period_s, window_s, scope: Scope::Board }
}

use Reading::{Average, Instant};

/// The table.
pub const PRIORS: [Prior; 15] = [
    row("kepler", Instant, 0.020, None),
    row("maxwell", Instant, 0.020, None),
    row("pascal", Instant, 0.020, Some(0.010)),
    row("volta", Instant, 0.020, Some(0.010)),
    row("turing", Instant, 0.100, Some(0.100)),
    row("ampere-ga100", Instant, 0.100, Some(0.025)),
    row("ampere-ga10x", Instant, 0.100, Some(0.100)),
    row("ampere-ga10x", Average, 0.100, Some(1.0)),
    row("ada", Instant, 0.100, Some(0.109)),
    row("ada", Average, 0.100, Some(1.0)),
    row("hopper", Instant, 0.100, Some(0.025)),
    row("hopper", Average, 0.100, Some(1.0)),
    Prior { scope: Scope::Module, ..row("grace-hopper", Instant, 0.100, Some(0.020)) },
    Prior { scope: Scope::Module, ..row("grace-hopper", Average, 0.100, Some(1.0)) },
    // Nothing published: taken to be like Hopper until its sensor is characterised.
    row("blackwell", Instant, 0.100, Some(0.025)),
];

/// The prior of a reading, if there is one.
#[must_use]
pub fn prior(architecture: &str, reading: Reading) -> Option<Prior> {
    PRIORS.iter().find(|prior| prior.architecture == architecture && prior.reading == reading).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_is_found_by_architecture_and_reading() {
        let cases = [
            ("ampere-ga100", Instant, Some(0.25)),
            ("hopper", Average, Some(1.0)),
            ("pascal", Instant, Some(0.5)),
            ("kepler", Instant, None),
            ("grace-hopper", Instant, Some(0.2)),
            ("turing", Average, None),
            ("fermi", Instant, None),
        ];
        for (architecture, reading, coverage) in cases {
            let found = prior(architecture, reading).and_then(|prior| prior.coverage());
            assert!(found.zip(coverage).map_or(found == coverage, |(a, b)| (a - b).abs() < 1e-9), "{architecture}: {found:?}");
        }
        assert_eq!(prior("grace-hopper", Instant).map(|prior| prior.scope), Some(Scope::Module));
    }
}
