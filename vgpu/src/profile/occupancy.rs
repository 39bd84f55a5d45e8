//! How many blocks of a kernel one multiprocessor holds: the rules of NVIDIA's occupancy calculator.

use super::{MAX_THREADS_PER_BLOCK, Profile, REGISTERS_PER_SM, STATIC_SHARED_LIMIT};

/// What one block asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Footprint {
    /// Threads of a block.
    pub threads: u32,
    /// 32-bit registers of a thread.
    pub registers: u32,
    /// Static and dynamic shared memory of a block, bytes.
    pub shared_bytes: u64,
}

/// Blocks that fit one multiprocessor, and what stops the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Occupancy {
    /// Resident blocks; zero where a single block does not fit.
    pub blocks: u32,
    /// Resident warps as a share of the most, in thousandths.
    pub permille: u32,
}

/// Why one block of a kernel cannot run at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// More threads than a block may have.
    Threads,
    /// More registers than one multiprocessor holds.
    Registers,
    /// More shared memory than a block may have.
    Shared,
}

/// Shared memory of one multiprocessor that blocks can use, bytes.
pub fn usable_shared(profile: &Profile) -> u64 {
    let kib = match profile.sm() {
        60 | 75 => 64,
        70 => 96,
        80 => 164,
        90 | 100 => 228,
        _ => 100,
    };
    kib * 1024
}

/// The most shared memory of one block after asking for it, bytes. From 8.0 on the system keeps 1 KiB of every block's share.
pub fn shared_block_limit(profile: &Profile) -> u64 {
    match profile.sm() {
        60 => u64::from(STATIC_SHARED_LIMIT),
        _ => usable_shared(profile) - reserved_shared(profile),
    }
}

/// Shared memory the system takes of every block, bytes.
pub fn reserved_shared(profile: &Profile) -> u64 {
    if profile.sm() >= 80 { 1024 } else { 0 }
}

/// Warps one multiprocessor holds.
pub(super) fn warps_per_sm(profile: &Profile) -> u32 {
    match profile.sm() {
        75 => 32,
        86 | 89 | 120 => 48,
        _ => 64,
    }
}

/// Blocks one multiprocessor holds.
pub(super) fn blocks_per_sm(profile: &Profile) -> u32 {
    match profile.sm() {
        75 | 86 => 16,
        89 | 120 => 24,
        _ => 32,
    }
}

/// Resident blocks of one multiprocessor for `footprint`.
///
/// Registers are given out per warp in units of 256, and warps to four schedulers, so that the register file of a scheduler bounds its warps; shared memory comes in units
/// of 256 bytes before 8.0 and 128 bytes from there on, plus what the system keeps.
///
/// # Errors
/// What makes a single block impossible.
pub fn occupancy(profile: &Profile, footprint: &Footprint) -> Result<Occupancy, Refusal> {
    if footprint.threads == 0 || footprint.threads > MAX_THREADS_PER_BLOCK {
        return Err(Refusal::Threads);
    }
    if footprint.shared_bytes > shared_block_limit(profile) {
        return Err(Refusal::Shared);
    }
    let warps = footprint.threads.div_ceil(32);
    let by_registers = blocks_by_registers(footprint.registers, warps).ok_or(Refusal::Registers)?;
    let unit = if profile.sm() >= 80 { 128 } else { 256 };
    let shared = (footprint.shared_bytes + reserved_shared(profile)).next_multiple_of(unit);
    let by_shared = usable_shared(profile).checked_div(shared).map_or(u32::MAX, |n| u32::try_from(n).unwrap_or(u32::MAX));
    let blocks = (warps_per_sm(profile) / warps).min(blocks_per_sm(profile)).min(by_registers).min(by_shared);
    Ok(Occupancy { blocks, permille: blocks * warps * 1000 / warps_per_sm(profile) })
}

/// `None`: a single block needs more than the file holds.
fn blocks_by_registers(registers: u32, warps: u32) -> Option<u32> {
    if registers == 0 {
        return Some(u32::MAX);
    }
    let per_warp = (registers * 32).next_multiple_of(256);
    // A scheduler owns a quarter of the file, and a warp's registers lie in one quarter.
    let resident_warps = REGISTERS_PER_SM / 4 / per_warp * 4;
    (resident_warps >= warps).then(|| resident_warps / warps)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn blocks(key: &str, threads: u32, registers: u32, shared_bytes: u64) -> Result<u32, Refusal> {
        occupancy(Profile::named(key).unwrap(), &Footprint { threads, registers, shared_bytes }).map(|o| o.blocks)
    }

    #[test]
    fn blocks_agree_with_the_occupancy_calculator() {
        // Worked by hand with the rules of NVIDIA's spreadsheet.
        let cases = [
            ("a100", 256, 32, 0, Ok(8)),
            ("a100", 256, 128, 0, Ok(2)),
            ("a100", 256, 128, 100 * 1024, Ok(1)),
            ("a100", 1024, 64, 0, Ok(1)),
            ("a100", 1024, 65, 0, Err(Refusal::Registers)),
            ("a100", 32, 16, 0, Ok(32)),
            ("a100", 128, 24, 8 * 1024, Ok(16)),
            ("a100", 128, 24, 9 * 1024, Ok(16)),
            ("a100", 128, 24, 10 * 1024, Ok(14)),
            ("rtx4070", 256, 32, 0, Ok(6)),
            ("rtx4070", 64, 32, 0, Ok(24)),
            ("rtx4070", 256, 32, 99 * 1024, Ok(1)),
            ("rtx4070", 256, 32, 99 * 1024 + 1, Err(Refusal::Shared)),
            ("t4", 1024, 32, 0, Ok(1)),
            ("v100", 256, 32, 24 * 1024, Ok(4)),
            ("h100", 128, 255, 0, Ok(2)),
            ("h100", 1025, 32, 0, Err(Refusal::Threads)),
        ];
        for (key, threads, registers, shared, expected) in cases {
            assert_eq!(
                blocks(key, threads, registers, shared),
                expected,
                "{key}: {threads} threads, {registers} registers, {shared} B"
            );
        }
    }
}
