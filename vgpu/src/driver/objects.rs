//! What handles name.

use std::alloc::Layout;
use std::ffi::CString;
use std::sync::Arc;

use super::code::Code;
use crate::launch::Image;
use crate::memory::AllocationId;
use crate::profile::Footprint;
use crate::time::Work;

/// A context.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) device: usize,
    pub(crate) flags: u32,
    /// The error that ended it.
    pub(crate) poison: Option<Code>,
    /// End of the default stream's work, ns.
    pub(crate) default_ready_ns: u64,
    /// End of the per-thread stream's work, ns.
    pub(crate) per_thread_ready_ns: u64,
    /// End of the work of streams destroyed since, blocking ones and free ones, ns.
    pub(crate) left_ready_ns: [u64; 2],
    pub(crate) limits: [usize; 11],
    pub(crate) cache_config: u32,
}

impl Context {
    pub(crate) fn new(device: usize, flags: u32) -> Self {
        let mut limits = [0; 11];
        // CUDA's defaults: stack, printf buffer, heap, synchronisation depth, pending launches, fetch granularity.
        limits[..6].copy_from_slice(&[1024, 1 << 20, 8 << 20, 2, 2048, 64]);
        Self {
            device,
            flags,
            poison: None,
            default_ready_ns: 0,
            per_thread_ready_ns: 0,
            left_ready_ns: [0; 2],
            limits,
            cache_config: 0,
        }
    }
}

/// Whether a stream waits for the default stream and it for the stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Coupling {
    /// Yes.
    Blocking,
    /// No (`CU_STREAM_NON_BLOCKING`).
    Free,
}

/// A stream.
#[derive(Debug)]
pub(crate) struct Stream {
    pub(crate) context: u64,
    pub(crate) coupling: Coupling,
    pub(crate) priority: i32,
    /// End of its work, ns.
    pub(crate) ready_ns: u64,
}

/// An event.
#[derive(Debug)]
pub(crate) struct Event {
    pub(crate) context: u64,
    pub(crate) flags: u32,
    /// When the device reaches it; `None` before it was recorded.
    pub(crate) at_ns: Option<u64>,
}

/// A module in device memory.
pub(crate) struct LoadedModule {
    pub(crate) context: u64,
    pub(crate) image: Arc<Image>,
}

/// A kernel of a loaded module.
#[derive(Debug)]
pub(crate) struct Function {
    pub(crate) context: u64,
    pub(crate) module: u64,
    /// Place in the module's list.
    pub(crate) index: usize,
    pub(crate) name: CString,
    pub(crate) decoded: Arc<super::function::Decoded>,
    /// Dynamic shared memory it may ask for, bytes.
    pub(crate) max_dynamic_shared: u32,
    pub(crate) carveout: i32,
}

/// Page-locked host memory.
#[derive(Debug)]
pub(crate) enum HostBlock {
    /// Allocated here.
    Owned(Layout),
    /// Registered by the caller.
    Registered,
}

/// What makes two launches the same.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct MemoKey {
    pub(crate) module: u64,
    pub(crate) index: usize,
    pub(crate) grid: [u32; 3],
    pub(crate) block: [u32; 3],
    pub(crate) dynamic_shared_bytes: u32,
    pub(crate) params: Vec<u8>,
}

/// A launch that was made, as repeating it (`vgpuRepeat`) needs it.
#[derive(Debug)]
pub(crate) struct Made {
    pub(crate) context: u64,
    pub(crate) stream: super::session::StreamName,
    pub(crate) key: MemoKey,
}

/// A launch that can be answered without running it: it reads nothing it writes, and nothing it touched has changed.
#[derive(Debug)]
pub(crate) struct Memo {
    pub(crate) work: Arc<Work>,
    pub(crate) footprint: Footprint,
    /// Allocations it read or wrote, each with the version it left.
    pub(crate) versions: Vec<(AllocationId, u64)>,
    pub(crate) counters: Arc<str>,
    pub(crate) priced: Option<(PriceKey, Price)>,
}

/// What a launch's price depends on besides the launch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct PriceKey {
    pub(crate) sm_hz: f64,
    pub(crate) memory_hz: f64,
    pub(crate) limit_w: f64,
    pub(crate) share: f64,
    pub(crate) reasons: u64,
}

/// Duration and power of a launch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Price {
    pub(crate) ns: u64,
    pub(crate) activity: crate::time::Activity,
    pub(crate) terms: crate::time::Terms,
}
