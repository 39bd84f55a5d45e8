//! The virtual hour of one device: where its host is, and until when its engines are taken.

use super::costs;

/// What works independently of the others on a card.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// The multiprocessors: kernels, fills, copies within the device. One piece of work at a time, in the order enqueued.
    Compute,
    /// Host to device.
    CopyIn,
    /// Device to host.
    CopyOut,
}

/// When a piece of work runs, ns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// First instant.
    pub begin_ns: u64,
    /// First instant after it.
    pub end_ns: u64,
}

/// The hour of the host that drives the device, and the engines' ends.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Clock {
    host_ns: u64,
    free_ns: [u64; 3],
}

impl Default for Clock {
    fn default() -> Self {
        Self { host_ns: costs::START_NS, free_ns: [0; 3] }
    }
}

impl Clock {
    /// The host's hour, ns since the card was started.
    pub fn now_ns(&self) -> u64 {
        self.host_ns
    }

    /// The host does something else for `ns`.
    pub fn pass(&mut self, ns: u64) {
        self.host_ns = self.host_ns.saturating_add(ns);
    }

    /// The host waits until `ns`; at once where that is past.
    pub fn wait_until(&mut self, ns: u64) {
        self.host_ns = self.host_ns.max(ns);
    }

    /// When work enqueued now, after everything that ends at `ready_ns`, would begin on `engine`.
    pub fn begin_ns(&self, engine: Engine, ready_ns: u64) -> u64 {
        self.host_ns.max(ready_ns).max(self.free_ns[engine as usize])
    }

    /// Takes `engine` for `duration_ns` from the first instant possible.
    pub fn enqueue(&mut self, engine: Engine, ready_ns: u64, duration_ns: u64) -> Span {
        let begin_ns = self.begin_ns(engine, ready_ns);
        let end_ns = begin_ns.saturating_add(duration_ns);
        self.free_ns[engine as usize] = end_ns;
        Span { begin_ns, end_ns }
    }

    /// When everything enqueued so far is done.
    pub fn idle_ns(&self) -> u64 {
        self.free_ns.iter().copied().max().unwrap_or(0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn engines_run_beside_each_other_and_each_in_order() {
        let mut clock = Clock::default();
        let start = clock.now_ns();
        let first = clock.enqueue(Engine::Compute, 0, 100);
        let second = clock.enqueue(Engine::Compute, 0, 50);
        let copy = clock.enqueue(Engine::CopyIn, 0, 10);
        let after = clock.enqueue(Engine::CopyOut, second.end_ns, 5);
        assert_eq!(first, Span { begin_ns: start, end_ns: start + 100 });
        assert_eq!(second, Span { begin_ns: start + 100, end_ns: start + 150 });
        assert_eq!(copy.begin_ns, start);
        assert_eq!(after.begin_ns, start + 150);
        assert_eq!(clock.idle_ns(), start + 155);
        assert_eq!(clock.now_ns(), start, "enqueuing is not waiting");
        clock.wait_until(copy.end_ns);
        clock.wait_until(start);
        assert_eq!(clock.now_ns(), start + 10);
    }
}
