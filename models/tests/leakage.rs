//! A random score that does not carry over to new shapes is found, one that does is not.

#[path = "../../runs/tests/planted/mod.rs"]
mod planted;

use std::path::Path;

use polars::prelude::DataFrame;
use tilecast_models::leakage;
use tilecast_runs::frame;
use tilecast_runs::import::{Format, Options, import};
use tilecast_runs::row::Row;

fn frame_of(rows: &[Row]) -> DataFrame {
    frame::from_rows(rows).expect("rows fit")
}

#[test]
fn a_clean_store_and_other_faults_have_none() {
    assert_eq!(leakage(&frame_of(&planted::clean()), 0).expect("looked"), None);
    // Those that touch times, repeats or sources; the others leave a model nothing to see.
    let touched = ["knob-without-effect", "faster-than-roofline", "mixed-sources"];
    for fault in planted::faults().into_iter().filter(|fault| touched.contains(&fault.id)) {
        let mut rows = planted::clean();
        (fault.plant)(&mut rows);
        let found = leakage(&frame_of(&rows), 0).expect("looked");
        assert!(found.is_none(), "{}: {found:#?}", fault.name);
    }
}

#[test]
fn shapes_that_say_nothing_of_each_other_give_a_gap_whatever_the_seed() {
    let mut rows = planted::clean();
    (planted::gap().plant)(&mut rows);
    for seed in 0..2 {
        let finding = leakage(&frame_of(&rows), seed).expect("looked").expect("a gap");
        assert_eq!((finding.id, finding.examples.len(), finding.of), ("random-split-gap", 3, 1152));
        assert!(finding.share > 0.5 && finding.detail.contains("24 shapes"), "{finding:#?}");
    }
}

#[test]
fn too_few_rows_or_problems_say_nothing() {
    let rows = planted::clean();
    assert_eq!(leakage(&frame_of(&rows[..90]), 0).expect("looked"), None);
    assert_eq!(leakage(&frame_of(&rows[..7 * 48]), 0).expect("looked"), None);
    assert_eq!(leakage(&frame_of(&[]), 0).expect("looked"), None);
}

#[test]
#[allow(clippy::print_stderr)] // a skipped test says why
fn one_shape_has_no_gap() {
    let folder = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/kernel_tuner"));
    for name in ["kt2023__gemm__RTX_2080_Ti.json.gz", "kt2023__gemm__RTX_Titan.json.gz"] {
        let path = folder.join(name);
        if !path.exists() {
            eprintln!("skipped: the Kernel Tuner data is not on this machine");
            return;
        }
        let frame = import(Format::KernelTuner, &path, &Options::default()).expect("the cache imports").frame;
        assert_eq!(leakage(&frame, 0).expect("looked"), None);
    }
}

#[test]
#[allow(clippy::print_stderr)] // a skipped test says why
fn the_random_score_of_the_gpperf_log_does_not_carry_over_to_new_shapes() {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data/gpperf/gpperf_cutlass_rtx4070_16128.csv"));
    if !path.exists() {
        eprintln!("skipped: the GPPerf log is not on this machine");
        return;
    }
    let frame = import(Format::Gpperf, path, &Options::default()).expect("the log imports").frame;
    let finding = leakage(&frame, 0).expect("looked").expect("a gap");
    assert_eq!((finding.id, finding.of), ("random-split-gap", 576));
}
