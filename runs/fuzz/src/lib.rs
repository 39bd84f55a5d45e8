//! What all fuzz targets do: import bytes, and hold what comes out against what every import promises.

use std::path::Path;
use std::sync::Once;

use tilecast_runs::frame::{reals, texts};
use tilecast_runs::import::{Format, Imported, Limits, Mapping, Options, import_bytes};
use tilecast_runs::schema::col;

/// Small enough for a fuzzer's memory limit.
const LIMITS: Limits = Limits { max_bytes: 16 << 20, max_ratio: 200, max_document_bytes: 16 << 20 };

/// Imports `bytes` as a file called `name`.
pub fn import(format: Format, name: &str, bytes: &[u8]) {
    checked(format, name, bytes, None);
}

/// Imports `bytes` as a table through the ready mapping `mapping`. Panics inside the Parquet reader are caught and become errors; the
/// fuzzer's hook would end the process before that.
pub fn import_table(mapping: &str, name: &str, bytes: &[u8]) {
    static QUIET: Once = Once::new();
    QUIET.call_once(|| std::panic::set_hook(Box::new(|_| {})));
    checked(Format::Table, name, bytes, Mapping::ready(mapping));
}

fn checked(format: Format, name: &str, bytes: &[u8], mapping: Option<Mapping>) {
    let options = Options { limits: LIMITS, mapping, ..Options::default() };
    match import_bytes(format, Path::new(name), bytes, &options) {
        Ok(imported) => check(&imported),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
}

/// Rows that say how they ended, and times that can be times.
fn check(imported: &Imported) {
    assert!(imported.frame.height() > 0, "an import without rows is an error");
    let column = |name: &str| texts(&imported.frame, name).expect("a text column of the schema");
    let (status, reason) = (column(col::status), column(col::reason));
    let times = reals(&imported.frame, col::time_s).expect("a real column of the schema");
    for row in 0..imported.frame.height() {
        let ok = status[row].as_deref().expect("every row has a status") == "ok";
        assert!(ok || reason[row].is_some(), "a failed row has a reason");
        assert!(ok || times[row].is_none(), "a failed row has no time");
        assert!(times[row].is_none_or(|time| time.is_finite() && time > 0.0), "a time is positive");
    }
}
