//! Source columns as cells of the few types that matter here.

use std::borrow::Cow;
use std::fmt::Write as _;

use polars::prelude::*;

use crate::row::Cell;

/// A cell read as a number.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Number {
    Missing,
    Value(f64),
    /// Text that is no number, NaN or infinity.
    Bad,
}

impl Number {
    pub(super) fn value(self) -> Option<f64> {
        match self {
            Self::Value(value) => Some(value),
            Self::Missing | Self::Bad => None,
        }
    }
}

/// The column as text, 64-bit integers or 64-bit reals, in one piece.
pub(super) fn plain(column: &Column) -> PolarsResult<Column> {
    let changed = match column.dtype() {
        DataType::String | DataType::Int64 | DataType::Float64 => column.clone(),
        DataType::Null => Column::full_null(column.name().clone(), column.len(), &DataType::String),
        DataType::Float32 => column.cast(&DataType::Float64)?,
        found if found.is_integer() || found.is_bool() => column.cast(&DataType::Int64)?,
        _ => {
            let shown = (0..column.len()).map(|row| match column.get(row) {
                Ok(AnyValue::Null) | Err(_) => None,
                Ok(value) => Some(value.to_string()),
            });
            StringChunked::from_iter_options(column.name().clone(), shown).into_column()
        }
    };
    Ok(changed.rechunk())
}

fn is_missing(text: &str, missing: &[String]) -> bool {
    text.is_empty() || missing.iter().any(|word| word == text)
}

/// The cells of a plain column as numbers.
pub(super) fn numbers(column: &Column, missing: &[String]) -> PolarsResult<Vec<Number>> {
    let real = |value: f64| if value.is_finite() { Number::Value(value) } else { Number::Bad };
    let text = |text: &str| match text.trim() {
        text if is_missing(text, missing) => Number::Missing,
        text => text.parse().map_or(Number::Bad, real),
    };
    Ok(match column.dtype() {
        DataType::String => column.str()?.iter().map(|cell| cell.map_or(Number::Missing, text)).collect(),
        #[allow(clippy::cast_precision_loss)] // measured numbers stay below 2^53
        DataType::Int64 => {
            column.i64()?.iter().map(|cell| cell.map_or(Number::Missing, |value| Number::Value(value as f64))).collect()
        }
        _ => column.f64()?.iter().map(|cell| cell.map_or(Number::Missing, real)).collect(),
    })
}

/// The cells of a plain column as text; `None` where there is none.
pub(super) fn texts<'a>(column: &'a Column, missing: &[String]) -> PolarsResult<Vec<Option<Cow<'a, str>>>> {
    Ok(match column.dtype() {
        DataType::String => {
            let cell = |text: &'a str| Some(text.trim()).filter(|text| !is_missing(text, missing)).map(Cow::Borrowed);
            column.str()?.iter().map(|text| text.and_then(cell)).collect()
        }
        DataType::Int64 => column.i64()?.iter().map(|cell| cell.map(|value| Cow::Owned(value.to_string()))).collect(),
        _ => column.f64()?.iter().map(|cell| cell.map(|value| Cow::Owned(value.to_string()))).collect(),
    })
}

/// Words for true and false as 1 and 0.
pub(super) fn flags(texts: &[Option<Cow<'_, str>>]) -> Vec<Number> {
    let flag = |text: &Option<Cow<'_, str>>| match text.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None => Number::Missing,
        Some("true" | "1") => Number::Value(1.0),
        Some("false" | "0") => Number::Value(0.0),
        Some(_) => Number::Bad,
    };
    texts.iter().map(flag).collect()
}

/// A typed column: integers where all cells are, else reals, else text.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Cells<'a> {
    Ints(Vec<Option<i64>>),
    Reals(Vec<Option<f64>>),
    Texts(Vec<Option<Cow<'a, str>>>),
}

/// Beyond this a real does not hold every integer.
const EXACT: f64 = 9_007_199_254_740_992.0;

impl<'a> Cells<'a> {
    /// Types the cells of a plain column by content.
    pub(super) fn typed(column: &'a Column, missing: &[String]) -> PolarsResult<Self> {
        match column.dtype() {
            DataType::Int64 => Ok(Self::Ints(column.i64()?.iter().collect())),
            DataType::Float64 => {
                Ok(Self::of_reals(column.f64()?.iter().map(|cell| cell.filter(|value| value.is_finite())).collect()))
            }
            _ => Ok(Self::of_texts(texts(column, missing)?)),
        }
    }

    fn of_reals(reals: Vec<Option<f64>>) -> Self {
        let whole = reals.iter().flatten().all(|value| value.fract() == 0.0 && value.abs() < EXACT);
        if !whole {
            return Self::Reals(reals);
        }
        #[allow(clippy::cast_possible_truncation)] // checked
        Self::Ints(reals.into_iter().map(|cell| cell.map(|value| value as i64)).collect())
    }

    /// Types texts by content.
    pub(super) fn of_texts(texts: Vec<Option<Cow<'a, str>>>) -> Self {
        let int = |text: &Cow<'_, str>| text.parse::<i64>().ok();
        let real = |text: &Cow<'_, str>| text.parse::<f64>().ok().filter(|value| value.is_finite());
        if texts.iter().flatten().all(|text| int(text).is_some()) {
            return Self::Ints(texts.iter().map(|cell| cell.as_ref().and_then(int)).collect());
        }
        if texts.iter().flatten().all(|text| real(text).is_some()) {
            return Self::Reals(texts.iter().map(|cell| cell.as_ref().and_then(real)).collect());
        }
        Self::Texts(texts)
    }

    /// Numbers times `factor`: whole results stay integers.
    pub(super) fn scaled(self, factor: f64) -> Self {
        #[allow(clippy::cast_precision_loss)] // sizes and clocks stay below 2^53
        match self {
            Self::Ints(ints) if factor == 1.0 => Self::Ints(ints),
            Self::Ints(ints) => Self::of_reals(ints.into_iter().map(|cell| cell.map(|value| value as f64 * factor)).collect()),
            Self::Reals(reals) => Self::of_reals(reals.into_iter().map(|cell| cell.map(|value| value * factor)).collect()),
            Self::Texts(texts) => Self::Texts(texts),
        }
    }

    /// Writes the cell of `row`; false where it is empty.
    pub(super) fn write(&self, row: usize, out: &mut String) -> bool {
        match self {
            Self::Ints(cells) => cells[row].map(|value| write!(out, "{value}")),
            Self::Reals(cells) => cells[row].map(|value| write!(out, "{value}")),
            Self::Texts(cells) => cells[row].as_ref().map(|value| out.write_str(value)),
        }
        .map(|written| written.expect("writing to a string cannot fail"))
        .is_some()
    }

    /// The positive integer of `row` as a real.
    #[allow(clippy::cast_precision_loss)] // sizes stay below 2^53
    pub(super) fn size(&self, row: usize) -> Option<f64> {
        match self {
            Self::Ints(cells) => cells[row].filter(|size| *size > 0).map(|size| size as f64),
            _ => None,
        }
    }

    /// The cell of `row`.
    pub(super) fn cell(&self, row: usize) -> Option<Cell> {
        match self {
            Self::Ints(cells) => cells[row].map(Cell::Int),
            Self::Reals(cells) => cells[row].map(Cell::Real),
            Self::Texts(cells) => cells[row].as_deref().map(Cell::from),
        }
    }

    /// True where the cell of `row` is empty.
    pub(super) fn is_empty(&self, row: usize) -> bool {
        match self {
            Self::Ints(cells) => cells[row].is_none(),
            Self::Reals(cells) => cells[row].is_none(),
            Self::Texts(cells) => cells[row].is_none(),
        }
    }

    /// As a column of a frame.
    pub(super) fn column(&self, name: &str) -> Column {
        match self {
            Self::Ints(cells) => Int64Chunked::from_iter_options(name.into(), cells.iter().copied()).into_column(),
            Self::Reals(cells) => Float64Chunked::from_iter_options(name.into(), cells.iter().copied()).into_column(),
            Self::Texts(cells) => StringChunked::from_iter_options(name.into(), cells.iter().map(Option::as_deref)).into_column(),
        }
    }
}

/// A text column of few values: row by row a place in `values`, which rows then share.
pub(super) fn coded(name: &str, values: &[Option<&str>], codes: &[usize]) -> PolarsResult<Column> {
    let first = codes.first().copied().unwrap_or_default();
    if codes.iter().all(|code| *code == first) {
        let value = values.get(first).copied().flatten().map(AnyValue::String).unwrap_or(AnyValue::Null);
        return Ok(Column::new_scalar(name.into(), Scalar::new(DataType::String, value.into_static()), codes.len()));
    }
    let places = codes.iter().map(|code| IdxSize::try_from(*code).expect("few values"));
    let values = StringChunked::from_iter_options(name.into(), values.iter().copied());
    Ok(values.take(&IdxCa::from_vec(PlSmallStr::EMPTY, places.collect()))?.into_column())
}

/// One column of the source as members of a JSON object.
pub(super) struct Member<'a> {
    /// `"name":`.
    key: String,
    column: &'a Column,
}

impl<'a> Member<'a> {
    pub(super) fn new(column: &'a Column) -> Self {
        Self { key: format!("{}:", json_text(column.name())), column }
    }

    /// The cells of some rows as `"name":value`, empty where there is none; numbers stay as they are written.
    pub(super) fn write(&self, rows: std::ops::Range<usize>, objects: &mut [String]) -> PolarsResult<()> {
        let column = self.column.slice(i64::try_from(rows.start).unwrap_or(i64::MAX), rows.len());
        match column.dtype() {
            DataType::String => {
                self.put(column.str()?.iter().map(|cell| cell.filter(|text| !text.is_empty())), objects, put_text)
            }
            DataType::Int64 => self.put(column.i64()?.iter(), objects, |value, object| put(object, format_args!("{value}"))),
            _ => {
                let finite = column.f64()?.iter().map(|cell| cell.filter(|value| value.is_finite()));
                self.put(finite, objects, |value, object| put(object, format_args!("{value:?}")));
            }
        }
        Ok(())
    }

    fn put<T>(&self, cells: impl Iterator<Item = Option<T>>, objects: &mut [String], write: impl Fn(T, &mut String)) {
        for (object, cell) in objects.iter_mut().zip(cells) {
            let Some(cell) = cell else { continue };
            object.push(if object.is_empty() { '{' } else { ',' });
            object.push_str(&self.key);
            write(cell, object);
        }
    }
}

fn put(object: &mut String, value: std::fmt::Arguments<'_>) {
    object.write_fmt(value).expect("writing to a string cannot fail");
}

/// A number stays one; other text stands between quotes.
fn put_text(text: &str, object: &mut String) {
    if is_json_number(text) {
        object.push_str(text);
    } else if is_plain(text) {
        object.extend(["\"", text, "\""]);
    } else {
        object.push_str(&json_text(text));
    }
}

/// Whether `text` needs no escapes.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| byte >= b' ' && !matches!(byte, b'"' | b'\\'))
}

/// `text` between quotes, escaped.
pub(super) fn json_text(text: &str) -> String {
    if is_plain(text) { format!("\"{text}\"") } else { serde_json::Value::from(text).to_string() }
}

/// The grammar of JSON numbers: `-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?`.
fn is_json_number(text: &str) -> bool {
    let digits = |text: &str| text.len() - text.trim_start_matches(|character: char| character.is_ascii_digit()).len();
    let rest = text.strip_prefix('-').unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || whole > 300 || (whole > 1 && rest.starts_with('0')) {
        return false;
    }
    let mut rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix('.') {
        let length = digits(fraction);
        if length == 0 {
            return false;
        }
        rest = &fraction[length..];
    }
    if let Some(exponent) = rest.strip_prefix(['e', 'E']) {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        let length = digits(exponent);
        return length > 0 && length < 3 && exponent.len() == length;
    }
    rest.is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn column(cells: &[&str]) -> Column {
        Column::new("a".into(), cells)
    }

    #[test]
    fn columns_are_typed_by_content() {
        let check = |cells: &[&str], expected: &str| {
            let column = column(cells);
            let shown = match Cells::typed(&column, &["-".to_owned()]).expect("text") {
                Cells::Ints(cells) => format!("ints {cells:?}"),
                Cells::Reals(cells) => format!("reals {cells:?}"),
                Cells::Texts(cells) => format!("texts {cells:?}"),
            };
            assert_eq!(shown, expected);
        };
        check(&["1", " 2", "", "-"], "ints [Some(1), Some(2), None, None]");
        check(&["1", "2.5"], "reals [Some(1.0), Some(2.5)]");
        check(&["1", "inf"], r#"texts [Some("1"), Some("inf")]"#);
        check(&["nn", "1"], r#"texts [Some("nn"), Some("1")]"#);
        let whole = Column::new("a".into(), [4096.0, 2.0]);
        assert_eq!(Cells::typed(&whole, &[]).expect("reals"), Cells::Ints(vec![Some(4096), Some(2)]));
    }

    #[test]
    fn numbers_tell_missing_from_bad() {
        let found = numbers(&column(&["1.5", "", "[N/A]", "nan", "inf", "x", "-2"]), &["[N/A]".to_owned()]).expect("text");
        use Number::{Bad, Missing, Value};
        assert_eq!(found, [Value(1.5), Missing, Missing, Bad, Bad, Bad, Value(-2.0)]);
    }

    #[test]
    fn only_what_json_calls_a_number_stays_one() {
        for (text, expected) in [
            ("0", true),
            ("-1.5e+3", true),
            ("10", true),
            ("01", false),
            ("1.", false),
            (".5", false),
            ("+1", false),
            ("1e", false),
            ("1e999", false),
            ("nan", false),
            ("", false),
            ("-", false),
            ("1 ", false),
        ] {
            assert_eq!(is_json_number(text), expected, "{text}");
            assert!(!expected || serde_json::from_str::<f64>(text).is_ok(), "{text}");
        }
        assert_eq!(json_text("a\"b\n"), r#""a\"b\n""#);
    }
}
