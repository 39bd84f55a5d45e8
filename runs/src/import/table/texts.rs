//! Text forms and identifiers of the rows of a batch, the costliest columns: made in pieces on all cores, into shared buffers.

use std::borrow::Cow;

use polars::prelude::*;
use rayon::prelude::*;

use super::cells::Cells;
use crate::id::id;
use crate::schema::col;

/// Rows that one core takes at a time.
const PIECE: usize = 8192;

/// What the texts of a batch are made of.
pub(super) struct Parts<'a> {
    pub(super) rows: usize,
    /// `import:<name>`.
    pub(super) source: &'a str,
    pub(super) families: &'a [Option<Cow<'a, str>>],
    /// Slugs of the devices.
    pub(super) devices: Vec<&'a str>,
    pub(super) axes: &'a [(String, Cells<'a>)],
    pub(super) dtypes: &'a Cells<'a>,
    pub(super) knobs: &'a [(String, Cells<'a>)],
    /// Whether the knob is a label only, and no part of what ran.
    pub(super) labels: Vec<bool>,
    pub(super) kernels: Option<&'a [Option<Cow<'a, str>>]>,
}

/// `problem`, `config` and their identifiers, and `experiment_id`.
const COLUMNS: [&str; 5] = [col::problem, col::config, col::problem_id, col::config_id, col::experiment_id];

/// What stands for a configuration without knobs.
const NO_KNOBS: &str = "default";

impl Parts<'_> {
    /// The five text columns.
    pub(super) fn columns(&self) -> PolarsResult<Vec<Column>> {
        let starts: Vec<usize> = (0..self.rows).step_by(PIECE).collect();
        let pieces: Vec<Vec<StringChunked>> =
            starts.into_par_iter().map(|start| self.piece(start..(start + PIECE).min(self.rows))).collect();
        let mut columns: Option<Vec<StringChunked>> = None;
        for piece in pieces {
            match &mut columns {
                None => columns = Some(piece),
                Some(columns) => {
                    for (column, more) in columns.iter_mut().zip(&piece) {
                        column.append(more)?;
                    }
                }
            }
        }
        Ok(columns.into_iter().flatten().map(IntoColumn::into_column).collect())
    }

    fn piece(&self, rows: std::ops::Range<usize>) -> Vec<StringChunked> {
        let mut built = COLUMNS.map(|name| StringChunkedBuilder::new(name.into(), rows.len()));
        let (mut problem, mut config, mut ran) = (String::new(), String::new(), String::new());
        let mut last = Last::default();
        for row in rows {
            let family = self.families[row].as_deref().unwrap_or("unknown");
            let kernel = self.kernels.and_then(|kernels| kernels[row].as_deref()).unwrap_or_default();
            self.write_problem(row, family, &mut problem);
            write_config(self.knobs, |_| true, row, &mut config);
            write_config(self.knobs, |knob| !self.labels[knob], row, &mut ran);
            last.problem(family, &problem);
            last.config(family, kernel, &config);
            let experiment = id(&["experiment", self.source, family, kernel, &ran, &problem, self.devices[row]]);
            let cells = [&problem, &config, &last.problem_id, &last.config_id, &experiment];
            built.iter_mut().zip(cells).for_each(|(column, cell)| column.append_value(cell));
        }
        built.into_iter().map(StringChunkedBuilder::finish).collect()
    }

    fn write_problem(&self, row: usize, family: &str, out: &mut String) {
        out.clear();
        out.push_str(family);
        for (name, cells) in self.axes.iter().filter(|(_, cells)| !cells.is_empty(row)) {
            out.push(' ');
            out.push_str(name);
            out.push('=');
            cells.write(row, out);
        }
        if !self.dtypes.is_empty(row) {
            out.push(' ');
            self.dtypes.write(row, out);
        }
    }
}

fn write_config(knobs: &[(String, Cells<'_>)], counts: impl Fn(usize) -> bool, row: usize, out: &mut String) {
    out.clear();
    for (at, (name, cells)) in knobs.iter().enumerate() {
        if !counts(at) || cells.is_empty(row) {
            continue;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(name);
        out.push('=');
        cells.write(row, out);
    }
    if out.is_empty() {
        out.push_str(NO_KNOBS);
    }
}

/// Neighbouring rows often share problem or configuration: their identifiers are made once.
#[derive(Default)]
struct Last {
    problem: (String, String),
    problem_id: String,
    config: (String, String, String),
    config_id: String,
}

impl Last {
    fn problem(&mut self, family: &str, problem: &str) {
        if self.problem_id.is_empty() || self.problem.0 != family || self.problem.1 != problem {
            self.problem = (family.to_owned(), problem.to_owned());
            self.problem_id = id(&["problem", family, problem]);
        }
    }

    fn config(&mut self, family: &str, kernel: &str, config: &str) {
        let known = &self.config;
        if self.config_id.is_empty() || known.0 != family || known.1 != kernel || known.2 != config {
            self.config = (family.to_owned(), kernel.to_owned(), config.to_owned());
            self.config_id = id(&["config", family, kernel, config]);
        }
    }
}
