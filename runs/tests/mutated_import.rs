//! Every importer on thousands of spoilt copies of its fixture: what a fuzzer does, without its instrumentation, in every test run. The
//! fuzz targets in `runs/fuzz/` go further with the same promises.

use std::path::Path;

use tilecast_runs::frame::{reals, texts};
use tilecast_runs::import::{Format, Imported, Limits, Mapping, Options, import_bytes};
use tilecast_runs::schema::col;

/// Spoilt copies per fixture.
const COPIES: u64 = 150;

const FIXTURES: [(Format, &str, Option<&str>); 15] = [
    (Format::KernelTuner, "gemm_rtx_2080_ti.json", None),
    (Format::T4, "t4.json", None),
    (Format::Cutlass, "cutlass.gemm.csv", None),
    (Format::Nvbench, "nvbench.json", None),
    (Format::Nvbench, "nvbench.csv", None),
    (Format::Ktt, "ktt.json", None),
    (Format::Clblast, "clblast.json", None),
    (Format::Triton, "matmul_kernel.autotune.json", None),
    (Format::GoogleBenchmark, "google_benchmark.json", None),
    (Format::Hyperfine, "hyperfine.json", None),
    (Format::Gpperf, "gpperf.csv", None),
    (Format::Gpperf, "tiled_times.csv", None),
    (Format::Gpperf, "tiled_powers.csv", None),
    (Format::UciSgemm, "sgemm_product.csv", None),
    (Format::Table, "tiled_times.csv", Some("gpperf-tiled-time")),
];

/// Numbers, words and marks that readers stumble over.
const PIECES: [&str; 24] = [
    "NaN",
    "Infinity",
    "-1",
    "0",
    "1e308",
    "-1e-320",
    "9223372036854775808",
    "null",
    "true",
    "\"\"",
    "{}",
    "[]",
    "[[",
    "{\"a\":",
    ",",
    ",,",
    "\n",
    "\"",
    "\\",
    "\u{feff}",
    "\u{0}",
    "é",
    "\\ud800",
    "99999999999999999999999999999999",
];

/// A small generator (Knuth's constants): the same copies in every run.
struct Chance(u64);

impl Chance {
    fn below(&mut self, bound: usize) -> usize {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from((self.0 >> 33) % bound.max(1) as u64).expect("below a usize")
    }
}

/// One to four changes: a byte, a piece put in, a stretch taken out, doubled or moved, a number replaced, the end cut off.
fn spoil(good: &[u8], chance: &mut Chance) -> Vec<u8> {
    let mut bytes = good.to_vec();
    for _ in 0..=chance.below(4) {
        let at = chance.below(bytes.len());
        let end = (at + 1 + chance.below(40)).min(bytes.len());
        match chance.below(7) {
            0 if !bytes.is_empty() => bytes[at] = u8::try_from(chance.below(256)).expect("a byte"),
            1 => drop(bytes.splice(at..at, PIECES[chance.below(PIECES.len())].bytes())),
            2 => drop(bytes.splice(at..end, [])),
            3 => drop(bytes.splice(end..end, bytes[at..end].to_vec())),
            4 => {
                let digits = bytes.iter().enumerate().skip(at).find(|(_, byte)| byte.is_ascii_digit()).map(|(at, _)| at);
                let Some(from) = digits else { continue };
                let to = bytes[from..].iter().position(|byte| !byte.is_ascii_digit()).map_or(bytes.len(), |length| from + length);
                drop(bytes.splice(from..to, PIECES[chance.below(PIECES.len())].bytes()));
            }
            5 => {
                let piece: Vec<u8> = bytes.splice(at..end, []).collect();
                let to = chance.below(bytes.len());
                drop(bytes.splice(to..to, piece));
            }
            _ if chance.below(8) == 0 => bytes.truncate(at),
            _ => {}
        }
    }
    bytes
}

/// Rows that say how they ended, and times that can be times.
fn check(imported: &Imported, what: &str) {
    assert!(imported.frame.height() > 0, "{what}: an import without rows is an error");
    let column = |name: &str| texts(&imported.frame, name).expect("a text column of the schema");
    let (status, reason) = (column(col::status), column(col::reason));
    let times = reals(&imported.frame, col::time_s).expect("a real column of the schema");
    for row in 0..imported.frame.height() {
        let ok = status[row].as_deref().expect("every row has a status") == "ok";
        assert!(ok || reason[row].is_some(), "{what}: a failed row has a reason");
        assert!(ok || times[row].is_none(), "{what}: a failed row has no time");
        assert!(times[row].is_none_or(|time| time.is_finite() && time > 0.0), "{what}: a time is positive");
    }
    for extra in column(col::extra).into_iter().flatten() {
        serde_json::from_str::<serde_json::Value>(&extra)
            .unwrap_or_else(|error| panic!("{what}: extra is JSON: {error}\n{extra}"));
    }
}

#[test]
fn spoilt_files_are_errors_or_rows_that_keep_the_promises() {
    let limits = Limits { max_bytes: 16 << 20, max_ratio: 200, max_document_bytes: 16 << 20 };
    for (at, (format, name, mapping)) in FIXTURES.into_iter().enumerate() {
        let good = std::fs::read(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)).expect("a fixture");
        let options = Options { limits, mapping: mapping.and_then(Mapping::ready), ..Options::default() };
        let mut whole = 0;
        for copy in 0..COPIES {
            let bytes = spoil(&good, &mut Chance((at as u64) << 32 | copy));
            let what = format!("{name}, copy {copy}");
            match import_bytes(format, Path::new(name), &bytes, &options) {
                Ok(imported) => {
                    check(&imported, &what);
                    whole += 1;
                }
                Err(error) => assert!(error.to_string().starts_with("file `"), "{what}: {error}"),
            }
        }
        assert!(whole > 0, "{name}: some copies are spoilt in places that do not matter");
    }
}
