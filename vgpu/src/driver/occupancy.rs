//! How many blocks fit, as CUDA answers it.

use std::ffi::{c_int, c_uint};

use super::code::Code;
use super::ffi::{Out, cuda};
use super::function::decoded;
use super::session::enter;
use crate::profile::{Footprint, MAX_THREADS_PER_BLOCK, Profile, occupancy, reserved_shared, shared_block_limit, usable_shared};

/// `CUoccupancyB2DSize`: a block size's dynamic shared memory.
pub type SharedOfBlock = extern "C" fn(c_int) -> usize;

cuda! {
    /// Resident blocks of one multiprocessor.
    fn cuOccupancyMaxActiveBlocksPerMultiprocessor(blocks: Out<c_int>, function: u64, block_size: c_int, dynamic: usize) {
        resident(blocks, function, block_size, dynamic)
    }

    /// The same; the flag about caching has no effect.
    fn cuOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(blocks: Out<c_int>, function: u64, block_size: c_int, dynamic: usize, _flags: c_uint) {
        resident(blocks, function, block_size, dynamic)
    }

    /// The block size with the most resident threads, and the grid that fills the card with it.
    fn cuOccupancyMaxPotentialBlockSize(grid: Out<c_int>, block: Out<c_int>, function: u64, dynamic_of: Option<SharedOfBlock>, dynamic: usize, limit: c_int) {
        best(grid, block, &Question { function, dynamic_of, dynamic, limit })
    }

    /// The same.
    fn cuOccupancyMaxPotentialBlockSizeWithFlags(grid: Out<c_int>, block: Out<c_int>, function: u64, dynamic_of: Option<SharedOfBlock>, dynamic: usize, limit: c_int, _flags: c_uint) {
        best(grid, block, &Question { function, dynamic_of, dynamic, limit })
    }

    /// Dynamic shared memory each of `blocks` resident blocks can have.
    fn cuOccupancyAvailableDynamicSMemPerBlock(bytes: Out<usize>, function: u64, blocks: c_int, block_size: c_int) {
        enter(|s| {
            let kernel = decoded(s, function)?;
            let profile = s.card().profile;
            let blocks = u64::try_from(blocks).ok().filter(|n| *n > 0).ok_or(Code::InvalidValue)?;
            threads(block_size)?;
            let reserved = reserved_shared(profile);
            let each = (usable_shared(profile) / blocks).saturating_sub(reserved) & !127;
            bytes.set(each.min(shared_block_limit(profile)).saturating_sub(kernel.static_shared_bytes) as usize)
        })
    }

    /// No clusters.
    fn cuOccupancyMaxActiveClusters(_clusters: Out<c_int>, _function: u64, _config: *const std::ffi::c_void) {
        Err(Code::NotSupported)
    }

    /// No clusters.
    fn cuOccupancyMaxPotentialClusterSize(_size: Out<c_int>, _function: u64, _config: *const std::ffi::c_void) {
        Err(Code::NotSupported)
    }
}

struct Question {
    function: u64,
    dynamic_of: Option<SharedOfBlock>,
    dynamic: usize,
    limit: c_int,
}

fn threads(block_size: c_int) -> Result<u32, Code> {
    u32::try_from(block_size).ok().filter(|n| *n > 0).ok_or(Code::InvalidValue)
}

fn resident(blocks: Out<c_int>, function: u64, block_size: c_int, dynamic: usize) -> Result<(), Code> {
    enter(|s| {
        let kernel = decoded(s, function)?;
        let footprint = Footprint {
            threads: threads(block_size)?,
            registers: kernel.registers,
            shared_bytes: kernel.static_shared_bytes + dynamic as u64,
        };
        // A block that does not fit is an answer, not an error.
        blocks.set(occupancy(s.card().profile, &footprint).map_or(0, |o| o.blocks) as c_int)
    })
}

fn best(grid: Out<c_int>, block: Out<c_int>, question: &Question) -> Result<(), Code> {
    let (kernel, profile): (_, &Profile) = enter(|s| Ok((decoded(s, question.function)?, s.card().profile)))?;
    let most = match question.limit {
        0 => kernel.max_threads,
        limit => kernel.max_threads.min(threads(limit)?),
    };
    let mut found = (0, 0, 0);
    // From large to small, so that of equals the larger block stays. The callback is the caller's: it runs outside the lock.
    for size in (1..=most.min(MAX_THREADS_PER_BLOCK)).rev().filter(|n| n % 32 == 0 || *n == most) {
        let dynamic = question.dynamic_of.map_or(question.dynamic, |of| of(size as c_int));
        let footprint =
            Footprint { threads: size, registers: kernel.registers, shared_bytes: kernel.static_shared_bytes + dynamic as u64 };
        let blocks = occupancy(profile, &footprint).map_or(0, |o| o.blocks);
        if blocks * size > found.0 {
            found = (blocks * size, size, blocks);
        }
    }
    grid.set((found.2 * profile.sms) as c_int)?;
    block.set(found.1 as c_int)
}
