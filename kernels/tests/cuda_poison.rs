//! A kernel that writes where it must not ends the context of its process: this test has a process of its own.

#![allow(clippy::disallowed_methods)] // a test that needs a library learns its path from the environment
#![allow(clippy::print_stdout)] // a skip must be seen

mod gpu;

use gpu::{Doubling, config, problem};
use tilecast_kernels::{CacheMode, Device, DeviceError};

#[test]
fn a_wild_write_is_named_and_everything_after_it_says_that_the_device_is_lost() {
    let Some(device) = gpu::device() else { return };
    let mut loaded = device.load(&Doubling, &problem(1000)).expect("fits any GPU");
    let right = loaded.prepare(&config("NONE", 1)).expect("prepares").slot;
    let wild = loaded.prepare(&config("WILD", 1)).expect("prepares").slot;
    loaded.verify(right).expect("runs");
    for (what, done) in [
        ("the wild kernel", loaded.verify(wild).map(|_| ())),
        ("the right one after it", loaded.verify(right).map(|_| ())),
        ("a sample", loaded.sample(right, 2, CacheMode::Hot).map(|_| ())),
        ("another problem", device.load(&Doubling, &problem(10)).map(|_| ())),
    ] {
        assert!(matches!(done, Err(DeviceError::Poisoned { .. })), "{what}: {done:?}");
    }
}
