//! The machine behind both interfaces: cards, contexts and everything that handles name.
//!
//! One machine serves a process; it is made from the environment at the first call. A thread can work on a machine of its own ([`scoped`]), which is how tests run beside
//! each other.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use crate::driver::config::Config;
use crate::driver::objects::{Context, Event, Function, HostBlock, LoadedModule, Made, Memo, MemoKey, Stream};
use crate::memory::Memory;
use crate::nvml::card::Card;
use crate::ptx::Module;

/// Where device addresses begin, and how far apart those of two cards are: 1 TiB, far above any card's memory, so that an address names one card.
const FIRST_ADDRESS: u64 = 0x7e00_0000_0000;
const ADDRESSES: u64 = 1 << 40;

/// Everything there is.
pub struct Machine {
    /// How it was made.
    pub config: Config,
    /// Device memory of each card.
    pub memories: Vec<Memory>,
    inner: Mutex<Inner>,
}

/// What changes.
#[derive(Default)]
pub(crate) struct Inner {
    /// Whether `cuInit` was called.
    pub(crate) initialised: bool,
    /// Unfinished `nvmlInit`s.
    pub(crate) nvml_users: u32,
    next_handle: u64,
    pub(crate) contexts: HashMap<u64, Context>,
    /// Primary context of each card and how often it is retained.
    pub(crate) primary: Vec<Option<(u64, u32)>>,
    pub(crate) streams: HashMap<u64, Stream>,
    pub(crate) events: HashMap<u64, Event>,
    pub(crate) modules: HashMap<u64, LoadedModule>,
    pub(crate) functions: HashMap<u64, Function>,
    /// Device allocations and the context each belongs to.
    pub(crate) allocations: HashMap<u64, u64>,
    pub(crate) host: HashMap<u64, HostBlock>,
    pub(crate) cards: Vec<Card>,
    pub(crate) parsed: HashMap<String, Arc<Module>>,
    pub(crate) memo: HashMap<MemoKey, Memo>,
    /// The launches made last, the latest at the end.
    pub(crate) made: VecDeque<Made>,
    /// Launches that were interpreted, and launches that only took their time.
    pub(crate) executed: u64,
    pub(crate) remembered: u64,
    pub(crate) last_counters: Arc<str>,
    /// Ends of launches the device has not reached, per card.
    pub(crate) queues: Vec<VecDeque<u64>>,
}

impl Inner {
    /// A handle never given before. Handles look like addresses and are none.
    pub(crate) fn handle(&mut self) -> u64 {
        self.next_handle += 0x10;
        0x5647_0000_0000 + self.next_handle
    }
}

impl Machine {
    /// A machine of `config`'s cards.
    pub fn new(config: Config) -> Self {
        let memories = config.devices.iter().enumerate().map(|(i, (profile, scenario))| {
            let others: u64 = scenario.process.iter().map(|p| p.memory_mib << 20).sum();
            Memory::at(profile.memory_bytes().saturating_sub(others), FIRST_ADDRESS + i as u64 * ADDRESSES)
        });
        let mut cards: Vec<Card> =
            config.devices.iter().enumerate().map(|(i, (profile, scenario))| Card::new(i, profile, scenario.clone())).collect();
        if let Some(path) = &config.state {
            crate::nvml::settings::load(path, &mut cards);
        }
        let inner =
            Inner { primary: vec![None; cards.len()], queues: vec![VecDeque::new(); cards.len()], cards, ..Inner::default() };
        Self { memories: memories.collect(), inner: Mutex::new(inner), config }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Inner> {
        // A panic inside a call was turned into an error already; the state it left is checked by every later call.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Launches interpreted so far, and launches that the memo answered.
    pub fn launches(&self) -> (u64, u64) {
        let inner = self.lock();
        (inner.executed, inner.remembered)
    }
}

static SHARED: OnceLock<Option<Arc<Machine>>> = OnceLock::new();

thread_local! {
    static OWN: RefCell<Option<Arc<Machine>>> = const { RefCell::new(None) };
    static STACK: RefCell<Vec<u64>> = const { RefCell::new(Vec::new()) };
}

/// The machine of this thread, or the process's, which is made now if need be; `None` where the environment makes no sense, which is told once.
pub(crate) fn machine() -> Option<Arc<Machine>> {
    if let Some(own) = OWN.with_borrow(Clone::clone) {
        return Some(own);
    }
    SHARED
        .get_or_init(|| match Config::from_environment() {
            Ok(config) => Some(Arc::new(Machine::new(config))),
            Err(said) => {
                crate::driver::log::Sink::StandardError.write(&format!("vgpu: {said}"));
                None
            }
        })
        .clone()
}

/// The machine of this thread or process if there is one already.
pub(crate) fn existing() -> Option<Arc<Machine>> {
    OWN.with_borrow(Clone::clone).or_else(|| SHARED.get().cloned().flatten())
}

/// Runs `work` with `machine` in place of the process's, on this thread.
pub fn scoped<R>(machine: Arc<Machine>, work: impl FnOnce() -> R) -> R {
    let before = OWN.replace(Some(machine));
    let stack = STACK.take();
    let result = work();
    OWN.set(before);
    STACK.set(stack);
    result
}

/// The calling thread's stack of current contexts, the current one last.
pub(crate) fn with_stack<R>(change: impl FnOnce(&mut Vec<u64>) -> R) -> R {
    STACK.with_borrow_mut(change)
}
