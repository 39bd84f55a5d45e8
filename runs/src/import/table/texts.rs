//! Text forms and identifiers of the rows of a batch, the costliest columns: made in pieces on all cores, into shared buffers.

use std::borrow::Cow;

use polars::prelude::*;

use super::cells::Cells;
use super::pieces::in_pieces;
use crate::id::{Id, Prefix};
use crate::schema::col;

/// Configurations whose hashes are kept: neighbouring rows often share one, or go round a few.
const KEPT: usize = 8;

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
    /// `hot` or `cold`, where the table says.
    pub(super) modes: Option<Vec<Option<Cow<'a, str>>>>,
}

/// `problem`, `config` and their identifiers, and `experiment_id`.
const COLUMNS: [&str; 5] = [col::problem, col::config, col::problem_id, col::config_id, col::experiment_id];

/// What stands for a configuration without knobs.
const NO_KNOBS: &str = "default";

impl Parts<'_> {
    /// The five text columns.
    pub(super) fn columns(&self) -> PolarsResult<Vec<Column>> {
        in_pieces(self.rows, || (), |(), rows| Ok(self.piece(rows)))
    }

    fn piece(&self, rows: std::ops::Range<usize>) -> Vec<StringChunked> {
        let mut built = COLUMNS.map(|name| StringChunkedBuilder::new(name.into(), rows.len()));
        let (mut problem, mut config, mut ran) = (String::new(), String::new(), String::new());
        let mut known = Known { source: self.source, problem: Kept::new(1), config: Kept::new(KEPT) };
        let labelled = self.labels.contains(&true);
        for row in rows {
            let family = self.families[row].as_deref().unwrap_or("unknown");
            let kernel = self.kernels.and_then(|kernels| kernels[row].as_deref()).unwrap_or_default();
            self.write_problem(row, family, &mut problem);
            write_config(self.knobs, |_| true, row, &mut config);
            if labelled {
                write_config(self.knobs, |knob| !self.labels[knob], row, &mut ran);
            }
            let ran = if labelled { &ran } else { &config };
            let problem_id = known.problem(family, &problem);
            let Hashed { config_id, experiment } = known.config([family, kernel, &config, ran]);
            let mode = self.modes.as_ref().and_then(|modes| modes[row].as_deref());
            let experiment = match mode {
                Some(mode) => experiment.id(&[&problem, self.devices[row], mode]),
                None => experiment.id(&[&problem, self.devices[row]]),
            };
            let cells = [problem.as_str(), &config, problem_id.as_str(), config_id.as_str(), experiment.as_str()];
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

/// What the hashes of a configuration give.
struct Hashed {
    config_id: Id,
    /// The experiment up to problem and device.
    experiment: Prefix,
}

/// Hashes of the rows before.
struct Known<'a> {
    source: &'a str,
    problem: Kept<2, Id>,
    config: Kept<4, Hashed>,
}

impl Known<'_> {
    fn problem(&mut self, family: &str, problem: &str) -> Id {
        *self.problem.get([family, problem], || Prefix::of(&["problem"]).id(&[family, problem]))
    }

    /// Of family, kernel, configuration as asked, and as it ran.
    fn config(&mut self, key: [&str; 4]) -> &Hashed {
        let [family, kernel, config, ran] = key;
        self.config.get(key, || Hashed {
            config_id: Prefix::of(&["config"]).id(&[family, kernel, config]),
            experiment: Prefix::of(&["experiment", self.source, family, kernel, ran]),
        })
    }
}

/// The last few values by their texts; the oldest goes first.
struct Kept<const N: usize, T> {
    entries: Vec<([String; N], T)>,
    most: usize,
    oldest: usize,
}

impl<const N: usize, T> Kept<N, T> {
    fn new(most: usize) -> Self {
        Self { entries: Vec::with_capacity(most), most, oldest: 0 }
    }

    fn get(&mut self, key: [&str; N], make: impl FnOnce() -> T) -> &T {
        // The last part differs most often.
        let same = |known: &[String; N]| known.iter().zip(key).rev().all(|(known, part)| known == part);
        let at = self.entries.iter().position(|(known, _)| same(known)).unwrap_or_else(|| self.put(key, make()));
        &self.entries[at].1
    }

    fn put(&mut self, key: [&str; N], value: T) -> usize {
        if self.entries.len() < self.most {
            self.entries.push((key.map(str::to_owned), value));
            return self.entries.len() - 1;
        }
        let at = self.oldest;
        self.oldest = (at + 1) % self.most;
        let (known, old) = &mut self.entries[at];
        for (known, part) in known.iter_mut().zip(key) {
            known.clear();
            known.push_str(part);
        }
        *old = value;
        at
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_kept_is_what_was_made_for_the_same_texts() {
        let mut kept: Kept<2, usize> = Kept::new(2);
        let mut made = 0;
        let mut get = |a: &str, b: &str| {
            *kept.get([a, b], || {
                made += 1;
                made
            })
        };
        assert_eq!([get("a", "b"), get("ab", ""), get("a", "b"), get("ab", "")], [1, 2, 1, 2]);
        assert_eq!([get("", "ab"), get("ab", ""), get("a", "b"), get("ab", "")], [3, 2, 4, 5], "the oldest goes first");
        assert_eq!(made, 5);
    }
}
