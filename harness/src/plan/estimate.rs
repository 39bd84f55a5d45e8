//! How long measuring a plan takes, from its protocol and an assumed rate. Nothing here is measured, and energy windows, compiling and
//! what the harness itself takes are left out: it tells minutes from hours.

use std::sync::Arc;

use tilecast_kernels::{CacheMode, DeviceInfo};

use super::{Group, Plan, Point};
use crate::spec::Measure;

/// Samples above the least that a middling point takes until its interval is narrow enough.
const MORE_SAMPLES: f64 = 4.0;
/// A warm-up in samples: single calls that grow to one, and three that agree.
const WARM_UP_SAMPLES: f64 = 4.0;
/// The sample after which the output is compared again.
const LAST_SAMPLES: f64 = 1.0;
/// Samples of the family's default in each round, to see drift.
const REFERENCE_SAMPLES: f64 = 2.0;
/// Samples a point takes whatever they cost.
const LEAST_SAMPLES: f64 = 3.0;
/// FLOP a problem's reference may cost, and the rate of its loops in f64.
const REFERENCE_FLOP: f64 = 2e10;
const REFERENCE_FLOP_PER_S: f64 = 1e10;
/// Twice the last-level cache is streamed through before a cold call, at about what one core reads and writes.
const FLUSH_BYTES_PER_S: f64 = 1e10;
/// Roofs are measured once per sweep, in about this long.
const ROOFS_S: f64 = 1.0;

/// What a sample takes on a device whose kernels average `flop_per_s`.
pub(super) struct Protocol<'a> {
    /// The protocol asked for.
    pub(super) measure: &'a Measure,
    /// Assumed rate.
    pub(super) flop_per_s: f64,
    /// Where it runs.
    pub(super) device: &'a DeviceInfo,
}

impl Protocol<'_> {
    /// Seconds of measuring `plan`.
    pub(super) fn seconds(&self, plan: &Plan) -> f64 {
        ROOFS_S + plan.groups.iter().map(|group| self.group_s(group)).sum::<f64>()
    }

    fn group_s(&self, group: &Group) -> f64 {
        let points: f64 = group.points.iter().map(|point| self.point_s(group.cache, point)).sum();
        let default = group.points.iter().find(|point| point.is_default).or(group.points.first());
        let drift = default.map_or(0.0, |point| {
            let sample_s = self.sample_s(group.cache, point);
            REFERENCE_SAMPLES * self.samples(sample_s) * sample_s
        });
        let problems = group.points.chunk_by(|a, b| Arc::ptr_eq(&a.problem, &b.problem));
        let references = problems.map(|points| points[0].work.useful_flop.min(REFERENCE_FLOP) / REFERENCE_FLOP_PER_S);
        points + drift + references.sum::<f64>()
    }

    /// Verification, warm-up, samples, and the last one.
    fn point_s(&self, cache: CacheMode, point: &Point) -> f64 {
        let sample_s = self.sample_s(cache, point);
        self.call_s(point) + (WARM_UP_SAMPLES + self.samples(sample_s) + LAST_SAMPLES) * sample_s
    }

    fn samples(&self, sample_s: f64) -> f64 {
        let Measure { min_samples, max_samples, point_s, .. } = *self.measure;
        let wanted = (f64::from(min_samples) + MORE_SAMPLES).min(f64::from(max_samples));
        wanted.min((point_s / sample_s).max(LEAST_SAMPLES))
    }

    /// A hot sample repeats the call until it lasts long enough; a cold one is a flush and a call.
    #[allow(clippy::cast_precision_loss)] // cache sizes
    fn sample_s(&self, cache: CacheMode, point: &Point) -> f64 {
        match cache {
            CacheMode::Hot => self.call_s(point).max(self.measure.sample_s),
            CacheMode::Cold => self.call_s(point) + 2.0 * self.device.llc_bytes() as f64 / FLUSH_BYTES_PER_S,
        }
    }

    fn call_s(&self, point: &Point) -> f64 {
        point.work.executed_flop / self.flop_per_s
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec;

    /// A plan of four tiles on one problem of `size`, and its estimate.
    fn estimated(size: u64, cache: &str, measure: &str) -> f64 {
        let device = crate::device::assume("sm_89").expect("an architecture");
        let text = format!(
            "name = \"x\"\ncache = [\"{cache}\"]\n[measure]\n{measure}\n[[sweep]]\nfamily = \"gemm_tiled\"\n\
             problems = [{{ m = {size}, n = {size}, k = {size} }}]\nknobs = {{ tile = [8, 16, 32] }}\n"
        );
        let sweep = spec::parse(&text, "x", &|family| family.knobs(&device)).expect("a spec");
        let plan = Plan::new(&sweep, &device);
        assert_eq!(plan.points().count(), 3);
        let estimate = plan.summary(&device, &sweep.measure, 1e12).estimate_s;
        assert!(estimate > ROOFS_S);
        estimate - ROOFS_S
    }

    #[allow(clippy::cast_precision_loss)] // a cache size
    fn llc_bytes() -> f64 {
        crate::device::assume("sm_89").expect("an architecture").llc_bytes() as f64
    }

    #[test]
    fn a_small_call_costs_what_its_samples_last_and_a_large_one_what_its_flop_take() {
        let least = "min_samples = 10\nmax_samples = 10\npoint_s = 1000";
        let hot = |size, sample_s| estimated(size, "hot", &format!("{least}\nsample_s = {sample_s}"));
        // Three points of ten samples, their warm-up and last sample, and two samples of the default in each of ten rounds.
        let samples = 3.0 * 15.0 + 20.0;
        assert!((hot(16, 0.5) - samples * 0.5).abs() < 0.01, "{}", hot(16, 0.5));
        assert!((hot(16, 1.0) - 2.0 * hot(16, 0.5)).abs() < 0.01);
        // 2·4096³ FLOP at 10¹² FLOP/s are 0.137 s; verified once each, and a reference of two seconds.
        let call_s = 2.0 * 4096_f64.powi(3) / 1e12;
        assert!((hot(4096, 0.001) - ((samples + 3.0) * call_s + 2.0)).abs() < 0.01, "{}", hot(4096, 0.001));
    }

    #[test]
    fn a_point_is_cut_at_the_time_it_may_use_and_a_cold_one_pays_for_its_flush() {
        let whole = estimated(4096, "hot", "point_s = 1000");
        let cut = estimated(4096, "hot", "point_s = 0.01");
        assert!(cut < 0.8 * whole, "{cut} of {whole}");
        let cold = |size| estimated(size, "cold", "point_s = 1000");
        // Three points of nine samples, their warm-up and last sample, and two samples of the default in each of nine rounds.
        let flushes_s = (3.0 * 14.0 + 18.0) * 2.0 * llc_bytes() / FLUSH_BYTES_PER_S;
        assert!((cold(16) - flushes_s).abs() < 0.01, "{} {flushes_s}", cold(16));
        assert!((cold(4096) - whole - flushes_s).abs() < 0.01, "{} {whole} {flushes_s}", cold(4096));
    }
}
