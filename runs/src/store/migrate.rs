//! Frames of other schema versions, brought to ours.

use std::collections::BTreeSet;
use std::path::Path;

use polars::prelude::*;

use super::StoreError;
use crate::frame::{self, FrameError};
use crate::schema::{self, COLUMNS, Kind, col};

/// Renames from one major to the next.
#[derive(Clone, Copy, Debug)]
pub(super) struct Step {
    /// The major that used the old names.
    pub(super) from: u32,
    /// Old and new names.
    pub(super) renames: &'static [(&'static str, &'static str)],
}

/// All steps up to [`schema::VERSION`]; 1 is the first major, so there are none yet.
pub(super) const STEPS: &[Step] = &[];

/// A frame as read, brought to the current schema, and what was left behind on the way.
#[derive(Debug)]
pub(super) struct Current {
    pub(super) frame: DataFrame,
    pub(super) dropped: Vec<String>,
}

/// What the versions are measured by; tests put others in the place of ours.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target {
    pub(super) major: u32,
    pub(super) steps: &'static [Step],
}

/// Our version.
pub(super) const OURS: Target = Target { major: schema::VERSION.0, steps: STEPS };

/// Renames what older majors called otherwise, adds the columns they lacked as null, and leaves out what newer minors added.
pub(super) fn to_current(path: &Path, frame: DataFrame, target: Target) -> Result<Current, StoreError> {
    let of_file = |source| StoreError::File { path: path.to_owned(), source };
    let mut frame = frame;
    for major in majors(path, &frame, target)? {
        let mut steps = target.steps.iter().filter(|step| step.from >= major).collect::<Vec<_>>();
        steps.sort_by_key(|step| step.from);
        for (old, new) in steps.into_iter().flat_map(|step| step.renames) {
            if frame.column(old).is_ok() {
                frame.rename(old, (*new).into()).map_err(|error| of_file(error.into()))?;
            }
        }
    }
    conform(&frame).map_err(of_file)
}

/// The majors of a file's rows: one, as each file is written by one program. None where there are no rows.
fn majors(path: &Path, frame: &DataFrame, target: Target) -> Result<BTreeSet<u32>, StoreError> {
    let versions = frame::texts(frame, col::schema_version);
    let versions = versions.map_err(|source| StoreError::File { path: path.to_owned(), source })?;
    let distinct: BTreeSet<String> = versions.into_iter().map(|version| version.unwrap_or_else(|| "null".to_owned())).collect();
    distinct.into_iter().map(|found| major(path, found, target)).collect()
}

fn major(path: &Path, found: String, target: Target) -> Result<u32, StoreError> {
    let (path, ours) = (path.to_owned(), schema::version_text());
    match schema::parse_version(&found) {
        Some((major, _)) if major > target.major => Err(StoreError::TooNew { path, found, ours }),
        Some((major, _)) if major == target.major || target.steps.iter().any(|step| step.from == major) => Ok(major),
        _ => Err(StoreError::UnknownVersion { path, found, ours }),
    }
}

/// All fixed columns, typed, in their order; then the open ones.
fn conform(frame: &DataFrame) -> Result<Current, FrameError> {
    let mut columns = Vec::with_capacity(frame.width());
    for fixed in COLUMNS {
        columns.push(match frame.column(fixed.name) {
            Ok(column) => typed(column, fixed.kind)?,
            Err(_) if fixed.required && frame.height() > 0 => return Err(FrameError::NoColumn { column: fixed.name.to_owned() }),
            Err(_) => Column::full_null(fixed.name.into(), frame.height(), &data_type(fixed.kind)),
        });
    }
    let mut dropped = Vec::new();
    for column in frame.columns() {
        let name = column.name().as_str();
        if schema::is_open(name) {
            columns.push(column.clone());
        } else if schema::column(name).is_none() {
            dropped.push(name.to_owned());
        }
    }
    Ok(Current { frame: DataFrame::new(frame.height(), columns)?, dropped })
}

fn typed(column: &Column, kind: Kind) -> Result<Column, FrameError> {
    let wanted = data_type(kind);
    match column.dtype() {
        found if *found == wanted => Ok(column.clone()),
        DataType::Null => Ok(column.cast(&wanted)?),
        found if kind == Kind::Real && found.is_primitive_numeric() => Ok(column.cast(&wanted)?),
        found if kind == Kind::Int && found.is_integer() => Ok(column.cast(&wanted)?),
        found => Err(FrameError::ColumnType {
            column: column.name().to_string(),
            found: found.to_string(),
            expected: format!("`{wanted}`"),
        }),
    }
}

fn data_type(kind: Kind) -> DataType {
    match kind {
        Kind::Text => DataType::String,
        Kind::Int => DataType::Int64,
        Kind::Real => DataType::Float64,
        Kind::Flag => DataType::Boolean,
        Kind::Reals => DataType::List(Box::new(DataType::Float64)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TARGET: Target = Target {
        major: 3,
        steps: &[
            Step { from: 1, renames: &[("gpu", "card"), ("time_ms_old", "time_old")] },
            Step { from: 2, renames: &[("card", "device")] },
        ],
    };

    fn file(version: &str, device_column: &str) -> DataFrame {
        let columns = COLUMNS.iter().filter(|column| column.required).map(|column| {
            let name = if column.name == col::device { device_column } else { column.name };
            let value = if column.name == col::schema_version { version } else { "x" };
            Column::new(name.into(), [value])
        });
        DataFrame::new(1, columns.collect()).expect("one row")
    }

    fn migrate(frame: DataFrame) -> Result<Current, StoreError> {
        to_current(Path::new("a.parquet"), frame, TARGET)
    }

    #[test]
    fn older_majors_are_renamed_step_by_step() {
        for (version, name) in [("1.0", "gpu"), ("1.7", "gpu"), ("2.3", "card"), ("3.0", "device"), ("3.9", "device")] {
            let current = migrate(file(version, name)).expect(version);
            assert_eq!(frame::texts(&current.frame, col::device).expect("device"), [Some("x".to_owned())], "{version}");
            assert!(current.frame.width() >= COLUMNS.len());
            assert!(current.dropped.is_empty());
        }
    }

    #[test]
    fn newer_and_unknown_versions_are_refused_by_name() {
        let check = |version: &str, expected: &str| {
            let error = migrate(file(version, "device")).expect_err(version);
            assert_eq!(error.to_string(), expected);
            assert!(error.hint().is_some());
        };
        check("4.0", "store file `a.parquet`: schema version `4.0`, this program reads up to `1.2`");
        check("0.9", "store file `a.parquet`: schema version `0.9` is unknown, this program reads `1.2`");
        check("newest", "store file `a.parquet`: schema version `newest` is unknown, this program reads `1.2`");
    }

    #[test]
    fn columns_of_a_newer_minor_are_left_behind_and_named() {
        let mut newer = file("3.9", "device");
        newer.with_column(Column::new("colour".into(), ["red"])).expect("added");
        newer.with_column(Column::new("knob.tile_m".into(), [4i64])).expect("added");
        let current = migrate(newer).expect("minor versions are readable");
        assert_eq!(current.dropped, ["colour"]);
        assert_eq!(frame::open_columns(&current.frame, "knob."), ["knob.tile_m"]);
    }

    #[test]
    fn a_file_that_lacks_a_required_column_is_refused() {
        let error = migrate(file("3.0", "gpu")).expect_err("no device column");
        assert_eq!(error.to_string(), "store file `a.parquet`: frame: column `device` is absent");
    }
}
