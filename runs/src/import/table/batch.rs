//! A batch of source columns → a frame of the schema.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::ops::Range;

use polars::prelude::*;

use super::assembled::{Assembled, kind_of};
use super::cells::{self, Cells, Member, Number};
use super::devices::Devices;
use super::energy;
use super::instant;
use super::kernel::Said;
use super::launches::{Launch, Witnesses};
use super::mapping::{Mapping, Spec};
use super::outcome::{Outcomes, Reported};
use super::pieces::{PIECE, in_pieces};
use super::texts::Parts;
use crate::frame::FrameError;
use crate::id::{id, slug};
use crate::import::draft::{SIZES, element_bytes, gemm_flop, run_id};
use crate::import::source::Source;
use crate::import::{ImportError, Options};
use crate::schema::{self, KNOB, Kind, PROBLEM, ROOF, col};

/// One of our columns and the places of its source columns.
struct Target<'a> {
    name: &'a str,
    spec: &'a Spec,
    places: Vec<usize>,
}

/// Turns batches to frames; keeps what has to be known across batches.
pub(super) struct Builder<'a> {
    mapping: &'a Mapping,
    format: String,
    source: &'a Source<'a>,
    device: Option<&'a str>,
    /// In order of the source's columns, so that text forms read as the table does.
    targets: Vec<Target<'a>>,
    /// Places of columns without a place of ours.
    rest: Vec<usize>,
    launches: Option<[Vec<usize>; 3]>,
    run_id: String,
    devices: Devices,
    witnesses: Witnesses,
    /// Column → cells that cannot be read and the first of them.
    bad: BTreeMap<String, (usize, String)>,
}

/// Columns that are not taken over cell by cell, but made into something.
const MADE: [&str; 10] = [
    col::family,
    col::device_name,
    col::dtype,
    col::kernel,
    col::status,
    col::reason,
    col::time_s,
    col::time_samples_s,
    col::time_statistic,
    col::time_basis,
];

impl<'a> Builder<'a> {
    /// Finds the mapping's columns in the header.
    pub(super) fn new(
        mapping: &'a Mapping,
        format: &str,
        source: &'a Source<'a>,
        options: &'a Options,
        header: &[String],
    ) -> Result<Self, ImportError> {
        let place = |name: &String| header.iter().position(|column| column == name);
        let mut missing = Vec::new();
        let mut find = |names: &[String]| -> Vec<usize> {
            missing.extend(names.iter().filter(|name| place(name).is_none()).cloned());
            names.iter().filter_map(place).collect()
        };
        let present = |spec: &Spec| !spec.optional || spec.from.iter().all(|name| place(name).is_some());
        let mapped = mapping.columns.iter().filter(|(_, spec)| present(spec));
        let mut targets: Vec<Target<'a>> = mapped.map(|(name, spec)| Target { name, spec, places: find(&spec.from) }).collect();
        let launches = mapping
            .launches
            .as_ref()
            .map(|launches| [find(&launches.grid), find(&launches.block), find(std::slice::from_ref(&launches.warps_per_sm))]);
        if !missing.is_empty() {
            return Err(source.wrong(format, said_missing(&missing, header)));
        }
        targets.sort_by_key(|target| target.places.first().copied());
        let used = |place: &usize| targets.iter().any(|target| target.places.contains(place));
        let rest = (0..header.len()).filter(|at| !used(at) && !mapping.ignore.contains(&header[*at])).collect();
        Ok(Self {
            mapping,
            format: format.to_owned(),
            source,
            device: options.device.as_deref(),
            targets,
            rest,
            launches,
            run_id: run_id(format, source),
            devices: Devices::default(),
            witnesses: Witnesses::default(),
            bad: BTreeMap::new(),
        })
    }

    pub(super) fn run_id(&self) -> &str {
        &self.run_id
    }

    pub(super) fn format(&self) -> &str {
        &self.format
    }

    /// What is uncertain about the rows so far.
    pub(super) fn warnings(&self) -> Vec<String> {
        let bad = |(column, (count, first)): (&String, &(usize, String))| {
            let what = if column == col::measured_at { "point in time in UTC" } else { "number" };
            format!("column `{column}`: {count} cells are no {what} (the first is `{first}`), left empty")
        };
        let said = self.devices.warnings().chain(self.witnesses.disagreements(&self.devices.entries));
        said.chain(self.bad.iter().map(bad)).collect()
    }

    /// The frame of a batch.
    pub(super) fn frame(&mut self, columns: &[Column]) -> Result<DataFrame, FrameError> {
        let plain = columns.iter().map(cells::plain).collect::<PolarsResult<Vec<_>>>()?;
        let rows = plain.first().map_or(0, Column::len);
        let codes = self.device_codes(&plain, rows)?;
        self.witness(&plain, &codes)?;
        let batch = Batch { builder: self, plain: &plain, rows };
        let (frame, bad) = batch.frame(&codes)?;
        for (column, first) in bad {
            self.bad.entry(column).and_modify(|(count, _)| *count += first.0).or_insert(first);
        }
        Ok(frame)
    }

    /// What the user says, else the column or constant of the mapping, else the file's name.
    fn device_codes(&mut self, plain: &[Column], rows: usize) -> Result<Vec<usize>, FrameError> {
        if let Some(name) = self.device.or(self.mapping.constant(col::device_name)) {
            return Ok(vec![self.devices.code(name); rows]);
        }
        let Some(target) = self.targets.iter().find(|target| target.name == col::device_name) else {
            let code = match self.devices.entries.is_empty() {
                true => self.devices.of_file_name(&self.source.name, &self.format),
                false => 0,
            };
            return Ok(vec![code; rows]);
        };
        let names = translated(cells::texts(&plain[target.places[0]], &self.mapping.missing)?, target.spec);
        Ok(names.iter().map(|name| self.devices.code(name.as_deref().unwrap_or_default())).collect())
    }

    fn witness(&mut self, plain: &[Column], codes: &[usize]) -> Result<(), FrameError> {
        let Some([grid, block, warps]) = &self.launches else { return Ok(()) };
        let numbers = |places: &[usize]| {
            places.iter().map(|place| cells::numbers(&plain[*place], &[])).collect::<PolarsResult<Vec<Vec<Number>>>>()
        };
        let (grid, block, warps) = (numbers(grid)?, numbers(block)?, numbers(warps)?);
        for (row, code) in codes.iter().enumerate() {
            let of = |columns: &[Vec<Number>]| columns.iter().map(|column| column[row]).collect::<Vec<_>>();
            if let Some(launch) = Launch::of(&of(&grid), &of(&block), warps[0][row]) {
                self.witnesses.take(*code, launch);
            }
        }
        Ok(())
    }
}

/// Names what is missing, and what there is instead.
fn said_missing(missing: &[String], header: &[String]) -> String {
    const SHOWN: usize = 8;
    let mut there: Vec<&str> = header.iter().take(SHOWN).map(String::as_str).collect();
    if header.len() > SHOWN {
        there.push("…");
    }
    // A header that is no table's may be a megabyte of text.
    let there: String = there.join("`, `").chars().take(300).collect();
    format!("there is no column `{}`; the header has `{there}`", missing.join("`, `"))
}

fn translated<'a>(texts: Vec<Option<Cow<'a, str>>>, spec: &Spec) -> Vec<Option<Cow<'a, str>>> {
    if spec.values.is_empty() {
        return texts;
    }
    let translate = |text: Cow<'a, str>| match spec.values.get(text.as_ref()) {
        Some(ours) => Cow::Owned(ours.clone()),
        None => text,
    };
    texts.into_iter().map(|text| text.map(translate)).collect()
}

type Texts<'b> = Vec<Option<Cow<'b, str>>>;
/// Columns of numbers, and the factor to our unit.
type Numbers = (Vec<Vec<Number>>, f64);
/// A column, how many of its cells cannot be read, and the first of them.
type BadCells = (String, (usize, String));
type Bad = Vec<BadCells>;

struct Batch<'b, 'a> {
    builder: &'b Builder<'a>,
    plain: &'b [Column],
    rows: usize,
}

impl<'b, 'a> Batch<'b, 'a> {
    fn target(&self, name: &str) -> Option<&'b Target<'a>> {
        self.builder.targets.iter().find(|target| target.name == name)
    }

    fn texts(&self, name: &str) -> Result<Option<Texts<'b>>, FrameError> {
        let Some(target) = self.target(name) else { return Ok(None) };
        let texts = cells::texts(&self.plain[target.places[0]], &self.builder.mapping.missing)?;
        Ok(Some(translated(texts, target.spec)))
    }

    /// Numbers of the source columns of `name`, and the factor to our unit.
    fn numbers(&self, name: &str) -> Result<Option<Numbers>, FrameError> {
        let Some(target) = self.target(name) else { return Ok(None) };
        let read = |place: &usize| cells::numbers(&self.plain[*place], &self.builder.mapping.missing);
        let columns = target.places.iter().map(read).collect::<PolarsResult<Vec<_>>>()?;
        Ok(Some((columns, target.spec.unit.map_or(1.0, |unit| unit.factor))))
    }

    /// Axes or knobs, without their prefix: those of the table in its order, then constants.
    fn open(&self, prefix: &str) -> Result<Vec<(String, Cells<'b>)>, FrameError> {
        let mapping = self.builder.mapping;
        let mut open = Vec::new();
        for target in &self.builder.targets {
            let Some(name) = target.name.strip_prefix(prefix) else { continue };
            let column = &self.plain[target.places[0]];
            let cells = match target.spec.values.is_empty() {
                true => Cells::typed(column, &mapping.missing)?,
                false => Cells::of_texts(translated(cells::texts(column, &mapping.missing)?, target.spec)),
            };
            open.push((name.to_owned(), cells.scaled(target.spec.unit.map_or(1.0, |unit| unit.factor))));
        }
        for (name, value) in &mapping.constants {
            let Some(name) = name.strip_prefix(prefix) else { continue };
            let cells = match value {
                toml::Value::Integer(value) => Cells::Ints(vec![Some(*value); self.rows]),
                toml::Value::Float(value) => Cells::Reals(vec![Some(*value); self.rows]),
                other => Cells::Texts(vec![other.as_str().map(|text| Cow::Owned(text.to_owned())); self.rows]),
            };
            open.push((name.to_owned(), cells));
        }
        if prefix == PROBLEM {
            // Sizes of a product stand first, as in the text forms of our own problems.
            open.sort_by_key(|(name, _)| SIZES.iter().position(|size| size == name).unwrap_or(SIZES.len()));
        }
        Ok(open)
    }

    fn families(&self) -> Result<Texts<'b>, FrameError> {
        let family = |name: Option<Cow<'_, str>>| match slug(name.as_deref().unwrap_or_default(), '_') {
            family if family.is_empty() => Some(Cow::Borrowed("unknown")),
            family => Some(Cow::Owned(family)),
        };
        Ok(match self.texts(col::family)? {
            Some(names) => names.into_iter().map(family).collect(),
            None => vec![self.builder.mapping.family.as_deref().map(Cow::Borrowed); self.rows],
        })
    }

    /// Texts of a column or a constant of the mapping.
    fn said(&self, name: &str) -> Result<Option<Texts<'b>>, FrameError> {
        let constant = self.builder.mapping.constant(name).map(|text| vec![Some(Cow::Borrowed(text)); self.rows]);
        Ok(self.texts(name)?.or(constant))
    }

    /// Whether the mapping says what the roofs are: then those of the data sheet are no part of the rows.
    fn maps_roofs(&self) -> bool {
        let constants = self.builder.mapping.constants.iter().map(|(name, _)| name.as_str());
        self.builder.targets.iter().map(|target| target.name).chain(constants).any(|name| name.starts_with(ROOF))
    }

    fn frame(&self, codes: &[usize]) -> Result<(DataFrame, Bad), FrameError> {
        let mapping = self.builder.mapping;
        let dtypes = Cells::Texts(self.said(col::dtype)?.unwrap_or_else(|| vec![None; self.rows]));
        let (families, kernels) = (self.families()?, self.said(col::kernel)?);
        let (mut axes, knobs) = (self.open(PROBLEM)?, self.open(KNOB)?);
        let said = mapping.kernel.as_ref().zip(kernels.as_ref()).map(|(kernel, names)| (kernel, Said::of(names)));
        if let Some((_, said)) = said.as_ref().filter(|(kernel, _)| kernel.layout) {
            axes.push(("layout".to_owned(), said.layouts()));
        }
        let mut out = Assembled::new(self.rows);
        self.provenance(&mut out);
        let device = self.builder.devices.columns(codes, &dtypes)?.into_iter();
        let sheet = |column: &Column| !(column.name().starts_with(ROOF) && self.maps_roofs());
        device.filter(sheet).for_each(|column| out.put(column));
        gemm_work(&axes, &dtypes, self.rows).into_iter().for_each(|column| out.put(column));
        let labels = knobs.iter().map(|(knob, _)| mapping.kernel.as_ref().is_some_and(|kernel| kernel.labels.contains_key(knob)));
        let parts = Parts {
            rows: self.rows,
            source: &format!("import:{}", self.builder.format),
            families: &families,
            devices: codes.iter().map(|code| self.builder.devices.entries[*code].found.slug.as_str()).collect(),
            axes: &axes,
            dtypes: &dtypes,
            knobs: &knobs,
            labels: labels.collect(),
            kernels: kernels.as_deref(),
            modes: self.said(col::cache_mode)?,
        };
        parts.columns()?.into_iter().for_each(|column| out.put(column));
        let outcomes = self.outcomes(&axes, &mut out)?;
        let contradictions: Vec<Option<String>> = match &said {
            Some((kernel, said)) => (0..self.rows).map(|row| said.contradictions(kernel, &knobs, row)).collect(),
            None => Vec::new(),
        };
        self.constants(&mut out);
        let bad = self.plain_targets(&mut out)?;
        self.energy(&outcomes, &contradictions, &mut out)?;
        self.extra(codes, &contradictions, &mut out)?;
        out.put(Cells::Texts(families).column(col::family));
        if let Some(kernels) = kernels {
            out.put(Cells::Texts(kernels).column(col::kernel));
        }
        if !(0..self.rows).all(|row| dtypes.is_empty(row)) {
            out.put(dtypes.column(col::dtype));
        }
        axes.iter().for_each(|(name, cells)| out.put(cells.column(&format!("{PROBLEM}{name}"))));
        knobs.iter().for_each(|(name, cells)| out.put(cells.column(&format!("{KNOB}{name}"))));
        Ok((out.frame()?, bad))
    }

    /// Where the rows come from.
    fn provenance(&self, out: &mut Assembled) {
        let (builder, source) = (self.builder, self.builder.source);
        out.text(col::schema_version, &schema::version_text());
        out.text(col::run_id, &builder.run_id);
        out.text(col::sweep_id, &id(&["import", &builder.format, &source.sha256]));
        out.text(col::source, &format!("import:{}", builder.format));
        out.text(col::tool_version, env!("CARGO_PKG_VERSION"));
        out.text(col::source_file, &source.name);
        out.text(col::source_sha256, &source.sha256);
        out.text(col::group, "imported");
        out.text(col::role, "point");
    }

    /// What the mapping says of all rows; it counts before what the import makes itself.
    fn constants(&self, out: &mut Assembled) {
        for (name, value) in &self.builder.mapping.constants {
            if kind_of(name).is_some() && !MADE.contains(&name.as_str()) {
                out.constant(name, value);
            }
        }
    }

    fn outcomes(&self, axes: &[(String, Cells<'_>)], out: &mut Assembled) -> Result<Outcomes, FrameError> {
        let mut measured = vec![false; self.rows];
        for name in [col::power_w, col::energy_j] {
            let Some((columns, _)) = self.numbers(name)? else { continue };
            measured.iter_mut().zip(&columns[0]).for_each(|(measured, cell)| *measured |= cell.value().is_some());
        }
        let one = |(columns, factor): Numbers| columns.into_iter().next().map(|column| (column, factor));
        let reported = Reported {
            time: self.numbers(col::time_s)?.and_then(one),
            samples: self.numbers(col::time_samples_s)?,
            status: self.texts(col::status)?,
            reason: self.texts(col::reason)?,
            measured,
        };
        let outcomes = Outcomes::of(self.rows, &reported, axes);
        let columns = outcomes.columns(self.said(col::time_statistic)?, self.said(col::time_basis)?)?;
        columns.into_iter().for_each(|column| out.put(column));
        Ok(outcomes)
    }

    /// Columns that are taken over cell by cell. Returns the cells that cannot be read.
    fn plain_targets(&self, out: &mut Assembled) -> Result<Bad, FrameError> {
        let mut all = Vec::new();
        let taken = self.builder.targets.iter().filter(|target| !MADE.contains(&target.name));
        for (target, kind) in taken.filter_map(|target| Some((target, kind_of(target.name)?))) {
            if target.name == col::measured_at {
                let instants = self.instants(target)?;
                let given = cells::texts(&self.plain[target.places[0]], &self.builder.mapping.missing)?;
                let bad = given.iter().zip(&instants).map(|(given, instant)| given.is_some() && instant.is_none());
                all.extend(self.bad(target.name, target.places[0], bad)?);
                out.put(StringChunked::from_iter_options(target.name.into(), instants.into_iter()).into_column());
                continue;
            }
            if kind == Kind::Text {
                out.put(Cells::Texts(self.texts(target.name)?.unwrap_or_default()).column(target.name));
                continue;
            }
            let Some((mut columns, factor)) = self.numbers(target.name)? else { continue };
            if kind == Kind::Flag {
                columns = vec![cells::flags(&self.texts(target.name)?.unwrap_or_default())];
            }
            for (numbers, place) in columns.iter().zip(&target.places) {
                all.extend(self.bad(target.name, *place, numbers.iter().map(|number| *number == Number::Bad))?);
            }
            out.put(match kind {
                Kind::Reals => lists(target.name, &columns, factor),
                _ => typed(target.name, kind, &columns[0], factor),
            });
        }
        Ok(all)
    }

    /// How many cells of a source column are `bad`, and the first of them.
    fn bad(&self, name: &str, place: usize, bad: impl Iterator<Item = bool> + Clone) -> PolarsResult<Option<BadCells>> {
        let Some(first) = bad.clone().position(|bad| bad) else { return Ok(None) };
        let shown = cells::texts(&self.plain[place], &[])?;
        let shown = shown[first].as_deref().unwrap_or_default().chars().take(40).collect();
        Ok(Some((name.to_owned(), (bad.filter(|bad| *bad).count(), shown))))
    }

    fn instants(&self, target: &Target<'_>) -> PolarsResult<Vec<Option<String>>> {
        let unit = target.spec.unit.map_or(1.0, |unit| unit.factor);
        let column = &self.plain[target.places[0]];
        let numbers = cells::numbers(column, &self.builder.mapping.missing)?;
        let texts = cells::texts(column, &self.builder.mapping.missing)?;
        let instant = |(number, text): (Number, Option<Cow<'_, str>>)| match number {
            Number::Value(seconds) => instant::of_unix(seconds * unit),
            _ => text.and_then(instant::of_text).map(Cow::into_owned),
        };
        Ok(numbers.into_iter().zip(texts).map(instant).collect())
    }

    fn energy(&self, outcomes: &Outcomes, contradictions: &[Option<String>], out: &mut Assembled) -> Result<(), FrameError> {
        let read = |name: &str| -> Result<Option<Vec<Number>>, FrameError> {
            let scale = |number: Number, factor: f64| match number {
                Number::Value(value) => Number::Value(value * factor),
                other => other,
            };
            let first = |(columns, factor): Numbers| {
                columns.into_iter().next().map(|column| column.into_iter().map(|number| scale(number, factor)).collect())
            };
            Ok(self.numbers(name)?.and_then(first))
        };
        let said = energy::Said {
            power: read(col::power_w)?,
            energy: read(col::energy_j)?,
            utilisation: read(col::utilisation)?,
            derived: self.builder.mapping.energy_is_derived,
            outcomes,
            contradictions,
        };
        said.columns(self.rows)?.into_iter().for_each(|column| out.put(column));
        Ok(())
    }

    /// Source columns without a place of ours as JSON objects.
    fn extra(&self, codes: &[usize], contradictions: &[Option<String>], out: &mut Assembled) -> Result<(), FrameError> {
        let members: Vec<Member<'_>> = self.builder.rest.iter().map(|place| Member::new(&self.plain[*place])).collect();
        let sheet = !self.maps_roofs();
        let known: Vec<bool> = self.builder.devices.entries.iter().map(|entry| sheet && entry.found.device.is_some()).collect();
        let piece = |objects: &mut Vec<String>, rows: Range<usize>| {
            let objects = &mut objects[..rows.len()];
            objects.iter_mut().for_each(String::clear);
            members.iter().try_for_each(|member| member.write(rows.clone(), objects))?;
            let mut column = StringChunkedBuilder::new(col::extra.into(), rows.len());
            for (object, row) in objects.iter_mut().zip(rows) {
                if let Some(Some(knobs)) = contradictions.get(row) {
                    push_member(object, &format!("\"contradicts\":{}", cells::json_text(knobs)));
                }
                if known[codes[row]] {
                    push_member(object, "\"roof_source\":\"datasheet\"");
                }
                if !object.is_empty() {
                    object.push('}');
                }
                column.append_option(Some(object.as_str()).filter(|object| !object.is_empty()));
            }
            Ok(vec![column.finish()])
        };
        // Objects of a piece use the memory of those of the piece before.
        in_pieces(self.rows, || vec![String::new(); PIECE], piece)?.into_iter().for_each(|column| out.put(column));
        Ok(())
    }
}

fn push_member(object: &mut String, member: &str) {
    object.push(if object.is_empty() { '{' } else { ',' });
    object.push_str(member);
}

/// The cells of several columns as one list per row; missing ones are left out, and a row with a cell that is no number has no list.
fn lists(name: &str, columns: &[Vec<Number>], factor: f64) -> Column {
    let rows = columns.first().map_or(0, Vec::len);
    let mut lists = ListPrimitiveChunkedBuilder::<Float64Type>::new(name.into(), rows, rows * columns.len(), DataType::Float64);
    for row in 0..rows {
        let cells = columns.iter().map(|column| column[row]);
        let values: Vec<f64> = cells.clone().filter_map(Number::value).map(|value| value * factor).collect();
        let whole = cells.clone().all(|cell| cell != Number::Bad) && values.iter().all(|value| value.is_finite());
        if whole && !values.is_empty() { lists.append_slice(&values) } else { lists.append_null() }
    }
    lists.finish().into_column()
}

fn typed(name: &str, kind: Kind, numbers: &[Number], factor: f64) -> Column {
    let values = numbers.iter().map(|number| number.value().map(|value| value * factor).filter(|value| value.is_finite()));
    #[allow(clippy::cast_possible_truncation)] // checked to be whole
    match kind {
        Kind::Int => {
            let whole = |value: f64| (value.fract() == 0.0 && value.abs() < 9e15).then_some(value as i64);
            Int64Chunked::from_iter_options(name.into(), values.map(|value| value.and_then(whole))).into_column()
        }
        Kind::Flag => {
            BooleanChunked::from_iter_options(name.into(), values.map(|value| value.map(|value| value != 0.0))).into_column()
        }
        _ => Float64Chunked::from_iter_options(name.into(), values).into_column(),
    }
}

/// Work of matrix products: FLOP per product of a batch; bytes of A, B and C once each.
fn gemm_work(axes: &[(String, Cells<'_>)], dtypes: &Cells<'_>, rows: usize) -> Vec<Column> {
    let axis = |name: &str| axes.iter().find(|(axis, _)| axis == name).map(|(_, cells)| cells);
    let (Some(m), Some(n), Some(k)) = (axis("m"), axis("n"), axis("k")) else { return Vec::new() };
    let batch = axis("batch");
    let sizes: Vec<Option<[f64; 4]>> = (0..rows)
        .map(|row| Some([m.size(row)?, n.size(row)?, k.size(row)?, batch.map_or(Some(1.0), |batch| batch.size(row))?]))
        .collect();
    let dtype = |row: usize| if let Cells::Texts(dtypes) = dtypes { dtypes[row].as_deref() } else { None };
    let flop = || {
        let of_row =
            |(row, sizes): (usize, &Option<[f64; 4]>)| sizes.map(|[m, n, k, batch]| batch * gemm_flop([m, n, k], dtype(row)));
        sizes.iter().enumerate().map(of_row)
    };
    let bytes = sizes.iter().enumerate().map(|(row, sizes)| {
        let [m, n, k, batch] = (*sizes)?;
        Some(element_bytes(dtype(row)?)? * batch * (m * k + k * n + m * n))
    });
    vec![
        Float64Chunked::from_iter_options(col::useful_flop.into(), flop()).into_column(),
        Float64Chunked::from_iter_options(col::dense_flop.into(), flop()).into_column(),
        Float64Chunked::from_iter_options(col::compulsory_bytes.into(), bytes).into_column(),
    ]
}
