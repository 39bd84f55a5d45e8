//! Choosing and ordering columns and rows.

use std::cmp::Ordering;

use polars::prelude::*;

use super::QueryError;
use super::columns::{Values, resolve, values};

/// The columns `names`, in that order; members of `extra` by `extra.KEY`.
///
/// # Errors
/// A name that stands for no column or for several.
pub fn select(frame: &DataFrame, names: &[String]) -> Result<DataFrame, QueryError> {
    let mut columns: Vec<Column> = Vec::with_capacity(names.len());
    for name in names {
        let name = resolve(frame, name)?;
        if columns.iter().any(|column| column.name().as_str() == name) {
            continue;
        }
        columns.push(match frame.column(&name) {
            Ok(column) => column.clone(),
            Err(_) => column_of(&name, values(frame, &name)?),
        });
    }
    Ok(DataFrame::new(frame.height(), columns)?)
}

fn column_of(name: &str, values: Values) -> Column {
    match values {
        Values::Numbers(values) => Column::new(name.into(), values),
        Values::Texts(values) => Column::new(name.into(), values),
        Values::Flags(values) => Column::new(name.into(), values),
    }
}

/// The first `rows` rows.
#[must_use]
pub fn head(frame: &DataFrame, rows: usize) -> DataFrame {
    frame.head(Some(rows))
}

/// The rows in the order of `keys`, the first key first; `-name` is descending. Nulls come last; equals keep their order.
///
/// # Errors
/// A name that stands for no column, or a column of lists.
pub fn sort(frame: &DataFrame, keys: &[String]) -> Result<DataFrame, QueryError> {
    let mut columns = Vec::with_capacity(keys.len());
    for key in keys {
        let (name, descending) = key.strip_prefix('-').map_or((key.as_str(), false), |name| (name, true));
        columns.push((values(frame, &resolve(frame, name)?)?, descending));
    }
    let mut rows: Vec<usize> = (0..frame.height()).collect();
    rows.sort_by(|a, b| {
        let orders = columns.iter().map(|(values, descending)| order(values, *a, *b, *descending));
        orders.fold(Ordering::Equal, Ordering::then)
    });
    take(frame, &rows)
}

fn order(values: &Values, a: usize, b: usize, descending: bool) -> Ordering {
    match values {
        Values::Numbers(values) => nulls_last(&values[a], &values[b], descending, f64::total_cmp),
        Values::Texts(values) => nulls_last(&values[a], &values[b], descending, Ord::cmp),
        Values::Flags(values) => nulls_last(&values[a], &values[b], descending, Ord::cmp),
    }
}

fn nulls_last<T>(a: &Option<T>, b: &Option<T>, descending: bool, compare: impl Fn(&T, &T) -> Ordering) -> Ordering {
    match (a, b) {
        (Some(a), Some(b)) if descending => compare(b, a),
        (Some(a), Some(b)) => compare(a, b),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => Ordering::Equal,
    }
}

/// The rows numbered `rows`, in that order.
pub(super) fn take(frame: &DataFrame, rows: &[usize]) -> Result<DataFrame, QueryError> {
    let index = |row: &usize| IdxSize::try_from(*row).expect("a frame has fewer rows than its own index type counts");
    Ok(frame.take(&IdxCa::from_vec("rows".into(), rows.iter().map(index).collect()))?)
}
