//! A GPU's context and what lives in it: memory, code, events. All of cudarc's raw layer: its safe one records events around every launch and copy,
//! which would be timed.

use std::ffi::{CString, c_void};
use std::rc::Rc;

use cudarc::driver::result;
use cudarc::driver::sys::{self, CUevent_flags, CUfunction_attribute, CUresult};

use super::door::{guarded, refused, words};
use crate::DeviceError;

/// The device's primary context, current on this thread, and one stream in it.
#[derive(Debug)]
pub(super) struct Context {
    raw: sys::CUcontext,
    device: sys::CUdevice,
    stream: sys::CUstream,
}

impl Context {
    /// Makes the context of device `ordinal` and makes it current. The driver must have been started.
    pub(super) fn open(ordinal: i32) -> Result<Rc<Self>, DeviceError> {
        let device = result::device::get(ordinal).map_err(|error| refused("cuDeviceGet", error))?;
        // SAFETY: the device exists. The reference is given back when the context is dropped.
        let raw = unsafe { result::primary_ctx::retain(device) }.map_err(|error| refused("cuDevicePrimaryCtxRetain", error))?;
        let mut context = Self { raw, device, stream: std::ptr::null_mut() };
        context.enter()?;
        let stream = result::stream::create(result::stream::StreamKind::NonBlocking);
        context.stream = stream.map_err(|error| refused("cuStreamCreate", error))?;
        Ok(Rc::new(context))
    }

    pub(super) fn stream(&self) -> sys::CUstream {
        self.stream
    }

    /// Makes it this thread's current one, whatever ran before.
    pub(super) fn enter(&self) -> Result<(), DeviceError> {
        // SAFETY: retained in `open`.
        unsafe { result::ctx::set_current(self.raw) }.map_err(|error| refused("cuCtxSetCurrent", error))
    }

    /// Device memory in bytes: free now.
    pub(super) fn free_bytes(&self) -> Result<u64, DeviceError> {
        let (free, _) = result::mem_get_info().map_err(|error| refused("cuMemGetInfo", error))?;
        Ok(free as u64)
    }

    /// Device memory for `what`.
    pub(super) fn memory(self: &Rc<Self>, what: &str, bytes: u64) -> Result<Memory, DeviceError> {
        let size = usize::try_from(bytes.max(1)).expect("sizes fit the address space");
        // SAFETY: a context is current; the memory is freed by `Memory`.
        match unsafe { result::malloc_sync(size) } {
            Ok(address) => Ok(Memory { address, bytes, context: Rc::clone(self) }),
            Err(error) if error.0 == CUresult::CUDA_ERROR_OUT_OF_MEMORY => {
                let available = self.free_bytes()?;
                Err(DeviceError::Memory { what: what.to_owned(), needed: bytes, available })
            }
            Err(error) => Err(refused("cuMemAlloc", error)),
        }
    }

    /// Code from a CUBIN, or from PTX with a zero at its end.
    pub(super) fn module(self: &Rc<Self>, image: &[u8], what: &str) -> Result<Module, DeviceError> {
        // SAFETY: the image is whole: the compiler made it, and the cache checked its sum.
        match unsafe { result::module::load_data(image.as_ptr().cast()) } {
            Ok(raw) => Ok(Module { raw, _context: Rc::clone(self) }),
            Err(error) => {
                Err(DeviceError::Compile { kernel: what.to_owned(), arch: "this device".to_owned(), log: words(error) })
            }
        }
    }

    /// An event that records time.
    pub(super) fn event(self: &Rc<Self>) -> Result<Event, DeviceError> {
        let raw = result::event::create(CUevent_flags::CU_EVENT_DEFAULT).map_err(|error| refused("cuEventCreate", error))?;
        Ok(Event { raw, context: Rc::clone(self) })
    }

    /// Returns when everything queued is done.
    pub(super) fn wait(&self) -> Result<(), DeviceError> {
        // SAFETY: the stream is this context's and lives.
        unsafe { result::stream::synchronize(self.stream) }.map_err(|error| refused("cuStreamSynchronize", error))
    }

    /// Copies from `address` to `host`; returns when it is there.
    pub(super) fn read(&self, address: u64, host: &mut [u8]) -> Result<(), DeviceError> {
        // SAFETY: callers pass memory of this context that is at least as large; `host` outlives the copy, which is waited for.
        unsafe { result::memcpy_dtoh_async(host, address, self.stream) }.map_err(|error| refused("cuMemcpyDtoHAsync", error))?;
        self.wait()
    }

    /// Queues `bytes` times `value` at `address`.
    pub(super) fn fill(&self, address: u64, value: u8, bytes: u64) -> Result<(), DeviceError> {
        let bytes = usize::try_from(bytes).expect("sizes fit the address space");
        // SAFETY: callers pass memory of this context with its size.
        unsafe { result::memset_d8_async(address, value, bytes, self.stream) }.map_err(|error| refused("cuMemsetD8Async", error))
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // What cannot be given back any more is lost with the process.
        let _ = guarded("cuDevicePrimaryCtxRelease", || {
            if !self.stream.is_null() {
                // SAFETY: made in `open`, destroyed once.
                unsafe { result::stream::destroy(self.stream) }.map_err(|error| refused("cuStreamDestroy", error))?;
            }
            // SAFETY: retained in `open`, released once.
            unsafe { result::primary_ctx::release(self.device) }.map_err(|error| refused("cuDevicePrimaryCtxRelease", error))
        });
    }
}

/// Device memory.
#[derive(Debug)]
pub(super) struct Memory {
    address: u64,
    bytes: u64,
    context: Rc<Context>,
}

impl Memory {
    pub(super) fn address(&self) -> u64 {
        self.address
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Copies `host` to the start; returns when it is there.
    pub(super) fn upload(&self, host: &[u8]) -> Result<(), DeviceError> {
        assert!(host.len() as u64 <= self.bytes, "an upload fits its memory");
        // SAFETY: the memory is as large; `host` outlives the copy, which is waited for.
        unsafe { result::memcpy_htod_async(self.address, host, self.context.stream) }
            .map_err(|error| refused("cuMemcpyHtoDAsync", error))?;
        self.context.wait()
    }

    /// Copies the start to `host`; returns when it is there.
    pub(super) fn download(&self, host: &mut [u8]) -> Result<(), DeviceError> {
        assert!(host.len() as u64 <= self.bytes, "a download fits its memory");
        self.context.read(self.address, host)
    }

    /// Queues a copy of all of `from`, which is as large.
    pub(super) fn copy(&self, from: &Self) -> Result<(), DeviceError> {
        assert_eq!(from.bytes, self.bytes, "a copy fits its memory");
        let bytes = usize::try_from(self.bytes).expect("sizes fit the address space");
        // SAFETY: both are of this context and as large.
        unsafe { result::memcpy_dtod_async(self.address, from.address, bytes, self.context.stream) }
            .map_err(|error| refused("cuMemcpyDtoDAsync", error))
    }
}

impl Drop for Memory {
    fn drop(&mut self) {
        // SAFETY: allocated by `Context::memory`, freed once. In a poisoned context it is lost with the process.
        let _ = guarded("cuMemFree", || unsafe { result::free_sync(self.address) }.map_err(|error| refused("cuMemFree", error)));
    }
}

/// Loaded code.
#[derive(Debug)]
pub(super) struct Module {
    raw: sys::CUmodule,
    _context: Rc<Context>,
}

impl Module {
    /// The kernel called `name`.
    pub(super) fn function(self: &Rc<Self>, name: &str) -> Result<Function, DeviceError> {
        let c_name = CString::new(name).expect("kernel names hold no zero");
        // SAFETY: the module lives as long as the function, which holds it.
        let raw = unsafe { result::module::get_function(self.raw, c_name) }.map_err(|error| DeviceError::Compile {
            kernel: name.to_owned(),
            arch: "this device".to_owned(),
            log: format!("the loaded code has no such kernel: {}", words(error)),
        })?;
        Ok(Function { raw, _module: Rc::clone(self) })
    }

    /// Address and size of the constant or global variable called `name`.
    pub(super) fn global(&self, name: &str) -> Result<(u64, usize), DeviceError> {
        let c_name = CString::new(name).expect("names hold no zero");
        // SAFETY: the module lives.
        unsafe { result::module::get_global(self.raw, c_name) }.map_err(|error| refused("cuModuleGetGlobal", error))
    }
}

impl Drop for Module {
    fn drop(&mut self) {
        let _ = guarded("cuModuleUnload", || {
            // SAFETY: loaded by `Context::module`, unloaded once; no function of it is left, since each holds it.
            unsafe { result::module::unload(self.raw) }.map_err(|error| refused("cuModuleUnload", error))
        });
    }
}

/// A kernel of loaded code.
#[derive(Clone, Debug)]
pub(super) struct Function {
    raw: sys::CUfunction,
    _module: Rc<Module>,
}

impl Function {
    /// Allows launches with so much dynamic shared memory; needed above 48 KiB.
    pub(super) fn allow_shared(&self, bytes: u32) -> Result<(), DeviceError> {
        let attribute = CUfunction_attribute::CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES;
        let bytes = i32::try_from(bytes).expect("shared memory is below 2 GiB");
        // SAFETY: the function lives.
        unsafe { result::function::set_function_attribute(self.raw, attribute, bytes) }
            .map_err(|error| refused("cuFuncSetAttribute", error))
    }

    /// What the driver says: registers per thread, static shared memory per block, most threads per block.
    pub(super) fn told(&self) -> Result<[u32; 3], DeviceError> {
        use CUfunction_attribute as A;
        let ask = |attribute| {
            // SAFETY: the function lives.
            let value = unsafe { result::function::get_function_attribute(self.raw, attribute) };
            value.map(|value| u32::try_from(value).unwrap_or(0)).map_err(|error| refused("cuFuncGetAttribute", error))
        };
        Ok([
            ask(A::CU_FUNC_ATTRIBUTE_NUM_REGS)?,
            ask(A::CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES)?,
            ask(A::CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK)?,
        ])
    }

    /// Blocks of `threads` with `shared` bytes of dynamic shared memory that the driver would keep resident on one multiprocessor.
    pub(super) fn resident(&self, threads: u32, shared: u32) -> Result<u32, DeviceError> {
        let threads = i32::try_from(threads).expect("blocks have at most 1024 threads");
        // SAFETY: the function lives.
        let blocks =
            unsafe { result::occupancy::max_active_block_per_multiprocessor_with_flags(self.raw, threads, shared as usize, 0) };
        blocks.map(|blocks| u32::try_from(blocks).unwrap_or(0)).map_err(|error| refused("cuOccupancyMaxActiveBlocks", error))
    }

    /// Queues a launch of `grid` blocks of `block` threads with `shared` bytes of dynamic shared memory.
    ///
    /// # Safety
    /// `arguments` point at values of the kernel's parameter types, in its order; the addresses among them hold what the kernel reads and
    /// writes, until it is done.
    pub(super) unsafe fn launch(
        &self,
        context: &Context,
        (grid, block, shared): ([u32; 3], [u32; 3], u32),
        arguments: &mut [*mut c_void],
    ) -> Result<(), DeviceError> {
        let (grid, block) = ((grid[0], grid[1], grid[2]), (block[0], block[1], block[2]));
        // SAFETY: the caller's guarantee.
        unsafe { result::launch_kernel(self.raw, grid, block, shared, context.stream, arguments) }
            .map_err(|error| refused("cuLaunchKernel", error))
    }
}

/// A moment in the stream.
#[derive(Debug)]
pub(super) struct Event {
    raw: sys::CUevent,
    context: Rc<Context>,
}

impl Event {
    /// Marks the moment when everything queued so far is done.
    pub(super) fn record(&self) -> Result<(), DeviceError> {
        // SAFETY: event and stream live.
        unsafe { result::event::record(self.raw, self.context.stream) }.map_err(|error| refused("cuEventRecord", error))
    }

    /// Returns when the moment has come.
    pub(super) fn wait(&self) -> Result<(), DeviceError> {
        // SAFETY: the event lives.
        unsafe { result::event::synchronize(self.raw) }.map_err(|error| refused("cuEventSynchronize", error))
    }

    /// Whether the moment has come.
    pub(super) fn passed(&self) -> Result<bool, DeviceError> {
        // SAFETY: the event lives.
        match unsafe { result::event::query(self.raw) } {
            Ok(()) => Ok(true),
            Err(error) if error.0 == CUresult::CUDA_ERROR_NOT_READY => Ok(false),
            Err(error) => Err(refused("cuEventQuery", error)),
        }
    }

    /// Seconds from this moment to `later`; both have come. The device's clock ticks about every half microsecond.
    pub(super) fn seconds_to(&self, later: &Self) -> Result<f64, DeviceError> {
        // SAFETY: both events live and were recorded in one stream.
        let elapsed_ms = unsafe { result::event::elapsed(self.raw, later.raw) };
        elapsed_ms.map(|ms| f64::from(ms) * 1e-3).map_err(|error| refused("cuEventElapsedTime", error))
    }
}

impl Drop for Event {
    fn drop(&mut self) {
        let _ = guarded("cuEventDestroy", || {
            // SAFETY: made by `Context::event`, destroyed once.
            unsafe { result::event::destroy(self.raw) }.map_err(|error| refused("cuEventDestroy", error))
        });
    }
}
