//! Who is on the card, and how much of its memory is taken.

use std::ffi::c_uint;

use super::calls::{Desk, device_calls, set, set_list};
use super::status::Status;
use crate::driver::ffi::Out;

/// `nvmlProcessInfo_v1_t`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // NVML's names
pub struct ProcessV1 {
    pub pid: c_uint,
    pub used_memory: u64,
}

/// `nvmlProcessInfo_t`, since version 2.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // NVML's names
pub struct Process {
    pub pid: c_uint,
    pub used_memory: u64,
    pub gpu_instance: c_uint,
    pub compute_instance: c_uint,
}

/// `nvmlMemory_t`, bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // NVML's names
pub struct MemoryInfo {
    pub total: u64,
    pub free: u64,
    pub used: u64,
}

/// `nvmlMemory_v2_t`, bytes.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // NVML's names
pub struct MemoryInfoV2 {
    pub version: c_uint,
    pub total: u64,
    pub reserved: u64,
    pub free: u64,
    pub used: u64,
}

/// `nvmlProcessUtilizationSample_t`, per cent.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)] // NVML's names
pub struct ProcessUse {
    pub pid: c_uint,
    pub timestamp_us: u64,
    pub sm: c_uint,
    pub memory: c_uint,
    pub encoder: c_uint,
    pub decoder: c_uint,
}

/// `NVML_STRUCT_VERSION(Memory, 2)`.
const MEMORY_V2: u32 = 2 << 24 | size_of::<MemoryInfoV2>() as u32;
/// What NVML gives where there are no instances.
const NO_INSTANCE: u32 = 0xffff_ffff;

device_calls! {
    /// Processes that compute: this one where it has a context, and the scenario's.
    fn nvmlDeviceGetComputeRunningProcesses(desk, count: Out<c_uint>, list: Out<ProcessV1>) {
        let short: Vec<ProcessV1> = processes(desk).iter().map(|p| ProcessV1 { pid: p.pid, used_memory: p.used_memory }).collect();
        set_list(count, list, &short)
    }

    /// The same with instances.
    fn nvmlDeviceGetComputeRunningProcesses_v2(desk, count: Out<c_uint>, list: Out<Process>) {
        set_list(count, list, &processes(desk))
    }

    /// The same.
    fn nvmlDeviceGetComputeRunningProcesses_v3(desk, count: Out<c_uint>, list: Out<Process>) {
        set_list(count, list, &processes(desk))
    }

    /// Nobody draws.
    fn nvmlDeviceGetGraphicsRunningProcesses(_desk, count: Out<c_uint>, _list: Out<ProcessV1>) {
        set(count, 0)
    }

    /// Nobody draws.
    fn nvmlDeviceGetGraphicsRunningProcesses_v2(_desk, count: Out<c_uint>, _list: Out<Process>) {
        set(count, 0)
    }

    /// Nobody draws.
    fn nvmlDeviceGetGraphicsRunningProcesses_v3(_desk, count: Out<c_uint>, _list: Out<Process>) {
        set(count, 0)
    }

    /// Nobody shares through MPS.
    fn nvmlDeviceGetMPSComputeRunningProcesses_v3(_desk, count: Out<c_uint>, _list: Out<Process>) {
        set(count, 0)
    }

    /// Use by other processes: their share of the time.
    fn nvmlDeviceGetProcessUtilization(desk, list: Out<ProcessUse>, count: Out<c_uint>, _last_seen_us: u64) {
        let timestamp_us = desk.card.clock.now_ns() / 1000;
        let found: Vec<ProcessUse> = present(desk)
            .map(|p| ProcessUse { pid: p.pid, timestamp_us, sm: (p.share * 100.0).round() as c_uint, ..ProcessUse::default() })
            .collect();
        if found.is_empty() {
            set(count, 0)?;
            return Err(Status::NotFound);
        }
        set_list(count, list, &found)
    }

    /// Total, free and used device memory.
    fn nvmlDeviceGetMemoryInfo(desk, memory: Out<MemoryInfo>) {
        let (total, free) = (desk.card.profile.memory_bytes(), desk.memory.free_bytes());
        set(memory, MemoryInfo { total, free, used: total - free.min(total) })
    }

    /// The same, versioned.
    fn nvmlDeviceGetMemoryInfo_v2(desk, memory: Out<MemoryInfoV2>) {
        let asked = memory.get().ok_or(Status::InvalidArgument)?;
        if asked.version != MEMORY_V2 {
            return Err(Status::ArgumentVersionMismatch);
        }
        let (total, free) = (desk.card.profile.memory_bytes(), desk.memory.free_bytes());
        set(memory, MemoryInfoV2 { version: asked.version, total, reserved: 0, free, used: total - free.min(total) })
    }
}

fn present<'a>(desk: &'a Desk<'_>) -> impl Iterator<Item = &'a super::scenario::Process> {
    let now_s = desk.card.clock.now_ns() as f64 * 1e-9;
    desk.card.scenario.process.iter().filter(move |p| (p.from_s..p.to_s).contains(&now_s))
}

fn processes(desk: &Desk<'_>) -> Vec<Process> {
    let entry =
        |pid: u32, used_memory: u64| Process { pid, used_memory, gpu_instance: NO_INSTANCE, compute_instance: NO_INSTANCE };
    let own = desk.in_use.then(|| entry(std::process::id(), desk.memory.total_bytes() - desk.memory.free_bytes()));
    own.into_iter().chain(present(desk).map(|p| entry(p.pid, p.memory_mib << 20))).collect()
}
