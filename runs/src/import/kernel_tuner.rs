//! Kernel Tuner caches: a JSON object with the space and one entry per configuration, times in milliseconds.
//!
//! The headline time is the median of an entry's raw `times`: the reported mean includes the first sample, which is usually cold.
//! The mean is kept as `time_reported_s`. The file does not say what was timed nor how caches were treated: `time_basis` is
//! `unknown`, `cache_mode` null. Members without a column go to `extra`, in the tool's own units (milliseconds for its own times).

mod cache;
mod entry;
mod problem;

use serde_json::{Map, Value};

use self::cache::{Cache, plain};
pub(crate) use self::entry::of_rfc_3339;
pub(super) use self::entry::rfc_3339;
use self::problem::Problem;
use super::draft::{absurd, run_id, set_device_facts};
use super::json::{ASKED, cell, changed, value_of};
use super::source::Source;
use super::{Document, Format, ImportError, Options};
use crate::device::{self, Found};
use crate::id::{id, slug};
use crate::row::Row;
use crate::schema::{self, KNOB, col};

/// Member of the first row's `extra` that holds what the file says beside its entries.
pub(crate) const FILE: &str = "file";

/// Imports a cache.
pub(super) fn import(source: &Source<'_>, options: &Options) -> Result<Document, ImportError> {
    let mut cache = cache::parse(&source.path, &source.text(".json")?)?;
    let found = find_device(&cache, &source.name, options);
    let family = match slug(&cache.kernel_name, '_') {
        name if name.is_empty() => "unknown".to_owned(),
        name => name,
    };
    let problem = Problem::of(&cache, &family, &source.name, options);
    let entries = std::mem::take(&mut cache.entries);
    let mut file = Some(std::mem::take(&mut cache.file));
    let base = base(&cache, source, &family, &found, &problem);
    let context = Context { params: &cache.params, base, absurd: absurd(&problem.axes) };
    let rows = entries.into_iter().map(|(key, entry)| context.row(&key, entry, file.take())).collect();
    let mut warnings = problem.warnings;
    warnings.extend(found.warning);
    Ok(Document { rows, run_id: run_id(Format::KernelTuner.name(), source), warnings, repaired: cache.repaired })
}

/// What the user says, else the file, else the file's name.
fn find_device(cache: &Cache, file_name: &str, options: &Options) -> Found {
    match &options.device {
        Some(name) => device::lookup(name),
        None if !cache.device_name.is_empty() => device::lookup(&cache.device_name),
        None => device::lookup_in_file_name(file_name, Format::KernelTuner.name()),
    }
}

/// The columns that all rows of the file share.
fn base(cache: &Cache, source: &Source<'_>, family: &str, found: &Found, problem: &Problem) -> Row {
    let mut row = Row::default();
    let tool = format!("import:{}", Format::KernelTuner.name());
    row.set(col::schema_version, schema::version_text()).set(col::run_id, run_id(Format::KernelTuner.name(), source));
    row.set(col::sweep_id, id(&["import", Format::KernelTuner.name(), &source.sha256]));
    row.set(col::source, tool).set(col::tool_version, env!("CARGO_PKG_VERSION"));
    row.set(col::source_file, source.name.as_str()).set(col::source_sha256, source.sha256.as_str());
    row.set(col::family, family).set(col::group, "imported").set(col::role, "point");
    problem.fill(&mut row);
    row.set(col::problem_id, id(&["problem", family, &problem.text]));
    let name = if cache.device_name.is_empty() { &found.slug } else { &cache.device_name };
    row.set(col::device, found.slug.as_str()).set(col::device_name, name.as_str());
    set_device_facts(&mut row, found, problem.dtype.as_deref());
    if !cache.kernel_name.is_empty() {
        row.set(col::kernel, cache.kernel_name.as_str());
    }
    row
}

struct Context<'a> {
    params: &'a [String],
    base: Row,
    /// Why the file's problem cannot be.
    absurd: Option<String>,
}

impl Context<'_> {
    fn row(&self, key: &str, entry: Value, file: Option<Map<String, Value>>) -> Row {
        let mut row = self.base.clone();
        let mut left = match entry {
            Value::Object(members) => members,
            other => Map::from_iter([("entry".to_owned(), other)]),
        };
        let config = self.knobs(&mut row, key, &mut left);
        let text = |name: &str| row.text(name).unwrap_or_default().to_owned();
        let (family, problem, device, source) = (text(col::family), text(col::problem), text(col::device), text(col::source));
        row.set(col::config_id, id(&["config", &family, &config]));
        row.set(col::experiment_id, id(&["experiment", &source, &family, &config, &problem, &device]));
        row.set(col::config, config);
        if row.0.contains_key("roof.dram_bytes_per_s") {
            left.insert("roof_source".to_owned(), "datasheet".into());
        }
        if let Some(file) = file {
            left.insert(FILE.to_owned(), Value::Object(file));
        }
        entry::fill(&mut row, left, self.absurd.as_deref());
        row
    }

    /// Takes the parameters out of the entry, or out of its key where the entry lacks one; returns the configuration's text form. What
    /// knobs do not say of the entry's own words stays in `left`.
    fn knobs(&self, row: &mut Row, key: &str, left: &mut Map<String, Value>) -> String {
        let parts: Vec<&str> = key.split(',').collect();
        let mut values = Map::new();
        for (at, name) in self.params.iter().enumerate() {
            let in_key = || (parts.len() == self.params.len()).then(|| parse_part(parts[at]));
            values.extend(left.shift_remove(name).or_else(in_key).map(|value| (name.clone(), value)));
        }
        let (mut text, mut again) = (Vec::with_capacity(values.len()), Vec::with_capacity(values.len()));
        for (name, value) in &values {
            let cell = cell(value);
            text.push(format!("{name}={}", plain(value)));
            again.push(cell.as_ref().map(|cell| plain(&value_of(cell))).unwrap_or_default());
            row.set_some(format!("{KNOB}{name}"), cell);
        }
        let mut asked = Map::new();
        if again.join(",") != key {
            asked.insert("key".to_owned(), key.into());
        }
        let members = changed(values.iter());
        if !members.is_empty() {
            asked.insert("members".to_owned(), Value::Object(members));
        }
        if !asked.is_empty() {
            left.insert(ASKED.to_owned(), Value::Object(asked));
        }
        text.join(" ")
    }
}

fn parse_part(part: &str) -> Value {
    serde_json::from_str(part).unwrap_or_else(|_| Value::String(part.to_owned()))
}
