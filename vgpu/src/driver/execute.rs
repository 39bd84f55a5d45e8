//! One launch: run it or remember it, price it, book its time.

use std::sync::Arc;

use super::code::Code;
use super::config::OnFinding;
use super::function::Decoded;
use super::objects::{Made, Memo, MemoKey, Price, PriceKey};
use super::session::{Session, StreamName};
use crate::launch::{self, Fault, Launch, Limits, Options, Report};
use crate::memory::{AllocationId, Memory};
use crate::nvml::card::Card;
use crate::profile::Footprint;
use crate::time::{Activity, Clocks, Engine, Model, Shape, Span, Work, capped, costs};

/// Launches the driver queues before it makes the host wait.
const QUEUE: usize = 1024;
/// Launches remembered.
const MEMO_KEPT: usize = 4096;
/// Launches made last that can be repeated.
const MADE_KEPT: usize = 64;

/// Whether blocks may wait for each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cooperation {
    None,
    Grid,
}

/// A launch that was found legal.
pub(super) struct Request {
    pub(super) function: u64,
    pub(super) grid: [u32; 3],
    pub(super) block: [u32; 3],
    pub(super) dynamic_shared_bytes: u32,
    pub(super) stream: StreamName,
    pub(super) params: Vec<u8>,
    pub(super) cooperation: Cooperation,
}

/// Runs a launch, unless the memo knows that running it would change nothing.
///
/// # Errors
/// What is wrong with the launch itself. A fault of the kernel poisons the context and is told by the next call.
pub(super) fn execute(s: &mut Session<'_>, kernel: &Decoded, request: Request) -> Result<(), Code> {
    let function = s.inner.functions.get(&request.function).ok_or(Code::InvalidHandle)?;
    let key = MemoKey {
        module: function.module,
        index: function.index,
        grid: request.grid,
        block: request.block,
        dynamic_shared_bytes: request.dynamic_shared_bytes,
        params: request.params,
    };
    let memory = &s.machine.memories[s.device];
    if let Some(memo) = s.inner.memo.get(&key).filter(|memo| unchanged(memory, &memo.versions)) {
        let bill = Bill { blocks: key.grid, work: memo.work.clone(), footprint: memo.footprint, priced: memo.priced };
        let counters = memo.counters.clone();
        let (_, priced) = book(s, request.stream, &bill);
        s.inner.remembered += 1;
        s.inner.last_counters = counters;
        if bill.priced != Some(priced)
            && let Some(memo) = s.inner.memo.get_mut(&key)
        {
            memo.priced = Some(priced);
        }
        made(s, request.stream, key);
        return Ok(());
    }
    s.inner.memo.remove(&key);
    match interpret(s, &key) {
        Ok(report) => finish(s, kernel, request.stream, key, &report),
        Err(fault) => fail(s, request.stream, &fault),
    }
}

fn unchanged(memory: &Memory, versions: &[(AllocationId, u64)]) -> bool {
    versions.iter().all(|(id, version)| memory.version(*id) == *version)
}

fn interpret(s: &mut Session<'_>, key: &MemoKey) -> Result<Report, Fault> {
    s.inner.executed += 1;
    let image = s.inner.modules[&key.module].image.clone();
    let config = &s.machine.config;
    let options = Options {
        checks: config.checks,
        seed: config.seed,
        threads: config.threads,
        limits: Limits { warp_instructions: config.max_instructions },
    };
    let what =
        Launch { grid: key.grid, block: key.block, dynamic_shared_bytes: key.dynamic_shared_bytes, params: key.params.clone() };
    launch::run(&image, &image.module.functions[key.index].name, &what, &s.machine.memories[s.device], &options)
}

fn finish(s: &mut Session<'_>, kernel: &Decoded, stream: StreamName, key: MemoKey, report: &Report) -> Result<(), Code> {
    let memory = &s.machine.memories[s.device];
    let mut versions: Vec<(AllocationId, u64)> =
        report.reads.iter().chain(&report.writes).map(|id| (*id, memory.version(*id))).collect();
    versions.sort_unstable();
    versions.dedup();
    let threads: u32 = key.block.iter().product();
    let footprint = Footprint {
        threads,
        registers: kernel.registers,
        shared_bytes: kernel.static_shared_bytes + u64::from(key.dynamic_shared_bytes),
    };
    let work = Arc::new(Work::from(&report.counters));
    let (span, priced) = book(s, stream, &Bill { blocks: key.grid, work: work.clone(), footprint, priced: None });
    let counters: Arc<str> = counters_line(s, &key, report, span, &priced.1).into();
    let memo = Memo { work, footprint, versions, counters: counters.clone(), priced: Some(priced) };
    s.inner.last_counters = counters;
    s.machine.config.counters.write(&memo.counters);
    for finding in &report.findings {
        super::log::say(&finding.to_string());
    }
    if !report.findings.is_empty() {
        if s.machine.config.on_finding == OnFinding::Fail {
            poison(s, Code::LaunchFailed);
        }
        // What was found once must be found again.
        return Ok(());
    }
    if report.idempotent {
        if s.inner.memo.len() >= MEMO_KEPT {
            s.inner.memo.clear();
        }
        s.inner.memo.insert(key.clone(), memo);
    }
    made(s, stream, key);
    Ok(())
}

fn made(s: &mut Session<'_>, stream: StreamName, key: MemoKey) {
    if s.inner.made.len() == MADE_KEPT {
        s.inner.made.pop_front();
    }
    let context = s.id;
    s.inner.made.push_back(Made { context, stream, key });
}

/// Books the context's last `launches` launches `times` times more, as if they were made again one by one. Gives `times`, and 0 where they were fewer, or one of
/// them would have to run.
pub(super) fn repeat(s: &mut Session<'_>, launches: usize, times: u64) -> u64 {
    let Some(first) = s.inner.made.len().checked_sub(launches).filter(|_| launches > 0) else { return 0 };
    let memory = &s.machine.memories[s.device];
    let bill = |made: &Made| {
        let memo = s.inner.memo.get(&made.key).filter(|memo| made.context == s.id && unchanged(memory, &memo.versions))?;
        Some((
            made.stream,
            Bill { blocks: made.key.grid, work: memo.work.clone(), footprint: memo.footprint, priced: memo.priced },
        ))
    };
    let Some(mut bills) = s.inner.made.range(first..).map(bill).collect::<Option<Vec<_>>>() else { return 0 };
    // Launches that go on alike are one entry of the traces, which is where time goes.
    let mut run: Option<(Span, Activity)> = None;
    for _ in 0..times {
        for (stream, bill) in &mut bills {
            let (span, priced) = place(s, *stream, bill);
            bill.priced = Some(priced);
            match &mut run {
                Some((whole, activity)) if whole.end_ns == span.begin_ns && *activity == priced.1.activity => {
                    whole.end_ns = span.end_ns;
                }
                _ => {
                    if let Some((whole, activity)) = run.replace((span, priced.1.activity)) {
                        s.card().traces.compute(whole, &activity);
                    }
                }
            }
        }
    }
    if let Some((whole, activity)) = run {
        s.card().traces.compute(whole, &activity);
    }
    s.inner.remembered += times * launches as u64;
    times
}

/// A fault of the launch itself is the call's error; one of the kernel poisons the context.
fn fail(s: &mut Session<'_>, stream: StreamName, fault: &Fault) -> Result<(), Code> {
    super::log::say(&fault.to_string());
    let code = match fault {
        Fault::Address(_) => Code::IllegalAddress,
        Fault::Misaligned(_) => Code::MisalignedAddress,
        Fault::Trap(_) => Code::LaunchFailed,
        Fault::Assert(_) => Code::Assert,
        Fault::Timeout(_) => Code::LaunchTimeout,
        Fault::Invalid(_) => return Err(Code::InvalidValue),
        Fault::Unsupported { .. } => return Err(Code::NotSupported),
    };
    s.card().clock.pass(costs::ENQUEUE_NS);
    s.occupy(stream, Engine::Compute, costs::KERNEL_START_NS);
    poison(s, code);
    Ok(())
}

fn poison(s: &mut Session<'_>, code: Code) {
    s.context().poison = Some(code);
}

/// What a launch's price is made of.
struct Bill {
    blocks: [u32; 3],
    work: Arc<Work>,
    footprint: Footprint,
    /// The price under the conditions it had before.
    priced: Option<(PriceKey, Price)>,
}

/// Books the launch's time on its stream and its power on the card.
fn book(s: &mut Session<'_>, stream: StreamName, bill: &Bill) -> (Span, (PriceKey, Price)) {
    let (span, priced) = place(s, stream, bill);
    s.card().traces.compute(span, &priced.1.activity);
    (span, priced)
}

/// Books the launch's time on its stream.
fn place(s: &mut Session<'_>, stream: StreamName, bill: &Bill) -> (Span, (PriceKey, Price)) {
    queue(s);
    let ready = s.ready_ns(stream);
    let card = s.card();
    let key = price_key(card, card.clock.begin_ns(Engine::Compute, ready));
    let price = match bill.priced {
        Some((known, price)) if known == key => price,
        _ => {
            let blocks = bill.blocks.iter().map(|n| u64::from(*n)).product();
            price(card, &bill.work, &Shape { blocks, footprint: bill.footprint }, &key)
        }
    };
    let span = s.occupy(stream, Engine::Compute, price.ns);
    let device = s.device;
    s.inner.queues[device].push_back(span.end_ns);
    (span, (key, price))
}

/// The host pays for the call, and waits while the queue is full.
fn queue(s: &mut Session<'_>) {
    let device = s.device;
    s.card().clock.pass(costs::ENQUEUE_NS);
    let now = s.card().clock.now_ns();
    let ends = &mut s.inner.queues[device];
    while ends.front().is_some_and(|end| *end <= now) {
        ends.pop_front();
    }
    if ends.len() >= QUEUE
        && let Some(end) = ends.pop_front()
    {
        s.card().clock.wait_until(end);
    }
}

fn price_key(card: &Card, at_ns: u64) -> PriceKey {
    let (sm_mhz, reasons) = card.sm_mhz_wanted(at_ns);
    PriceKey {
        sm_hz: f64::from(sm_mhz) * 1e6,
        memory_hz: f64::from(card.memory_mhz_wanted()) * 1e6,
        limit_w: card.envelope().limit_w,
        share: card.others_share(at_ns),
        reasons,
    }
}

fn price(card: &Card, work: &Work, shape: &Shape, key: &PriceKey) -> Price {
    let wanted = Clocks { sm_hz: key.sm_hz, memory_hz: key.memory_hz };
    let envelope = card.envelope();
    let (clocks, cost, power_w) = capped(&Model::new(card.profile), work, shape, wanted, &envelope);
    let held_down = if clocks.sm_hz < wanted.sm_hz { crate::time::REASON_POWER_CAP } else { 0 };
    // Another process takes turns: it lengthens what is measured, and its own power is booked by the scenario.
    let left = 1.0 - key.share;
    Price {
        ns: (cost.ns as f64 / left).round() as u64,
        activity: Activity {
            above_idle_w: (power_w - envelope.idle_w) * left,
            dram: (cost.terms.dram / (cost.ns as f64 * 1e-9)).min(1.0) * left,
            sm_mhz: (clocks.sm_hz / 1e6).round() as u32,
            reasons: key.reasons | held_down,
        },
        terms: cost.terms,
    }
}

fn counters_line(s: &mut Session<'_>, key: &MemoKey, report: &Report, span: Span, price: &Price) -> String {
    let kernel = s.inner.modules[&key.module].image.module.functions[key.index].name.clone();
    let device = s.device;
    let card = s.card();
    serde_json::json!({
        "kernel": kernel,
        "device": device,
        "device_name": card.profile.display_name(),
        "grid": key.grid,
        "block": key.block,
        "dynamic_shared_bytes": key.dynamic_shared_bytes,
        "begin_ns": span.begin_ns,
        "end_ns": span.end_ns,
        "time_s": (span.end_ns - span.begin_ns) as f64 * 1e-9,
        "power_w": price.activity.above_idle_w + card.idle_w(),
        "clock_hz": f64::from(price.activity.sm_mhz) * 1e6,
        "terms_s": price.terms,
        "counters": report.counters,
        "idempotent": report.idempotent,
        "findings": report.findings.len(),
        "source": "vgpu",
    })
    .to_string()
}
