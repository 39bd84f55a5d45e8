//! Scores on the exhaustive GEMM space of an RTX 2080 Ti (Kernel Tuner, 17,956 configurations).

use std::path::Path;

use polars::prelude::DataFrame;
use tilecast_models::{EvaluateOptions, Preset, Score, Split, evaluate};
use tilecast_runs::import::{Format, Options, import};

fn space() -> Option<DataFrame> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/kernel_tuner/kt2023__gemm__RTX_2080_Ti.json.gz"));
    if !path.exists() {
        eprintln!("skipped: the Kernel Tuner data is not on this machine");
        return None;
    }
    Some(import(Format::KernelTuner, path, &Options::default()).expect("the cache imports").frame)
}

#[test]
fn every_preset_scores_on_the_measured_gemm_space_as_expected() {
    let Some(frame) = space() else { return };
    let presets = Preset::ALL.to_vec();
    let options = EvaluateOptions { presets, splits: vec![Split::Rows], ..EvaluateOptions::default() };
    let evaluation = evaluate(&frame, &options).expect("the space evaluates");
    let of = |preset| -> &Score { evaluation.scores.iter().find(|score| score.preset == preset).expect("asked for") };
    evaluation.scores.iter().for_each(|score| eprintln!("{score:?}"));
    assert!(evaluation.scores.iter().all(|score| score.n_train + score.n_test == 17_956 && score.n_test == 3_591));
    assert!(of(Preset::Default).mape <= 0.018, "{:?}", of(Preset::Default));
    assert!((0.20..0.24).contains(&of(Preset::Gpperf).mape), "{:?}", of(Preset::Gpperf));
    assert!([Preset::Roofline, Preset::Loglinear, Preset::Nearest].iter().all(|other| of(*other).mape > of(Preset::Default).mape));
    for score in &evaluation.scores {
        let coverage = score.coverage.expect("enough rows for intervals");
        assert!((0.87..0.93).contains(&coverage), "{score:?}");
    }
    assert!(of(Preset::Default).top5 < 0.01 && of(Preset::Default).tau.expect("one problem, many rows") > 0.95);
}
