//! Kernels and their attributes.

use std::ffi::{CString, c_char, c_int, c_uint};
use std::sync::Arc;

use super::code::Code;
use super::ffi::{Out, Text, cuda};
use super::objects::Function;
use super::session::{Session, enter};
use crate::profile::{REGISTERS_PER_SM, STATIC_SHARED_LIMIT, shared_block_limit};
use crate::ptx;

/// Registers no thread has more of.
const MOST_REGISTERS: u32 = 255;
/// Registers ptxas gives every kernel at least.
const FEWEST_REGISTERS: u32 = 16;

cuda! {
    /// A kernel by its (mangled) name.
    fn cuModuleGetFunction(function: Out<u64>, module: u64, name: Text) {
        let name = name.get().ok_or(Code::InvalidValue)?;
        enter(|s| {
            let loaded = s.inner.modules.get(&module).filter(|m| m.context == s.id).ok_or(Code::InvalidHandle)?;
            let text = loaded.image.module.clone();
            let index = text.functions.iter().position(|f| f.name == name).ok_or(Code::NotFound)?;
            let known = s.inner.functions.iter().find(|(_, f)| f.module == module && f.index == index).map(|(handle, _)| *handle);
            let handle = match known {
                Some(handle) => handle,
                None => {
                    let handle = s.inner.handle();
                    let decoded = Arc::new(decode(&text, index));
                    // What static data leaves of the 48 KiB every kernel may use without asking.
                    let max_dynamic_shared = STATIC_SHARED_LIMIT.saturating_sub(decoded.static_shared_bytes as u32);
                    let name = CString::new(name).map_err(|_| Code::InvalidValue)?;
                    let context = s.id;
                    s.inner.functions.insert(handle, Function { context, module, index, name, decoded, max_dynamic_shared, carveout: -1 });
                    handle
                }
            };
            function.set(handle)
        })
    }

    /// One attribute of a kernel. Registers are an estimate: nothing here allocates them.
    fn cuFuncGetAttribute(value: Out<c_int>, attribute: c_int, function: u64) {
        enter(|s| { let found = attribute_of(s, function, attribute)?; value.set(found) })
    }

    /// Sets the dynamic shared memory a kernel may ask for (8), the preferred carve-out (9), or cluster attributes, which have no effect.
    fn cuFuncSetAttribute(function: u64, attribute: c_int, value: c_int) {
        enter(|s| {
            let decoded = decoded(s, function)?;
            let limit = shared_block_limit(s.card().profile).saturating_sub(decoded.static_shared_bytes);
            let f = s.inner.functions.get_mut(&function).ok_or(Code::InvalidHandle)?;
            match attribute {
                8 if value >= 0 && value as u64 <= limit => f.max_dynamic_shared = value as u32,
                9 if (-1..=100).contains(&value) => f.carveout = value,
                10..=15 => {}
                _ => return Err(Code::InvalidValue),
            }
            Ok(())
        })
    }

    /// What is preferred of shared memory and L1: no effect.
    fn cuFuncSetCacheConfig(function: u64, config: c_uint) {
        enter(|s| if config > 3 { Err(Code::InvalidValue) } else { decoded(s, function).map(|_| ()) })
    }

    /// Banks are four bytes wide.
    fn cuFuncSetSharedMemConfig(function: u64, _config: c_uint) {
        enter(|s| decoded(s, function).map(|_| ()))
    }

    /// Its name, owned by the module.
    fn cuFuncGetName(name: Out<*const c_char>, function: u64) {
        enter(|s| name.set(s.inner.functions.get(&function).ok_or(Code::InvalidHandle)?.name.as_ptr()))
    }

    /// Its module.
    fn cuFuncGetModule(module: Out<u64>, function: u64) {
        enter(|s| module.set(s.inner.functions.get(&function).ok_or(Code::InvalidHandle)?.module))
    }

    /// Offset and size of a parameter.
    fn cuFuncGetParamInfo(function: u64, index: usize, offset: Out<usize>, size: Out<usize>) {
        enter(|s| {
            let decoded = decoded(s, function)?;
            let param = decoded.params.get(index).ok_or(Code::InvalidValue)?;
            let _ = size.give(param.size as usize);
            offset.set(param.offset as usize)
        })
    }

    /// How many parameters it takes.
    fn cuFuncGetParamCount(function: u64, count: Out<usize>) {
        enter(|s| count.set(decoded(s, function)?.params.len()))
    }

    /// Everything is loaded at once.
    fn cuFuncIsLoaded(state: Out<c_int>, function: u64) {
        enter(|s| { decoded(s, function)?; state.set(1) })
    }

    /// The same.
    fn cuFuncLoad(function: u64) {
        enter(|s| decoded(s, function).map(|_| ()))
    }
}

/// What the launch and occupancy need of a kernel.
#[derive(Clone, Debug)]
pub(crate) struct Decoded {
    pub(super) static_shared_bytes: u64,
    pub(super) local_bytes: u32,
    pub(super) max_threads: u32,
    pub(super) registers: u32,
    /// Whether the kernel states its largest block.
    pub(super) bounded: bool,
    pub(super) params: Vec<ptx::Param>,
    pub(super) param_bytes: u32,
    ptx_version: u32,
    const_bytes: u64,
}

/// # Errors
/// `CUDA_ERROR_INVALID_HANDLE`: no kernel of this context.
pub(super) fn decoded(s: &Session<'_>, function: u64) -> Result<Arc<Decoded>, Code> {
    let f = s.inner.functions.get(&function).filter(|f| f.context == s.id).ok_or(Code::InvalidHandle)?;
    Ok(f.decoded.clone())
}

fn decode(module: &ptx::Module, index: usize) -> Decoded {
    let kernel = &module.functions[index];
    let registers = registers(kernel);
    // Without a bound, a block may be as large as the register file allows, in warps.
    let by_registers = (REGISTERS_PER_SM / 32 / registers.next_multiple_of(8) * 32).min(crate::profile::MAX_THREADS_PER_BLOCK);
    Decoded {
        static_shared_bytes: kernel.static_shared_bytes,
        local_bytes: kernel.local_bytes,
        max_threads: kernel.max_threads.map_or(by_registers, |t| t.min(crate::profile::MAX_THREADS_PER_BLOCK)),
        registers,
        bounded: kernel.max_threads.is_some(),
        params: kernel.params.clone(),
        param_bytes: kernel.param_bytes,
        ptx_version: module.version.0 * 10 + module.version.1,
        const_bytes: module.globals.iter().filter(|g| g.name.starts_with("__const")).map(|g| g.size).sum(),
    }
}

/// An estimate as ptxas would bound it: a stated block size must be launchable, so registers are cut to what it leaves.
fn registers(kernel: &ptx::Function) -> u32 {
    let wanted = kernel.registers.clamp(FEWEST_REGISTERS, MOST_REGISTERS);
    match kernel.max_threads {
        Some(threads) => wanted.min((REGISTERS_PER_SM / threads.next_multiple_of(128).max(1)) & !7).max(FEWEST_REGISTERS),
        None => wanted,
    }
}

fn attribute_of(s: &mut Session<'_>, function: u64, attribute: c_int) -> Result<c_int, Code> {
    let decoded = decoded(s, function)?;
    let sm = s.card().profile.sm();
    let f = s.inner.functions.get(&function).ok_or(Code::InvalidHandle)?;
    let value = match attribute {
        0 => u64::from(decoded.max_threads),
        1 => decoded.static_shared_bytes,
        2 => decoded.const_bytes,
        3 => u64::from(decoded.local_bytes),
        4 => u64::from(decoded.registers),
        // ptxVersion is the virtual architecture the code was made for, binaryVersion the real one.
        5 => u64::from(decoded.ptx_version),
        6 => u64::from(sm),
        7 => 0,
        8 => u64::from(f.max_dynamic_shared),
        9 => return Ok(f.carveout),
        10..=15 => 0,
        _ => return Err(Code::InvalidValue),
    };
    c_int::try_from(value).map_err(|_| Code::InvalidValue)
}
