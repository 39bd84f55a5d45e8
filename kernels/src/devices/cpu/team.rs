//! Pinned threads that run one job together and say what CPU time it took on each.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, TryLockError};
use std::thread::JoinHandle;

use crate::devices::cpu::clock::{pin_to, thread_cpu_s};

type Job = &'static (dyn Fn(usize) + Sync);

/// Rounds of spinning before a thread sleeps: some 10 µs, about what waking a sleeping thread costs.
const SPIN: u32 = 2_000;

/// A team of pinned threads. Rank 0 is the caller's thread.
///
/// A kernel that forks and joins within a call pays for waking the others; that wait is not CPU time of the kernel, so it is not in
/// [`Team::spent`] as kernel time, only in the wall time of a sample. A job of one thread is called directly and not timed.
#[derive(Debug)]
pub struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    spent: Mutex<Spent>,
    turn: Mutex<()>,
}

/// CPU time of the jobs of a [`Team`] since [`Team::reset`].
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Spent {
    /// Seconds per rank.
    pub ranks_s: Vec<f64>,
    /// Sum over jobs of the busiest rank's seconds: the parallel part of the critical path.
    pub critical_s: f64,
    /// Seconds rank 0 spent on waking the others and waiting for them.
    pub waiting_s: f64,
}

struct Shared {
    /// Counts jobs; what idle ranks spin on.
    generation: AtomicU64,
    /// Ranks above 0 that have not finished the current job.
    running: AtomicUsize,
    stop: AtomicBool,
    /// The current job and its ranks.
    job: Mutex<Option<(Job, usize)>>,
    wake: Condvar,
    done: Condvar,
    panic: Mutex<Option<Box<dyn Any + Send>>>,
    /// CPU seconds of each rank in the current job, as bits.
    last_s: Vec<AtomicU64>,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("running", &self.running).finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Team {
    /// A team of `threads` (at least 1), pinned to the processors this process may use, one each.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let threads = threads.max(1);
        let shared = Arc::new(Shared {
            generation: AtomicU64::new(0),
            running: AtomicUsize::new(0),
            stop: AtomicBool::new(false),
            job: Mutex::new(None),
            wake: Condvar::new(),
            done: Condvar::new(),
            panic: Mutex::new(None),
            last_s: (0..threads).map(|_| AtomicU64::new(0)).collect(),
        });
        let workers = (1..threads)
            .map(|rank| {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || {
                    pin_to(rank);
                    shared.serve(rank);
                })
            })
            .collect();
        pin_to(0);
        let team = Self { shared, workers, spent: Mutex::new(Spent::default()), turn: Mutex::new(()) };
        team.reset();
        team
    }

    /// Threads in the team.
    #[must_use]
    pub fn size(&self) -> usize {
        self.shared.last_s.len()
    }

    /// Runs `job(rank)` for ranks `0..threads` at once and returns when all are done. `threads` is cut to the team's size.
    ///
    /// # Panics
    /// With a rank's own panic where one panicked; where a job asks its own team to run another.
    pub fn run(&self, threads: usize, job: &(dyn Fn(usize) + Sync)) {
        let threads = threads.clamp(1, self.size());
        if threads == 1 {
            return job(0);
        }
        let _turn = match self.turn.try_lock() {
            Ok(turn) => turn,
            Err(TryLockError::Poisoned(turn)) => turn.into_inner(),
            Err(TryLockError::WouldBlock) => panic!("a team runs one job at a time"),
        };
        let start = thread_cpu_s();
        self.start(threads, job);
        let own = catch_unwind(AssertUnwindSafe(|| self.shared.timed(0, job)));
        self.join();
        self.book(threads, thread_cpu_s() - start);
        let other = lock(&self.shared.panic).take();
        if let Some(panic) = own.err().or(other) {
            resume_unwind(panic);
        }
    }

    fn start(&self, threads: usize, job: &(dyn Fn(usize) + Sync)) {
        // SAFETY: the reference is used only by ranks counted in `running`, and `run` does not return before that is zero again.
        let job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
        let mut current = lock(&self.shared.job);
        self.shared.running.store(threads - 1, Ordering::Release);
        *current = Some((job, threads));
        self.shared.generation.fetch_add(1, Ordering::AcqRel);
        drop(current);
        self.shared.wake.notify_all();
    }

    fn join(&self) {
        let finished = || self.shared.running.load(Ordering::Acquire) == 0;
        if !spin_until(finished) {
            let mut current = lock(&self.shared.job);
            while !finished() {
                current = self.shared.done.wait(current).unwrap_or_else(PoisonError::into_inner);
            }
        }
        *lock(&self.shared.job) = None;
    }

    fn book(&self, threads: usize, rank0_s: f64) {
        let mut spent = lock(&self.spent);
        let job_s = self.shared.last_s[..threads].iter().map(|s| f64::from_bits(s.load(Ordering::Acquire)));
        let mut busiest: f64 = 0.0;
        for (total, s) in spent.ranks_s.iter_mut().zip(job_s) {
            *total += s;
            busiest = busiest.max(s);
        }
        spent.critical_s += busiest;
        spent.waiting_s += (rank0_s - f64::from_bits(self.shared.last_s[0].load(Ordering::Acquire))).max(0.0);
    }

    /// Forgets the CPU time spent so far.
    pub fn reset(&self) {
        *lock(&self.spent) = Spent { ranks_s: vec![0.0; self.size()], ..Spent::default() };
    }

    /// CPU time spent in jobs of more than one thread since [`Team::reset`].
    #[must_use]
    pub fn spent(&self) -> Spent {
        lock(&self.spent).clone()
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        let current = lock(&self.shared.job);
        self.shared.stop.store(true, Ordering::Release);
        self.shared.generation.fetch_add(1, Ordering::AcqRel);
        drop(current);
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker that panicked has been reported by `run`.
            let _ = worker.join();
        }
    }
}

fn spin_until(ready: impl Fn() -> bool) -> bool {
    (0..SPIN).any(|_| {
        std::hint::spin_loop();
        ready()
    })
}

impl Shared {
    fn timed(&self, rank: usize, job: &(dyn Fn(usize) + Sync)) {
        let start = thread_cpu_s();
        job(rank);
        self.last_s[rank].store((thread_cpu_s() - start).to_bits(), Ordering::Release);
    }

    fn serve(&self, rank: usize) {
        let mut seen = 0;
        loop {
            let job = self.next(&mut seen);
            if self.stop.load(Ordering::Acquire) {
                return;
            }
            // A rank above the job's has nothing to do in this generation.
            let Some((job, _)) = job.filter(|(_, ranks)| rank < *ranks) else { continue };
            if let Err(panic) = catch_unwind(AssertUnwindSafe(|| self.timed(rank, job))) {
                *lock(&self.panic) = Some(panic);
            }
            if self.running.fetch_sub(1, Ordering::AcqRel) == 1 {
                // Taking the lock orders this wake-up after a caller that is about to wait.
                drop(lock(&self.job));
                self.done.notify_all();
            }
        }
    }

    /// Waits for a generation after `seen` and returns its job, `None` where it is already over.
    fn next(&self, seen: &mut u64) -> Option<(Job, usize)> {
        spin_until(|| self.generation.load(Ordering::Acquire) != *seen);
        let mut current = lock(&self.job);
        while self.generation.load(Ordering::Acquire) == *seen {
            current = self.wake.wait(current).unwrap_or_else(PoisonError::into_inner);
        }
        *seen = self.generation.load(Ordering::Acquire);
        *current
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_rank_runs_once_for_every_size_and_job() {
        for size in 1..=4 {
            let team = Team::new(size);
            for threads in 1..=5 {
                let hits: Vec<AtomicUsize> = (0..5).map(|_| AtomicUsize::new(0)).collect();
                for _ in 0..50 {
                    team.run(threads, &|rank| {
                        hits[rank].fetch_add(1, Ordering::Relaxed);
                    });
                }
                let expected: Vec<usize> = (0..5).map(|rank| if rank < threads.min(size) { 50 } else { 0 }).collect();
                let got: Vec<usize> = hits.iter().map(|h| h.load(Ordering::Relaxed)).collect();
                assert_eq!(got, expected, "size {size}, threads {threads}");
            }
        }
    }

    #[test]
    fn a_panic_in_any_rank_reaches_the_caller_and_the_team_lives_on() {
        let team = Team::new(3);
        for bad in 0..3 {
            let caught = catch_unwind(AssertUnwindSafe(|| team.run(3, &|rank| assert!(rank != bad, "rank {bad} gives up"))));
            let panic = caught.expect_err("the job panicked");
            assert_eq!(panic.downcast_ref::<String>().map(String::as_str), Some(format!("rank {bad} gives up").as_str()));
            let count = AtomicUsize::new(0);
            team.run(3, &|_| {
                count.fetch_add(1, Ordering::Relaxed);
            });
            assert_eq!(count.load(Ordering::Relaxed), 3);
        }
    }

    #[test]
    fn a_job_that_asks_its_own_team_for_another_is_refused() {
        let team = Team::new(2);
        let caught = catch_unwind(AssertUnwindSafe(|| {
            team.run(2, &|rank| {
                if rank == 0 {
                    team.run(2, &|_| {})
                }
            })
        }));
        assert!(caught.is_err());
    }

    /// Burns about `seconds` of CPU time whatever else runs on the machine.
    fn burn(seconds: f64) {
        let start = thread_cpu_s();
        while thread_cpu_s() - start < seconds {
            std::hint::spin_loop();
        }
    }

    #[test]
    fn cpu_time_is_booked_per_rank_and_along_the_critical_path() {
        let team = Team::new(2);
        team.run(2, &|_| burn(1e-3));
        team.reset();
        assert_eq!(team.spent(), Spent { ranks_s: vec![0.0, 0.0], ..Spent::default() });
        for busy in [0, 1] {
            team.run(2, &|rank| burn(if rank == busy { 4e-3 } else { 1e-3 }));
        }
        let spent = team.spent();
        assert!(spent.ranks_s.iter().all(|&s| (5e-3..8e-3).contains(&s)), "{spent:?}");
        assert!((8e-3..11e-3).contains(&spent.critical_s), "{spent:?}");
        assert!(spent.waiting_s >= 0.0, "{spent:?}");
    }

    #[test]
    fn a_job_of_one_thread_is_not_booked() {
        let team = Team::new(2);
        team.run(1, &|_| burn(1e-3));
        assert_eq!(team.spent().ranks_s, vec![0.0, 0.0]);
    }
}
