//! Sweep + device → the points that will be measured, and those that cannot be, with reasons. Pure: touches no clock, file or environment.

use std::collections::{BTreeMap, HashMap, HashSet};

use serde::Serialize;
use tilecast_kernels::random::Random;
use tilecast_kernels::{CacheMode, Config, DeviceInfo, Family, Parameter, Problem, Value, Work, product, stable_id};

use crate::spec::{Baseline, Entry, Sweep};

/// Family that calls a vendor library; the dense rival at its best where one is named.
const VENDOR: &str = "gemm_blas";

/// What will be measured.
#[derive(Debug)]
pub struct Plan {
    /// Problems, each measured in its own rounds.
    pub groups: Vec<Group>,
    /// What cannot run, and why.
    pub skipped: Vec<Skip>,
}

/// A problem with its configurations and, for a structured family, its dense rival: all measured in the same rounds.
#[derive(Debug)]
pub struct Group {
    /// Cache mode of all its samples.
    pub cache: CacheMode,
    /// Points; those of one problem stand together.
    pub points: Vec<Point>,
}

/// Why a point is in the plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Role {
    /// It was asked for.
    Point,
    /// The dense rival of the structured problem with this id.
    Baseline {
        /// `problem_id` of the structured problem.
        of: String,
    },
}

/// One configuration on one problem.
#[derive(Clone, Debug)]
pub struct Point {
    /// Hash of what really runs.
    pub experiment_id: String,
    /// Key in the journal: the experiment, and for a baseline also what it rivals.
    pub key: String,
    /// Problem.
    pub problem: Problem,
    /// Configuration as asked.
    pub config: Config,
    /// What really runs.
    pub effective: Config,
    /// True for the family's default configuration.
    pub is_default: bool,
    /// Why it is here.
    pub role: Role,
    /// FLOP and bytes.
    pub work: Work,
}

impl Point {
    fn new(
        family: &dyn Family,
        problem: &Problem,
        config: Config,
        (device, cache): (&DeviceInfo, CacheMode),
        default: &Config,
    ) -> Self {
        let effective = family.effective(problem, &config);
        let experiment_id = experiment_id(problem, &effective, device, cache);
        Self {
            key: experiment_id.clone(),
            experiment_id,
            problem: problem.clone(),
            is_default: effective == family.effective(problem, default),
            work: family.work(problem, &config),
            config,
            effective,
            role: Role::Point,
        }
    }

    /// The family of the problem.
    ///
    /// # Panics
    /// Never for a planned point: its family is in the registry.
    #[must_use]
    pub fn family(&self) -> &'static dyn Family {
        tilecast_kernels::family(&self.problem.family).expect("planned points come from the registry")
    }
}

/// A configuration (or a whole problem) that cannot run.
#[derive(Clone, Debug, Serialize)]
pub struct Skip {
    /// Family.
    pub family: String,
    /// Problem in words.
    pub problem: String,
    /// Configuration in words; empty where the whole problem is skipped.
    pub config: String,
    /// Subject, value, limit.
    pub reason: String,
    /// What kind of skip it is.
    #[serde(skip)]
    pub kind: SkipKind,
    /// The point, where a configuration was refused.
    #[serde(skip)]
    pub refused: Option<Box<(Problem, Config)>>,
}

/// Kinds of skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum SkipKind {
    /// The family refuses the problem.
    Problem,
    /// The family refuses the configuration.
    Config,
    /// The same code on the same problem is already planned.
    Duplicate,
    /// Beyond `limit`.
    Limit,
}

impl Plan {
    /// Plans `sweep` on `device`.
    #[must_use]
    pub fn new(sweep: &Sweep, device: &DeviceInfo) -> Self {
        let mut planner =
            Planner { device, seed: sweep.seed, vendor: sweep.blas.is_some(), skipped: Vec::new(), seen: HashMap::new() };
        let mut groups = Vec::new();
        for &cache in &sweep.cache {
            for entry in &sweep.entries {
                let knobs = chosen_knobs(entry, device);
                for &dtype in &entry.dtypes {
                    for axes in &entry.problems {
                        match entry.family.problem(dtype, axes, sweep.seed) {
                            Ok(problem) => groups.extend(planner.group(entry, &knobs, problem, cache)),
                            Err(misfit) => planner.skip(entry.family, &show(axes), "", misfit.to_string(), SkipKind::Problem),
                        }
                    }
                }
            }
        }
        Self { groups, skipped: planner.skipped }
    }

    /// All points, in the order of their groups.
    pub fn points(&self) -> impl Iterator<Item = (&Group, &Point)> {
        self.groups.iter().flat_map(|group| group.points.iter().map(move |point| (group, point)))
    }

    /// Counts for people and machines.
    #[must_use]
    pub fn summary(&self, assumed_flop_per_s: f64, samples: f64) -> Summary {
        let asked = || self.points().map(|(_, point)| point).filter(|point| point.role == Role::Point);
        let code: HashSet<String> =
            asked().map(|p| format!("{} {} {}", p.problem.family, p.problem.dtype, p.effective)).collect();
        let experiments: HashSet<&str> = asked().map(|p| p.experiment_id.as_str()).collect();
        let flop: f64 = self.points().map(|(_, p)| p.work.executed_flop).sum();
        let points = asked().count();
        let mut skipped = BTreeMap::new();
        for skip in &self.skipped {
            *skipped.entry(skip.reason.clone()).or_insert(0) += 1;
        }
        Summary {
            points,
            baselines: self.points().count() - points,
            problems: self.groups.len(),
            skipped: self.skipped.len(),
            skipped_by_reason: skipped,
            distinct_code: code.len(),
            distinct_experiments: experiments.len(),
            flop_per_pass: flop,
            estimate_s: samples * flop / assumed_flop_per_s,
            assumed_flop_per_s,
        }
    }
}

/// What a plan amounts to. Times are estimates from an assumed rate, never measured.
#[derive(Debug, Serialize)]
pub struct Summary {
    /// Points to measure.
    pub points: usize,
    /// Dense rivals measured beside them.
    pub baselines: usize,
    /// Groups of points measured together.
    pub problems: usize,
    /// Configurations left out.
    pub skipped: usize,
    /// How many for each reason.
    pub skipped_by_reason: BTreeMap<String, usize>,
    /// Different kernels (family, type, effective configuration).
    pub distinct_code: usize,
    /// Different experiments; equals `points` by construction.
    pub distinct_experiments: usize,
    /// FLOP of calling every point once.
    pub flop_per_pass: f64,
    /// Rough duration.
    pub estimate_s: f64,
    /// Rate the estimate assumes.
    pub assumed_flop_per_s: f64,
}

struct Planner<'a> {
    device: &'a DeviceInfo,
    seed: u64,
    /// Whether a vendor library was named.
    vendor: bool,
    skipped: Vec<Skip>,
    /// Experiment id → configuration first planned for it.
    seen: HashMap<String, String>,
}

impl Planner<'_> {
    fn group(&mut self, entry: &Entry, knobs: &[Parameter], problem: Problem, cache: CacheMode) -> Option<Group> {
        let family = entry.family;
        let default = family.default_config(&problem, self.device);
        let mut configs = product(knobs);
        let limit = entry.limit.filter(|&limit| limit < configs.len());
        let mut random = Random::stream(self.seed, 0x5a5a);
        // A sample may miss the default, and what tuning is worth is told against it.
        let sampled_default = limit.map(|_| default.clone());
        let mut points: Vec<Point> =
            sampled_default.and_then(|config| self.point(family, &problem, config, cache, &default)).into_iter().collect();
        for at in 0..configs.len() {
            if limit.is_some_and(|limit| points.len() == limit) {
                self.left_out(&problem, configs.len() - at, points.len());
                break;
            }
            if limit.is_some() {
                let drawn = at + random.below(configs.len() - at);
                configs.swap(at, drawn);
            }
            points.extend(self.point(family, &problem, configs[at].clone(), cache, &default));
        }
        if points.is_empty() {
            return None;
        }
        if entry.baseline == Baseline::Measured {
            points.extend(self.baselines(family, &problem, cache));
        }
        Some(Group { cache, points })
    }

    /// What a seeded sample of a space did not look at.
    fn left_out(&mut self, problem: &Problem, count: usize, limit: usize) {
        self.skipped.push(Skip {
            family: problem.family.clone(),
            problem: problem.to_string(),
            config: String::new(),
            reason: format!("{count} configurations are beyond `limit = {limit}`; {limit} were drawn with seed {}", self.seed),
            kind: SkipKind::Limit,
            refused: None,
        });
    }

    fn point(
        &mut self,
        family: &'static dyn Family,
        problem: &Problem,
        config: Config,
        cache: CacheMode,
        default: &Config,
    ) -> Option<Point> {
        if let Err(misfit) = family.check(problem, &config, self.device) {
            self.refuse(problem, config, misfit.to_string());
            return None;
        }
        let point = Point::new(family, problem, config, (self.device, cache), default);
        if let Some(first) = self.seen.get(&point.experiment_id) {
            let reason = format!("the same code is already planned as `{first}`");
            self.skip(family, &problem.to_string(), &point.config.to_string(), reason, SkipKind::Duplicate);
            return None;
        }
        self.seen.insert(point.experiment_id.clone(), point.config.to_string());
        Some(point)
    }

    /// The dense rival in its default configuration, and the vendor library where one was named.
    fn baselines(&mut self, family: &'static dyn Family, problem: &Problem, cache: CacheMode) -> Vec<Point> {
        let Some(dense) = family.baseline(problem) else { return Vec::new() };
        let vendor = self.vendor.then(|| Problem { family: VENDOR.to_owned(), ..dense.clone() });
        [Some(dense), vendor].into_iter().flatten().filter_map(|rival| self.rival(&rival, problem.id(), cache)).collect()
    }

    fn rival(&mut self, rival: &Problem, of: String, cache: CacheMode) -> Option<Point> {
        let family = tilecast_kernels::family(&rival.family)?;
        let config = family.default_config(rival, self.device);
        if let Err(misfit) = family.check(rival, &config, self.device) {
            self.refuse(rival, config, misfit.to_string());
            return None;
        }
        let point = Point::new(family, rival, config.clone(), (self.device, cache), &config);
        Some(Point { key: stable_id(&[&point.experiment_id, &of]), role: Role::Baseline { of }, ..point })
    }

    fn skip(&mut self, family: &dyn Family, problem: &str, config: &str, reason: String, kind: SkipKind) {
        let family = family.card().id.to_owned();
        self.skipped.push(Skip { family, problem: problem.to_owned(), config: config.to_owned(), reason, kind, refused: None });
    }

    fn refuse(&mut self, problem: &Problem, config: Config, reason: String) {
        self.skipped.push(Skip {
            family: problem.family.clone(),
            problem: problem.to_string(),
            config: config.to_string(),
            reason,
            kind: SkipKind::Config,
            refused: Some(Box::new((problem.clone(), config))),
        });
    }
}

/// Hash of what really runs.
#[must_use]
pub fn experiment_id(problem: &Problem, effective: &Config, device: &DeviceInfo, cache: CacheMode) -> String {
    stable_id(&[&problem.to_string(), &problem.seed.to_string(), &effective.to_string(), &device.slug, cache.name()])
}

/// The family's knobs with the values the spec names, checked against each other only by the family itself.
fn chosen_knobs(entry: &Entry, device: &DeviceInfo) -> Vec<Parameter> {
    let mut knobs = entry.family.knobs(device);
    for knob in &mut knobs {
        if let Some((_, values)) = entry.knobs.iter().find(|(name, _)| name == knob.name) {
            knob.values.clone_from(values);
        }
    }
    knobs
}

fn show(axes: &[(String, Value)]) -> String {
    axes.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
