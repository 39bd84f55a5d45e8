//! Launching.

use std::ffi::{c_uint, c_void};

use super::code::Code;
use super::execute::{Cooperation, Request, execute};
use super::ffi::{In, Out, cuda, host_bytes};
use super::function::{Decoded, decoded};
use super::session::{Session, enter};

/// `CUlaunchConfig`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // CUDA's names
pub struct LaunchConfig {
    pub grid: [c_uint; 3],
    pub block: [c_uint; 3],
    pub shared_mem_bytes: c_uint,
    pub stream: u64,
    pub attributes: In<LaunchAttribute>,
    pub attribute_count: c_uint,
}

/// `CUlaunchAttribute`.
#[repr(C)]
#[derive(Clone, Copy, Debug)]
#[allow(missing_docs)] // CUDA's names
pub struct LaunchAttribute {
    pub id: c_uint,
    pub pad: [u8; 4],
    pub value: [c_uint; 16],
}

/// Attributes of `CUlaunchAttributeID` that matter here.
const COOPERATIVE: u32 = 2;
const CLUSTER: u32 = 4;

cuda! {
    /// Runs a kernel. What is wrong with the launch is told here; what goes wrong in the kernel, by the calls after it.
    fn cuLaunchKernel(function: u64, gx: c_uint, gy: c_uint, gz: c_uint, bx: c_uint, by: c_uint, bz: c_uint, shared: c_uint, stream: u64,
        params: Out<*mut c_void>, extra: Out<*mut c_void>) {
        launch(&Call { function, grid: [gx, gy, gz], block: [bx, by, bz], shared, stream, params, extra, cooperation: Cooperation::None })
    }

    /// Runs a kernel all of whose blocks fit the card at once. Here each interpreter thread keeps 64 of them waiting for others: a barrier over more ends as a time-out.
    fn cuLaunchCooperativeKernel(function: u64, gx: c_uint, gy: c_uint, gz: c_uint, bx: c_uint, by: c_uint, bz: c_uint, shared: c_uint, stream: u64,
        params: Out<*mut c_void>) {
        launch(&Call { function, grid: [gx, gy, gz], block: [bx, by, bz], shared, stream, params, extra: Out::NULL, cooperation: Cooperation::Grid })
    }

    /// The same with attributes: cooperation is honoured, clusters larger than one block are refused, the rest has no effect.
    fn cuLaunchKernelEx(config: In<LaunchConfig>, function: u64, params: Out<*mut c_void>, extra: Out<*mut c_void>) {
        let c = config.get().ok_or(Code::InvalidValue)?;
        let mut cooperation = Cooperation::None;
        for attribute in (0..c.attribute_count as usize).map_while(|i| c.attributes.get_at(i)) {
            match (attribute.id, attribute.value) {
                (COOPERATIVE, [1, ..]) => cooperation = Cooperation::Grid,
                (CLUSTER, [x, y, z, ..]) if x.max(1) * y.max(1) * z.max(1) > 1 => return Err(Code::NotSupported),
                _ => {}
            }
        }
        launch(&Call { function, grid: c.grid, block: c.block, shared: c.shared_mem_bytes, stream: c.stream, params, extra, cooperation })
    }
}

struct Call {
    function: u64,
    grid: [u32; 3],
    block: [u32; 3],
    shared: u32,
    stream: u64,
    params: Out<*mut c_void>,
    extra: Out<*mut c_void>,
    cooperation: Cooperation,
}

fn launch(call: &Call) -> Result<(), Code> {
    enter(|s| {
        let stream = s.stream(call.stream)?;
        let kernel = decoded(s, call.function)?;
        let params = parameters(&kernel, call)?;
        let request = Request {
            function: call.function,
            grid: call.grid,
            block: call.block,
            dynamic_shared_bytes: call.shared,
            stream,
            params,
            cooperation: call.cooperation,
        };
        checked(s, &kernel, &request)?;
        execute(s, &kernel, request)
    })
}

/// `CU_LAUNCH_PARAM_BUFFER_POINTER` and `..._SIZE` in the list of extras.
const BUFFER_POINTER: usize = 1;
const BUFFER_SIZE: usize = 2;

/// One buffer laid out as the kernel's parameters, from either form of passing them.
fn parameters(kernel: &Decoded, call: &Call) -> Result<Vec<u8>, Code> {
    let mut buffer = vec![0u8; kernel.param_bytes as usize];
    if kernel.params.is_empty() {
        return Ok(buffer);
    }
    if !call.params.is_null() {
        for (i, param) in kernel.params.iter().enumerate() {
            let (offset, size) = (param.offset as usize, param.size as usize);
            let value = call.params.get_at(i).and_then(|p| host_bytes(p, size)).ok_or(Code::InvalidValue)?;
            buffer.get_mut(offset..offset + size).ok_or(Code::InvalidValue)?.copy_from_slice(value);
        }
        return Ok(buffer);
    }
    let (mut pointer, mut size) = (std::ptr::null_mut(), None);
    let mut at = 0;
    while let Some(tag) = call.extra.get_at(at).map(|t| t as usize).filter(|t| *t != 0) {
        let value = call.extra.get_at(at + 1).ok_or(Code::InvalidValue)?;
        match tag {
            BUFFER_POINTER => pointer = value,
            BUFFER_SIZE => size = In::<usize>::at(value as usize).get(),
            _ => return Err(Code::InvalidValue),
        }
        at += 2;
    }
    let given = host_bytes(pointer, size.ok_or(Code::InvalidValue)?).ok_or(Code::InvalidValue)?;
    let used = given.len().min(buffer.len());
    buffer[..used].copy_from_slice(&given[..used]);
    Ok(buffer)
}

/// What a driver refuses before anything runs.
fn checked(s: &mut Session<'_>, kernel: &Decoded, request: &Request) -> Result<(), Code> {
    use crate::profile::{Footprint, MAX_BLOCK, MAX_GRID, Refusal, occupancy};
    let outside = |size: [u32; 3], most: [u32; 3]| size.iter().zip(most).any(|(n, most)| *n == 0 || *n > most);
    if outside(request.grid, MAX_GRID) || outside(request.block, MAX_BLOCK) {
        return Err(Code::InvalidValue);
    }
    let threads: u32 = request.block.iter().product();
    if threads > crate::profile::MAX_THREADS_PER_BLOCK {
        return Err(Code::InvalidValue);
    }
    let allowed = s.inner.functions.get(&request.function).ok_or(Code::InvalidHandle)?.max_dynamic_shared;
    if request.dynamic_shared_bytes > allowed {
        return Err(Code::InvalidValue);
    }
    let footprint = Footprint {
        threads,
        registers: kernel.registers,
        shared_bytes: kernel.static_shared_bytes + u64::from(request.dynamic_shared_bytes),
    };
    let profile = s.card().profile;
    let fit = occupancy(profile, &footprint).map_err(|refusal| match refusal {
        Refusal::Threads | Refusal::Shared => Code::InvalidValue,
        Refusal::Registers => Code::LaunchOutOfResources,
    })?;
    // A block larger than the kernel was compiled for.
    if threads > kernel.max_threads.next_multiple_of(32) {
        return Err(if kernel.bounded { Code::InvalidValue } else { Code::LaunchOutOfResources });
    }
    let blocks: u64 = request.grid.iter().map(|n| u64::from(*n)).product();
    if request.cooperation == Cooperation::Grid && blocks > u64::from(fit.blocks) * u64::from(profile.sms) {
        return Err(Code::CooperativeLaunchTooLarge);
    }
    Ok(())
}
