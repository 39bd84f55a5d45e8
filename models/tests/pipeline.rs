//! From generated frames of a GEMM-like sweep to predictors, scores, rankings and bytes.

use polars::prelude::*;
use tilecast_models::{
    ArtifactError, Dataset, EvaluateOptions, FitOptions, ModelError, Predictor, Preset, Split, Target, evaluate, fit, importance,
    rank,
};

/// Six shapes × 36 configurations on a device with roofs: time is the roofline over tile efficiency and a cache penalty.
fn sweep() -> DataFrame {
    let sizes = [256_i64, 384, 512, 768, 1024, 1536];
    let mut rows: Vec<(i64, i64, i64, &str)> = Vec::new();
    for size in sizes {
        for tile_m in [16, 32, 48, 64, 96, 128] {
            for tile_n in [16, 32, 64] {
                rows.extend(["avx2", "avx512"].map(|isa| (size, tile_m, tile_n, isa)));
            }
        }
    }
    let time = |&(size, tile_m, tile_n, isa): &(i64, i64, i64, &str)| {
        let (size, m, n) = (size as f64, tile_m as f64, tile_n as f64);
        let share = size / ((size / m).ceil() * m) * size / ((size / n).ceil() * n);
        let penalty = 1.0 + 0.5 * (m * n / 2048.0 - 1.0).abs() + if isa == "avx2" { 0.8 } else { 0.0 };
        2.0 * size.powi(3) / 1e11 / share * penalty
    };
    let size: Vec<i64> = rows.iter().map(|row| row.0).collect();
    let flop: Vec<f64> = size.iter().map(|size| 2.0 * (*size as f64).powi(3)).collect();
    let bytes: Vec<f64> = size.iter().map(|size| 12.0 * (*size as f64).powi(2)).collect();
    let config: Vec<String> = rows.iter().map(|(_, m, n, isa)| format!("{m},{n},{isa}")).collect();
    let ids: Vec<String> = rows.iter().map(|row| format!("{row:?}")).collect();
    let one = |text: &str| vec![text.to_owned(); rows.len()];
    df!(
        "experiment_id" => ids, "problem_id" => size.iter().map(ToString::to_string).collect::<Vec<_>>(), "config_id" => config,
        "source" => one("cpu"), "device" => one("test"), "device_kind" => one("cpu"), "family" => one("gemm_tiled"),
        "status" => one("ok"), "role" => one("point"), "dtype" => one("f32"),
        "energy_reason" => one("no sensor: `/sys/class/powercap` is not readable"), "energy_j" => vec![None::<f64>; rows.len()],
        "useful_flop" => flop, "compulsory_bytes" => bytes, "roof.flop_per_s" => vec![1e11; rows.len()],
        "roof.dram_bytes_per_s" => vec![2e10; rows.len()], "problem.m" => size.clone(), "problem.n" => size,
        "knob.tile_m" => rows.iter().map(|row| row.1).collect::<Vec<_>>(), "knob.tile_n" => rows.iter().map(|row| row.2).collect::<Vec<_>>(),
        "knob.isa" => rows.iter().map(|row| row.3).collect::<Vec<_>>(), "time_s" => rows.iter().map(time).collect::<Vec<_>>()
    )
    .expect("columns are equally long")
}

fn with(frame: &DataFrame, name: &str, change: impl Fn(usize, &str) -> String) -> DataFrame {
    let old = frame.column(name).expect("column").str().expect("text").clone();
    let new: Vec<String> = old.iter().enumerate().map(|(row, text)| change(row, text.unwrap_or_default())).collect();
    let mut frame = frame.clone();
    frame.with_column(Column::new(name.into(), new)).expect("same length");
    frame
}

#[test]
fn unseen_shapes_are_predicted_better_than_by_the_recipe_without_prior() {
    let presets = vec![Preset::Default, Preset::Gpperf, Preset::Loglinear, Preset::Nearest, Preset::Roofline];
    let options = EvaluateOptions { presets, splits: vec![Split::Shape, Split::Config], trees: 40, ..EvaluateOptions::default() };
    let evaluation = evaluate(&sweep(), &options).expect("evaluates");
    let mape = |split, preset| evaluation.scores.iter().find(|s| (s.split, s.preset) == (split, preset)).expect("asked for").mape;
    assert!(mape(Split::Shape, Preset::Default) < 0.15, "{:?}", evaluation.scores);
    assert!(mape(Split::Shape, Preset::Gpperf) > 3.0 * mape(Split::Shape, Preset::Default));
    assert!(evaluation.scores.iter().all(|s| s.folds == 5 && s.n_test == 216 && (s.top5 <= s.top1) && s.coverage.is_some()));
    assert_eq!(evaluation.parity.len(), 216 * 10);
    assert_eq!(evaluate(&sweep(), &options).expect("evaluates"), evaluation, "the same seed gives the same scores");
}

#[test]
fn the_json_of_a_score_begins_with_the_agreed_fields() {
    let evaluation = evaluate(&sweep(), &EvaluateOptions { trees: 5, ..EvaluateOptions::default() }).expect("evaluates");
    let json = serde_json::to_value(&evaluation.scores[0]).expect("serialises");
    let names: Vec<&str> = json.as_object().expect("an object").keys().map(String::as_str).collect();
    let agreed = ["target", "split", "preset", "n_train", "n_test", "mape", "mdape", "r2", "r2_log", "tau", "top1", "top5"];
    assert_eq!(names[..12], agreed);
    assert_eq!((&json["target"], &json["split"], &json["preset"]), (&"time".into(), &"rows".into(), &"default".into()));
}

#[test]
fn group_folds_never_share_a_group_and_cover_every_row_once() {
    let data = Dataset::new(&sweep(), Target::Time).expect("usable");
    for (split, folds, expected) in
        [(Split::Shape, None, 5), (Split::Shape, Some(6), 6), (Split::Config, None, 5), (Split::Rows, Some(4), 4)]
    {
        let made = split.folds(&data, folds, 3).expect("splits");
        assert_eq!(made.len(), expected);
        let mut seen: Vec<usize> = made.iter().flat_map(|fold| fold.test.clone()).collect();
        seen.sort_unstable();
        assert_eq!(seen, (0..216).collect::<Vec<_>>());
        let sizes: Vec<usize> = made.iter().map(|fold| fold.test.len()).collect();
        assert!(sizes.iter().max().expect("folds") - sizes.iter().min().expect("folds") <= 36, "{sizes:?}");
        let Some(keys) = split.keys(&sweep()).expect("columns") else { continue };
        for fold in made {
            let train: std::collections::BTreeSet<_> = fold.train.iter().map(|row| &keys[*row]).collect();
            assert!(fold.test.iter().all(|row| !train.contains(&keys[*row])), "{split}: a group is on both sides");
        }
    }
}

#[test]
fn the_same_sizes_never_lie_on_both_sides_of_a_shape_split_whatever_else_makes_other_problems_of_them() {
    // As in published logs: each shape under two factors, two layouts and two families, each a problem of its own.
    let mut frame = sweep();
    let variant = |row: usize| row % 8;
    let problems = with(&frame, "problem_id", |row, size| format!("{size} {}", variant(row)));
    frame = with(&problems, "family", |row, family| format!("{family}{}", variant(row) / 4));
    let alpha: Vec<i64> = (0..216).map(|row| variant(row) as i64 % 2).collect();
    let layout: Vec<&str> = (0..216).map(|row| ["nn", "tn"][variant(row) / 2 % 2]).collect();
    frame.with_column(Column::new("problem.alpha".into(), alpha)).expect("same length");
    frame.with_column(Column::new("problem.layout".into(), layout)).expect("same length");
    let data = Dataset::new(&frame, Target::Time).expect("usable");
    let sizes = frame.column("problem.m").expect("column").i64().expect("integers").clone();
    let folds = Split::Shape.folds(&data, Some(6), 1).expect("six shapes, six folds");
    for fold in folds {
        let train: std::collections::BTreeSet<_> = fold.train.iter().map(|row| sizes.get(*row)).collect();
        assert!(fold.test.iter().all(|row| !train.contains(&sizes.get(*row))), "a shape is on both sides");
    }
    assert!(Split::Shape.folds(&data, Some(7), 1).is_err(), "48 problems are six shapes");
}

#[test]
fn shuffled_targets_cannot_be_predicted() {
    let mut frame = sweep();
    let time = frame.column("time_s").expect("column").f64().expect("reals").clone();
    let moved: Vec<f64> = (0..216).map(|row| time.get(row * 89 % 216).expect("no nulls")).collect();
    frame.with_column(Column::new("time_s".into(), moved)).expect("same length");
    let evaluation =
        evaluate(&frame, &EvaluateOptions { splits: vec![Split::Shape], ..EvaluateOptions::default() }).expect("evaluates");
    assert!(evaluation.scores[0].r2_log.expect("varies") < 0.05, "{:?}", evaluation.scores);
}

/// Three contests over the same problems, 100 times apart: hot on one device, cold on it, hot on another. Within each, times are noise.
fn noise_on_two_devices() -> DataFrame {
    let mut state = 1_u64;
    let mut noise = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        1.0 + (state >> 33) as f64 / 2_f64.powi(31)
    };
    let mut all: Option<DataFrame> = None;
    for (device, mode, scale) in [("near", "hot", 1e-6), ("near", "cold", 1e-4), ("far", "hot", 1e-2)] {
        let mut frame = with(&sweep(), "device", |_, _| device.to_owned());
        frame = with(&frame, "experiment_id", |_, id| format!("{id} {device} {mode}"));
        frame.with_column(Column::new("cache_mode".into(), vec![mode; 216])).expect("same length");
        frame
            .with_column(Column::new("time_s".into(), (0..216).map(|_| scale * noise()).collect::<Vec<_>>()))
            .expect("same length");
        all = Some(all.map_or_else(|| frame.clone(), |all| all.vstack(&frame).expect("the same columns")));
    }
    all.expect("three frames")
}

#[test]
fn telling_devices_and_cache_modes_apart_is_no_merit_of_a_choice_of_configurations() {
    let evaluation = evaluate(&noise_on_two_devices(), &EvaluateOptions::default()).expect("evaluates");
    let score = &evaluation.scores[0];
    assert!(score.r2_log.expect("varies") > 0.95, "the model tells them apart: {score:?}");
    assert!(score.tau.expect("ranks").abs() < 0.2, "and ranks nothing within them: {score:?}");
}

#[test]
fn frames_that_cannot_be_learned_from_are_refused_by_name() {
    let frame = sweep();
    let message = |frame: &DataFrame, target| {
        let error = fit(frame, &FitOptions { target, trees: 3, ..FitOptions::default() }).expect_err("refused");
        assert!(error.hint().is_some(), "{error}");
        error.to_string()
    };
    let reason = "no sensor: `/sys/class/powercap` is not readable";
    let energy = format!("frame has 216 rows but none with status `ok` and a positive `energy_j`: {reason}");
    assert_eq!(message(&frame, Target::Energy), energy);
    let failed = with(&frame, "status", |_, _| "timeout".into());
    assert_eq!(message(&failed, Target::Time), "frame has 216 rows but none with status `ok` and a positive `time_s`");
    let mixed = with(&frame, "source", |row, _| if row < 16 { "vgpu".into() } else { "cuda".into() });
    let expected = "frame mixes 16 simulated rows (source `vgpu`) with 200 measured ones, a model takes one kind only";
    assert_eq!(message(&mixed, Target::Time), expected);
    let device =
        evaluate(&frame, &EvaluateOptions { splits: vec![Split::Device], ..EvaluateOptions::default() }).expect_err("refused");
    assert_eq!(device.to_string(), "split `device` needs at least 2 different values of `device`, the data has 1");
    let one = frame.slice(0, 36);
    let shape =
        evaluate(&one, &EvaluateOptions { splits: vec![Split::Shape], ..EvaluateOptions::default() }).expect_err("refused");
    let expected = "split `shape` needs at least 2 different shapes (sizes among `problem.*`), the data has 1";
    assert_eq!(shape.to_string(), expected);
    let unknown = "shapes".parse::<Split>().expect_err("refused").to_string();
    assert_eq!(unknown, "split `shapes` is unknown, must be one of `rows`, `shape`, `config`, `device`, `family`");
}

#[test]
fn failed_rows_references_and_duplicates_do_not_count() {
    let frame = with(&sweep(), "status", |row, old| if row == 0 { "incorrect".into() } else { old.to_owned() });
    let frame = with(&frame, "role", |row, old| if row == 1 { "reference".into() } else { old.to_owned() });
    let frame = with(&frame, "experiment_id", |row, old| if row == 3 || row == 4 { "same".into() } else { old.to_owned() });
    let data = Dataset::new(&frame, Target::Time).expect("usable");
    assert_eq!((data.rows(), data.duplicates, data.unusable), (213, 1, 2));
}

#[test]
fn predicting_without_a_column_names_it() {
    let predictor = fit(&sweep(), &FitOptions { trees: 3, ..FitOptions::default() }).expect("fits");
    let bare = sweep().drop_many(["knob.tile_m", "roof.flop_per_s"]);
    let error = predictor.predict(&bare).expect_err("refused");
    assert_eq!(error.to_string(), "frame lacks columns `knob.tile_m`, the model needs them");
    let none = fit(&sweep().head(Some(1)), &FitOptions::default()).expect_err("refused");
    assert!(matches!(none, ModelError::Unfit { preset: "default", .. }), "{none}");
}

#[test]
fn an_unknown_level_of_a_text_knob_is_predicted_as_the_common_one() {
    let frame = with(&sweep(), "knob.isa", |row, old| if row < 4 { "avx2".into() } else { old.to_owned() });
    let predictor = fit(&frame, &FitOptions { trees: 5, ..FitOptions::default() }).expect("fits");
    let strange = predictor.predict(&with(&frame, "knob.isa", |_, _| "amx".into())).expect("predicts");
    let common = predictor.predict(&with(&frame, "knob.isa", |_, _| "avx2".into())).expect("predicts");
    assert_eq!(strange, common);
}

#[test]
fn the_ranking_is_sorted_and_its_best_is_nearly_the_best() {
    let frame = sweep();
    let seen: BooleanChunked =
        frame.column("problem_id").expect("column").str().expect("text").iter().map(|id| id != Some("768")).collect();
    let predictor = fit(&frame.filter(&seen).expect("mask"), &FitOptions::default()).expect("fits");
    let candidates = frame.filter(&!seen).expect("mask");
    let ranked = rank(&predictor, &candidates.drop("time_s").expect("column"), 5).expect("ranks");
    assert!(ranked.len() == 5 && ranked.windows(2).all(|pair| pair[0].predicted <= pair[1].predicted));
    assert!(ranked.iter().all(|one| one.lo.is_some_and(|lo| lo < one.predicted) && one.hi.is_some_and(|hi| hi > one.predicted)));
    let time = candidates.column("time_s").expect("column").f64().expect("reals").clone();
    let best = time.iter().flatten().fold(f64::INFINITY, f64::min);
    let chosen = ranked.iter().filter_map(|one| time.get(one.row)).fold(f64::INFINITY, f64::min);
    assert!(chosen / best < 1.05, "{chosen} {best}");
}

#[test]
fn importance_puts_what_matters_first_and_counts_derived_features() {
    let predictor = fit(&sweep(), &FitOptions::default()).expect("fits");
    let columns = importance(&predictor, &sweep(), 1).expect("explains");
    let names: Vec<&str> = columns.iter().map(|one| one.column.as_str()).collect();
    assert_eq!(names.len(), 5, "constant columns are left out: {names:?}");
    assert!(columns.iter().filter(|one| one.column.starts_with("knob.")).all(|one| one.increase > 0.02), "{columns:?}");
    assert_eq!(columns, importance(&predictor, &sweep(), 1).expect("explains"));
}

#[test]
fn models_survive_their_bytes_and_the_same_fit_gives_the_same_bytes() {
    for &preset in Preset::ALL {
        let options = FitOptions { preset, trees: 4, ..FitOptions::default() };
        let predictor = fit(&sweep(), &options).expect("fits");
        let bytes = predictor.to_bytes();
        assert_eq!(bytes, fit(&sweep(), &options).expect("fits").to_bytes(), "{preset}");
        let read = Predictor::from_bytes(&bytes).expect("own bytes");
        assert!(read == predictor, "{preset}");
        assert_eq!(read.predict(&sweep()).expect("predicts"), predictor.predict(&sweep()).expect("predicts"));
        assert_eq!((read.rows(), read.fingerprint().len()), (216, 32));
        let met = |texts: &std::collections::BTreeSet<String>| texts.iter().cloned().collect::<Vec<_>>();
        assert_eq!((met(read.families()), met(read.devices())), (vec!["gemm_tiled".to_owned()], vec!["test".to_owned()]));
    }
}

#[test]
fn bytes_that_are_no_model_of_ours_are_refused_by_kind() {
    let bytes = fit(&sweep(), &FitOptions { trees: 2, ..FitOptions::default() }).expect("fits").to_bytes();
    let refuse = |bytes: &[u8]| Predictor::from_bytes(bytes).expect_err("refused");
    assert_eq!(refuse(b""), ArtifactError::Foreign);
    assert_eq!(refuse(b"{\"model\": 1}"), ArtifactError::Foreign);
    let mut newer = bytes.clone();
    newer[15] = 9;
    assert_eq!(refuse(&newer).to_string(), "model has format version `9`, this program reads up to 2");
    let mut older = bytes.clone();
    older[15] = 1;
    assert_eq!(refuse(&older).to_string(), "model has format version `1`, this program reads from 2");
    for cut in [1, 14, 16, 30, 60] {
        assert!(matches!(refuse(&bytes[..cut]), ArtifactError::Truncated { .. }), "{cut}");
    }
    for cut in (1..bytes.len()).step_by(97) {
        assert!(Predictor::from_bytes(&bytes[..cut]).is_err(), "{cut}");
    }
    for flip in (27..bytes.len()).step_by(131) {
        let mut damaged = bytes.clone();
        damaged[flip] ^= 0x10;
        assert_eq!(refuse(&damaged), ArtifactError::Checksum, "{flip}");
    }
}
