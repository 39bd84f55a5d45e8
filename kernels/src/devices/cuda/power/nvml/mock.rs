//! A libnvidia-ml with one board, compiled by the test beside it: it answers what `mock_set` was told. `--cfg bare` leaves out what old drivers lack.
//!
//! SAFETY, for all of it: pointers are the caller's, valid as `nvml.h` demands of it; nothing is kept beyond a call.

#![allow(non_snake_case, clippy::missing_safety_doc)]

use std::sync::atomic::{AtomicU64, Ordering::SeqCst};

const SLOTS: usize = 16;
/// 0 counter mJ · 1 power mW · 2 instant mW · 3 average mW · 4 MIG · 5 another process's pid, 0 for none · 6 limit mW · 7 locked MHz · 8 locked memory
/// MHz · 9 code of set calls · 10 code of the counter · 11 compute capability, major × 10 + minor · 12 own pid · 13 code of power calls
static STATE: [AtomicU64; SLOTS] = [const { AtomicU64::new(0) }; SLOTS];

fn get(slot: usize) -> u64 {
    STATE[slot].load(SeqCst)
}
fn put(slot: usize, value: u64) -> u32 {
    let code = get(9) as u32;
    if code == 0 {
        STATE[slot].store(value, SeqCst);
    }
    code
}
unsafe fn text(to: *mut u8, length: u32, text: &str) -> u32 {
    for (at, byte) in text.bytes().chain([0]).take(length as usize).enumerate() {
        unsafe { *to.add(at) = byte };
    }
    0
}
unsafe fn give<T>(to: *mut T, value: T) -> u32 {
    unsafe { *to = value };
    0
}
unsafe fn list(count: *mut u32, to: *mut u32, values: &[u32]) -> u32 {
    unsafe {
        let room = *count as usize;
        *count = values.len() as u32;
        if to.is_null() || room < values.len() {
            return 7;
        }
        values.iter().enumerate().for_each(|(at, value)| *to.add(at) = *value);
    }
    0
}

macro_rules! symbols {
    ($($name:ident($($arg:ident: $type:ty),*) $body:block)*) => {
        $(#[unsafe(no_mangle)] pub unsafe extern "C" fn $name($($arg: $type),*) -> u32 { unsafe { $body } })*
    };
}

type Board = *mut u8;

symbols! {
    mock_set(slot: u32, value: u64) { STATE[slot as usize].store(value, SeqCst); 0 }
    mock_get(slot: u32, to: *mut u64) { give(to, get(slot as usize)) }
    nvmlInit_v2() { 0 }
    nvmlShutdown() { 0 }
    nvmlDeviceGetHandleByIndex_v2(index: u32, to: *mut Board) { if index == 0 { give(to, 8 as Board) } else { 2 } }
    nvmlDeviceGetUUID(_board: Board, to: *mut u8, length: u32) { text(to, length, "GPU-mock") }
    nvmlDeviceGetName(_board: Board, to: *mut u8, length: u32) { text(to, length, "Mock 80GB") }
    nvmlDeviceGetCudaComputeCapability(_board: Board, major: *mut i32, minor: *mut i32) {
        give(major, get(11) as i32 / 10);
        give(minor, get(11) as i32 % 10)
    }
    nvmlDeviceGetPowerUsage(_board: Board, to: *mut u32) { if get(13) != 0 { get(13) as u32 } else { give(to, get(1) as u32) } }
}

/// As in `nvml.h`.
#[repr(C)]
pub struct FieldValue {
    field: u32,
    scope: u32,
    timestamp: i64,
    latency: i64,
    kind: u32,
    code: u32,
    value: u64,
}

/// As in `nvml.h`.
#[repr(C)]
pub struct ProcessInfo {
    pid: u32,
    memory: u64,
    instance: u32,
    compute_instance: u32,
}

#[cfg(not(bare))]
symbols! {
    nvmlSystemGetDriverVersion(to: *mut u8, length: u32) { text(to, length, "580.95.05") }
    nvmlDeviceGetHandleByUUID(uuid: *const u8, to: *mut Board) {
        let same = "GPU-mock\0".bytes().enumerate().all(|(at, byte)| *uuid.add(at) == byte);
        if same { give(to, 8 as Board) } else { 6 }
    }
    nvmlDeviceGetIndex(_board: Board, to: *mut u32) { give(to, 0) }
    nvmlDeviceGetTotalEnergyConsumption(_board: Board, to: *mut u64) {
        if get(10) != 0 { get(10) as u32 } else { give(to, get(0)) }
    }
    nvmlDeviceGetFieldValues(_board: Board, count: i32, values: *mut FieldValue) {
        for at in 0..count as usize {
            let value = &mut *values.add(at);
            let slot = match value.field { 186 => 2, 185 => 3, _ => usize::MAX };
            value.timestamp = 1_700_000_000_000_000;
            (value.kind, value.code) = (1, if slot == usize::MAX { 3 } else { get(13) as u32 });
            value.value = if slot == usize::MAX { 0 } else { get(slot) };
        }
        0
    }
    nvmlDeviceGetClockInfo(_board: Board, kind: u32, to: *mut u32) {
        give(to, match (kind, get(7), get(8)) { (2, _, 0) => 1593, (2, _, memory) => memory as u32, (_, 0, _) => 1980, (_, clock, _) => clock as u32 })
    }
    nvmlDeviceGetTemperature(_board: Board, _sensor: u32, to: *mut u32) { give(to, 41) }
    nvmlDeviceGetCurrentClocksEventReasons(_board: Board, to: *mut u64) { give(to, 0x404) }
    nvmlDeviceGetMigMode(_board: Board, current: *mut u32, pending: *mut u32) { give(pending, 0); give(current, get(4) as u32) }
    nvmlDeviceGetPersistenceMode(_board: Board, to: *mut u32) { give(to, 0) }
    nvmlDeviceGetComputeRunningProcesses_v3(_board: Board, count: *mut u32, to: *mut ProcessInfo) {
        let pids: Vec<u32> = [get(12) as u32, get(5) as u32].into_iter().filter(|pid| *pid != 0).collect();
        let room = *count as usize;
        *count = pids.len() as u32;
        if pids.is_empty() { return 0; }
        if to.is_null() || room < pids.len() { return 7; }
        for (at, &pid) in pids.iter().enumerate() {
            to.add(at).write(ProcessInfo { pid, memory: 1 << 20, instance: u32::MAX, compute_instance: u32::MAX });
        }
        0
    }
    nvmlDeviceGetPowerManagementLimit(_board: Board, to: *mut u32) { give(to, get(6) as u32) }
    nvmlDeviceGetEnforcedPowerLimit(_board: Board, to: *mut u32) { give(to, get(6) as u32) }
    nvmlDeviceGetPowerManagementDefaultLimit(_board: Board, to: *mut u32) { give(to, 350_000) }
    nvmlDeviceGetPowerManagementLimitConstraints(_board: Board, least: *mut u32, most: *mut u32) {
        give(least, 200_000);
        give(most, 350_000)
    }
    nvmlDeviceSetPowerManagementLimit(_board: Board, limit: u32) { put(6, limit.into()) }
    nvmlDeviceSetGpuLockedClocks(_board: Board, _least: u32, most: u32) { put(7, most.into()) }
    nvmlDeviceResetGpuLockedClocks(_board: Board) { put(7, 0) }
    nvmlDeviceSetMemoryLockedClocks(_board: Board, _least: u32, most: u32) { put(8, most.into()) }
    nvmlDeviceResetMemoryLockedClocks(_board: Board) { put(8, 0) }
    nvmlDeviceGetSupportedMemoryClocks(_board: Board, count: *mut u32, to: *mut u32) { list(count, to, &[1593, 810]) }
    nvmlDeviceGetSupportedGraphicsClocks(_board: Board, memory: u32, count: *mut u32, to: *mut u32) {
        let clocks: Vec<u32> = (0..132).map(|step| 2475 - 15 * step).collect();
        if memory == 1593 { list(count, to, &clocks) } else { 6 }
    }
}
