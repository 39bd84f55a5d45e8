//! A clean store of our own making, and one fault of each kind to plant in it.
#![allow(dead_code, missing_docs, unreachable_pub)]
#![allow(clippy::cast_precision_loss, clippy::cast_possible_wrap, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // small numbers

use tilecast_runs::row::{Cell, Row};
use tilecast_runs::schema::{self, col};

/// Peak of an RTX 4070 as the catalogue states it, FLOP/s and bytes/s.
const PEAK: f64 = 29.1e12;
const BANDWIDTH: f64 = 504e9;
/// Relative noise of a sample.
const NOISE: f64 = 0.01;

/// Numbers that look random and are the same everywhere (SplitMix64).
pub struct Numbers(pub u64);

impl Numbers {
    /// In `[0, 1)`.
    pub fn unit(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        ((z ^ (z >> 31)) >> 11) as f64 / (1_u64 << 53) as f64
    }

    /// Nearly normal, standard deviation 1.
    pub fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.unit()).sum::<f64>() - 6.0
    }
}

/// One point of the clean store.
#[derive(Clone, Copy)]
struct Point {
    sizes: [i64; 3],
    layout: &'static str,
    tile_m: i64,
    tile_n: i64,
    stages: i64,
    swizzle: i64,
}

impl Point {
    fn flop(&self) -> f64 {
        2.0 * self.sizes.iter().map(|size| *size as f64).product::<f64>()
    }

    fn bytes(&self) -> f64 {
        let [m, n, k] = self.sizes.map(|size| size as f64);
        4.0 * (m * k + k * n + m * n)
    }

    /// Roofline over an efficiency that every knob and axis moves, smoothly in the sizes.
    fn seconds(&self) -> f64 {
        let roofline = (self.flop() / PEAK).max(self.bytes() / BANDWIDTH);
        let tile =
            1.0 + 0.35 * ((self.tile_m as f64).log2() - 6.5).powi(2) / 4.0 + 0.2 * ((self.tile_n as f64).log2() - 6.0).abs();
        let stages = if self.stages == 3 { 1.0 } else { 1.09 };
        let swizzle = if self.swizzle == 2 { 1.0 } else { 1.05 };
        let layout = if self.layout == "nn" { 1.0 } else { 1.06 };
        2.0 * roofline * tile * stages * swizzle * layout
    }
}

fn points() -> Vec<Point> {
    let mut points = Vec::new();
    for shape in 0..24_i64 {
        let sizes = [512 + 192 * (shape % 6), 640 + 256 * (shape / 6), 768 + 160 * (shape % 5)];
        let layout = if shape % 2 == 0 { "nn" } else { "nt" };
        for tile_m in [32, 64, 128, 256] {
            for tile_n in [32, 64, 128] {
                for (stages, swizzle) in [(2, 1), (2, 2), (3, 1), (3, 2)] {
                    points.push(Point { sizes, layout, tile_m, tile_n, stages, swizzle });
                }
            }
        }
    }
    points
}

/// A row whose time is cold, three times what its energy was measured over.
pub const COLD: usize = 7;

/// 1152 rows in which nothing is wrong.
pub fn clean() -> Vec<Row> {
    let mut numbers = Numbers(1);
    let mut rows: Vec<Row> = points().iter().enumerate().map(|(at, point)| row(at, point, &mut numbers)).collect();
    let seconds = rows[COLD].real(col::time_s).expect("time");
    rows[COLD].set(col::cache_mode, "cold").set(col::energy_time_s, seconds);
    scale_time(&mut rows[COLD], 3.0);
    rows
}

fn row(at: usize, point: &Point, numbers: &mut Numbers) -> Row {
    let Point { sizes: [m, n, k], layout, tile_m, tile_n, stages, swizzle } = *point;
    let problem = format!("gemm m={m} n={n} k={k} layout={layout} f32");
    let config = format!("tile_m={tile_m} tile_n={tile_n} stages={stages} swizzle={swizzle}");
    let mut row = Row::default();
    row.set(col::schema_version, schema::version_text()).set(col::run_id, "run-1").set(col::sweep_id, "sweep-1");
    row.set(col::experiment_id, format!("{problem} {config}"))
        .set(col::problem_id, problem.as_str())
        .set(col::config_id, config.as_str());
    row.set(col::source, "cuda").set(col::tool_version, "0.1.0").set(col::status, "ok").set(col::role, "point");
    row.set(col::device, "rtx-4070").set(col::device_kind, "cuda").set(col::device_name, "NVIDIA GeForce RTX 4070");
    row.set(col::family, "gemm_cutlass").set(col::problem, problem.as_str()).set(col::config, config.as_str());
    row.set(col::dtype, "f32").set(col::cache_mode, "hot");
    row.set("problem.m", m).set("problem.n", n).set("problem.k", k).set("problem.layout", layout);
    row.set("knob.tile_m", tile_m).set("knob.tile_n", tile_n).set("knob.stages", stages).set("knob.swizzle", swizzle);
    row.set(col::kernel, format!("cutlass_simt_sgemm_{tile_m}x{tile_n}_8x{stages}_{layout}_align1"));
    row.set(col::useful_flop, point.flop()).set(col::compulsory_bytes, point.bytes());
    row.set(col::measured_at, moment(at)).set(col::time_basis, "event").set(col::drift, 0.01);
    row.set(col::idle_w, 14.0).set(col::power_limit_w, 200.0).set(col::utilisation, 1.0).set(col::energy_source, "nvml");
    row.set(col::power_w, 110.0 + 60.0 * numbers.unit());
    time(&mut row, point.seconds(), numbers);
    row
}

/// Time, samples and what follows from them.
pub fn time(row: &mut Row, seconds: f64, numbers: &mut Numbers) {
    let samples: Vec<f64> = (0..8).map(|_| seconds * (1.0 + NOISE * numbers.normal())).collect();
    let mut sorted = samples.clone();
    sorted.sort_by(f64::total_cmp);
    let middle = (sorted[3] + sorted[4]) / 2.0;
    row.set(col::time_s, middle)
        .set(col::time_median_s, middle)
        .set(col::time_min_s, sorted[0])
        .set(col::time_statistic, "median");
    row.set(col::noise, (sorted[5] - sorted[2]) / middle).set(col::samples, 8i64).set(col::time_samples_s, samples);
    follow(row);
}

/// Energy and reported rates that fit the row's time and power.
pub fn follow(row: &mut Row) {
    let real = |row: &Row, name: &str| row.real(name).expect("the clean store has it");
    let (seconds, power) = (real(row, col::time_s), real(row, col::power_w));
    row.set(col::energy_j, power * row.real(col::energy_time_s).unwrap_or(seconds));
    row.set(col::reported_flop_per_s, real(row, col::useful_flop) / seconds);
    row.set(col::reported_bytes_per_s, real(row, col::compulsory_bytes) / seconds);
}

fn moment(at: usize) -> String {
    format!("2026-01-01T{:02}:{:02}:{:02}Z", at / 3600, at / 60 % 60, at % 60)
}

fn scale(row: &mut Row, name: &str, factor: f64) {
    match row.0.get(name).cloned() {
        Some(Cell::Real(value)) => row.set(name, value * factor),
        Some(Cell::Reals(values)) => row.set(name, values.into_iter().map(|value| value * factor).collect::<Vec<f64>>()),
        other => panic!("{name} = {other:?} cannot be scaled"),
    };
}

fn scale_time(row: &mut Row, factor: f64) {
    [col::time_s, col::time_median_s, col::time_min_s, col::time_samples_s].iter().for_each(|name| scale(row, name, factor));
    follow(row);
}

fn samples(row: &mut Row, change: impl Fn(usize, f64) -> f64) {
    let Some(Cell::Reals(samples)) = row.0.get(col::time_samples_s).cloned() else { panic!("samples") };
    row.set(col::time_samples_s, samples.into_iter().enumerate().map(|(at, sample)| change(at, sample)).collect::<Vec<f64>>());
}

/// Changes every `step`th row.
fn every(rows: &mut [Row], step: usize, change: impl Fn(&mut Row)) {
    rows.iter_mut().step_by(step).for_each(change);
}

/// Adds `count` rows measured again, spread over the store, at the end of the run.
fn again(rows: &mut Vec<Row>, count: usize, change: impl Fn(&mut Row, &mut Numbers)) {
    let (step, mut numbers) = (rows.len() / count, Numbers(7));
    let copies: Vec<Row> = rows.iter().step_by(step).take(count).cloned().collect();
    for (at, mut copy) in copies.into_iter().enumerate() {
        copy.set(col::measured_at, moment(40_000 + at));
        change(&mut copy, &mut numbers);
        rows.push(copy);
    }
}

/// A fault and the only finding it may cause.
pub struct Fault {
    pub id: &'static str,
    pub name: &'static str,
    pub plant: fn(&mut Vec<Row>),
}

fn fault(id: &'static str, name: &'static str, plant: fn(&mut Vec<Row>)) -> Fault {
    Fault { id, name, plant }
}

/// One of each kind and more of some.
pub fn faults() -> Vec<Fault> {
    let mut all = labelling();
    all.extend(units());
    all.extend(readings());
    all.extend(splits());
    all
}

fn labelling() -> Vec<Fault> {
    vec![
        fault("duplicates-under-labels", "an experiment recorded again under another swizzle", |rows| {
            again(rows, 20, |row, _| _ = row.set("knob.swizzle", 9i64).set(col::config_id, "other").set(col::config, "other"));
        }),
        fault("knob-without-effect", "a padding that pads nothing", |rows| {
            rows.iter_mut().for_each(|row| _ = row.set("knob.padding", 0i64));
            again(rows, 40, |row, numbers| {
                let seconds = row.real(col::time_s).expect("time");
                row.set("knob.padding", 8i64).set(col::experiment_id, format!("padded {seconds}"));
                time(row, seconds, numbers);
            });
        }),
        fault("constant-column", "an unrolling that was never varied", |rows| {
            rows.iter_mut().for_each(|row| _ = row.set("knob.unroll", 4i64));
        }),
        fault("label-contradicts-kernel", "kernels that run another layout than asked", |rows| {
            every(rows, 30, |row| {
                let kernel = row.text(col::kernel).expect("kernel").replace("_nn_", "_tt_").replace("_nt_", "_tn_");
                row.set(col::kernel, kernel);
            });
        }),
    ]
}

fn units() -> Vec<Fault> {
    vec![
        fault("rate-disagrees", "GFLOP/s from milliseconds read as seconds", |rows| {
            every(rows, 1, |row| scale(row, col::reported_flop_per_s, 1e-3));
        }),
        fault("rate-disagrees", "multiply-adds counted once", |rows| {
            every(rows, 1, |row| scale(row, col::reported_flop_per_s, 0.5))
        }),
        fault("bandwidth-unit", "GiB/s read as GB/s", |rows| {
            every(rows, 1, |row| scale(row, col::reported_bytes_per_s, 1.0 / 1.073_741_824));
        }),
        fault("energy-disagrees", "energy from milliseconds", |rows| every(rows, 1, |row| scale(row, col::energy_j, 1e3))),
        fault("energy-disagrees", "single rows with the energy of another", |rows| {
            every(rows, 100, |row| scale(row, col::energy_j, 3.0))
        }),
        fault("time-disagrees", "samples in milliseconds", |rows| every(rows, 1, |row| scale(row, col::time_samples_s, 1e3))),
        fault("time-disagrees", "a reported time in milliseconds", |rows| {
            every(rows, 50, |row| {
                let seconds = row.real(col::time_s).expect("time");
                row.set(col::time_reported_s, seconds * 1e3);
                [col::reported_flop_per_s, col::reported_bytes_per_s].iter().for_each(|name| scale(row, name, 1e-3));
                // The source's energy is from its own time: scaled with it, it still fits.
                scale(row, col::energy_j, 1e3);
            });
        }),
        fault("faster-than-roofline", "times a hundred times too short", |rows| every(rows, 200, |row| scale_time(row, 0.01))),
        fault("impossible-value", "a size of zero", |rows| every(rows, 300, |row| _ = row.set("problem.m", 0i64))),
    ]
}

fn readings() -> Vec<Fault> {
    vec![
        fault("power-out-of-range", "power above the limit", |rows| {
            every(rows, 200, |row| {
                row.set(col::power_w, 260.0);
                follow(row);
            });
        }),
        fault("power-out-of-range", "power below idle", |rows| {
            every(rows, 200, |row| {
                row.set(col::power_w, 3.0);
                follow(row);
            });
        }),
        fault("power-at-idle", "power read at utilisation 0", |rows| {
            every(rows, 30, |row| {
                row.set(col::power_w, 29.0).set(col::utilisation, 0.0);
                follow(row);
            });
        }),
        fault("power-at-idle", "power that equals idle power", |rows| {
            every(rows, 30, |row| {
                row.set(col::power_w, 14.5);
                row.0.remove(col::utilisation);
                follow(row);
            });
        }),
        fault("cold-first-sample", "no warm-up", |rows| {
            every(rows, 4, |row| samples(row, |at, s| if at == 0 { 3.0 * s } else { s }))
        }),
        fault("drift", "a reference that moved", |rows| every(rows, 20, |row| _ = row.set(col::drift, 0.2))),
        fault("drift", "samples that rise", |rows| {
            every(rows, 2, |row| {
                samples(row, |at, sample| sample * (1.0 + 0.04 * at as f64));
                let Some(Cell::Reals(samples)) = row.0.get(col::time_samples_s).cloned() else { panic!("samples") };
                let mut sorted = samples;
                sorted.sort_by(f64::total_cmp);
                row.set(col::time_s, sorted[4]).set(col::time_median_s, sorted[4]).set(col::time_min_s, sorted[0]);
                follow(row);
            });
        }),
        fault("drift", "repeats at the end of the run that are slower", |rows| {
            again(rows, 40, |row, numbers| {
                let seconds = row.real(col::time_s).expect("time");
                time(row, 1.12 * seconds, numbers);
            });
        }),
        fault("missing-target", "a sensor that answered in four rows of five", |rows| {
            every(rows, 5, |row| {
                [col::power_w, col::energy_j].iter().for_each(|name| _ = row.0.remove(*name));
                row.set(col::energy_reason, "the sensor did not answer");
            });
        }),
        fault("missing-target", "rows that are ok without a time", |rows| {
            every(rows, 400, |row| {
                [col::time_s, col::time_median_s, col::time_min_s, col::time_samples_s]
                    .iter()
                    .for_each(|name| _ = row.0.remove(*name));
            });
        }),
    ]
}

fn splits() -> Vec<Fault> {
    vec![
        fault("mixed-sources", "simulated rows", |rows| {
            every(rows, 100, |row| {
                let id = format!("simulated {}", row.real(col::time_s).expect("time"));
                row.set(col::source, "vgpu").set(col::experiment_id, id);
            });
        }),
        fault("twins-across-random-split", "a run taken twice", |rows| {
            let count = rows.len();
            again(rows, count, |row, numbers| {
                let seconds = row.real(col::time_s).expect("time");
                row.set(col::run_id, "run-2");
                time(row, seconds, numbers);
            });
        }),
    ]
}

/// A fault that only a model can see: each shape has a speed of its own, which no other shape tells.
pub fn gap() -> Fault {
    fault("random-split-gap", "shapes that have nothing to do with each other", |rows| {
        let shapes: Vec<String> = rows.iter().map(|row| row.text(col::problem_id).expect("problem").to_owned()).collect();
        for (row, shape) in rows.iter_mut().zip(shapes) {
            let seed = shape.bytes().fold(5_u64, |seed, byte| seed.wrapping_mul(31).wrapping_add(u64::from(byte)));
            scale_time(row, 1.0 + 9.0 * Numbers(seed).unit());
        }
    })
}
