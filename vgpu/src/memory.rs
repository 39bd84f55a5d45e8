//! Device memory: an allocation table over host buffers. Device pointers are addresses of a range of their own, so that none is a host pointer by accident.

/// Names one allocation for as long as the memory lives; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllocationId(pub u64);

/// The device has no room left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{wanted}` bytes do not fit: `{free}` of `{total}` bytes are free")]
pub struct OutOfMemory {
    /// Bytes asked for.
    pub wanted: u64,
    /// Bytes free.
    pub free: u64,
    /// Capacity in bytes.
    pub total: u64,
}

/// An address range that lies in no allocation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("address `{address:#x}` + `{bytes}` bytes: {reason}")]
pub struct BadAddress {
    /// First byte of the range.
    pub address: u64,
    /// Length of the range.
    pub bytes: u64,
    /// Where it lies instead.
    pub reason: String,
}

/// Device memory; shared by all blocks of a launch.
pub struct Memory {
    capacity: u64,
}

#[allow(unused_variables, clippy::missing_errors_doc)]
impl Memory {
    /// Memory with room for `capacity_bytes`.
    pub fn new(capacity_bytes: u64) -> Self {
        Self { capacity: capacity_bytes }
    }
    /// 512-byte aligned, followed by a red zone that belongs to nobody.
    pub fn alloc(&self, bytes: u64, label: &str) -> Result<u64, OutOfMemory> {
        Err(OutOfMemory { wanted: bytes, free: 0, total: self.capacity })
    }
    /// Frees what `alloc` gave.
    pub fn free(&self, ptr: u64) -> Result<(), BadAddress> {
        Ok(())
    }
    /// Host to device.
    pub fn write(&self, dst: u64, src: &[u8]) -> Result<(), BadAddress> {
        Ok(())
    }
    /// Device to host.
    pub fn read(&self, src: u64, dst: &mut [u8]) -> Result<(), BadAddress> {
        Ok(())
    }
    /// `count` times `pattern`.
    pub fn fill(&self, dst: u64, pattern: &[u8], count: u64) -> Result<(), BadAddress> {
        Ok(())
    }
    /// Device to device.
    pub fn copy(&self, dst: u64, src: u64, bytes: u64) -> Result<(), BadAddress> {
        Ok(())
    }
    /// Bytes that can still be allocated.
    pub fn free_bytes(&self) -> u64 {
        0
    }
    /// Capacity.
    pub fn total_bytes(&self) -> u64 {
        self.capacity
    }
    /// Bumped by every write, copy, fill and by every launch that wrote it; 0 for an allocation that is gone.
    pub fn version(&self, allocation: AllocationId) -> u64 {
        0
    }
    /// The allocation that holds `address`, with its base and size (`cuMemGetAddressRange`).
    pub fn find(&self, address: u64) -> Option<(AllocationId, u64, u64)> {
        None
    }
}
