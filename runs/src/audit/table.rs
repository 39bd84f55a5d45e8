//! The columns that several checks read, and the rows they look at.

use std::collections::HashMap;

use polars::prelude::*;

use super::Example;
use crate::frame::{self, FrameError};
use crate::schema::col;

/// Examples kept per finding.
const EXAMPLES: usize = 3;

/// A frame, and which of its rows were measured as points.
pub(super) struct Table<'a> {
    pub(super) frame: &'a DataFrame,
    pub(super) rows: usize,
    /// Status `ok`.
    pub(super) ok: Vec<bool>,
    /// Status `ok`, role `point` or none, and a positive time.
    pub(super) points: Vec<usize>,
    /// `time_s`; NaN where null.
    pub(super) time: Vec<f64>,
    /// Rows of one source, family and device.
    pub(super) parts: Vec<Part>,
    samples: Vec<Option<Vec<f64>>>,
}

/// Points of one source and family on one device.
pub(super) struct Part {
    pub(super) source: String,
    pub(super) family: String,
    pub(super) device: String,
    /// All rows with status `ok`.
    pub(super) ok: Vec<usize>,
    /// Those that are points.
    pub(super) points: Vec<usize>,
}

impl Part {
    /// How messages call it.
    pub(super) fn name(&self) -> String {
        format!("{} on {} ({})", self.family, self.device, self.source)
    }
}

/// A column as numbers: each different value has one, null is 0.
pub(super) struct Codes {
    pub(super) of: Vec<u32>,
    /// Values by number; the first stands for null.
    pub(super) values: Vec<String>,
}

impl Codes {
    /// True where at least two different values (null is one) stand in `rows`.
    pub(super) fn vary(&self, rows: &[usize]) -> bool {
        rows.first().is_some_and(|first| rows.iter().any(|row| self.of[*row] != self.of[*first]))
    }
}

impl<'a> Table<'a> {
    pub(super) fn new(frame: &'a DataFrame) -> Result<Self, FrameError> {
        let rows = frame.height();
        let mut table =
            Self { frame, rows, ok: Vec::new(), points: Vec::new(), time: Vec::new(), parts: Vec::new(), samples: Vec::new() };
        table.ok = table.is(col::status, "ok", false)?;
        table.time = table.reals(col::time_s)?;
        let point = table.is(col::role, "point", true)?;
        table.points = (0..rows)
            .filter(|row| table.ok[*row] && point[*row] && table.time[*row] > 0.0 && table.time[*row].is_finite())
            .collect();
        table.parts = table.split()?;
        if frame.column(col::time_samples_s).is_ok_and(|column| column.null_count() < rows) {
            table.samples = frame::lists(frame, col::time_samples_s)?;
        }
        Ok(table)
    }

    /// Samples of a row in the order taken, empty where there are none.
    pub(super) fn samples(&self, row: usize) -> &[f64] {
        self.samples.get(row).and_then(Option::as_deref).unwrap_or_default()
    }

    /// Where text column `name` is `value`, or null and `null` is to count.
    fn is(&self, name: &str, value: &str, null: bool) -> Result<Vec<bool>, FrameError> {
        let codes = self.codes(name)?;
        let wanted: Vec<bool> =
            codes.values.iter().enumerate().map(|(code, text)| if code == 0 { null } else { text == value }).collect();
        Ok(codes.of.iter().map(|code| wanted[*code as usize]).collect())
    }

    fn split(&self) -> Result<Vec<Part>, FrameError> {
        let columns = [self.codes(col::source)?, self.codes(col::family)?, self.codes(col::device)?];
        let mut places: HashMap<[u32; 3], usize> = HashMap::new();
        let mut parts: Vec<Part> = Vec::new();
        let mut point = vec![false; self.rows];
        self.points.iter().for_each(|row| point[*row] = true);
        for row in (0..self.rows).filter(|row| self.ok[*row]) {
            let key = std::array::from_fn(|column: usize| columns[column].of[row]);
            let place = *places.entry(key).or_insert_with(|| {
                let [source, family, device] =
                    std::array::from_fn(|column: usize| columns[column].values[key[column] as usize].clone());
                parts.push(Part { source, family, device, ok: Vec::new(), points: Vec::new() });
                parts.len() - 1
            });
            parts[place].ok.push(row);
            if point[row] {
                parts[place].points.push(row);
            }
        }
        Ok(parts)
    }

    /// Numbers of a column; NaN where null, or everywhere where there is no such column.
    pub(super) fn reals(&self, name: &str) -> Result<Vec<f64>, FrameError> {
        if self.frame.column(name).is_err() {
            return Ok(vec![f64::NAN; self.rows]);
        }
        Ok(frame::reals(self.frame, name)?.into_iter().map(|value| value.unwrap_or(f64::NAN)).collect())
    }

    /// Any column but lists as codes; one code where there is no such column.
    pub(super) fn codes(&self, name: &str) -> Result<Codes, FrameError> {
        let mut codes = Codes { of: Vec::with_capacity(self.rows), values: vec![String::new()] };
        let Ok(column) = self.frame.column(name) else {
            codes.of = vec![0; self.rows];
            return Ok(codes);
        };
        match column.dtype() {
            DataType::Null => codes.of = vec![0; self.rows],
            DataType::String => {
                let mut places: HashMap<&str, u32> = HashMap::new();
                let values = column.str()?;
                values.iter().for_each(|value| codes.push(value, &mut places, str::to_owned));
            }
            DataType::Boolean => {
                let mut places: HashMap<bool, u32> = HashMap::new();
                column.bool()?.iter().for_each(|value| codes.push(value, &mut places, |value| value.to_string()));
            }
            _ => {
                let mut places: HashMap<u64, u32> = HashMap::new();
                let values = frame::reals(self.frame, name)?;
                let bits = values.into_iter().map(|value| value.map(f64::to_bits));
                bits.for_each(|value| codes.push(value, &mut places, |bits| f64::from_bits(bits).to_string()));
            }
        }
        Ok(codes)
    }

    /// The first few of `rows` as examples; `shows` says what each shows.
    pub(super) fn examples(&self, rows: impl IntoIterator<Item = usize>, shows: impl Fn(usize) -> String) -> Vec<Example> {
        let text = |name: &str, row: usize| {
            let column = self.frame.column(name).ok().and_then(|column| column.str().ok());
            column.and_then(|values| values.get(row)).unwrap_or_default().to_owned()
        };
        let example = |row| Example {
            run_id: text(col::run_id, row),
            experiment_id: text(col::experiment_id, row),
            config: text(col::config, row),
            shows: shows(row),
        };
        rows.into_iter().take(EXAMPLES).map(example).collect()
    }
}

impl Codes {
    fn push<T: std::hash::Hash + Eq + Copy>(
        &mut self,
        value: Option<T>,
        places: &mut HashMap<T, u32>,
        show: impl Fn(T) -> String,
    ) {
        let Some(value) = value else {
            self.of.push(0);
            return;
        };
        let next = u32::try_from(self.values.len()).expect("fewer values than Polars counts rows");
        let code = *places.entry(value).or_insert(next);
        if code == next {
            self.values.push(show(value));
        }
        self.of.push(code);
    }
}

/// Three significant figures, as messages give them.
pub(super) fn figure(value: f64) -> String {
    if value == 0.0 || !value.is_finite() {
        return value.to_string();
    }
    #[allow(clippy::cast_possible_truncation)] // a small exponent
    let exponent = value.abs().log10().floor() as i32;
    if !(-4..=6).contains(&exponent) {
        return format!("{value:.2e}");
    }
    let places = usize::try_from((2 - exponent).max(0)).unwrap_or(0);
    format!("{value:.places$}")
}

/// A share in percent.
pub(super) fn percent(share: f64) -> String {
    let value = share * 100.0;
    if value > 0.0 && value < 1.0 { format!("{value:.2} %") } else { format!("{value:.1} %") }
}

/// A count with its noun in the right number.
pub(super) fn number(count: usize, one: &str) -> String {
    format!("{count} {one}{}", if count == 1 { "" } else { "s" })
}
