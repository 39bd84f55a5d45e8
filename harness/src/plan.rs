//! Sweep + device → the points that will be measured, and those that cannot be, with reasons. Pure: touches no clock, file or environment;
//! a family that relies on a library of the machine looks for it itself.
//!
//! Points and skips share their problem and configuration, and texts are made where they are shown: a plan of 100,000 points is made in
//! under a second.

mod estimate;
mod planner;

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::Arc;

use polars::prelude::{PlHashMap, PlHashSet};
use serde::{Deserialize, Serialize};
use tilecast_kernels::devices::cuda::CudaProgram;
use tilecast_kernels::devices::cuda::power::{Wish, limits};
use tilecast_kernels::{CacheMode, Config, DeviceInfo, DeviceKind, Family, Problem, Work};

use crate::spec::{Measure, Sweep};

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
    pub problem: Arc<Problem>,
    /// Configuration as asked.
    pub config: Arc<Config>,
    /// Clocks and power limit that it asks of the board.
    pub limits: Wish,
    /// What really runs.
    pub effective: Config,
    /// True for the family's default configuration on a board that is left as it is.
    pub is_default: bool,
    /// Why it is here.
    pub role: Role,
    /// FLOP and bytes.
    pub work: Work,
}

impl Point {
    /// The family of the problem.
    ///
    /// # Panics
    /// Never for a planned point: its family is in the registry.
    #[must_use]
    pub fn family(&self) -> &'static dyn Family {
        tilecast_kernels::family(&self.problem.family).expect("planned points come from the registry")
    }

    /// The configuration as the family knows it: without clocks and power limit of the board.
    #[must_use]
    pub fn kernel(&self) -> Cow<'_, Config> {
        limits::kernel(&self.config)
    }

    /// Writes the id of the code that runs: what the compiler is given where there is one, else family, type and effective configuration.
    fn code(&self, device: &DeviceInfo, id: &mut String) {
        let source = self.family().cuda().filter(|_| device.kind == DeviceKind::Cuda);
        let effective = limits::kernel(&self.effective);
        match source.map(|source| source.program(&self.problem, &effective, device)) {
            Some(CudaProgram::Compiled(compiled)) => id.push_str(&compiled.unit.id()),
            _ => {
                write!(id, "{} {} {effective}", self.problem.family, self.problem.dtype).expect("a string takes what it is given")
            }
        }
    }
}

/// What cannot run, and why.
#[derive(Clone, Debug)]
pub struct Skip {
    /// Family.
    pub family: &'static str,
    /// What it is about.
    pub subject: Subject,
    /// Subject, value, limit.
    pub reason: Arc<str>,
    /// What kind of skip it is.
    pub kind: SkipKind,
}

/// What a skip is about.
#[derive(Clone, Debug)]
pub enum Subject {
    /// Axes that make no problem.
    Axes(String),
    /// A problem's space.
    Space(Arc<Problem>),
    /// One configuration.
    Config(Arc<Problem>, Arc<Config>),
}

impl Skip {
    /// The problem in words.
    #[must_use]
    pub fn problem(&self) -> String {
        match &self.subject {
            Subject::Axes(axes) => axes.clone(),
            Subject::Space(problem) | Subject::Config(problem, _) => problem.to_string(),
        }
    }

    /// The configuration in words; empty where the skip is not about one.
    #[must_use]
    pub fn config(&self) -> String {
        match &self.subject {
            Subject::Config(_, config) => config.to_string(),
            Subject::Axes(_) | Subject::Space(_) => String::new(),
        }
    }
}

/// Kinds of skip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
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

/// Skips of one family, kind and reason.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct SkipCount {
    /// Family.
    pub family: String,
    /// Kind.
    pub kind: SkipKind,
    /// Subject, value, limit.
    pub reason: String,
    /// One of what was skipped.
    pub example: String,
    /// How many.
    pub count: usize,
}

impl Plan {
    /// Plans `sweep` on `device`.
    #[must_use]
    pub fn new(sweep: &Sweep, device: &DeviceInfo) -> Self {
        planner::plan(sweep, device)
    }

    /// All points, in the order of their groups.
    pub fn points(&self) -> impl Iterator<Item = (&Group, &Point)> {
        self.groups.iter().flat_map(|group| group.points.iter().map(move |point| (group, point)))
    }

    /// What leaves no row in a store: problems refused, duplicates, spaces sampled. A configuration refused is a row with its reason.
    #[must_use]
    pub fn left_out(&self) -> Vec<SkipCount> {
        let mut counts: BTreeMap<(&str, SkipKind, &str), SkipCount> = BTreeMap::new();
        for skip in self.skipped.iter().filter(|skip| skip.kind != SkipKind::Config) {
            // Each duplicate names what it repeats: as many reasons as there are first ones.
            let reason: &str = if skip.kind == SkipKind::Duplicate { "the same code is already planned" } else { &skip.reason };
            let first = || SkipCount {
                family: skip.family.to_owned(),
                kind: skip.kind,
                reason: reason.to_owned(),
                example: Some(skip.config()).filter(|config| !config.is_empty()).unwrap_or_else(|| skip.problem()),
                count: 0,
            };
            counts.entry((skip.family, skip.kind, reason)).or_insert_with(first).count += 1;
        }
        counts.into_values().collect()
    }

    /// Counts for people and machines.
    #[must_use]
    pub fn summary(&self, device: &DeviceInfo, measure: &Measure, assumed_flop_per_s: f64) -> Summary {
        let asked = || self.points().map(|(_, point)| point).filter(|point| point.role == Role::Point);
        let (mut code, mut id) = (PlHashSet::<String>::default(), String::new());
        for point in asked() {
            id.clear();
            point.code(device, &mut id);
            code.get_or_insert_with(id.as_str(), str::to_owned);
        }
        let experiments: PlHashSet<&str> = asked().map(|p| p.experiment_id.as_str()).collect();
        let flop: f64 = self.points().map(|(_, p)| p.work.executed_flop).sum();
        let points = asked().count();
        let mut skipped: PlHashMap<&str, usize> = PlHashMap::default();
        for skip in &self.skipped {
            *skipped.entry(&*skip.reason).or_default() += 1;
        }
        Summary {
            points,
            baselines: self.points().count() - points,
            problems: self.groups.len(),
            skipped: self.skipped.len(),
            skipped_by_reason: skipped.into_iter().map(|(reason, count)| (reason.to_owned(), count)).collect(),
            distinct_code: code.len(),
            distinct_experiments: experiments.len(),
            flop_per_pass: flop,
            estimate_s: estimate::Protocol { measure, flop_per_s: assumed_flop_per_s, device }.seconds(self),
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
    /// Different kernels: on a GPU different texts and definitions for the compiler, on a CPU family, type and effective configuration.
    pub distinct_code: usize,
    /// Different experiments; equals `points` by construction.
    pub distinct_experiments: usize,
    /// FLOP of calling every point once.
    pub flop_per_pass: f64,
    /// Rough duration: samples, warm-up, verification and roofs; `docs/measuring.md` says what is left out.
    pub estimate_s: f64,
    /// Rate the estimate assumes.
    pub assumed_flop_per_s: f64,
}
