//! The rows of one tuning space: what the formats of tuners have a file for.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;
use serde_json::{Map, Value};

use super::ExportError;
use super::plain;
use crate::frame;
use crate::id::slug;
use crate::row::{Cell, Row};
use crate::schema::{KNOB, PROBLEM, col};

/// Rows of one run, device, family and problem.
pub(super) struct Group {
    /// Their names, joined: a file name.
    pub(super) name: String,
    pub(super) rows: Vec<Entry>,
}

/// A row with its `extra` parsed.
pub(super) struct Entry {
    pub(super) row: Row,
    pub(super) extra: Map<String, Value>,
}

impl Entry {
    fn of(row: Row) -> Self {
        let extra = row.text(col::extra).and_then(|text| serde_json::from_str(text).ok()).unwrap_or_default();
        Self { row, extra }
    }

    /// A member of the first row's `extra` that holds what a file says beside its entries.
    pub(super) fn object(&self, name: &str) -> Option<&Map<String, Value>> {
        self.extra.get(name).and_then(Value::as_object)
    }

    pub(super) fn text(&self, name: &str) -> &str {
        self.row.text(name).unwrap_or_default()
    }

    /// The samples in seconds.
    pub(super) fn samples(&self) -> &[f64] {
        match self.row.0.get(col::time_samples_s) {
            Some(Cell::Reals(samples)) => samples,
            _ => &[],
        }
    }

    /// Name and value of each knob, in the order and form of the configuration's text.
    pub(super) fn knobs(&self) -> Vec<(String, Value)> {
        self.open(KNOB, col::config)
    }

    /// Name and value of each axis, in the order of the problem's text.
    pub(super) fn axes(&self) -> Vec<(String, Value)> {
        self.open(PROBLEM, col::problem)
    }

    fn open(&self, prefix: &str, text: &str) -> Vec<(String, Value)> {
        let text = self.text(text);
        let place = |name: &str| text.find(&format!(" {name}=")).or_else(|| text.starts_with(&format!("{name}=")).then_some(0));
        let mut named: Vec<(usize, String, Value)> = self
            .row
            .0
            .iter()
            .filter_map(|(column, cell)| {
                let name = column.strip_prefix(prefix)?;
                Some((place(name).unwrap_or(usize::MAX), name.to_owned(), value(cell)))
            })
            .collect();
        named.sort_by_key(|(place, ..)| *place);
        named.into_iter().map(|(_, name, value)| (name, value)).collect()
    }
}

/// Whole reals as integers: a column of knobs is real where one of its values is.
pub(super) fn value(cell: &Cell) -> Value {
    match cell {
        Cell::Flag(flag) => Value::Bool(*flag),
        Cell::Int(int) => (*int).into(),
        #[allow(clippy::cast_possible_truncation)] // checked
        Cell::Real(real) if real.fract() == 0.0 && real.abs() < 9e15 => (*real as i64).into(),
        Cell::Real(real) => (*real).into(),
        Cell::Text(text) => text.as_str().into(),
        Cell::Reals(values) => values.clone().into(),
    }
}

/// All points, in the frame's order. Drift probes and baselines are no points of a space.
pub(super) fn entries(frame: &DataFrame) -> Result<Vec<Entry>, ExportError> {
    let points = |row: &Row| row.text(col::role).is_none_or(|role| role == "point");
    Ok(frame::to_rows(frame)?.into_iter().filter(points).map(Entry::of).collect())
}

/// Groups in order of their names; rows in the frame's order.
pub(super) fn groups(frame: &DataFrame) -> Result<Vec<Group>, ExportError> {
    let mut groups: BTreeMap<[String; 4], Vec<Entry>> = BTreeMap::new();
    for entry in entries(frame)? {
        let key = [col::device, col::family, col::problem_id, col::run_id].map(|name| entry.text(name).to_owned());
        groups.entry(key).or_default().push(entry);
    }
    let named = |([device, family, problem, run], rows): ([String; 4], Vec<Entry>)| {
        let short = |text: &str| text.chars().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect::<String>();
        Group { name: slug(&format!("{family}__{device}__{}__{}", short(&problem), short(&run)), '_'), rows }
    };
    Ok(groups.into_iter().map(named).collect())
}

/// One group is written to `out` itself, several into a folder of that name.
pub(super) fn write_each(
    groups: &[Group],
    out: &Path,
    text: impl Fn(&Group) -> Option<String>,
) -> Result<Vec<PathBuf>, ExportError> {
    let written: Vec<(&Group, String)> = groups.iter().filter_map(|group| Some((group, text(group)?))).collect();
    if let [(_, text)] = written.as_slice() {
        return Ok(vec![plain::text(out, text)?]);
    }
    written.iter().map(|(group, text)| plain::text(&out.join(format!("{}.json", group.name)), text)).collect()
}
