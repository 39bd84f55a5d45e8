//! `tilecast audit` on a clean store, on planted faults, and its gate.

use std::collections::BTreeSet;

use serde_json::Value;
use tilecast_runs::frame;
use tilecast_runs::row::Row;
use tilecast_runs::store::Store;

use crate::planted;
use crate::workdir::Workdir;

fn store(dir: &Workdir, rows: &[Row]) {
    let store = Store::create(dir.path("store")).expect("a store");
    store.write(&frame::from_rows(rows).expect("rows fit"), "run-1").expect("written");
}

fn with_fault(id: &str) -> Workdir {
    let fault = planted::faults().into_iter().chain([planted::gap()]).find(|fault| fault.id == id).expect(id);
    let (dir, mut rows) = (Workdir::new(), planted::clean());
    (fault.plant)(&mut rows);
    store(&dir, &rows);
    dir
}

fn ids(said: &Value) -> BTreeSet<&str> {
    said["findings"].as_array().expect("findings").iter().map(|finding| finding["id"].as_str().expect("an id")).collect()
}

#[test]
fn a_clean_store_passes_every_gate() {
    let dir = Workdir::new();
    store(&dir, &planted::clean());
    let said = dir.json(0, &["audit", "store", "--json", "--fail-on", "info"]);
    assert_eq!(said, serde_json::json!({ "rows": 1152, "by_severity": { "error": 0, "info": 0, "warning": 0 }, "findings": [] }));
    assert!(dir.run_to(0, &["audit", "store"]).out.contains("1152 rows, 0 findings"));
}

#[test]
fn the_exit_code_is_one_from_the_chosen_severity() {
    for (id, codes) in [("power-at-idle", [1, 1, 1]), ("missing-target", [1, 1, 0]), ("constant-column", [1, 0, 0])] {
        let dir = with_fault(id);
        for (gate, code) in ["info", "warning", "error"].into_iter().zip(codes) {
            let said = dir.json(code, &["audit", "store", "--no-model", "--json", "--fail-on", gate]);
            assert_eq!(ids(&said), BTreeSet::from([id]), "{gate}");
        }
    }
}

#[test]
fn the_finding_that_needs_a_model_is_joined_and_can_be_left_out() {
    let dir = with_fault("random-split-gap");
    let said = dir.json(1, &["audit", "store", "--json"]);
    assert_eq!(ids(&said), BTreeSet::from(["random-split-gap"]), "{said}");
    let finding = &said["findings"][0];
    let keys: Vec<&str> = finding.as_object().expect("an object").keys().map(String::as_str).collect();
    let agreed = ["id", "severity", "subject", "count", "of", "share", "detail", "examples", "means", "advice"];
    assert_eq!(keys, agreed);
    for key in ["run_id", "experiment_id", "config", "shows"] {
        assert!(finding["examples"][0][key].as_str().is_some_and(|text| !text.is_empty()), "{key}: {finding}");
    }
    assert_eq!(ids(&dir.json(0, &["audit", "store", "--json", "--no-model"])), BTreeSet::new());
}

#[test]
fn a_condition_chooses_the_rows_and_the_text_says_what_to_do() {
    let dir = with_fault("power-at-idle");
    let said = dir.run_to(1, &["audit", "store", "--no-model"]);
    for words in
        ["error power-at-idle power_w: 39 of 1152", "power_w = 29.0 at utilisation 0", "means: ", "do: drop power", "run run-1"]
    {
        assert!(said.out.contains(words), "`{words}` is missing:\n{}", said.out);
    }
    dir.run_to(0, &["audit", "store", "--no-model", "--where", "utilisation > 0.5"]);
    let wrong = dir.run_to(2, &["audit", "store", "--where", "utilization > 0.5"]);
    assert!(wrong.err.contains("column `utilization`") && wrong.err.contains("did you mean `utilisation`?"), "{}", wrong.err);
    assert!(dir.run_to(2, &["audit", "store", "--fail-on", "grave"]).err.contains("grave"));
}
