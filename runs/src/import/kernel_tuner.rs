//! Kernel Tuner caches: a JSON object with the space and one entry per configuration, times in milliseconds.
//!
//! The headline time is the median of an entry's raw `times`: the reported mean includes the first sample, which is usually cold.
//! The mean is kept as `time_reported_s`. The file does not say what was timed nor how caches were treated: `time_basis` is
//! `unknown`, `cache_mode` null. Members without a column go to `extra`, in the tool's own units (milliseconds for its own times).

mod cache;
mod entry;
mod problem;

use std::path::Path;

use serde_json::{Map, Value};

use self::cache::{Cache, plain};
use self::problem::Problem;
use super::source::Source;
use super::{Format, ImportError, Imported, Options};
use crate::device::{self, Found, Rate};
use crate::frame;
use crate::id::{id, slug};
use crate::row::{Cell, Row};
use crate::schema::{self, KNOB, col};

/// Imports a cache.
pub(super) fn import(path: &Path, source: &Source, options: &Options) -> Result<Imported, ImportError> {
    let file_name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
    let mut cache = cache::parse(path, &source.text)?;
    let found = find_device(&cache, &file_name, options);
    let family = match slug(&cache.kernel_name, '_') {
        name if name.is_empty() => "unknown".to_owned(),
        name => name,
    };
    let problem = Problem::of(&cache, &family, &file_name, options);
    let entries = std::mem::take(&mut cache.entries);
    let context = Context { params: &cache.params, base: base(&cache, source, &file_name, &family, &found, &problem) };
    let rows: Vec<Row> = entries.into_iter().map(|(key, entry)| context.row(&key, entry)).collect();
    let mut warnings = problem.warnings;
    warnings.extend(found.warning);
    warnings.extend(summed_up(&rows));
    let frame = frame::from_rows(&rows).map_err(|source| ImportError::Frame { path: path.to_owned(), source })?;
    Ok(Imported { frame, run_id: run_id(source), warnings, repaired: cache.repaired })
}

fn run_id(source: &Source) -> String {
    format!("kernel-tuner-{}", &source.sha256[..16])
}

/// What the user says, else the file, else the file's name.
fn find_device(cache: &Cache, file_name: &str, options: &Options) -> Found {
    match &options.device {
        Some(name) => device::lookup(name),
        None if !cache.device_name.is_empty() => device::lookup(&cache.device_name),
        None => device::lookup_in_file_name(file_name),
    }
}

/// The columns that all rows of the file share.
fn base(cache: &Cache, source: &Source, file_name: &str, family: &str, found: &Found, problem: &Problem) -> Row {
    let mut row = Row::default();
    let tool = format!("import:{}", Format::KernelTuner.name());
    row.set(col::schema_version, schema::version_text()).set(col::run_id, run_id(source));
    row.set(col::sweep_id, id(&["import", Format::KernelTuner.name(), &source.sha256]));
    row.set(col::source, tool).set(col::tool_version, env!("CARGO_PKG_VERSION"));
    row.set(col::source_file, file_name).set(col::source_sha256, source.sha256.as_str());
    row.set(col::family, family).set(col::group, "imported").set(col::role, "point");
    problem.fill(&mut row);
    row.set(col::problem_id, id(&["problem", family, &problem.text]));
    set_device(&mut row, cache, found, problem.dtype.as_deref());
    row
}

/// Data-sheet values of the catalogue; [`Context::row`] marks them in `extra`.
fn set_device(row: &mut Row, cache: &Cache, found: &Found, dtype: Option<&str>) {
    let name = if cache.device_name.is_empty() { &found.slug } else { &cache.device_name };
    row.set(col::device, found.slug.as_str()).set(col::device_name, name.as_str());
    let Some(device) = found.device else {
        row.set(col::device_kind, "unknown");
        return;
    };
    row.set(col::device_kind, device.kind.as_str()).set_some(col::device_isa, device.architecture());
    row.set_some(col::device_memory_bytes, device.facts.memory_bytes).set_some(col::device_llc_bytes, device.facts.l2_bytes);
    let rate = dtype.map_or(Some(Rate::Fp32), Rate::of_dtype);
    row.set_some("roof.flop_per_s", rate.and_then(|rate| device.peak_flop_per_s(rate)));
    row.set_some("roof.dram_bytes_per_s", device.facts.memory_bandwidth_bytes_per_s);
}

struct Context<'a> {
    params: &'a [String],
    base: Row,
}

impl Context<'_> {
    fn row(&self, key: &str, entry: Value) -> Row {
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
        entry::fill(&mut row, left);
        row
    }

    /// Takes the parameters out of the entry, or out of its key where the entry lacks one; returns the configuration's text form.
    fn knobs(&self, row: &mut Row, key: &str, left: &mut Map<String, Value>) -> String {
        let parts: Vec<&str> = key.split(',').collect();
        let mut text = Vec::with_capacity(self.params.len());
        for (at, name) in self.params.iter().enumerate() {
            let in_key = || (parts.len() == self.params.len()).then(|| parse_part(parts[at]));
            let Some(value) = left.shift_remove(name).or_else(in_key) else { continue };
            text.push(format!("{name}={}", plain(&value)));
            row.set_some(format!("{KNOB}{name}"), knob(&value));
        }
        text.join(" ")
    }
}

fn parse_part(part: &str) -> Value {
    serde_json::from_str(part).unwrap_or_else(|_| Value::String(part.to_owned()))
}

fn knob(value: &Value) -> Option<Cell> {
    Some(match value {
        Value::Null => return None,
        Value::Bool(flag) => Cell::Int(i64::from(*flag)),
        Value::Number(number) => match number.as_i64() {
            Some(int) => Cell::Int(int),
            None => Cell::Real(number.as_f64().filter(|real| real.is_finite())?),
        },
        other => Cell::Text(plain(other)),
    })
}

/// One line per warning identifier and per failure status, with its number of rows.
fn summed_up(rows: &[Row]) -> Vec<String> {
    let with = |fits: &dyn Fn(&Row) -> bool| rows.iter().filter(|row| fits(row)).count();
    let warned = [entry::COLD_FIRST, entry::NOT_VERIFIED, entry::ENERGY_UNITS].map(|name| {
        let count = with(&|row| row.text(col::warnings).is_some_and(|text| text.split(',').any(|found| found == name)));
        (name, count)
    });
    let failed = ["constraint", "compile_error", "runtime_error"]
        .map(|status| (status, with(&|row| row.text(col::status) == Some(status))));
    let counts = warned.into_iter().chain(failed).filter(|(_, count)| *count > 0);
    counts.map(|(name, count)| format!("{name}: {count} of {} rows", rows.len())).collect()
}
