//! A store's frame, its scores and recommendations become the input of a page.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::path::Path;

use polars::prelude::DataFrame;
use tilecast_kernels::Roof;
use tilecast_models::{
    Dataset, EvaluateOptions, Evaluation, FitOptions, ModelError, Preset, Split, Target, evaluate, fit_train, importance,
};
use tilecast_reports::PageInput;
use tilecast_reports::input::{FamilyWords, Importance, Overhead, ParityPoint, PlanSkip, Provenance, Recommendation};
use tilecast_runs::frame::{open_columns, reals, texts};
use tilecast_runs::journal::{Entry, Header};
use tilecast_runs::schema::{KNOB, PROBLEM, ROOF, col};

use crate::campaign::CampaignEnd;
use crate::fail::Fail;
use crate::plan::SkipCount;
use crate::terminal::significant;

/// Splits shown on a page, as far as the data allows.
const SPLITS: [Split; 3] = [Split::Shape, Split::Config, Split::Rows];
/// Models shown on it.
const PRESETS: [Preset; 3] = [Preset::Default, Preset::Gpperf, Preset::Roofline];

/// What a page is made from.
#[derive(Debug)]
pub struct Material<'a> {
    /// Title.
    pub title: String,
    /// Rows.
    pub frame: &'a DataFrame,
    /// Those of them that models are fitted on and scored with: never what was measured to judge a recommendation.
    pub learned: &'a DataFrame,
    /// What was recommended, where something was.
    pub recommendations: Vec<Recommendation>,
    /// Where the wall time of the sweep went, where it is known.
    pub overhead: Vec<Overhead>,
    /// Headers of the runs' journals, as far as there are any; the last one's spec is shown.
    pub headers: Vec<Header>,
    /// Commands that make the page again.
    pub commands: Vec<String>,
    /// Start of the command that measures one point again; its family and values are appended.
    pub point_command: Option<String>,
    /// Seed of models.
    pub seed: u64,
}

/// Scores the models and gathers everything else. Splits that the data does not allow are left out, and named in the notes.
///
/// # Errors
/// [`Fail`] where the frame is not one of runs.
pub fn page_input(material: Material<'_>) -> Result<(PageInput, Vec<String>), Fail> {
    let Material { frame, learned, .. } = material;
    let (evaluation, notes) = scores(learned, material.seed);
    let labels = Labels::of(learned)?;
    let importance = held_out_importance(learned, material.seed).unwrap_or_default();
    let provenance = provenance(&material)?;
    let input = PageInput {
        title: material.title,
        frame: frame.clone(),
        families: families(frame)?,
        scores: evaluation.scores.clone(),
        parity: evaluation
            .parity
            .iter()
            .filter(|point| point.preset == Preset::Default)
            .map(|point| labels.point(point))
            .collect(),
        importance,
        importance_unit: "increase of mean absolute percentage error on held-out problems when the column is shuffled".to_owned(),
        recommendations: material.recommendations,
        skips: skips(&material.headers),
        overhead: material.overhead,
        provenance,
        commands: material.point_command.map_or_else(|| Ok(BTreeMap::new()), |start| point_commands(frame, &start))?,
    };
    Ok((input, notes))
}

/// Where the time of a sweep went, for the page.
#[must_use]
pub fn overhead(end: &CampaignEnd) -> Vec<Overhead> {
    if end.wall_s == 0.0 {
        return Vec::new();
    }
    let busy = end.busy;
    let harness = end.overhead() * end.wall_s;
    [
        ("kernels", busy.kernel_s),
        ("verification", busy.verify_s),
        ("preparation", busy.prepare_s),
        ("cache flushes", busy.flush_s),
        ("roofs and sensors", busy.sensor_s),
        ("harness", harness),
    ]
    .into_iter()
    .map(|(part, seconds)| Overhead { part: part.to_owned(), seconds })
    .collect()
}

/// The roofs stored in the rows of `frame`, from its first row that has them: a model is asked with the roofs it was fitted with.
#[must_use]
pub fn roofs_of(frame: &DataFrame) -> Vec<Roof> {
    let names = open_columns(frame, ROOF);
    let value = |name: &str| reals(frame, name).ok()?.into_iter().flatten().next();
    let ends = |name: &&String| !name.ends_with("_low") && !name.ends_with("_high");
    names
        .iter()
        .filter(ends)
        .filter_map(|name| {
            let (low, high) = (value(&format!("{name}_low")), value(&format!("{name}_high")));
            let best = value(name)?;
            Some(Roof {
                name: name.strip_prefix(ROOF)?.to_owned(),
                value: best,
                low: low.unwrap_or(best),
                high: high.unwrap_or(best),
            })
        })
        .collect()
}

/// Header of the sealed or open journal of `run_id`.
#[must_use]
pub fn journal_header(store: &Path, run_id: &str) -> Option<Header> {
    let name = format!("{run_id}.jsonl");
    let paths = [store.join("journal/sealed").join(&name), store.join("journal").join(&name)];
    let file = paths.iter().find_map(|path| std::fs::File::open(path).ok())?;
    let line = std::io::BufReader::new(file).lines().next()?.ok()?;
    match serde_json::from_str(&line).ok()? {
        Entry::Header(header) => Some(header),
        Entry::Sample(_) | Entry::Result(_) => None,
    }
}

fn scores(frame: &DataFrame, seed: u64) -> (Evaluation, Vec<String>) {
    let mut all = Evaluation { scores: Vec::new(), parity: Vec::new(), duplicates: 0, unusable: 0 };
    let mut notes = Vec::new();
    for split in SPLITS {
        let options = EvaluateOptions { presets: PRESETS.to_vec(), splits: vec![split], seed, ..EvaluateOptions::default() };
        match evaluate(frame, &options) {
            Ok(found) => {
                all.scores.extend(found.scores);
                all.parity.extend(found.parity);
                (all.duplicates, all.unusable) = (found.duplicates, found.unusable);
            }
            Err(error) => notes.push(format!("no scores for the split `{split}`: {error}")),
        }
    }
    (all, notes)
}

/// Importance on problems the model was not fitted on; nothing where there are too few.
fn held_out_importance(frame: &DataFrame, seed: u64) -> Result<Vec<Importance>, ModelError> {
    let data = Dataset::new(frame, Target::Time)?;
    let folds = Split::Shape.folds(&data, None, seed)?;
    let Some(fold) = folds.first() else { return Ok(Vec::new()) };
    let (train, test) = fold.halves(&data)?;
    let predictor = fit_train(&train, &FitOptions { seed, ..FitOptions::default() })?;
    let columns = importance(&predictor, test.frame(), seed)?;
    Ok(columns.iter().map(Importance::from).collect())
}

/// Texts by which rows of the frame are named on the page.
struct Labels {
    problems: Vec<Option<String>>,
    configs: Vec<Option<String>>,
    experiments: Vec<Option<String>>,
}

impl Labels {
    fn of(frame: &DataFrame) -> Result<Self, Fail> {
        Ok(Self {
            problems: column(frame, col::problem)?,
            configs: column(frame, col::config)?,
            experiments: column(frame, col::experiment_id)?,
        })
    }

    fn point(&self, point: &tilecast_models::Parity) -> ParityPoint {
        let text = |texts: &[Option<String>]| texts.get(point.row).cloned().flatten().unwrap_or_default();
        let label = format!("{} {}", text(&self.problems), text(&self.configs));
        ParityPoint::new(point, label, text(&self.experiments))
    }
}

fn column(frame: &DataFrame, name: &str) -> Result<Vec<Option<String>>, Fail> {
    Ok(texts(frame, name)?)
}

/// The families' own words, for families of ours in the frame, in the order they are listed.
fn families(frame: &DataFrame) -> Result<Vec<FamilyWords>, Fail> {
    let present = column(frame, col::family)?;
    let known = tilecast_kernels::registry()
        .iter()
        .map(|family| family.card())
        .filter(|card| present.iter().flatten().any(|id| id == card.id));
    Ok(known
        .map(|card| FamilyWords {
            id: card.id.to_owned(),
            title: card.title.to_owned(),
            math: card.math.to_owned(),
            look_at: card.look_at.to_owned(),
            references: card.references.iter().map(|&reference| reference.to_owned()).collect(),
        })
        .collect())
}

fn provenance(material: &Material<'_>) -> Result<Provenance, Fail> {
    let Material { frame, learned, seed, .. } = *material;
    let first = |name| Ok::<_, Fail>(column(frame, name)?.into_iter().flatten().next().unwrap_or_default());
    let data = Dataset::new(learned, Target::Time).and_then(|data| fit_train(&data.into_train(), &fingerprint_options(seed)));
    Ok(Provenance {
        device: first(col::device_name)?,
        host: first(col::host)?,
        os: first(col::os)?,
        driver: first(col::driver)?,
        clocks: clocks(frame)?,
        version: first(col::tool_version)?,
        spec_name: first(col::spec)?,
        spec_text: material.headers.last().map(|header| header.spec_text.clone()).unwrap_or_default(),
        spec_hash: first(col::sweep_id)?,
        data_hash: data.map(|predictor| predictor.fingerprint().to_owned()).unwrap_or_default(),
        seed: seed.to_string(),
        started_at: column(frame, col::measured_at)?.into_iter().flatten().min().unwrap_or_default(),
        commands: material.commands.clone(),
    })
}

/// The clocks seen while measuring and what became of locks that were asked for; empty where no clock can be read.
fn clocks(frame: &DataFrame) -> Result<String, Fail> {
    let seen: Vec<f64> = reals(frame, col::clock_hz)?.into_iter().flatten().map(|hertz| hertz / 1e9).collect();
    let ends = seen.iter().copied().reduce(f64::min).zip(seen.iter().copied().reduce(f64::max));
    let range = ends.map(|(low, high)| format!("{} to {} GHz while measuring", significant(low), significant(high)));
    let locks: BTreeSet<String> = column(frame, col::clocks_locked)?.into_iter().flatten().collect();
    let locks = (!locks.is_empty()).then(|| format!("locks {}", locks.into_iter().collect::<Vec<_>>().join(", ")));
    Ok([range, locks].into_iter().flatten().collect::<Vec<_>>().join(", "))
}

/// What the plans of these runs left out. The same sweep measured again leaves out the same, once.
fn skips(headers: &[Header]) -> Vec<PlanSkip> {
    // Journals of older versions say nothing of skips.
    let told = |header: &Header| serde_json::from_value::<Vec<SkipCount>>(header.meta.get("skips")?.clone()).ok();
    let mut all: BTreeMap<(String, String), PlanSkip> = BTreeMap::new();
    let mut plans = Vec::new();
    for header in headers {
        let plan = (&header.spec_text, &header.device, told(header).unwrap_or_default());
        if plans.contains(&plan) {
            continue;
        }
        for SkipCount { family, reason, example, count, .. } in plan.2.clone() {
            let first = PlanSkip { family: family.clone(), config: example, reason: reason.clone(), count: 0 };
            all.entry((family, reason)).or_insert(first).count += count;
        }
        plans.push(plan);
    }
    all.into_values().collect()
}

/// The cheapest model: only the fingerprint of its data is wanted.
fn fingerprint_options(seed: u64) -> FitOptions {
    FitOptions { preset: Preset::Roofline, seed, ..FitOptions::default() }
}

/// `experiment_id` → the command that measures the point again.
fn point_commands(frame: &DataFrame, start: &str) -> Result<BTreeMap<String, String>, Fail> {
    let rows = tilecast_runs::frame::to_rows(frame)?;
    let command = |row: &tilecast_runs::row::Row| {
        let experiment = row.text(col::experiment_id)?.to_owned();
        let family = row.text(col::family)?;
        let values = row.0.iter().filter_map(|(name, cell)| {
            let short = name.strip_prefix(PROBLEM).or_else(|| name.strip_prefix(KNOB))?;
            let value = serde_json::to_value(cell).ok()?;
            let word = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            Some(format!(" --axis {short}={word}"))
        });
        Some((experiment, format!("{start} --family {family}{}", values.collect::<String>())))
    };
    Ok(rows.iter().filter_map(command).collect())
}

/// Writes the page of `input`.
///
/// # Errors
/// [`Fail`] in the words of the report.
pub fn page(input: &PageInput) -> Result<String, Fail> {
    Ok(tilecast_reports::page(input)?)
}
