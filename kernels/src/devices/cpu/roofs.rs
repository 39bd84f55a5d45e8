//! Roofs of the processor, measured, never derived: a nominal clock says little about the real one (2.6 GHz reported for 3.5 GHz seen).
//!
//! | name | what | threads |
//! |---|---|---|
//! | `flop_per_s`, `flop_per_s_f64` | fused multiply-adds on the best instruction set | 1 |
//! | `l1_bytes_per_s`, `l2_…`, `l3_…`, `dram_…` | reads of half of a cache; of four times the last one | 1 |
//! | `dram_triad_bytes_per_s` | `a = b + s·c`, as STREAM counts | 1 |
//! | the same with `_all` | every thread of the device at once | all |
//!
//! A chart of kernels on one thread draws the plain names, one of kernels on all threads those with `_all`. Each value is the best of
//! the repeats: a ceiling is what can be reached, and neighbours only take away. Time is CPU time, for several threads the busiest one's, as it is
//! for samples of kernels. A level the machine does not report has no roof.

use std::sync::{Mutex, MutexGuard, PoisonError};

use super::micro::Isa;
use super::stream::{read, triad};
use super::{Pages, Team, clock::thread_cpu_s, peak::multiply_add};
use crate::{DeviceInfo, Dtype, Roof};

const REPEATS: usize = 7;
/// A repeat takes at least this long: a thousand times what reading the clock costs.
const REPEAT_S: f64 = 2e-3;
/// Main memory is read through a buffer of four last-level caches, of which at most a quarter can be left from the pass before.
const DRAM_CACHES: u64 = 4;
/// Enough for any processor, and little beside a machine's memory.
const DRAM_MAX: u64 = 1 << 30;

/// Measures all roofs; about a second.
pub(super) fn measure(info: &DeviceInfo, team: &Team) -> Vec<Roof> {
    let bench = Bench { team, isa: Isa::best() };
    let threads = usize::try_from(info.threads).unwrap_or(1).min(team.size());
    let single = bench.all(info, 1);
    // One thread is all there are: the same quantity, so the same measurement.
    let together = if threads == 1 { single.clone() } else { bench.all(info, threads) };
    let together = together.into_iter().map(|roof| Roof { name: format!("{}_all", roof.name), ..roof });
    single.into_iter().chain(together).collect()
}

struct Bench<'a> {
    team: &'a Team,
    isa: Isa,
}

impl Bench<'_> {
    fn all(&self, info: &DeviceInfo, threads: usize) -> Vec<Roof> {
        let mut roofs = vec![
            self.repeat("flop_per_s", threads, &|_, rounds| multiply_add(self.isa, Dtype::F32, 1000 * rounds)),
            self.repeat("flop_per_s_f64", threads, &|_, rounds| multiply_add(self.isa, Dtype::F64, 1000 * rounds)),
        ];
        for cache in &info.caches {
            // A shared cache is divided among those who share it; one thread alone may use all of it.
            let sharers = cache.shared_by.clamp(1, threads as u64);
            roofs.push(self.read(&format!("l{}_bytes_per_s", cache.level), cache.bytes / 2 / sharers, threads));
        }
        let dram = (DRAM_CACHES * info.llc_bytes()).min(DRAM_MAX) / threads as u64;
        roofs.push(self.read("dram_bytes_per_s", dram, threads));
        roofs.push(self.triad("dram_triad_bytes_per_s", dram, threads));
        roofs
    }

    fn read(&self, name: &str, bytes_each: u64, threads: usize) -> Roof {
        let buffers = buffers(bytes_each, threads);
        self.repeat(name, threads, &|rank, rounds| {
            let pages = own(&buffers, rank);
            (0..rounds).map(|_| read(self.isa, pages.slice())).sum()
        })
    }

    fn triad(&self, name: &str, bytes_each: u64, threads: usize) -> Roof {
        let buffers = buffers(bytes_each, threads);
        self.repeat(name, threads, &|rank, rounds| {
            let mut pages = own(&buffers, rank);
            let all = pages.slice_mut::<f32>();
            let (a, rest) = all.split_at_mut(all.len() / 3);
            let (b, c) = rest.split_at(rest.len() / 2);
            let n = a.len();
            (0..rounds).map(|_| triad(self.isa, a, &b[..n], &c[..n])).sum()
        })
    }

    /// Runs `job(rank, rounds)` until a repeat is long enough, then several times more; `job` says how much it did.
    fn repeat(&self, name: &str, threads: usize, job: &(dyn Fn(usize, u64) -> f64 + Sync)) -> Roof {
        let mut rounds = 1;
        while self.once(threads, rounds, job).0 < REPEAT_S && rounds < 1 << 40 {
            rounds *= 2;
        }
        let rates: Vec<f64> = (0..REPEATS)
            .map(|_| self.once(threads, rounds, job))
            .map(|(time_s, done)| done / time_s.max(f64::MIN_POSITIVE))
            .collect();
        let low = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let high = rates.iter().copied().fold(0.0, f64::max);
        Roof { name: name.to_owned(), value: high, low, high }
    }

    /// Seconds of the busiest rank and what all ranks did.
    fn once(&self, threads: usize, rounds: u64, job: &(dyn Fn(usize, u64) -> f64 + Sync)) -> (f64, f64) {
        let ranks: Vec<Mutex<(f64, f64)>> = (0..threads).map(|_| Mutex::default()).collect();
        self.team.run(threads, &|rank| {
            let start = thread_cpu_s();
            let done = job(rank, rounds);
            *own(&ranks, rank) = (thread_cpu_s() - start, done);
        });
        (0..threads)
            .map(|rank| *own(&ranks, rank))
            .fold((0.0, 0.0), |(time, done), (rank_s, rank_done)| (rank_s.max(time), done + rank_done))
    }
}

/// What belongs to `rank`; each rank takes only its own.
fn own<T>(each: &[Mutex<T>], rank: usize) -> MutexGuard<'_, T> {
    each[rank].lock().unwrap_or_else(PoisonError::into_inner)
}

/// One buffer per rank, every page of it touched.
fn buffers(bytes_each: u64, threads: usize) -> Vec<Mutex<Pages>> {
    let bytes = usize::try_from(bytes_each).expect("a buffer fits the address space").max(4096);
    let filled = || {
        let mut pages = Pages::zeroed(bytes);
        pages.slice_mut::<f32>().fill(1.0);
        Mutex::new(pages)
    };
    (0..threads).map(|_| filled()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Cache, DeviceKind};

    fn device(threads: u64, caches: &[(u8, u64)]) -> DeviceInfo {
        DeviceInfo {
            spec: "cpu".into(),
            kind: DeviceKind::Cpu,
            slug: "test".into(),
            name: "test".into(),
            threads,
            isa: Vec::new(),
            caches: caches.iter().map(|&(level, bytes)| Cache { level, bytes, shared_by: 1 }).collect(),
            memory_bytes: 0,
            os: String::new(),
            gpu: None,
        }
    }

    #[test]
    fn every_roof_is_positive_within_its_spread_and_named_once() {
        for threads in [1, 2] {
            let team = Team::new(threads);
            let roofs = measure(&device(threads as u64, &[(1, 32 << 10), (2, 64 << 10)]), &team);
            let names: Vec<&str> = roofs.iter().map(|roof| roof.name.as_str()).collect();
            let plain = [
                "flop_per_s",
                "flop_per_s_f64",
                "l1_bytes_per_s",
                "l2_bytes_per_s",
                "dram_bytes_per_s",
                "dram_triad_bytes_per_s",
            ];
            let all = plain.map(|name| format!("{name}_all"));
            assert_eq!(names, plain.into_iter().chain(all.iter().map(String::as_str)).collect::<Vec<_>>());
            for roof in &roofs {
                assert!(0.0 < roof.low && roof.low <= roof.value && roof.value == roof.high && roof.high.is_finite(), "{roof:?}");
            }
        }
    }

    #[test]
    fn single_precision_peaks_above_double() {
        let team = Team::new(1);
        let bench = Bench { team: &team, isa: Isa::best() };
        let peak = |dtype| bench.repeat("x", 1, &|_, rounds| multiply_add(bench.isa, dtype, 1000 * rounds)).value;
        assert!(peak(Dtype::F32) > 1.5 * peak(Dtype::F64));
    }
}
