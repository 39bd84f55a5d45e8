//! How a plan is made.

use std::borrow::Cow;
use std::sync::Arc;

use polars::prelude::{PlHashMap, PlHashSet};
use tilecast_kernels::devices::cuda::power::{Wish, limits};
use tilecast_kernels::random::Random;
use tilecast_kernels::{
    CacheMode, Config, DeviceInfo, Dtype, Family, Misfit, Parameter, Problem, Value, check_dtype, product, stable_id,
};

use super::{Group, Plan, Point, Role, Skip, SkipKind, Subject};
use crate::spec::{Baseline, Entry, Sweep};

/// Family that calls a vendor library; the dense rival at its best where one is named.
const VENDOR: &str = "gemm_blas";

/// Plans `sweep` on `device`.
pub(super) fn plan(sweep: &Sweep, device: &DeviceInfo) -> Plan {
    let mut planner = Planner {
        device,
        seed: sweep.seed,
        vendor: sweep.blas.is_some(),
        skipped: Vec::new(),
        reasons: PlHashSet::default(),
        seen: PlHashMap::default(),
    };
    let mut groups = Vec::new();
    for &cache in &sweep.cache {
        for entry in &sweep.entries {
            let knobs = chosen_knobs(entry, device);
            let board = knobs.iter().any(|knob| limits::is_limit(knob.name));
            let configs: Vec<Arc<Config>> = product(&knobs).into_iter().map(Arc::new).collect();
            for &dtype in &entry.dtypes {
                for axes in &entry.problems {
                    match planner.problem(entry, dtype, axes) {
                        Ok(problem) => {
                            let stage = Stage::new(entry.family, problem, (cache, board), device);
                            groups.extend(planner.group(entry, &configs, &stage));
                        }
                        Err(misfit) => {
                            planner.skip(entry.family, Subject::Axes(show(axes)), &misfit.to_string(), SkipKind::Problem)
                        }
                    }
                }
            }
        }
    }
    Plan { groups, skipped: planner.skipped }
}

/// A problem while its space is planned, with what all its points share.
struct Stage {
    family: &'static dyn Family,
    problem: Arc<Problem>,
    /// Stable text and seed of the problem, made once.
    text: [String; 2],
    /// What else decides what runs.
    relies_on: Option<String>,
    cache: CacheMode,
    /// Whether configurations may name settings of the board: looking for them in each takes 2 % of a plan's time.
    board: bool,
    /// The family's default configuration.
    default: Arc<Config>,
    /// What it really runs.
    effective_default: Config,
}

impl Stage {
    fn new(family: &'static dyn Family, problem: Problem, (cache, board): (CacheMode, bool), device: &DeviceInfo) -> Self {
        let default = family.default_config(&problem, device);
        let effective = family.effective(&problem, &default, device);
        let text = [problem.to_string(), problem.seed.to_string()];
        let relies_on = family.relies_on(device);
        let (problem, default) = (Arc::new(problem), Arc::new(default));
        Self { family, problem, text, relies_on, cache, board, default, effective_default: effective }
    }

    /// # Errors
    /// [`Misfit`] where the family refuses the configuration.
    fn accept<'a>(&self, config: &'a Config, device: &DeviceInfo) -> Result<Accepted<'a>, Misfit> {
        let (limits, kernel) =
            if self.board { (Wish::of(config)?, limits::kernel(config)) } else { (Wish::default(), Cow::Borrowed(config)) };
        self.family.check(&self.problem, &kernel, device)?;
        let effective = limits::under(self.family.effective(&self.problem, &kernel, device), config);
        let [problem, seed] = &self.text;
        let effective_text = effective.to_text();
        let ids = [problem, seed, effective_text.as_str(), &device.slug, self.cache.name()];
        let experiment_id = match &self.relies_on {
            None => stable_id(&ids),
            Some(other) => stable_id(&[&ids[..], &[other]].concat()),
        };
        Ok(Accepted { kernel, limits, effective, experiment_id })
    }

    fn point(&self, config: &Arc<Config>, accepted: Accepted<'_>, device: &DeviceInfo) -> Point {
        let Accepted { kernel, limits, effective, experiment_id } = accepted;
        Point {
            key: experiment_id.clone(),
            experiment_id,
            problem: Arc::clone(&self.problem),
            is_default: effective == self.effective_default,
            work: self.family.work(&self.problem, &kernel, device),
            config: Arc::clone(config),
            limits,
            effective,
            role: Role::Point,
        }
    }
}

/// A configuration that its family accepts, and what it amounts to.
struct Accepted<'a> {
    kernel: Cow<'a, Config>,
    limits: Wish,
    effective: Config,
    experiment_id: String,
}

struct Planner<'a> {
    device: &'a DeviceInfo,
    seed: u64,
    /// Whether a vendor library was named.
    vendor: bool,
    skipped: Vec<Skip>,
    /// Every reason of a skip so far: a large space is refused for few.
    reasons: PlHashSet<Arc<str>>,
    /// Experiment id → configuration first planned for it.
    seen: PlHashMap<String, Arc<Config>>,
}

impl Planner<'_> {
    fn problem(&self, entry: &Entry, dtype: Dtype, axes: &[(String, Value)]) -> Result<Problem, Misfit> {
        check_dtype(entry.family, dtype, self.device)?;
        entry.family.problem(dtype, axes, self.seed)
    }

    fn group(&mut self, entry: &Entry, configs: &[Arc<Config>], stage: &Stage) -> Option<Group> {
        let mut points = match entry.limit.filter(|&limit| limit < configs.len()) {
            Some(limit) => self.sample(stage, configs.to_vec(), limit),
            None => configs.iter().filter_map(|config| self.point(stage, config)).collect(),
        };
        if points.is_empty() {
            return None;
        }
        if entry.baseline == Baseline::Measured {
            let rivals = self.baselines(stage, &points);
            points.extend(rivals);
        }
        Some(Group { cache: stage.cache, points })
    }

    /// A seeded sample of the space. It begins with the default, which a draw may miss: what tuning is worth is told against it.
    fn sample(&mut self, stage: &Stage, mut configs: Vec<Arc<Config>>, limit: usize) -> Vec<Point> {
        let mut random = Random::stream(self.seed, 0x5a5a);
        let mut points: Vec<Point> = self.point(stage, &stage.default).into_iter().collect();
        for at in 0..configs.len() {
            if points.len() == limit {
                let left = configs.len() - at;
                let reason =
                    format!("{left} configurations are beyond `limit = {limit}`; {limit} were drawn with seed {}", self.seed);
                self.skip(stage.family, Subject::Space(Arc::clone(&stage.problem)), &reason, SkipKind::Limit);
                break;
            }
            let drawn = at + random.below(configs.len() - at);
            configs.swap(at, drawn);
            points.extend(self.point(stage, &configs[at]));
        }
        points
    }

    fn point(&mut self, stage: &Stage, config: &Arc<Config>) -> Option<Point> {
        let subject = || Subject::Config(Arc::clone(&stage.problem), Arc::clone(config));
        let accepted = match stage.accept(config, self.device) {
            Ok(accepted) => accepted,
            Err(misfit) => {
                self.skip(stage.family, subject(), &String::from(misfit), SkipKind::Config);
                return None;
            }
        };
        if let Some(first) = self.seen.get(&accepted.experiment_id) {
            let reason = format!("the same code is already planned as `{first}`");
            self.skip(stage.family, subject(), &reason, SkipKind::Duplicate);
            return None;
        }
        self.seen.insert(accepted.experiment_id.clone(), Arc::clone(config));
        Some(stage.point(config, accepted, self.device))
    }

    /// The dense rival in its default configuration, and the vendor library where one was named: each under every setting of the board that `points` name, since
    /// only kernels under the same clocks are rivals.
    fn baselines(&mut self, stage: &Stage, points: &[Point]) -> Vec<Point> {
        let Some(dense) = stage.family.baseline(&stage.problem) else { return Vec::new() };
        let vendor = self.vendor.then(|| Problem { family: VENDOR.to_owned(), ..dense.clone() });
        let of = stage.problem.id();
        let mut settings: Vec<&Point> = Vec::new();
        for point in points {
            if settings.iter().all(|known| known.limits != point.limits) {
                settings.push(point);
            }
        }
        let rivals = [Some(dense), vendor].into_iter().flatten();
        rivals.flat_map(|rival| self.rivals(rival, &of, (stage.cache, &settings))).collect()
    }

    fn rivals(&mut self, rival: Problem, of: &str, (cache, settings): (CacheMode, &[&Point])) -> Vec<Point> {
        let Some(family) = tilecast_kernels::family(&rival.family) else { return Vec::new() };
        if let Err(misfit) = check_dtype(family, rival.dtype, self.device) {
            self.skip(family, Subject::Space(Arc::new(rival)), &misfit.to_string(), SkipKind::Problem);
            return Vec::new();
        }
        let stage = Stage::new(family, rival, (cache, true), self.device);
        let mut points = Vec::new();
        for like in settings {
            let config = Arc::new(limits::under((*stage.default).clone(), &like.config));
            match stage.accept(&config, self.device) {
                Ok(accepted) => points.push(Point {
                    key: stable_id(&[&accepted.experiment_id, of]),
                    role: Role::Baseline { of: of.to_owned() },
                    ..stage.point(&config, accepted, self.device)
                }),
                Err(misfit) => {
                    let subject = Subject::Config(Arc::clone(&stage.problem), Arc::clone(&config));
                    self.skip(family, subject, &misfit.to_string(), SkipKind::Config);
                }
            }
        }
        points
    }

    fn skip(&mut self, family: &dyn Family, subject: Subject, reason: &str, kind: SkipKind) {
        let reason = self.reasons.get_or_insert_with(reason, |reason| Arc::from(reason)).clone();
        self.skipped.push(Skip { family: family.card().id, subject, reason, kind });
    }
}

/// The family's knobs with the values the spec names, checked against each other only by the family itself; and the settings of the board that the spec names.
fn chosen_knobs(entry: &Entry, device: &DeviceInfo) -> Vec<Parameter> {
    let mut knobs = entry.family.knobs(device);
    knobs.extend(limits::knobs(device));
    for knob in &mut knobs {
        if let Some((_, values)) = entry.knobs.iter().find(|(name, _)| name == knob.name) {
            knob.values.clone_from(values);
        }
    }
    knobs.retain(|knob| !knob.values.is_empty() || !limits::is_limit(knob.name));
    knobs
}

fn show(axes: &[(String, Value)]) -> String {
    axes.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(" ")
}
