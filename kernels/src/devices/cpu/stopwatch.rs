//! What a stretch of calls took, on every clock there is.

use super::{Team, involuntary_switches, thread_cpu_s, wall_s};
use crate::Sample;

/// Seconds and switches of a stretch of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Times {
    /// What ranks: CPU time of the one thread, or along the critical path of several: what rank 0 does between jobs, and the busiest rank's
    /// time within each. Waking and waiting are not in it.
    time_s: f64,
    wall_s: f64,
    cpu_s: f64,
    switches: u64,
}

impl Times {
    /// Both together.
    pub(super) fn plus(self, other: Self) -> Self {
        Self {
            time_s: self.time_s + other.time_s,
            wall_s: self.wall_s + other.wall_s,
            cpu_s: self.cpu_s + other.cpu_s,
            switches: self.switches + other.switches,
        }
    }

    /// As a sample of `iterations` calls.
    pub(super) fn per_call(self, iterations: u64) -> Sample {
        #[allow(clippy::cast_precision_loss)] // call counts
        let n = iterations as f64;
        Sample {
            time_s: self.time_s / n,
            wall_s: self.wall_s / n,
            cpu_s: self.cpu_s / n,
            iterations,
            switches: self.switches,
            ..Sample::default()
        }
    }
}

/// A running stopwatch. CPU clocks are read innermost, since wall time is the lesser evidence.
pub(super) struct Stopwatch<'a> {
    team: &'a Team,
    threads: usize,
    switches: u64,
    wall_s: f64,
    cpu_s: f64,
}

impl<'a> Stopwatch<'a> {
    /// Starts for a program of `threads`.
    pub(super) fn start(team: &'a Team, threads: usize) -> Self {
        if threads > 1 {
            team.reset();
        }
        let switches = involuntary_switches();
        let wall_s = wall_s();
        Self { team, threads, switches, wall_s, cpu_s: thread_cpu_s() }
    }

    /// Stops.
    pub(super) fn stop(self) -> Times {
        let own_s = thread_cpu_s() - self.cpu_s;
        let wall_s = wall_s() - self.wall_s;
        let switches = involuntary_switches() - self.switches;
        if self.threads == 1 {
            return Times { time_s: own_s, wall_s, cpu_s: own_s, switches };
        }
        let spent = self.team.spent();
        let between_s = (own_s - spent.waiting_s - spent.ranks_s[0]).max(0.0);
        let cpu_s = between_s + spent.ranks_s.iter().sum::<f64>();
        Times { time_s: between_s + spent.critical_s, wall_s, cpu_s, switches }
    }
}
