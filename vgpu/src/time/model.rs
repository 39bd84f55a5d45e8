//! Counters → duration. See the module's text for the formulas.

use super::costs::{self, ns};
use super::work::Work;
use crate::profile::{Architecture, Footprint, Profile, Rates, occupancy, rates};

/// Share of the nominal DRAM bandwidth that streaming reaches.
const DRAM_REACH: f64 = 0.92;
/// Cycles between two instructions of one warp, with some instruction-level parallelism.
const WARP_GAP: f64 = 2.0;
/// Global requests one warp has in flight.
const IN_FLIGHT: f64 = 4.0;
/// Cycles a barrier costs a warp.
const BARRIER_CYCLES: f64 = 20.0;
/// Exponent of the soft maximum.
const SHARPNESS: i32 = 8;

/// The clocks a launch runs at, Hz.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Clocks {
    /// Multiprocessors and L2.
    pub sm_hz: f64,
    /// Memory, as NVML counts it.
    pub memory_hz: f64,
}

/// How a launch is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shape {
    /// Blocks of the grid.
    pub blocks: u64,
    /// What one block occupies.
    pub footprint: Footprint,
}

/// Seconds each resource alone would need.
#[derive(Clone, Copy, Debug, Default, PartialEq, serde::Serialize)]
#[allow(missing_docs)] // the names are the resources
pub struct Terms {
    pub issue: f64,
    pub fp32: f64,
    pub fp64: f64,
    pub fp16: f64,
    pub int: f64,
    pub special: f64,
    pub memory: f64,
    pub tensor: f64,
    pub shared: f64,
    pub l2: f64,
    pub dram: f64,
    pub latency: f64,
}

impl Terms {
    fn all(&self) -> [f64; 12] {
        let t = self;
        [t.issue, t.fp32, t.fp64, t.fp16, t.int, t.special, t.memory, t.tensor, t.shared, t.l2, t.dram, t.latency]
    }

    /// The soft maximum of all terms, seconds.
    pub fn soft_max(&self) -> f64 {
        let largest = self.all().into_iter().fold(0.0, f64::max);
        if largest == 0.0 {
            return 0.0;
        }
        // Scaled, so that microseconds to the eighth do not underflow.
        largest * self.all().iter().map(|t| (t / largest).powi(SHARPNESS)).sum::<f64>().powf(1.0 / f64::from(SHARPNESS))
    }
}

/// What a launch takes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    /// Duration on the device, ns.
    pub ns: u64,
    /// What each resource would have needed.
    pub terms: Terms,
    /// Mean load of a multiprocessor against the busiest one, 0 to 1.
    pub balance: f64,
    /// Bytes the model lets DRAM move.
    pub dram_bytes: f64,
}

/// The model of one card.
#[derive(Clone, Copy, Debug)]
pub struct Model<'a> {
    profile: &'a Profile,
    rates: Rates,
}

impl<'a> Model<'a> {
    /// The model of `profile`.
    pub fn new(profile: &'a Profile) -> Self {
        Self { profile, rates: rates(profile) }
    }

    /// The duration of a launch that did `work`, laid out as `shape`, at `clocks`.
    pub fn cost(&self, work: &Work, shape: &Shape, clocks: Clocks) -> Cost {
        let sms = f64::from(self.profile.sms);
        let blocks = (shape.blocks as f64).max(1.0);
        let busiest = (blocks / sms).ceil();
        let dram_bytes = self.dram_bytes(work);
        let mut terms = self.pipes(work, busiest / blocks / clocks.sm_hz);
        terms.l2 = self.l2_seconds(work, busiest / blocks, clocks);
        let memory_share = clocks.memory_hz / (f64::from(self.profile.memory_mhz) * 1e6);
        terms.dram = dram_bytes / (self.profile.dram_gb_s * 1e9 * DRAM_REACH * memory_share);
        terms.latency = self.latency_seconds(work, shape, clocks.sm_hz);
        let duration = costs::KERNEL_START_NS + ns(terms.soft_max());
        Cost { ns: duration, terms, balance: blocks / (busiest * sms), dram_bytes }
    }

    /// `seconds_per_cycle` is one cycle's time multiplied by the busiest multiprocessor's share of the work.
    fn pipes(&self, work: &Work, seconds_per_cycle: f64) -> Terms {
        let r = &self.rates;
        // A warp instruction of a pipe with L lanes keeps it for 32/L cycles; FLOP rates count two a lane.
        let flop_pipe = |instructions: f64, flop_per_clock: f64| instructions * 64.0 / flop_per_clock * seconds_per_cycle;
        let lane_pipe = |instructions: f64, lanes: f64| instructions * 32.0 / lanes * seconds_per_cycle;
        let tensor_pipe =
            |operations: f64, rate: f64| if operations > 0.0 { operations / rate.max(r.fp32) * seconds_per_cycle } else { 0.0 };
        Terms {
            issue: work.issued / r.issue * seconds_per_cycle,
            fp32: flop_pipe(work.fp32, r.fp32),
            fp64: flop_pipe(work.fp64, r.fp64),
            // A packed instruction does two operations a lane, which the rate counts.
            fp16: flop_pipe(work.fp16 * 2.0, r.fp16),
            int: lane_pipe(work.int, r.int_lanes),
            special: lane_pipe(work.special, r.special_lanes),
            memory: lane_pipe(work.memory, r.memory_lanes),
            tensor: tensor_pipe(work.tensor_f16, r.tensor_f16)
                + tensor_pipe(work.tensor_tf32, r.tensor_tf32)
                + tensor_pipe(work.tensor_int8, r.tensor_int8)
                + tensor_pipe(work.tensor_f64, r.tensor_f64),
            shared: work.shared_cycles * (128.0 / r.shared_bytes) * seconds_per_cycle,
            ..Terms::default()
        }
    }

    fn l2_seconds(&self, work: &Work, busiest_share: f64, clocks: Clocks) -> f64 {
        let clock_share = clocks.sm_hz / (f64::from(self.profile.boost_mhz) * 1e6);
        let whole = work.l2_bytes / (self.profile.l2_gb_s * 1e9 * clock_share);
        let one = work.l2_bytes * busiest_share / (self.rates.l2_bytes * clocks.sm_hz);
        whole.max(one)
    }

    /// Compulsory traffic, and of the repeats the share that L2 cannot hold.
    fn dram_bytes(&self, work: &Work) -> f64 {
        let repeats = (work.l2_bytes - work.unique_bytes).max(0.0);
        let miss = (1.0 - self.profile.l2_bytes() as f64 / work.unique_bytes.max(1.0)).max(0.0);
        work.unique_bytes + repeats * miss
    }

    fn latency_seconds(&self, work: &Work, shape: &Shape, sm_hz: f64) -> f64 {
        let resident = occupancy(self.profile, &shape.footprint).map_or(1, |o| o.blocks.max(1));
        let waves = (shape.blocks as f64 / (f64::from(resident) * f64::from(self.profile.sms))).ceil().max(1.0);
        let warps = work.warps.max(1.0);
        let cycles = work.longest_warp * WARP_GAP + work.barriers / warps * BARRIER_CYCLES;
        waves * (cycles / sm_hz + work.requests / warps * memory_latency_s(self.profile.architecture) / IN_FLIGHT)
    }
}

/// Seconds from a load to its data when it misses L2: microbenchmark figures, rounded.
fn memory_latency_s(architecture: Architecture) -> f64 {
    match architecture {
        Architecture::Pascal => 450e-9,
        Architecture::Volta => 300e-9,
        Architecture::Turing => 320e-9,
        Architecture::Ampere => 400e-9,
        Architecture::Ada => 340e-9,
        Architecture::Hopper | Architecture::Blackwell => 420e-9,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOCKS: fn(&Profile) -> Clocks =
        |p| Clocks { sm_hz: f64::from(p.boost_mhz) * 1e6, memory_hz: f64::from(p.memory_mhz) * 1e6 };

    fn shape(blocks: u64) -> Shape {
        Shape { blocks, footprint: Footprint { threads: 256, registers: 64, shared_bytes: 8192 } }
    }

    fn seconds(key: &str, work: &Work, blocks: u64) -> f64 {
        let profile = Profile::named(key).unwrap();
        Model::new(profile).cost(work, &shape(blocks), CLOCKS(profile)).ns as f64 * 1e-9
    }

    #[test]
    fn fused_multiply_adds_alone_reach_the_peak_of_the_data_sheet() {
        for (key, tflops) in [("a100", 19.5), ("h100", 66.9), ("rtx4070", 29.1), ("v100", 15.7)] {
            let profile = Profile::named(key).unwrap();
            let blocks = u64::from(profile.sms) * 8;
            // Warp instructions a block, each 64 FLOP.
            let per_block = 1e6;
            let work = Work { fp32: per_block * blocks as f64, issued: per_block * blocks as f64 * 0.5, ..Work::default() };
            let reached = work.fp32 * 64.0 / seconds(key, &work, blocks) / 1e12;
            assert!((reached / tflops - 1.0).abs() < 0.05, "{key}: {reached:.1} TFLOP/s of {tflops}");
        }
    }

    #[test]
    fn streaming_reaches_most_of_the_dram_bandwidth() {
        let profile = Profile::named("a100").unwrap();
        let bytes = 4e9;
        let work = Work {
            l2_bytes: bytes,
            unique_bytes: bytes,
            requests: bytes / 128.0,
            warps: 1e6,
            longest_warp: 50.0,
            ..Work::default()
        };
        let reached = bytes / seconds("a100", &work, 100_000) / 1e9;
        assert!((0.85 * profile.dram_gb_s..profile.dram_gb_s).contains(&reached), "{reached:.0} GB/s");
    }

    #[test]
    fn one_block_more_than_the_multiprocessors_doubles_the_time() {
        let per_block = 1e6;
        let time = |blocks: u64| seconds("a100", &Work { fp32: per_block * blocks as f64, ..Work::default() }, blocks);
        assert!((time(109) / time(108) - 2.0).abs() < 0.01);
        assert!((time(216) / time(109) - 1.0).abs() < 0.01);
    }

    #[test]
    fn an_empty_kernel_takes_its_start_and_bank_conflicts_cost() {
        assert_eq!(seconds("h100", &Work::default(), 1), costs::KERNEL_START_NS as f64 * 1e-9);
        let shared = |cycles: f64| seconds("h100", &Work { shared_cycles: cycles, ..Work::default() }, 132);
        assert!(shared(32e6) > 20.0 * shared(1e6));
    }

    #[test]
    fn a_working_set_that_fits_l2_is_read_from_dram_once() {
        let profile = Profile::named("a100").unwrap();
        let model = Model::new(profile);
        let fits = Work { l2_bytes: 1e9, unique_bytes: 1e7, ..Work::default() };
        assert_eq!(model.cost(&fits, &shape(1000), CLOCKS(profile)).dram_bytes, 1e7);
        let spills = Work { l2_bytes: 1e9, unique_bytes: 4e8, ..Work::default() };
        let moved = model.cost(&spills, &shape(1000), CLOCKS(profile)).dram_bytes;
        assert!(moved > 4e8 && moved < 1e9);
    }

    #[test]
    fn lower_clocks_slow_what_they_feed_and_nothing_else() {
        let profile = Profile::named("h100").unwrap();
        let model = Model::new(profile);
        let full = CLOCKS(profile);
        let slow = Clocks { sm_hz: full.sm_hz / 2.0, ..full };
        let math = Work { fp32: 1e9, ..Work::default() };
        let stream = Work { l2_bytes: 4e9, unique_bytes: 4e9, ..Work::default() };
        let ratio =
            |work: &Work| model.cost(work, &shape(10_000), slow).ns as f64 / model.cost(work, &shape(10_000), full).ns as f64;
        assert!((ratio(&math) - 2.0).abs() < 0.01);
        assert!(ratio(&stream) < 1.2);
    }
}
