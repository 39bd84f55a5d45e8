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

/// Processors this process may use, as it was started: read once, since pinning a thread narrows what the kernel answers later.
pub fn allowed_processors() -> &'static [usize] {
    static ALLOWED: OnceLock<Vec<usize>> = OnceLock::new();
    ALLOWED.get_or_init(read_allowed)
}

fn read_allowed() -> Vec<usize> {
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: `set` is a valid place of the size given.
    let set = unsafe {
        libc::sched_getaffinity(libc::getpid(), size_of::<libc::cpu_set_t>(), set.as_mut_ptr());
        set.assume_init()
    };
    // SAFETY: indices stay below CPU_SETSIZE.
    (0..usize::try_from(libc::CPU_SETSIZE).unwrap_or(0)).filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) }).collect()
}

/// Pins the calling thread to the `index`-th allowed processor. A refusal costs repeatability only.
pub(crate) fn pin_to(index: usize) {
    let allowed = allowed_processors();
    let Some(&cpu) = allowed.get(index % allowed.len().max(1)) else { return };
    let mut set = MaybeUninit::<libc::cpu_set_t>::zeroed();
    // SAFETY: an all-zero cpu_set_t is the empty set; `cpu` came from the kernel's own set.
    unsafe {
        libc::CPU_SET(cpu, set.assume_init_mut());
        libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set.as_ptr());
    }
}
