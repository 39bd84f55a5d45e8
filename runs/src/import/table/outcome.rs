//! How each row ended, and its times.

use std::borrow::Cow;

use polars::prelude::*;

use super::cells::{Cells, Number, coded};
use crate::import::draft::{COLD_RATIO, LONGEST_S, SIZES, absurd_size};
use crate::import::statistics::Statistics;
use crate::schema::col;

/// The outcomes of the schema.
const STATUSES: [&str; 9] =
    ["ok", "incorrect", "not_verified", "unsupported", "compile_error", "runtime_error", "timeout", "constraint", "not_run"];

/// What the table says of times and outcomes, column by column.
#[derive(Default)]
pub(super) struct Reported<'a> {
    /// Headline time in the source's unit, and that unit in seconds.
    pub(super) time: Option<(Vec<Number>, f64)>,
    /// Samples in the source's unit, one column each, and that unit in seconds.
    pub(super) samples: Option<(Vec<Vec<Number>>, f64)>,
    pub(super) status: Option<Vec<Option<Cow<'a, str>>>>,
    pub(super) reason: Option<Vec<Option<Cow<'a, str>>>>,
    /// Whether power or energy was measured.
    pub(super) measured: Vec<bool>,
}

/// Outcomes of a batch.
pub(super) struct Outcomes {
    /// Places in [`STATUSES`].
    status: Vec<usize>,
    reason: Vec<Option<String>>,
    /// Headline in seconds.
    pub(super) time: Vec<Option<f64>>,
    reported: Vec<Option<f64>>,
    statistics: Vec<Option<Statistics>>,
    samples: Vec<Vec<f64>>,
    /// First sample far above the median.
    pub(super) cold: Vec<bool>,
    sampled: bool,
}

/// Texts of a column or a constant.
type Said<'a> = Vec<Option<Cow<'a, str>>>;

enum Ended {
    Timed { headline: Option<f64>, samples: Vec<f64> },
    Untimed,
    Failed(&'static str, String),
}

impl Outcomes {
    pub(super) fn of(rows: usize, reported: &Reported<'_>, axes: &[(String, Cells<'_>)]) -> Self {
        let sampled = reported.samples.is_some();
        let mut all = Self {
            status: Vec::with_capacity(rows),
            reason: Vec::with_capacity(rows),
            time: Vec::with_capacity(rows),
            reported: Vec::new(),
            statistics: Vec::new(),
            samples: Vec::new(),
            cold: Vec::new(),
            sampled,
        };
        let sizes: Vec<&(String, Cells<'_>)> = axes.iter().filter(|(name, _)| SIZES.contains(&name.as_str())).collect();
        for row in 0..rows {
            all.take(match (ended(reported, row), absurd(&sizes, row)) {
                (Ended::Timed { .. } | Ended::Untimed, Some(why)) => Ended::Failed("runtime_error", why),
                (ended, _) => ended,
            });
        }
        all
    }

    fn take(&mut self, ended: Ended) {
        let (status, reason, headline, samples) = match ended {
            Ended::Timed { headline, samples } => ("ok", None, headline, samples),
            Ended::Untimed => ("ok", None, None, Vec::new()),
            Ended::Failed(status, reason) => (status, Some(reason), None, Vec::new()),
        };
        self.status.push(STATUSES.iter().position(|known| *known == status).expect("one of the outcomes"));
        self.reason.push(reason);
        if !self.sampled {
            self.time.push(headline);
            return;
        }
        let statistics = Statistics::of(&samples);
        self.time.push(statistics.map(|statistics| statistics.median).or(headline));
        self.reported.push(statistics.and(headline));
        self.cold.push(statistics.is_some_and(|statistics| samples.len() > 2 && samples[0] / statistics.median > COLD_RATIO));
        self.statistics.push(statistics);
        self.samples.push(samples);
    }

    /// The columns of the schema. `statistic` and `basis` are what the mapping says of headlines, row by row; a headline made of samples
    /// is their median.
    pub(super) fn columns(&self, statistic: Option<Said<'_>>, basis: Option<Said<'_>>) -> PolarsResult<Vec<Column>> {
        let reals = |name: &str, of: &dyn Fn(&Statistics) -> f64| {
            let values = self.statistics.iter().map(|statistics| statistics.as_ref().map(of));
            Float64Chunked::from_iter_options(name.into(), values).into_column()
        };
        let timed = |name: &str, said: Option<Said<'_>>, otherwise: &str| {
            let text = |row: usize| said.as_ref().and_then(|said| said[row].as_deref()).unwrap_or(otherwise);
            let texts = self.time.iter().enumerate().map(|(row, time)| time.map(|_| text(row)));
            StringChunked::from_iter_options(name.into(), texts).into_column()
        };
        let mut columns = vec![
            coded(col::status, &STATUSES.map(Some), &self.status)?,
            self.reasons(),
            Float64Chunked::from_iter_options(col::time_s.into(), self.time.iter().copied()).into_column(),
            timed(col::time_basis, basis, "unknown"),
        ];
        let statistic = statistic.unwrap_or_else(|| vec![None; self.time.len()]);
        let of_row = |(row, said)| {
            if self.statistics.get(row).is_some_and(Option::is_some) { Some(Cow::Borrowed("median")) } else { said }
        };
        columns.push(timed(col::time_statistic, Some(statistic.into_iter().enumerate().map(of_row).collect()), "mean"));
        if !self.sampled {
            return Ok(columns);
        }
        columns.push(reals(col::time_min_s, &|statistics| statistics.min));
        columns.push(reals(col::time_median_s, &|statistics| statistics.median));
        columns.push(reals(col::time_q1_s, &|statistics| statistics.q1));
        columns.push(reals(col::time_q3_s, &|statistics| statistics.q3));
        columns.push(reals(col::noise, &Statistics::noise));
        let counts = self.samples.iter().map(|samples| i64::try_from(samples.len()).ok().filter(|count| *count > 0));
        columns.push(Int64Chunked::from_iter_options(col::samples.into(), counts).into_column());
        columns.push(Float64Chunked::from_iter_options(col::time_reported_s.into(), self.reported.iter().copied()).into_column());
        columns.push(self.lists());
        Ok(columns)
    }

    fn reasons(&self) -> Column {
        if self.reason.iter().all(Option::is_none) {
            return Column::full_null(col::reason.into(), self.reason.len(), &DataType::String);
        }
        StringChunked::from_iter_options(col::reason.into(), self.reason.iter().map(Option::as_deref)).into_column()
    }

    fn lists(&self) -> Column {
        let values = self.samples.iter().map(Vec::len).sum();
        let name = col::time_samples_s.into();
        let mut lists = ListPrimitiveChunkedBuilder::<Float64Type>::new(name, self.samples.len(), values, DataType::Float64);
        for samples in &self.samples {
            if samples.is_empty() { lists.append_null() } else { lists.append_slice(samples) }
        }
        lists.finish().into_column()
    }
}

fn ended(reported: &Reported<'_>, row: usize) -> Ended {
    if let Some(word) = reported.status.as_ref().and_then(|status| status[row].as_deref()) {
        let known = STATUSES.into_iter().find(|status| *status == word);
        if known != Some("ok") {
            let why = reported.reason.as_ref().and_then(|reason| reason[row].as_deref());
            let why = why.map_or_else(|| format!("the source reports `{word}`"), str::to_owned);
            return Ended::Failed(known.unwrap_or("runtime_error"), why);
        }
    }
    match times(reported, row) {
        Err(why) => Ended::Failed("runtime_error", why),
        Ok((None, samples)) if samples.is_empty() && reported.measured[row] => Ended::Untimed,
        Ok((None, samples)) if samples.is_empty() => Ended::Failed("not_run", "the source has no measurement".to_owned()),
        Ok((headline, samples)) => Ended::Timed { headline, samples },
    }
}

type Times = (Option<f64>, Vec<f64>);

fn times(reported: &Reported<'_>, row: usize) -> Result<Times, String> {
    let headline = match &reported.time {
        Some((times, unit_s)) => seconds(times[row], *unit_s, || "time".to_owned())?,
        None => None,
    };
    let Some((columns, unit_s)) = &reported.samples else { return Ok((headline, Vec::new())) };
    let mut samples = Vec::with_capacity(columns.len());
    for (at, column) in columns.iter().enumerate() {
        samples.extend(seconds(column[row], *unit_s, || format!("sample {at}"))?);
    }
    Ok((headline, samples))
}

fn seconds(number: Number, unit_s: f64, what: impl Fn() -> String) -> Result<Option<f64>, String> {
    match number {
        Number::Missing => Ok(None),
        Number::Bad => Err(format!("{} is no finite number", what())),
        Number::Value(value) => match value * unit_s {
            time if time > 0.0 && time < LONGEST_S => Ok(Some(time)),
            _ => Err(format!("{} = `{value}`, expected a positive finite number below {LONGEST_S:e} s", what())),
        },
    }
}

/// Why the sizes of a row cannot be.
fn absurd(sizes: &[&(String, Cells<'_>)], row: usize) -> Option<String> {
    sizes.iter().find_map(|(name, cells)| absurd_size(name, &cells.cell(row)?))
}
