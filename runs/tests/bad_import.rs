//! Every importer against files that are not what they should be: an error that says what and where, or failed rows; never a panic,
//! never memory without bound.

use std::io::Write as _;
use std::path::Path;

use flate2::{Compression, write::GzEncoder};
use polars::prelude::{Column, DataFrame, NamedFrom, ParquetWriter, Series};
use tilecast_runs::frame;
use tilecast_runs::import::{Format, ImportError, Imported, Limits, Mapping, Options, import_bytes};
use tilecast_runs::row::Row;
use tilecast_runs::schema::col;

/// An importer, a good file of it, and how to spoil that file.
struct Case {
    format: Format,
    file: &'static str,
    mapping: Option<&'static str>,
    /// Text that holds a time of the first row, and the same with a hole for another.
    time: (&'static str, &'static str),
    /// Text without which the file is of no kind.
    needed: &'static str,
    /// A size of the first row and the hole for another; empty where sizes are no numbers of the format.
    size: (&'static str, &'static str),
}

const fn case(
    format: Format,
    file: &'static str,
    time: (&'static str, &'static str),
    needed: &'static str,
    size: (&'static str, &'static str),
) -> Case {
    Case { format, file, mapping: None, time, needed, size }
}

const CASES: [Case; 15] = [
    case(Format::KernelTuner, "gemm_rtx_2080_ti.json", ("59.962016", "{}"), "\"cache\"", ("4096", "{}")),
    case(Format::T4, "t4.json", ("1.25", "{}"), "\"results\"", ("128", "{}")),
    case(Format::Cutlass, "cutlass.gemm.csv", (",0.05,", ",{},"), "Runtime", (",1024,512", ",{},512")),
    case(Format::Nvbench, "nvbench.json", ("\"0.000125\"", "\"{}\""), "\"benchmarks\"", ("\"1024\"", "\"{}\"")),
    case(Format::Nvbench, "nvbench.csv", (",0.000125,", ",{},"), "Skipped", (",1024,", ",{},")),
    case(Format::Ktt, "ktt.json", ("450.5", "{}"), "\"Results\"", ("64", "{}")),
    case(Format::Clblast, "clblast.json", ("\"time\": 0.52", "\"time\": {}"), "\"results\"", ("\"1024\"", "\"{}\"")),
    case(Format::Triton, "matmul_kernel.autotune.json", ("0.2048", "{}"), "\"key\"", ("4096", "{}")),
    case(Format::GoogleBenchmark, "google_benchmark.json", ("950.0", "{}"), "\"benchmarks\"", ("512/512", "{}/512")),
    case(Format::Hyperfine, "hyperfine.json", ("2.04e-1", "{}"), "\"results\"", ("\"512\"", "\"{}\"")),
    case(Format::Gpperf, "gpperf.csv", (",0.04,", ",{},"), "runtime_ms", (",512,512,512", ",{},512,512")),
    case(Format::Gpperf, "tiled_times.csv", (",6.5", ",{}"), "Tile Size", ("512,512,512,8", "{},512,512,8")),
    case(Format::Gpperf, "tiled_powers.csv", (",32.0", ",{}"), "Average Power Usage (W)", ("512,512,512,1", "{},512,512,1")),
    case(Format::UciSgemm, "sgemm_product.csv", ("115.25", "{}"), "Run2 (ms)", ("", "")),
    Case {
        format: Format::Table,
        file: "tiled_times.csv",
        mapping: Some("gpperf-tiled-time"),
        time: (",6.5", ",{}"),
        needed: "Execution Time",
        size: ("512,512,512,8", "{},512,512,8"),
    },
];

impl Case {
    fn text(&self) -> String {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(self.file);
        std::fs::read_to_string(path).expect("a fixture")
    }

    fn is_json(&self) -> bool {
        self.file.ends_with(".json")
    }

    fn import_as(&self, name: &str, bytes: &[u8]) -> Result<Imported, ImportError> {
        let mapping = self.mapping.map(|name| Mapping::ready(name).expect("ready"));
        let limits = Limits { max_bytes: 20 << 20, max_document_bytes: 16 << 20, ..Limits::default() };
        import_bytes(self.format, Path::new(name), bytes, &Options { mapping, limits, ..Options::default() })
    }

    fn import(&self, bytes: impl AsRef<[u8]>) -> Result<Imported, ImportError> {
        self.import_as(self.file, bytes.as_ref())
    }

    fn good(&self) -> Vec<Row> {
        rows(&self.import(self.text()).unwrap_or_else(|error| panic!("{error}")))
    }

    /// An error that names the file, says why in our style and advises.
    fn refused(&self, name: &str, bytes: &[u8], what: &str) -> ImportError {
        let error = match self.import_as(name, bytes) {
            Err(error) => error,
            Ok(imported) => panic!("{} {what}: {} rows", self.file, imported.frame.height()),
        };
        let said = error.to_string();
        assert!(said.starts_with(&format!("file `{name}`: ")) && !said.ends_with('.'), "{what}: {said}");
        assert!(said.len() < 1000, "{what}: an error is no dump of the file: {} bytes", said.len());
        assert!(error.hint().is_some(), "{what}: {said}");
        error
    }
}

fn rows(imported: &Imported) -> Vec<Row> {
    frame::to_rows(&imported.frame).expect("rows")
}

fn packed(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("packed");
    encoder.finish().expect("packed")
}

/// A zip archive of one deflated file, made by hand: the crate in use only reads.
fn zipped(name: &str, bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::DeflateEncoder::new(Vec::new(), Compression::fast());
    encoder.write_all(bytes).expect("packed");
    let (deflated, mut crc) = (encoder.finish().expect("packed"), flate2::Crc::new());
    crc.update(bytes);
    let u16s = |values: &[u16]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let u32s = |values: &[u32]| values.iter().flat_map(|value| value.to_le_bytes()).collect::<Vec<u8>>();
    let size = |length: usize| u32::try_from(length).expect("small");
    let name_length = u16::try_from(name.len()).expect("short");
    let shared =
        [u16s(&[20, 0, 8, 0, 0]), u32s(&[crc.sum(), size(deflated.len()), size(bytes.len())]), u16s(&[name_length, 0])].concat();
    let local = [b"PK\x03\x04".to_vec(), shared.clone(), name.as_bytes().to_vec(), deflated].concat();
    let central =
        [b"PK\x01\x02".to_vec(), u16s(&[20]), shared, u16s(&[0, 0, 0]), u32s(&[0, 0]), name.as_bytes().to_vec()].concat();
    let end = [b"PK\x05\x06".to_vec(), u16s(&[0, 0, 1, 1]), u32s(&[size(central.len()), size(local.len())]), u16s(&[0])].concat();
    [local, central, end].concat()
}

#[test]
fn nothing_and_what_is_no_file_of_the_format_is_refused() {
    let page = "<!DOCTYPE html><html><body>404, not \"found\"</body></html>\n";
    for case in &CASES {
        for (what, bytes) in
            [("empty", ""), ("blank", " \n\n"), ("a page", page), ("prose", "just some words\nand more\n"), ("a number", "17")]
        {
            case.refused(case.file, bytes.as_bytes(), what);
        }
        for other in CASES.iter().filter(|other| other.format != case.format && other.is_json() != case.is_json()) {
            case.refused(case.file, other.text().as_bytes(), other.file);
        }
        let nested = if case.is_json() { "[".repeat(200_000) } else { "{\"a\":".repeat(200_000) };
        case.refused(case.file, nested.as_bytes(), "deeply nested");
        let text = case.text();
        assert!(text.contains(case.needed), "{}: {}", case.file, case.needed);
        case.refused(case.file, text.replacen(case.needed, "\"zzz\"", 1).as_bytes(), "without what it needs");
        case.refused(case.file, b"\x00\x01\x02\x03\xff\xfe binary \x00", "binary");
    }
}

#[test]
fn other_encodings_are_refused_and_byte_order_marks_and_line_ends_do_not_matter() {
    for case in &CASES {
        let (text, good) = (case.text(), case.good());
        let utf16: Vec<u8> = [0xff, 0xfe].into_iter().chain(text.encode_utf16().flat_map(u16::to_le_bytes)).collect();
        let error = case.refused(case.file, &utf16, "UTF-16");
        assert!(matches!(error, ImportError::Encoding { .. }), "{error}");
        let latin = [&text.as_bytes()[..text.len() / 2], b"\xe9", &text.as_bytes()[text.len() / 2..]].concat();
        let error = case.refused(case.file, &latin, "Latin-1");
        assert!(matches!(error, ImportError::Encoding { .. }), "{}: {error}", case.file);
        let marked = rows(&case.import(format!("\u{feff}{text}")).expect("a byte order mark"));
        let crlf = rows(&case.import(text.replace('\n', "\r\n")).expect("CRLF"));
        for (what, found) in [("byte order mark", marked), ("CRLF", crlf)] {
            let same = |row: &Row| {
                (row.real(col::time_s), row.text(col::config).map(str::to_owned), row.text(col::status).map(str::to_owned))
            };
            assert_eq!(
                found.iter().map(same).collect::<Vec<_>>(),
                good.iter().map(same).collect::<Vec<_>>(),
                "{} {what}",
                case.file
            );
        }
    }
}

#[test]
fn a_cut_file_gives_its_whole_rows_or_an_error() {
    let same = |row: &Row| {
        let text = |name: &str| row.text(name).map(str::to_owned);
        (
            row.real(col::time_s),
            row.real(col::power_w),
            text(col::config),
            text(col::problem),
            text(col::status),
            text(col::kernel),
        )
    };
    for case in &CASES {
        let (text, good) = (case.text(), case.good());
        // All of the last line, and places throughout the file.
        let last = text.trim_end().rfind('\n').unwrap_or_default();
        for cut in (1..40).map(|part| text.len() * part / 40).chain(last..text.len()) {
            match case.import(&text.as_bytes()[..cut]) {
                Err(error) => assert!(error.to_string().starts_with("file `"), "{error}"),
                Ok(imported) => {
                    let found = rows(&imported);
                    assert!(found.len() <= good.len(), "{} cut at {cut}", case.file);
                    let said = imported.warnings.iter().any(|warning| warning.starts_with("the last line has no line end"));
                    assert_eq!(
                        said,
                        !case.is_json() && !text[..cut].ends_with('\n') && imported.repaired.is_none(),
                        "cut at {cut}"
                    );
                    // Where it was said, the last row may be short of some digits.
                    let sure = found.len() - usize::from(said);
                    for (found, good) in found[..sure].iter().zip(&good) {
                        assert_eq!(same(found), same(good), "{} cut at {cut}", case.file);
                    }
                }
            }
        }
    }
}

#[test]
fn times_that_cannot_be_are_failures_with_a_reason() {
    for case in &CASES {
        let (text, good) = (case.text(), case.good());
        let (whole, hole) = case.time;
        assert!(text.contains(whole), "{}: {whole}", case.file);
        for bad in ["NaN", "Infinity", "-Infinity", "-1", "0", "1e300", "-0.0"] {
            let imported =
                case.import(text.replacen(whole, &hole.replace("{}", bad), 1)).unwrap_or_else(|error| panic!("{bad}: {error}"));
            let found = rows(&imported);
            assert_eq!(found.len(), good.len(), "{} {bad}: a failure stays a row", case.file);
            if case.file == "tiled_powers.csv" {
                // No time, but a power: one that cannot be is left out.
                assert!(found[0].real(col::power_w).is_none_or(|power| power.is_finite() && power > 0.0), "{bad}");
                continue;
            }
            assert_ne!(found[0].text(col::status), Some("ok"), "{} {bad}", case.file);
            assert!(found[0].text(col::reason).is_some() && found[0].real(col::time_s).is_none(), "{} {bad}", case.file);
        }
    }
}

#[test]
fn absurd_sizes_are_taken_without_harm() {
    for case in CASES.iter().filter(|case| !case.size.0.is_empty()) {
        let text = case.text();
        assert!(text.contains(case.size.0), "{}: {}", case.file, case.size.0);
        for size in ["9223372036854775807", "-9223372036854775808", "99999999999999999999999", "1e308", "0", "-1", "many"] {
            let spoilt = text.replacen(case.size.0, &case.size.1.replace("{}", size), 1);
            match case.import(spoilt) {
                Ok(imported) => {
                    let flop = frame::reals(&imported.frame, col::useful_flop).expect("reals");
                    assert!(flop.iter().flatten().all(|flop| flop.is_finite() && *flop > 0.0), "{} {size}", case.file);
                    // Whether the format is a table or a document: a size that cannot be is no measured product.
                    for row in rows(&imported).iter().filter(|row| row.text(col::status) == Some("ok")) {
                        for axis in ["problem.m", "problem.n", "problem.k"].iter().filter(|axis| row.0.contains_key(**axis)) {
                            let sound = row.real(axis).is_some_and(|size| (0.0..=2f64.powi(40)).contains(&size));
                            // As text, where another row of the column is no number.
                            let sound = sound || row.text(axis).is_some_and(|text| text.parse::<u32>().is_ok());
                            assert!(sound, "{} {size}: {axis} of {:?}", case.file, row.text(col::problem));
                        }
                    }
                }
                Err(error) => assert!(error.to_string().starts_with("file `"), "{error}"),
            }
        }
    }
}

#[test]
fn tables_with_repeated_or_too_many_cells_are_refused_by_line() {
    for case in CASES.iter().filter(|case| !case.is_json()) {
        let text = case.text();
        let first = text.split(',').next().expect("a header").to_owned();
        let twice = text.replacen('\n', &format!(",{first}\n"), 1);
        case.refused(case.file, twice.as_bytes(), "a repeated header");
        let mut lines: Vec<&str> = text.lines().collect();
        let long = format!("{},7", lines[1]);
        lines[1] = &long;
        let error = case.refused(case.file, lines.join("\n").as_bytes(), "a cell too many");
        assert!(error.to_string().contains("line `2` has"), "{error}");
        let short = "7";
        lines[1] = short;
        case.refused(case.file, lines.join("\n").as_bytes(), "a row too short that is not the last");
    }
}

#[test]
fn a_line_of_ten_megabytes_is_bounded() {
    let long = "a".repeat(10 << 20);
    for case in &CASES {
        let text = case.text();
        if case.is_json() {
            let spoilt = text.replacen('{', &format!("{{\"note\": \"{long}\","), 1);
            let imported = case.import(&spoilt).unwrap_or_else(|error| panic!("{}: {error}", case.file));
            assert_eq!(imported.frame.height(), case.good().len(), "{}", case.file);
            continue;
        }
        for (what, spoilt) in [
            ("a cell", text.replacen('\n', &format!("\n{long}"), 1)),
            ("a header", text.replacen(',', &format!("{long},"), 1)),
            ("an open quote", text.replacen('\n', &format!("\n\"{}", "b,\n".repeat(3 << 20)), 1)),
        ] {
            let error = case.refused(case.file, spoilt.as_bytes(), what);
            assert!(matches!(error, ImportError::LongRecord { .. }), "{} {what}: {error}", case.file);
        }
    }
}

#[test]
fn bombs_and_damaged_archives_are_refused_within_their_limit() {
    let zeros = vec![b' '; 24 << 20];
    let (gz, zip) = (packed(&zeros), [zipped("a.json", &zeros), zipped("a.csv", &zeros)]);
    for case in &CASES {
        let zip = &zip[usize::from(!case.is_json())];
        for (name, bomb) in [("bomb.gz", &gz), ("bomb.zip", zip)] {
            let error = case.refused(name, bomb, name);
            let bounded = matches!(error, ImportError::TooLarge { .. } | ImportError::LongRecord { .. });
            // A blank archive is no more JSON than CSV: nvbench, which may be either, finds no file of its own in it.
            let unnamed = case.format == Format::Nvbench && matches!(error, ImportError::BadZip { .. });
            assert!(bounded || unnamed, "{} {name}: {error}", case.file);
        }
        case.refused("a.gz", &gz[..gz.len() / 2], "a cut gzip");
        case.refused("a.zip", &zip[..zip.len() / 2], "a cut zip");
        case.refused("a.gz", b"plain", "named gz");
        case.refused("a.zip", b"plain", "named zip");
        case.refused("a.zip", &zipped("other.bin", b"x"), "a zip of something else");
        let extension = if case.is_json() { "json" } else { "csv" };
        let (good, text) = (case.good().len(), case.text());
        let name = format!("in/{}.{extension}", "x");
        assert_eq!(
            case.import_as("a.zip", &zipped(&name, text.as_bytes())).expect("a zip").frame.height(),
            good,
            "{}",
            case.file
        );
        assert_eq!(case.import_as("a.gz", &packed(text.as_bytes())).expect("a gzip").frame.height(), good, "{}", case.file);
    }
}

/// A table as Parquet, each column of the type given, through the mapping of [`CASES`]' last.
fn parquet(columns: Vec<Column>) -> Result<Imported, ImportError> {
    let mut frame = DataFrame::new(columns[0].len(), columns).expect("a frame");
    let mut bytes = Vec::new();
    ParquetWriter::new(&mut bytes).finish(&mut frame).expect("written");
    let options = Options { mapping: Mapping::ready("gpperf-tiled-time"), ..Options::default() };
    import_bytes(Format::Table, Path::new("t.parquet"), &bytes, &options)
}

/// Columns `M`, `N`, `K`, `Tile Size` and a column of times.
fn tiled(times: Column) -> Vec<Column> {
    let sizes = ["M", "N", "K", "Tile Size"].map(|name| Column::new(name.into(), vec![512i32; times.len()]));
    sizes.into_iter().chain([times.with_name("Execution Time".into())]).collect()
}

#[test]
fn parquet_tables_are_judged_as_csv_is() {
    let times = [6.5, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, -1.0, 0.0, 1e300];
    let good = parquet(tiled(Column::new("t".into(), times))).expect("a table");
    let found = rows(&good);
    assert_eq!((found.len(), found[0].text(col::status), found[0].real(col::time_s)), (7, Some("ok"), Some(6.5 * 1e-3)));
    for row in &found[1..] {
        assert_eq!((row.text(col::status), row.real(col::time_s)), (Some("runtime_error"), None), "{row:?}");
        assert!(row.text(col::reason).is_some_and(|reason| reason.starts_with("time ")), "{row:?}");
    }
    // Of another kind than numbers: words, flags, lists.
    let lists = Column::new("t".into(), [Series::new("".into(), [1.0, 2.0]), Series::new("".into(), [3.0])]);
    for (times, status) in [
        (Column::new("t".into(), ["6.5", "fast"]), ["ok", "runtime_error"]),
        (Column::new("t".into(), [Some("6.5"), None]), ["ok", "not_run"]),
        (Column::new("t".into(), [true, false]), ["ok", "runtime_error"]),
        (lists, ["runtime_error"; 2]),
    ] {
        let kind = times.dtype().clone();
        let imported = parquet(tiled(times)).unwrap_or_else(|error| panic!("{kind}: {error}"));
        let found: Vec<String> = rows(&imported).iter().map(|row| row.text(col::status).expect("status").to_owned()).collect();
        assert_eq!(found, status, "{kind}");
    }
    let short: Vec<Column> = tiled(Column::new("t".into(), [1.0])).split_off(1);
    let error = parquet(short).expect_err("a column is missing");
    assert!(error.to_string().contains("there is no column `M`; the header has `N`"), "{error}");
    let none = parquet(tiled(Column::new("t".into(), Vec::<f64>::new()))).expect_err("no rows");
    assert!(none.to_string().ends_with("the table has no rows"), "{none}");
}

#[test]
fn parquet_files_that_ended_the_program_are_refused() {
    // Found by fuzzing: the decoder asked for 2^61 bytes for a page of less than no values, and for 61 GB for a footer's list; a column had other rows
    // than its group.
    let options = Options { mapping: Mapping::ready("aiconfigurator"), ..Options::default() };
    for (name, why) in [
        // Its footer is spoilt too, which is seen first; the page by itself is a case of `claims`.
        ("values_below_zero", "footer: has a field of another type than its number is of: `8`"),
        ("column_of_another_length", "has 0 of 2 rows"),
        ("list_of_2_to_the_28", "footer: has a field of another type than its number is of: `5`"),
    ] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(format!("fuzz/corpus/table_parquet/{name}.parquet"));
        let bytes = std::fs::read(&path).expect("a small table");
        let error = import_bytes(Format::Table, &path, &bytes, &options).expect_err("refused");
        // Of the second Polars itself makes sure in debug builds.
        let said = error.to_string();
        assert!(said.contains(why) || said.ends_with("is damaged inside"), "{name}: {error}");
    }
}

#[test]
fn damaged_parquet_is_an_error() {
    let options = Options { mapping: Mapping::ready("aiconfigurator"), ..Options::default() };
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus/table_parquet/two.parquet");
    let good = std::fs::read(path).expect("a small table");
    let import = |bytes: &[u8]| import_bytes(Format::Table, Path::new("t.parquet"), bytes, &options);
    assert_eq!(import(&good).expect("a table").frame.height(), 2);
    for cut in (4..good.len()).step_by(97) {
        let error = import(&good[..cut]).expect_err("cut");
        assert!(error.to_string().starts_with("file `t.parquet`: "), "{error}");
    }
    for at in (4..good.len() - 8).step_by(31) {
        let mut spoilt = good.clone();
        spoilt[at] ^= 0x55;
        // Damage to a name or a number is another table; what must not be is a panic.
        let _ = import(&spoilt);
    }
}
