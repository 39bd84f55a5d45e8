//! One result of a document on its way to a row: what importers know, and the columns that follow from it.

use std::fmt::Write as _;

use serde_json::{Map, Value};

use super::Options;
use super::source::Source;
use super::statistics::Statistics;
use crate::device::{self, Found, Rate};
use crate::id::{id, slug};
use crate::row::{Cell, Row};
use crate::schema::{self, KNOB, PROBLEM, col};

/// Milliseconds in seconds.
pub(super) const MS: f64 = 1e-3;
/// Microseconds in seconds.
pub(super) const US: f64 = 1e-6;
/// Nanoseconds in seconds.
pub(super) const NS: f64 = 1e-9;

/// No single call of a kernel takes longer than this many seconds; tools write such numbers for failures.
pub(super) const LONGEST_S: f64 = 1e9;

/// Axes that are sizes of a matrix product.
pub(super) const SIZES: [&str; 4] = ["batch", "m", "n", "k"];

/// Sizes beyond this are no sizes of a matrix.
const LARGEST: f64 = 1_099_511_627_776.0;

/// First sample over median from which the first sample counts as cold.
pub(super) const COLD_RATIO: f64 = 1.5;

macro_rules! warnings {
    ($($(#[$doc:meta])* $name:ident = $id:literal;)*) => {
        $($(#[$doc])* pub(super) const $name: &str = $id;)*
        /// Every warning that imported rows can carry; each is a heading in `docs/measuring.md`.
        pub const WARNINGS: &[&str] = &[$($name),*];
    };
}

warnings! {
    /// Warning for rows whose first sample is far above the median.
    COLD_FIRST = "cold-first-sample";
    /// Warning for rows that the tool did not verify.
    NOT_VERIFIED = "not-verified-by-source";
    /// Warning for rows whose energy and power do not fit each other.
    ENERGY_UNITS = "energy-units";
    /// Warning for rows whose labels say other than the name of the kernel that ran.
    CONTRADICTS = "label-contradicts-kernel";
    /// Warning for power that was read while the device did nothing.
    AT_IDLE = "power-at-idle";
    /// Warning for energy that the source computed from power and time.
    DERIVED = "energy-derived";
}

/// What all results of a file share.
pub(super) struct Context<'a> {
    pub(super) format: &'static str,
    pub(super) source: &'a Source<'a>,
    pub(super) found: Found,
    pub(super) device_name: String,
    /// Overrides what the catalogue says (`cpu`).
    pub(super) device_kind: Option<&'static str>,
}

impl<'a> Context<'a> {
    /// The device the user names, else the one the file names, else the one its name speaks of.
    pub(super) fn new(format: &'static str, source: &'a Source<'a>, named: Option<&str>, options: &Options) -> Self {
        let given = options.device.as_deref().or(named);
        let found = given.map_or_else(|| device::lookup_in_file_name(&source.name, format), device::lookup);
        let device_name = named.or(given).map_or_else(|| found.slug.clone(), str::to_owned);
        Self { format, source, found, device_name, device_kind: None }
    }

    pub(super) fn run_id(&self) -> String {
        run_id(self.format, self.source)
    }

    fn fill(&self, row: &mut Row, dtype: Option<&str>) {
        row.set(col::schema_version, schema::version_text()).set(col::run_id, self.run_id());
        row.set(col::sweep_id, id(&["import", self.format, &self.source.sha256]));
        row.set(col::source, format!("import:{}", self.format)).set(col::tool_version, env!("CARGO_PKG_VERSION"));
        row.set(col::source_file, self.source.name.as_str()).set(col::source_sha256, self.source.sha256.as_str());
        row.set(col::group, "imported").set(col::role, "point");
        row.set(col::device, self.found.slug.as_str()).set(col::device_name, self.device_name.as_str());
        set_device_facts(row, &self.found, dtype);
        if let Some(kind) = self.device_kind {
            row.set(col::device_kind, kind);
        }
    }
}

/// The same file has the same run, so that importing twice replaces.
pub(super) fn run_id(format: &str, source: &Source<'_>) -> String {
    format!("{format}-{}", &source.sha256[..16])
}

/// Data-sheet values of the catalogue. A row without an element type has no roof of arithmetic: tensor units may have done it.
pub(super) fn set_device_facts(row: &mut Row, found: &Found, dtype: Option<&str>) {
    let Some(device) = found.device else {
        row.set(col::device_kind, "unknown");
        return;
    };
    row.set(col::device_kind, device.kind.as_str()).set_some(col::device_isa, device.architecture());
    row.set_some(col::device_memory_bytes, device.facts.memory_bytes).set_some(col::device_llc_bytes, device.facts.l2_bytes);
    let rate = dtype.and_then(Rate::of_dtype);
    row.set_some("roof.flop_per_s", rate.and_then(|rate| device.peak_flop_per_s(rate)));
    row.set_some("roof.dram_bytes_per_s", device.facts.memory_bandwidth_bytes_per_s);
}

/// Times of a result, in seconds.
#[derive(Clone, Debug, Default)]
pub(super) struct Timing {
    /// In the order taken; may be empty.
    pub(super) samples: Vec<f64>,
    /// The tool's own figure and which statistic it is.
    pub(super) reported: Option<(f64, &'static str)>,
    pub(super) basis: Option<&'static str>,
}

/// How a result ended.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    Timed(Timing),
    Failed { status: &'static str, reason: String },
}

impl Outcome {
    pub(super) fn failed(status: &'static str, reason: impl Into<String>) -> Self {
        Self::Failed { status, reason: reason.into() }
    }

    /// The tool's single figure `value` × `unit_s`, checked.
    pub(super) fn reported(value: Option<f64>, unit_s: f64, statistic: &'static str) -> Self {
        match value {
            None => Self::failed("runtime_error", "the entry has no time"),
            Some(value) => match seconds(value, unit_s) {
                Ok(time) => Self::Timed(Timing { reported: Some((time, statistic)), ..Timing::default() }),
                Err(reason) => Self::failed("runtime_error", reason),
            },
        }
    }

    pub(super) fn basis(mut self, basis: &'static str) -> Self {
        if let Self::Timed(timing) = &mut self {
            timing.basis = Some(basis);
        }
        self
    }
}

/// Why the size called `name` cannot be; a text may be a number.
#[allow(clippy::cast_precision_loss)] // compared with a power of two
pub(super) fn absurd_size(name: &str, cell: &Cell) -> Option<String> {
    let size = match cell {
        Cell::Int(size) => *size as f64,
        Cell::Real(size) => *size,
        Cell::Text(text) => match text.parse() {
            Ok(size) => size,
            Err(_) => return Some(format!("size {name} = `{}` is no number", text.chars().take(40).collect::<String>())),
        },
        Cell::Flag(_) | Cell::Reals(_) => return Some(format!("size {name} is no number")),
    };
    (!(0.0..=LARGEST).contains(&size)).then(|| format!("size {name} = `{size}`, expected 0 to 2^40"))
}

/// Why the sizes among some axes cannot be.
pub(super) fn absurd(axes: &[(String, Cell)]) -> Option<String> {
    axes.iter().filter(|(name, _)| SIZES.contains(&name.as_str())).find_map(|(name, cell)| absurd_size(name, cell))
}

/// A time in seconds, if it can be one.
pub(super) fn seconds(value: f64, unit_s: f64) -> Result<f64, String> {
    let time = value * unit_s;
    if time.is_finite() && time > 0.0 && time < LONGEST_S {
        return Ok(time);
    }
    Err(format!("time = `{value}`, expected a positive finite number below {LONGEST_S:e} s"))
}

/// Samples in seconds, or which one is wrong.
pub(super) fn samples(values: impl Iterator<Item = Option<f64>>, unit_s: f64) -> Result<Vec<f64>, String> {
    let sample = |(at, value): (usize, Option<f64>)| match value {
        Some(value) => seconds(value, unit_s).map_err(|why| format!("sample {at}: {why}")),
        None => Err(format!("sample {at}: is no number")),
    };
    values.enumerate().map(sample).collect()
}

/// A result before it becomes a row.
#[derive(Clone, Debug)]
pub(super) struct Draft {
    pub(super) family: String,
    pub(super) kernel: Option<String>,
    pub(super) axes: Vec<(String, Cell)>,
    pub(super) dtype: Option<String>,
    pub(super) knobs: Vec<(String, Cell)>,
    /// Knobs whose value is a label of the source, with the value that really ran.
    pub(super) ran: Vec<(String, Cell)>,
    pub(super) outcome: Outcome,
    /// Columns of the schema that are the format's own business.
    pub(super) more: Row,
    pub(super) extra: Map<String, Value>,
    pub(super) warnings: Vec<&'static str>,
}

impl Draft {
    /// A result of kernel `name`, of which nothing is known yet.
    pub(super) fn new(name: &str) -> Self {
        let family = match slug(name, '_') {
            family if family.is_empty() => "unknown".to_owned(),
            family => family,
        };
        Self {
            family,
            kernel: (!name.is_empty()).then(|| name.to_owned()),
            axes: Vec::new(),
            dtype: None,
            knobs: Vec::new(),
            ran: Vec::new(),
            outcome: Outcome::failed("not_run", "the source has no result"),
            more: Row::default(),
            extra: Map::new(),
            warnings: Vec::new(),
        }
    }

    /// The row, with identifiers, work, statistics and energy columns filled in.
    pub(super) fn row(mut self, context: &Context<'_>) -> Row {
        if let (Outcome::Timed(_), Some(why)) = (&self.outcome, absurd(&self.axes)) {
            self.outcome = Outcome::failed("runtime_error", why);
        }
        let mut row = Row::default();
        context.fill(&mut row, self.dtype.as_deref());
        let problem = text(&self.family, &self.axes, self.dtype.as_deref());
        let config = match text("", &self.knobs, None) {
            config if config.is_empty() => "default".to_owned(),
            config => config,
        };
        let really = |(name, asked): &(String, Cell)| {
            let ran = self.ran.iter().find(|(knob, _)| knob == name);
            (name.clone(), ran.map_or(asked, |(_, ran)| ran).clone())
        };
        let ran =
            if self.ran.is_empty() { config.clone() } else { text("", &self.knobs.iter().map(really).collect::<Vec<_>>(), None) };
        let source = format!("import:{}", context.format);
        let kernel = self.kernel.as_deref().unwrap_or_default();
        row.set(col::problem_id, id(&["problem", &self.family, &problem]));
        row.set(col::config_id, id(&["config", &self.family, kernel, &config]));
        let slug = &context.found.slug;
        let mode = self.more.text(col::cache_mode);
        let really = ["experiment", &source, &self.family, kernel, &ran, &problem, slug].into_iter().chain(mode);
        row.set(col::experiment_id, id(&really.collect::<Vec<_>>()));
        set_gemm_work(&mut row, &self.axes, self.dtype.as_deref());
        row.set(col::family, self.family).set(col::problem, problem).set(col::config, config);
        row.set_some(col::dtype, self.dtype).set_some(col::kernel, self.kernel);
        set_open(&mut row, PROBLEM, self.axes);
        set_open(&mut row, KNOB, self.knobs);
        set_outcome(&mut row, self.outcome, &mut self.warnings);
        row.0.extend(self.more.0);
        set_energy(&mut row, &mut self.warnings);
        if !self.warnings.is_empty() {
            row.set(col::warnings, self.warnings.join(","));
        }
        if row.0.contains_key("roof.dram_bytes_per_s") {
            self.extra.insert("roof_source".to_owned(), "datasheet".into());
        }
        if !self.extra.is_empty() {
            row.set(col::extra, Value::Object(self.extra).to_string());
        }
        row
    }
}

/// `family m=4 n=4 f32`; names and values in the order given.
fn text(head: &str, cells: &[(String, Cell)], tail: Option<&str>) -> String {
    let mut text = head.to_owned();
    for (name, cell) in cells {
        let joint = if text.is_empty() { "" } else { " " };
        let shown = match cell {
            Cell::Flag(value) => value.to_string(),
            Cell::Int(value) => value.to_string(),
            Cell::Real(value) => value.to_string(),
            Cell::Text(value) => value.clone(),
            Cell::Reals(values) => format!("{values:?}"),
        };
        write!(text, "{joint}{name}={shown}").expect("writing to a string cannot fail");
    }
    if let Some(tail) = tail {
        write!(text, " {tail}").expect("writing to a string cannot fail");
    }
    text
}

fn set_open(row: &mut Row, prefix: &str, cells: Vec<(String, Cell)>) {
    for (name, cell) in cells {
        if !name.is_empty() {
            row.set(format!("{prefix}{name}"), cell);
        }
    }
}

/// FLOP of a matrix product of `m`, `n` and `k`: `2mnk`, of complex numbers `8mnk` (four products and four sums each).
pub(super) fn gemm_flop(sizes: [f64; 3], dtype: Option<&str>) -> f64 {
    let complex = dtype.is_some_and(|dtype| matches!(dtype, "c16" | "c32" | "c64"));
    let operations = if complex { 8.0 } else { 2.0 };
    operations * sizes.iter().product::<f64>()
}

/// Work of a matrix product where its sizes are known: FLOP per product of a batch; bytes of A, B and C once each.
#[allow(clippy::cast_precision_loss)] // sizes stay far below 2^53
fn set_gemm_work(row: &mut Row, axes: &[(String, Cell)], dtype: Option<&str>) {
    let size = |name: &str| {
        axes.iter().find_map(|(axis, cell)| match cell {
            Cell::Int(size) if axis == name && *size > 0 => Some(*size as f64),
            _ => None,
        })
    };
    let (Some(m), Some(n), Some(k)) = (size("m"), size("n"), size("k")) else { return };
    let batch = size("batch").unwrap_or(1.0);
    let flop = batch * gemm_flop([m, n, k], dtype);
    row.set(col::useful_flop, flop).set(col::dense_flop, flop);
    let bytes = dtype.and_then(element_bytes).map(|bytes| bytes * batch * (m * k + k * n + m * n));
    row.set_some(col::compulsory_bytes, bytes);
}

/// Bytes per element of a type.
pub(super) fn element_bytes(dtype: &str) -> Option<f64> {
    Some(match dtype {
        "f4" | "fp4" | "nvfp4" | "e2m1" | "i4" | "int4" | "uint4" => 0.5,
        "f8" | "fp8" | "e4m3" | "e5m2" | "i8" | "int8" | "uint8" => 1.0,
        "f16" | "bf16" => 2.0,
        "f32" | "tf32" | "c16" => 4.0,
        "f64" | "c32" => 8.0,
        "c64" => 16.0,
        _ => return None,
    })
}

fn set_outcome(row: &mut Row, outcome: Outcome, warnings: &mut Vec<&'static str>) {
    let timing = match outcome {
        Outcome::Timed(timing) => timing,
        Outcome::Failed { status, reason } => {
            row.set(col::status, status).set(col::reason, reason);
            return;
        }
    };
    row.set(col::status, "ok").set(col::time_basis, timing.basis.unwrap_or("unknown"));
    let Some(statistics) = Statistics::of(&timing.samples) else {
        if let Some((time, statistic)) = timing.reported {
            row.set(col::time_s, time).set(col::time_statistic, statistic);
        }
        return;
    };
    row.set_some(col::time_reported_s, timing.reported.map(|(time, _)| time));
    row.set(col::time_s, statistics.median).set(col::time_statistic, "median");
    row.set(col::time_min_s, statistics.min).set(col::time_median_s, statistics.median);
    row.set(col::time_q1_s, statistics.q1).set(col::time_q3_s, statistics.q3).set(col::noise, statistics.noise());
    row.set(col::samples, i64::try_from(timing.samples.len()).unwrap_or(i64::MAX));
    if timing.samples.len() > 2 && timing.samples[0] / statistics.median > COLD_RATIO {
        warnings.push(COLD_FIRST);
    }
    row.set(col::time_samples_s, timing.samples);
}

/// Says where energy comes from, or why there is none. Energy and power that do not fit the time within a factor of two are not in
/// the units they claim.
fn set_energy(row: &mut Row, warnings: &mut Vec<&'static str>) {
    for name in [col::energy_j, col::power_w] {
        if row.real(name).is_some_and(|value| !value.is_finite() || value <= 0.0) {
            row.0.remove(name);
        }
    }
    let (energy, power, time) = (row.real(col::energy_j), row.real(col::power_w), row.real(col::time_s));
    if let (Some(energy), Some(power), Some(time)) = (energy, power, time)
        && !(0.5..=2.0).contains(&(energy / (power * time)))
    {
        warnings.push(ENERGY_UNITS);
    }
    match (energy, power) {
        (Some(_), _) => row.set(col::energy_source, "import"),
        (None, Some(_)) => row.set(col::energy_source, "import").set(col::energy_reason, "the source file has power only"),
        (None, None) => {
            row.set(col::energy_source, "unavailable").set(col::energy_reason, "the source file has no usable energy metric")
        }
    };
}
