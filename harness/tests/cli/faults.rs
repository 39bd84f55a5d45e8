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

#[test]
fn a_crash_late_in_a_round_is_booked_on_the_point_that_crashed() {
    let tiles: Vec<String> = (2..22).map(|tile: u32| tile.to_string()).collect();
    let spec = SMALL.replace("tile = [4, 8, 16, 64]", &format!("tile = [{}]", tiles.join(", ")));
    let rows = sweep_with("late@tile=17", &spec);
    assert_eq!(rows.len(), tiles.len());
    for row in &rows {
        let hit = row["config"] == "tile=17";
        assert_eq!(row["status"], if hit { "runtime_error" } else { "ok" }, "{row}");
        assert_eq!(row["time_samples_s"].is_null(), hit, "{row}");
    }
}
