//! CSV of `cutlass_profiler`: one row per problem, kernel and provider; times are means in milliseconds.
//!
//! Columns are found by name: the list differs between versions and operations, and tags of the user stand first. `GB/s` counts 2^30
//! bytes. Cells of the arguments that nothing else takes become axes, so that problems of other operations stay apart.

use csv::StringRecord;
use serde_json::Value;

use super::csv_table::{CsvTable, Headers};
use super::draft::{CONTRADICTS, Context, Draft, MS, NOT_VERIFIED, Outcome};
use super::json::cell_of_text;
use super::source::Source;
use super::tally::Tally;
use super::{Format, ImportError, Options, Report, Sink, frame_of, in_file};
use crate::kernel_name::{self, KernelName};
use crate::row::{Cell, Row};
use crate::schema::col;

/// Rows of a batch.
const BATCH_ROWS: usize = 1 << 14;

const GIB: f64 = 1_073_741_824.0;

/// Where a column goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Place {
    Operation,
    Disposition,
    Status,
    Runtime,
    Gflops,
    Gbytes,
    /// Type and layout of A, B.
    Operand(usize),
    /// An axis, under its own or another name.
    Axis(&'static str),
    ArgumentAxis,
    /// A knob, with the part of a kernel's name that should say the same.
    Knob(&'static str, &'static str),
    Extra,
}

/// Columns with a place of their own.
const PLACES: &[(&str, Place)] = &[
    ("Operation", Place::Operation),
    ("Disposition", Place::Disposition),
    ("Status", Place::Status),
    ("Runtime", Place::Runtime),
    ("GFLOPs", Place::Gflops),
    ("GB/s", Place::Gbytes),
    ("A", Place::Operand(0)),
    ("B", Place::Operand(1)),
    ("m", Place::Axis("m")),
    ("n", Place::Axis("n")),
    ("k", Place::Axis("k")),
    ("batch_count", Place::Axis("batch")),
    ("alpha", Place::Axis("alpha")),
    ("beta", Place::Axis("beta")),
    ("accum", Place::Axis("accumulator")),
    ("Provider", Place::Knob("provider", "")),
    ("cta_m", Place::Knob("tile_m", "tile_m")),
    ("cta_n", Place::Knob("tile_n", "tile_n")),
    ("cta_k", Place::Knob("tile_k", "tile_k")),
    ("cluster_m", Place::Knob("cluster_m", "cluster_m")),
    ("cluster_n", Place::Knob("cluster_n", "cluster_n")),
    ("cluster_k", Place::Knob("cluster_k", "cluster_k")),
    ("cluster_m_fallback", Place::Knob("cluster_m_fallback", "")),
    ("cluster_n_fallback", Place::Knob("cluster_n_fallback", "")),
    ("cluster_k_fallback", Place::Knob("cluster_k_fallback", "")),
    ("stages", Place::Knob("stages", "stages")),
    ("warps_m", Place::Knob("warps_m", "")),
    ("warps_n", Place::Knob("warps_n", "")),
    ("warps_k", Place::Knob("warps_k", "")),
    ("inst_m", Place::Knob("inst_m", "")),
    ("inst_n", Place::Knob("inst_n", "")),
    ("inst_k", Place::Knob("inst_k", "")),
    ("split_k_mode", Place::Knob("split_k_mode", "")),
    ("split_k_slices", Place::Knob("split_k_slices", "")),
    ("raster_order", Place::Knob("raster_order", "")),
    ("swizzle_size", Place::Knob("swizzle_size", "")),
    ("use_pdl", Place::Knob("use_pdl", "")),
    ("op_class", Place::Knob("op_class", "")),
    ("OperationKind", Place::Extra),
    ("Problem", Place::Extra),
    ("min_cc", Place::Extra),
    ("max_cc", Place::Extra),
];

/// Tags of users that name parts of a kernel.
const LABELS: &[(&str, &str)] = &[
    ("layout", "layout"),
    ("tile_m", "tile_m"),
    ("tile_n", "tile_n"),
    ("tile_k", "tile_k"),
    ("block1", "tile_m"),
    ("block2", "tile_n"),
    ("block3", "tile_k"),
];

/// Imports a report.
pub(super) fn import(source: &Source<'_>, options: &Options, sink: &mut Sink<'_>) -> Result<Report, ImportError> {
    let format = Format::Cutlass.name();
    let context = Context::new(format, source, None, options);
    let mut tally = Tally::default();
    let (repaired, doubt) = source.stream(".csv", |reader| {
        let mut table = CsvTable::new(source, format, reader, b',', Headers::Unique)?;
        let columns = columns(source, table.header())?;
        let mut rows = Vec::new();
        while let Some(record) = table.row()? {
            rows.push(draft(&columns, record).row(&context));
            if rows.len() == BATCH_ROWS {
                give(source, &context, &mut rows, &mut tally, sink)?;
            }
        }
        give(source, &context, &mut rows, &mut tally, sink)?;
        Ok((table.cut(), table.doubt()))
    })?;
    if tally.rows == 0 {
        return Err(source.wrong(format, "the table has no rows"));
    }
    let mut warnings: Vec<String> = context.found.warning.iter().cloned().chain(doubt).collect();
    warnings.extend(tally.lines());
    Ok(Report { run_id: context.run_id(), rows: tally.rows, by_status: tally.by_status, warnings, repaired })
}

fn give(
    source: &Source<'_>,
    context: &Context<'_>,
    rows: &mut Vec<Row>,
    tally: &mut Tally,
    sink: &mut Sink<'_>,
) -> Result<(), ImportError> {
    if rows.is_empty() {
        return Ok(());
    }
    let frame = frame_of(source, rows)?;
    rows.clear();
    tally.take(&frame).map_err(|error| in_file(source, error))?;
    sink(&frame, &context.run_id())?;
    Ok(())
}

/// Columns by name; what stands between `Status` and `Bytes` are the operation's arguments.
fn columns(source: &Source<'_>, header: &[String]) -> Result<Vec<(String, Place)>, ImportError> {
    let at = |name: &str| header.iter().position(|column| column == name);
    let missing: Vec<&str> =
        ["Operation", "Disposition", "Status", "Runtime"].into_iter().filter(|name| at(name).is_none()).collect();
    if !missing.is_empty() {
        return Err(source.wrong(Format::Cutlass.name(), format!("there is no column `{}`", missing.join("`, `"))));
    }
    let arguments = at("Status").unwrap_or(0)..at("Bytes").or_else(|| at("Runtime")).unwrap_or(0);
    let place = |(at, name): (usize, &String)| {
        let known = PLACES.iter().find(|(known, _)| known == name).map(|(_, place)| *place);
        let place = known.unwrap_or(if arguments.contains(&at) { Place::ArgumentAxis } else { Place::Extra });
        (name.clone(), place)
    };
    Ok(header.iter().enumerate().map(place).collect())
}

/// Cells that decide the outcome.
#[derive(Default)]
struct Ending<'r> {
    disposition: &'r str,
    status: &'r str,
    runtime: &'r str,
}

fn draft(columns: &[(String, Place)], record: &StringRecord) -> Draft {
    let mut draft = Draft::new("gemm_cutlass");
    let mut ending = Ending::default();
    let mut operands = [""; 2];
    let mut labels: Vec<(&str, &str)> = Vec::new();
    for ((name, place), text) in columns.iter().zip(record.iter()) {
        let text = text.trim();
        match place {
            Place::Disposition => ending.disposition = text,
            Place::Status => ending.status = text,
            Place::Runtime => ending.runtime = text,
            _ if text.is_empty() => {}
            Place::Operation => draft.kernel = Some(text.to_owned()),
            Place::Gflops => set_rate(&mut draft, col::reported_flop_per_s, text, 1e9),
            Place::Gbytes => set_rate(&mut draft, col::reported_bytes_per_s, text, GIB),
            Place::Operand(at) => operands[*at] = text,
            Place::Axis(axis) => draft.axes.push(((*axis).to_owned(), cell_of_text(text))),
            Place::ArgumentAxis => draft.axes.push((name.clone(), cell_of_text(text))),
            Place::Knob(knob, part) => {
                draft.knobs.push(((*knob).to_owned(), cell_of_text(text)));
                labels.push((part, text));
            }
            Place::Extra => {
                labels.extend(LABELS.iter().find(|(label, _)| label == name).map(|(_, part)| (*part, text)));
                draft.extra.insert(name.clone(), value(text));
            }
        }
    }
    if let Some(kind) = draft.extra.get("OperationKind").and_then(Value::as_str).filter(|kind| *kind != "gemm") {
        draft.family = format!("{}_cutlass", crate::id::slug(kind, '_'));
    }
    let layout = set_operands(&mut draft, operands);
    labels.extend(layout.as_deref().map(|layout| ("layout", layout)));
    match draft.kernel.as_deref().and_then(kernel_name::parse) {
        Some(name) => {
            contradictions(&mut draft, &name, &labels);
            believe(&mut draft, &name, layout, operands);
        }
        None => draft.axes.extend(layout.map(|layout| ("layout".to_owned(), Cell::Text(layout)))),
    }
    draft.outcome = outcome(&ending, &mut draft.warnings);
    draft
}

fn value(text: &str) -> Value {
    match cell_of_text(text) {
        Cell::Int(int) => int.into(),
        Cell::Real(real) => real.into(),
        _ => text.into(),
    }
}

fn set_rate(draft: &mut Draft, name: &str, text: &str, factor: f64) {
    if let Some(rate) = text.parse::<f64>().ok().filter(|rate| rate.is_finite() && *rate > 0.0) {
        draft.more.set(name, rate * factor);
    }
}

/// Element type, and the layout of A and B: `column` is `n`, `row` is `t`, as BLAS has it. Operands of two types name both.
fn set_operands(draft: &mut Draft, operands: [&str; 2]) -> Option<String> {
    let split = operands.map(|operand| operand.split_once(':').unwrap_or((operand, "")));
    let [(a, layout_a), (b, layout_b)] = split.map(|(element, layout)| (dtype(element), layout));
    if !a.is_empty() {
        draft.dtype = Some(if a == b || b.is_empty() { a.to_owned() } else { format!("{a}_{b}") });
    }
    let letter = |layout: &str| match layout {
        "column" => Some('n'),
        "row" => Some('t'),
        _ => None,
    };
    [letter(layout_a)?, letter(layout_b)?].iter().collect::<String>().into()
}

/// The profiler's words for element types in ours (`tools/library/src/util.cu`: `cf32` is a complex number of two `f32`).
fn dtype(word: &str) -> &str {
    match word {
        "s4" => "int4",
        "s8" => "int8",
        "u4" => "uint4",
        "u8" => "uint8",
        "cf16" => "c16",
        "cf32" => "c32",
        "cf64" => "c64",
        "fe2m1" => "e2m1",
        "fe4m3" => "e4m3",
        "fe5m2" => "e5m2",
        other => other,
    }
}

/// Labels held against the kernel's name.
fn contradictions(draft: &mut Draft, name: &KernelName, labels: &[(&str, &str)]) {
    let wrong = |(part, label): &&(&str, &str)| name.agrees(part, label) == Some(false);
    let mut parts: Vec<&str> = labels.iter().filter(wrong).map(|(part, _)| *part).collect();
    parts.dedup();
    if !parts.is_empty() {
        draft.extra.insert("contradicts".to_owned(), parts.join(",").into());
        draft.warnings.push(CONTRADICTS);
    }
}

/// The name says what ran: knobs that have no column come from it, those that say other stay as labels and are no part of the
/// experiment; so does the layout, whose columns are then kept in `extra`.
fn believe(draft: &mut Draft, name: &KernelName, layout: Option<String>, operands: [&str; 2]) {
    for part in kernel_name::PARTS {
        let Some(number) = name.number(part) else { continue };
        let said = Cell::Int(number);
        match draft.knobs.iter().find(|(knob, _)| knob == part) {
            None => draft.knobs.push((part.to_owned(), said)),
            Some((_, asked)) if *asked != said => draft.ran.push((part.to_owned(), said)),
            Some(_) => {}
        }
    }
    let ran = name.operand_layout().map(str::to_owned);
    if ran.is_some() && layout.is_some() && ran != layout {
        draft.extra.extend(["A", "B"].into_iter().zip(operands).map(|(name, operand)| (name.to_owned(), operand.into())));
    }
    draft.axes.extend(ran.or(layout).map(|layout| ("layout".to_owned(), Cell::Text(layout))));
}

fn outcome(ending: &Ending<'_>, warnings: &mut Vec<&'static str>) -> Outcome {
    let said = |status: &'static str, word: &str| Outcome::failed(status, format!("cutlass_profiler reports `{word}`"));
    match ending.status {
        "success" | "" => {}
        word @ ("misaligned_operand" | "invalid_problem" | "not_supported") => return said("unsupported", word),
        word => return said("runtime_error", word),
    }
    match ending.disposition {
        "passed" => {}
        "not_verified" => warnings.push(NOT_VERIFIED),
        word @ "not_run" => return said("not_run", word),
        word @ "incorrect" => return said("incorrect", word),
        word @ ("invalid_problem" | "not_supported") => return said("unsupported", word),
        word => return said("runtime_error", word),
    }
    match ending.runtime {
        "" => Outcome::failed("runtime_error", "the row has no `Runtime`"),
        text => match text.parse() {
            Ok(runtime) => Outcome::reported(Some(runtime), MS, "mean").basis("event"),
            Err(_) => {
                Outcome::failed("runtime_error", format!("time = `{}` is no number", text.chars().take(40).collect::<String>()))
            }
        },
    }
}
