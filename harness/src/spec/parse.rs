//! TOML text → [`Sweep`].

use std::path::Path;

use tilecast_kernels::devices::cuda::power::limits;
use tilecast_kernels::{CacheMode, DeviceInfo, Dtype, Family, Parameter, Value, registry};
use toml::{Table, Value as Toml};

use super::table::{Known, int, real, values};
use super::{Baseline, Entry, Measure, Sweep};
use crate::fail::{Fail, unknown};

const TOP: &[&str] = &["name", "device", "cache", "seed", "blas", "measure", "sweep"];
const MEASURE: &[&str] = &["min_samples", "max_samples", "max_noise", "point_s", "sample_s", "timeout_s", "energy_s"];
/// Samples that a point may take at least, and at most. Three are taken whatever they cost.
const SAMPLES: (u64, u64) = (3, 1_000_000);
/// Above the first, at most the second.
const NOISE: (f64, f64) = (0.0, 1.0);
const ENTRY: &[&str] = &["family", "dtype", "problems", "knobs", "limit", "baseline"];

/// Parses and checks a spec. `name` is used where the spec has none. `knobs_of` gives a family's knobs on the device at hand.
///
/// # Errors
/// [`Fail`] naming the key, the value and the limit; unknown keys come with the nearest known one.
pub fn parse(text: &str, name: &str, knobs_of: &dyn Fn(&dyn Family) -> Vec<Parameter>) -> Result<Sweep, Fail> {
    let table: Table = text.parse().map_err(|error: toml::de::Error| syntax(text, &error))?;
    let top = Known::new(&table, "the spec", TOP)?;
    let sweeps = match top.raw("sweep") {
        Some(Toml::Array(entries)) if !entries.is_empty() => entries,
        Some(other) => return Err(top.wrong("sweep", other, "a list of [[sweep]] tables")),
        None => {
            return Err(Fail::new("the spec has no [[sweep]] table; it would measure nothing").hint("see sweeps/ for examples"));
        }
    };
    let entries = sweeps.iter().enumerate().map(|(i, entry)| parse_entry(i, entry, knobs_of)).collect::<Result<_, _>>()?;
    Ok(Sweep {
        name: top.text("name")?.unwrap_or(name).to_owned(),
        device: top.text("device")?.map(str::to_owned),
        cache: parse_cache(&top)?,
        seed: top.int("seed", (0, i64::MAX.unsigned_abs()))?.unwrap_or(1),
        measure: parse_measure(&top)?,
        entries,
        blas: top.text("blas")?.map(|path| Path::new(path).to_owned()),
    })
}

fn syntax(text: &str, error: &toml::de::Error) -> Fail {
    let line = error.span().map_or(0, |span| text[..span.start].matches('\n').count() + 1);
    Fail::new(format!("line {line} is not TOML: {}", error.message())).hint("`tilecast sweep --help` shows a small spec")
}

fn parse_cache(top: &Known<'_>) -> Result<Vec<CacheMode>, Fail> {
    let Some(words) = top.words("cache")? else { return Ok(vec![CacheMode::Hot]) };
    words
        .into_iter()
        .map(|word| match word {
            "hot" => Ok(CacheMode::Hot),
            "cold" => Ok(CacheMode::Cold),
            other => Err(unknown("cache mode", other, ["hot", "cold"]).within(top.place())),
        })
        .collect()
}

fn parse_measure(top: &Known<'_>) -> Result<Measure, Fail> {
    let default = Measure::default();
    let Some(value) = top.raw("measure") else { return Ok(default) };
    let Some(table) = value.as_table() else { return Err(top.wrong("measure", value, "a table")) };
    let known = Known::new(table, "[measure]", MEASURE)?;
    let count =
        |key, default: u32| Ok::<_, Fail>(known.int(key, SAMPLES)?.map_or(default, |v| u32::try_from(v).unwrap_or(u32::MAX)));
    let seconds = |key, default: f64| Ok::<_, Fail>(known.real(key, (0.0, 86_400.0))?.unwrap_or(default));
    let measure = Measure {
        min_samples: count("min_samples", default.min_samples)?,
        max_samples: count("max_samples", default.max_samples)?,
        max_noise: known.real("max_noise", NOISE)?.unwrap_or(default.max_noise),
        point_s: seconds("point_s", default.point_s)?,
        sample_s: seconds("sample_s", default.sample_s)?,
        timeout_s: seconds("timeout_s", default.timeout_s)?,
        energy_s: seconds("energy_s", default.energy_s)?,
    };
    check_measure(&measure).map_err(|fail| fail.within("[measure]"))?;
    Ok(measure)
}

/// The relations between settings that no single one shows.
fn check_measure(measure: &Measure) -> Result<(), Fail> {
    let Measure { min_samples, max_samples, .. } = measure;
    if min_samples > max_samples {
        return Err(Fail::new(format!("`min_samples = {min_samples}` is above `max_samples = {max_samples}`")));
    }
    Ok(())
}

/// What a command line says in place of a spec's `[measure]`.
#[derive(Clone, Copy, Debug)]
pub struct Overrides {
    /// For `min_samples`; a ceiling that is not given rises with it.
    pub min_samples: Option<u32>,
    /// For `max_samples`.
    pub max_samples: Option<u32>,
    /// For `max_noise`.
    pub max_noise: Option<f64>,
}

impl Overrides {
    /// Replaces what is given, within the same limits as in a spec.
    ///
    /// # Errors
    /// [`Fail`] naming the argument, the value and the limit.
    pub fn apply(self, measure: &mut Measure) -> Result<(), Fail> {
        for (name, count) in [("--min-samples", self.min_samples), ("--max-samples", self.max_samples)] {
            if let Some(count) = count {
                int(&format!("{name} {count}"), Some(count.into()), SAMPLES)?;
            }
        }
        if let Some(noise) = self.max_noise {
            real(&format!("--max-noise {noise}"), self.max_noise, NOISE)?;
        }
        measure.min_samples = self.min_samples.unwrap_or(measure.min_samples);
        measure.max_samples = self.max_samples.unwrap_or(measure.max_samples.max(measure.min_samples));
        measure.max_noise = self.max_noise.unwrap_or(measure.max_noise);
        check_measure(measure)
    }
}

fn parse_entry(index: usize, value: &Toml, knobs_of: &dyn Fn(&dyn Family) -> Vec<Parameter>) -> Result<Entry, Fail> {
    let place = format!("[[sweep]] number {}", index + 1);
    let Some(table) = value.as_table() else { return Err(Fail::new("is not a table").within(place)) };
    let known = Known::new(table, &place, ENTRY)?;
    let id = known.text("family")?.ok_or_else(|| Fail::new("`family` is missing").within(&place))?;
    let family = find_family(id).map_err(|fail| fail.within(&place))?;
    Ok(Entry {
        family,
        dtypes: parse_dtypes(&known, family)?,
        problems: parse_problems(&known, family)?,
        knobs: parse_knobs(&known, family, &knobs_of(family))?,
        limit: known.int("limit", (1, 100_000_000))?.map(|v| usize::try_from(v).unwrap_or(usize::MAX)),
        baseline: if known.flag("baseline")?.unwrap_or(true) { Baseline::Measured } else { Baseline::Omitted },
    })
}

/// The family called `id`.
///
/// # Errors
/// [`Fail`] with the nearest known family.
pub fn find_family(id: &str) -> Result<&'static dyn Family, Fail> {
    tilecast_kernels::family(id).ok_or_else(|| unknown("family", id, registry().iter().map(|family| family.card().id)))
}

fn parse_dtypes(known: &Known<'_>, family: &dyn Family) -> Result<Vec<Dtype>, Fail> {
    let Some(words) = known.words("dtype")? else { return Ok(vec![family.dtypes()[0]]) };
    words
        .into_iter()
        .map(|word| {
            let dtype = family.dtypes().iter().find(|dtype| dtype.name() == word);
            dtype.copied().ok_or_else(|| unknown("dtype", word, family.dtypes().iter().map(|d| d.name())).within(known.place()))
        })
        .collect()
}

fn parse_problems(known: &Known<'_>, family: &dyn Family) -> Result<Vec<Vec<(String, Value)>>, Fail> {
    let default = [Toml::Table(Table::new())];
    let tables = match known.raw("problems") {
        Some(Toml::Array(tables)) if tables.is_empty() => return Err(known.empty("problems")),
        Some(Toml::Array(tables)) => tables.as_slice(),
        Some(other) => return Err(known.wrong("problems", other, "a list of tables such as `{ m = 512 }`")),
        None => &default,
    };
    let axes = family.axes();
    let mut problems = Vec::new();
    for table in tables {
        let Some(table) = table.as_table() else { return Err(known.wrong("problems", table, "a table such as `{ m = 512 }`")) };
        let given = parse_values(table, &axes, "axis", known.place())?;
        problems.extend(multiply(&given));
    }
    Ok(problems)
}

fn parse_knobs(known: &Known<'_>, family: &dyn Family, knobs: &[Parameter]) -> Result<Vec<(String, Vec<Value>)>, Fail> {
    match known.raw("knobs") {
        None => Ok(Vec::new()),
        Some(Toml::Table(table)) => parse_values(table, knobs, "knob", &format!("{} (`{}`)", known.place(), family.card().id)),
        Some(other) => Err(known.wrong("knobs", other, "a table such as `{ tile = [8, 16] }`")),
    }
}

/// What a sweep may name on `device`: the family's own knobs and the settings of the board.
#[must_use]
pub fn knobs_on(family: &dyn Family, device: &DeviceInfo) -> Vec<Parameter> {
    let mut knobs = family.knobs(device);
    knobs.extend(limits::knobs(device));
    knobs
}

/// `name` is not one of `known`, which a setting of a board is only on a GPU.
pub fn unknown_knob<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> Fail {
    if what.contains("knob") && limits::is_limit(name) {
        return Fail::new(format!("knob `{name}` sets the clock or the power limit of a GPU, and this device is none"))
            .hint("measure on a GPU (`--device cuda:0`), or leave the knob out");
    }
    unknown(what, name, known)
}

fn parse_values(table: &Table, declared: &[Parameter], what: &str, place: &str) -> Result<Vec<(String, Vec<Value>)>, Fail> {
    let mut out = Vec::new();
    for (name, value) in table {
        let parameter = declared
            .iter()
            .find(|parameter| parameter.name == name)
            .ok_or_else(|| unknown_knob(what, name, declared.iter().map(|p| p.name)).within(place))?;
        let values = values(name, value, place)?;
        for value in &values {
            parameter.domain.accept(name, value).map_err(|misfit| Fail::from(misfit).within(place))?;
        }
        out.push((name.clone(), values));
    }
    Ok(out)
}

/// Every combination of the listed values.
fn multiply(given: &[(String, Vec<Value>)]) -> Vec<Vec<(String, Value)>> {
    given.iter().fold(vec![Vec::new()], |heads, (name, values)| {
        heads
            .iter()
            .flat_map(|head| {
                values.iter().map(|value| {
                    let mut axes = head.clone();
                    axes.push((name.clone(), value.clone()));
                    axes
                })
            })
            .collect()
    })
}
