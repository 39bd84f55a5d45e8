//! The checks every call begins with.

use std::sync::{Arc, MutexGuard};

use super::code::Code;
use super::objects::Context;
use crate::nvml::card::Card;
use crate::state::{Inner, Machine, machine, with_stack};
use crate::time::Engine;

/// The machine, initialised.
pub(super) fn started() -> Result<Arc<Machine>, Code> {
    let machine = machine().ok_or(Code::NoDevice)?;
    if machine.lock().initialised { Ok(machine) } else { Err(Code::NotInitialized) }
}

/// The card `device`, with `work` done on the whole state.
pub(super) fn on_card<R>(device: i32, work: impl FnOnce(&mut Inner, usize) -> Result<R, Code>) -> Result<R, Code> {
    let machine = started()?;
    let mut inner = machine.lock();
    let index = usize::try_from(device).ok().filter(|i| *i < inner.cards.len()).ok_or(Code::InvalidDevice)?;
    work(&mut inner, index)
}

/// A call in the current, sound context.
pub(super) struct Session<'a> {
    pub(super) machine: &'a Machine,
    pub(super) inner: MutexGuard<'a, Inner>,
    /// The context.
    pub(super) id: u64,
    /// Its card.
    pub(super) device: usize,
}

/// Runs `work` in the current context.
///
/// # Errors
/// No `cuInit`, no current context, a destroyed one, or the error that poisoned it.
pub(super) fn enter<R>(work: impl FnOnce(&mut Session<'_>) -> Result<R, Code>) -> Result<R, Code> {
    let machine = machine().ok_or(Code::NoDevice)?;
    let inner = machine.lock();
    if !inner.initialised {
        return Err(Code::NotInitialized);
    }
    let id = with_stack(|stack| stack.last().copied()).filter(|id| *id != 0).ok_or(Code::InvalidContext)?;
    let context = inner.contexts.get(&id).ok_or(Code::ContextIsDestroyed)?;
    if let Some(poison) = context.poison {
        return Err(poison);
    }
    let device = context.device;
    work(&mut Session { machine: &machine, inner, id, device })
}

/// A stream as calls name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum StreamName {
    /// The default stream, which waits for all blocking streams and they for it.
    Default,
    /// The calling thread's default stream.
    PerThread,
    /// One that was created.
    Made(u64),
}

impl Session<'_> {
    pub(super) fn context(&mut self) -> &mut Context {
        self.inner.contexts.get_mut(&self.id).expect("a session's context is there while it lasts")
    }

    pub(super) fn card(&mut self) -> &mut Card {
        let device = self.device;
        &mut self.inner.cards[device]
    }

    /// # Errors
    /// `CUDA_ERROR_INVALID_HANDLE`: no stream of this context.
    pub(super) fn stream(&self, handle: u64) -> Result<StreamName, Code> {
        match handle {
            0 | 1 => Ok(StreamName::Default),
            2 => Ok(StreamName::PerThread),
            _ if self.inner.streams.get(&handle).is_some_and(|s| s.context == self.id) => Ok(StreamName::Made(handle)),
            _ => Err(Code::InvalidHandle),
        }
    }

    /// When work enqueued to `stream` now may begin, ns.
    pub(super) fn ready_ns(&mut self, stream: StreamName) -> u64 {
        use super::objects::Coupling;
        let id = self.id;
        let (default, per_thread, left) = {
            let c = self.context();
            (c.default_ready_ns, c.per_thread_ready_ns, c.left_ready_ns[0])
        };
        match stream {
            StreamName::Default => {
                let blocking = self.inner.streams.values().filter(|s| s.context == id && s.coupling == Coupling::Blocking);
                blocking.map(|s| s.ready_ns).max().unwrap_or(0).max(left).max(default).max(per_thread)
            }
            StreamName::PerThread => per_thread.max(default),
            StreamName::Made(handle) => match self.inner.streams.get(&handle) {
                Some(stream) if stream.coupling == Coupling::Blocking => stream.ready_ns.max(default),
                Some(stream) => stream.ready_ns,
                None => 0,
            },
        }
    }

    /// `stream`'s work ends at `end_ns`.
    pub(super) fn set_ready_ns(&mut self, stream: StreamName, end_ns: u64) {
        match stream {
            StreamName::Default => self.context().default_ready_ns = end_ns,
            StreamName::PerThread => self.context().per_thread_ready_ns = end_ns,
            StreamName::Made(handle) => {
                if let Some(stream) = self.inner.streams.get_mut(&handle) {
                    stream.ready_ns = end_ns;
                }
            }
        }
    }

    /// Takes `engine` for `duration_ns` on `stream` and gives the end.
    pub(super) fn occupy(&mut self, stream: StreamName, engine: Engine, duration_ns: u64) -> crate::time::Span {
        let ready = self.ready_ns(stream);
        let span = self.card().clock.enqueue(engine, ready, duration_ns);
        self.set_ready_ns(stream, span.end_ns);
        span
    }

    /// When everything enqueued in this context is done, ns.
    pub(super) fn all_ready_ns(&mut self) -> u64 {
        let id = self.id;
        let made = self.inner.streams.values().filter(|s| s.context == id).map(|s| s.ready_ns).max().unwrap_or(0);
        let context = self.context();
        let left = context.left_ready_ns.into_iter().max().unwrap_or(0);
        made.max(left).max(context.default_ready_ns).max(context.per_thread_ready_ns)
    }
}
