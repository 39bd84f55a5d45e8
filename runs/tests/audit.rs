//! The auditor finds what is planted, and nothing else.

mod planted;

use std::collections::BTreeSet;
use std::path::Path;

use polars::prelude::DataFrame;
use tilecast_runs::audit::{CATALOGUE, Finding, Severity, audit};
use tilecast_runs::frame;
use tilecast_runs::row::Row;

fn frame_of(rows: &[Row]) -> DataFrame {
    frame::from_rows(rows).expect("rows fit")
}

fn ids(findings: &[Finding]) -> BTreeSet<&str> {
    findings.iter().map(|finding| finding.id).collect()
}

fn planted_with(fault: &planted::Fault) -> Vec<Finding> {
    let mut rows = planted::clean();
    (fault.plant)(&mut rows);
    audit(&frame_of(&rows)).expect("audited")
}

#[test]
fn a_clean_store_gives_no_finding() {
    let findings = audit(&frame_of(&planted::clean())).expect("audited");
    assert!(findings.is_empty(), "{findings:#?}");
    assert!(audit(&frame_of(&[])).expect("audited").is_empty());
}

#[test]
fn energy_is_held_against_its_own_time_base() {
    let mut rows = planted::clean();
    rows[planted::COLD].0.remove("energy_time_s");
    let findings = audit(&frame_of(&rows)).expect("audited");
    assert_eq!(ids(&findings), BTreeSet::from(["energy-disagrees"]), "{findings:#?}");
    // Energy over half the time is off by two, which no way of counting operations explains.
    rows.iter_mut().for_each(|row| _ = row.set("energy_j", row.real("energy_j").expect("energy") * 2.0));
    let findings = audit(&frame_of(&rows)).expect("audited");
    assert!(findings[0].detail.contains("a factor of 2.00, which no unit explains"), "{}", findings[0].detail);
}

#[test]
fn each_planted_fault_gives_exactly_its_finding() {
    for fault in planted::faults() {
        let findings = planted_with(&fault);
        assert_eq!(ids(&findings), BTreeSet::from([fault.id]), "{}: {findings:#?}", fault.name);
        for finding in &findings {
            assert!(finding.count > 0 && finding.count <= finding.of, "{finding:#?}");
            assert!((finding.share - finding.count as f64 / finding.of as f64).abs() < 1e-12);
            assert!(!finding.detail.is_empty() && !finding.means.is_empty() && !finding.advice.is_empty());
            let known: BTreeSet<String> =
                planted::clean().iter().filter_map(|row| row.text("run_id").map(str::to_owned)).collect();
            let rows = finding.examples.iter().filter(|example| !known.contains(&example.run_id) && example.run_id != "run-2");
            assert_eq!(rows.count(), 0, "examples are rows of the store");
            assert!(finding.id == "constant-column" || !finding.examples.is_empty(), "{finding:#?}");
        }
    }
}

#[test]
fn every_check_has_a_planted_fault() {
    let mut planted: BTreeSet<&str> = planted::faults().iter().map(|fault| fault.id).collect();
    planted.insert(planted::gap().id);
    assert_eq!(planted, CATALOGUE.iter().map(|check| check.id).collect());
}

#[test]
fn figures_of_findings_are_those_planted() {
    let of = |id: &str, word: &str| {
        let fault = planted::faults().into_iter().find(|fault| fault.id == id && fault.name.contains(word)).expect(word);
        planted_with(&fault).remove(0)
    };
    let inert = of("knob-without-effect", "padding");
    assert_eq!((inert.subject.as_deref(), inert.count, inert.severity), (Some("knob.padding"), 80, Severity::Warning));
    assert!(inert.detail.contains("in 40 groups") && inert.detail.contains("1152 distinct experiments"), "{}", inert.detail);
    let doubled = of("duplicates-under-labels", "swizzle");
    assert_eq!((doubled.count, doubled.of), (40, 1172));
    let label = of("label-contradicts-kernel", "layout");
    assert_eq!((label.subject.as_deref(), label.count), (Some("problem.layout"), 39));
    for (id, word, explained) in [
        ("rate-disagrees", "milliseconds", "1/1000"),
        ("rate-disagrees", "multiply-adds", "multiply-add"),
        ("bandwidth-unit", "GiB/s", "GB taken for GiB"),
        ("energy-disagrees", "from milliseconds", "1000"),
    ] {
        let finding = of(id, word);
        assert!(finding.detail.contains(explained), "{}", finding.detail);
    }
    let floor = of("faster-than-roofline", "hundred");
    assert_eq!((floor.count, floor.severity), (6, Severity::Error));
    let missing = of("missing-target", "four rows of five");
    assert!((missing.share - 0.2).abs() < 0.01 && missing.examples[0].shows.contains("did not answer"), "{missing:?}");
}

#[test]
fn a_time_on_tensor_units_is_held_against_their_own_measured_peak() {
    let faster = |own: Option<f64>| {
        let mut rows = planted::clean();
        for row in &mut rows {
            // A board that the catalogue does not know, whose vector units reach a tenth of what the rows did.
            row.set("device", "nobodys-board").set("device_name", "Nobody's board").set("dtype", "bf16");
            row.set("roof.flop_per_s", 1.0e12).set("roof.flop_per_s_high", 1.0e12);
            row.set_some("roof.flop_per_s_bf16", own).set_some("roof.flop_per_s_bf16_high", own);
        }
        let findings = audit(&frame_of(&rows)).expect("audited");
        findings.iter().any(|finding| finding.id == "faster-than-roofline")
    };
    assert!(faster(None) && faster(Some(1.0e12)) && !faster(Some(4.0e13)));
}

#[test]
fn an_inert_knob_is_found_under_any_noise_and_a_real_one_never() {
    for (noise, stored) in [(0.001, false), (0.01, true), (0.03, true), (0.05, false), (0.08, true)] {
        for (effect, inert) in [(0.0, true), (8.0, false)] {
            let mut numbers = planted::Numbers(11);
            let mut rows = planted::clean();
            for (at, row) in rows.iter_mut().enumerate() {
                // The knob acts, if at all, in one direction for small tiles and in the other for large ones: over all rows it does nothing.
                let (value, tile) = ((at % 7 % 2) as i64, row.real("knob.tile_m").expect("tile"));
                let sign = if tile < 100.0 { 1.0 } else { -1.0 };
                let seconds = row.real("time_s").expect("time")
                    * (1.0 + sign * effect * noise * value as f64)
                    * (1.0 + noise * numbers.normal());
                row.set("time_s", seconds).set("knob.hint", value);
                ["time_samples_s", "time_min_s", "time_median_s"].iter().for_each(|name| _ = row.0.remove(*name));
                if stored {
                    row.set("noise", noise * 1.349)
                } else {
                    _ = row.0.remove("noise");
                    &mut *row
                };
                planted::follow(row);
            }
            // Every point once with each value.
            let mut other = rows.clone();
            for row in &mut other {
                let value = 1 - row.real("knob.hint").expect("hint") as i64;
                let tile = row.real("knob.tile_m").expect("tile");
                let change = if tile < 100.0 { 1.0 } else { -1.0 } * effect * noise * (2 * value - 1) as f64;
                let seconds = row.real("time_s").expect("time") * (1.0 + change) * (1.0 + noise * numbers.normal());
                row.set("time_s", seconds).set("knob.hint", value).set("experiment_id", format!("other {seconds}"));
                planted::follow(row);
            }
            rows.extend(other);
            let findings = audit(&frame_of(&rows)).expect("audited");
            let found = findings.iter().any(|finding| finding.subject.as_deref() == Some("knob.hint"));
            assert_eq!(found, inert, "noise {noise}, stored {stored}, effect {effect} × noise: {findings:#?}");
            let wrong = findings
                .iter()
                .find(|finding| finding.id == "knob-without-effect" && finding.subject.as_deref() != Some("knob.hint"));
            // Swizzle moves the time by 5 %: at 5 % noise per row it must still be seen over 576 pairs.
            assert!(wrong.is_none(), "{wrong:#?}");
        }
    }
}

#[test]
fn every_identifier_is_a_heading_of_the_page_and_every_heading_an_identifier() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/audit.md")).expect("docs/audit.md");
    let headings: Vec<&str> = page.lines().filter_map(|line| line.strip_prefix("### ")).collect();
    assert_eq!(headings, CATALOGUE.iter().map(|check| check.id).collect::<Vec<_>>(), "in the order of the catalogue");
}
