//! The rows of one tuning space: what the formats of tuners have a file for.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use polars::prelude::DataFrame;
use serde_json::{Map, Value};

use super::{ExportError, Exported, plain};
use crate::frame;
use crate::id::{id, slug};
use crate::import::{ASKED, value_of};
use crate::row::{Cell, Row};
use crate::schema::{KNOB, PROBLEM, col};

/// Rows of one run, device, family, problem and cache mode, and of one kernel where several share configurations.
pub(super) struct Group {
    /// Their names, joined: a file name.
    pub(super) name: String,
    pub(super) rows: Vec<Entry>,
}

impl Group {
    /// The kernel of all rows; the family where the name differs with the configuration.
    pub(super) fn kernel(&self) -> &str {
        let mut names = self.rows.iter().map(|entry| entry.row.text(col::kernel));
        let first = names.next().flatten();
        let one = first.filter(|_| names.all(|name| name == first));
        one.unwrap_or_else(|| self.rows.first().map_or("", |entry| entry.text(col::family)))
    }
}

/// The text of a file, how many rows stand in it, and what to know of the others.
pub(super) struct Written {
    pub(super) text: String,
    pub(super) rows: usize,
    pub(super) warning: Option<String>,
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

    /// Name and value of each knob, in the order of the configuration's text; values as the source had them.
    pub(super) fn knobs(&self) -> Vec<(String, Value)> {
        let mut knobs = self.open(KNOB, col::config);
        let members = self.object(ASKED).and_then(|asked| asked.get("members")?.as_object());
        for (name, value) in members.into_iter().flatten() {
            match knobs.iter_mut().find(|(knob, _)| knob == name) {
                Some((_, known)) => *known = value.clone(),
                None => knobs.push((name.clone(), value.clone())),
            }
        }
        knobs
    }

    /// The key of the configuration where the source had one that does not follow from its values.
    pub(super) fn key(&self) -> Option<&str> {
        self.object(ASKED)?.get("key")?.as_str()
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
                Some((place(name).unwrap_or(usize::MAX), name.to_owned(), value_of(cell)))
            })
            .collect();
        named.sort_by_key(|(place, ..)| *place);
        named.into_iter().map(|(_, name, value)| (name, value)).collect()
    }
}

/// All points, in the frame's order. Drift probes and baselines are no points of a space.
pub(super) fn entries(frame: &DataFrame) -> Result<Vec<Entry>, ExportError> {
    let points = |row: &Row| row.text(col::role).is_none_or(|role| role == "point");
    Ok(frame::to_rows(frame)?.into_iter().filter(points).map(Entry::of).collect())
}

/// What is said of rows that are no points.
pub(super) fn left_out(frame: &DataFrame, points: usize) -> Option<String> {
    let others = frame.height() - points;
    (others > 0)
        .then(|| format!("{others} of {} rows are drift probes or baselines, no points of a space: left out", frame.height()))
}

/// Groups in order of their names; rows in the frame's order.
fn groups(entries: Vec<Entry>) -> Vec<Group> {
    let mut groups: BTreeMap<[String; 5], Vec<Entry>> = BTreeMap::new();
    for entry in entries {
        let parts = [col::device, col::family, col::problem_id, col::run_id, col::cache_mode];
        groups.entry(parts.map(|name| entry.text(name).to_owned())).or_default().push(entry);
    }
    let short = |text: &str| text.chars().rev().take(8).collect::<Vec<_>>().into_iter().rev().collect::<String>();
    let named = |([device, family, problem, run, mode], rows): ([String; 5], Vec<Entry>)| {
        let name = format!("{family}__{device}__{mode}__{}__{}", short(&problem), short(&run));
        by_kernel(rows).into_iter().map(move |(kernel, rows)| Group { name: slug(&format!("{name}__{kernel}"), '_'), rows })
    };
    groups.into_iter().flat_map(named).collect()
}

/// Kernels that share a configuration have a space each, told apart by a hash of their name. Where every configuration has one kernel
/// the name follows from it, as that of a CUTLASS kernel does.
fn by_kernel(rows: Vec<Entry>) -> Vec<(String, Vec<Entry>)> {
    let mut known: HashMap<&str, &str> = HashMap::new();
    let mut several = false;
    for entry in &rows {
        let kernel = entry.text(col::kernel);
        several |= *known.entry(entry.text(col::config)).or_insert(kernel) != kernel;
    }
    if !several {
        return vec![(String::new(), rows)];
    }
    let mut parts: BTreeMap<String, Vec<Entry>> = BTreeMap::new();
    for entry in rows {
        let kernel = id(&["kernel", entry.text(col::kernel)]);
        parts.entry(kernel[..8].to_owned()).or_default().push(entry);
    }
    parts.into_iter().collect()
}

/// All points, a file per group: one group is written to `out` itself, several into a folder of that name.
pub(super) fn write_each(
    frame: &DataFrame,
    format: &'static str,
    out: &Path,
    text: impl Fn(&Group) -> Written,
) -> Result<Exported, ExportError> {
    let entries = entries(frame)?;
    if entries.is_empty() {
        return Err(ExportError::Nothing { format, why: "there are no rows of role `point`".to_owned() });
    }
    let mut exported = Exported { warnings: left_out(frame, entries.len()).into_iter().collect(), ..Exported::default() };
    let groups = groups(entries);
    for group in &groups {
        let path = if groups.len() == 1 { out.to_owned() } else { out.join(format!("{}.json", group.name)) };
        let written = text(group);
        exported.files.push(plain::text(&path, &written.text)?);
        exported.rows += written.rows;
        exported.warnings.extend(written.warning.map(|warning| format!("file `{}`: {warning}", path.display())));
    }
    Ok(exported)
}
