//! Device memory and page-locked host memory.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::ffi::{c_uint, c_void};

use super::code::Code;
use super::ffi::{Out, cuda};
use super::objects::HostBlock;
use super::session::{Session, enter};
use crate::time::costs;

/// Page-locked memory is aligned to a page.
const PAGE: usize = 4096;
/// Rows of a pitched allocation are multiples of this.
const PITCH: usize = 512;

cuda! {
    /// `bytesize` bytes; `CUDA_ERROR_OUT_OF_MEMORY` beyond the card's memory.
    fn cuMemAlloc_v2(address: Out<u64>, bytesize: usize) {
        enter(|s| { let at = allocate(s, bytesize)?; address.set(at) })
    }

    /// The same: there are no pools, so memory is there at once.
    fn cuMemAllocAsync(address: Out<u64>, bytesize: usize, stream: u64) {
        enter(|s| { s.stream(stream)?; let at = allocate(s, bytesize)?; address.set(at) })
    }

    /// Rows of `width` bytes, each padded to a multiple of 512.
    fn cuMemAllocPitch_v2(address: Out<u64>, pitch: Out<usize>, width: usize, height: usize, element: c_uint) {
        if !matches!(element, 4 | 8 | 16) || width == 0 || height == 0 {
            return Err(Code::InvalidValue);
        }
        let padded = width.next_multiple_of(PITCH);
        let bytes = padded.checked_mul(height).ok_or(Code::OutOfMemory)?;
        enter(|s| { let at = allocate(s, bytes)?; pitch.set(padded)?; address.set(at) })
    }

    /// No managed memory: the host could touch it behind the checks.
    fn cuMemAllocManaged(_address: Out<u64>, _bytesize: usize, _flags: c_uint) {
        Err(Code::NotSupported)
    }

    /// No pools.
    fn cuMemAllocFromPoolAsync(_address: Out<u64>, _bytesize: usize, _pool: u64, _stream: u64) {
        Err(Code::NotSupported)
    }

    /// Frees; waits for the card first, as CUDA does.
    fn cuMemFree_v2(address: u64) {
        enter(|s| {
            let ready = s.all_ready_ns();
            s.card().clock.wait_until(ready);
            release(s, address)
        })
    }

    /// Frees without waiting.
    fn cuMemFreeAsync(address: u64, stream: u64) {
        enter(|s| { s.stream(stream)?; release(s, address) })
    }

    /// Free and total bytes of the card.
    fn cuMemGetInfo_v2(free: Out<usize>, total: Out<usize>) {
        enter(|s| {
            let device = s.device;
            free.set(s.machine.memories[device].free_bytes() as usize)?;
            total.set(s.card().profile.memory_bytes() as usize)
        })
    }

    /// The allocation round an address.
    fn cuMemGetAddressRange_v2(base: Out<u64>, size: Out<usize>, address: u64) {
        enter(|s| {
            let (_, start, bytes) = s.machine.memories[s.device].find(address).ok_or(Code::NotFound)?;
            let _ = (base.give(start), size.give(bytes as usize));
            Ok(())
        })
    }

    /// Page-locked host memory.
    fn cuMemHostAlloc(address: Out<*mut c_void>, bytesize: usize, flags: c_uint) {
        if flags & !7 != 0 { Err(Code::InvalidValue) } else { host_allocate(address, bytesize) }
    }

    /// The same without flags.
    fn cuMemAllocHost_v2(address: Out<*mut c_void>, bytesize: usize) {
        host_allocate(address, bytesize)
    }

    /// Frees it.
    fn cuMemFreeHost(address: *mut c_void) {
        let block = enter(|s| match s.inner.host.get(&(address as u64)) {
            Some(HostBlock::Owned(layout)) => {
                let layout = *layout;
                s.inner.host.remove(&(address as u64));
                Ok(layout)
            }
            _ => Err(Code::InvalidValue),
        })?;
        // SAFETY: `address` came from `alloc_zeroed` with this layout, and its entry was removed, so it is freed once.
        unsafe { dealloc(address.cast(), block) };
        Ok(())
    }

    /// Remembers that host memory is page-locked.
    fn cuMemHostRegister_v2(address: *mut c_void, bytesize: usize, _flags: c_uint) {
        if address.is_null() || bytesize == 0 {
            return Err(Code::InvalidValue);
        }
        enter(|s| match s.inner.host.contains_key(&(address as u64)) {
            true => Err(Code::HostMemoryAlreadyRegistered),
            false => { s.inner.host.insert(address as u64, HostBlock::Registered); Ok(()) }
        })
    }

    /// Forgets it.
    fn cuMemHostUnregister(address: *mut c_void) {
        enter(|s| match s.inner.host.get(&(address as u64)) {
            Some(HostBlock::Registered) => { s.inner.host.remove(&(address as u64)); Ok(()) }
            _ => Err(Code::HostMemoryNotRegistered),
        })
    }

    /// Kernels see device memory only.
    fn cuMemHostGetDevicePointer_v2(_device: Out<u64>, _address: *mut c_void, _flags: c_uint) {
        Err(Code::NotSupported)
    }

    /// Flags of page-locked memory: none that matter here.
    fn cuMemHostGetFlags(flags: Out<c_uint>, address: *mut c_void) {
        enter(|s| if s.inner.host.contains_key(&(address as u64)) { flags.set(0) } else { Err(Code::InvalidValue) })
    }
}

fn allocate(s: &mut Session<'_>, bytes: usize) -> Result<u64, Code> {
    if bytes == 0 {
        return Err(Code::InvalidValue);
    }
    s.card().clock.pass(costs::ALLOCATE_NS);
    let serial = s.inner.handle() & 0xffff_ffff;
    let memory = &s.machine.memories[s.device];
    let address = memory.alloc(bytes as u64, &format!("allocation {} of {bytes} bytes", serial / 0x10)).map_err(|refused| {
        super::log::say(&refused.to_string());
        Code::OutOfMemory
    })?;
    let id = s.id;
    s.inner.allocations.insert(address, id);
    Ok(address)
}

fn release(s: &mut Session<'_>, address: u64) -> Result<(), Code> {
    if address == 0 {
        return Ok(());
    }
    s.card().clock.pass(costs::ALLOCATE_NS);
    if s.inner.allocations.remove(&address).is_none() {
        return Err(Code::InvalidValue);
    }
    s.machine
        .memories
        .iter()
        .find(|m| m.find(address).is_some())
        .ok_or(Code::InvalidValue)?
        .free(address)
        .map_err(|_| Code::InvalidValue)
}

fn host_allocate(address: Out<*mut c_void>, bytes: usize) -> Result<(), Code> {
    if bytes == 0 || address.is_null() {
        return Err(Code::InvalidValue);
    }
    let layout = Layout::from_size_align(bytes, PAGE).map_err(|_| Code::OutOfMemory)?;
    enter(|s| {
        // SAFETY: the layout has a size above zero.
        let block = unsafe { alloc_zeroed(layout) };
        if block.is_null() {
            return Err(Code::OutOfMemory);
        }
        s.card().clock.pass(costs::ALLOCATE_NS);
        s.inner.host.insert(block as u64, HostBlock::Owned(layout));
        address.set(block.cast())
    })
}
