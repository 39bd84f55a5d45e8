//! Empties the second-level cache between calls.

use std::cell::Cell;
use std::rc::Rc;

use super::context::{Context, Memory};
use crate::DeviceError;

/// Memory of twice the cache that the device reports, overwritten to drive everything else out. First-level caches are emptied by each launch.
#[derive(Debug)]
pub(super) struct Flush {
    memory: Memory,
    turn: Cell<u8>,
}

impl Flush {
    /// For a cache of `llc_bytes`.
    pub(super) fn new(context: &Rc<Context>, llc_bytes: u64) -> Result<Self, DeviceError> {
        Ok(Self { memory: context.memory("the flush buffer", 2 * llc_bytes)?, turn: Cell::new(1) })
    }

    /// Queues one flush. Each writes another value than the last, so that no cache can find its lines unchanged.
    pub(super) fn queue(&self, context: &Context) -> Result<(), DeviceError> {
        self.turn.set(self.turn.get().wrapping_add(1));
        context.fill(self.memory.address(), self.turn.get(), self.memory.bytes())
    }
}
