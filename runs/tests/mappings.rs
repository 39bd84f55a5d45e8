//! Whatever a mapping may name comes through to the store, or is refused before a row is read.

use std::path::Path;

use tempfile::tempdir;
use tilecast_runs::frame;
use tilecast_runs::import::{Format, Imported, Mapping, Options, import_bytes};
use tilecast_runs::row::{Cell, Row};
use tilecast_runs::schema::{COLUMNS, Kind, col};
use tilecast_runs::store::{Read, Store};

const UNITS: [&str; 10] = ["s", "J", "W", "Hz", "C", "B", "FLOP", "FLOP/s", "B/s", "rfc3339"];

fn mapping(columns: &str, constants: &str) -> Result<Mapping, String> {
    let text = format!("name = \"mine\"\nfamily = \"f\"\n[constants]\n{constants}\n[columns]\n{columns}\n");
    Mapping::parse("m.toml", &text).map_err(|error| error.to_string())
}

fn imported(mapping: Mapping, table: &str) -> Imported {
    let options = Options { mapping: Some(mapping), ..Options::default() };
    import_bytes(Format::Table, Path::new("t.csv"), table.as_bytes(), &options).unwrap_or_else(|error| panic!("{error}"))
}

/// Through Parquet and back.
fn stored(mapping: Mapping, table: &str) -> Vec<Row> {
    let imported = imported(mapping, table);
    let folder = tempdir().expect("a folder");
    let store = Store::create(folder.path()).expect("a store");
    store.write(&imported.frame, &imported.run_id).expect("written");
    frame::to_rows(&store.read(Read::default()).unwrap_or_else(|error| panic!("{error}")).frame).expect("rows")
}

/// A cell of the table and what it has to become.
fn cell(name: &str, kind: Kind) -> (&'static str, Cell) {
    match (name, kind) {
        (col::status, _) => ("incorrect", "incorrect".into()),
        (col::measured_at, _) => ("2024-01-01T00:00:00Z", "2024-01-01T00:00:00Z".into()),
        (_, Kind::Text) => ("word", "word".into()),
        (_, Kind::Int) => ("3", Cell::Int(3)),
        (_, Kind::Real) => ("0.25", Cell::Real(0.25)),
        (_, Kind::Flag) => ("true", Cell::Flag(true)),
        (_, Kind::Reals) => ("0.25", Cell::Reals(vec![0.25, 0.25])),
    }
}

/// The mapping of `target`, in whatever unit it asks for.
fn mapped(target: &str, from: &str, beside: &str) -> Result<Mapping, String> {
    let plain = mapping(&format!("{target} = {{ from = {from} }}\n{beside}"), "");
    let with = |unit: &&str| mapping(&format!("{target} = {{ from = {from}, unit = \"{unit}\" }}\n{beside}"), "").ok();
    match plain {
        Err(why) if why.contains("has no unit") => UNITS.iter().find_map(with).ok_or(why),
        other => other,
    }
}

#[test]
fn every_column_of_the_schema_comes_through_a_mapping_or_is_refused() {
    let mut refused = Vec::new();
    for column in COLUMNS {
        let (text, expected) = cell(column.name, column.kind);
        let from = if column.kind == Kind::Reals { r#"["x", "y"]"# } else { r#""x""# };
        let own_time = matches!(column.name, col::time_s | col::time_samples_s);
        let beside = if own_time { "" } else { "time_s = { from = \"t\", unit = \"s\" }" };
        match mapped(column.name, from, beside) {
            Err(why) => {
                assert!(why.contains(&format!("`{}`", column.name)), "{}: {why}", column.name);
                refused.push(column.name);
            }
            Ok(mapping) => {
                let rows = stored(mapping, &format!("x,y,t\n{text},{text},0.5\n"));
                assert_eq!(rows[0].0.get(column.name), Some(&expected), "{}", column.name);
            }
        }
    }
    // A reason without a status, and what the import itself fills.
    assert!(refused.contains(&col::reason) && refused.contains(&col::run_id) && refused.len() == 21, "{refused:?}");
}

#[test]
fn every_column_of_the_schema_is_a_constant_or_is_refused() {
    let mut refused = Vec::new();
    for column in COLUMNS {
        let (text, expected) = cell(column.name, column.kind);
        let value = match column.kind {
            Kind::Text => format!("\"{text}\""),
            Kind::Reals => "[0.25, 0.25]".to_owned(),
            _ => text.to_owned(),
        };
        match mapping("time_s = { from = \"t\", unit = \"s\" }", &format!("{} = {value}", column.name)) {
            Err(why) => {
                assert!(why.contains(&format!("`{}`", column.name)), "{}: {why}", column.name);
                refused.push(column.name);
            }
            Ok(mapping) => {
                let rows = stored(mapping, "t\n0.5\n");
                assert_eq!(rows[0].0.get(column.name), Some(&expected), "{}", column.name);
            }
        }
    }
    for name in [col::family, col::status, col::reason, col::time_s, col::energy_j, col::power_w, col::wall_samples_s] {
        assert!(refused.contains(&name), "{name} may be a constant");
    }
    assert!(!refused.contains(&col::kernel) && refused.len() == 28, "{refused:?}");
}

#[test]
fn roofs_and_traffic_of_the_table_count_before_the_data_sheet() {
    let columns = r#"
"roof.flop_per_s" = { from = "roof", unit = "TFLOP/s" }
"traffic.l2_bytes" = { from = "l2", unit = "KiB" }
time_s = { from = "t", unit = "s" }
"#;
    let constants = "device_name = \"NVIDIA L4\"\ndtype = \"f32\"\n\"roof.dram_bytes_per_s\" = 3";
    let rows = stored(mapping(columns, constants).expect("a mapping"), "roof,l2,t\n1.5,2,0.5\n,,0.5\n");
    let reals = |row: usize| ["roof.flop_per_s", "traffic.l2_bytes", "roof.dram_bytes_per_s"].map(|name| rows[row].real(name));
    assert_eq!(reals(0), [Some(1.5e12), Some(2048.0), Some(3.0)]);
    assert_eq!(reals(1), [None, None, Some(3.0)], "nor are the two mixed");
    assert_eq!(rows[0].text(col::extra), None, "they are not the data sheet's");
}

#[test]
fn headlines_of_samples_are_medians_and_others_what_the_mapping_says() {
    let columns = r#"
time_s = { from = "t", unit = "s" }
time_samples_s = { from = ["a", "b"], unit = "s" }
time_basis = "how"
"#;
    let mapping = mapping(columns, "time_statistic = \"min\"").expect("a mapping");
    let rows = stored(mapping, "t,a,b,how\n0.5,0.5,0.7,event\n0.5,,,\n,,,host\n");
    let texts = |row: usize| [col::time_statistic, col::time_basis].map(|name| rows[row].text(name));
    assert_eq!(texts(0), [Some("median"), Some("event")]);
    assert_eq!(texts(1), [Some("min"), Some("unknown")]);
    assert_eq!(texts(2), [None, None], "nothing was timed");
}

#[test]
fn cells_that_cannot_be_read_are_left_empty_and_said() {
    let columns = "time_s = { from = \"t\", unit = \"s\" }\nwall_samples_s = { from = [\"a\", \"b\"], unit = \"ms\" }";
    let imported = imported(mapping(columns, "").expect("a mapping"), "t,a,b\n1,500,\n1,x,500\n");
    let rows = frame::to_rows(&imported.frame).expect("rows");
    assert_eq!(rows[0].0.get(col::wall_samples_s), Some(&Cell::Reals(vec![0.5])));
    assert_eq!(rows[1].0.get(col::wall_samples_s), None);
    let said = "column `wall_samples_s`: 1 cells are no number (the first is `x`), left empty";
    assert!(imported.warnings.iter().any(|warning| warning == said), "{:?}", imported.warnings);
    let columns = "time_s = { from = \"t\", unit = \"s\" }\nmeasured_at = { from = \"at\", unit = \"rfc3339\" }";
    let imported =
        self::imported(mapping(columns, "").expect("a mapping"), "t,at\n1,2024-01-01T00:00:00Z\n1,2024-01-01T00:00:00+01:00\n");
    let said = "column `measured_at`: 1 cells are no point in time in UTC (the first is `2024-01-01T00:00:00+01:00`), left empty";
    assert!(imported.warnings.iter().any(|warning| warning == said), "{:?}", imported.warnings);
    mapping("time_s = { from = \"t\", unit = \"s\" }", "measured_at = \"yesterday\"").expect_err("no point in time");
}
