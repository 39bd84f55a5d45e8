//! Which configuration to use for a problem: predicted over the whole space, then measured for the best few beside the default.

use std::collections::HashMap;

use polars::prelude::DataFrame;
use tilecast_kernels::{CacheMode, Device, DeviceInfo, Dtype, EnergySource, Family, Roof, Value};
use tilecast_models::{Predictor, Ranked, rank};
use tilecast_runs::frame;
use tilecast_runs::row::Row;
use tilecast_runs::schema::col;
use tilecast_runs::store::{Read, Store};

use crate::campaign::{Again, Campaign, CampaignEnd};
use crate::clock;
use crate::fail::Fail;
use crate::plan::{Group, Plan, Point};
use crate::progress::{Progress, Show};
use crate::record::{self, RunFacts};
use crate::spec::{Baseline, Entry, Measure, Sweep};
use crate::verbs::sweep::{start_session, watch_interrupts};

/// Configurations a recommendation looks at; larger spaces are sampled with the seed.
const CANDIDATES: usize = 50_000;

/// What is asked: a family, a problem.
pub struct Question {
    /// Family.
    pub family: &'static dyn Family,
    /// Element type.
    pub dtype: Dtype,
    /// Axes.
    pub axes: Vec<(String, Value)>,
    /// Knob values the space is cut down to.
    pub knobs: Vec<(String, Vec<Value>)>,
    /// Cache mode.
    pub cache: CacheMode,
    /// Seed.
    pub seed: u64,
    /// How the best are measured.
    pub measure: Measure,
}

impl Question {
    /// The question as a sweep over the whole space.
    #[must_use]
    pub fn sweep(&self) -> Sweep {
        let entry = Entry {
            family: self.family,
            dtypes: vec![self.dtype],
            problems: vec![self.axes.clone()],
            knobs: self.knobs.clone(),
            limit: Some(CANDIDATES),
            baseline: Baseline::Omitted,
        };
        Sweep {
            name: "recommend".to_owned(),
            device: None,
            cache: vec![self.cache],
            seed: self.seed,
            measure: self.measure,
            entries: vec![entry],
            blas: None,
        }
    }
}

/// A ranking over the space of a problem.
#[derive(Debug)]
pub struct Advice {
    /// Cache mode.
    pub cache: CacheMode,
    /// The family's default.
    pub default: Point,
    /// What is predicted of it; nothing where the model wants clocks to be named, which a default leaves alone.
    pub of_default: Option<Ranked>,
    /// Best prediction first.
    pub ranked: Vec<(Point, Ranked)>,
    /// Configurations looked at.
    pub candidates: usize,
}

/// Ranks the space of `question` on `device`; keeps the best `top`.
///
/// # Errors
/// [`Fail`] where no configuration fits or the model was fitted to other columns.
pub fn advise(predictor: &Predictor, question: &Question, facts: &RunFacts, top: usize) -> Result<Advice, Fail> {
    let plan = Plan::new(&question.sweep(), &facts.device);
    let points: Vec<&Point> = plan.points().map(|(_, point)| point).collect();
    if points.is_empty() {
        crate::verbs::plan::refuse_empty(&plan)?;
    }
    let frame = asked_frame(points.iter().copied(), facts, question.cache)?;
    let ranked = rank(predictor, &frame, top)?;
    let ranked = ranked.into_iter().map(|ranked| (points[ranked.row].clone(), ranked)).collect();
    let default = default_point(question, facts)?;
    let alone = asked_frame([&default].into_iter(), facts, question.cache)?;
    let of_default = rank(predictor, &alone, 1).ok().and_then(|mut ranked| ranked.pop());
    Ok(Advice { cache: question.cache, default, of_default, ranked, candidates: points.len() })
}

/// The family's default configuration as a point of its own, whether or not the space swept holds it.
fn default_point(question: &Question, facts: &RunFacts) -> Result<Point, Fail> {
    let problem = question.family.problem(question.dtype, &question.axes, question.seed)?;
    let config = question.family.default_config(&problem, &facts.device);
    let knobs = config.0.0.iter().map(|(name, value)| (name.clone(), vec![value.clone()])).collect();
    let mut sweep = question.sweep();
    sweep.entries[0].knobs = knobs;
    let plan = Plan::new(&sweep, &facts.device);
    plan.points()
        .map(|(_, point)| point.clone())
        .next()
        .ok_or_else(|| Fail::new(format!("the default configuration `{config}` does not fit `{problem}`")))
}

/// A plan of the first `top` ranked points and the default.
fn remeasure_plan(advice: &Advice, top: usize) -> Plan {
    let mut points = vec![advice.default.clone()];
    for (point, _) in advice.ranked.iter().take(top) {
        if points.iter().all(|known| known.key != point.key) {
            points.push(point.clone());
        }
    }
    Plan { groups: vec![Group { cache: advice.cache, points }], skipped: Vec::new() }
}

/// What came of measuring the best of an advice.
#[derive(Debug)]
pub struct Remeasured {
    /// Rows by experiment.
    pub rows: HashMap<String, Row>,
    /// How it ended: points that failed or that Ctrl-C left out have no time.
    pub end: CampaignEnd,
}

/// Measures the best `count` beside the default into `store`, on `device`.
///
/// # Errors
/// [`Fail`] where no worker starts or the store cannot be written.
pub fn measure_best(
    advice: &Advice,
    question: &Question,
    count: usize,
    store: &Store,
    (device, show): (&str, Show),
) -> Result<Remeasured, Fail> {
    let sweep = question.sweep();
    let plan = remeasure_plan(advice, count);
    let text = format!("# the best {count} of {} and the default, for {}", advice.candidates, advice.default.problem);
    let interrupted = watch_interrupts()?;
    let campaign = Campaign { sweep: &sweep, spec_text: &text, plan: &plan, store, again: Again::Measure, interrupted };
    let mut session = start_session(device, &sweep, None)?;
    let end = campaign.run(&mut session, &mut Progress::new(show))?;
    let contents = store.read(Read::default())?;
    Ok(Remeasured { rows: rows_of_run(&contents.frame, &end.run_id)?, end })
}

/// Rows of `frame` that belong to run `run_id`, by experiment.
///
/// # Errors
/// [`Fail`] where the frame does not have the schema's columns.
fn rows_of_run(frame: &DataFrame, run_id: &str) -> Result<HashMap<String, Row>, Fail> {
    let rows = frame::to_rows(frame)?;
    let of_run = rows.into_iter().filter(|row| row.text(col::run_id) == Some(run_id));
    Ok(of_run.filter_map(|row| Some((row.text(col::experiment_id)?.to_owned(), row))).collect())
}

/// The points as a frame without outcomes: what a predictor reads.
///
/// # Errors
/// [`Fail`] where a row does not have the schema's columns, which is a defect.
pub fn asked_frame<'a>(points: impl Iterator<Item = &'a Point>, facts: &RunFacts, cache: CacheMode) -> Result<DataFrame, Fail> {
    let rows: Vec<Row> = points.map(|point| record::asked(facts, point, cache)).collect();
    Ok(frame::from_rows(&rows)?)
}

/// Facts for rows that are predicted on `device`, with roofs measured now.
#[must_use]
pub fn facts_here(device: &dyn Device, name: &str, seed: u64) -> RunFacts {
    predicted_facts(device.info().clone(), device.energy_source(), device.roofs(), (name, seed))
}

/// Facts for rows that are predicted.
#[must_use]
pub fn predicted_facts(device: DeviceInfo, energy: EnergySource, roofs: Vec<Roof>, (name, seed): (&str, u64)) -> RunFacts {
    RunFacts {
        run_id: "predicted".to_owned(),
        sweep_id: "predicted".to_owned(),
        spec: name.to_owned(),
        seed,
        host: clock::host(),
        device,
        energy,
        roofs,
    }
}
