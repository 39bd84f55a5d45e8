//! Running a kernel: module + memory + launch → report or fault.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use rayon::prelude::*;

use crate::check::global::GlobalShadow;
use crate::check::publications::Publications;
use crate::check::{Check, Checks, Finding};
use crate::counters::Counters;
use crate::exec::block::{Block, Progress, mixed};
use crate::exec::worker::{Env, Worker};
use crate::memory::{AllocationId, Memory, OutOfMemory};
use crate::ptx::op::Symbol;
use crate::ptx::{Function, Module};

/// A module placed in device memory.
pub struct Image {
    /// The module.
    pub module: Arc<Module>,
    /// Address and bytes of each variable.
    pub globals: BTreeMap<String, (u64, u64)>,
}

impl Image {
    /// Places and initialises `.global` and `.const` data.
    ///
    /// # Errors
    /// The device is full.
    pub fn load(module: Arc<Module>, memory: &Memory) -> Result<Self, OutOfMemory> {
        let mut globals = BTreeMap::new();
        for global in &module.globals {
            let ptr = memory.alloc(global.size, &global.name)?;
            globals.insert(global.name.clone(), (ptr, global.size));
        }
        for global in &module.globals {
            let mut bytes = global.init.clone();
            for (at, name, offset) in &global.addresses {
                let address = globals.get(name).map_or(0, |g| g.0).wrapping_add(*offset as u64);
                bytes[*at..*at + 8].copy_from_slice(&address.to_le_bytes());
            }
            // The variable was just allocated with its size.
            memory.write(globals[&global.name].0, &bytes).map_err(|_| OutOfMemory { wanted: global.size, free: 0, total: 0 })?;
        }
        Ok(Self { module, globals })
    }

    /// Frees the variables.
    pub fn unload(&self, memory: &Memory) {
        for (ptr, _) in self.globals.values() {
            // Freeing twice changes nothing.
            let _ = memory.free(*ptr);
        }
    }

    fn addresses(&self, function: &Function) -> Vec<u64> {
        let address = |symbol: &Symbol| match symbol {
            Symbol::Global(name) => self.globals.get(name).map_or(0, |g| g.0),
            Symbol::Shared(at) | Symbol::Local(at) | Symbol::Param(at) => u64::from(*at),
            Symbol::Dynamic => dynamic_start(function),
        };
        function.symbols.iter().map(address).collect()
    }
}

/// Dynamic shared memory begins behind the static one, aligned as wide as any access.
fn dynamic_start(function: &Function) -> u64 {
    function.static_shared_bytes.next_multiple_of(16)
}

/// One launch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Launch {
    /// Blocks per dimension.
    pub grid: [u32; 3],
    /// Threads per dimension.
    pub block: [u32; 3],
    /// Bytes of `extern __shared__`.
    pub dynamic_shared_bytes: u32,
    /// Laid out as the function's `params`.
    pub params: Vec<u8>,
}

/// When to give up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Warp instructions of the whole launch after which it counts as hung.
    pub warp_instructions: u64,
}

/// How to run.
#[derive(Debug, Clone)]
pub struct Options {
    /// What is checked.
    pub checks: Checks,
    /// Shuffles the order of blocks and warps.
    pub seed: u64,
    /// Threads that run blocks.
    pub threads: usize,
    /// When to give up.
    pub limits: Limits,
}

impl Default for Options {
    fn default() -> Self {
        Self { checks: Checks::ALL, seed: 0, threads: 1, limits: Limits { warp_instructions: 4_000_000_000 } }
    }
}

/// What a launch that ended well did.
#[derive(Debug, Clone)]
pub struct Report {
    /// Counted.
    pub counters: Counters,
    /// Allocations read.
    pub reads: Vec<AllocationId>,
    /// Allocations written.
    pub writes: Vec<AllocationId>,
    /// No global word is both read and written, and there are no atomics: running it again would change nothing. False when `Check::GlobalRaces` is off.
    pub idempotent: bool,
    /// Races, uninitialised reads, divergent barriers.
    pub findings: Vec<Finding>,
}

/// What ended a launch.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Fault {
    /// Outside any allocation (`CUDA_ERROR_ILLEGAL_ADDRESS`).
    #[error("{0}")]
    Address(Box<Finding>),
    /// Not a multiple of the access size (`CUDA_ERROR_MISALIGNED_ADDRESS`).
    #[error("{0}")]
    Misaligned(Box<Finding>),
    /// `trap` (`CUDA_ERROR_LAUNCH_FAILED`).
    #[error("{0}")]
    Trap(Box<Finding>),
    /// A failed `assert` (`CUDA_ERROR_ASSERT`).
    #[error("{0}")]
    Assert(Box<Finding>),
    /// Too many instructions, or every warp waits for another (`CUDA_ERROR_LAUNCH_TIMEOUT`).
    #[error("{0}")]
    Timeout(Box<Finding>),
    /// The launch itself is wrong: no such function, sizes beyond the function's (`CUDA_ERROR_INVALID_VALUE`).
    #[error("{0}")]
    Invalid(String),
    /// Something this GPU does not do (`CUDA_ERROR_NOT_SUPPORTED`).
    #[error("`{what}` is not supported (ptx line {line})")]
    Unsupported {
        /// What.
        what: String,
        /// Line of the PTX text.
        line: u32,
    },
}

/// Runs one kernel to its end.
///
/// # Errors
/// [`Fault`]: what ended it. Memory then holds whatever was written before.
pub fn run(image: &Image, function: &str, launch: &Launch, memory: &Memory, options: &Options) -> Result<Report, Fault> {
    let kernel = image.module.function(function).ok_or_else(|| Fault::Invalid(format!("`{function}` is not in the module")))?;
    let blocks = accept(kernel, launch)?;
    let allocations = memory.snapshot();
    let shadow = options.checks.has(Check::GlobalRaces).then(|| GlobalShadow::new(allocations.len(), kernel.global_granule));
    let env = Env {
        image,
        function: kernel,
        launch,
        memory,
        symbols: image.addresses(kernel),
        shadow,
        checks: options.checks,
        seed: options.seed,
        shared_bytes: (dynamic_start(kernel) + u64::from(launch.dynamic_shared_bytes)) as u32,
        executed: AtomicU64::new(0),
        limit: options.limits.warp_instructions,
        stop: AtomicBool::new(false),
        publications: Publications::default(),
        atomics: AtomicBool::new(false),
        allocations,
    };
    let next = AtomicU64::new(0);
    let threads = options.threads.clamp(1, blocks as usize);
    let finished: Vec<(Worker<'_>, Option<Fault>)> = if threads == 1 {
        vec![work(&env, &next, blocks)]
    } else {
        (0..threads).into_par_iter().with_max_len(1).map(|_| work(&env, &next, blocks)).collect()
    };
    conclude(&env, finished)
}

/// Checks a launch against its function; gives the number of blocks.
fn accept(kernel: &Function, launch: &Launch) -> Result<u32, Fault> {
    let product = |d: [u32; 3]| d.iter().try_fold(1u32, |p, &n| p.checked_mul(n)).filter(|&p| p > 0);
    let threads = product(launch.block).filter(|&t| t <= 1024);
    let Some(threads) = threads else {
        return Err(Fault::Invalid(format!("block `{:?}` does not have 1 to 1024 threads", launch.block)));
    };
    if let Some(most) = kernel.max_threads.filter(|&most| threads > most) {
        return Err(Fault::Invalid(format!("block of `{threads}` threads: `{}` is limited to {most}", kernel.name)));
    }
    if launch.params.len() != kernel.param_bytes as usize {
        let (given, wanted) = (launch.params.len(), kernel.param_bytes);
        return Err(Fault::Invalid(format!("`{given}` bytes of parameters: `{}` takes {wanted}", kernel.name)));
    }
    match product(launch.grid).filter(|&b| b < u32::MAX - 1) {
        Some(blocks) => Ok(blocks),
        None => Err(Fault::Invalid(format!("grid `{:?}` has no blocks, or more than this GPU can count", launch.grid))),
    }
}

/// Blocks one thread keeps waiting for others before it starts no new ones.
const RESIDENT: usize = 64;

/// Takes blocks until none is left. A block that waits for another is put aside and comes back later.
fn work<'a>(env: &'a Env<'a>, next: &AtomicU64, blocks: u32) -> (Worker<'a>, Option<Fault>) {
    let mut worker = Worker::new(env);
    let mut waiting: VecDeque<Block> = VecDeque::new();
    let mut spare: Vec<Block> = Vec::new();
    let mut fresh = true;
    while !env.stop.load(Ordering::Relaxed) {
        let taken = if fresh && waiting.len() < RESIDENT { next.fetch_add(1, Ordering::Relaxed) } else { u64::MAX };
        fresh &= taken == u64::MAX || taken < u64::from(blocks);
        let mut block = if taken < u64::from(blocks) {
            let mut block = spare.pop().unwrap_or_else(|| Block::new(env));
            block.start(env, nth_block(env.seed, taken as u32, blocks));
            block
        } else if let Some(block) = waiting.pop_front() {
            block
        } else if fresh {
            continue;
        } else {
            break;
        };
        match block.run(&mut worker) {
            Ok(Progress::Done) => spare.push(block),
            Ok(Progress::Waits) => waiting.push_back(block),
            Err(fault) => return (worker, Some(fault)),
        }
    }
    (worker, None)
}

/// The blocks in an order that the seed chooses: steps of a size that has no factor in common with their number reach each once.
fn nth_block(seed: u64, nth: u32, blocks: u32) -> u32 {
    if seed == 0 {
        return nth;
    }
    let n = u64::from(blocks);
    let mut step = (mixed(seed) % n) | 1;
    while gcd(step, n) != 1 {
        step += 2;
    }
    ((u64::from(nth) * step + mixed(seed ^ 1) % n) % n) as u32
}

fn gcd(a: u64, b: u64) -> u64 {
    if b == 0 { a } else { gcd(b, a % b) }
}

fn conclude(env: &Env<'_>, finished: Vec<(Worker<'_>, Option<Fault>)>) -> Result<Report, Fault> {
    let mut counters = Counters::default();
    let mut counts = vec![[0u64; 2]; env.function.code.len()];
    let mut touched = vec![0u8; env.allocations.len()];
    let mut findings: BTreeMap<_, (u32, u32, Finding)> = BTreeMap::new();
    let mut fault = None;
    for (worker, ended) in finished {
        counters.merge(&worker.counters);
        counts.iter_mut().zip(&worker.counts).for_each(|(a, b)| *a = [a[0] + b[0], a[1] + b[1]]);
        touched.iter_mut().zip(&worker.touched).for_each(|(a, b)| *a |= b);
        for (key, found) in worker.findings {
            join_finding(&mut findings, (key.1, key.0), found);
        }
        fault = fault.or(ended);
    }
    let with = |bit: u8| env.allocations.iter().zip(&touched).filter(move |(_, t)| **t & bit != 0).map(|(a, _)| a);
    with(2).for_each(|a| a.bump());
    if let Some(fault) = fault {
        return Err(fault);
    }
    for (inst, [warps, lanes]) in env.function.code.iter().zip(counts) {
        counters.count(inst, warps, lanes);
    }
    let mixed = env.shadow.as_ref().is_none_or(|s| s.mixed.load(Ordering::Relaxed));
    Ok(Report {
        counters,
        reads: with(1).map(|a| a.id).collect(),
        writes: with(2).map(|a| a.id).collect(),
        idempotent: !mixed && !env.atomics.load(Ordering::Relaxed),
        findings: findings.into_values().map(|(.., f)| f).collect(),
    })
}

/// Of several findings at one instruction the one in the first block is told.
fn join_finding<K: Ord>(all: &mut BTreeMap<K, (u32, u32, Finding)>, key: K, found: (u32, u32, Finding)) {
    match all.entry(key) {
        Entry::Vacant(place) => {
            place.insert(found);
        }
        Entry::Occupied(mut place) => {
            let old = place.get_mut();
            let times = old.2.times + found.2.times;
            if (found.0, found.1) < (old.0, old.1) {
                *old = found;
            }
            old.2.times = times;
        }
    }
}
