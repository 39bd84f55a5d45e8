//! Utilisation → watts, and the clock a power limit leaves.

use super::model::{Clocks, Cost, Model, Shape};
use super::work::Work;

/// Share of the dynamic range that a fully used resource draws. Together they exceed one: a kernel that keeps everything busy runs into the limit, as on a card.
#[derive(Clone, Copy, Debug, PartialEq)]
#[allow(missing_docs)] // the names are the resources
pub struct Weights {
    pub running: f64,
    pub issue: f64,
    pub fp32: f64,
    pub fp64: f64,
    pub fp16: f64,
    pub int: f64,
    pub tensor: f64,
    pub shared: f64,
    pub l2: f64,
    pub dram: f64,
}

/// The weights. A starting point shaped by the energy figures of the literature (a fused multiply-add costs ten times an issue slot, DRAM bytes five times L2 bytes), with
/// the scale set so that dense tensor work lands at the board's limit and a streaming kernel at about two thirds of it.
pub const WEIGHTS: Weights = Weights {
    running: 0.18,
    issue: 0.12,
    fp32: 0.45,
    fp64: 0.55,
    fp16: 0.45,
    int: 0.20,
    tensor: 0.62,
    shared: 0.08,
    l2: 0.10,
    dram: 0.30,
};

/// The range power moves in, W.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Envelope {
    /// With nothing running.
    pub idle_w: f64,
    /// With the sum of weights at one and full clocks.
    pub max_w: f64,
    /// The limit in force.
    pub limit_w: f64,
    /// The clocks `max_w` belongs to.
    pub full: Clocks,
}

/// Step of the clock grid, Hz.
const STEP_HZ: f64 = 15e6;
/// Below this share of the full clock the voltage no longer falls.
const VOLTAGE_KNEE: f64 = 0.6;
/// Voltage at and below the knee, as a share of the full voltage.
const LOW_VOLTAGE: f64 = 0.75;
/// The clock under which no limit pushes a card, as a share of the full clock.
const LOWEST_SHARE: f64 = 0.2;

/// Board power while a launch of `cost` runs at `clocks`, W. Not capped.
pub fn board_power_w(cost: &Cost, clocks: Clocks, envelope: &Envelope) -> f64 {
    let seconds = cost.ns.max(1) as f64 * 1e-9;
    let (w, t) = (&WEIGHTS, &cost.terms);
    let load = |term: f64| (term / seconds).min(1.0);
    // Multiprocessor terms are those of the busiest one; power is the sum over all.
    let per_sm = w.issue * load(t.issue)
        + w.fp32 * load(t.fp32)
        + w.fp64 * load(t.fp64)
        + w.fp16 * load(t.fp16)
        + w.int * load(t.int)
        + w.tensor * load(t.tensor)
        + w.shared * load(t.shared);
    let core = w.running * cost.balance.min(1.0) + per_sm * cost.balance.min(1.0) + w.l2 * load(t.l2);
    let dram = w.dram * load(t.dram) * (clocks.memory_hz / envelope.full.memory_hz);
    envelope.idle_w + (envelope.max_w - envelope.idle_w) * (core * frequency_factor(clocks, envelope) + dram)
}

/// `f·V²`, relative to full clocks.
fn frequency_factor(clocks: Clocks, envelope: &Envelope) -> f64 {
    let share = clocks.sm_hz / envelope.full.sm_hz;
    let voltage = LOW_VOLTAGE + (1.0 - LOW_VOLTAGE) * ((share - VOLTAGE_KNEE) / (1.0 - VOLTAGE_KNEE)).max(0.0);
    share * voltage * voltage
}

/// The highest clock not above `wanted` at which the launch stays within the limit, with its cost and power there. At the lowest clock the power is clipped to the limit.
pub fn capped(model: &Model<'_>, work: &Work, shape: &Shape, wanted: Clocks, envelope: &Envelope) -> (Clocks, Cost, f64) {
    let at = |steps_down: u32| {
        let lowest = (envelope.full.sm_hz * LOWEST_SHARE).min(wanted.sm_hz);
        let clocks = Clocks { sm_hz: (wanted.sm_hz - f64::from(steps_down) * STEP_HZ).max(lowest), ..wanted };
        let cost = model.cost(work, shape, clocks);
        (clocks, cost, board_power_w(&cost, clocks, envelope))
    };
    let first = at(0);
    if first.2 <= envelope.limit_w {
        return first;
    }
    // Power falls with the clock, so the first step that fits can be bisected.
    let (mut low, mut high) = (0, (wanted.sm_hz / STEP_HZ) as u32 + 1);
    while high - low > 1 {
        let middle = low + (high - low) / 2;
        if at(middle).2 <= envelope.limit_w { high = middle } else { low = middle }
    }
    let (clocks, cost, power) = at(high);
    (clocks, cost, power.min(envelope.limit_w.max(envelope.idle_w)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Footprint, Profile};

    fn setting(limit_w: f64) -> (&'static Profile, Envelope, Shape) {
        let profile = Profile::named("a100").unwrap();
        let full = Clocks { sm_hz: f64::from(profile.boost_mhz) * 1e6, memory_hz: f64::from(profile.memory_mhz) * 1e6 };
        let shape = Shape { blocks: 10_800, footprint: Footprint { threads: 256, registers: 64, shared_bytes: 0 } };
        (profile, Envelope { idle_w: 50.0, max_w: 400.0, limit_w, full }, shape)
    }

    fn dense() -> Work {
        Work { tensor_f16: 1e13, issued: 5e9, shared_cycles: 2e9, l2_bytes: 1e11, unique_bytes: 3e7, ..Work::default() }
    }

    #[test]
    fn a_lower_limit_lowers_clock_and_power_and_lengthens_the_launch() {
        let mut last: Option<(f64, u64)> = None;
        for limit in [400.0, 300.0, 200.0, 150.0] {
            let (profile, envelope, shape) = setting(limit);
            let (clocks, cost, power) = capped(&Model::new(profile), &dense(), &shape, envelope.full, &envelope);
            assert!(power <= limit, "{power} W under a limit of {limit} W");
            if let Some((hz, ns)) = last {
                assert!(clocks.sm_hz < hz && cost.ns > ns);
            }
            last = Some((clocks.sm_hz, cost.ns));
        }
    }

    #[test]
    fn a_launch_that_does_little_draws_little() {
        let (profile, envelope, shape) = setting(400.0);
        let model = Model::new(profile);
        let power = |work: &Work, shape: &Shape| capped(&model, work, shape, envelope.full, &envelope).2;
        let one = Shape { blocks: 1, ..shape };
        let little = power(&Work { fp32: 1e6, issued: 1e6, ..Work::default() }, &one);
        let stream = power(&Work { l2_bytes: 1e11, unique_bytes: 1e11, ..Work::default() }, &shape);
        let heavy = power(&dense(), &shape);
        assert!(little < 55.0 && stream > 150.0 && heavy > stream, "{little} {stream} {heavy}");
    }
}
