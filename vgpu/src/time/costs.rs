//! What calls cost in virtual time, nanoseconds. Orders of magnitude of a current host; fixed, so that polling loops make progress and stay reproducible.

/// The hour at which a session finds itself: the card has idled for ten seconds, so that averaging sensors have a past.
pub const START_NS: u64 = 10_000_000_000;
/// Host side of an asynchronous call: a launch, a copy, an event.
pub const ENQUEUE_NS: u64 = 2_000;
/// A synchronising call, beyond the waiting itself.
pub const SYNCHRONISE_NS: u64 = 4_000;
/// A query of an event or a stream that does not wait.
pub const QUERY_NS: u64 = 1_000;
/// An allocation or a release.
pub const ALLOCATE_NS: u64 = 5_000;
/// Loading a module.
pub const LOAD_NS: u64 = 200_000;
/// From a kernel's start on the device to its first instruction, and from its last to the next kernel's start.
pub const KERNEL_START_NS: u64 = 2_000;
/// Set-up of a copy over PCI express.
pub const COPY_START_NS: u64 = 4_000;
/// One NVML reading, unless the scenario says otherwise.
pub const NVML_NS: u64 = 20_000;

/// Bytes per second one direction of a x16 PCI express link really carries.
pub fn pcie_bytes_per_s(generation: u32) -> f64 {
    match generation {
        ..=3 => 12.5e9,
        4 => 25.0e9,
        _ => 50.0e9,
    }
}

/// Nanoseconds of `seconds`, at least zero.
pub fn ns(seconds: f64) -> u64 {
    (seconds.max(0.0) * 1e9).round() as u64
}
