//! What the auditor says of published data.
#![allow(clippy::print_stderr)] // says what it skips

use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;
use tilecast_runs::audit::{Finding, Severity, audit};
use tilecast_runs::import::{Format, Options, import};

fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(name);
    if !path.exists() {
        eprintln!("skipped: `{}` is absent", path.display());
        return None;
    }
    Some(path)
}

fn imported(format: Format, path: &Path) -> DataFrame {
    import(format, path, &Options::default()).expect("it imports").frame
}

fn of<'a>(findings: &'a [Finding], id: &str, subject: Option<&str>) -> &'a Finding {
    let fits = |finding: &&Finding| finding.id == id && finding.subject.as_deref() == subject;
    findings.iter().find(fits).unwrap_or_else(|| panic!("no `{id}` about {subject:?}: {findings:#?}"))
}

#[test]
fn exhaustive_gemm_spaces_have_no_inert_knob_no_contradiction_no_gap_in_power_and_no_twins() {
    for name in ["RTX_2080_Ti", "RTX_Titan"] {
        let Some(path) = data(&format!("kernel_tuner/kt2023__gemm__{name}.json.gz")) else { return };
        let findings = audit(&imported(Format::KernelTuner, &path)).expect("audited");
        let grave: Vec<&Finding> = findings.iter().filter(|finding| finding.severity > Severity::Info).collect();
        assert!(grave.is_empty(), "{name}: {grave:#?}");
        let constant = of(&findings, "constant-column", None);
        assert!(
            constant.detail.contains("`knob.KWG` = 32") && constant.detail.contains("`knob.STRM` = 0"),
            "{}",
            constant.detail
        );
        assert_eq!(findings.len(), 1, "{name}: {findings:#?}");
    }
}

#[test]
fn the_gpperf_log_is_576_experiments_28_times_with_contradicting_labels_and_power_of_an_idle_device() {
    let Some(path) = data("gpperf/gpperf_cutlass_rtx4070_16128.csv") else { return };
    let findings = audit(&imported(Format::Gpperf, &path)).expect("audited");
    for knob in ["knob.layout", "knob.block1", "knob.block2"] {
        let inert = of(&findings, "knob-without-effect", Some(knob));
        assert_eq!((inert.count, inert.of), (16_128, 16_128));
        assert!(inert.detail.contains("the 16128 rows are 576 distinct experiments × 28 repeats"), "{}", inert.detail);
    }
    let doubled = of(&findings, "duplicates-under-labels", None);
    assert!(doubled.detail.contains("576 experiments under more than one label, 28 rows each"), "{}", doubled.detail);
    let layout = of(&findings, "label-contradicts-kernel", Some("knob.layout"));
    assert_eq!((layout.count, layout.of), (12_096, 16_128), "three rows in four");
    for target in ["power_w", "energy_j"] {
        let missing = of(&findings, "missing-target", Some(target));
        assert_eq!((missing.count, missing.of, missing.severity), (13_533, 16_128, Severity::Warning), "84 %");
    }
    let idle = of(&findings, "power-at-idle", Some("power_w"));
    assert!(idle.of == 2595 && (0.44..0.60).contains(&idle.share), "44.7 % at utilisation 0 and some more: {idle:?}");
    let twins = of(&findings, "twins-across-random-split", None);
    assert!(twins.detail.starts_with("100.0 % of the rows"), "{}", twins.detail);
    let wrong =
        findings.iter().find(|finding| finding.id == "knob-without-effect" && finding.subject.as_deref() == Some("knob.stages"));
    assert!(wrong.is_none(), "a constant knob was never tried");
}

#[test]
fn no_knob_of_the_uci_space_is_called_inert() {
    let Some(path) = data("uci_sgemm/sgemm_product_dataset.zip") else { return };
    let findings = audit(&imported(Format::UciSgemm, &path)).expect("audited");
    let none =
        ["knob-without-effect", "duplicates-under-labels", "faster-than-roofline", "time-disagrees", "twins-across-random-split"];
    let found: Vec<&Finding> = findings.iter().filter(|finding| none.contains(&finding.id)).collect();
    assert!(found.is_empty(), "{found:#?}");
}
