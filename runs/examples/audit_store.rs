//! A store of 250,000 generated rows for `scripts/bench/audit`: `audit_store FOLDER`.
//!
//! Half is an exhaustive space of ten knobs with four samples per row (as the SGEMM spaces that tuners publish), half a log of few
//! experiments under many labels with power in a part of the rows: every check has something to read.
#![allow(clippy::cast_precision_loss)] // small numbers
#![allow(clippy::disallowed_methods)] // an example is a program of its own

use std::error::Error;

use tilecast_runs::frame;
use tilecast_runs::row::Row;
use tilecast_runs::schema::{self, col};
use tilecast_runs::store::Store;

const ROWS: usize = 250_000;
/// Rows written at a time: rows take more memory than frames.
const CHUNK: usize = 12_500;

fn main() -> Result<(), Box<dyn Error>> {
    let folder = std::env::args().nth(1).ok_or("the folder of the store is missing")?;
    let store = Store::create(folder)?;
    for chunk in 0..ROWS / CHUNK {
        let rows: Vec<Row> =
            (chunk * CHUNK..(chunk + 1) * CHUNK).map(|at| if at < ROWS / 2 { space(at) } else { log(at) }).collect();
        store.write(&frame::from_rows(&rows)?, &format!("run-{chunk:02}"))?;
    }
    Ok(())
}

fn shared(at: usize, family: &str, problem: &str, config: &str) -> Row {
    let mut row = Row::default();
    row.set(col::schema_version, schema::version_text())
        .set(col::run_id, format!("run-{:02}", at / CHUNK))
        .set(col::sweep_id, "generated");
    row.set(col::problem_id, problem).set(col::config_id, config).set(col::problem, problem).set(col::config, config);
    row.set(col::source, "import:generated")
        .set(col::tool_version, env!("CARGO_PKG_VERSION"))
        .set(col::status, "ok")
        .set(col::role, "point");
    row.set(col::device, "rtx-4070").set(col::device_kind, "cuda").set(col::device_name, "NVIDIA GeForce RTX 4070");
    row.set(col::family, family).set(col::dtype, "f32").set(col::time_basis, "event");
    row.set(
        col::measured_at,
        format!("2026-01-{:02}T{:02}:{:02}:{:02}Z", 1 + at / 86_400, at / 3600 % 24, at / 60 % 60, at % 60),
    );
    row
}

/// A number in `[0, 1)` that looks random.
fn unit(seed: usize) -> f64 {
    let mixed = (seed as u64).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    ((mixed ^ (mixed >> 31)).wrapping_mul(0x94D0_49BB_1331_11EB) >> 11) as f64 / (1_u64 << 53) as f64
}

fn timed(row: &mut Row, at: usize, seconds: f64) {
    let mut samples: Vec<f64> = (0..4).map(|sample| seconds * (1.0 + 0.01 * unit(at * 4 + sample))).collect();
    row.set(col::time_samples_s, samples.clone()).set(col::samples, 4i64);
    samples.sort_by(f64::total_cmp);
    let middle = (samples[1] + samples[2]) / 2.0;
    row.set(col::time_s, middle).set(col::time_statistic, "median").set(col::time_min_s, samples[0]).set(col::noise, 0.005);
}

/// One of 2^17 configurations of ten knobs, each of which matters.
fn space(at: usize) -> Row {
    let (mut rest, mut seconds, mut knobs) = (at, 14e-3, Vec::new());
    for (knob, levels) in [4, 4, 4, 4, 4, 2, 2, 4, 2, 2].into_iter().enumerate() {
        let level = rest % levels;
        rest /= levels;
        seconds *= 1.0 + 0.05 * (knob + 1) as f64 * level as f64;
        knobs.push(1_i64 << level);
    }
    let config: Vec<String> = knobs.iter().enumerate().map(|(at, value)| format!("k{at}={value}")).collect();
    let config = config.join(" ");
    let mut row = shared(at, "gemm_space", "gemm m=2048 n=2048 k=2048", &config);
    row.set(col::experiment_id, config.as_str())
        .set(col::useful_flop, 2.0 * 2048f64.powi(3))
        .set(col::compulsory_bytes, 12.0 * 2048f64.powi(2));
    for (at, value) in knobs.into_iter().enumerate() {
        row.set(format!("knob.k{at}"), value);
    }
    row.set(col::extra, format!(r#"{{"compile_time": {}, "GFLOP/s": {}}}"#, unit(at), 17.18 / seconds));
    timed(&mut row, at, seconds);
    row
}

/// One of 4464 experiments, 28 times under other labels.
fn log(at: usize) -> Row {
    let (label, experiment) = (at % 28, (at - ROWS / 2) / 28);
    let (m, n, k) = (256 * (1 + experiment % 16), 256 * (1 + experiment / 16 % 16), 256 * (1 + experiment / 256));
    let [m, n, k] = [m, n, k].map(|size| i64::try_from(size).unwrap_or(i64::MAX));
    let problem = format!("gemm m={m} n={n} k={k}");
    let config = format!("layout={} block={}", label % 4, label / 4);
    let mut row = shared(at, "gemm_log", &problem, &config);
    row.set(col::experiment_id, problem.as_str()).set("problem.m", m).set("problem.n", n).set("problem.k", k);
    row.set("knob.layout", ["nn", "nt", "tn", "tt"][label % 4]).set("knob.block1", 32 * (1 + label as i64 / 4));
    row.set(col::kernel, "cutlass_simt_sgemm_128x128_8x2_nn_align1");
    let flop = 2.0 * m as f64 * n as f64 * k as f64;
    row.set(col::useful_flop, flop).set(col::compulsory_bytes, 4.0 * (m * k + k * n + m * n) as f64);
    timed(&mut row, at, flop / 12e12 + 5e-6);
    if at.is_multiple_of(6) {
        let power = 30.0 + 150.0 * unit(at);
        let seconds = row.real(col::time_s).unwrap_or_default();
        row.set(col::power_w, power).set(col::energy_j, power * seconds).set(col::utilisation, (at % 12) as f64 / 12.0);
    }
    row
}
