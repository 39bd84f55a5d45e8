//! Pinned threads that run one job together and say what CPU time it took on each.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::devices::cpu::clock::{pin_to, thread_cpu_s};

type Job = &'static (dyn Fn(usize) + Sync);

/// A team of pinned threads. Rank 0 is the caller's thread.
///
/// A kernel that forks and joins within a call pays for waking the others; that wait is not CPU time of the kernel, so it is not in
/// [`Team::cpu_s`], only in the wall time of a sample.
#[derive(Debug)]
pub struct Team {
    shared: Arc<Shared>,
    workers: Vec<JoinHandle<()>>,
    /// CPU seconds each rank spent in jobs since the last [`Team::reset`], as bits.
    spent: Arc<Vec<std::sync::atomic::AtomicU64>>,
}

struct Shared {
    state: Mutex<State>,
    wake: Condvar,
    done: Condvar,
    panicked: AtomicBool,
    running: AtomicUsize,
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").field("running", &self.running).finish_non_exhaustive()
    }
}

struct State {
    generation: u64,
    ranks: usize,
    job: Option<Job>,
    stop: bool,
}

impl Team {
    /// A team of `threads` (at least 1), pinned to the processors this process may use, one each.
    #[must_use]
    pub fn new(threads: usize) -> Self {
        let shared = Arc::new(Shared {
            state: Mutex::new(State { generation: 0, ranks: 0, job: None, stop: false }),
            wake: Condvar::new(),
            done: Condvar::new(),
            panicked: AtomicBool::new(false),
            running: AtomicUsize::new(0),
        });
        let spent = Arc::new((0..threads.max(1)).map(|_| 0.0f64.to_bits().into()).collect::<Vec<_>>());
        let workers = (1..threads)
            .map(|rank| {
                let (shared, spent) = (Arc::clone(&shared), Arc::clone(&spent));
                std::thread::spawn(move || {
                    pin_to(rank);
                    serve(&shared, &spent, rank);
                })
            })
            .collect();
        pin_to(0);
        Self { shared, workers, spent }
    }

    /// Threads in the team.
    #[must_use]
    pub fn size(&self) -> usize {
        self.spent.len()
    }

    /// Runs `job(rank)` for ranks `0..threads` at once and returns when all are done. `threads` is cut to the team's size.
    ///
    /// # Panics
    /// Where a rank panicked.
    pub fn run(&self, threads: usize, job: &(dyn Fn(usize) + Sync)) {
        let threads = threads.clamp(1, self.size());
        if threads > 1 {
            // SAFETY: the reference is used only by ranks counted in `running`, and this function does not return before that is zero again.
            let job = unsafe { std::mem::transmute::<&(dyn Fn(usize) + Sync), Job>(job) };
            let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            self.shared.running.store(threads - 1, Ordering::Release);
            state.generation += 1;
            state.ranks = threads;
            state.job = Some(job);
            self.shared.wake.notify_all();
        }
        let own = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| timed(&self.spent[0], || job(0))));
        if threads > 1 {
            let mut state = self.shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            while self.shared.running.load(Ordering::Acquire) > 0 {
                state = self.shared.done.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            state.job = None;
        }
        if let Err(panic) = own {
            std::panic::resume_unwind(panic);
        }
        assert!(!self.shared.panicked.swap(false, Ordering::AcqRel), "a thread of the team panicked");
    }

    /// Forgets the CPU time spent so far.
    pub fn reset(&self) {
        self.spent.iter().for_each(|spent| spent.store(0.0f64.to_bits(), Ordering::Release));
    }

    /// CPU seconds each rank spent in jobs since [`Team::reset`].
    #[must_use]
    pub fn cpu_s(&self) -> Vec<f64> {
        self.spent.iter().map(|spent| f64::from_bits(spent.load(Ordering::Acquire))).collect()
    }
}

impl Drop for Team {
    fn drop(&mut self) {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner).stop = true;
        self.shared.wake.notify_all();
        for worker in self.workers.drain(..) {
            // A worker that panicked has been reported by `run`.
            let _ = worker.join();
        }
    }
}

fn timed(spent: &std::sync::atomic::AtomicU64, job: impl FnOnce()) {
    let start = thread_cpu_s();
    job();
    let total = f64::from_bits(spent.load(Ordering::Acquire)) + thread_cpu_s() - start;
    spent.store(total.to_bits(), Ordering::Release);
}

fn serve(shared: &Shared, spent: &[std::sync::atomic::AtomicU64], rank: usize) {
    let mut seen = 0;
    loop {
        let job = {
            let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
            while !state.stop && (state.generation == seen || rank >= state.ranks || state.job.is_none()) {
                state = shared.wake.wait(state).unwrap_or_else(PoisonError::into_inner);
            }
            if state.stop {
                return;
            }
            seen = state.generation;
            state.job
        };
        let Some(job) = job else { continue };
        if std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| timed(&spent[rank], || job(rank)))).is_err() {
            shared.panicked.store(true, Ordering::Release);
        }
        let _state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        if shared.running.fetch_sub(1, Ordering::AcqRel) == 1 {
            shared.done.notify_all();
        }
    }
}
