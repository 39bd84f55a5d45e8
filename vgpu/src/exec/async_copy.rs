//! `cp.async` and mbarriers.

use std::sync::atomic::{AtomicU8, AtomicU32, Ordering};

use super::access::{Access, Request};
use super::copies::Copy;
use super::lanes::{FULL, Regs, lanes};
use super::step::Turn;
use super::warp::Warp;
use super::worker::{BlockMemory, Worker};
use crate::check::FindingKind;
use crate::check::lanes::{Apart, Together};
use crate::check::shared::Trouble;
use crate::launch::Fault;
use crate::ptx::op::{Inst, Mbar, Order, Space};

/// Fields of an mbarrier object: arrivals a phase expects, arrivals still missing, the phase's parity.
const MISSING: u32 = 20;
const COUNT: u64 = (1 << 20) - 1;
const PHASE: u64 = 1 << 63;

/// What a copy reads: lanes that read the same number of bytes.
#[derive(Clone, Copy)]
struct Source<'a> {
    inst: &'a Inst,
    from: &'a [u64; 32],
    mask: u32,
    bytes: u32,
}

impl Worker<'_> {
    /// Starts a copy of `bytes` a lane: destination, source, bytes really read (the rest is zero).
    pub(crate) fn copy_async(&mut self, b: &mut BlockMemory, w: &mut Warp, turn: Turn<'_>, bytes: u8) -> Result<(), Fault> {
        let Turn { inst, r, regs, mask } = turn;
        let to = self.addresses(inst, r[0], Space::Shared, regs).map(|a| if a >> 40 == 1 { a & 0xffff_ffff } else { a });
        let (from, size) = (regs.get64(r[1]), regs.get32(r[2]));
        self.check_sizes(b, w, &Source { inst, from: &from, mask, bytes: bytes.into() }, &size)?;
        let mut data = [[0u8; 16]; 32];
        let sizes: std::collections::BTreeSet<u32> = lanes(mask).map(|l| size[l].min(bytes.into())).filter(|&s| s > 0).collect();
        for n in sizes {
            let here = lanes(mask).filter(|&l| size[l].min(bytes.into()) == n).fold(0, |m, l| m | 1 << l);
            self.read_source(b, w, &Source { inst, from: &from, mask: here, bytes: n }, &mut data)?;
        }
        let req = Request {
            inst,
            addresses: &to,
            mask,
            bytes: bytes.into(),
            access: Access::Write,
            order: Order::Weak,
            slot: inst.slot,
        };
        // The bytes are not written yet.
        self.shared_place(b, w, &req)?;
        for lane in lanes(mask) {
            if !b.shadow.is_off() {
                let range = b.shadow.granules(to[lane] as u32, bytes.into());
                let hazard = if b.lanes.is_off() {
                    None
                } else {
                    let owners = &[lane as u32; 16][..range.len()];
                    match &w.parted {
                        None => b.lanes.write(w.moment(), range.clone(), owners, &Together),
                        Some(parted) => {
                            b.lanes.write(w.moment(), range.clone(), owners, &Apart { parted, touching: |_| 1 << lane })
                        }
                    }
                };
                let hazard = hazard.filter(|&(at, _)| !b.shadow.in_flight(at)).map(|(at, hazard)| (at, Trouble::Lane(hazard)));
                let issued = b.shadow.issue(w.id, range);
                if let Some((granule, trouble)) = hazard.or(issued) {
                    let byte = b.shadow.byte_of(granule);
                    self.shared_trouble(b, w.id, lane as u32, &req, byte, trouble);
                }
            }
            w.copies.issue(Copy { lane: lane as u8, bytes, to: to[lane] as u32, data: data[lane] });
        }
        Ok(())
    }

    /// Sources are aligned to the whole copy, however little of it is read; more than the copy cannot be.
    fn check_sizes(&mut self, b: &BlockMemory, w: &Warp, source: &Source<'_>, size: &[u32; 32]) -> Result<(), Fault> {
        let Source { inst, from, mask, bytes } = *source;
        let req = Request { inst, addresses: from, mask, bytes, access: Access::Read, order: Order::Weak, slot: inst.slot + 1 };
        for lane in lanes(mask).filter(|&l| size[l] > 0) {
            self.aligned(b, w.id, &req, lane as u32, from[lane], "global")?;
            if size[lane] > bytes {
                self.report(b, req.site(w.id, lane as u32), FindingKind::OutOfBounds, Some(from[lane]), |_| {
                    format!("copies `{}` bytes of global memory in a copy of {bytes} bytes: as many at most", size[lane])
                });
            }
        }
        Ok(())
    }

    fn read_source(
        &mut self,
        b: &mut BlockMemory,
        w: &Warp,
        source: &Source<'_>,
        data: &mut [[u8; 16]; 32],
    ) -> Result<(), Fault> {
        let Source { inst, from, mask, bytes } = *source;
        // Odd sizes go byte by byte.
        let width = if matches!(bytes, 4 | 8 | 16) { bytes } else { 1 };
        for part in 0..bytes / width {
            let addresses = from.map(|a| a.wrapping_add(u64::from(part * width)));
            let req = Request {
                inst,
                addresses: &addresses,
                mask,
                bytes: width,
                access: Access::Read,
                order: Order::Weak,
                slot: inst.slot + 1,
            };
            let pointers = self.global(b, w, &req)?;
            for lane in lanes(mask) {
                let to = &mut data[lane][(part * width) as usize..][..width as usize];
                if width < 4 {
                    // SAFETY: the pointer was checked for `width` bytes.
                    to[0] = unsafe { AtomicU8::from_ptr(pointers[lane]) }.load(Ordering::Relaxed);
                    continue;
                }
                for (word, bytes) in to.chunks_exact_mut(4).enumerate() {
                    // SAFETY: the pointer was checked for `width` bytes, a multiple of four, and alignment.
                    let cell = unsafe { AtomicU32::from_ptr(pointers[lane].add(4 * word).cast()) };
                    bytes.copy_from_slice(&cell.load(Ordering::Relaxed).to_ne_bytes());
                }
            }
        }
        Ok(())
    }

    /// Copies become visible.
    pub(crate) fn land(&mut self, b: &mut BlockMemory, w: &Warp, copies: &[Copy]) {
        let base = b.shared.as_mut_ptr().cast::<u8>();
        for copy in copies {
            // SAFETY: the destination was checked against the block's shared memory when the copy was issued, which this thread alone touches.
            unsafe { std::ptr::copy_nonoverlapping(copy.data.as_ptr(), base.add(copy.to as usize), copy.bytes.into()) };
            if !b.shadow.is_off() {
                let range = b.shadow.granules(copy.to, copy.bytes.into());
                b.shadow.land(w.id, range.clone());
                if !b.lanes.is_off() {
                    b.lanes.landed(w.moment(), range, copy.lane.into());
                }
            }
        }
    }

    /// mbarrier operations, a lane each; says whether a wait found its phase unfinished.
    pub(crate) fn mbarrier(&mut self, b: &mut BlockMemory, w: &mut Warp, turn: Turn<'_>, kind: Mbar) -> Result<bool, Fault> {
        let Turn { inst, r, regs, mask } = turn;
        let dst = usize::from(inst.dst);
        let addresses = self.addresses(inst, r[dst], Space::Shared, regs).map(|a| if a >> 40 == 1 { a & 0xffff_ffff } else { a });
        let req = Request {
            inst,
            addresses: &addresses,
            mask,
            bytes: 8,
            access: Access::Atomic,
            order: Order::Strong,
            slot: inst.slot,
        };
        let pointers = self.shared(b, w, &req)?;
        let (mut waits, mut synchronised) = (false, false);
        for lane in lanes(mask) {
            let at = addresses[lane] as u32;
            // SAFETY: checked for eight aligned bytes of the block's own memory.
            let object = unsafe { &mut *pointers[lane].cast::<u64>() };
            let operand = |regs: Regs| regs.get32(r[dst + 1])[lane];
            match kind {
                Mbar::Init => {
                    let count = u64::from(operand(regs)) & COUNT;
                    *object = count | count << MISSING;
                }
                Mbar::Inval => *object = 0,
                Mbar::Arrive | Mbar::ArriveDrop => {
                    regs.set64(r[0], &[*object & PHASE; 32], 1 << lane);
                    if !b.shadow.is_off() {
                        b.shadow.release(w.id, at);
                    }
                    arrive(object, u64::from(operand(regs)), kind == Mbar::ArriveDrop);
                }
                Mbar::TestWait | Mbar::TestParity => {
                    let phase = *object & PHASE;
                    let waited = if kind == Mbar::TestWait {
                        regs.get64(r[dst + 1])[lane] & PHASE
                    } else {
                        u64::from(operand(regs) & 1) << 63
                    };
                    let done = phase != waited;
                    if done && !b.shadow.is_off() {
                        b.shadow.acquire(w.id, at);
                    }
                    synchronised |= done;
                    regs.set_pred(r[0], if done { u32::MAX } else { 0 }, 1 << lane);
                    waits |= !done;
                }
            }
        }
        // What lanes did before they arrived is ordered before what they do now.
        if synchronised {
            w.synchronise(FULL);
        }
        Ok(waits)
    }
}

fn arrive(object: &mut u64, count: u64, drop: bool) {
    let mut expected = *object & COUNT;
    if drop {
        expected -= count.min(expected);
    }
    let missing = (*object >> MISSING & COUNT).saturating_sub(count);
    let phase = *object & PHASE;
    *object = if missing == 0 { expected | expected << MISSING | (phase ^ PHASE) } else { expected | missing << MISSING | phase };
}
