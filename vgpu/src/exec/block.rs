//! Runs one block: its warps one after the other from barrier to barrier, in an order shuffled by the seed.

use super::step::{Arrival, Stop};
use super::warp::{State, Warp};
use super::worker::{BlockMemory, Env, Site, Worker};
use crate::check::lanes::LaneShadow;
use crate::check::publications::Handover;
use crate::check::shared::SharedShadow;
use crate::check::{Check, FindingKind};
use crate::launch::Fault;
use crate::ptx::op::BarKind;
use crate::ptx::types::Class;

/// Instructions a warp may run before another has its turn, so that warps that wait for each other's writes make progress.
const QUANTUM: u64 = 200_000;

/// What poisoned shared memory holds.
const POISON: u128 = u128::from_ne_bytes([0xcd; 16]);

#[derive(Debug, Clone, Copy, Default)]
struct Barrier {
    /// Warps that came, and those of them that wait.
    arrived: u32,
    waiting: u32,
    /// Threads that came, counted in whole warps.
    threads: u32,
    /// Threads expected; 0 for all of the block.
    expected: u32,
    votes: u32,
    voters: u32,
}

/// A block that runs or waits to go on.
pub(crate) struct Block {
    memory: BlockMemory,
    warps: Vec<Warp>,
    barriers: [Barrier; 16],
    round: u64,
}

/// How far a block came.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Progress {
    Done,
    /// All its warps wait for something that another block may bring.
    Waits,
}

impl Block {
    pub(crate) fn new(env: &Env<'_>) -> Self {
        let threads = env.launch.block.iter().product::<u32>();
        let bytes = env.shared_bytes as usize;
        let shadow = SharedShadow::new(bytes, env.function.shared_granule, env.checks);
        let followed = if env.checks.has(Check::SharedRaces) { shadow.len() } else { 0 };
        Self {
            memory: BlockMemory {
                index: 0,
                id: [0; 3],
                shared: vec![POISON; bytes.div_ceil(16) + 1],
                shadow,
                lanes: LaneShadow::new(followed),
                handover: Handover::default(),
                taints: Vec::new(),
                spoiled: Vec::new(),
            },
            warps: (0..threads.div_ceil(32)).map(|_| Warp::new(env.function)).collect(),
            barriers: [Barrier::default(); 16],
            round: 0,
        }
    }

    /// Makes it block `index` of the grid, from the start.
    pub(crate) fn start(&mut self, env: &Env<'_>, index: u32) {
        let [x, y, _] = env.launch.grid;
        let m = &mut self.memory;
        (m.index, m.id) = (index, [index % x, index / x % y, index / (x * y)]);
        m.handover = Handover::default();
        m.shared.fill(POISON);
        m.shadow.reset();
        m.lanes.reset();
        m.taints.clear();
        let threads = env.launch.block.iter().product::<u32>();
        for (id, warp) in self.warps.iter_mut().enumerate() {
            let lanes = (threads - id as u32 * 32).min(32);
            warp.start(id as u32, if lanes == 32 { u32::MAX } else { (1 << lanes) - 1 });
        }
        self.barriers = [Barrier::default(); 16];
        self.round = 0;
    }

    /// Runs until all warps are done or none can go on alone.
    pub(crate) fn run(&mut self, worker: &mut Worker<'_>) -> Result<Progress, Fault> {
        loop {
            let mut moved = false;
            let mut ready = false;
            for turn in 0..self.warps.len() {
                let at = self.pick(worker.env.seed, turn);
                if self.warps[at].state != State::Ready {
                    continue;
                }
                ready = true;
                let before = self.warps[at].executed;
                let stop = worker.run_warp(&mut self.memory, &mut self.warps[at], QUANTUM)?;
                self.spend(worker, at, self.warps[at].executed - before)?;
                moved |= stop != Stop::Yield;
                match stop {
                    Stop::Done => self.left(worker, at),
                    Stop::Barrier(arrival) => self.arrive(worker, at, arrival),
                    Stop::Yield => {}
                }
            }
            self.round += 1;
            if self.warps.iter().all(|w| w.state == State::Done) {
                worker.counters.blocks += 1;
                worker.counters.warps += self.warps.len() as u64;
                let longest = self.warps.iter().map(|w| w.executed).max().unwrap_or(0);
                worker.counters.max_warp_instructions = worker.counters.max_warp_instructions.max(longest);
                return Ok(Progress::Done);
            }
            if !ready && !self.warps.iter().any(|w| w.state == State::Ready) {
                return Err(self.deadlock(worker));
            }
            if ready && !moved {
                return Ok(Progress::Waits);
            }
        }
    }

    /// The warp whose turn it is: a rotation by the seed, forwards or backwards, so that each order is one some GPU might choose.
    fn pick(&self, seed: u64, turn: usize) -> usize {
        let n = self.warps.len();
        if seed == 0 {
            return turn;
        }
        let mix = mixed(seed ^ u64::from(self.memory.index).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ self.round);
        let at = (turn + mix as usize % n) % n;
        if mix >> 40 & 1 == 1 { n - 1 - at } else { at }
    }

    fn spend(&self, worker: &Worker<'_>, at: usize, executed: u64) -> Result<(), Fault> {
        let env = worker.env;
        let total = env.executed.fetch_add(executed, std::sync::atomic::Ordering::Relaxed) + executed;
        if total <= env.limit {
            return Ok(());
        }
        let what = format!("has not ended after {total} warp instructions, more than the limit of {}", env.limit);
        Err(worker.fault(&self.memory, self.site(env, at), FindingKind::Deadlock, what, None))
    }

    /// The instruction a warp ran last.
    fn site<'a>(&self, env: &Env<'a>, at: usize) -> Site<'a> {
        let warp = &self.warps[at];
        let pc = (warp.pc.max(1) as usize - 1).min(env.function.code.len() - 1);
        Site { inst: &env.function.code[pc], warp: warp.id, lane: (warp.mask | 1 << 31).trailing_zeros() & 31 }
    }

    fn alive(&self) -> u32 {
        self.warps.iter().filter(|w| w.state != State::Done).fold(0, |m, w| m | 1 << w.id)
    }

    /// Those who are gone count as having come.
    fn left(&mut self, worker: &Worker<'_>, at: usize) {
        self.warps[at].state = State::Done;
        for id in 0..16 {
            self.complete(worker, id);
        }
    }

    fn arrive(&mut self, worker: &Worker<'_>, at: usize, arrival: Arrival) {
        let bit = 1 << self.warps[at].id;
        let barrier = &mut self.barriers[arrival.id as usize];
        barrier.arrived |= bit;
        barrier.threads += 32;
        barrier.expected = if arrival.count == u32::MAX { 0 } else { arrival.count };
        barrier.votes += arrival.votes.count_ones();
        barrier.voters += arrival.lanes.count_ones();
        if arrival.kind != BarKind::Arrive {
            barrier.waiting |= bit;
            self.warps[at].state = State::Waits(arrival.id as u8);
        }
        self.complete(worker, arrival.id as usize);
    }

    /// Opens a barrier if everybody is there.
    fn complete(&mut self, worker: &Worker<'_>, id: usize) {
        let barrier = self.barriers[id];
        let alive = self.alive();
        let open = barrier.arrived != 0
            && if barrier.expected == 0 { barrier.arrived & alive == alive } else { barrier.threads >= barrier.expected };
        if !open {
            return;
        }
        if barrier.arrived & alive == alive && barrier.waiting & alive == alive {
            self.memory.shadow.full_barrier();
        } else if !self.memory.shadow.is_off() {
            self.memory.shadow.partial_barrier(barrier.arrived, barrier.waiting);
        }
        for warp in self.warps.iter_mut().filter(|w| barrier.waiting >> w.id & 1 == 1 && w.state == State::Waits(id as u8)) {
            warp.state = State::Ready;
            warp.synchronise(u32::MAX);
            if let Some(reg) = warp.result.take() {
                let mask = warp.mask;
                let regs = warp.regs(worker.env.function);
                let all = barrier.votes == barrier.voters;
                match reg.class() {
                    Class::Pred => {
                        let truth = if matches!(reduction(worker, warp), BarKind::RedAnd) { all } else { barrier.votes > 0 };
                        regs.set_pred(reg, if truth { u32::MAX } else { 0 }, mask);
                    }
                    _ => regs.set32(reg, &[barrier.votes; 32], mask),
                }
            }
        }
        self.barriers[id] = Barrier::default();
    }

    fn deadlock(&self, worker: &Worker<'_>) -> Fault {
        let waits: Vec<String> = self
            .warps
            .iter()
            .filter_map(|w| match w.state {
                State::Waits(id) => Some(format!("warp {} at barrier {id}", w.id)),
                _ => None,
            })
            .collect();
        let first = self.warps.iter().position(|w| matches!(w.state, State::Waits(_))).unwrap_or(0);
        let what = format!("waits for ever: {}, and no warp is left that could come", waits.join(", "));
        worker.fault(&self.memory, self.site(worker.env, first), FindingKind::Deadlock, what, None)
    }
}

fn reduction(worker: &Worker<'_>, warp: &Warp) -> BarKind {
    match worker.env.function.code[warp.pc as usize - 1].op {
        crate::ptx::op::Op::Bar { kind, .. } => kind,
        _ => BarKind::RedOr,
    }
}

/// SplitMix64's mixing.
pub(crate) fn mixed(x: u64) -> u64 {
    let x = (x ^ x >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    let x = (x ^ x >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
    x ^ x >> 31
}
