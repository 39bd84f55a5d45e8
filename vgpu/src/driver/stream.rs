//! Streams.

use std::ffi::{c_int, c_uint, c_void};

use super::code::Code;
use super::ffi::{Out, cuda};
use super::objects::{Coupling, Stream};
use super::session::{StreamName, enter};
use crate::time::costs;

/// `CUhostFn`.
pub type HostFunction = extern "C" fn(*mut c_void);
/// `CUstreamCallback`.
pub type StreamCallback = extern "C" fn(u64, Code, *mut c_void);

cuda! {
    /// A stream; flag 1 uncouples it from the default stream.
    fn cuStreamCreate(stream: Out<u64>, flags: c_uint) {
        create(stream, flags, 0)
    }

    /// The same with a priority, clamped to what there is. Priorities do not change the order of virtual time.
    fn cuStreamCreateWithPriority(stream: Out<u64>, flags: c_uint, priority: c_int) {
        create(stream, flags, priority)
    }

    /// Destroys a stream; its work was executed when it was enqueued.
    fn cuStreamDestroy_v2(stream: u64) {
        enter(|s| match s.stream(stream)? {
            StreamName::Made(handle) => {
                // Only the name goes: the context still waits for the work.
                if let Some(gone) = s.inner.streams.remove(&handle) {
                    let left = &mut s.context().left_ready_ns[usize::from(gone.coupling == Coupling::Free)];
                    *left = gone.ready_ns.max(*left);
                }
                Ok(())
            }
            _ => Err(Code::InvalidHandle),
        })
    }

    /// Waits for a stream.
    fn cuStreamSynchronize(stream: u64) {
        enter(|s| {
            let name = s.stream(stream)?;
            let ready = s.ready_ns(name);
            let clock = &mut s.card().clock;
            clock.wait_until(ready);
            clock.pass(costs::SYNCHRONISE_NS);
            Ok(())
        })
    }

    /// `CUDA_ERROR_NOT_READY` while virtual time has not reached the end of its work.
    fn cuStreamQuery(stream: u64) {
        enter(|s| {
            let name = s.stream(stream)?;
            let ready = s.ready_ns(name);
            let clock = &mut s.card().clock;
            clock.pass(costs::QUERY_NS);
            if ready > clock.now_ns() { Err(Code::NotReady) } else { Ok(()) }
        })
    }

    /// Work enqueued later waits for the event; an event never recorded holds nothing up.
    fn cuStreamWaitEvent(stream: u64, event: u64, _flags: c_uint) {
        enter(|s| {
            let name = s.stream(stream)?;
            // An event of another context of the same card may be waited for.
            let at = s.inner.events.get(&event).ok_or(Code::InvalidHandle)?.at_ns;
            s.card().clock.pass(costs::ENQUEUE_NS);
            if let Some(at) = at {
                let ready = s.ready_ns(name).max(at);
                s.set_ready_ns(name, ready);
            }
            Ok(())
        })
    }

    /// No capture.
    fn cuStreamIsCapturing(stream: u64, status: Out<c_int>) {
        enter(|s| { s.stream(stream)?; status.set(0) })
    }

    /// No graphs.
    fn cuStreamBeginCapture_v2(stream: u64, _mode: c_int) {
        enter(|s| { s.stream(stream)?; Err(Code::NotSupported) })
    }

    /// No graphs.
    fn cuStreamEndCapture(stream: u64, graph: Out<u64>) {
        let _ = graph.give(0);
        enter(|s| { s.stream(stream)?; Err(Code::NotSupported) })
    }

    /// No capture.
    fn cuStreamGetCaptureInfo_v2(stream: u64, status: Out<c_int>, _id: Out<u64>, _graph: Out<u64>, _dependencies: Out<u64>, _count: Out<usize>) {
        enter(|s| { s.stream(stream)?; status.set(0) })
    }

    /// Its priority.
    fn cuStreamGetPriority(stream: u64, priority: Out<c_int>) {
        enter(|s| match s.stream(stream)? {
            StreamName::Made(handle) => priority.set(s.inner.streams[&handle].priority),
            _ => priority.set(0),
        })
    }

    /// Its flags.
    fn cuStreamGetFlags(stream: u64, flags: Out<c_uint>) {
        enter(|s| match s.stream(stream)? {
            StreamName::Made(handle) => flags.set(u32::from(s.inner.streams[&handle].coupling == Coupling::Free)),
            _ => flags.set(0),
        })
    }

    /// Its context.
    fn cuStreamGetCtx(stream: u64, context: Out<u64>) {
        enter(|s| { s.stream(stream)?; context.set(s.id) })
    }

    /// A number of its own for each stream.
    fn cuStreamGetId(stream: u64, id: Out<u64>) {
        enter(|s| { s.stream(stream)?; id.set(stream) })
    }

    /// There is no managed memory to attach.
    fn cuStreamAttachMemAsync(_stream: u64, _address: u64, _length: usize, _flags: c_uint) {
        Err(Code::NotSupported)
    }

    /// Calls a host function after the stream's work, which is now: work is executed when enqueued.
    fn cuLaunchHostFunc(stream: u64, function: Option<HostFunction>, data: *mut c_void) {
        let function = function.ok_or(Code::InvalidValue)?;
        enter(|s| { let name = s.stream(stream)?; s.ready_ns(name); s.card().clock.pass(costs::ENQUEUE_NS); Ok(()) })?;
        // Outside the lock: it may not call CUDA, but a mistake shall not hang the process.
        function(data);
        Ok(())
    }

    /// The old form of the same.
    fn cuStreamAddCallback(stream: u64, callback: Option<StreamCallback>, data: *mut c_void, _flags: c_uint) {
        let callback = callback.ok_or(Code::InvalidValue)?;
        enter(|s| { s.stream(stream)?; s.card().clock.pass(costs::ENQUEUE_NS); Ok(()) })?;
        callback(stream, Code::Success, data);
        Ok(())
    }
}

fn create(stream: Out<u64>, flags: u32, priority: i32) -> Result<(), Code> {
    if flags > 1 || stream.is_null() {
        return Err(Code::InvalidValue);
    }
    enter(|s| {
        let handle = s.inner.handle();
        let coupling = if flags == 1 { Coupling::Free } else { Coupling::Blocking };
        let context = s.id;
        s.inner.streams.insert(handle, Stream { context, coupling, priority: priority.clamp(-5, 0), ready_ns: 0 });
        s.card().clock.pass(costs::ENQUEUE_NS);
        stream.set(handle)
    })
}
