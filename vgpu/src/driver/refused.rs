//! Calls of CUDA that exist so that a host finds every symbol it may name, and that are not supported.

use std::ffi::c_void;

use super::code::Code;
use super::ffi::cuda;

cuda! {
    /// No graphs.
    fn cuGraphCreate(_graph: *mut c_void, _flags: u32) { Err(Code::NotSupported) }
    /// No graphs.
    fn cuGraphDestroy(_graph: u64) { Err(Code::NotSupported) }
    /// No graphs.
    fn cuGraphExecDestroy(_graph: u64) { Err(Code::NotSupported) }
    /// No graphs.
    fn cuGraphInstantiateWithFlags(_executable: *mut c_void, _graph: u64, _flags: u64) { Err(Code::NotSupported) }
    /// No graphs.
    fn cuGraphLaunch(_graph: u64, _stream: u64) { Err(Code::NotSupported) }
    /// No graphs.
    fn cuGraphUpload(_graph: u64, _stream: u64) { Err(Code::NotSupported) }
    /// No pools.
    fn cuDeviceSetMemPool(_device: i32, _pool: u64) { Err(Code::NotSupported) }
    /// No pools.
    fn cuMemPoolCreate(_pool: *mut c_void, _properties: *const c_void) { Err(Code::NotSupported) }
    /// No pools.
    fn cuMemPoolDestroy(_pool: u64) { Err(Code::NotSupported) }
    /// No pools.
    fn cuMemPoolGetAttribute(_pool: u64, _attribute: i32, _value: *mut c_void) { Err(Code::NotSupported) }
    /// No pools.
    fn cuMemPoolSetAttribute(_pool: u64, _attribute: i32, _value: *mut c_void) { Err(Code::NotSupported) }
    /// No pools.
    fn cuMemPoolTrimTo(_pool: u64, _bytes: usize) { Err(Code::NotSupported) }
    /// No managed memory.
    fn cuMemAdvise_v2(_address: u64, _bytes: usize, _advice: i32, _kind: i32, _id: i32) { Err(Code::NotSupported) }
    /// No managed memory.
    fn cuMemPrefetchAsync_v2(_address: u64, _bytes: usize, _kind: i32, _id: i32, _flags: u32, _stream: u64) { Err(Code::NotSupported) }
    /// No external memory.
    fn cuImportExternalMemory(_memory: *mut c_void, _description: *const c_void) { Err(Code::NotSupported) }
    /// No external memory.
    fn cuExternalMemoryGetMappedBuffer(_address: *mut c_void, _memory: u64, _description: *const c_void) { Err(Code::NotSupported) }
    /// No external memory.
    fn cuDestroyExternalMemory(_memory: u64) { Err(Code::NotSupported) }
    /// Nothing is linked: modules are loaded whole.
    fn cuLinkCreate_v2(_count: u32, _options: *mut c_void, _values: *mut c_void, _state: *mut c_void) { Err(Code::NotSupported) }
    /// No tensor maps: the interpreter has no bulk copies.
    fn cuTensorMapEncodeTiled(_map: *mut c_void, _data_type: i32, _rank: u32, _address: *mut c_void) { Err(Code::NotSupported) }
}
