//! What one thread of the interpreter carries from block to block, and how it says what it found.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::pattern::Pattern;
use super::taint::Taint;
use crate::check::global::GlobalShadow;
use crate::check::lanes::LaneShadow;
use crate::check::publications::{Handover, Publications};
use crate::check::shared::SharedShadow;
use crate::check::{Checks, Finding, FindingKind};
use crate::counters::Counters;
use crate::launch::{Fault, Image, Launch};
use crate::memory::{Allocation, Memory};
use crate::ptx::op::Inst;
use crate::ptx::{Function, Module};

/// Generic addresses of shared memory start here.
pub(crate) const SHARED_WINDOW: u64 = 1 << 40;
/// Generic addresses of local memory start here.
pub(crate) const LOCAL_WINDOW: u64 = 2 << 40;
/// Generic addresses of parameters start here.
pub(crate) const PARAM_WINDOW: u64 = 3 << 40;

/// One launch, the same for all workers.
pub(crate) struct Env<'a> {
    pub(crate) image: &'a Image,
    pub(crate) function: &'a Function,
    pub(crate) launch: &'a Launch,
    pub(crate) memory: &'a Memory,
    pub(crate) allocations: Vec<Arc<Allocation>>,
    /// Address of each of the function's symbols.
    pub(crate) symbols: Vec<u64>,
    pub(crate) shadow: Option<GlobalShadow>,
    pub(crate) checks: Checks,
    pub(crate) seed: u64,
    pub(crate) shared_bytes: u32,
    pub(crate) executed: AtomicU64,
    pub(crate) limit: u64,
    /// Some block faulted: the others need not go on.
    pub(crate) stop: AtomicBool,
    /// What blocks handed on to others.
    pub(crate) publications: Publications,
    pub(crate) atomics: AtomicBool,
}

impl Env<'_> {
    pub(crate) fn module(&self) -> &Module {
        &self.image.module
    }
}

/// A block's own memory.
pub(crate) struct BlockMemory {
    /// Number of the block in the grid, x fastest.
    pub(crate) index: u32,
    pub(crate) id: [u32; 3],
    /// Shared memory.
    pub(crate) shared: Vec<u128>,
    pub(crate) shadow: SharedShadow,
    pub(crate) lanes: LaneShadow,
    /// What it handed on to other blocks and took over from them.
    pub(crate) handover: Handover,
    /// Registers that hold what nobody wrote.
    pub(crate) taints: Vec<Taint>,
    /// Bytes of shared memory about to receive such values.
    pub(crate) spoiled: Vec<(u32, u32)>,
}

/// Where something happened.
#[derive(Clone, Copy)]
pub(crate) struct Site<'a> {
    pub(crate) inst: &'a Inst,
    pub(crate) warp: u32,
    pub(crate) lane: u32,
}

/// One thread of the interpreter.
pub(crate) struct Worker<'a> {
    pub(crate) env: &'a Env<'a>,
    /// Warp instructions and lane instructions by place in the code.
    pub(crate) counts: Vec<[u64; 2]>,
    pub(crate) patterns: Vec<Pattern>,
    /// Allocation each memory instruction used last.
    pub(crate) hints: Vec<u32>,
    /// Bit 0: read, bit 1: written.
    pub(crate) touched: Vec<u8>,
    pub(crate) counters: Counters,
    /// By kind and place in the code; with the block and warp the first was seen in.
    pub(crate) findings: HashMap<(FindingKind, u32), (u32, u32, Finding)>,
    /// The launch's parameters, aligned.
    pub(crate) params: Vec<u64>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(env: &'a Env<'a>) -> Self {
        let f = env.function;
        let mut params = vec![0u64; (f.param_bytes as usize).div_ceil(8) + 2];
        for (at, byte) in env.launch.params.iter().enumerate().take(f.param_bytes as usize) {
            params[at / 8] |= u64::from(*byte) << (at % 8 * 8);
        }
        Self {
            env,
            counts: vec![[0; 2]; f.code.len()],
            patterns: vec![Pattern::new(); f.memory_slots as usize],
            hints: vec![0; f.memory_slots as usize],
            touched: vec![0; env.allocations.len()],
            counters: Counters::default(),
            findings: HashMap::new(),
            params,
        }
    }

    fn thread(&self, warp: u32, lane: u32) -> [u32; 3] {
        let [x, y, _] = self.env.launch.block;
        let t = warp * 32 + lane;
        [t % x, t / x % y, t / (x * y)]
    }

    /// A finding's text and place.
    pub(crate) fn describe(
        &self,
        b: &BlockMemory,
        site: Site<'_>,
        kind: FindingKind,
        what: String,
        address: Option<u64>,
    ) -> Finding {
        let module = self.env.module();
        let (file, line) = site.inst.loc;
        let name = module.files.iter().find(|(n, _)| *n == u32::from(file)).map(|(_, name)| name.clone());
        Finding {
            kind,
            kernel: self.env.function.name.clone(),
            grid: self.env.launch.grid,
            block_dim: self.env.launch.block,
            dynamic_shared_bytes: self.env.launch.dynamic_shared_bytes,
            block: b.id,
            thread: self.thread(site.warp, site.lane),
            what,
            address,
            ptx_line: site.inst.line,
            instruction: module.line(site.inst.line).to_owned(),
            source: name.filter(|_| line > 0).map(|name| (name, line)),
            times: 1,
        }
    }

    /// Keeps a finding; of several at one instruction the one in the first block is told, with their number.
    pub(crate) fn report(
        &mut self,
        b: &BlockMemory,
        site: Site<'_>,
        kind: FindingKind,
        address: Option<u64>,
        what: impl FnOnce(&Self) -> String,
    ) {
        let key = (kind, site.inst.line);
        if let Some((block, warp, finding)) = self.findings.get_mut(&key) {
            finding.times += 1;
            if (*block, *warp) <= (b.index, site.warp) {
                return;
            }
        }
        let times = self.findings.get(&key).map_or(1, |(.., f)| f.times);
        let text = what(self);
        let finding = Finding { times, ..self.describe(b, site, kind, text, address) };
        self.findings.insert(key, (b.index, site.warp, finding));
    }

    /// Ends the launch.
    pub(crate) fn fault(&self, b: &BlockMemory, site: Site<'_>, kind: FindingKind, what: String, address: Option<u64>) -> Fault {
        self.env.stop.store(true, Ordering::Relaxed);
        let finding = Box::new(self.describe(b, site, kind, what, address));
        match kind {
            FindingKind::Misaligned => Fault::Misaligned(finding),
            FindingKind::Trap => Fault::Trap(finding),
            FindingKind::Assert => Fault::Assert(finding),
            FindingKind::Deadlock => Fault::Timeout(finding),
            _ => Fault::Address(finding),
        }
    }
}
