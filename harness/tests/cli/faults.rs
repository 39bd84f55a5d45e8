//! A worker that crashes, hangs or computes wrongly costs one row, with the reason.

use crate::workdir::{SMALL, Workdir};

fn sweep_with(fault: &str, spec: &str) -> Vec<serde_json::Value> {
    let dir = Workdir::new();
    dir.file("small.toml", spec);
    dir.run_to(1, &["sweep", "small.toml", "-o", "store", "-q", "--fault", fault]);
    dir.rows("store")
}

#[test]
fn a_planted_fault_costs_one_row_and_says_why() {
    for (fault, timeout, status, reason) in [
        ("crash@tile=8", "20", "runtime_error", "SIGSEGV"),
        ("hang@tile=8", "1", "timeout", "no answer within `1` s"),
        ("wrong@tile=8", "20", "incorrect", "element (0, 0) is `NaN`"),
    ] {
        let rows = sweep_with(fault, &SMALL.replace("timeout_s = 20", &format!("timeout_s = {timeout}")));
        assert_eq!(rows.len(), 4, "{fault}: every point has a row");
        for row in &rows {
            let hit = row["config"] == "tile=8";
            assert_eq!(row["status"], if hit { status } else { "ok" }, "{fault}: {row}");
            if hit {
                assert!(row["reason"].as_str().is_some_and(|text| text.contains(reason)), "{fault}: {row}");
            } else {
                assert!(row["time_s"].as_f64().is_some_and(|time| time > 0.0), "{fault}: {row}");
            }
        }
    }
}
