//! Mapping files: which columns of a table are which of ours, in what units. `docs/importing.md` is their reference.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Deserialize;

use super::instant;
use super::unit::{Dimension, Unit};
use crate::import::ImportError;
use crate::kernel_name::PARTS;
use crate::schema::{self, Kind, col};

/// How the columns of a table are read.
#[derive(Clone, Debug, PartialEq)]
pub struct Mapping {
    /// Short name; rows get `source = import:<name>`.
    pub name: String,
    /// What the tables are.
    pub about: Option<String>,
    pub(super) family: Option<String>,
    pub(super) delimiter: u8,
    /// Cells that mean no value, beside empty ones.
    pub(super) missing: Vec<String>,
    /// Source columns that are not kept.
    pub(super) ignore: Vec<String>,
    pub(super) energy_is_derived: bool,
    pub(super) constants: Vec<(String, toml::Value)>,
    pub(super) columns: Vec<(String, Spec)>,
    pub(super) kernel: Option<Kernel>,
    pub(super) launches: Option<Launches>,
}

/// Where one of our columns comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Spec {
    /// Source columns: one, or several for samples.
    pub(super) from: Vec<String>,
    pub(super) unit: Option<Unit>,
    /// The source's words for ours.
    pub(super) values: BTreeMap<String, String>,
    /// May be absent from a table.
    pub(super) optional: bool,
}

/// What the kernel's name decides.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Kernel {
    /// Knob → part of the name it should say (`layout`, `tile_m`, …). These are labels: they are held against the name and are no
    /// part of what really ran.
    #[serde(default)]
    pub(super) labels: BTreeMap<String, String>,
    /// Whether `problem.layout` comes from the name.
    #[serde(default)]
    pub(super) layout: bool,
}

/// Columns that say how a kernel was launched: they tell how many multiprocessors the device has.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Launches {
    pub(super) grid: Vec<String>,
    pub(super) block: Vec<String>,
    /// Warps of the launch per multiprocessor.
    pub(super) warps_per_sm: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    name: String,
    about: Option<String>,
    family: Option<String>,
    delimiter: Option<String>,
    #[serde(default)]
    missing: Vec<String>,
    #[serde(default)]
    ignore: Vec<String>,
    energy: Option<Energy>,
    #[serde(default)]
    constants: BTreeMap<String, toml::Value>,
    columns: BTreeMap<String, FileSpec>,
    kernel: Option<Kernel>,
    launches: Option<Launches>,
}

#[derive(Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
enum Energy {
    Metered,
    Derived,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum FileSpec {
    Name(String),
    Full(FullSpec),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FullSpec {
    from: OneOrMany,
    unit: Option<String>,
    #[serde(default)]
    values: BTreeMap<String, String>,
    #[serde(default)]
    optional: bool,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum OneOrMany {
    One(String),
    Many(Vec<String>),
}

/// Columns that an import itself fills.
const OURS: [&str; 20] = [
    col::schema_version,
    col::run_id,
    col::sweep_id,
    col::experiment_id,
    col::problem_id,
    col::config_id,
    col::source,
    col::tool_version,
    col::source_file,
    col::source_sha256,
    col::warnings,
    col::extra,
    col::device,
    col::device_kind,
    col::problem,
    col::config,
    col::energy_source,
    col::energy_reason,
    col::role,
    col::baseline_of,
];

/// What differs from row to row: no constants.
const MEASURED: [&str; 6] = [col::status, col::reason, col::time_s, col::time_samples_s, col::energy_j, col::power_w];

const READY: [(&str, &str); 9] = [
    ("aiconfigurator", include_str!("../../../mappings/aiconfigurator.toml")),
    ("gpperf", include_str!("../../../mappings/gpperf.toml")),
    ("gpperf-tiled-power", include_str!("../../../mappings/gpperf-tiled-power.toml")),
    ("gpperf-tiled-time", include_str!("../../../mappings/gpperf-tiled-time.toml")),
    ("hkbu-dvfs", include_str!("../../../mappings/hkbu-dvfs.toml")),
    ("input-dependent-power", include_str!("../../../mappings/input-dependent-power.toml")),
    ("neusight", include_str!("../../../mappings/neusight.toml")),
    ("uci-sgemm", include_str!("../../../mappings/uci-sgemm.toml")),
    ("vidur", include_str!("../../../mappings/vidur.toml")),
];

impl Mapping {
    /// Names of the mappings that come with the program.
    #[must_use]
    pub fn ready_names() -> Vec<&'static str> {
        READY.iter().map(|(name, _)| *name).collect()
    }

    /// The mapping `name` that comes with the program. `None` where there is none.
    #[must_use]
    pub fn ready(name: &str) -> Option<Self> {
        let (name, text) = READY.iter().find(|(ready, _)| *ready == name)?;
        Self::parse(name, text).ok()
    }

    /// The mapping in the file at `path`.
    ///
    /// # Errors
    /// The file cannot be read, or as [`Mapping::parse`].
    pub fn load(path: &Path) -> Result<Self, ImportError> {
        let io = |source| ImportError::Io { path: path.to_owned(), source };
        Self::parse(&path.display().to_string(), &std::fs::read_to_string(path).map_err(io)?)
    }

    /// Reads a mapping; `place` names it in errors.
    ///
    /// # Errors
    /// TOML that is none, unknown keys, columns that are not in the schema or not for mappings, units that do not fit.
    pub fn parse(place: &str, text: &str) -> Result<Self, ImportError> {
        let wrong = |why: String, hint: Option<String>| ImportError::Mapping { mapping: place.to_owned(), why, hint };
        let file: File = toml::from_str(text).map_err(|error| {
            let why = error.to_string().trim().replace('\n', "; ");
            wrong(why, Some("docs/importing.md lists the keys of mapping files".to_owned()))
        })?;
        let delimiter = match file.delimiter.as_deref().map(str::as_bytes) {
            None => b',',
            Some([byte]) if byte.is_ascii() && !matches!(byte, b'\n' | b'\r' | b'"') => *byte,
            Some(_) => return Err(wrong("`delimiter` is no single ASCII character".to_owned(), None)),
        };
        if file.name.is_empty() || file.name != crate::id::slug(&file.name, '-') {
            let why = format!("`name` = `{}`, expected lower-case letters, digits and dashes", file.name);
            return Err(wrong(why, None));
        }
        let mut columns = Vec::with_capacity(file.columns.len());
        for (target, spec) in file.columns {
            let spec = check_spec(&target, spec).map_err(|(why, hint)| wrong(why, hint))?;
            columns.push((target, spec));
        }
        for (target, value) in &file.constants {
            check_constant(target, value).map_err(|(why, hint)| wrong(why, hint))?;
            if columns.iter().any(|(column, _)| column == target) {
                return Err(wrong(format!("`{target}` is both a constant and a column"), None));
            }
        }
        check_together(&file.constants, &columns, file.kernel.as_ref()).map_err(|(why, hint)| wrong(why, hint))?;
        if file.family.is_none() && !columns.iter().any(|(target, _)| target == col::family) {
            return Err(wrong(
                "there is no `family`".to_owned(),
                Some("name the kernel family: `family = \"gemm_library\"`".to_owned()),
            ));
        }
        Ok(Self {
            name: file.name,
            about: file.about,
            family: file.family,
            delimiter,
            missing: file.missing,
            ignore: file.ignore,
            energy_is_derived: file.energy == Some(Energy::Derived),
            constants: file.constants.into_iter().collect(),
            columns,
            kernel: file.kernel,
            launches: file.launches,
        })
    }

    /// The text constant `name`.
    pub(super) fn constant(&self, name: &str) -> Option<&str> {
        self.constants.iter().find(|(target, _)| target == name).and_then(|(_, value)| value.as_str())
    }
}

type Wrong = (String, Option<String>);

fn check_target(target: &str) -> Result<(), Wrong> {
    if OURS.contains(&target) {
        return Err((format!("column `{target}` is filled by the import itself"), None));
    }
    if schema::is_open(target) || schema::column(target).is_some() {
        return Ok(());
    }
    let hint = "columns are listed in docs/schema.md; axes begin with `problem.`, knobs with `knob.`";
    Err((format!("column `{target}` is not in the schema"), Some(hint.to_owned())))
}

fn check_spec(target: &str, spec: FileSpec) -> Result<Spec, Wrong> {
    check_target(target)?;
    let full = match spec {
        FileSpec::Name(name) => FullSpec { from: OneOrMany::One(name), unit: None, values: BTreeMap::new(), optional: false },
        FileSpec::Full(full) => full,
    };
    let kind = schema::column(target).map(|column| column.kind);
    let words = match kind {
        Some(kind) => matches!(kind, Kind::Text | Kind::Flag) && target != col::measured_at,
        None => !is_real(target),
    };
    if !words && !full.values.is_empty() {
        return Err((format!("column `{target}`: `values` translates words, this is a number or a point in time"), None));
    }
    let many = kind == Some(Kind::Reals);
    let from = match full.from {
        OneOrMany::One(name) => vec![name],
        OneOrMany::Many(names) if many && !names.is_empty() => names,
        OneOrMany::Many(_) if many => return Err((format!("column `{target}`: `from` is an empty list"), None)),
        OneOrMany::Many(_) => {
            return Err((format!("column `{target}`: `from` is a list, only samples have several columns"), None));
        }
    };
    let dimension = Dimension::of_column(target);
    let unit = match full.unit {
        Some(name) => {
            let unit = Unit::of_name(&name).ok_or_else(|| {
                let known: Vec<&str> = Unit::names().collect();
                (format!("column `{target}`: unit `{name}` is unknown"), Some(format!("known: {}", known.join(", "))))
            })?;
            if unit.dimension != dimension {
                return Err((format!("column `{target}`: unit `{name}` does not fit, expected {}", dimension.name()), None));
            }
            Some(unit)
        }
        None if dimension == Dimension::Number => None,
        None => return Err((format!("column `{target}` has no unit, expected {}", dimension.name()), None)),
    };
    Ok(Spec { from, unit, values: full.values, optional: full.optional })
}

/// Open columns that hold nothing but reals.
fn is_real(target: &str) -> bool {
    [schema::TRAFFIC, schema::ROOF].iter().any(|prefix| target.starts_with(prefix))
}

/// What one part of a mapping needs of another.
fn check_together(
    constants: &BTreeMap<String, toml::Value>,
    columns: &[(String, Spec)],
    kernel: Option<&Kernel>,
) -> Result<(), Wrong> {
    let column = |name: &str| columns.iter().any(|(target, _)| target == name);
    let named = |name: &str| column(name) || constants.contains_key(name);
    if column(col::reason) && !column(col::status) {
        return Err(("column `reason` says why a status is not `ok`: it needs a column `status`".to_owned(), None));
    }
    let Some(kernel) = kernel else { return Ok(()) };
    if !named(col::kernel) {
        return Err(("`[kernel]` is about a column `kernel`, which is not mapped".to_owned(), None));
    }
    if kernel.layout && named("problem.layout") {
        return Err(("`problem.layout` is both mapped and taken from the kernel's name".to_owned(), None));
    }
    for (knob, part) in &kernel.labels {
        if !named(&format!("{}{knob}", schema::KNOB)) {
            return Err((format!("label `{knob}`: there is no column or constant `{}{knob}`", schema::KNOB), None));
        }
        if !PARTS.contains(&part.as_str()) {
            let hint = format!("known: {}", PARTS.join(", "));
            return Err((format!("label `{knob}`: a kernel's name has no part `{part}`"), Some(hint)));
        }
    }
    Ok(())
}

fn check_constant(target: &str, value: &toml::Value) -> Result<(), Wrong> {
    check_target(target)?;
    if target == col::family {
        return Err((
            "constant `family`: it is a key of the file itself".to_owned(),
            Some("write `family = \"…\"` above".to_owned()),
        ));
    }
    if MEASURED.contains(&target) {
        return Err((format!("constant `{target}`: what was measured differs from row to row and needs a column"), None));
    }
    let instant = value.as_str().is_some_and(|text| instant::of_text(text.into()).is_some());
    if target == col::measured_at && !instant {
        return Err((format!("constant `{target}` = `{value}`, expected a point in time as `2024-01-01T00:00:00Z`"), None));
    }
    let fits = match (schema::column(target).map(|column| column.kind), value) {
        (None, toml::Value::String(_)) if is_real(target) => false,
        (Some(Kind::Text) | None, toml::Value::String(_))
        | (Some(Kind::Int | Kind::Real) | None, toml::Value::Integer(_))
        | (Some(Kind::Flag), toml::Value::Boolean(_)) => true,
        (Some(Kind::Real) | None, toml::Value::Float(value)) => value.is_finite(),
        _ => false,
    };
    if fits { Ok(()) } else { Err((format!("constant `{target}` = `{value}` is of another type than the column"), None)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_ready_mappings_are_well_formed_and_say_what_they_are() {
        for (name, text) in READY {
            let mapping = Mapping::parse(name, text).unwrap_or_else(|error| panic!("{error}"));
            assert_eq!(mapping.name, name);
            assert!(mapping.about.is_some(), "{name}");
        }
    }

    #[test]
    fn wrong_mappings_are_refused_with_the_reason() {
        let check = |text: &str, expected: &str| {
            let error = Mapping::parse("m.toml", text).expect_err(expected).to_string();
            assert!(error.contains(expected) && error.starts_with("mapping `m.toml`"), "{error}");
        };
        let with = |line: &str| format!("name = \"a\"\nfamily = \"f\"\n[columns]\n{line}\n");
        check("name = ", "TOML parse error");
        check("name = \"a\"\nfamily = \"f\"\ncolour = 1\n[columns]\n", "colour");
        check("name = \"A b\"\nfamily = \"f\"\n[columns]\n", "`name` = `A b`");
        check("name = \"a\"\n[columns]\n", "there is no `family`");
        check("name = \"a\"\nfamily = \"f\"\ndelimiter = \";;\"\n[columns]\n", "`delimiter` is no single");
        check(&with("tiem_s = \"t\""), "column `tiem_s` is not in the schema");
        check(&with("run_id = \"t\""), "column `run_id` is filled by the import itself");
        check(&with("time_s = \"t\""), "column `time_s` has no unit, expected a time");
        check(&with("time_s = { from = \"t\", unit = \"W\" }"), "unit `W` does not fit, expected a time");
        check(&with("time_s = { from = \"t\", unit = \"sec\" }"), "unit `sec` is unknown");
        check(&with("time_s = { from = [\"t\", \"u\"], unit = \"ms\" }"), "only samples have several");
        check(&with("time_samples_s = { from = [], unit = \"ms\" }"), "`from` is an empty list");
        check(&with("\"problem.m\" = \"M\"\n[constants]\ndtype = 4"), "constant `dtype` = `4` is of another type");
        check(&with("\"problem.m\" = \"M\"\n[constants]\n\"problem.m\" = 4"), "both a constant and a column");
        check(&with("\"problem.m\" = \"M\"\n[constants]\nidle_w = nan"), "of another type");
        check(&with("\"problem.m\" = \"M\"\n[constants]\npower_w = 3"), "constant `power_w`: what was measured");
        check(&with("\"problem.m\" = \"M\"\n[constants]\nstatus = \"okay\""), "constant `status`: what was measured");
        check(&with("\"problem.m\" = \"M\"\n[constants]\nfamily = \"g\""), "constant `family`: it is a key");
        check(&with("\"problem.m\" = \"M\"\n[constants]\n\"roof.flop_per_s\" = \"much\""), "of another type");
        check(&with("reason = \"why\""), "it needs a column `status`");
        check(&with("power_w = { from = \"p\", unit = \"W\", values = { a = \"1\" } }"), "`values` translates words");
        check(&with("\"problem.m\" = \"M\"\n[kernel]\nlayout = true"), "a column `kernel`, which is not mapped");
        check(&with("kernel = \"K\"\n\"problem.layout\" = \"l\"\n[kernel]\nlayout = true"), "`problem.layout` is both");
        check(&with("kernel = \"K\"\n[kernel]\nlabels = { tile = \"tile_m\" }"), "there is no column or constant `knob.tile`");
        check(
            &with("kernel = \"K\"\n\"knob.tile\" = \"T\"\n[kernel]\nlabels = { tile = \"tiles\" }"),
            "a kernel's name has no part `tiles`",
        );
    }
}
