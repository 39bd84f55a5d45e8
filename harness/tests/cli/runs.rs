//! `tilecast runs`: questions, compaction, merging.

use tilecast_runs::frame;
use tilecast_runs::row::Row;
use tilecast_runs::store::Store;

use crate::planted;
use crate::workdir::Workdir;

/// Four runs of twelve rows in store `a`; two of them in `b` as well.
fn stores() -> Workdir {
    let dir = Workdir::new();
    let rows = planted::clean();
    for (run, rows) in rows.chunks(12).take(4).enumerate() {
        let named = |row: &Row| {
            let mut row = row.clone();
            row.set("run_id", format!("r{run}"));
            row
        };
        let frame = frame::from_rows(&rows.iter().map(named).collect::<Vec<_>>()).expect("rows fit");
        for (name, wanted) in [("a", true), ("b", run > 1)] {
            let store = Store::create(dir.path(name)).expect("a store");
            if wanted {
                store.write(&frame, &format!("r{run}")).expect("written");
            }
        }
    }
    dir
}

#[test]
fn rows_are_filtered_chosen_sorted_and_cut() {
    let dir = stores();
    let question = [
        "runs",
        "a",
        "--where",
        "tile_m = 32 and stages in (3)",
        "--select",
        "tile_n,swizzle,time_s",
        "--sort",
        "-tile_n,swizzle",
        "--limit",
        "3",
    ];
    let csv = dir.run_to(0, &[&question[..], &["--csv"]].concat()).out;
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!((lines.len(), lines[0]), (4, "knob.tile_n,knob.swizzle,time_s"));
    assert!(lines[1].starts_with("128,1,") && lines[2].starts_with("128,2,") && lines[3].starts_with("64,1,"), "{csv}");
    let json = dir.json(0, &[&question[..], &["--json"]].concat());
    assert_eq!((json[0]["knob.tile_n"].as_i64(), json.as_array().expect("a list").len()), (Some(128), 3));
    let exact: f64 = lines[1].rsplit(',').next().expect("a time").parse().expect("a number");
    assert_eq!(json[0]["time_s"].as_f64(), Some(exact), "CSV and JSON are exact");
    let table = dir.run_to(0, &["runs", "a", "--where", "time_s > 0"]);
    assert!(table.out.contains("problem") && table.err.contains("20 of 48 rows"), "{}{}", table.out, table.err);
    let lines = dir.run_to(0, &["runs", "a", "--rows", "--where", "run_id = 'r1'"]).out;
    assert_eq!(lines.lines().count(), 12);
}

#[test]
fn groups_are_summed_up_and_columns_described() {
    let dir = stores();
    let groups = dir.json(0, &["runs", "a", "--group", "tile_m,stages", "--agg", "count,median,p90(power_w)", "--json"]);
    let groups = groups.as_array().expect("groups");
    assert_eq!(groups.len(), 8);
    assert_eq!((groups[0]["knob.tile_m"].as_i64(), groups[0]["count"].as_i64()), (Some(32), Some(6)));
    assert!(groups[0]["median(time_s)"].as_f64() > Some(0.0) && groups[0]["p90(power_w)"].as_f64() > Some(100.0));
    let all = dir.json(0, &["runs", "a", "--agg", "count,max(tile_n)", "--json"]);
    assert_eq!((all[0]["count"].as_i64(), all[0]["max(knob.tile_n)"].as_f64()), (Some(48), Some(128.0)));
    let schema = dir.json(0, &["runs", "a", "--schema", "--json"]);
    let of =
        |name: &str| schema.as_array().expect("columns").iter().find(|column| column["name"] == name).expect("there").clone();
    assert_eq!((of("knob.tile_m")["kind"].as_str(), of("knob.tile_m")["distinct"].as_u64()), (Some("integer"), Some(4)));
    assert!(dir.run_to(0, &["runs", "a", "--schema"]).out.contains("Headline time"));
    let summary = dir.json(0, &["runs", "a", "b", "--json"]);
    assert_eq!((summary["rows"].as_u64(), summary["by_device"]["rtx-4070"].as_u64()), (Some(72), Some(72)));
    assert_eq!(summary["runs"].as_array().expect("runs").len(), 4);
}

#[test]
fn stores_are_merged_and_compacted_and_say_so() {
    let dir = stores();
    let merged = dir.json(0, &["runs", "b", "a", "--merge-into", "c", "--json"]);
    assert_eq!((merged[0]["merged"]["added"].as_u64(), merged[1]["merged"]["added"].as_u64()), (Some(24), Some(24)));
    assert_eq!(merged[1]["merged"]["duplicates"].as_u64(), Some(24));
    let before = dir.rows("c");
    assert_eq!(before.len(), 48);
    let said = dir.run_to(0, &["runs", "c", "--compact"]);
    assert!(said.out.contains("4 files are now 1"), "{}", said.out);
    let mut after = dir.rows("c");
    let key = |row: &serde_json::Value| (row["run_id"].to_string(), row["experiment_id"].to_string());
    after.sort_by_key(key);
    let mut sorted = before;
    sorted.sort_by_key(key);
    assert_eq!(after, sorted);
}

#[test]
fn a_wrong_question_says_what_is_known() {
    let dir = stores();
    for (arguments, words) in [
        (&["--where", "tiel_m = 32"][..], &["column `tiel_m`", "did you mean `knob.tile_m`?"][..]),
        (&["--where", "time_s <"], &["expected a column or a value", "hint: "]),
        (&["--where", "time_s = 'fast'"], &["`time_s` holds numbers", "hint: "]),
        (&["--select", "speed"], &["column `speed`", "hint: "]),
        (&["--sort", "-speed"], &["column `speed`"]),
        (&["--group", "tile_m", "--agg", "average"], &["unknown aggregate `average`", "median"]),
        (&["--compact", "--csv"], &["--compact", "--csv"]),
        (&["--json", "--csv"], &["--json", "--csv"]),
    ] {
        let said = dir.run_to(2, &[&["runs", "a"][..], arguments].concat());
        for word in words {
            assert!(said.err.contains(word), "{arguments:?} should say `{word}`:\n{}", said.err);
        }
    }
}
