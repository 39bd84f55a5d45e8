//! What a device did over virtual time: power above idle, use, clocks.

use super::clock::Span;
use super::timeline::Timeline;

/// What one piece of work does to the traces.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Activity {
    /// Board power above idle while it runs, W.
    pub above_idle_w: f64,
    /// Share of its time that DRAM is busy, 0 to 1.
    pub dram: f64,
    /// Multiprocessor clock, MHz.
    pub sm_mhz: u32,
    /// NVML's clock event reasons in force.
    pub reasons: u64,
}

/// A change of clock.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Pace {
    span: Span,
    sm_mhz: u32,
    reasons: u64,
}

/// The traces of one device. Kernels and copies are kept apart because they overlap; their powers add.
#[derive(Clone, Debug)]
pub struct Traces {
    kernels: Timeline,
    copies: [Timeline; 2],
    busy: Timeline,
    dram: Timeline,
    capped: Timeline,
    paces: Vec<Pace>,
}

/// Bit of NVML's reasons for the software power cap.
pub(crate) const REASON_POWER_CAP: u64 = 4;
/// Pieces of work whose clocks are remembered.
const PACES_KEPT: usize = 4096;

impl Traces {
    /// Traces of a device whose power rises within `rise_s`.
    pub fn new(rise_s: f64) -> Self {
        let step = || Timeline::new(0.0);
        Self {
            kernels: Timeline::new(rise_s),
            copies: [Timeline::new(rise_s), Timeline::new(rise_s)],
            busy: step(),
            dram: step(),
            capped: step(),
            paces: Vec::new(),
        }
    }

    /// The multiprocessors work during `span`.
    pub fn compute(&mut self, span: Span, activity: &Activity) {
        self.kernels.add(span.begin_ns, span.end_ns, activity.above_idle_w);
        self.busy.add(span.begin_ns, span.end_ns, 1.0);
        self.dram.add(span.begin_ns, span.end_ns, activity.dram);
        if activity.reasons & REASON_POWER_CAP != 0 {
            self.capped.add(span.begin_ns, span.end_ns, 1.0);
        }
        match self.paces.last_mut() {
            Some(last)
                if last.span.end_ns == span.begin_ns && (last.sm_mhz, last.reasons) == (activity.sm_mhz, activity.reasons) =>
            {
                last.span.end_ns = span.end_ns;
            }
            _ => {
                if self.paces.len() >= 2 * PACES_KEPT {
                    self.paces.drain(..PACES_KEPT);
                }
                self.paces.push(Pace { span, sm_mhz: activity.sm_mhz, reasons: activity.reasons });
            }
        }
    }

    /// A copy engine (0 in, 1 out) works during `span`.
    pub fn copy(&mut self, direction: usize, span: Span, above_idle_w: f64) {
        self.copies[direction & 1].add(span.begin_ns, span.end_ns, above_idle_w);
    }

    /// Power above idle, W.
    pub fn power_w(&self, at_ns: u64) -> f64 {
        self.kernels.value(at_ns) + self.copies.iter().map(|c| c.value(at_ns)).sum::<f64>()
    }

    /// Energy above idle, J.
    pub fn energy_j(&self, from_ns: u64, to_ns: u64) -> f64 {
        self.kernels.integral(from_ns, to_ns) + self.copies.iter().map(|c| c.integral(from_ns, to_ns)).sum::<f64>()
    }

    /// Share of the window before `at_ns` in which kernels ran, and share in which DRAM moved.
    pub fn utilisation(&self, at_ns: u64, window_ns: u64) -> (f64, f64) {
        (self.busy.mean(at_ns, window_ns), self.dram.mean(at_ns, window_ns))
    }

    /// Nanoseconds up to `at_ns` during which the power cap held the clock down.
    pub fn capped_ns(&self, at_ns: u64) -> u64 {
        (self.capped.integral(0, at_ns) * 1e9).round() as u64
    }

    /// Clock (MHz) and reasons of the kernel that runs at `at_ns`, or that ended at most `linger_ns` before.
    pub fn pace(&self, at_ns: u64, linger_ns: u64) -> Option<(u32, u64)> {
        let after = self.paces.partition_point(|p| p.span.begin_ns <= at_ns);
        let pace = self.paces.get(after.checked_sub(1)?)?;
        (at_ns < pace.span.end_ns.saturating_add(linger_ns)).then_some((pace.sm_mhz, pace.reasons))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_and_a_copy_add_up_and_the_clock_lingers() {
        let mut traces = Traces::new(0.0);
        let span = |begin_ns, end_ns| Span { begin_ns, end_ns };
        traces.compute(span(1000, 3000), &Activity { above_idle_w: 100.0, dram: 0.5, sm_mhz: 1410, reasons: REASON_POWER_CAP });
        traces.copy(0, span(2000, 4000), 10.0);
        assert_eq!((traces.power_w(1500), traces.power_w(2500), traces.power_w(3500)), (100.0, 110.0, 10.0));
        assert!((traces.energy_j(0, 10_000) - (100.0 * 2e-6 + 10.0 * 2e-6)).abs() < 1e-15);
        assert_eq!(traces.utilisation(4000, 4000), (0.5, 0.25));
        assert_eq!(traces.capped_ns(2000), 1000);
        assert_eq!(traces.pace(2999, 0), Some((1410, 4)));
        assert_eq!(traces.pace(3000, 0), None);
        assert_eq!(traces.pace(3500, 1000), Some((1410, 4)));
        assert_eq!(traces.pace(500, 1000), None);
    }
}
