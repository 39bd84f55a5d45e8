//! Starting, cards and their properties, error texts, symbol look-up.

use std::ffi::{c_char, c_int, c_uint, c_void};

use super::code::Code;
use super::ffi::{In, Out, Text, cuda};
use super::session::{on_card, started};
use crate::profile::{self, MAX_BLOCK, MAX_GRID, MAX_THREADS_PER_BLOCK, REGISTERS_PER_SM, STATIC_SHARED_LIMIT};
use crate::state::machine;

/// `CUdevprop`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default)]
#[allow(missing_docs)] // CUDA's names
pub struct DeviceProperties {
    pub max_threads_per_block: c_int,
    pub max_threads_dim: [c_int; 3],
    pub max_grid_size: [c_int; 3],
    pub shared_mem_per_block: c_int,
    pub total_constant_memory: c_int,
    pub simd_width: c_int,
    pub mem_pitch: c_int,
    pub regs_per_block: c_int,
    pub clock_rate: c_int,
    pub texture_align: c_int,
}

cuda! {
    /// Makes the machine if need be. No card in `VGPU_DEVICE`, or variables that make no sense: `CUDA_ERROR_NO_DEVICE`.
    fn cuInit(flags: c_uint) {
        if flags != 0 {
            return Err(Code::InvalidValue);
        }
        let machine = machine().ok_or(Code::NoDevice)?;
        let mut inner = machine.lock();
        if inner.cards.is_empty() {
            return Err(Code::NoDevice);
        }
        inner.initialised = true;
        Ok(())
    }

    /// The CUDA version of the first card's scenario; works before `cuInit`.
    fn cuDriverGetVersion(version: Out<c_int>) {
        let machine = machine().ok_or(Code::NoDevice)?;
        version.set(machine.config.devices.first().map_or(0, |(_, s)| s.driver.cuda as c_int))
    }

    /// How many cards there are.
    fn cuDeviceGetCount(count: Out<c_int>) {
        count.set(started()?.memories.len() as c_int)
    }

    /// The handle of card `ordinal`, which is the ordinal.
    fn cuDeviceGet(device: Out<c_int>, ordinal: c_int) {
        on_card(ordinal, |_, _| device.set(ordinal))
    }

    /// The card's name, cut to `len` bytes.
    fn cuDeviceGetName(name: Out<c_char>, len: c_int, device: c_int) {
        on_card(device, |inner, i| name.give_text(&inner.cards[i].profile.display_name(), usize::try_from(len).unwrap_or(0)).ok_or(Code::InvalidValue))
    }

    /// A UUID made of the card and its index.
    fn cuDeviceGetUuid(uuid: Out<[u8; 16]>, device: c_int) {
        on_card(device, |inner, i| uuid.set(inner.cards[i].uuid()))
    }

    /// The same, or under MIG that of an instance.
    fn cuDeviceGetUuid_v2(uuid: Out<[u8; 16]>, device: c_int) {
        on_card(device, |inner, i| uuid.set(inner.cards[i].instance_uuid()))
    }

    /// No locally unique identifiers outside Windows.
    fn cuDeviceGetLuid(_luid: Out<c_char>, _mask: Out<c_uint>, _device: c_int) {
        Err(Code::NotSupported)
    }

    /// Device memory, bytes.
    fn cuDeviceTotalMem_v2(bytes: Out<usize>, device: c_int) {
        on_card(device, |inner, i| bytes.set(inner.cards[i].profile.memory_bytes() as usize))
    }

    /// One attribute; numbers the enumeration does not have give `CUDA_ERROR_INVALID_VALUE`.
    fn cuDeviceGetAttribute(value: Out<c_int>, attribute: c_int, device: c_int) {
        on_card(device, |inner, i| value.set(profile::attribute(inner.cards[i].profile, i, attribute).ok_or(Code::InvalidValue)?))
    }

    /// Major and minor compute capability.
    fn cuDeviceComputeCapability(major: Out<c_int>, minor: Out<c_int>, device: c_int) {
        on_card(device, |inner, i| {
            major.set(inner.cards[i].profile.compute.0 as c_int)?;
            minor.set(inner.cards[i].profile.compute.1 as c_int)
        })
    }

    /// The old bundle of properties.
    fn cuDeviceGetProperties(properties: Out<DeviceProperties>, device: c_int) {
        on_card(device, |inner, i| properties.set(DeviceProperties {
            max_threads_per_block: MAX_THREADS_PER_BLOCK as c_int,
            max_threads_dim: MAX_BLOCK.map(|n| n as c_int),
            max_grid_size: MAX_GRID.map(|n| n as c_int),
            shared_mem_per_block: STATIC_SHARED_LIMIT as c_int,
            total_constant_memory: 65_536,
            simd_width: 32,
            mem_pitch: c_int::MAX,
            regs_per_block: REGISTERS_PER_SM as c_int,
            clock_rate: inner.cards[i].profile.boost_mhz as c_int * 1000,
            texture_align: 512,
        }))
    }

    /// Such as `0000:01:00.0`.
    fn cuDeviceGetPCIBusId(text: Out<c_char>, len: c_int, device: c_int) {
        on_card(device, |inner, i| {
            let id = inner.cards[i].bus_id();
            // CUDA refuses a buffer that would cut it.
            let room = usize::try_from(len).unwrap_or(0);
            if room <= id.len() { Err(Code::InvalidValue) } else { text.give_text(&id, room).ok_or(Code::InvalidValue) }
        })
    }

    /// The card at a bus id, in any of the usual spellings.
    fn cuDeviceGetByPCIBusId(device: Out<c_int>, id: Text) {
        let wanted = id.get().ok_or(Code::InvalidValue)?;
        let machine = started()?;
        let found = machine.lock().cards.iter().position(|card| card.answers_to_bus_id(&wanted));
        device.set(found.ok_or(Code::InvalidDevice)? as c_int)
    }

    /// No card reaches another's memory from a kernel.
    fn cuDeviceCanAccessPeer(can: Out<c_int>, device: c_int, peer: c_int) {
        on_card(device, |_, _| Ok(()))?;
        on_card(peer, |_, _| can.set(0))
    }

    /// No pools.
    fn cuDeviceGetDefaultMemPool(_pool: Out<u64>, _device: c_int) {
        Err(Code::NotSupported)
    }

    /// No pools.
    fn cuDeviceGetMemPool(_pool: Out<u64>, _device: c_int) {
        Err(Code::NotSupported)
    }

    /// CUDA's name of an error.
    fn cuGetErrorName(error: c_uint, text: Out<*const c_char>) {
        explain(error, text, |(_, name, _)| name.as_ptr())
    }

    /// CUDA's sentence about an error.
    fn cuGetErrorString(error: c_uint, text: Out<*const c_char>) {
        explain(error, text, |(_, _, sentence)| sentence.as_ptr())
    }

    /// No private tables. NVRTC 13 asks for one while it compiles and takes this answer.
    fn cuGetExportTable(table: Out<*const c_void>, _id: In<[u8; 16]>) {
        let _ = table.give(std::ptr::null());
        Err(Code::NotFound)
    }

    /// The address of a call by name, the newest version of it.
    fn cuGetProcAddress_v2(name: Text, address: Out<*const c_void>, _version: c_int, _flags: u64, status: Out<c_int>) {
        let found = super::symbol(&name.get().ok_or(Code::InvalidValue)?);
        address.set(found.map_or(std::ptr::null(), <*const ()>::cast))?;
        // CU_GET_PROC_ADDRESS_SUCCESS, ..._SYMBOL_NOT_FOUND
        let _ = status.give(if found.is_some() { 0 } else { 1 });
        if found.is_some() { Ok(()) } else { Err(Code::NotFound) }
    }

    /// The same without a status.
    fn cuGetProcAddress(name: Text, address: Out<*const c_void>, version: c_int, flags: u64) {
        match cuGetProcAddress_v2(name, address, version, flags, Out::NULL) {
            Code::Success => Ok(()),
            code => Err(code),
        }
    }

    /// Nothing profiles a virtual card from outside; counters are kept anyway.
    fn cuProfilerStart() {
        started().map(|_| ())
    }

    /// The other end.
    fn cuProfilerStop() {
        started().map(|_| ())
    }
}

fn explain(
    error: c_uint,
    text: Out<*const c_char>,
    pick: impl Fn((Code, &'static std::ffi::CStr, &'static std::ffi::CStr)) -> *const c_char,
) -> Result<(), Code> {
    match Code::look_up(error) {
        Some(row) => text.set(pick(row)),
        None => {
            text.set(std::ptr::null())?;
            Err(Code::InvalidValue)
        }
    }
}
