//! Events: points in a stream's virtual time.

use std::ffi::c_uint;

use super::code::Code;
use super::ffi::{Out, cuda};
use super::objects::Event;
use super::session::enter;
use crate::time::costs;

/// `CU_EVENT_DISABLE_TIMING`.
const NO_TIMING: u32 = 2;

cuda! {
    /// An event.
    fn cuEventCreate(event: Out<u64>, flags: c_uint) {
        if flags > 7 || event.is_null() {
            return Err(Code::InvalidValue);
        }
        enter(|s| {
            let handle = s.inner.handle();
            let context = s.id;
            s.inner.events.insert(handle, Event { context, flags, at_ns: None });
            event.set(handle)
        })
    }

    /// Forgets it.
    fn cuEventDestroy_v2(event: u64) {
        enter(|s| s.inner.events.remove(&event).map(|_| ()).ok_or(Code::InvalidHandle))
    }

    /// The event happens when the stream's work so far is done.
    fn cuEventRecord(event: u64, stream: u64) {
        record(event, stream)
    }

    /// The same; flags concern capture only.
    fn cuEventRecordWithFlags(event: u64, stream: u64, _flags: c_uint) {
        record(event, stream)
    }

    /// `CUDA_ERROR_NOT_READY` while virtual time has not reached it.
    fn cuEventQuery(event: u64) {
        enter(|s| {
            let at = s.inner.events.get(&event).ok_or(Code::InvalidHandle)?.at_ns;
            let clock = &mut s.card().clock;
            clock.pass(costs::QUERY_NS);
            if at.is_some_and(|at| at > clock.now_ns()) { Err(Code::NotReady) } else { Ok(()) }
        })
    }

    /// Waits for it.
    fn cuEventSynchronize(event: u64) {
        enter(|s| {
            let at = s.inner.events.get(&event).ok_or(Code::InvalidHandle)?.at_ns;
            let clock = &mut s.card().clock;
            clock.wait_until(at.unwrap_or(0));
            clock.pass(costs::SYNCHRONISE_NS);
            Ok(())
        })
    }

    /// Milliseconds between two events.
    fn cuEventElapsedTime(milliseconds: Out<f32>, start: u64, end: u64) {
        elapsed(milliseconds, start, end)
    }

    /// The same.
    fn cuEventElapsedTime_v2(milliseconds: Out<f32>, start: u64, end: u64) {
        elapsed(milliseconds, start, end)
    }
}

fn record(event: u64, stream: u64) -> Result<(), Code> {
    enter(|s| {
        let name = s.stream(stream)?;
        if s.inner.events.get(&event).is_none_or(|e| e.context != s.id) {
            return Err(Code::InvalidHandle);
        }
        s.card().clock.pass(costs::ENQUEUE_NS);
        let at = s.ready_ns(name).max(s.card().clock.now_ns());
        if let Some(event) = s.inner.events.get_mut(&event) {
            event.at_ns = Some(at);
        }
        Ok(())
    })
}

fn elapsed(milliseconds: Out<f32>, start: u64, end: u64) -> Result<(), Code> {
    enter(|s| {
        let at = |handle: u64| {
            let event = s.inner.events.get(&handle).ok_or(Code::InvalidHandle)?;
            if event.flags & NO_TIMING != 0 { Err(Code::InvalidHandle) } else { event.at_ns.ok_or(Code::InvalidHandle) }
        };
        let (start, end) = (at(start)?, at(end)?);
        if start.max(end) > s.card().clock.now_ns() {
            return Err(Code::NotReady);
        }
        milliseconds.set(((end as f64 - start as f64) * 1e-6) as f32)
    })
}
