//! What the auditor says of published data.
#![allow(clippy::print_stderr)] // says what it skips

use std::path::{Path, PathBuf};

use tilecast_runs::audit::{Finding, audit};
use tilecast_runs::frame;
use tilecast_runs::import::{Format, Options, import};
use tilecast_runs::row::Row;
use tilecast_runs::schema::{self, col};

fn data(name: &str) -> Option<PathBuf> {
    let path = Path::new(concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/data")).join(name);
    if !path.exists() {
        eprintln!("skipped: `{}` is absent", path.display());
        return None;
    }
    Some(path)
}

#[test]
fn the_two_exhaustive_gemm_spaces_have_no_inert_knob_no_contradiction_no_gap_in_power_and_no_twins() {
    for name in ["kernel_tuner/kt2023__gemm__RTX_2080_Ti.json.gz", "kernel_tuner/kt2023__gemm__RTX_Titan.json.gz"] {
        let Some(path) = data(name) else { return };
        let frame = import(Format::KernelTuner, &path, &Options::default()).expect("it imports").frame;
        let findings = audit(&frame).expect("audited");
        for finding in &findings {
            eprintln!(
                "{name}: {} {} {:?} {}/{} {}",
                finding.severity.name(),
                finding.id,
                finding.subject,
                finding.count,
                finding.of,
                finding.detail
            );
        }
        let none = [
            "knob-without-effect",
            "duplicates-under-labels",
            "label-contradicts-kernel",
            "missing-target",
            "power-at-idle",
            "twins-across-random-split",
        ];
        let found: Vec<&Finding> = findings.iter().filter(|finding| none.contains(&finding.id)).collect();
        assert!(found.is_empty(), "{name}: {found:#?}");
    }
}

#[test]
fn the_gpperf_log_is_576_experiments_with_idle_power() {
    let Some(path) = data("gpperf/gpperf_cutlass_rtx4070_16128.csv") else { return };
    let text = std::fs::read_to_string(path).expect("readable");
    let mut lines = text.lines();
    let header: Vec<&str> = lines.next().expect("a header").split(',').collect();
    let rows: Vec<Row> = lines
        .map(|line| {
            let cells: Vec<&str> = line.split(',').collect();
            let get = |name: &str| cells[header.iter().position(|h| *h == name).expect(name)];
            let real = |name: &str| get(name).parse::<f64>().ok();
            let int = |name: &str| get(name).parse::<i64>().expect(name);
            let mut row = Row::default();
            for c in schema::COLUMNS.iter().filter(|c| c.required) {
                row.set(c.name, "x");
            }
            let kernel = get("kernel");
            let problem = format!("{} {} {} {} {} {kernel}", get("m"), get("n"), get("k"), get("alpha"), get("beta"));
            let config = format!("{} {} {}", get("layout"), get("block1"), get("block2"));
            row.set(col::run_id, "r")
                .set(col::source, "import:gpperf")
                .set(col::family, "gemm_cutlass")
                .set(col::device, "rtx-4070")
                .set(col::status, "ok")
                .set(col::role, "point");
            row.set(col::experiment_id, problem.as_str())
                .set(col::problem_id, problem.as_str())
                .set(col::config_id, config.as_str())
                .set(col::config, config.as_str());
            row.set("problem.m", int("m"))
                .set("problem.n", int("n"))
                .set("problem.k", int("k"))
                .set("problem.alpha", real("alpha").unwrap())
                .set("problem.beta", real("beta").unwrap());
            row.set("problem.layout", &kernel[kernel.len() - 9..kernel.len() - 7])
                .set(col::kernel, kernel)
                .set("knob.layout", get("layout"));
            for k in ["block1", "block2", "block3", "stages"] {
                row.set(format!("knob.{k}"), int(k));
            }
            row.set(col::time_s, real("runtime_ms").unwrap() * 1e-3)
                .set_some(col::power_w, real("power_w"))
                .set_some(col::energy_j, real("energy_j"));
            row.set(col::utilisation, real("gpu_util_pct").unwrap() / 100.0)
                .set(col::power_limit_w, 200.0)
                .set(col::dtype, "f32");
            let flop = 2.0 * int("m") as f64 * int("n") as f64 * int("k") as f64;
            row.set(col::useful_flop, flop).set_some(col::reported_flop_per_s, real("gflops_src").map(|g| g * 1e9));
            row.set(col::measured_at, get("timestamp"));
            row
        })
        .collect();
    let findings = audit(&frame::from_rows(&rows).expect("fits")).expect("audited");
    for finding in &findings {
        eprintln!(
            "gpp: {} {} {:?} {}/{} {} {:?}",
            finding.severity.name(),
            finding.id,
            finding.subject,
            finding.count,
            finding.of,
            finding.detail,
            finding.examples.first().map(|e| &e.shows)
        );
    }
}
