//! What an architecture allows of a family's space: asked of the family itself, never written down twice.

use std::collections::BTreeMap;

use serde::Serialize;
use tilecast_kernels::devices::cuda::Architecture;
use tilecast_kernels::random::Random;
use tilecast_kernels::{Config, DeviceInfo, Dtype, Family, Named, Parameter, check_dtype};

/// Architectures listed: every one that this year's compiler targets and a GPU of which can be bought.
pub const ARCHITECTURES: [Architecture; 7] = [
    Architecture::new(7, 5),
    Architecture::new(8, 0),
    Architecture::new(8, 6),
    Architecture::new(8, 9),
    Architecture::new(9, 0),
    Architecture::new(10, 0),
    Architecture::new(12, 0),
];
/// Configurations looked at per architecture; spaces beyond are sampled.
const LOOKED_AT: usize = 2000;
/// Reasons shown.
const REASONS: usize = 3;

/// What one architecture allows.
#[derive(Debug, Serialize)]
pub struct Constraints {
    /// `sm_89`.
    pub architecture: String,
    /// Element types with a legal default.
    pub dtypes: Vec<&'static str>,
    /// Configurations looked at.
    pub looked_at: usize,
    /// How many of them are legal on the default problem.
    pub legal: usize,
    /// The commonest kinds of refusal: one example each, with the count of its kind (same knobs and limit, other values).
    pub refused_by_reason: Vec<(String, usize)>,
}

/// Asks `family` about its swept values on `arch`.
#[must_use]
pub fn constraints(family: &dyn Family, arch: Architecture) -> Constraints {
    let device = DeviceInfo::assumed(arch);
    let dtypes: Vec<Dtype> = family.dtypes().iter().copied().filter(|&dtype| default_is_legal(family, dtype, &device)).collect();
    let configs = drawn(&family.knobs(&device));
    let dtype = dtypes.first().copied().unwrap_or(family.dtypes()[0]);
    let mut refused: BTreeMap<String, (String, usize)> = BTreeMap::new();
    let mut legal = 0;
    for config in &configs {
        match check(family, dtype, config, &device) {
            Ok(()) => legal += 1,
            Err(reason) => refused.entry(kind(&reason)).or_insert((reason, 0)).1 += 1,
        }
    }
    let mut reasons: Vec<(String, usize)> = refused.into_values().collect();
    reasons.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    reasons.truncate(REASONS);
    Constraints {
        architecture: arch.name(),
        dtypes: dtypes.iter().map(|dtype| dtype.name()).collect(),
        looked_at: configs.len(),
        legal,
        refused_by_reason: reasons,
    }
}

fn default_is_legal(family: &dyn Family, dtype: Dtype, device: &DeviceInfo) -> bool {
    let problem = check_dtype(family, dtype, device).and_then(|()| family.problem(dtype, &[], 1));
    problem.is_ok_and(|problem| family.check(&problem, &family.default_config(&problem, device), device).is_ok())
}

fn check(family: &dyn Family, dtype: Dtype, config: &Config, device: &DeviceInfo) -> Result<(), String> {
    let asked = check_dtype(family, dtype, device).and_then(|()| family.problem(dtype, &[], 1));
    asked.and_then(|problem| family.check(&problem, config, device)).map_err(|misfit| misfit.to_string())
}

/// The whole space where it is small, else a seeded draw with replacement removed.
fn drawn(knobs: &[Parameter]) -> Vec<Config> {
    let size = knobs.iter().map(|knob| knob.values.len()).try_fold(1usize, usize::checked_mul);
    if size.is_some_and(|size| size <= LOOKED_AT) {
        return tilecast_kernels::product(knobs);
    }
    let mut random = Random::new(1);
    let mut seen = std::collections::HashSet::new();
    let mut one = || {
        let values = knobs.iter().map(|knob| (knob.name.to_owned(), knob.values[random.below(knob.values.len())].clone()));
        Config(Named(values.collect()))
    };
    (0..2 * LOOKED_AT).map(|_| one()).filter(|config| seen.insert(config.id())).take(LOOKED_AT).collect()
}

/// A reason without its numbers: the same limit met by other values is the same kind.
fn kind(reason: &str) -> String {
    reason.chars().filter(|c| !c.is_ascii_digit()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_architecture_counts_what_it_looked_at() {
        for family in tilecast_kernels::registry().iter().filter(|family| family.cuda().is_some()) {
            for arch in ARCHITECTURES {
                let found = constraints(*family, arch);
                let id = family.card().id;
                assert!(found.looked_at > 0 && found.legal <= found.looked_at, "{id} {found:?}");
                assert_eq!(found.legal < found.looked_at, !found.refused_by_reason.is_empty(), "{id} {found:?}");
            }
        }
    }

    #[test]
    fn reasons_that_differ_in_numbers_only_are_one_kind() {
        assert_eq!(kind("`tile_m=128` needs `99` B"), kind("`tile_m=64` needs `7` B"));
    }
}
