//! When what is timed stands still.

use tilecast_kernels::Sample;
use tilecast_kernels::devices::cpu::wall_s;

/// Time is steady when the last three batches agree this closely.
const STEADY: f64 = 0.03;
/// And clocks this closely, where they can be read.
const STEADY_CLOCK: f64 = 0.01;
/// A locked clock is reached this close to it: clocks come in steps of 15 MHz.
const REACHED_HZ: f64 = 15e6;
/// Clock-event reasons of NVML that hold no clock below what was asked for: idle, clocks set. With any other the clock may never be reached.
const AT_WILL: u64 = 0x3;
/// After a clock or a power limit was changed, batches go on for this long at least. Changes of clock were seen to take up to some tens of milliseconds from
/// the driver's answer on; three batches of a millisecond could all be taken before.
pub(super) const AFTER_CHANGE_S: f64 = 0.1;
/// A warm-up ends after this long even where it is not steady; the stopping rule sees the noise then.
const CAP_S: f64 = 0.2;
/// The same on a GPU, whose clocks take up to some seconds to settle under load.
const CAP_GPU_S: f64 = 2.0;

/// What a warm-up waits for.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Until {
    /// On a GPU.
    pub(super) gpu: bool,
    /// Seconds under load at least.
    pub(super) least_s: f64,
    /// Clock that is to be reached, where one is locked.
    pub(super) clock_hz: Option<f64>,
}

/// Batches of a warm-up.
#[derive(Debug)]
pub(super) struct Warmup {
    until: Until,
    last: [Option<Sample>; 3],
    started_s: f64,
    /// Time of the batches themselves, on the device's own clock.
    loaded_s: f64,
}

impl Warmup {
    pub(super) fn new(until: Until) -> Self {
        Self { until, last: [None; 3], started_s: wall_s(), loaded_s: 0.0 }
    }

    /// One more batch.
    pub(super) fn add(&mut self, sample: Sample) {
        #[allow(clippy::cast_precision_loss)] // call counts
        let lasted_s = sample.wall_s * sample.iterations as f64;
        self.loaded_s += lasted_s;
        self.last = [self.last[1], self.last[2], Some(sample)];
    }

    /// Time and clock stand still, for long enough, and where they should.
    pub(super) fn is_steady(&self) -> bool {
        let [_, _, Some(last)] = &self.last else { return false };
        let slowed = last.throttle.is_some_and(|reasons| reasons & !AT_WILL != 0);
        let reached = |asked: f64| slowed || last.clock_hz.is_none_or(|clock| (clock - asked).abs() <= REACHED_HZ);
        self.elapsed_s() >= self.until.least_s && self.until.clock_hz.is_none_or(reached) && steady(&self.last)
    }

    /// It has gone on for as long as it may.
    pub(super) fn is_over(&self) -> bool {
        self.elapsed_s() > if self.until.gpu { CAP_GPU_S } else { CAP_S }
    }

    /// The host's time, or the device's where that runs ahead, as the virtual GPU's does.
    fn elapsed_s(&self) -> f64 {
        self.loaded_s.max(wall_s() - self.started_s)
    }
}

/// Whether three batches agree in time, and in clock where it was read.
fn steady(last: &[Option<Sample>; 3]) -> bool {
    let [Some(a), Some(b), Some(c)] = last else { return false };
    let near = |x: f64, y: f64, limit: f64| (x - y).abs() <= limit * y;
    let clocks = |x: &Sample| x.clock_hz.zip(c.clock_hz).is_none_or(|(x, y)| near(x, y, STEADY_CLOCK));
    [a, b].iter().all(|sample| near(sample.time_s, c.time_s, STEADY) && clocks(sample))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn batch(time_s: f64, clock_hz: Option<f64>, lasted_s: f64) -> Sample {
        Sample { time_s, wall_s: lasted_s, iterations: 1, clock_hz, ..Sample::default() }
    }

    fn after(until: Until, batches: &[Sample]) -> Warmup {
        let mut warmup = Warmup::new(until);
        batches.iter().for_each(|sample| warmup.add(*sample));
        warmup
    }

    #[test]
    fn three_batches_that_agree_in_time_and_clock_are_steady() {
        let until = Until { gpu: true, ..Until::default() };
        let (slow, fast) = (batch(1e-6, Some(1.2e9), 1e-3), batch(1e-6, Some(1.8e9), 1e-3));
        for (batches, steady) in [
            (&[fast, fast][..], false),
            (&[fast, fast, fast], true),
            (&[slow, fast, fast], false),
            (&[slow, fast, fast, fast], true),
            (&[batch(2e-6, None, 1e-3), batch(1e-6, None, 1e-3), batch(1e-6, None, 1e-3)], false),
        ] {
            assert_eq!(after(until, batches).is_steady(), steady, "{batches:?}");
        }
    }

    #[test]
    fn after_a_change_nothing_is_steady_before_the_clock_is_where_it_should_be() {
        // The old clock stands still too: for a while after the driver's answer the board has not begun to move.
        let until = Until { gpu: true, least_s: 0.0, clock_hz: Some(1.2e9) };
        let [old, new] = [1.8e9, 1.2e9].map(|clock| batch(1e-6, Some(clock), 1e-3));
        assert!(!after(until, &[old; 5]).is_steady());
        assert!(after(until, &[old, old, new, new, new]).is_steady());
        // One that the power limit holds below it stands still where it is.
        let capped = Sample { throttle: Some(0x6), ..old };
        assert!(after(until, &[capped; 3]).is_steady());
        assert!(!after(until, &[Sample { throttle: Some(0x2), ..old }; 3]).is_steady());
        // A clock that is never reached ends by the cap.
        assert!(!after(until, &[old; 5]).is_over());
        assert!(after(until, &[batch(1e-6, Some(1.8e9), 1.0); 3]).is_over());
    }

    #[test]
    fn after_a_change_batches_go_on_for_a_while_even_where_no_clock_is_asked_for() {
        let until = Until { gpu: true, least_s: 1e6, clock_hz: None };
        assert!(!after(until, &[batch(1e-6, None, 1e5); 5]).is_steady());
        assert!(after(until, &[batch(1e-6, None, 1e5); 10]).is_steady());
    }
}
