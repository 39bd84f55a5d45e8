//! A small set of a family's configurations that together show every element type, every word of the problem and every knob value there is code for:
//! what tests and benches compile instead of a whole space.

use std::collections::HashSet;

use crate::devices::cuda::{CudaProgram, Launch, Unit};
use crate::random::Random;
use crate::{Config, DeviceInfo, DeviceKind, Domain, Dtype, Family, Problem, Value};

/// Configurations drawn per element type and problem, beside every value of every knob with the others at their defaults.
const DRAWN: usize = 400;
/// Sizes that no tile divides, where a family has such axes.
const RAGGED: [(&str, u64); 4] = [("m", 257), ("n", 131), ("k", 67), ("batch", 37)];

/// One configuration with the code it is made of.
#[derive(Clone, Debug)]
pub struct Sample {
    /// Problem.
    pub problem: Problem,
    /// Configuration, as it really runs.
    pub config: Config,
    /// Its code.
    pub unit: Unit,
    /// Its launches; empty where only the compiled code knows them.
    pub launches: Vec<Launch>,
    /// What it shows: `dtype=f16`, `layout=nt`, `tile_m=64`.
    shows: Vec<String>,
}

/// What was found of a family.
#[derive(Clone, Debug, Default)]
pub struct Cover {
    /// Chosen, each with other code.
    pub samples: Vec<Sample>,
    /// Values that are shown.
    pub shown: HashSet<String>,
    /// Configurations looked at that the family refuses, by the first words of the reason.
    pub refused: Vec<String>,
}

/// Chooses configurations of `family` for `device`, at most `most`: first so that every value is shown at least once, then the ones with the most new
/// pairs of values. Empty where the family has no CUDA source or compiles nothing. The same seed chooses the same.
#[must_use]
pub fn cover(family: &'static dyn Family, device: &DeviceInfo, least: usize, most: usize, seed: u64) -> Cover {
    let mut cover = Cover::default();
    let mut pool = Vec::new();
    if family.cuda().is_some() {
        let mut random = Random::new(seed);
        for problem in problems(family) {
            let candidates = configs(family, &problem, device, &mut random);
            for config in candidates {
                match sample(family, &problem, &config, device) {
                    Ok(Some(sample)) => pool.push(sample),
                    Ok(None) => {}
                    Err(reason) => cover.refused.push(reason),
                }
            }
        }
    }
    choose(pool, least, most, &mut cover);
    cover
}

/// Every element type with the first problem, every word of every axis, sizes that no tile divides, padding, alpha and beta.
fn problems(family: &'static dyn Family) -> Vec<Problem> {
    let axes = family.axes();
    let mut given: Vec<Vec<(String, Value)>> = vec![Vec::new()];
    let ragged = axes.iter().filter_map(|axis| {
        let (_, size) = RAGGED.iter().find(|(name, _)| *name == axis.name)?;
        Some((axis.name.to_owned(), Value::Int(*size)))
    });
    given.push(ragged.collect());
    for axis in &axes {
        let values: Vec<Value> = match &axis.domain {
            Domain::Choice(words) => words.iter().map(|&word| word.into()).collect(),
            Domain::Real => vec![0.0.into(), 2.0.into()],
            Domain::Int { .. } => axis.values.clone(),
        };
        given.extend(values.into_iter().map(|value| vec![(axis.name.to_owned(), value)]));
    }
    let of = |dtype: Dtype| given.iter().filter_map(move |given| family.problem(dtype, given, 1).ok()).collect::<Vec<_>>();
    family.dtypes_on(DeviceKind::Cuda).iter().flat_map(|dtype| of(*dtype)).collect()
}

fn configs(family: &dyn Family, problem: &Problem, device: &DeviceInfo, random: &mut Random) -> Vec<Config> {
    let knobs = family.knobs(device);
    let default = family.default_config(problem, device);
    let mut configs = vec![default.clone()];
    for knob in &knobs {
        configs.extend(knob.values.iter().map(|value| Config(default.0.clone().with(knob.name, value.clone()))));
    }
    for _ in 0..DRAWN {
        let draw = |named: crate::Named, knob: &crate::Parameter| {
            let value = knob.values[random.below(knob.values.len())].clone();
            named.with(knob.name, value)
        };
        configs.push(Config(knobs.iter().fold(default.0.clone(), draw)));
    }
    configs
}

/// The code of a configuration; `None` where it is a library's, the reason where the family refuses.
fn sample(
    family: &'static dyn Family,
    problem: &Problem,
    config: &Config,
    device: &DeviceInfo,
) -> Result<Option<Sample>, String> {
    let effective = family.effective(problem, config, device);
    family.check(problem, &effective, device).map_err(|misfit| misfit.to_string())?;
    let Some(source) = family.cuda() else { return Ok(None) };
    let (unit, launches) = match source.program(problem, &effective, device) {
        CudaProgram::Compiled(compiled) => (compiled.unit, compiled.launches),
        CudaProgram::Templated(templated) => (templated.unit, Vec::new()),
        CudaProgram::Vendor(_) => return Ok(None),
    };
    let axes = problem.axes.0.iter().filter(|(_, value)| matches!(value, Value::Text(_)));
    let named = axes.chain(&effective.0.0).map(|(name, value)| format!("{name}={value}"));
    let shows = std::iter::once(format!("dtype={}", problem.dtype)).chain(named).collect();
    Ok(Some(Sample { problem: problem.clone(), config: effective, unit, launches, shows }))
}

/// Takes the sample that shows the most new values; where none is left, the most new pairs.
fn choose(pool: Vec<Sample>, least: usize, most: usize, cover: &mut Cover) {
    let mut ids = HashSet::new();
    let mut pool: Vec<Sample> = pool.into_iter().filter(|sample| ids.insert(sample.unit.id())).collect();
    let mut pairs: HashSet<(String, String)> = HashSet::new();
    while cover.samples.len() < most && !pool.is_empty() {
        let news = |sample: &Sample| sample.shows.iter().filter(|value| !cover.shown.contains(*value)).count();
        let new_pairs = |sample: &Sample| pairs_of(sample).filter(|pair| !pairs.contains(pair)).count();
        let best = pool.iter().enumerate().max_by_key(|(at, sample)| (news(sample), new_pairs(sample), usize::MAX - at));
        let Some((at, sample)) = best else { break };
        if news(sample) == 0 && cover.samples.len() >= least {
            break;
        }
        let sample = pool.swap_remove(at);
        pairs.extend(pairs_of(&sample));
        cover.shown.extend(sample.shows.iter().cloned());
        cover.samples.push(sample);
    }
}

fn pairs_of(sample: &Sample) -> impl Iterator<Item = (String, String)> + '_ {
    let shows = &sample.shows;
    (0..shows.len()).flat_map(move |i| (i + 1..shows.len()).map(move |j| (shows[i].clone(), shows[j].clone())))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::devices::cuda::Architecture;

    #[test]
    fn every_value_that_any_legal_configuration_has_is_shown_with_other_code_each_time() {
        let device = DeviceInfo::assumed(Architecture::new(8, 0));
        for family in crate::registry().iter().filter(|family| family.cuda().is_some()) {
            let (some, more) = (cover(*family, &device, 0, 200, 1), cover(*family, &device, 20, 200, 1));
            assert_eq!(some.shown, more.shown, "{}", family.card().id);
            let ids: HashSet<String> = more.samples.iter().map(|sample| sample.unit.id()).collect();
            assert_eq!(ids.len(), more.samples.len(), "{}", family.card().id);
            let again = cover(*family, &device, 0, 200, 1);
            let texts = |cover: &Cover| cover.samples.iter().map(|sample| sample.config.to_string()).collect::<Vec<_>>();
            assert_eq!(texts(&some), texts(&again), "{}", family.card().id);
        }
    }
}
