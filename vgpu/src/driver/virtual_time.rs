//! The clock, the truth and the guards, exported beside CUDA and NVML. A host that finds these symbols in its driver uses them in place of the wall clock and of sleeping.

use std::ffi::{c_char, c_double, c_uint};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::execute::repeat;
use super::ffi::Out;
use super::session::enter;
use crate::nvml::scenario::Scope;
use crate::state::{Inner, machine};

/// Runs `look` on the state where `device` is a card.
fn at<R>(device: c_uint, otherwise: R, look: impl FnOnce(&mut Inner, usize) -> R) -> R {
    let found = catch_unwind(AssertUnwindSafe(|| {
        let machine = machine()?;
        let mut inner = machine.lock();
        let device = device as usize;
        (device < inner.cards.len()).then(|| look(&mut inner, device))
    }));
    found.ok().flatten().unwrap_or(otherwise)
}

/// The virtual hour of the host that drives `device`, ns; 0 where there is no such card.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn vgpuNow(device: c_uint) -> u64 {
    at(device, 0, |inner, i| inner.cards[i].clock.now_ns())
}

/// The host of `device` does nothing for `ns` of virtual time, while the card goes on; gives the hour after it.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn vgpuAdvance(device: c_uint, ns: u64) -> u64 {
    at(device, 0, |inner, i| {
        inner.cards[i].clock.pass(ns);
        inner.cards[i].clock.now_ns()
    })
}

/// The energy the GPU of `device` really took from `from_ns` to `to_ns`, J: the exact integral, without sensors. NaN where there is no such card.
///
/// Beyond now it holds for what has been enqueued so far.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn vgpuTrueEnergy(device: c_uint, from_ns: u64, to_ns: u64) -> c_double {
    at(device, f64::NAN, |inner, i| inner.cards[i].truth().energy_j(Scope::Gpu, from_ns, to_ns))
}

/// The power the GPU of `device` really draws at `at_ns`, W. NaN where there is no such card.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn vgpuTruePower(device: c_uint, at_ns: u64) -> c_double {
    at(device, f64::NAN, |inner, i| inner.cards[i].truth().power_w(Scope::Gpu, at_ns))
}

/// Makes the current context's last `launches` launches (at most 64) `times` times more, in their order: time and power are those of as many calls, and nothing is
/// executed. Gives `times`, or 0 and does nothing where one of them would have to be executed, or there is no sound context.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn vgpuRepeat(launches: u64, times: u64) -> u64 {
    let repeated = catch_unwind(|| enter(|s| Ok(repeat(s, usize::try_from(launches).unwrap_or(usize::MAX), times))));
    repeated.ok().and_then(Result::ok).unwrap_or(0)
}

/// Forbids kernels to touch `bytes` at `address`, which lie at the start or at the end of an allocation, as if they lay outside it; copies and fills go on. Gives 1,
/// and 0 where there is no such range. It holds until the allocation is freed.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn vgpuGuard(address: u64, bytes: u64) -> c_uint {
    let guarded =
        catch_unwind(|| machine().is_some_and(|m| m.memories.iter().any(|memory| memory.guard(address, bytes).is_ok())));
    c_uint::from(guarded.unwrap_or(false))
}

/// The counters of the last launch as one JSON object, as in `VGPU_COUNTERS`, cut to `size` bytes; gives its whole length without the end, 0 before the first launch.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn vgpuLastCounters(text: Out<c_char>, size: usize) -> usize {
    let last = catch_unwind(|| machine().map(|m| m.lock().last_counters.clone())).ok().flatten();
    let last = last.unwrap_or_default();
    let _ = text.give_text(&last, size);
    last.len()
}

/// Launches interpreted so far, and launches that only took their time because nothing they touch had changed.
#[unsafe(no_mangle)]
#[allow(non_snake_case)]
pub extern "C" fn vgpuLaunches(executed: Out<u64>, remembered: Out<u64>) {
    let counts = catch_unwind(|| machine().map(|m| m.launches())).ok().flatten().unwrap_or((0, 0));
    let _ = (executed.give(counts.0), remembered.give(counts.1));
}
