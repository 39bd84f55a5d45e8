//! What a caller with permission can set on a card.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::card::Card;
use crate::profile::Profile;

/// Lowest multiprocessor clock, MHz, and the step of the grid above it.
pub(super) const LOWEST_MHZ: u32 = 210;
/// Step of the clock grid, MHz.
pub(super) const STEP_MHZ: u32 = 15;

/// A card's settings; `None` means the card decides.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CardSettings {
    /// Power limit, W.
    pub limit_w: f64,
    /// Locked multiprocessor clock, lowest and highest MHz.
    pub locked_sm_mhz: Option<(u32, u32)>,
    /// Locked memory clock, MHz.
    pub locked_memory_mhz: Option<u32>,
    /// Application clocks: memory and multiprocessors, MHz.
    pub application_mhz: Option<(u32, u32)>,
    /// Whether the driver stays loaded.
    pub persistence: u32,
    /// `nvmlComputeMode_t`.
    pub compute_mode: u32,
}

impl CardSettings {
    /// As after start-up.
    pub fn new(limit_w: f64) -> Self {
        Self { limit_w, locked_sm_mhz: None, locked_memory_mhz: None, application_mhz: None, persistence: 1, compute_mode: 0 }
    }
}

/// Takes over the settings that another process left in `path`, card by card; a file that is not there or not whole changes nothing.
pub(crate) fn load(path: &Path, cards: &mut [Card]) {
    let kept: Option<Vec<CardSettings>> = std::fs::read(path).ok().and_then(|bytes| serde_json::from_slice(&bytes).ok());
    for (card, settings) in cards.iter_mut().zip(kept.into_iter().flatten()) {
        card.settings = settings;
    }
}

/// Leaves the settings in `path` for other processes. Written aside and renamed, so that a reader never sees half a file.
pub(crate) fn save(path: &Path, cards: &[Card]) -> std::io::Result<()> {
    let settings: Vec<CardSettings> = cards.iter().map(|card| card.settings).collect();
    let aside = path.with_extension(format!("{}.tmp", std::process::id()));
    std::fs::write(&aside, serde_json::to_vec(&settings)?)?;
    std::fs::rename(aside, path)
}

/// Multiprocessor clocks a card takes, MHz, from high to low.
pub(super) fn sm_clocks(profile: &Profile) -> Vec<u32> {
    (0..)
        .map(|i| i * STEP_MHZ)
        .take_while(|down| down + LOWEST_MHZ <= profile.boost_mhz)
        .map(|down| profile.boost_mhz - down)
        .collect()
}

/// Memory clocks a card takes, MHz, from high to low. Stacked memory has one.
pub(super) fn memory_clocks(profile: &Profile) -> Vec<u32> {
    if profile.bus_bits >= 1024 { vec![profile.memory_mhz] } else { vec![profile.memory_mhz, 810, 405] }
}

/// The highest clock of the grid that is not above `mhz`; the lowest one below that.
pub(super) fn snap(clocks: &[u32], mhz: u32) -> u32 {
    clocks.iter().copied().find(|c| *c <= mhz).or(clocks.last().copied()).unwrap_or(mhz)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_lie_on_the_grid_from_boost_down() {
        let profile = Profile::named("a100").unwrap();
        let clocks = sm_clocks(profile);
        assert_eq!((clocks[0], *clocks.last().unwrap()), (1410, 210));
        assert_eq!(snap(&clocks, 1000), 990);
        assert_eq!(snap(&clocks, 9999), 1410);
        assert_eq!(snap(&clocks, 1), 210);
        assert_eq!(memory_clocks(profile), [1215]);
    }
}
