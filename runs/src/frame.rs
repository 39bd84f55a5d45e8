//! Rows to a Polars frame and back, by the columns of [`crate::schema`].
//!
//! Every frame holds all fixed [`COLUMNS`], null where a row has no value, in their order; open columns (`problem.*`, `knob.*`,
//! `traffic.*`, `roof.*`) follow in order of name. Problem axes and knobs are typed by content: integers are `Int64`, integers
//! with reals `Float64`, anything with text `String`. Traffic and roofs are always `Float64`.

mod error;
mod typed;

use std::borrow::Cow;
use std::collections::HashMap;

use polars::prelude::*;

use crate::row::{Cell, Row};
use crate::schema::{self, COLUMNS, Kind};

pub use error::FrameError;
pub(crate) use typed::text_column;
use typed::{column_type, lists_of};
pub use typed::{flags, ints, lists, open_columns, reals, texts};

/// A frame of `rows`, typed by the schema.
///
/// Integers are accepted in real columns and widened.
///
/// # Errors
/// Names row, column and value of the first unknown column, wrong type, NaN or infinity, or missing required value.
pub fn from_rows(rows: &[Row]) -> Result<DataFrame, FrameError> {
    let mut table = Table::of_fixed(rows.len());
    for (index, row) in rows.iter().enumerate() {
        table.take(index, row)?;
    }
    let mut open = table.slots.split_off(COLUMNS.len());
    open.sort_by_key(|slot| slot.name);
    let columns = table.slots.into_iter().chain(open).map(Slot::into_column).collect();
    Ok(DataFrame::new(rows.len(), columns)?)
}

/// The cells of one column over all rows.
struct Slot<'a> {
    name: &'a str,
    allowed: Allowed,
    required: bool,
    cells: Vec<Option<&'a Cell>>,
}

/// Rows turned to columns, each row walked once: looking up each column in each row took half the time of an import.
struct Table<'a> {
    rows: usize,
    slots: Vec<Slot<'a>>,
    places: HashMap<&'a str, usize>,
    required: usize,
}

impl<'a> Table<'a> {
    fn of_fixed(rows: usize) -> Self {
        let slot = |column: &'static schema::Column| Slot {
            name: column.name,
            allowed: Allowed::Kind(column.kind),
            required: column.required,
            cells: vec![None; rows],
        };
        let slots: Vec<Slot<'a>> = COLUMNS.iter().map(slot).collect();
        let places = COLUMNS.iter().enumerate().map(|(place, column)| (column.name, place)).collect();
        let required = COLUMNS.iter().filter(|column| column.required).count();
        Self { rows, slots, places, required }
    }

    fn take(&mut self, index: usize, row: &'a Row) -> Result<(), FrameError> {
        let mut required = 0;
        for (name, cell) in &row.0 {
            let place = match self.places.get(name.as_str()) {
                Some(place) => *place,
                None => self.open(index, name, cell)?,
            };
            let slot = &mut self.slots[place];
            check_cell(index, name, cell, slot.allowed)?;
            slot.cells[index] = Some(cell);
            required += usize::from(slot.required);
        }
        match COLUMNS.iter().find(|column| required < self.required && column.required && !row.0.contains_key(column.name)) {
            Some(column) => Err(FrameError::Missing { row: index, column: column.name }),
            None => Ok(()),
        }
    }

    /// A place for an open column at its first sight.
    fn open(&mut self, index: usize, name: &'a str, cell: &Cell) -> Result<usize, FrameError> {
        if !schema::is_open(name) {
            return Err(FrameError::UnknownColumn { row: index, column: name.to_owned(), value: show(cell) });
        }
        let real = name.starts_with(schema::TRAFFIC) || name.starts_with(schema::ROOF);
        let allowed = if real { Allowed::Kind(Kind::Real) } else { Allowed::Scalar };
        self.places.insert(name, self.slots.len());
        self.slots.push(Slot { name, allowed, required: false, cells: vec![None; self.rows] });
        Ok(self.slots.len() - 1)
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
    text(cell).into_owned()
}

fn text(cell: &Cell) -> Cow<'_, str> {
    Cow::Owned(match cell {
        Cell::Flag(value) => value.to_string(),
        Cell::Int(value) => value.to_string(),
        Cell::Real(value) => value.to_string(),
        Cell::Text(value) => return Cow::Borrowed(value),
        Cell::Reals(values) => format!("{values:?}"),
    })
}

/// The type that the cells of an open column ask for.
fn open_kind(cells: &[Option<&Cell>]) -> Kind {
    let mut kind = Kind::Int;
    for cell in cells.iter().flatten() {
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

impl Slot<'_> {
    /// Cells were checked before.
    fn into_column(self) -> Column {
        let kind = match self.allowed {
            Allowed::Kind(kind) => kind,
            Allowed::Scalar => open_kind(&self.cells),
        };
        let name: PlSmallStr = self.name.into();
        let len = self.cells.len();
        let cells = self.cells.into_iter();
        match kind {
            Kind::Text => StringChunked::from_iter_options(name, cells.map(|cell| cell.map(text))).into_column(),
            Kind::Int => {
                let ints = cells.map(|cell| if let Some(Cell::Int(value)) = cell { Some(*value) } else { None });
                Int64Chunked::from_iter_options(name, ints).into_column()
            }
            Kind::Real => Float64Chunked::from_iter_options(name, cells.map(|cell| cell.and_then(widen))).into_column(),
            Kind::Flag => {
                let flags = cells.map(|cell| if let Some(Cell::Flag(value)) = cell { Some(*value) } else { None });
                BooleanChunked::from_iter_options(name, flags).into_column()
            }
            Kind::Reals => build_lists(cells, name, len),
        }
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
