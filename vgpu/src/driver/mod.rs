//! The CUDA driver interface: what `libcuda.so.1` exports, on top of the interpreter.
//!
//! Work is executed when it is enqueued, in program order, which is one of the orders a GPU may choose; its virtual time is that of its stream. A kernel that faults poisons
//! its context: the launch itself succeeds, as on a GPU, and every later call gives the fault until the context is destroyed.
//!
//! Not here: graphs and capture (`CUDA_ERROR_NOT_SUPPORTED`), arrays and textures, managed and mapped memory, memory pools, clusters, linking, machine code
//! (`CUDA_ERROR_NO_BINARY_FOR_GPU`). A cooperative launch runs; blocks that wait for each other are set aside and taken up again, up to
//! 64 of them per interpreter thread, which is how many blocks a barrier over the grid may have.

pub mod code;
pub mod config;
pub mod context;
pub mod copy;
pub mod device;
pub mod event;
pub mod execute;
pub mod ffi;
pub mod function;
pub mod launch;
pub mod log;
pub mod memory;
pub mod module;
pub mod objects;
pub mod occupancy;
pub mod pointer;
pub mod refused;
mod session;
pub mod stream;
pub mod virtual_time;

/// Every exported call by name, CUDA's and NVML's and the clock's.
pub(crate) fn symbol(name: &str) -> Option<*const ()> {
    let tables = [
        device::SYMBOLS,
        context::SYMBOLS,
        stream::SYMBOLS,
        event::SYMBOLS,
        memory::SYMBOLS,
        copy::SYMBOLS,
        pointer::SYMBOLS,
        module::SYMBOLS,
        function::SYMBOLS,
        occupancy::SYMBOLS,
        launch::SYMBOLS,
        refused::SYMBOLS,
    ];
    let find = |wanted: &str| tables.iter().flat_map(|t| t.iter()).find(|(n, _)| *n == wanted).map(|(_, address)| *address);
    // A name without version means the newest one.
    ["_v4", "_v3", "_v2", ""].iter().find_map(|version| find(&format!("{name}{version}")))
}

#[cfg(test)]
mod tests {
    #[test]
    fn names_without_a_version_give_the_newest_call() {
        let address = |name| super::symbol(name);
        assert_eq!(address("cuMemAlloc"), address("cuMemAlloc_v2"));
        assert_eq!(address("cuCtxCreate"), address("cuCtxCreate_v4"));
        assert!(address("cuLaunchKernel").is_some());
        assert!(address("cuTeleport").is_none());
    }
}
