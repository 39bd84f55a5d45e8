//! Contexts: primary ones and others, the stack of current ones, limits, waiting for everything.

use std::ffi::{c_int, c_uint, c_void};

use super::code::Code;
use super::ffi::{Out, cuda};
use super::objects::Context;
use super::session::{enter, on_card, started};
use crate::state::{Inner, machine, with_stack};
use crate::time::costs;

/// Flags a context may have (`CU_CTX_FLAGS_MASK`).
const FLAGS: u32 = 0xff;

cuda! {
    /// The card's primary context, made at the first call.
    fn cuDevicePrimaryCtxRetain(context: Out<u64>, device: c_int) {
        let id = on_card(device, |inner, i| {
            let (id, users) = inner.primary[i].unwrap_or_else(|| (create(inner, i, 0), 0));
            inner.primary[i] = Some((id, users + 1));
            Ok(id)
        })?;
        context.set(id)
    }

    /// Destroys it at the last release.
    fn cuDevicePrimaryCtxRelease_v2(device: c_int) {
        on_card(device, |inner, i| match inner.primary[i] {
            None => Err(Code::InvalidContext),
            Some((id, 0 | 1)) => {
                inner.primary[i] = None;
                Ok(Some(id))
            }
            Some((id, users)) => {
                inner.primary[i] = Some((id, users - 1));
                Ok(None)
            }
        })
        .and_then(|gone| gone.map_or(Ok(()), destroy))
    }

    /// Destroys what the primary context holds; the next use makes a new one. This is how a poisoned process recovers here.
    fn cuDevicePrimaryCtxReset_v2(device: c_int) {
        let gone = on_card(device, |inner, i| Ok(inner.primary[i].take()))?;
        gone.map_or(Ok(()), |(id, _)| destroy(id))
    }

    /// Flags, and whether it exists.
    fn cuDevicePrimaryCtxGetState(device: c_int, flags: Out<c_uint>, active: Out<c_int>) {
        on_card(device, |inner, i| {
            let context = inner.primary[i].and_then(|(id, _)| inner.contexts.get(&id));
            flags.set(context.map_or(0, |c| c.flags))?;
            active.set(c_int::from(context.is_some()))
        })
    }

    /// Flags of the primary context.
    fn cuDevicePrimaryCtxSetFlags_v2(device: c_int, flags: c_uint) {
        if flags & !FLAGS != 0 {
            return Err(Code::InvalidValue);
        }
        on_card(device, |inner, i| {
            if let Some(context) = inner.primary[i].and_then(|(id, _)| inner.contexts.get_mut(&id)) {
                context.flags = flags;
            }
            Ok(())
        })
    }

    /// A context of one's own, current at once.
    fn cuCtxCreate_v2(context: Out<u64>, flags: c_uint, device: c_int) {
        create_current(context, flags, device)
    }

    /// The same; affinities are not supported.
    fn cuCtxCreate_v3(context: Out<u64>, _affinity: *const c_void, affinities: c_int, flags: c_uint, device: c_int) {
        if affinities != 0 { Err(Code::NotSupported) } else { create_current(context, flags, device) }
    }

    /// The same; parameters are not supported.
    fn cuCtxCreate_v4(context: Out<u64>, parameters: *const c_void, flags: c_uint, device: c_int) {
        if parameters.is_null() { create_current(context, flags, device) } else { Err(Code::NotSupported) }
    }

    /// Destroys a context with all it holds, poisoned or not.
    fn cuCtxDestroy_v2(context: u64) {
        let machine = started()?;
        let inner = machine.lock();
        if !inner.contexts.contains_key(&context) {
            return Err(Code::InvalidContext);
        }
        if inner.primary.iter().flatten().any(|(id, _)| *id == context) {
            return Err(Code::InvalidContext);
        }
        drop(inner);
        with_stack(|stack| if stack.last() == Some(&context) { stack.pop(); });
        destroy(context)
    }

    /// The calling thread's context, or null.
    fn cuCtxGetCurrent(context: Out<u64>) {
        started()?;
        context.set(with_stack(|stack| stack.last().copied()).unwrap_or(0))
    }

    /// Replaces it; null leaves the thread without one.
    fn cuCtxSetCurrent(context: u64) {
        check(context, Null::Allowed)?;
        with_stack(|stack| {
            stack.pop();
            if context != 0 {
                stack.push(context);
            }
        });
        Ok(())
    }

    /// Puts a context on top.
    fn cuCtxPushCurrent_v2(context: u64) {
        check(context, Null::Refused)?;
        with_stack(|stack| stack.push(context));
        Ok(())
    }

    /// Takes the top one off.
    fn cuCtxPopCurrent_v2(context: Out<u64>) {
        started()?;
        let top = with_stack(Vec::pop).ok_or(Code::InvalidContext)?;
        let _ = context.give(top);
        Ok(())
    }

    /// The card of the current context.
    fn cuCtxGetDevice(device: Out<c_int>) {
        enter(|s| device.set(s.device as c_int))
    }

    /// Waits for everything.
    fn cuCtxSynchronize() {
        enter(|s| {
            let ready = s.all_ready_ns();
            let clock = &mut s.card().clock;
            clock.wait_until(ready);
            clock.pass(costs::SYNCHRONISE_NS);
            Ok(())
        })
    }

    /// The flags of the current context.
    fn cuCtxGetFlags(flags: Out<c_uint>) {
        enter(|s| flags.set(s.context().flags))
    }

    /// Sets them.
    fn cuCtxSetFlags(flags: c_uint) {
        if flags & !FLAGS != 0 {
            return Err(Code::InvalidValue);
        }
        enter(|s| { s.context().flags = flags; Ok(()) })
    }

    /// The interface version a context was made for.
    fn cuCtxGetApiVersion(_context: u64, version: Out<c_uint>) {
        started()?;
        version.set(3020)
    }

    /// A number of its own for each context.
    fn cuCtxGetId(context: u64, id: Out<u64>) {
        let wanted = if context == 0 { with_stack(|stack| stack.last().copied()).unwrap_or(0) } else { context };
        check(wanted, Null::Refused)?;
        id.set(wanted)
    }

    /// One of CUDA's limits. Kept and given back; nothing here depends on them.
    fn cuCtxGetLimit(value: Out<usize>, limit: c_uint) {
        enter(|s| value.set(*s.context().limits.get(limit as usize).ok_or(Code::UnsupportedLimit)?))
    }

    /// Sets one.
    fn cuCtxSetLimit(limit: c_uint, value: usize) {
        enter(|s| {
            *s.context().limits.get_mut(limit as usize).ok_or(Code::UnsupportedLimit)? = value;
            Ok(())
        })
    }

    /// What is preferred of shared memory and L1. Kept and given back.
    fn cuCtxGetCacheConfig(config: Out<c_uint>) {
        enter(|s| config.set(s.context().cache_config))
    }

    /// Sets it.
    fn cuCtxSetCacheConfig(config: c_uint) {
        if config > 3 {
            return Err(Code::InvalidValue);
        }
        enter(|s| { s.context().cache_config = config; Ok(()) })
    }

    /// Banks are four bytes wide.
    fn cuCtxGetSharedMemConfig(config: Out<c_uint>) {
        enter(|_| config.set(1))
    }

    /// Has no effect, as on every card since Maxwell.
    fn cuCtxSetSharedMemConfig(_config: c_uint) {
        enter(|_| Ok(()))
    }

    /// From low to high: 0 to -5.
    fn cuCtxGetStreamPriorityRange(least: Out<c_int>, greatest: Out<c_int>) {
        enter(|_| {
            let _ = (least.give(0), greatest.give(-5));
            Ok(())
        })
    }

    /// Nothing persists in L2.
    fn cuCtxResetPersistingL2Cache() {
        enter(|_| Ok(()))
    }

    /// No card reaches another's memory from a kernel.
    fn cuCtxEnablePeerAccess(_peer: u64, _flags: c_uint) {
        Err(Code::PeerAccessUnsupported)
    }

    /// Nothing to disable.
    fn cuCtxDisablePeerAccess(_peer: u64) {
        Err(Code::PeerAccessNotEnabled)
    }
}

/// Whether a call takes a null context.
#[derive(PartialEq, Eq)]
enum Null {
    Allowed,
    Refused,
}

fn check(context: u64, null: Null) -> Result<(), Code> {
    let machine = started()?;
    match context {
        0 if null == Null::Allowed => Ok(()),
        _ if machine.lock().contexts.contains_key(&context) => Ok(()),
        _ => Err(Code::InvalidContext),
    }
}

fn create(inner: &mut Inner, device: usize, flags: u32) -> u64 {
    let id = inner.handle();
    inner.contexts.insert(id, Context::new(device, flags));
    id
}

fn create_current(context: Out<u64>, flags: u32, device: i32) -> Result<(), Code> {
    if flags & !FLAGS != 0 || context.is_null() {
        return Err(Code::InvalidValue);
    }
    let id = on_card(device, |inner, i| Ok(create(inner, i, flags)))?;
    with_stack(|stack| stack.push(id));
    context.set(id)
}

/// Everything the context holds goes with it: modules, streams, events, device memory.
fn destroy(id: u64) -> Result<(), Code> {
    let machine = machine().ok_or(Code::NoDevice)?;
    let mut inner = machine.lock();
    let Some(context) = inner.contexts.remove(&id) else { return Err(Code::InvalidContext) };
    let memory = &machine.memories[context.device];
    let (gone, kept) = std::mem::take(&mut inner.modules).into_iter().partition(|(_, m)| m.context == id);
    inner.modules = kept;
    let gone: std::collections::HashMap<u64, super::objects::LoadedModule> = gone;
    inner.functions.retain(|_, f| !gone.contains_key(&f.module));
    inner.memo.retain(|key, _| !gone.contains_key(&key.module));
    for module in gone.values() {
        module.image.unload(memory);
    }
    inner.streams.retain(|_, s| s.context != id);
    inner.events.retain(|_, e| e.context != id);
    let allocations: Vec<u64> = inner.allocations.iter().filter(|(_, owner)| **owner == id).map(|(ptr, _)| *ptr).collect();
    for ptr in allocations {
        inner.allocations.remove(&ptr);
        let _ = memory.free(ptr);
    }
    Ok(())
}
