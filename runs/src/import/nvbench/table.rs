//! nvbench CSV: columns before `Skipped` are axes; `Noise` and `Samples` are told apart by the column before them.

use csv::StringRecord;
use serde_json::Value;

use super::{COLD, HOT, axis_name, dtype, is_problem, whole};
use crate::import::csv_table::{CsvTable, Headers};
use crate::import::draft::{Context, Draft, NOT_VERIFIED, Outcome};
use crate::import::json::cell_of_text;
use crate::import::source::Source;
use crate::import::{Document, Format, ImportError, Options};
use crate::row::Cell;
use crate::schema::col;

/// Rows that are held at once; nvbench prints one per state.
const MOST_ROWS: usize = 1 << 20;

/// Places of the columns that every file has.
struct Columns {
    benchmark: usize,
    device_name: usize,
    skipped: usize,
    gpu_time: usize,
    /// What that time is of.
    mode: &'static str,
    bandwidth: Option<usize>,
    samples: Option<usize>,
    /// All names, repeated ones with the column before them (`Noise of GPU Time (sec)`).
    names: Vec<String>,
}

impl Columns {
    fn of(source: &Source<'_>, header: &[String]) -> Result<Self, ImportError> {
        let place = |name: &str| header.iter().position(|column| column == name);
        let need =
            |name: &str| place(name).ok_or_else(|| source.wrong(Format::Nvbench.name(), format!("there is no column `{name}`")));
        let named = |(at, name): (usize, &String)| match name.as_str() {
            "Noise" if at > 0 => format!("Noise of {}", header[at - 1]),
            "Samples" if header[..at].contains(name) => {
                header.get(at + 1).map_or(name.clone(), |next| format!("Samples of {next}"))
            }
            _ => name.clone(),
        };
        let (gpu_time, mode) = match place("GPU Time (sec)") {
            Some(at) => (at, COLD),
            None => (need("Batch GPU (sec)")?, HOT),
        };
        Ok(Self {
            benchmark: need("Benchmark")?,
            device_name: need("Device Name")?,
            skipped: need("Skipped")?,
            gpu_time,
            mode,
            bandwidth: place("GlobalMem BW (bytes/sec)"),
            samples: place("Samples"),
            names: header.iter().enumerate().map(named).collect(),
        })
    }

    fn is_axis(&self, at: usize) -> bool {
        at > self.device_name && at < self.skipped && !self.names[at].ends_with(" (pow2)")
    }
}

/// Imports a table.
pub(super) fn import(source: &Source<'_>, options: &Options) -> Result<Document, ImportError> {
    let format = Format::Nvbench.name();
    source.stream(".csv", |reader| {
        let mut table = CsvTable::new(source, format, reader, b',', Headers::Repeated)?;
        let columns = Columns::of(source, table.header())?;
        let mut contexts: Vec<(String, Context<'_>)> = Vec::new();
        let mut rows = Vec::new();
        while let Some(record) = table.row()? {
            let name = record[columns.device_name].trim();
            let known = contexts.iter().position(|(known, _)| known == name);
            let at = known.unwrap_or_else(|| {
                let named = Some(name).filter(|name| !name.is_empty());
                contexts.push((name.to_owned(), Context::new(format, source, named, options)));
                contexts.len() - 1
            });
            rows.push(draft(&columns, record).row(&contexts[at].1));
            if rows.len() > MOST_ROWS {
                return Err(source.wrong(format, format!("the table has more than {MOST_ROWS} rows")));
            }
        }
        let Some((_, first)) = contexts.first() else { return Err(source.wrong(format, "the table has no rows")) };
        let devices = contexts.iter().filter_map(|(_, context)| context.found.warning.clone());
        let warnings = devices.chain(table.doubt()).collect();
        Ok(Document { rows, run_id: first.run_id(), warnings, repaired: table.cut() })
    })
}

fn draft(columns: &Columns, record: &StringRecord) -> Draft {
    let mut draft = Draft::new(record[columns.benchmark].trim());
    for (at, text) in record.iter().enumerate() {
        let (name, text) = (&columns.names[at], text.trim());
        if text.is_empty() || [columns.benchmark, columns.device_name, columns.skipped, columns.gpu_time].contains(&at) {
            continue;
        }
        if !columns.is_axis(at) {
            draft.extra.insert(name.clone(), value(text));
            continue;
        }
        if let Some(dtype) = dtype(text) {
            draft.dtype.get_or_insert_with(|| dtype.to_owned());
        }
        let axes = if is_problem(name) { &mut draft.axes } else { &mut draft.knobs };
        axes.push((axis_name(name), cell_of_text(text)));
    }
    let number = |at: usize| record[at].trim().parse::<f64>().ok();
    let skipped = record[columns.skipped].trim();
    draft.outcome = if skipped.is_empty() || skipped.eq_ignore_ascii_case("no") {
        match record[columns.gpu_time].trim() {
            text if !text.is_empty() && number(columns.gpu_time).is_none() => {
                Outcome::failed("runtime_error", format!("time = `{}` is no number", text.chars().take(40).collect::<String>()))
            }
            _ => Outcome::reported(number(columns.gpu_time), 1.0, "mean").basis("event"),
        }
    } else {
        Outcome::failed("not_run", format!("nvbench skipped it: {skipped}"))
    };
    if matches!(draft.outcome, Outcome::Timed(_)) {
        draft.warnings.push(NOT_VERIFIED);
        draft.more.set(col::cache_mode, columns.mode);
        // The samples of a batch are calls of one measurement.
        let count = if columns.mode == COLD { col::samples } else { col::iterations };
        whole(&mut draft.more, count, columns.samples.and_then(number));
    }
    let rate = columns.bandwidth.and_then(number).filter(|rate| rate.is_finite() && *rate > 0.0);
    draft.more.set_some(col::reported_bytes_per_s, rate);
    draft
}

fn value(text: &str) -> Value {
    match cell_of_text(text) {
        Cell::Int(int) => int.into(),
        Cell::Real(real) => real.into(),
        _ => text.into(),
    }
}
