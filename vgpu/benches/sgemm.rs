//! The interpreter on a SIMT sgemm of 256³, with and without checks, at one thread and at two. Throughput is in warp instructions.
#![allow(missing_docs)]

#[path = "../examples/speed/sgemm.rs"]
mod sgemm;

use std::sync::Arc;

use criterion::{Criterion, Throughput, criterion_group, criterion_main};
use vgpu::check::Checks;
use vgpu::launch::{Image, Launch, Options, run};
use vgpu::memory::Memory;

const SIZE: u32 = 256;

fn bench(c: &mut Criterion) {
    let memory = Memory::new(1 << 28);
    let bytes = u64::from(SIZE * SIZE * 4);
    let matrices: Vec<u64> = ["A", "B", "D"].iter().map(|label| memory.alloc(bytes, label).expect("there is room")).collect();
    let image = Image::load(Arc::new(vgpu::ptx::parse(&sgemm::ptx()).expect("the generator writes PTX")), &memory)
        .expect("there is room");
    let mut params: Vec<u8> = matrices.iter().flat_map(|p| p.to_le_bytes()).collect();
    params.extend(SIZE.to_le_bytes());
    let side = SIZE / sgemm::TILE;
    let launch = Launch { grid: [side, side, 1], block: [sgemm::THREADS, 1, 1], dynamic_shared_bytes: 0, params };
    let mut group = c.benchmark_group("sgemm");
    group.sample_size(10);
    for (name, checks, threads) in
        [("checked", Checks::ALL, 1), ("unchecked", Checks::NONE, 1), ("checked, 2 threads", Checks::ALL, 2)]
    {
        let options = Options { checks, threads, ..Options::default() };
        let go = || run(&image, "sgemm", &launch, &memory, &options).expect("the kernel is right");
        group.throughput(Throughput::Elements(go().counters.instructions.total));
        group.bench_function(name, |b| b.iter(go));
    }
    group.finish();
}

criterion_group!(benches, bench);
criterion_main!(benches);
