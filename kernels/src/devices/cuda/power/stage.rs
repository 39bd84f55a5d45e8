//! What a measurement needs of the device it measures.

use crate::DeviceError;

/// A GPU, one kernel and a clock: real, virtual or simulated.
pub trait Stage {
    /// Host clock in seconds from an arbitrary origin, monotonic.
    fn clock_s(&mut self) -> f64;
    /// The host does nothing for so many seconds; what is queued goes on.
    fn idle(&mut self, seconds: f64);
    /// Queues `n` launches back to back and returns without waiting for them. Launches queued before run first.
    ///
    /// # Errors
    /// [`DeviceError`] where they cannot be queued.
    fn launch(&mut self, n: u64) -> Result<(), DeviceError>;
    /// Launches completed since the stage was made. May advance by whole calls of [`Stage::launch`].
    ///
    /// # Errors
    /// [`DeviceError`] where a launch failed.
    fn completed(&mut self) -> Result<u64, DeviceError>;
    /// Returns when everything queued is done.
    ///
    /// # Errors
    /// [`DeviceError`] where a launch failed.
    fn wait(&mut self) -> Result<(), DeviceError>;
}
