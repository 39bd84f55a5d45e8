//! A frame of runs read once into plain rows. From here on nothing is missing, mistyped or mixed.

use std::collections::BTreeMap;

use polars::prelude::{DataFrame, DataType};
use tilecast_runs::schema::{self, col};

use crate::error::ReportError;
use crate::input::Estimate;

/// A problem axis, a knob or a roof.
#[derive(Clone, Debug, PartialEq, PartialOrd)]
pub(crate) enum Value {
    Number(f64),
    Text(String),
}

impl Value {
    pub(crate) fn number(&self) -> Option<f64> {
        match self {
            Self::Number(value) => Some(*value),
            Self::Text(_) => None,
        }
    }

    pub(crate) fn label(&self) -> String {
        match self {
            Self::Number(value) => format!("{value}"),
            Self::Text(text) => text.clone(),
        }
    }
}

/// Where the times of a page come from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Origin {
    Measured,
    Imported(String),
    Simulated,
}

impl Origin {
    fn of(source: &str) -> Self {
        match source.strip_prefix("import:") {
            Some(tool) => Self::Imported(tool.to_owned()),
            None if source == "vgpu" => Self::Simulated,
            None => Self::Measured,
        }
    }
}

/// What a row is for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Point,
    Reference,
    /// The dense rival of the problem with this id.
    Baseline(String),
}

/// How a run ended.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Outcome {
    /// Time per call and its interval.
    Timed(Estimate),
    /// Not a usable time.
    Failed { status: String, reason: String },
}

/// One row.
#[derive(Clone, Debug)]
pub(crate) struct Run {
    pub(crate) experiment_id: String,
    pub(crate) origin: Origin,
    pub(crate) device: String,
    pub(crate) device_name: String,
    pub(crate) family: String,
    pub(crate) problem_id: String,
    pub(crate) problem: String,
    pub(crate) dtype: String,
    pub(crate) config: String,
    pub(crate) is_default: bool,
    pub(crate) role: Role,
    pub(crate) cache_mode: String,
    pub(crate) axes: BTreeMap<String, Value>,
    pub(crate) knobs: BTreeMap<String, Value>,
    pub(crate) roofs: BTreeMap<String, f64>,
    pub(crate) outcome: Outcome,
    numbers: BTreeMap<&'static str, f64>,
    texts: BTreeMap<&'static str, String>,
}

impl Run {
    /// Time per call in seconds, where there is a usable one.
    pub(crate) fn seconds(&self) -> Option<f64> {
        self.estimate().map(|estimate| estimate.seconds)
    }

    pub(crate) fn estimate(&self) -> Option<Estimate> {
        match &self.outcome {
            Outcome::Timed(estimate) => Some(*estimate),
            Outcome::Failed { .. } => None,
        }
    }

    /// Whether the point was run at all: a configuration that cannot run did not fail.
    pub(crate) fn ran(&self) -> bool {
        !matches!(&self.outcome, Outcome::Failed { status, .. } if NEVER_RUN.contains(&status.as_str()))
    }

    /// A fixed numeric column.
    pub(crate) fn number(&self, name: &str) -> Option<f64> {
        self.numbers.get(name).copied()
    }

    /// A fixed text column.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.texts.get(name).map(String::as_str)
    }

    /// Useful FLOP per second.
    pub(crate) fn flop_per_s(&self) -> Option<f64> {
        Some(self.number(col::useful_flop)? / self.seconds()?)
    }

    /// Useful FLOP per compulsory byte.
    pub(crate) fn intensity(&self) -> Option<f64> {
        let bytes = self.number(col::compulsory_bytes)?;
        (bytes > 0.0).then_some(self.number(col::useful_flop)? / bytes)
    }
}

/// Statuses under which a time may be shown and ranked; an imported run was never checked against an oracle of ours.
const USABLE: [&str; 2] = ["ok", "not_verified"];
/// Statuses of points that were refused before they ran.
const NEVER_RUN: [&str; 3] = ["constraint", "unsupported", "not_run"];
const NUMBERS: [&str; 25] = [
    col::useful_flop,
    col::dense_flop,
    col::compulsory_bytes,
    col::max_rel_err,
    col::err_bound_ratio,
    col::checked_share,
    col::quality_error,
    col::noise,
    col::samples,
    col::rounds,
    col::prepare_s,
    col::switches,
    col::contended_share,
    col::drift,
    col::energy_j,
    col::energy_uncertainty_j,
    col::power_w,
    col::clock_hz,
    col::device_threads,
    col::device_llc_bytes,
    col::registers,
    col::shared_static_bytes,
    col::shared_dynamic_bytes,
    col::occupancy,
    col::waves,
];
const TEXTS: [&str; 8] = [
    col::time_statistic,
    col::time_basis,
    col::stop_reason,
    col::energy_source,
    col::energy_reason,
    col::driver,
    col::tool_version,
    col::source_file,
];

/// Reads `frame`, leaving out predicted rows.
///
/// # Errors
/// No rows, nothing but predictions, `vgpu` beside anything else, or columns that do not fit the schema.
pub(crate) fn read(frame: &DataFrame) -> Result<Vec<Run>, ReportError> {
    let rows = frame.height();
    if rows == 0 {
        return Err(ReportError::Empty);
    }
    let columns = Columns::read(frame)?;
    let runs: Vec<Run> =
        (0..rows).filter(|&row| columns.must(col::source, row) != "predicted").map(|row| columns.run(row)).collect();
    if runs.is_empty() {
        return Err(ReportError::OnlyPredicted { rows });
    }
    refuse_mixture(&runs, &columns)?;
    Ok(runs)
}

fn refuse_mixture(runs: &[Run], columns: &Columns) -> Result<(), ReportError> {
    let simulated = runs.iter().filter(|run| run.origin == Origin::Simulated).count();
    if simulated == 0 || simulated == runs.len() {
        return Ok(());
    }
    let sources = columns.texts.get(col::source).into_iter().flatten().flatten();
    let other = sources.into_iter().find(|source| *source != "vgpu" && *source != "predicted").cloned().unwrap_or_default();
    Err(ReportError::MixedSources { simulated, others: runs.len() - simulated, other })
}

/// The columns of a frame in Rust vectors.
struct Columns {
    texts: BTreeMap<String, Vec<Option<String>>>,
    numbers: BTreeMap<String, Vec<Option<f64>>>,
}

impl Columns {
    fn read(frame: &DataFrame) -> Result<Self, ReportError> {
        for column in schema::COLUMNS.iter().filter(|column| column.required && needed(column.name)) {
            frame.column(column.name).map_err(|_| ReportError::MissingColumn {
                column: column.name,
                version: format!("{}.{}", schema::VERSION.0, schema::VERSION.1),
            })?;
        }
        let mut columns = Self { texts: BTreeMap::new(), numbers: BTreeMap::new() };
        for column in frame.columns() {
            let name = column.name().as_str();
            if column.dtype().is_list() || !(schema::is_open(name) || schema::column(name).is_some()) {
                continue;
            }
            if matches!(column.dtype(), DataType::String) {
                let texts = column.str()?.iter().map(|text| text.map(str::to_owned)).collect();
                columns.texts.insert(name.to_owned(), texts);
            } else {
                let numbers = column.cast(&DataType::Float64)?;
                columns.numbers.insert(name.to_owned(), numbers.f64()?.iter().collect());
            }
        }
        columns.check_kinds(frame)?;
        Ok(columns)
    }

    fn check_kinds(&self, frame: &DataFrame) -> Result<(), ReportError> {
        for column in schema::COLUMNS.iter().filter(|column| column.kind == schema::Kind::Text) {
            // A text column that is null throughout may arrive as any type.
            let numeric = self.numbers.get(column.name).is_some_and(|values| values.iter().any(Option::is_some));
            if numeric {
                let found = frame.column(column.name)?.dtype().to_string();
                return Err(ReportError::ColumnType { column: column.name.into(), found, expected: "text" });
            }
        }
        Ok(())
    }

    fn text(&self, name: &str, row: usize) -> Option<&String> {
        self.texts.get(name)?.get(row)?.as_ref()
    }

    fn must(&self, name: &str, row: usize) -> String {
        self.text(name, row).cloned().unwrap_or_default()
    }

    fn number(&self, name: &str, row: usize) -> Option<f64> {
        self.numbers.get(name)?.get(row).copied().flatten().filter(|value| value.is_finite())
    }

    fn run(&self, row: usize) -> Run {
        Run {
            experiment_id: self.must(col::experiment_id, row),
            origin: Origin::of(&self.must(col::source, row)),
            device: self.must(col::device, row),
            device_name: self.must(col::device_name, row),
            family: self.must(col::family, row),
            problem_id: self.must(col::problem_id, row),
            problem: self.must(col::problem, row),
            dtype: self.must(col::dtype, row),
            config: self.must(col::config, row),
            is_default: self.number(col::is_default, row).is_some_and(|flag| flag != 0.0),
            role: self.role(row),
            cache_mode: self.must(col::cache_mode, row),
            axes: self.open(schema::PROBLEM, row),
            knobs: self.open(schema::KNOB, row),
            roofs: self.open(schema::ROOF, row).into_iter().filter_map(|(name, roof)| Some((name, roof.number()?))).collect(),
            outcome: self.outcome(row),
            numbers: NUMBERS.into_iter().filter_map(|name| Some((name, self.number(name, row)?))).collect(),
            texts: TEXTS.into_iter().filter_map(|name| Some((name, self.text(name, row)?.clone()))).collect(),
        }
    }

    fn role(&self, row: usize) -> Role {
        match self.text(col::role, row).map(String::as_str) {
            Some("reference") => Role::Reference,
            Some("baseline") => Role::Baseline(self.must(col::baseline_of, row)),
            _ => Role::Point,
        }
    }

    /// The non-null values of the columns under `prefix`, by the rest of their names.
    fn open(&self, prefix: &str, row: usize) -> BTreeMap<String, Value> {
        // Names are sorted: those under a prefix lie together.
        let number =
            |(name, _): (&String, _)| Some((name.strip_prefix(prefix)?.to_owned(), Value::Number(self.number(name, row)?)));
        let text =
            |(name, _): (&String, _)| Some((name.strip_prefix(prefix)?.to_owned(), Value::Text(self.text(name, row)?.clone())));
        let under = |name: &String| name.starts_with(prefix);
        let numbers = self.numbers.range(prefix.to_owned()..).take_while(|(name, _)| under(name)).filter_map(number);
        let texts = self.texts.range(prefix.to_owned()..).take_while(|(name, _)| under(name)).filter_map(text);
        numbers.chain(texts).collect()
    }

    fn outcome(&self, row: usize) -> Outcome {
        let status = self.must(col::status, row);
        let reason = self.must(col::reason, row);
        let seconds = self.number(col::time_s, row).filter(|&seconds| seconds > 0.0);
        match seconds {
            Some(seconds) if USABLE.contains(&status.as_str()) => {
                let ends = self.number(col::time_lo_s, row).zip(self.number(col::time_hi_s, row));
                let interval = ends.filter(|&(low, high)| low > 0.0 && low <= high);
                Outcome::Timed(Estimate { seconds, interval })
            }
            None if USABLE.contains(&status.as_str()) => Outcome::Failed { status, reason: "row has no time".into() },
            _ => Outcome::Failed { status, reason },
        }
    }
}

/// Required columns that a page cannot do without; the others are for the store.
fn needed(name: &str) -> bool {
    [col::experiment_id, col::problem_id, col::source, col::device, col::family, col::problem, col::config, col::status]
        .contains(&name)
}
