//! What a page is made of: plain data, gathered by the caller. Nothing here is read from a clock, a file or the machine.

use std::collections::BTreeMap;

use polars::prelude::DataFrame;
use tilecast_models::{ColumnImportance, Parity, Score};

/// Everything a page shows.
///
/// `frame` holds the runs with the columns of [`tilecast_runs::schema`]; the rest may be empty, and a section appears only
/// where its data exists.
#[derive(Clone, Debug, Default)]
pub struct PageInput {
    /// Name of what was swept, in the user's words.
    pub title: String,
    /// One row per run: measured, failed, skipped or imported. Rows of source `predicted` are left out.
    pub frame: DataFrame,
    /// The families' own words, in the order their sections appear.
    pub families: Vec<FamilyWords>,
    /// Scores of models, one per target, split and preset.
    pub scores: Vec<Score>,
    /// Held-out rows with their prediction.
    pub parity: Vec<ParityPoint>,
    /// Features of the model that is recommended from, in any order.
    pub importance: Vec<Importance>,
    /// What the importance values are (`increase of MAPE when permuted`).
    pub importance_unit: String,
    /// One entry per problem that was asked for.
    pub recommendations: Vec<Recommendation>,
    /// What the plan left out without a row, by reason.
    pub skips: Vec<PlanSkip>,
    /// Where the wall time of the sweep went.
    pub overhead: Vec<Overhead>,
    /// Where the page comes from.
    pub provenance: Provenance,
    /// `experiment_id` → the command that measures this point again; a click on the point copies it.
    pub commands: BTreeMap<String, String>,
}

/// A family in its own words.
#[derive(Clone, Debug, Default)]
pub struct FamilyWords {
    /// Name as in the column `family`.
    pub id: String,
    /// Name for people.
    pub title: String,
    /// The definition, as plain text.
    pub math: String,
    /// What to look at in its figures, and what not to conclude.
    pub look_at: String,
    /// Papers and documents.
    pub references: Vec<String>,
}

/// One held-out row.
#[derive(Clone, Debug, Default)]
pub struct ParityPoint {
    /// Split it was held out by.
    pub split: String,
    /// Preset that predicted it.
    pub preset: String,
    /// Measured time per call, s.
    pub actual_s: f64,
    /// Predicted time per call, s.
    pub predicted_s: f64,
    /// Its 90 % interval, s.
    pub interval: Option<(f64, f64)>,
    /// Problem and configuration, for the hover text.
    pub label: String,
    /// `experiment_id` of the row.
    pub row: String,
}

impl ParityPoint {
    /// A test row of an evaluation of times, with what the frame says of it: `label` for people and its `experiment_id`.
    #[must_use]
    pub fn new(parity: &Parity, label: String, row: String) -> Self {
        Self {
            split: parity.split.name().into(),
            preset: parity.preset.name().into(),
            actual_s: parity.actual,
            predicted_s: parity.predicted,
            interval: parity.lo.zip(parity.hi),
            label,
            row,
        }
    }
}

/// One feature of a model.
#[derive(Clone, Debug, Default)]
pub struct Importance {
    /// Feature name (`knob.tile_m`).
    pub feature: String,
    /// Increase of the error when the feature is permuted, or what [`PageInput::importance_unit`] says.
    pub value: f64,
    /// Lower and upper end over repeats.
    pub interval: Option<(f64, f64)>,
}

impl From<&ColumnImportance> for Importance {
    fn from(one: &ColumnImportance) -> Self {
        Self { feature: one.column.clone(), value: one.increase, interval: None }
    }
}

/// A time with its interval.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Estimate {
    /// Time per call, s.
    pub seconds: f64,
    /// Lower and upper end, s; what interval it is, is said where it is made.
    pub interval: Option<(f64, f64)>,
}

/// One configuration of a ranking.
#[derive(Clone, Debug, Default)]
pub struct Candidate {
    /// Stable text form, as in the column `config`.
    pub config: String,
    /// What the model says.
    pub predicted: Option<Estimate>,
    /// What the re-measurement says.
    pub measured: Option<Estimate>,
}

/// What is recommended for one problem, and how it did.
#[derive(Clone, Debug, Default)]
pub struct Recommendation {
    /// Kernel family.
    pub family: String,
    /// Stable text form of the problem.
    pub problem: String,
    /// True where the model saw no row of this problem.
    pub held_out: bool,
    /// The configuration in use without tilecast.
    pub default: Option<Candidate>,
    /// The configuration to use.
    pub recommended: Candidate,
    /// The first k of the ranking, best prediction first.
    pub top: Vec<Candidate>,
    /// The fastest of an exhaustive sweep of this problem, where there was one.
    pub exhaustive: Option<Candidate>,
}

/// What the plan left out for one reason and stored no row of: problems, configurations, or spaces of which a sample was drawn.
#[derive(Clone, Debug, Default)]
pub struct PlanSkip {
    /// Kernel family.
    pub family: String,
    /// One of them, in words.
    pub config: String,
    /// Subject, value, limit.
    pub reason: String,
    /// How many.
    pub count: usize,
}

/// One part of the wall time of a sweep.
#[derive(Clone, Debug, Default)]
pub struct Overhead {
    /// `kernels`, `verification`, `journal` …
    pub part: String,
    /// Seconds of it.
    pub seconds: f64,
}

/// Where the page comes from. Empty strings are left out.
#[derive(Clone, Debug, Default)]
pub struct Provenance {
    /// Device name as the device gives it.
    pub device: String,
    /// Host name.
    pub host: String,
    /// Operating system and kernel.
    pub os: String,
    /// Driver version.
    pub driver: String,
    /// What is known of clocks (`1.2 to 1.8 GHz while measuring, locks held`).
    pub clocks: String,
    /// Version of tilecast.
    pub version: String,
    /// File name of the spec.
    pub spec_name: String,
    /// The spec, whole.
    pub spec_text: String,
    /// Its hash.
    pub spec_hash: String,
    /// Hash of the rows that the page's models were fitted on.
    pub data_hash: String,
    /// Seed of data and order.
    pub seed: String,
    /// When the sweep started, RFC 3339.
    pub started_at: String,
    /// Commands that make this page again, in order.
    pub commands: Vec<String>,
}
