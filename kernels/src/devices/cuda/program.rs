//! What a configuration was prepared into: something that can queue one call.

use std::cell::RefCell;
use std::ffi::c_void;

use super::blas::{self, Buffers, Session};
use super::context::Context;
use super::launch::{Call, Places, Ready};
use super::power::Stage;
use crate::DeviceError;

/// A prepared configuration.
#[derive(Debug)]
pub(super) enum Program {
    /// Our own kernels.
    Compiled(Vec<Ready>),
    /// A template library's kernel, with the object that is its only argument.
    Templated(Box<Ready>, Vec<u64>),
    /// A vendor library's call, made by the device's session.
    Vendor(Box<blas::Prepared>),
}

/// A program with every address resolved, to be queued any number of times.
pub(super) enum Queue<'a> {
    Own(Call<'a>),
    Object(&'a Ready, Vec<u64>),
    Vendor(&'a RefCell<Session>, &'a blas::Prepared, Buffers),
}

impl<'a> Queue<'a> {
    /// Resolves the addresses of `program`; a vendor's call goes through `session`.
    pub(super) fn new(program: &'a Program, places: &Places, session: &'a RefCell<Session>) -> Self {
        match program {
            Program::Compiled(ready) => Self::Own(Call::new(ready, places)),
            Program::Templated(ready, object) => Self::Object(ready, object.clone()),
            Program::Vendor(prepared) => {
                let [a, b, c] = [0, 1, 2].map(|index| places.operands[index]);
                let buffers = Buffers { a, b, c, d: places.output, workspace: places.scratch };
                Self::Vendor(session, prepared, buffers)
            }
        }
    }

    /// Launches of a call; 0 where a library makes them.
    fn launches(&self) -> u64 {
        match self {
            Self::Own(call) => call.launches(),
            Self::Object(..) => 1,
            Self::Vendor(..) => 0,
        }
    }

    /// Queues one call.
    pub(super) fn call(&mut self, context: &Context) -> Result<(), DeviceError> {
        match self {
            Self::Own(call) => call.queue(context),
            Self::Object(ready, object) => {
                let shape = (ready.launch.grid, ready.launch.block, ready.launch.dynamic_shared_bytes);
                let mut arguments = [object.as_mut_ptr().cast::<c_void>()];
                // SAFETY: the object was made on this device by the kernel's own library for these operands, which stay where they are.
                unsafe { ready.function.launch(context, shape, &mut arguments) }
            }
            // SAFETY: prepared by this session, for the matrices that these addresses are of.
            Self::Vendor(session, prepared, buffers) => unsafe { session.borrow().launch(prepared, *buffers) },
        }
    }
}

/// A program kept busy while a sensor is read.
pub(super) struct Busy<'a> {
    queue: Queue<'a>,
    context: &'a std::rc::Rc<Context>,
    clock: super::clock::Clock,
    /// Moments after batches, each with the calls queued until then.
    marks: std::collections::VecDeque<(super::context::Event, u64)>,
    queued: u64,
    done: u64,
}

impl<'a> Busy<'a> {
    pub(super) fn new(queue: Queue<'a>, context: &'a std::rc::Rc<Context>, clock: super::clock::Clock) -> Self {
        Self { queue, context, clock, marks: std::collections::VecDeque::new(), queued: 0, done: 0 }
    }
}

impl Stage for Busy<'_> {
    fn clock_s(&mut self) -> f64 {
        self.clock.now_s()
    }

    fn idle(&mut self, seconds: f64) {
        self.clock.wait(seconds);
    }

    fn launch(&mut self, n: u64) -> Result<(), DeviceError> {
        let mut left = n;
        while left > 0 {
            self.queue.call(self.context)?;
            left -= 1;
            left -= self.clock.repeat(self.queue.launches(), left);
        }
        self.queued += n;
        let mark = self.context.event()?;
        mark.record()?;
        self.marks.push_back((mark, self.queued));
        Ok(())
    }

    fn completed(&mut self) -> Result<u64, DeviceError> {
        while let Some((mark, calls)) = self.marks.front() {
            if !mark.passed()? {
                break;
            }
            self.done = *calls;
            self.marks.pop_front();
        }
        Ok(self.done)
    }

    fn wait(&mut self) -> Result<(), DeviceError> {
        self.context.wait()?;
        self.marks.clear();
        self.done = self.queued;
        Ok(())
    }
}
