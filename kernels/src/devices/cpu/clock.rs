//! Thread clocks, involuntary switches and pinning.

use std::mem::MaybeUninit;
use std::sync::OnceLock;

/// CPU time of the calling thread.
#[must_use]
pub fn thread_cpu_s() -> f64 {
    clock_s(libc::CLOCK_THREAD_CPUTIME_ID)
}

/// Wall time from an arbitrary origin; never goes back.
#[must_use]
pub fn wall_s() -> f64 {
    clock_s(libc::CLOCK_MONOTONIC)
}

fn clock_s(clock: libc::clockid_t) -> f64 {
    let mut time = MaybeUninit::<libc::timespec>::zeroed();
    // SAFETY: `time` is a valid place for a timespec, and an all-zero one is valid should the call fail.
    let time = unsafe {
        libc::clock_gettime(clock, time.as_mut_ptr());
        time.assume_init()
    };
    #[allow(clippy::cast_precision_loss)] // seconds since boot, nanoseconds below 1e9
    {
        time.tv_sec as f64 + time.tv_nsec as f64 * 1e-9
    }
}

/// Involuntary context switches of all threads of this process so far.
#[must_use]
pub fn involuntary_switches() -> u64 {
    let mut usage = MaybeUninit::<libc::rusage>::zeroed();
    // SAFETY: `usage` is a valid place for an rusage, and an all-zero one is valid should the call fail.
    let usage = unsafe {
        libc::getrusage(libc::RUSAGE_SELF, usage.as_mut_ptr());
        usage.assume_init()
    };
    u64::try_from(usage.ru_nivcsw).unwrap_or(0)
}

/// CPU time that every other thread of this process has used so far, by thread. One that has ended is not among them.
pub(crate) fn other_threads_cpu_s() -> Vec<(libc::pid_t, f64)> {
    // SAFETY: takes nothing and cannot fail.
    let own = unsafe { libc::gettid() };
    let tasks = std::fs::read_dir("/proc/self/task").into_iter().flatten();
    let threads = tasks.filter_map(|task| task.ok()?.file_name().to_str()?.parse().ok()).filter(|&thread| thread != own);
    threads.map(|thread| (thread, clock_s(cpu_clock_of(thread)))).collect()
}

/// The kernel's number for the CPU clock of a thread: its inverted id, 4 for a thread's clock and 2 for the scheduler's (linux/posix-timers.h).
fn cpu_clock_of(thread: libc::pid_t) -> libc::clockid_t {
    (!thread << 3) | 4 | 2
}

/// Processors this process may use, as it was started: read once, since pinning a thread narrows what the kernel answers later.
pub fn allowed_processors() -> &'static [usize] {
    static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();
    // SAFETY: takes nothing and cannot fail.
    ALLOWED.get_or_init(|| processors_of(unsafe { libc::getpid() }))
}

/// Processors that `thread` may use; 0 is the calling one.
fn processors_of(thread: libc::pid_t) -> Vec<usize> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: `set` is a valid place of the size given.
    let set = unsafe {
        libc::sched_getaffinity(thread, size_of::<libc::cpu_set_t>(), set.as_mut_ptr());
        set.assume_init()
    };
    // SAFETY: indices stay below CPU_SETSIZE.
    (0..usize::try_from(libc::CPU_SETSIZE).unwrap_or(0)).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect()
}

/// Leaves the calling thread these processors, which came from the kernel's own set. A refusal costs repeatability only.
fn keep_to(processors: &[usize]) {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: an all-zero cpu_set_t is the empty set, and every index is one the kernel has.
    unsafe {
        processors.iter().for_each(|&cpu| libc::CPU_SET(cpu, set.assume_init_mut()));
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set.as_ptr());
    }
}

/// Pins the calling thread to the `index`-th allowed processor.
pub(crate) fn pin_to(index: usize) {
    let allowed = allowed_processors();
    if let Some(&cpu) = allowed.get(index % allowed.len().max(1)) {
        keep_to(&[cpu]);
    }
}

/// Runs `job`, which may pin the calling thread, and gives the thread back the processors it had.
pub(crate) fn giving_back<T>(job: impl FnOnce() -> T) -> T {
    let own = processors_of(0);
    let result = job();
    keep_to(&own);
    result
}

/// Runs `job` with the calling thread free to use every allowed processor, and takes it back to its own afterwards: threads that a
/// library starts in `job` inherit the freedom, and would inherit the pin.
pub(crate) fn unpinned<T>(job: impl FnOnce() -> T) -> T {
    giving_back(|| {
        keep_to(allowed_processors());
        job()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thread_started_unpinned_by_a_pinned_one_may_use_every_processor() {
        let started = || std::thread::spawn(|| processors_of(0)).join().expect("it only asks");
        let job = move || {
            pin_to(0);
            (started(), unpinned(started), processors_of(0))
        };
        let (pinned, free, after) = std::thread::spawn(job).join().expect("it only asks");
        assert_eq!((pinned.len(), after), (1, pinned), "a pin is inherited, and stays");
        assert_eq!(free, allowed_processors());
    }

    #[test]
    fn the_cpu_time_of_another_thread_is_the_one_it_reads_itself() {
        let (ask, asked) = std::sync::mpsc::channel::<()>();
        let (tell, told) = std::sync::mpsc::channel();
        let other = std::thread::spawn(move || {
            while thread_cpu_s() < 2e-3 {
                std::hint::spin_loop();
            }
            // SAFETY: takes nothing and cannot fail.
            tell.send((unsafe { libc::gettid() }, thread_cpu_s())).expect("the test listens");
            asked.recv().expect("the test lets go");
        });
        let (thread, own_s) = told.recv().expect("the other tells");
        let seen = other_threads_cpu_s().into_iter().find(|(known, _)| *known == thread);
        assert!(seen.is_some_and(|(_, seen_s)| seen_s >= own_s), "{seen:?} {own_s}");
        ask.send(()).expect("the other waits");
        other.join().expect("it ends");
    }
}
