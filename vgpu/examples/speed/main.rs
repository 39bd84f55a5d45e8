//! Warp instructions per second of the interpreter on a SIMT sgemm, at one thread and at two.
//!
//! `cargo run --release -p tilecast-vgpu --example speed -- [--json] [--size N] [--checks none]`
#![allow(clippy::print_stdout)]

mod sgemm;

use std::sync::Arc;
use std::time::Instant;

use vgpu::check::Checks;
use vgpu::launch::{Image, Launch, Options, Report, run};
use vgpu::memory::Memory;

struct Bench {
    memory: Memory,
    image: Image,
    launch: Launch,
    expected: Vec<f32>,
    d: u64,
}

fn floats(seed: u32, count: usize) -> Vec<f32> {
    (0..count as u32).map(|i| ((i.wrapping_mul(2_654_435_761) ^ seed) >> 20) as f32 / 4096.0 - 0.5).collect()
}

fn bytes(values: &[f32]) -> Vec<u8> {
    values.iter().flat_map(|v| v.to_le_bytes()).collect()
}

impl Bench {
    fn new(n: usize) -> Result<Self, Box<dyn std::error::Error>> {
        let memory = Memory::new(1 << 30);
        let (a, b) = (floats(1, n * n), floats(2, n * n));
        let size = (n * n * 4) as u64;
        let (pa, pb, d) = (memory.alloc(size, "A")?, memory.alloc(size, "B")?, memory.alloc(size, "D")?);
        memory.write(pa, &bytes(&a))?;
        memory.write(pb, &bytes(&b))?;
        let image = Image::load(Arc::new(vgpu::ptx::parse(&sgemm::ptx())?), &memory)?;
        let mut params: Vec<u8> = [pa, pb, d].iter().flat_map(|p| p.to_le_bytes()).collect();
        params.extend((n as u32).to_le_bytes());
        let side = n as u32 / sgemm::TILE;
        let launch = Launch { grid: [side, side, 1], block: [sgemm::THREADS, 1, 1], dynamic_shared_bytes: 0, params };
        // A few rows are enough to see that the right thing was timed.
        let row = |i: usize| (0..n).map(move |j| (i, j));
        let dot = |(i, j): (usize, usize)| (0..n).fold(0f32, |s, k| a[i * n + k].mul_add(b[k * n + j], s));
        let expected = row(0).chain(row(n - 1)).map(dot).collect();
        Ok(Self { memory, image, launch, expected, d })
    }

    /// Wall time, CPU time, report.
    fn time(&self, threads: usize, checks: Checks) -> Result<(f64, f64, Report), Box<dyn std::error::Error>> {
        let options = Options { threads, checks, ..Options::default() };
        let (start, cpu) = (Instant::now(), cpu_s());
        let report = run(&self.image, "sgemm", &self.launch, &self.memory, &options)?;
        Ok((start.elapsed().as_secs_f64(), cpu_s() - cpu, report))
    }

    fn check(&self, n: usize) -> Result<(), Box<dyn std::error::Error>> {
        for (at, row) in [0, n - 1].into_iter().enumerate() {
            let mut got = vec![0u8; n * 4];
            self.memory.read(self.d + (row * n * 4) as u64, &mut got)?;
            for (j, word) in got.chunks_exact(4).enumerate() {
                let value = f32::from_le_bytes([word[0], word[1], word[2], word[3]]);
                if value.to_bits() != self.expected[at * n + j].to_bits() {
                    return Err(format!("D[{row}][{j}] is `{value}`, not `{}`", self.expected[at * n + j]).into());
                }
            }
        }
        Ok(())
    }
}

/// CPU seconds of all threads of this process, from the kernel's scheduler; a loaded machine does not change them much.
fn cpu_s() -> f64 {
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten().flatten();
    let run_ns = |text: String| text.split(' ').next().and_then(|ns| ns.parse::<f64>().ok());
    tasks.filter_map(|t| std::fs::read_to_string(t.path().join("schedstat")).ok().and_then(run_ns)).sum::<f64>() / 1e9
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args: Vec<String> = std::env::args().collect();
    let after = |flag: &str| args.iter().position(|a| a == flag).and_then(|at| args.get(at + 1));
    let n: usize = after("--size").map_or(Ok(512), |s| s.parse())?;
    let checks = if after("--checks").is_some_and(|c| c == "none") { Checks::NONE } else { Checks::ALL };
    let bench = Bench::new(n)?;
    let (mut wall, mut cpu) = ([f64::MAX; 2], [f64::MAX; 2]);
    let mut instructions = 0;
    for _ in 0..5 {
        for (at, threads) in [1, 2].into_iter().enumerate() {
            let (seconds, cpu_seconds, report) = bench.time(threads, checks)?;
            (wall[at], cpu[at]) = (wall[at].min(seconds), cpu[at].min(cpu_seconds));
            instructions = report.counters.instructions.total;
        }
    }
    bench.check(n)?;
    let per_core = instructions as f64 / cpu[0];
    let line = serde_json::json!({
        "kernel": "sgemm 128x128x8, 8x8 a thread", "size": n, "warp_instructions": instructions,
        "wall_1_s": wall[0], "wall_2_s": wall[1], "cpu_1_s": cpu[0], "cpu_2_s": cpu[1],
        "warp_instructions_per_cpu_s": per_core, "speedup_2": wall[0] / wall[1],
    });
    if args.iter().any(|a| a == "--json") {
        println!("{line}");
    } else {
        println!("sgemm {n}^3: {instructions} warp instructions, {:.1} M a CPU second", per_core / 1e6);
        println!("1 thread : {:.3} s wall, {:.3} s CPU", wall[0], cpu[0]);
        println!("2 threads: {:.3} s wall, {:.3} s CPU, {:.2}x", wall[1], cpu[1], wall[0] / wall[1]);
    }
    Ok(())
}
