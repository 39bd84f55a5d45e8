//! `cargo bench -p tilecast-kernels`: one call of each own dense family on the thread's CPU time, for work on the kernels themselves.
//! Sweeps and comparisons do not use it: they interleave (`scripts/peers/gemm`).

#![allow(missing_docs)] // the macros below make undocumented functions

use std::path::Path;
use std::time::Duration;

use criterion::{BenchmarkId, Criterion, Throughput, criterion_group, criterion_main};
use tilecast_kernels::devices::cpu::CpuDevice;
use tilecast_kernels::{CacheMode, Device, Dtype, Value, family};

fn gemm(criterion: &mut Criterion) {
    let device = CpuDevice::open("cpu:1t", Path::new("/sys")).expect("one thread is always there");
    let mut group = criterion.benchmark_group("gemm");
    group.sample_size(10);
    for (id, sizes) in [("gemm_naive", &[256_u64][..]), ("gemm_tiled", &[256, 512]), ("gemm_regblock", &[256, 512, 1024])] {
        for dtype in Dtype::CPU {
            for &n in sizes {
                let family = family(id).expect("registered");
                let axes: Vec<(String, Value)> = ["m", "n", "k"].map(|axis| (axis.to_owned(), n.into())).into();
                let problem = family.problem(dtype, &axes, 1).expect("legal");
                let mut loaded = device.load(family, &problem).expect("fits");
                let slot = loaded.prepare(&family.default_config(&problem, device.info())).expect("legal").slot;
                group.throughput(Throughput::Elements(2 * n * n * n));
                group.bench_function(BenchmarkId::new(format!("{id} {dtype}"), n), |bencher| {
                    bencher.iter_custom(|calls| {
                        let sample = loaded.sample(slot, calls, CacheMode::Hot).expect("runs");
                        #[allow(clippy::cast_precision_loss)] // a call count
                        Duration::from_secs_f64(sample.cpu_s * calls as f64)
                    });
                });
            }
        }
    }
    group.finish();
}

criterion_group!(benches, gemm);
criterion_main!(benches);
