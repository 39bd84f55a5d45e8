//! What a stretch of calls took, on every clock there is.

use super::clock::other_threads_cpu_s;
use super::{Crew, Team, involuntary_switches, thread_cpu_s, wall_s};
use crate::Sample;

/// Seconds and switches of a stretch of calls.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Times {
    /// What ranks: CPU time of the one thread, or along the critical path of several: what rank 0 does between jobs, and the busiest rank's
    /// time within each; waking and waiting are not in it. Of threads of a library's own: of the busiest, its waiting for work included.
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

/// Which threads' CPU time counts.
pub(super) enum Meter<'a> {
    /// The calling one's.
    Caller,
    /// The team's, as it books it.
    Team(&'a Team),
    /// That of every thread of the process; with what the others had used before.
    Process(Vec<(libc::pid_t, f64)>),
}

impl<'a> Meter<'a> {
    /// For a program of `threads`.
    pub(super) fn new(team: &'a Team, threads: usize, crew: Crew) -> Self {
        match (threads, crew) {
            (..=1, _) => Self::Caller,
            (_, Crew::Team) => {
                team.reset();
                Self::Team(team)
            }
            (_, Crew::Own) => Self::Process(other_threads_cpu_s()),
        }
    }
}

/// A running stopwatch. CPU clocks are read innermost, since wall time is the lesser evidence.
pub(super) struct Stopwatch<'a> {
    meter: Meter<'a>,
    switches: u64,
    wall_s: f64,
    cpu_s: f64,
}

impl<'a> Stopwatch<'a> {
    /// Starts.
    pub(super) fn start(meter: Meter<'a>) -> Self {
        let switches = involuntary_switches();
        let wall_s = wall_s();
        Self { meter, switches, wall_s, cpu_s: thread_cpu_s() }
    }

    /// Stops.
    pub(super) fn stop(self) -> Times {
        let own_s = thread_cpu_s() - self.cpu_s;
        let wall_s = wall_s() - self.wall_s;
        let switches = involuntary_switches() - self.switches;
        let (time_s, cpu_s) = match self.meter {
            Meter::Caller => (own_s, own_s),
            Meter::Team(team) => {
                let spent = team.spent();
                let between_s = (own_s - spent.waiting_s - spent.ranks_s[0]).max(0.0);
                (between_s + spent.critical_s, between_s + spent.ranks_s.iter().sum::<f64>())
            }
            Meter::Process(before) => {
                let used = |(thread, now_s): (libc::pid_t, f64)| {
                    let was_s = before.iter().find(|(known, _)| *known == thread).map_or(0.0, |(_, was_s)| *was_s);
                    // A library's threads look for work on after the last call, while the clocks are read.
                    (now_s - was_s).clamp(0.0, wall_s)
                };
                let others: Vec<f64> = other_threads_cpu_s().into_iter().map(used).collect();
                (others.iter().copied().fold(own_s, f64::max), own_s + others.iter().sum::<f64>())
            }
        };
        Times { time_s, wall_s, cpu_s, switches }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Burns `seconds` of the calling thread's CPU time.
    fn burn(seconds: f64) {
        let start = thread_cpu_s();
        while thread_cpu_s() - start < seconds {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn the_time_of_a_librarys_threads_is_that_of_the_busiest_and_not_of_the_caller_who_waits() {
        let (work, worked) = (std::sync::mpsc::channel::<()>(), std::sync::mpsc::channel::<()>());
        let library = std::thread::spawn(move || {
            for () in work.1 {
                burn(4e-3);
                worked.0.send(()).expect("the caller waits");
            }
        });
        let team = Team::new(1);
        let timed = |threads| {
            let watch = Stopwatch::start(Meter::new(&team, threads, Crew::Own));
            work.0.send(()).expect("the library waits");
            worked.1.recv().expect("the library answers");
            watch.stop()
        };
        let times = timed(2);
        assert!(times.time_s >= 4e-3 && times.cpu_s >= times.time_s && times.wall_s >= times.time_s, "{times:?}");
        let alone = timed(1);
        assert!(alone.time_s < 4e-3 && alone.cpu_s == alone.time_s, "{alone:?}");
        drop(work.0);
        library.join().expect("it ends");
    }
}
