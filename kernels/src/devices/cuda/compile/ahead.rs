//! Compiling ahead of measuring: threads that fill the cache while kernels that are compiled already run.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use super::Compiler;
use crate::devices::cuda::{Architecture, Unit};

/// Makes the code of one configuration; `None` where nothing is compiled for it.
pub type Job = Box<dyn FnOnce() -> Option<Unit> + Send>;

/// Threads compiling what was asked for, in order. Dropping it drops what was not begun.
#[derive(Debug)]
pub struct Ahead {
    queue: Arc<Queue>,
    threads: Vec<JoinHandle<()>>,
}

struct Queue {
    jobs: Mutex<VecDeque<Job>>,
    stop: AtomicBool,
}

impl std::fmt::Debug for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Queue").field("stop", &self.stop).finish_non_exhaustive()
    }
}

impl Queue {
    fn next(&self) -> Option<Job> {
        if self.stop.load(Ordering::Acquire) {
            return None;
        }
        self.jobs.lock().unwrap_or_else(PoisonError::into_inner).pop_front()
    }
}

impl Ahead {
    /// Starts `threads` threads on `jobs` for `arch`. What fails fails again, with its reason, when it is asked for.
    #[must_use]
    pub fn start(compiler: &Arc<Compiler>, arch: Architecture, jobs: Vec<Job>, threads: usize) -> Self {
        let queue = Arc::new(Queue { jobs: Mutex::new(jobs.into()), stop: AtomicBool::new(false) });
        let work = |_| {
            let (queue, compiler) = (Arc::clone(&queue), Arc::clone(compiler));
            std::thread::spawn(move || {
                step_back();
                while let Some(job) = queue.next() {
                    let _ = job().map(|unit| compiler.compile(&unit, arch));
                }
            })
        };
        let threads = (0..threads.max(1)).map(work).collect();
        Self { queue, threads }
    }

    /// Waits until everything is compiled.
    pub fn finish(mut self) {
        self.join();
    }

    fn join(&mut self) {
        for thread in self.threads.drain(..) {
            // A thread that panicked compiled nothing more; what is missing is compiled when it is asked for.
            let _ = thread.join();
        }
    }
}

impl Drop for Ahead {
    fn drop(&mut self) {
        self.queue.stop.store(true, Ordering::Release);
        self.join();
    }
}

/// Lets the thread that launches kernels have the processor first.
fn step_back() {
    // SAFETY: takes numbers only; on Linux process 0 is the calling thread. Where it is refused, priorities stay equal.
    unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 10) };
}

/// Compilations to run at once beside the measuring thread: one per further processor, and a GiB of memory each (CUTLASS takes half of that).
#[must_use]
pub fn threads_for(processors: usize, free_bytes: u64) -> usize {
    let by_memory = usize::try_from(free_bytes >> 30).unwrap_or(usize::MAX);
    (processors.saturating_sub(1)).min(by_memory).max(1)
}
