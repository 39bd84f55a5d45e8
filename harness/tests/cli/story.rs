//! The main job, as a story: sweep, fit, evaluate, recommend, report.

use crate::workdir::{SMALL, Workdir};

#[test]
fn the_demo_leaves_a_page_a_store_and_a_model_and_scores_what_it_held_out() {
    let dir = Workdir::new();
    let said = dir.run_to(0, &["demo", "--quick", "-o", "tc-demo"]);
    for word in ["1. sweep", "2. fit", "3. evaluate   on shapes held out whole", "4. recommend", "5. re-measure", "6. report"] {
        assert!(said.out.contains(word), "{}", said.out);
    }
    let page = std::fs::read_to_string(dir.path("tc-demo/report.html")).expect("the page");
    for attribute in ["src=\"http", "href=\"http", "url(http"] {
        assert!(!page.contains(attribute), "the page fetches something: {attribute}");
    }
    assert!(page.contains("<svg") && page.contains("gemm_regblock"));
    assert!(std::fs::metadata(dir.path("tc-demo/time.model")).expect("the model").len() > 1000);
    let rows = dir.rows("tc-demo/store");
    let of_shape = |row: &&serde_json::Value| row["problem.m"] == 56;
    assert!(rows.iter().filter(of_shape).count() >= 2, "the recommended and the default configuration were measured");
    assert!(rows.iter().all(|row| row["source"] == "cpu"));

    let again = dir.run_to(0, &["demo", "--quick", "-o", "tc-demo"]);
    assert!(again.out.contains("measured and verified before"), "{}", again.out);
    let of_models = |line: &&str| line.starts_with("2. fit") || line.contains("median error");
    let learned: Vec<&str> = said.out.lines().filter(of_models).collect();
    assert!(learned.len() == 4 && learned.iter().all(|line| again.out.contains(line)), "{}\n{}", said.out, again.out);
    let rows = learned[0].split_whitespace().nth(5).expect("a forest on so many rows");
    let after = std::fs::read_to_string(dir.path("tc-demo/report.html")).expect("the page");
    assert!(scores(&page).contains(&format!(">{rows}<")), "{rows}: {}", scores(&page));
    assert_eq!(scores(&page), scores(&after), "what was measured to judge the recommendation is learned from");
}

/// The page's table of scores.
fn scores(page: &str) -> &str {
    let table = page.split("id=\"scores\"").nth(1).expect("a table of scores");
    table.split("</table>").next().unwrap_or_default()
}

#[test]
fn a_model_of_a_store_predicts_ranks_and_is_told_from_other_files() {
    let dir = Workdir::new();
    dir.run_to(0, &["demo", "--quick", "-o", "d"]);
    let scores =
        dir.json(0, &["evaluate", "d/store", "--split", "shape", "--preset", "default", "--preset", "roofline", "--json"]);
    let scores = scores.as_array().expect("a list");
    assert_eq!(scores.len(), 2);
    for score in scores {
        for key in ["target", "split", "preset", "n_train", "n_test", "mape", "mdape", "r2", "r2_log", "tau", "top1", "top5"] {
            assert!(score.get(key).is_some(), "{key} is missing: {score}");
        }
        assert!(score["mape"].as_f64().is_some_and(|mape| mape > 0.0));
    }
    let fitted = dir.json(0, &["fit", "d/store", "-o", "m.model", "--json"]);
    assert!(fitted["rows"].as_u64() > Some(10));
    let ranking = ["recommend", "m.model", "--family", "gemm_regblock", "--problem", "m=40,n=40,k=40", "--json"];
    let ranking = dir.json(0, &ranking);
    let predicted: Vec<f64> =
        ranking["ranked"].as_array().expect("ranked").iter().map(|r| r["predicted_s"].as_f64().expect("s")).collect();
    assert!(predicted.len() == 5 && predicted.windows(2).all(|pair| pair[0] <= pair[1]), "{predicted:?}");
    let default = &ranking["default"];
    assert!(default["is_default"] == true && default["predicted_s"].as_f64() > Some(0.0), "{default}");

    dir.file("small.toml", SMALL);
    let points = dir.json(0, &["predict", "m.model", "small.toml", "--json"]);
    assert_eq!(points.as_array().expect("points").len(), 4);

    let bytes = std::fs::read(dir.path("m.model")).expect("the model");
    dir.file("cut.model", &bytes[..bytes.len() / 2]);
    let mut flipped = bytes.clone();
    let middle = flipped.len() / 2;
    flipped[middle] ^= 0xff;
    dir.file("flipped.model", flipped);
    dir.file("foreign.model", "PK\u{3}\u{4} something else");
    for file in ["cut.model", "flipped.model", "foreign.model"] {
        let said = dir.run_to(2, &["recommend", file, "--family", "gemm_regblock", "--problem", "m=40,n=40,k=40"]);
        assert!(said.err.contains(file) && said.err.contains("hint: "), "{file}: {}", said.err);
    }
}

/// Sixteen imported rows of one family on a board that is not here.
fn imported_model(dir: &Workdir) {
    let rows = (0..16).map(|i| format!("{0},{0},{0},{1},{2}\n", 64 << (i / 4), 4 << (i % 4), 1 + i));
    dir.file("times.csv", format!("m,n,k,tile,us\n{}", rows.collect::<String>()));
    let columns = ["m", "n", "k"].map(|axis| format!("\"problem.{axis}\" = \"{axis}\"\n")).concat();
    let times = "\"knob.tile\" = \"tile\"\ntime_s = { from = \"us\", unit = \"us\" }\n";
    let head = "name = \"mine\"\nabout = \"a table\"\nfamily = \"gemm_tiled\"\n[constants]\ndtype = \"f32\"\n[columns]\n";
    dir.file("mine.toml", format!("{head}{columns}{times}"));
    dir.run_to(0, &["import", "table", "times.csv", "--mapping", "mine.toml", "--device", "NVIDIA L4", "-o", "store"]);
    dir.run_to(0, &["fit", "store", "-o", "l4.model"]);
}

#[test]
fn a_model_says_nothing_of_a_family_it_never_saw_and_warns_of_a_device_it_never_saw() {
    let dir = Workdir::new();
    imported_model(&dir);
    dir.file("small.toml", SMALL);
    let monarch = SMALL.replace("gemm_tiled", "monarch").replace("knobs = { tile = [4, 8, 16, 64] }", "limit = 6");
    dir.file("monarch.toml", monarch.replace("m = 48, n = 40, k = 33", "n_in = 64, n_out = 64, batch = 16"));
    let monarch = &["recommend", "l4.model", "--family", "monarch", "--problem", "n_in=256,batch=64"];
    for arguments in [&monarch[..], &["predict", "l4.model", "monarch.toml"]] {
        let said = dir.run_to(2, arguments);
        for word in ["`l4.model`", "`gemm_tiled`", "`monarch`", "hint: "] {
            assert!(said.err.contains(word), "{arguments:?} should say `{word}`: {}", said.err);
        }
    }
    let tiled = ["recommend", "l4.model", "--family", "gemm_tiled", "--problem", "m=64,n=64,k=64", "--json"];
    for arguments in [&tiled[..], &["predict", "l4.model", "small.toml", "--json"]] {
        let said = dir.run_to(0, arguments);
        assert!(said.err.contains("warning: ") && said.err.contains("was fitted on the devices"), "{arguments:?}: {}", said.err);
        let answer: serde_json::Value = serde_json::from_str(&said.out).expect("JSON");
        let answer = answer.get(0).unwrap_or(&answer);
        assert_eq!(answer["device_seen"], false, "{answer}");
    }
    dir.run_to(0, &["sweep", "small.toml", "-o", "store", "-q"]);
    dir.run_to(0, &["fit", "store", "-o", "both.model"]);
    let said = dir.run_to(0, &["predict", "both.model", "small.toml", "--json"]);
    assert!(!said.err.contains("warning: ") && said.out.contains("\"device_seen\": true"), "{}", said.err);

    dir.run_to(0, &["sweep", "monarch.toml", "-o", "structured", "-q"]);
    dir.run_to(0, &["fit", "structured", "-o", "structured.model"]);
    let points = dir.json(0, &["predict", "structured.model", "monarch.toml", "--json"]);
    let points = points.as_array().expect("points");
    let rivals = points.iter().filter(|point| !point["problem"].as_str().is_some_and(|problem| problem.starts_with("monarch")));
    assert_eq!((points.len(), rivals.count()), (6, 0), "dense rivals are no points of the model's family");
}

#[test]
fn an_evaluation_without_a_single_score_is_an_error() {
    let dir = Workdir::new();
    dir.file("small.toml", SMALL.replace("m = 48", "m = [40, 48]"));
    dir.run_to(0, &["sweep", "small.toml", "-o", "store", "-q"]);
    let said = dir.run_to(2, &["evaluate", "store", "--folds", "0"]);
    assert!(
        said.err.contains("no split can be scored: number of folds is 0, must be") && said.err.contains("hint: "),
        "{}",
        said.err
    );
}

#[test]
fn energy_cannot_be_evaluated_where_none_was_measured_and_the_reason_is_given() {
    let dir = Workdir::new();
    dir.file("small.toml", SMALL);
    dir.run_to(0, &["sweep", "small.toml", "-o", "store", "-q"]);
    if dir.rows("store").iter().any(|row| row["energy_source"] == "rapl") {
        eprintln!("skipped: this machine measures energy");
        return;
    }
    let said = dir.run_to(2, &["evaluate", "store", "--target", "energy", "--split", "rows"]);
    assert!(said.err.contains("energy") && said.err.contains("RAPL"), "{}", said.err);
}

/// The published Kernel Tuner space of the RTX 2080 Ti: 17,956 configurations, and the error the default preset must reach there.
#[test]
fn an_imported_space_is_predicted_as_well_as_the_literature_says_it_can_be() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/kernel_tuner/kt2023__gemm__RTX_2080_Ti.json.gz");
    if !std::path::Path::new(file).exists() {
        eprintln!("skipped: {file} is not there");
        return;
    }
    let dir = Workdir::new();
    dir.run_to(0, &["import", "kernel-tuner", file, "-o", "kt"]);
    let arguments = ["evaluate", "kt", "--split", "rows", "--preset", "default", "--preset", "gpperf", "--json"];
    let scores = dir.json(0, &arguments);
    let mape = |i: usize| scores[i]["mape"].as_f64().expect("a score");
    assert_eq!(scores[0]["n_train"].as_u64().expect("rows") + scores[0]["n_test"].as_u64().expect("rows"), 17_956);
    assert!(mape(0) <= 0.018, "default: {}", mape(0));
    assert!((0.19..0.25).contains(&mape(1)), "gpperf: {}", mape(1));
}
