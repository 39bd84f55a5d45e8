//! Groups of rows and what is computed over each.

use std::collections::HashMap;
use std::str::FromStr;

use polars::prelude::*;

use super::QueryError;
use super::arrange::{select, sort, take};
use super::columns::{Values, resolve, values};
use crate::quantile;
use crate::schema::col;

/// What is computed over the rows of a group.
#[derive(Clone, Debug, PartialEq)]
pub struct Aggregate {
    how: How,
    column: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum How {
    Count,
    Distinct,
    Sum,
    Mean,
    Deviation,
    Quantile(f64),
}

impl FromStr for Aggregate {
    type Err = QueryError;

    /// `median`, of `time_s` or of the columns chosen beside it; or `p90(power_w)`.
    fn from_str(text: &str) -> Result<Self, QueryError> {
        let (word, column) = match text.split_once('(') {
            Some((word, rest)) => match rest.strip_suffix(')') {
                Some(column) if !column.is_empty() => (word, Some(column.trim().to_owned())),
                _ => return Err(QueryError::Aggregate { word: text.to_owned() }),
            },
            None => (text, None),
        };
        match how(word.trim()) {
            Some(how) => Ok(Self { how, column }),
            None => Err(QueryError::Aggregate { word: text.to_owned() }),
        }
    }
}

fn how(word: &str) -> Option<How> {
    Some(match word {
        "count" => How::Count,
        "distinct" => How::Distinct,
        "sum" => How::Sum,
        "mean" => How::Mean,
        "std" => How::Deviation,
        "min" => How::Quantile(0.0),
        "median" => How::Quantile(0.5),
        "max" => How::Quantile(1.0),
        other => {
            let share = other.strip_prefix('p')?.parse::<f64>().ok()?;
            How::Quantile(Some(share / 100.0).filter(|share| (0.0..=1.0).contains(share))?)
        }
    })
}

/// One row per combination of values of `keys`, in their order, with `aggregates` as columns named `median(time_s)`.
///
/// An aggregate without a column of its own is computed over each of `of`; `count` alone counts rows.
///
/// # Errors
/// A name that stands for no column, or numbers asked of text.
pub fn group(frame: &DataFrame, keys: &[String], aggregates: &[Aggregate], of: &[String]) -> Result<DataFrame, QueryError> {
    let keys = keys.iter().map(|key| resolve(frame, key)).collect::<Result<Vec<_>, _>>()?;
    let groups = groups(frame, &keys)?;
    let firsts: Vec<usize> = groups.iter().map(|rows| rows[0]).collect();
    let mut columns: Vec<Column> = take(&select(frame, &keys)?, &firsts)?.columns().to_vec();
    let usual = [col::time_s.to_owned()];
    for aggregate in aggregates {
        let of = if of.is_empty() { usual.as_slice() } else { of };
        let names: Vec<Option<&String>> = match (&aggregate.column, aggregate.how) {
            (Some(column), _) => vec![Some(column)],
            (None, How::Count) => vec![None],
            (None, _) => of.iter().map(Some).collect(),
        };
        for name in names {
            let column = computed(frame, aggregate, name, &groups)?;
            if columns.iter().all(|known| known.name() != column.name()) {
                columns.push(column);
            }
        }
    }
    let all = DataFrame::new(groups.len(), columns)?;
    sort(&all, &keys)
}

/// Rows of each group, groups in order of first appearance.
fn groups(frame: &DataFrame, keys: &[String]) -> Result<Vec<Vec<usize>>, QueryError> {
    let columns = keys.iter().map(|key| values(frame, key)).collect::<Result<Vec<_>, _>>()?;
    let mut codes = vec![0_usize; frame.height()];
    for column in &columns {
        // Codes so far and this column's values, numbered anew: never more codes than rows.
        let mut numbers: HashMap<(usize, Key<'_>), usize> = HashMap::new();
        for (row, code) in codes.iter_mut().enumerate() {
            let next = numbers.len();
            *code = *numbers.entry((*code, key(column, row))).or_insert(next);
        }
    }
    let mut groups: Vec<Vec<usize>> = Vec::new();
    for (row, code) in codes.into_iter().enumerate() {
        if code == groups.len() {
            groups.push(Vec::new());
        }
        groups[code].push(row);
    }
    Ok(groups)
}

#[derive(PartialEq, Eq, Hash)]
enum Key<'a> {
    Null,
    Number(u64),
    Text(&'a str),
}

fn key(values: &Values, row: usize) -> Key<'_> {
    match values {
        Values::Numbers(values) => values[row].map_or(Key::Null, |value| Key::Number(value.to_bits())),
        Values::Texts(values) => values[row].as_deref().map_or(Key::Null, Key::Text),
        Values::Flags(values) => values[row].map_or(Key::Null, |value| Key::Number(u64::from(value))),
    }
}

fn computed(
    frame: &DataFrame,
    aggregate: &Aggregate,
    name: Option<&String>,
    groups: &[Vec<usize>],
) -> Result<Column, QueryError> {
    let word = aggregate.how.word();
    let Some(name) = name else {
        return Ok(Column::new(word.into(), groups.iter().map(|rows| rows.len() as u64).collect::<Vec<_>>()));
    };
    let name = resolve(frame, name)?;
    let values = values(frame, &name)?;
    let title: PlSmallStr = format!("{word}({name})").into();
    if let How::Count | How::Distinct = aggregate.how {
        let count = |rows: &Vec<usize>| counted(&values, rows, aggregate.how);
        return Ok(Column::new(title, groups.iter().map(count).collect::<Vec<u64>>()));
    }
    let Values::Numbers(numbers) = values else {
        return Err(QueryError::Kind { name, kind: values.kind(), expected: "numbers" });
    };
    let of = |rows: &Vec<usize>| aggregate.how.of(rows.iter().filter_map(|row| numbers[*row]).collect());
    Ok(Column::new(title, groups.iter().map(of).collect::<Vec<Option<f64>>>()))
}

fn counted(values: &Values, rows: &[usize], how: How) -> u64 {
    let present = rows.iter().map(|row| key(values, *row)).filter(|key| *key != Key::Null);
    if how == How::Count { present.count() as u64 } else { present.collect::<std::collections::HashSet<_>>().len() as u64 }
}

impl How {
    fn word(self) -> String {
        match self {
            Self::Count => "count".to_owned(),
            Self::Distinct => "distinct".to_owned(),
            Self::Sum => "sum".to_owned(),
            Self::Mean => "mean".to_owned(),
            Self::Deviation => "std".to_owned(),
            Self::Quantile(share) if share <= 0.0 => "min".to_owned(),
            Self::Quantile(share) if share >= 1.0 => "max".to_owned(),
            Self::Quantile(share) if (share - 0.5).abs() < 1e-12 => "median".to_owned(),
            // Rounded, because 0.999 × 100 is not 99.9 in binary.
            Self::Quantile(share) => format!("p{}", (share * 1e8).round() / 1e6),
        }
    }

    /// Null over no numbers; the deviation is that of a sample (n − 1), null for one number.
    #[allow(clippy::cast_precision_loss)] // fewer than 2^53 rows
    fn of(self, mut numbers: Vec<f64>) -> Option<f64> {
        if numbers.is_empty() {
            return None;
        }
        let count = numbers.len() as f64;
        let sum: f64 = numbers.iter().sum();
        match self {
            Self::Count | Self::Distinct => None,
            Self::Sum => Some(sum),
            Self::Mean => Some(sum / count),
            Self::Deviation => {
                let squares: f64 = numbers.iter().map(|number| (number - sum / count).powi(2)).sum();
                (count > 1.0).then(|| (squares / (count - 1.0)).sqrt())
            }
            Self::Quantile(share) => quantile::of(&mut numbers, share),
        }
    }
}
