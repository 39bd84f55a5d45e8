//! The schema is consistent, and its page is its own.

#![allow(clippy::disallowed_methods)] // `UPDATE=1` rewrites the page

use std::collections::BTreeSet;
use std::path::Path;

use tilecast_runs::schema::{self, COLUMNS};

#[test]
fn the_page_is_generated_from_the_columns() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/schema.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(&path, schema::markdown()).expect("written");
    }
    let page = std::fs::read_to_string(&path).expect("docs/schema.md is part of the project");
    assert_eq!(page, schema::markdown(), "run with UPDATE=1 to rewrite it");
}

#[test]
fn column_names_are_apart_and_not_open() {
    let names: BTreeSet<&str> = COLUMNS.iter().map(|column| column.name).collect();
    assert_eq!(names.len(), COLUMNS.len());
    assert!(names.iter().all(|name| !schema::is_open(name)));
    assert!(names.iter().all(|name| schema::column(name).is_some()));
}

#[test]
fn versions_are_major_and_minor() {
    let check = |text: &str, expected: Option<(u32, u32)>| assert_eq!(schema::parse_version(text), expected, "{text}");
    check(&schema::version_text(), Some(schema::VERSION));
    check("12.34", Some((12, 34)));
    for text in ["", "1", "1.", ".1", "1.2.3", "-1.0", "one.two", "99999999999.0"] {
        check(text, None);
    }
}
