//! Rows of a frame on the terminal: a table, JSON, lines of JSON, CSV.

use polars::prelude::DataFrame;
use serde_json::{Map, Value as Json};
use tilecast_runs::frame::to_rows;
use tilecast_runs::query;
use tilecast_runs::row::{Cell, Row};
use tilecast_runs::schema::col;

use crate::fail::Fail;
use crate::{Exit, terminal};

/// Columns of a table where none are asked for.
pub(super) const USUAL: [&str; 6] = [col::device, col::family, col::problem, col::config, col::status, col::time_s];
/// Rows of a table where no limit is given.
const SHOWN: usize = 20;

/// Form of the output.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    /// For people.
    Table,
    /// A list of objects with all columns, null where there is no value.
    Json,
    /// An object per row, without nulls.
    Lines,
    /// A header and a line per row; lists as JSON.
    Csv,
}

/// Prints the rows.
pub(super) fn rows(frame: &DataFrame, format: Format, limit: Option<usize>) -> Result<(), Fail> {
    let names: Vec<String> = frame.get_column_names().iter().map(ToString::to_string).collect();
    match format {
        Format::Table => table(frame, &names, limit.unwrap_or(SHOWN))?,
        Format::Lines => to_rows(frame)?.iter().try_for_each(|row| serde_json::to_string(row).map(terminal::say))?,
        Format::Json => {
            let rows: Vec<Json> = to_rows(frame)?.iter().map(|row| object(row, &names)).collect();
            terminal::json(&rows)?;
        }
        Format::Csv => {
            terminal::say(names.iter().map(|name| quoted(name)).collect::<Vec<_>>().join(","));
            for row in to_rows(frame)? {
                let line: Vec<String> =
                    names.iter().map(|name| row.0.get(name).map(plain).as_deref().map(quoted).unwrap_or_default()).collect();
                terminal::say(line.join(","));
            }
        }
    }
    Ok(())
}

fn table(frame: &DataFrame, names: &[String], limit: usize) -> Result<(), Fail> {
    let cells = |row: &Row| names.iter().map(|name| row.0.get(name).map(short).unwrap_or_default()).collect();
    let header: Vec<&str> = names.iter().map(String::as_str).collect();
    let shown = to_rows(&query::head(frame, limit))?;
    terminal::say(terminal::table(&header, shown.iter().map(cells).collect()));
    if frame.height() > shown.len() {
        terminal::note(format_args!(
            "{} of {} rows; `--limit` shows more, `--csv` and `--json` all",
            shown.len(),
            frame.height()
        ));
    }
    Ok(())
}

fn object(row: &Row, names: &[String]) -> Json {
    let member = |name: &String| (name.clone(), row.0.get(name).map_or(Json::Null, json));
    Json::Object(names.iter().map(member).collect::<Map<String, Json>>())
}

fn json(cell: &Cell) -> Json {
    match cell {
        Cell::Flag(value) => (*value).into(),
        Cell::Int(value) => (*value).into(),
        Cell::Real(value) => (*value).into(),
        Cell::Text(value) => value.clone().into(),
        Cell::Reals(values) => values.clone().into(),
    }
}

/// As exact as it is stored.
fn plain(cell: &Cell) -> String {
    match cell {
        Cell::Text(value) => value.clone(),
        other => json(other).to_string(),
    }
}

/// As much as a person reads.
fn short(cell: &Cell) -> String {
    match cell {
        Cell::Real(value) if *value != 0.0 && !(1e-3..1e7).contains(&value.abs()) => format!("{value:.3e}"),
        Cell::Real(value) if value.abs() >= 1000.0 => format!("{value:.0}"),
        Cell::Real(value) => terminal::significant(*value),
        Cell::Reals(values) => format!("{} samples", values.len()),
        other => plain(other),
    }
}

fn quoted(text: &str) -> String {
    if text.contains(['"', ',', '\n', '\r']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text.to_owned() }
}

/// Prints what the columns hold.
pub(super) fn schema(frame: &DataFrame, format: Format) -> Result<Exit, Fail> {
    let columns = query::describe(frame)?;
    let row = |column: &query::ColumnSummary| {
        let text = |value: &Option<String>| value.as_deref().map(cut).unwrap_or_default();
        let distinct = column.distinct.map(|count| count.to_string()).unwrap_or_default();
        let (name, kind, present) = (column.name.clone(), column.kind.to_owned(), column.present.to_string());
        vec![name, kind, present, distinct, text(&column.min), text(&column.max), column.meaning.to_owned()]
    };
    let header = ["column", "type", "present", "distinct", "min", "max", "meaning"];
    match format {
        Format::Json => terminal::json(&columns)?,
        Format::Csv => {
            terminal::say(header.join(","));
            columns
                .iter()
                .map(row)
                .for_each(|row| terminal::say(row.iter().map(|cell| quoted(cell)).collect::<Vec<_>>().join(",")));
        }
        _ => {
            // Columns without any value say nothing to a person.
            let held = columns.iter().filter(|column| column.present > 0);
            terminal::say(format_args!("{} rows, {} columns", frame.height(), columns.len()));
            terminal::say(terminal::table(&header, held.map(row).collect()));
        }
    }
    Ok(Exit::Done)
}

/// The beginning of a long text.
fn cut(text: &str) -> String {
    const LONG: usize = 24;
    if text.chars().count() <= LONG { text.to_owned() } else { text.chars().take(LONG - 1).chain(['…']).collect() }
}
