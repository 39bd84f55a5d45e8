//! Rows to a Polars frame and back, by the columns of [`crate::schema`].
//!
//! Every frame holds all fixed [`COLUMNS`], null where a row has no value, in their order; open columns (`problem.*`, `knob.*`,
//! `traffic.*`, `roof.*`) follow in order of name. Problem axes and knobs are typed by content: integers are `Int64`, integers
//! with reals `Float64`, anything with text `String`. Traffic and roofs are always `Float64`.

mod error;
mod typed;

use std::collections::{BTreeSet, HashMap};

use polars::prelude::*;

use crate::row::{Cell, Row};
use crate::schema::{self, COLUMNS, Kind};

pub use error::FrameError;
use typed::{column_type, lists_of};
pub use typed::{flags, ints, lists, open_columns, reals, texts};

/// A frame of `rows`, typed by the schema.
///
/// Integers are accepted in real columns and widened.
///
/// # Errors
/// Names row, column and value of the first unknown column, wrong type, NaN or infinity, or missing required value.
pub fn from_rows(rows: &[Row]) -> Result<DataFrame, FrameError> {
    let fixed: HashMap<&str, Kind> = COLUMNS.iter().map(|column| (column.name, column.kind)).collect();
    let mut open = BTreeSet::new();
    for (index, row) in rows.iter().enumerate() {
        check_row(index, row, &fixed, &mut open)?;
    }
    let fixed = COLUMNS.iter().map(|column| build(rows, column.name, column.kind));
    let open = open.into_iter().map(|name| build(rows, name, open_kind(rows, name)));
    Ok(DataFrame::new(rows.len(), fixed.chain(open).collect())?)
}

fn check_row<'a>(
    index: usize,
    row: &'a Row,
    fixed: &HashMap<&str, Kind>,
    open: &mut BTreeSet<&'a str>,
) -> Result<(), FrameError> {
    for (name, cell) in &row.0 {
        match fixed.get(name.as_str()) {
            Some(kind) => check_cell(index, name, cell, Allowed::Kind(*kind))?,
            None if schema::is_open(name) => {
                let real = name.starts_with(schema::TRAFFIC) || name.starts_with(schema::ROOF);
                check_cell(index, name, cell, if real { Allowed::Kind(Kind::Real) } else { Allowed::Scalar })?;
                open.insert(name);
            }
            None => return Err(FrameError::UnknownColumn { row: index, column: name.clone(), value: show(cell) }),
        }
    }
    match COLUMNS.iter().find(|column| column.required && !row.0.contains_key(column.name)) {
        Some(column) => Err(FrameError::Missing { row: index, column: column.name }),
        None => Ok(()),
    }
}

#[derive(Clone, Copy)]
enum Allowed {
    Kind(Kind),
    Scalar,
}

fn check_cell(row: usize, column: &str, cell: &Cell, allowed: Allowed) -> Result<(), FrameError> {
    let fits = match (allowed, cell) {
        (Allowed::Scalar, cell) => !matches!(cell, Cell::Reals(_)),
        (Allowed::Kind(Kind::Text), Cell::Text(_))
        | (Allowed::Kind(Kind::Int), Cell::Int(_))
        | (Allowed::Kind(Kind::Real), Cell::Int(_) | Cell::Real(_))
        | (Allowed::Kind(Kind::Flag), Cell::Flag(_))
        | (Allowed::Kind(Kind::Reals), Cell::Reals(_)) => true,
        _ => false,
    };
    if !fits {
        let expected = expected(allowed);
        return Err(FrameError::WrongType { row, column: column.to_owned(), value: show(cell), expected });
    }
    let finite = match cell {
        Cell::Real(value) => value.is_finite(),
        Cell::Reals(values) => values.iter().all(|value| value.is_finite()),
        _ => true,
    };
    if finite { Ok(()) } else { Err(FrameError::NotFinite { row, column: column.to_owned(), value: show(cell) }) }
}

fn expected(allowed: Allowed) -> &'static str {
    match allowed {
        Allowed::Scalar => "a number or text",
        Allowed::Kind(Kind::Text) => "text",
        Allowed::Kind(Kind::Int) => "an integer",
        Allowed::Kind(Kind::Real) => "a number",
        Allowed::Kind(Kind::Flag) => "true or false",
        Allowed::Kind(Kind::Reals) => "a list of numbers",
    }
}

/// The text form of a cell, as it stands in an open text column.
fn show(cell: &Cell) -> String {
    match cell {
        Cell::Flag(value) => value.to_string(),
        Cell::Int(value) => value.to_string(),
        Cell::Real(value) => value.to_string(),
        Cell::Text(value) => value.clone(),
        Cell::Reals(values) => format!("{values:?}"),
    }
}

fn open_kind(rows: &[Row], name: &str) -> Kind {
    if name.starts_with(schema::TRAFFIC) || name.starts_with(schema::ROOF) {
        return Kind::Real;
    }
    let mut kind = Kind::Int;
    for cell in rows.iter().filter_map(|row| row.0.get(name)) {
        match cell {
            Cell::Int(_) => {}
            Cell::Real(_) => kind = Kind::Real,
            _ => return Kind::Text,
        }
    }
    kind
}

#[allow(clippy::cast_precision_loss)] // counts and sizes stay below 2^53
fn widen(cell: &Cell) -> Option<f64> {
    match cell {
        Cell::Int(value) => Some(*value as f64),
        Cell::Real(value) => Some(*value),
        _ => None,
    }
}

/// One column over all rows; cells were checked before.
fn build(rows: &[Row], name: &str, kind: Kind) -> Column {
    let cells = rows.iter().map(|row| row.0.get(name));
    let name: PlSmallStr = name.into();
    match kind {
        Kind::Text => StringChunked::from_iter_options(name, cells.map(|cell| cell.map(show))).into_column(),
        Kind::Int => {
            let ints = cells.map(|cell| if let Some(Cell::Int(value)) = cell { Some(*value) } else { None });
            Int64Chunked::from_iter_options(name, ints).into_column()
        }
        Kind::Real => Float64Chunked::from_iter_options(name, cells.map(|cell| cell.and_then(widen))).into_column(),
        Kind::Flag => {
            let flags = cells.map(|cell| if let Some(Cell::Flag(value)) = cell { Some(*value) } else { None });
            BooleanChunked::from_iter_options(name, flags).into_column()
        }
        Kind::Reals => build_lists(cells, name, rows.len()),
    }
}

fn build_lists<'a>(cells: impl Iterator<Item = Option<&'a Cell>>, name: PlSmallStr, len: usize) -> Column {
    let mut builder = ListPrimitiveChunkedBuilder::<Float64Type>::new(name, len, len * 8, DataType::Float64);
    for cell in cells {
        match cell {
            Some(Cell::Reals(values)) => builder.append_slice(values),
            _ => builder.append_null(),
        }
    }
    builder.finish().into_column()
}

/// The rows of a frame; nulls are left out. The inverse of [`from_rows`], up to widened numbers and text in open columns.
///
/// # Errors
/// A column of a type that no [`Cell`] holds.
pub fn to_rows(frame: &DataFrame) -> Result<Vec<Row>, FrameError> {
    let mut rows = vec![Row::default(); frame.height()];
    for column in frame.columns() {
        let name = column.name().as_str();
        for (row, cell) in rows.iter_mut().zip(cells(column)?) {
            row.set_some(name, cell);
        }
    }
    Ok(rows)
}

fn cells(column: &Column) -> Result<Vec<Option<Cell>>, FrameError> {
    Ok(match column.dtype() {
        DataType::Null => vec![None; column.len()],
        DataType::Boolean => column.bool()?.iter().map(|value| value.map(Cell::Flag)).collect(),
        DataType::String => column.str()?.iter().map(|value| value.map(Cell::from)).collect(),
        DataType::Float64 | DataType::Float32 => {
            column.cast(&DataType::Float64)?.f64()?.iter().map(|value| value.map(Cell::Real)).collect()
        }
        found if found.is_integer() => column.cast(&DataType::Int64)?.i64()?.iter().map(|value| value.map(Cell::Int)).collect(),
        DataType::List(_) => lists_of(column)?.into_iter().map(|value| value.map(Cell::Reals)).collect(),
        found => return Err(column_type(column, found, "a type of docs/schema.md")),
    })
}

/// All frames below each other. Columns that some frames lack are null there; problem axes and knobs whose types differ are
/// brought to the wider one (integer, real, text).
///
/// # Errors
/// The same column with types that cannot be joined.
pub fn concat(frames: &[DataFrame]) -> Result<DataFrame, FrameError> {
    if frames.is_empty() {
        return from_rows(&[]);
    }
    let mut types: HashMap<PlSmallStr, DataType> = HashMap::new();
    for column in frames.iter().flat_map(DataFrame::columns) {
        let joined = match types.get(column.name()) {
            Some(known) => join_types(column, known)?,
            None => column.dtype().clone(),
        };
        types.insert(column.name().clone(), joined);
    }
    let same: Result<Vec<_>, FrameError> = frames.iter().map(|frame| retype(frame, &types)).collect();
    let mut all = polars::functions::concat_df_diagonal(&same?)?;
    all.rechunk_mut();
    Ok(all)
}

fn join_types(column: &Column, known: &DataType) -> Result<DataType, FrameError> {
    let found = column.dtype();
    let open = schema::is_open(column.name());
    Ok(match (known, found) {
        (a, b) if a == b => a.clone(),
        (DataType::Null, other) | (other, DataType::Null) => other.clone(),
        (DataType::Int64, DataType::Float64) | (DataType::Float64, DataType::Int64) => DataType::Float64,
        (DataType::String, DataType::Int64 | DataType::Float64) | (DataType::Int64 | DataType::Float64, DataType::String)
            if open =>
        {
            DataType::String
        }
        _ => return Err(column_type(column, found, format!("`{known}` as in the other frames"))),
    })
}

fn retype(frame: &DataFrame, types: &HashMap<PlSmallStr, DataType>) -> Result<DataFrame, FrameError> {
    let mut frame = frame.clone();
    for name in frame.get_column_names_owned() {
        let wanted = types.get(&name).expect("every column was seen");
        let column = frame.column(&name)?;
        if column.dtype() == wanted {
            continue;
        }
        let changed = match wanted {
            DataType::String => {
                let shown = cells(column)?.into_iter().map(|cell| cell.as_ref().map(show));
                StringChunked::from_iter_options(name, shown).into_column()
            }
            wanted => column.cast(wanted)?,
        };
        frame.with_column(changed)?;
    }
    Ok(frame)
}
