//! Roofs of a GPU, measured by kernels of our own, never derived from a data sheet.
//!
//! | name | what |
//! |---|---|
//! | `flop_per_s`, `flop_per_s_f64` | fused multiply-adds on the SIMT pipes |
//! | `flop_per_s_f16`, `_bf16`, `_tf32`, `_int8` | tensor cores by `mma.sync` (7.5: `f16` alone), operations for `int8`; 9.0's own `wgmma` reaches more |
//! | `l1_bytes_per_s` | reads of shared memory |
//! | `l2_bytes_per_s` | reads of half of the second-level cache |
//! | `dram_bytes_per_s` | reads of sixteen times that cache |
//! | `dram_triad_bytes_per_s` | `a = b + s·c`, as STREAM counts |
//!
//! All multiprocessors work at once. Each value is the best of the repeats. What cannot be measured, or comes out above what any multiprocessor can do,
//! has no roof, and the device's notes say why.

use std::collections::VecDeque;
use std::rc::Rc;

use super::context::{Event, Memory, Module};
use super::device::Machine;
use super::door::guarded;
use super::launch::{Call, Places, Ready};
use super::timing::keep;
use super::{Architecture, Arg, Include, Launch, Unit};
use crate::{DeviceError, Roof};

const TEXT: &str = include_str!("roofs.cu");
const REPEATS: usize = 7;
/// A repeat lasts at least this long: thousands of times the tick of the events' clock.
const REPEAT_S: f64 = 2e-3;
/// Repeats count once the rates of so many in a row are within [`SETTLED`] of each other, clocks up; after so many seconds of work they count as they are.
const STILL: usize = 10;
const WARM_UP_S: f64 = 0.5;
/// On a virtual GPU: most rounds; time they must add to be told from none, a thousand ticks of its events' clock.
const MOST_ROUNDS: i32 = 256;
const RESOLVED_S: f64 = 1e-6;
/// Change of a rate that counts as none.
const SETTLED: f64 = 0.02;
/// Bytes that a virtual GPU reads at most, of the second-level cache over and over and of main memory once: what is interpreted need not be much.
const MODELLED_BYTES: [u64; 2] = [4 << 20, 32 << 20];
/// A roof above so many times what all multiprocessors could do at their highest clock is a mistake of the measurement.
const BEYOND: f64 = 1.25;
/// Threads per block.
const THREADS: u32 = 256;
/// Blocks per multiprocessor.
const BLOCKS: u32 = 4;
/// Iterations that a round of the text unrolls.
const UNROLLED: f64 = 16.0;
/// Main memory is read through a buffer of so many second-level caches: what of it is left from the pass before is at most a sixteenth.
const DRAM_CACHES: u64 = 16;
/// Tensor cores by element type: kernel, products that a step of it adds to each of 16 × 8 sums, operations that no multiprocessor so far exceeds in a
/// clock.
const TENSOR: [(&str, &str, f64, f64); 4] = [
    ("flop_per_s_f16", "roof_f16", 16.0, 16384.0),
    ("flop_per_s_bf16", "roof_bf16", 16.0, 16384.0),
    ("flop_per_s_tf32", "roof_tf32", 8.0, 8192.0),
    ("flop_per_s_int8", "roof_int8", 32.0, 32768.0),
];

/// The roofs, and a sentence for each that there is none of.
pub(super) type Roofs = (Vec<Roof>, Vec<String>);

/// What the families multiply on tensor cores of `arch`: halves come first, and are all there is on 7.5.
fn tensor(arch: Architecture) -> &'static [(&'static str, &'static str, f64, f64)] {
    match arch {
        arch if arch >= Architecture::new(8, 0) => &TENSOR,
        arch if arch >= Architecture::new(7, 5) => &TENSOR[..1],
        _ => &[],
    }
}

/// Measures all roofs; a few seconds.
pub(super) fn measure(machine: &Machine) -> Roofs {
    let none = |error: DeviceError| (Vec::new(), vec![format!("no roofs: {error}")]);
    guarded("roofs", || Ok(Bench::new(machine)?.all())).unwrap_or_else(none)
}

/// What a kernel is bound by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Bound {
    /// Every round takes as long.
    Rounds,
    /// Main memory: the first pass is all misses; of later ones the caches may serve a part.
    FirstPass,
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
    /// What one multiprocessor can do in a clock on any architecture so far.
    per_clock: f64,
    bound: Bound,
    args: &'a dyn Fn(i32) -> Vec<Arg>,
    memory: &'a [Memory],
}

impl<'a> Bench<'a> {
    fn new(machine: &'a Machine) -> Result<Self, DeviceError> {
        let plain = ["roof_f32", "roof_f64", "roof_read", "roof_triad", "roof_shared"];
        let kernels = plain.into_iter().chain(tensor(machine.gpu().arch).iter().map(|(_, kernel, ..)| *kernel)).collect();
        let unit = Unit { texts: vec![TEXT], defines: Vec::new(), include: Include::None, kernels, arch_specific: false };
        let (_, module) = machine.load(&unit)?;
        let context = machine.context()?;
        Ok(Self { machine, module, events: [context.event()?, context.event()?] })
    }

    fn all(&self) -> Roofs {
        let threads = f64::from(self.machine.gpu().sms * BLOCKS * THREADS);
        let simt = |name, kernel, args: &dyn Fn(i32) -> Vec<Arg>, (per_thread, per_clock): (f64, f64)| {
            let per_round = threads * per_thread;
            self.scalar(&Roofed { name, kernel, per_round, per_clock, bound: Bound::Rounds, args, memory: &[] })
        };
        let (single, double) = (
            |rounds| vec![Arg::Output, Arg::Int(rounds), Arg::Float(0.5), Arg::Float(1.0)],
            |rounds| vec![Arg::Output, Arg::Int(rounds), Arg::Double(0.5), Arg::Double(1.0)],
        );
        let plain = |rounds| vec![Arg::Output, Arg::Int(rounds)];
        let mut roofs = vec![
            simt("flop_per_s", "roof_f32", &single, (UNROLLED * 8.0 * 2.0, 256.0)),
            simt("flop_per_s_f64", "roof_f64", &double, (UNROLLED * 8.0 * 2.0, 128.0)),
            simt("l1_bytes_per_s", "roof_shared", &plain, (UNROLLED * 16.0, 128.0)),
        ];
        // By the 32 threads of a warp together.
        let by_warp = |&(name, kernel, depth, most): &(_, _, f64, f64)| {
            simt(name, kernel, &plain, (UNROLLED * 2.0 * 16.0 * 8.0 * depth / 32.0, most))
        };
        roofs.extend(tensor(self.machine.gpu().arch).iter().map(by_warp));
        let llc = self.machine.info.llc_bytes();
        let most = if self.machine.gpu().simulated { MODELLED_BYTES } else { [u64::MAX; 2] };
        let (cached, main) = ((llc / 2).min(most[0]), (DRAM_CACHES * llc).min(most[1]));
        roofs.push(self.read("l2_bytes_per_s", cached, Bound::Rounds));
        roofs.push(self.read("dram_bytes_per_s", main, Bound::FirstPass));
        roofs.push(self.triad(main));
        // A level that could not be measured has no roof; the others stand.
        let (found, missing): (Vec<_>, Vec<_>) = roofs.into_iter().partition(Result::is_ok);
        (found.into_iter().flatten().collect(), missing.into_iter().filter_map(Result::err).collect())
    }

    fn read(&self, name: &str, bytes: u64, bound: Bound) -> Result<Roof, String> {
        let memory = [self.buffer(bytes).map_err(|error| missing(name, error))?];
        let count = count(&memory[0]);
        let args = |rounds| vec![Arg::Output, Arg::Scratch(0), Arg::Long(count), Arg::Int(rounds)];
        let (kernel, per_round) = ("roof_read", bytes_of(count));
        self.scalar(&Roofed { name, kernel, per_round, per_clock: 128.0, bound, args: &args, memory: &memory })
    }

    fn triad(&self, bytes: u64) -> Result<Roof, String> {
        let name = "dram_triad_bytes_per_s";
        let memory = [self.buffer(bytes).map_err(|error| missing(name, error))?];
        let third = count(&memory[0]) / 3;
        let at = |i: i64| Arg::Scratch((16 * i * third).cast_unsigned());
        let args = |rounds| vec![at(0), at(1), at(2), Arg::Long(third), Arg::Float(0.5), Arg::Int(rounds)];
        let (kernel, per_round, bound) = ("roof_triad", 3.0 * bytes_of(third), Bound::FirstPass);
        self.scalar(&Roofed { name, kernel, per_round, per_clock: 128.0, bound, args: &args, memory: &memory })
    }

    fn buffer(&self, bytes: u64) -> Result<Memory, DeviceError> {
        let context = self.machine.context()?;
        let memory = context.memory("a roof's buffer", bytes.min(context.free_bytes()? / 2).max(1 << 16))?;
        context.fill(memory.address(), 0, memory.bytes())?;
        Ok(memory)
    }

    fn scalar(&self, roofed: &Roofed<'_>) -> Result<Roof, String> {
        let gpu = self.machine.gpu();
        let roof = if gpu.simulated { self.modelled(roofed) } else { self.repeated(roofed).map_err(|error| error.to_string()) };
        let roof = roof.map_err(|why| missing(roofed.name, why))?;
        let most = roofed.per_clock * f64::from(gpu.sms) * gpu.clock_hz * BEYOND;
        if most > 0.0 && roof.value > most {
            return Err(missing(
                roofed.name,
                format!("`{:.3e}` per second is above what the GPU can do, `{most:.3e}`", roof.value),
            ));
        }
        Ok(roof)
    }

    /// Doubles the rounds until a repeat is long enough, repeats until the rate stands still, and then counts.
    fn repeated(&self, roofed: &Roofed<'_>) -> Result<Roof, DeviceError> {
        let mut rounds = 1;
        while self.once(roofed, rounds)? < REPEAT_S && rounds < 1 << 24 {
            rounds *= 2;
        }
        let done = roofed.per_round * f64::from(rounds);
        warm_up(&mut || self.once(roofed, rounds))?;
        let rate = |_| self.once(roofed, rounds).map(|seconds| done / seconds.max(f64::MIN_POSITIVE));
        let rates = (0..REPEATS).map(rate).collect::<Result<Vec<_>, _>>()?;
        let low = rates.iter().copied().fold(f64::INFINITY, f64::min);
        let high = rates.iter().copied().fold(0.0, f64::max);
        Ok(Roof { name: roofed.name.to_owned(), value: high, low, high })
    }

    /// Virtual time repeats exactly and every instruction is interpreted, so launches are as short as will do: what further rounds add tells their cost
    /// from that of a launch and of first passes, and is believed once doubling them no longer changes it.
    fn modelled(&self, roofed: &Roofed<'_>) -> Result<Roof, String> {
        let once = |rounds| self.once(roofed, rounds).map_err(|error| error.to_string());
        let value = match roofed.bound {
            Bound::FirstPass => slope(roofed.per_round, once(1)? - once(0)?),
            Bound::Rounds => settled(roofed.per_round, &once)?,
        };
        let value = value.ok_or("its time cannot be told from that of a launch without work")?;
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
        let scratch = roofed.memory.first().map_or(out.address(), Memory::address);
        let places = Places { operands: Vec::new(), output: out.address(), scratch };
        let mut call = Call::new(&ready, &places);
        let [first, last] = &self.events;
        first.record()?;
        call.queue(context)?;
        last.record()?;
        last.wait()?;
        first.seconds_to(last)
    }
}

fn missing(name: &str, why: impl std::fmt::Display) -> String {
    format!("no roof `{name}`: {why}")
}

/// Repeats what takes `once` until its time stands still, or for [`WARM_UP_S`].
fn warm_up(once: &mut dyn FnMut() -> Result<f64, DeviceError>) -> Result<(), DeviceError> {
    let (mut spent_s, mut last) = (0.0, VecDeque::new());
    while spent_s < WARM_UP_S {
        let seconds = once()?;
        spent_s += seconds;
        keep(&mut last, vec![seconds], STILL);
        let (least, most) = last.iter().fold((f64::INFINITY, 0.0f64), |(least, most), &s| (least.min(s), most.max(s)));
        if last.len() == STILL && most <= least * (1.0 + SETTLED) {
            break;
        }
    }
    Ok(())
}

/// Work per second where the seconds can be told from none.
fn slope(work: f64, seconds: f64) -> Option<f64> {
    (seconds >= RESOLVED_S).then(|| work / seconds)
}

/// The rate of further rounds, from the first doubling on that leaves it what it was; `None` where no doubling took any time.
fn settled(per_round: f64, once: &dyn Fn(i32) -> Result<f64, String>) -> Result<Option<f64>, String> {
    let (mut rounds, mut before_s, mut last) = (1, once(1)?, None);
    while rounds < MOST_ROUNDS {
        let seconds = once(2 * rounds)?;
        let rate = slope(per_round * f64::from(rounds), seconds - before_s);
        if let (Some(rate), Some(last)) = (rate, last)
            && f64::abs(rate / last - 1.0) < SETTLED
        {
            return Ok(Some(rate));
        }
        (rounds, before_s, last) = (2 * rounds, seconds, rate);
    }
    if last.is_none() { Ok(None) } else { Err(format!("its rate still changes after `{MOST_ROUNDS}` rounds")) }
}

/// Vectors of 16 bytes in a buffer.
fn count(memory: &Memory) -> i64 {
    i64::try_from(memory.bytes() / 16).expect("buffers are far below 2^63")
}

#[allow(clippy::cast_precision_loss)] // a buffer's size
fn bytes_of(vectors: i64) -> f64 {
    16.0 * vectors as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn repeats_count_once_their_time_stands_still() {
        // A clock that climbs for 40 repeats, then stands.
        let mut repeats = 0;
        let mut climbing = || {
            repeats += 1;
            Ok(2e-3 * (1.0 + f64::from(40 - repeats.min(40)) / 20.0))
        };
        warm_up(&mut climbing).expect("nothing fails");
        assert!((45..=50).contains(&repeats), "{repeats}");
        let mut never = 0;
        let mut restless = || {
            never += 1;
            Ok(if never % 2 == 0 { 2e-3 } else { 3e-3 })
        };
        warm_up(&mut restless).expect("nothing fails");
        assert!((200..=201).contains(&never), "half a second of work is enough");
    }

    #[test]
    fn a_rate_is_what_settles_and_never_what_cannot_be_told_from_none() {
        let settle = |time: &dyn Fn(f64) -> f64| settled(1e6, &|rounds| Ok(time(f64::from(rounds))));
        // A launch, and rounds of a microsecond.
        let plain = settle(&|rounds| 2e-6 + rounds * 1e-6).expect("settles").expect("is resolved");
        assert!((plain / 1e12 - 1.0).abs() < 1e-9, "{plain}");
        // Beside a first pass of 20 µs, of which early rounds hide behind (a soft maximum, as the virtual GPU has it).
        let hidden = |rounds: f64| 2e-6 + (20e-6f64.powi(8) + (rounds * 1e-6).powi(8)).powf(0.125);
        let cached = settle(&hidden).expect("settles").expect("is resolved");
        assert!((cached / 1e12 - 1.0).abs() < 0.05, "{cached}");
        assert_eq!(settle(&|_| 3e-6), Ok(None), "a launch that takes the same whatever it does has no rate");
        assert!(settle(&|rounds| rounds * rounds * 1e-6).is_err_and(|why| why.contains("still changes")));
    }
}
