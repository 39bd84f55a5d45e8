//! Rows become frames by the schema and come back.

use polars::prelude::*;
use tilecast_runs::frame::{self, FrameError};
use tilecast_runs::row::{Cell, Row};
use tilecast_runs::schema::{COLUMNS, Kind, col};

fn required() -> Row {
    let mut row = Row::default();
    for column in COLUMNS.iter().filter(|column| column.required) {
        assert_eq!(column.kind, Kind::Text);
        row.set(column.name, "x");
    }
    row
}

fn with(cells: &[(&str, Cell)]) -> Row {
    let mut row = required();
    for (name, cell) in cells {
        row.set(*name, cell.clone());
    }
    row
}

#[test]
fn an_empty_frame_has_all_fixed_columns() {
    let frame = frame::from_rows(&[]).expect("no rows are a frame");
    assert_eq!((frame.height(), frame.width()), (0, COLUMNS.len()));
}

#[test]
fn rows_come_back_as_they_went_in() {
    let rows = vec![
        with(&[
            ("problem.m", Cell::Int(64)),
            ("knob.tile_m", Cell::Int(32)),
            ("knob.isa", "avx2".into()),
            (col::time_s, Cell::Real(1.5e-3)),
            (col::time_samples_s, Cell::Reals(vec![1.5e-3, 1.6e-3])),
            (col::is_default, Cell::Flag(true)),
            (col::samples, Cell::Int(2)),
            ("roof.flop_per_s", Cell::Real(1e11)),
        ]),
        with(&[("problem.m", Cell::Int(65)), (col::time_samples_s, Cell::Reals(vec![]))]),
        required(),
    ];
    let frame = frame::from_rows(&rows).expect("rows fit");
    assert_eq!(frame::to_rows(&frame).expect("frame fits"), rows);
    assert_eq!(frame::reals(&frame, "problem.m").expect("numbers"), [Some(64.0), Some(65.0), None]);
    assert_eq!(frame::ints(&frame, "problem.m").expect("integers"), [Some(64), Some(65), None]);
    assert_eq!(frame::texts(&frame, "knob.isa").expect("text"), [Some("avx2".to_owned()), None, None]);
    assert_eq!(frame::flags(&frame, col::is_default).expect("flags"), [Some(true), None, None]);
    assert_eq!(frame::lists(&frame, col::time_samples_s).expect("lists"), [Some(vec![1.5e-3, 1.6e-3]), Some(vec![]), None]);
    assert_eq!(frame::open_columns(&frame, "knob."), ["knob.isa", "knob.tile_m"]);
}

#[test]
fn open_columns_are_typed_by_content() {
    let check = |cells: &[Cell], name: &str, expected: DataType| {
        let rows: Vec<Row> = cells.iter().map(|cell| with(&[(name, cell.clone())])).collect();
        let frame = frame::from_rows(&rows).expect("rows fit");
        assert_eq!(frame.column(name).expect("column").dtype(), &expected, "{cells:?}");
    };
    check(&[Cell::Int(1), Cell::Int(2)], "knob.a", DataType::Int64);
    check(&[Cell::Int(1), Cell::Real(2.5)], "knob.a", DataType::Float64);
    check(&[Cell::Int(1), "two".into()], "knob.a", DataType::String);
    check(&[Cell::Flag(true)], "problem.a", DataType::String);
    check(&[Cell::Int(1)], "traffic.l1_bytes", DataType::Float64);
    check(&[Cell::Int(1)], "roof.flop_per_s", DataType::Float64);
}

#[test]
fn wrong_rows_are_refused_by_row_column_and_value() {
    let check = |row: Row, expected: &str| {
        let error = frame::from_rows(&[required(), row]).expect_err("the row is wrong");
        assert_eq!(error.to_string(), expected);
    };
    check(with(&[("tiem_s", Cell::Real(1.0))]), "row 1: column `tiem_s` = `1` is not in the schema");
    check(with(&[("knob.", Cell::Int(1))]), "row 1: column `knob.` = `1` is not in the schema");
    check(with(&[(col::time_s, "fast".into())]), "row 1: column `time_s` = `fast`, expected a number");
    check(with(&[(col::samples, Cell::Real(1.5))]), "row 1: column `samples` = `1.5`, expected an integer");
    check(with(&[(col::device, Cell::Int(3))]), "row 1: column `device` = `3`, expected text");
    check(with(&[(col::is_default, Cell::Int(1))]), "row 1: column `is_default` = `1`, expected true or false");
    check(with(&[(col::time_samples_s, Cell::Real(1.0))]), "row 1: column `time_samples_s` = `1`, expected a list of numbers");
    check(with(&[("knob.a", Cell::Reals(vec![1.0]))]), "row 1: column `knob.a` = `[1.0]`, expected a number or text");
    check(with(&[("roof.x", "1".into())]), "row 1: column `roof.x` = `1`, expected a number");
    check(with(&[(col::time_s, Cell::Real(f64::NAN))]), "row 1: column `time_s` = `NaN`, expected a finite number");
    check(with(&[("knob.a", Cell::Real(f64::INFINITY))]), "row 1: column `knob.a` = `inf`, expected a finite number");
    check(
        with(&[(col::time_samples_s, Cell::Reals(vec![1.0, f64::NEG_INFINITY]))]),
        "row 1: column `time_samples_s` = `[1.0, -inf]`, expected a finite number",
    );
    let mut row = required();
    row.0.remove(col::status);
    check(row, "row 1: column `status` is absent, every row carries it");
}

#[test]
fn frames_join_where_their_open_columns_differ() {
    let frame = |cells: &[(&str, Cell)]| frame::from_rows(&[with(cells)]).expect("row fits");
    let all = frame::concat(&[
        frame(&[("knob.a", Cell::Int(1)), ("knob.b", Cell::Int(1))]),
        frame(&[("knob.a", Cell::Real(2.5)), ("knob.c", Cell::Int(7))]),
        frame(&[("knob.b", "two".into())]),
    ])
    .expect("frames join");
    assert_eq!(frame::reals(&all, "knob.a").expect("numbers"), [Some(1.0), Some(2.5), None]);
    assert_eq!(frame::texts(&all, "knob.b").expect("text"), [Some("1".to_owned()), None, Some("two".to_owned())]);
    assert_eq!(frame::ints(&all, "knob.c").expect("integers"), [None, Some(7), None]);
    assert_eq!(frame::concat(&[]).expect("nothing joins").height(), 0);
}

#[test]
fn frames_with_clashing_fixed_columns_do_not_join() {
    let good = frame::from_rows(&[required()]).expect("row fits");
    let mut bad = good.clone();
    bad.with_column(Column::new(col::time_s.into(), ["fast"])).expect("replaced");
    let error = frame::concat(&[good, bad]).expect_err("types clash");
    assert_eq!(error.to_string(), "frame: column `time_s` has type `str`, expected `f64` as in the other frames");
    assert!(error.hint().is_some());
}

#[test]
fn accessors_name_what_is_missing_or_of_another_type() {
    let frame = frame::from_rows(&[required()]).expect("row fits");
    assert!(matches!(frame::reals(&frame, "knob.none"), Err(FrameError::NoColumn { column }) if column == "knob.none"));
    let error = frame::reals(&frame, col::device).expect_err("text is no number");
    assert_eq!(error.to_string(), "frame: column `device` has type `str`, expected numbers");
    assert!(frame::texts(&frame, col::time_s).is_err());
    assert!(frame::ints(&frame, col::time_s).is_err());
    assert!(frame::flags(&frame, col::device).is_err());
    assert!(frame::lists(&frame, col::device).is_err());
}
