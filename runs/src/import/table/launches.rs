//! What recorded launches imply about a device: a catalogue copied from a wrong table is found out by the data.

use std::collections::BTreeMap;

use super::cells::Number;
use super::devices::Entry;

/// Threads of a warp.
const WARP: f64 = 32.0;
/// How near to a whole number of multiprocessors a launch has to come to count.
const NEAR: f64 = 0.005;
/// Launches that have to agree before the catalogue is doubted.
const WITNESSES: usize = 5;
/// Multiprocessors of the largest device there may be.
const MOST: f64 = 10_000.0;

/// Launches by device and the number of multiprocessors they imply.
#[derive(Default)]
pub(super) struct Witnesses {
    counts: BTreeMap<(usize, u32), usize>,
}

/// A launch: thread blocks, threads of a block, warps per multiprocessor as the source computed them.
#[derive(Clone, Copy)]
pub(super) struct Launch {
    pub(super) blocks: f64,
    pub(super) threads: f64,
    pub(super) warps_per_sm: f64,
}

impl Launch {
    /// Products of grid and block; `None` where a number is absent or no positive one.
    pub(super) fn of(grid: &[Number], block: &[Number], warps_per_sm: Number) -> Option<Self> {
        let positive = |number: &Number| number.value().filter(|value| *value > 0.0);
        let product = |numbers: &[Number]| numbers.iter().map(positive).product::<Option<f64>>();
        Some(Self { blocks: product(grid)?, threads: product(block)?, warps_per_sm: positive(&warps_per_sm)? })
    }

    fn multiprocessors(self) -> Option<u32> {
        let implied = self.blocks * (self.threads / WARP).ceil() / self.warps_per_sm;
        let whole = implied.round();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // checked
        ((1.0..MOST).contains(&whole) && (implied / whole - 1.0).abs() < NEAR).then_some(whole as u32)
    }
}

impl Witnesses {
    pub(super) fn take(&mut self, device: usize, launch: Launch) {
        if let Some(count) = launch.multiprocessors() {
            *self.counts.entry((device, count)).or_default() += 1;
        }
    }

    /// Where most launches of a device imply another number of multiprocessors than the catalogue states.
    pub(super) fn disagreements(&self, devices: &[Entry]) -> Vec<String> {
        let check = |(index, entry): (usize, &Entry)| {
            let of_device = || self.counts.range((index, 0)..=(index, u32::MAX));
            let all: usize = of_device().map(|(_, count)| count).sum();
            let ((_, implied), launches) = of_device().max_by_key(|(_, count)| **count)?;
            let stated = entry.found.device?.facts.sm_count?;
            (*launches >= WITNESSES && 2 * launches > all && *implied != stated).then(|| {
                let slug = &entry.found.slug;
                format!(
                    "device `{slug}`: {launches} of {all} launches imply {implied} multiprocessors, the catalogue states {stated}"
                )
            })
        };
        devices.iter().enumerate().filter_map(check).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::device::{Device, DeviceKind, Facts, Found};

    fn entry(sm_count: u32) -> Entry {
        let facts = Facts { sm_count: Some(sm_count), ..Facts::default() };
        let (kind, names) = (DeviceKind::Cuda, Vec::new());
        let device = Device { slug: "l4".to_owned(), kind, names, facts, sources: BTreeMap::new(), notes: Vec::new() };
        let found = Found { device: Some(Box::leak(Box::new(device))), slug: "l4".to_owned(), warning: None };
        Entry { name: "NVIDIA L4".to_owned(), found }
    }

    /// NeuSight's device file says that an L4 has 60 multiprocessors; its own launches say 58: 3840 warps make 66.2069 for each.
    #[test]
    fn launches_of_an_l4_tell_58_multiprocessors_from_60() {
        let launch = Launch { blocks: 480.0, threads: 256.0, warps_per_sm: 66.2069 };
        let mut seen = Witnesses::default();
        (0..6).for_each(|_| seen.take(0, launch));
        let said = seen.disagreements(&[entry(60)]);
        assert_eq!(said, ["device `l4`: 6 of 6 launches imply 58 multiprocessors, the catalogue states 60"]);
        assert!(seen.disagreements(&[entry(58)]).is_empty());
    }

    #[test]
    fn few_or_odd_launches_prove_nothing() {
        let mut seen = Witnesses::default();
        (0..4).for_each(|_| seen.take(0, Launch { blocks: 480.0, threads: 256.0, warps_per_sm: 66.2069 }));
        (0..9).for_each(|_| seen.take(0, Launch { blocks: 1.0, threads: 32.0, warps_per_sm: 0.7 }));
        assert!(seen.disagreements(&[entry(60)]).is_empty());
        assert!(Launch::of(&[Number::Value(0.0)], &[Number::Value(32.0)], Number::Value(1.0)).is_none());
        assert!(Launch::of(&[Number::Value(1.0)], &[Number::Bad], Number::Value(1.0)).is_none());
    }
}
