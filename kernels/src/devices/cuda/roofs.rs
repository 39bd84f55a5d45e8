//! Roofs of a GPU, measured by kernels of our own, never derived from a data sheet.
//!
//! | name | what |
//! |---|---|
//! | `flop_per_s`, `flop_per_s_f64` | fused multiply-adds on the SIMT pipes |
//! | `flop_per_s_f16` | tensor cores by `mma.sync` (8.0 and later); 9.0's own `wgmma` reaches more |
//! | `l1_bytes_per_s` | reads of shared memory |
//! | `l2_bytes_per_s` | reads of half of the second-level cache |
//! | `dram_bytes_per_s` | reads of four times that cache |
//! | `dram_triad_bytes_per_s` | `a = b + s·c`, as STREAM counts |
//!
//! All multiprocessors work at once. Each value is the best of the repeats. What cannot be measured has no roof.

use std::rc::Rc;

use super::context::{Event, Memory, Module};
use super::device::Machine;
use super::door::guarded;
use super::launch::{Call, Place, Places, Ready};
use super::{Architecture, Arg, Include, Launch, Unit};
use crate::{DeviceError, Dtype, Roof, Tensor};

const TEXT: &str = include_str!("roofs.cu");
const REPEATS: usize = 7;
/// A repeat lasts at least this long: thousands of times the tick of the events' clock.
const REPEAT_S: f64 = 2e-3;
/// Rounds of the shorter of two launches on a virtual GPU.
const MODELLED: i32 = 1;
/// Threads per block.
const THREADS: u32 = 256;
/// Blocks per multiprocessor.
const BLOCKS: u32 = 4;
/// Iterations that a round of the text unrolls.
const UNROLLED: f64 = 16.0;
/// Main memory is read through a buffer of four second-level caches, of which at most a quarter can be left from the pass before.
const DRAM_CACHES: u64 = 4;

/// Measures all roofs; about a second.
pub(super) fn measure(machine: &Machine) -> Vec<Roof> {
    guarded("roofs", || Ok(Bench::new(machine)?.all())).unwrap_or_default()
}

struct Bench<'a> {
    machine: &'a Machine,
    module: Rc<Module>,
    events: [Event; 2],
}

/// One kernel, what it does in a round, and its arguments for so many rounds.
struct Roofed<'a> {
    name: &'a str,
    kernel: &'static str,
    per_round: f64,
    args: &'a dyn Fn(i32) -> Vec<Arg>,
    memory: &'a [Memory],
}

impl<'a> Bench<'a> {
    fn new(machine: &'a Machine) -> Result<Self, DeviceError> {
        let kernels = vec!["roof_f32", "roof_f64", "roof_f16", "roof_read", "roof_triad", "roof_shared"];
        let unit = Unit { texts: vec![TEXT], defines: Vec::new(), include: Include::None, kernels, arch_specific: false };
        let (_, module) = machine.load(&unit)?;
        let context = machine.context()?;
        Ok(Self { machine, module, events: [context.event()?, context.event()?] })
    }

    fn all(&self) -> Vec<Roof> {
        let threads = f64::from(self.machine.gpu().sms * BLOCKS * THREADS);
        let simt = |name, kernel, args: &dyn Fn(i32) -> Vec<Arg>, per_thread: f64| {
            self.scalar(&Roofed { name, kernel, per_round: threads * per_thread, args, memory: &[] })
        };
        let (single, double) = (
            |rounds| vec![Arg::Output, Arg::Int(rounds), Arg::Float(0.5), Arg::Float(1.0)],
            |rounds| vec![Arg::Output, Arg::Int(rounds), Arg::Double(0.5), Arg::Double(1.0)],
        );
        let plain = |rounds| vec![Arg::Output, Arg::Int(rounds)];
        let mut roofs = vec![
            simt("flop_per_s", "roof_f32", &single, UNROLLED * 8.0 * 2.0),
            simt("flop_per_s_f64", "roof_f64", &double, UNROLLED * 8.0 * 2.0),
            simt("l1_bytes_per_s", "roof_shared", &plain, UNROLLED * 16.0),
        ];
        if self.machine.gpu().arch >= Architecture::new(8, 0) {
            // 2·16·8·16 FLOP by the 32 threads of a warp.
            roofs.push(simt("flop_per_s_f16", "roof_f16", &plain, UNROLLED * 2.0 * 16.0 * 8.0 * 16.0 / 32.0));
        }
        let llc = self.machine.info.llc_bytes();
        roofs.push(self.read("l2_bytes_per_s", llc / 2));
        roofs.push(self.read("dram_bytes_per_s", DRAM_CACHES * llc));
        roofs.push(self.triad(DRAM_CACHES * llc));
        // A level that could not be measured has no roof; the others stand.
        roofs.into_iter().flatten().collect()
    }

    fn read(&self, name: &str, bytes: u64) -> Result<Roof, DeviceError> {
        let memory = [self.buffer(bytes)?];
        let count = count(&memory[0]);
        let args = |rounds| vec![Arg::Output, Arg::Scratch(0), Arg::Long(count), Arg::Int(rounds)];
        self.scalar(&Roofed { name, kernel: "roof_read", per_round: bytes_of(count), args: &args, memory: &memory })
    }

    fn triad(&self, bytes: u64) -> Result<Roof, DeviceError> {
        let memory = [self.buffer(bytes)?];
        let third = count(&memory[0]) / 3;
        let at = |i: i64| Arg::Scratch((16 * i * third).cast_unsigned());
        let args = |rounds| vec![at(0), at(1), at(2), Arg::Long(third), Arg::Float(0.5), Arg::Int(rounds)];
        let per_round = 3.0 * bytes_of(third);
        self.scalar(&Roofed { name: "dram_triad_bytes_per_s", kernel: "roof_triad", per_round, args: &args, memory: &memory })
    }

    fn buffer(&self, bytes: u64) -> Result<Memory, DeviceError> {
        let context = self.machine.context()?;
        let memory = context.memory("a roof's buffer", bytes.min(context.free_bytes()? / 2).max(1 << 16))?;
        context.fill(memory.address(), 0, memory.bytes())?;
        Ok(memory)
    }

    /// Doubles the rounds until a repeat is long enough, then repeats.
    fn scalar(&self, roofed: &Roofed<'_>) -> Result<Roof, DeviceError> {
        if self.machine.gpu().simulated {
            return self.modelled(roofed);
        }
        let mut rounds = 1;
        while self.once(roofed, rounds)? < REPEAT_S && rounds < 1 << 24 {
            rounds *= 2;
        }
        let done = roofed.per_round * f64::from(rounds);
        let rate = |_| self.once(roofed, rounds).map(|seconds| done / seconds.max(f64::MIN_POSITIVE));
        let rates = (0..REPEATS).map(rate).collect::<Result<Vec<_>, _>>()?;
        let low = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let high = rates.iter().copied().fold(0.0, f64::max);
        Ok(Roof { name: roofed.name.to_owned(), value: high, low, high })
    }

    /// Virtual time repeats exactly and every instruction is interpreted: two short launches tell the cost of a round from that of a launch.
    fn modelled(&self, roofed: &Roofed<'_>) -> Result<Roof, DeviceError> {
        let seconds = self.once(roofed, 2 * MODELLED)? - self.once(roofed, MODELLED)?;
        let value = roofed.per_round * f64::from(MODELLED) / seconds.max(1e-12);
        Ok(Roof { name: roofed.name.to_owned(), value, low: value, high: value })
    }

    /// Seconds of one launch with so many rounds.
    fn once(&self, roofed: &Roofed<'_>, rounds: i32) -> Result<f64, DeviceError> {
        let context = self.machine.context()?;
        let launch = Launch {
            kernel: roofed.kernel,
            grid: [self.machine.gpu().sms.max(1) * BLOCKS, 1, 1],
            block: [THREADS, 1, 1],
            dynamic_shared_bytes: 0,
            args: (roofed.args)(rounds),
        };
        let ready = [Ready::new(&launch, &self.module, 0, self.machine.gpu())?];
        // Results are never stored; a valid address still stands for them.
        let out = context.memory("a roof's result", 1 << 16)?;
        let unused = Tensor::zeros("out", Dtype::F32, (1, 1), 1);
        let scratch = roofed.memory.first().map_or(out.address(), Memory::address);
        let places = Places { operands: Vec::new(), output: Place::of(&unused, out.address()), scratch };
        let mut call = Call::new(&ready, &places)?;
        let [first, last] = &self.events;
        first.record()?;
        call.queue(context)?;
        last.record()?;
        last.wait()?;
        first.seconds_to(last)
    }
}

/// Vectors of 16 bytes in a buffer.
fn count(memory: &Memory) -> i64 {
    i64::try_from(memory.bytes() / 16).expect("buffers are far below 2^63")
}

#[allow(clippy::cast_precision_loss)] // a buffer's size
fn bytes_of(vectors: i64) -> f64 {
    16.0 * vectors as f64
}
