//! The clock and the truth, exported beside CUDA and NVML. A host that finds these symbols in its driver uses them in place of the wall clock and of sleeping.

use std::ffi::{c_char, c_double, c_uint};
use std::panic::{AssertUnwindSafe, catch_unwind};

use super::ffi::Out;
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
