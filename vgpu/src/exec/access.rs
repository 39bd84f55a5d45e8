//! Loads and stores: addresses, bounds, alignment, shadows, and the bytes themselves.

use std::sync::atomic::{AtomicU8, AtomicU16, AtomicU32, AtomicU64, Ordering};

use super::lanes::{FULL, Regs, lanes};
use super::warp::Warp;
use super::worker::{BlockMemory, LOCAL_WINDOW, PARAM_WINDOW, SHARED_WINDOW, Site, Worker};
use crate::check::FindingKind;
use crate::check::global::{Actor, Collision, Seen, Touch};
use crate::check::lanes::{Apart, Hazard, SEVERAL, Together};
use crate::check::shared::Trouble;
use crate::launch::Fault;
use crate::ptx::op::{Inst, NO_SYM, Op, Order, Space};
use crate::ptx::types::{Class, Reg, Ty};

/// What is done to memory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Access {
    Read,
    Write,
    /// Read and written at once; strong.
    Atomic,
}

impl Access {
    fn verb(self) -> &'static str {
        match self {
            Self::Read => "reads",
            Self::Write => "writes",
            Self::Atomic => "updates",
        }
    }
}

/// One warp's access: which lanes, where, how wide.
pub(crate) struct Request<'a> {
    pub(crate) inst: &'a Inst,
    pub(crate) addresses: &'a [u64; 32],
    pub(crate) mask: u32,
    /// Bytes a lane.
    pub(crate) bytes: u32,
    pub(crate) access: Access,
    pub(crate) order: Order,
    /// Place of its pattern.
    pub(crate) slot: u32,
}

impl<'a> Request<'a> {
    pub(crate) fn site(&self, warp: u32, lane: u32) -> Site<'a> {
        Site { inst: self.inst, warp, lane }
    }
}

/// Host addresses, one a lane; meaningful for active lanes.
pub(crate) type Pointers = [*mut u8; 32];

/// Space of a generic address and its offset in it.
pub(crate) fn place(address: u64) -> (Space, u64) {
    match address >> 40 {
        1 => (Space::Shared, address - SHARED_WINDOW),
        2 => (Space::Local, address - LOCAL_WINDOW),
        3 => (Space::Param, address - PARAM_WINDOW),
        _ => (Space::Global, address),
    }
}

impl<'e> Worker<'e> {
    /// Register + symbol + offset, a lane each. Shared addresses are 32 bits wide and wrap there.
    #[inline(always)]
    pub(crate) fn addresses(&self, inst: &Inst, base: Reg, space: Space, regs: Regs) -> [u64; 32] {
        let symbol = if inst.sym == NO_SYM { 0 } else { self.env.symbols[inst.sym as usize] };
        let offset = symbol.wrapping_add(inst.imm as u64);
        if base.class() == Class::R64 {
            let mut out = regs.get64(base);
            out.iter_mut().for_each(|a| *a = a.wrapping_add(offset));
            return out;
        }
        let mut out = [0; 32];
        for (o, a) in out.iter_mut().zip(regs.get32(base)) {
            *o = u64::from(a).wrapping_add(offset);
        }
        if matches!(space, Space::Shared | Space::Local | Space::Param) {
            out.iter_mut().for_each(|a| *a &= 0xffff_ffff);
        }
        out
    }

    /// Splits a generic access by space and calls `each` with one space's lanes and their offsets.
    pub(crate) fn by_space(
        &mut self,
        space: Space,
        addresses: &[u64; 32],
        mask: u32,
        mut each: impl FnMut(&mut Self, Space, &[u64; 32], u32) -> Result<(), Fault>,
    ) -> Result<(), Fault> {
        if space != Space::Generic {
            let space = if space == Space::Const { Space::Global } else { space };
            return each(self, space, addresses, mask);
        }
        let mut left = mask;
        while left != 0 {
            let (space, _) = place(addresses[left.trailing_zeros() as usize]);
            let here = lanes(left).filter(|&l| place(addresses[l]).0 == space).fold(0, |m, l| m | 1 << l);
            let offsets = addresses.map(|a| place(a).1);
            each(self, space, &offsets, here)?;
            left &= !here;
        }
        Ok(())
    }

    /// Host pointers of an access in any space, checked and counted.
    pub(crate) fn pointers(
        &mut self,
        b: &mut BlockMemory,
        w: &mut Warp,
        space: Space,
        req: &Request<'_>,
    ) -> Result<Pointers, Fault> {
        match space {
            Space::Shared => self.shared(b, w, req),
            Space::Local => self.private(b, w, req, self.env.function.local_bytes),
            Space::Param => self.private(b, w, req, 0),
            _ => self.global(b, w, req),
        }
    }

    /// Local memory and parameters: nobody else sees them, so only bounds matter.
    fn private(&mut self, b: &BlockMemory, w: &mut Warp, req: &Request<'_>, stretch: u32) -> Result<Pointers, Fault> {
        let (base, size) = if stretch == 0 {
            (self.params.as_mut_ptr().cast::<u8>(), u64::from(self.env.function.param_bytes))
        } else {
            (w.local.as_mut_ptr().cast::<u8>(), u64::from(stretch))
        };
        let mut out = [std::ptr::null_mut(); 32];
        for lane in lanes(req.mask) {
            let at = req.addresses[lane];
            let space = if stretch == 0 { "parameter" } else { "local" };
            self.aligned(b, w.id, req, lane as u32, at, space)?;
            if at.checked_add(req.bytes.into()).is_none_or(|end| end > size) {
                let what =
                    format!("{} {} bytes at offset {at} of the {size} bytes of {space} memory", req.access.verb(), req.bytes);
                return Err(self.fault(b, req.site(w.id, lane as u32), FindingKind::OutOfBounds, what, Some(at)));
            }
            out[lane] = base.wrapping_add(lane * stretch as usize + at as usize);
        }
        Ok(out)
    }

    pub(crate) fn aligned(
        &self,
        b: &BlockMemory,
        warp: u32,
        req: &Request<'_>,
        lane: u32,
        address: u64,
        space: &str,
    ) -> Result<(), Fault> {
        if address & u64::from(req.bytes - 1) == 0 {
            return Ok(());
        }
        let what = format!(
            "{} {} bytes of {space} memory at {address:#x}, which is not a multiple of {}",
            req.access.verb(),
            req.bytes,
            req.bytes
        );
        Err(self.fault(b, req.site(warp, lane), FindingKind::Misaligned, what, Some(address)))
    }

    /// Shared memory of the block.
    pub(crate) fn shared(&mut self, b: &mut BlockMemory, w: &Warp, req: &Request<'_>) -> Result<Pointers, Fault> {
        let out = self.shared_place(b, w, req)?;
        if !b.shadow.is_off() {
            let first = req.addresses[req.mask.trailing_zeros() as usize] as i64;
            self.shared_shadow(b, w, req, first);
        }
        Ok(out)
    }

    /// Only bounds, alignment and banks.
    #[inline(always)]
    pub(crate) fn shared_place(&mut self, b: &mut BlockMemory, w: &Warp, req: &Request<'_>) -> Result<Pointers, Fault> {
        let lead = req.addresses[req.mask.trailing_zeros() as usize];
        let slot = req.slot as usize;
        self.patterns[slot].fit(req.addresses, req.mask, lead, lead & 3, req.bytes);
        let p = &self.patterns[slot];
        let size = i64::from(self.env.shared_bytes);
        let first = lead as i64;
        let fits =
            !p.far && first >= 0 && first.checked_add(p.low).is_some_and(|l| l >= 0) && first.saturating_add(p.high) <= size;
        if !fits || (p.bits | lead) & u64::from(req.bytes - 1) != 0 {
            return Err(self.shared_fault(b, w, req));
        }
        self.counters.shared_requests += 1;
        self.counters.shared_conflict_cycles += u64::from(p.conflicts);
        self.counters.shared_wavefronts += u64::from(p.wavefronts);
        let base = b.shared.as_mut_ptr().cast::<u8>();
        let from = base.wrapping_add(lead as usize);
        let mut out = [base; 32];
        for (lane, pointer) in out.iter_mut().enumerate() {
            *pointer = from.wrapping_add(p.rel(lane) as usize);
        }
        Ok(out)
    }

    fn shared_shadow(&mut self, b: &mut BlockMemory, w: &Warp, req: &Request<'_>, first: i64) {
        if req.order != Order::Weak {
            return self.shared_strong(b, w, req);
        }
        let Some((granule, trouble)) = self.shared_hazard(b, w, req, first) else { return };
        let byte = b.shadow.byte_of(granule);
        let (pattern, rel) = (&self.patterns[req.slot as usize], i64::from(byte) - first);
        let lane = match trouble {
            Trouble::Lane(Hazard::Read(other) | Hazard::Written(other)) => pattern.lane_beside(rel, other),
            _ => pattern.lane_at(rel),
        };
        match trouble {
            Trouble::Uninitialised => self.taint(b, w.id, req, (lane, byte)),
            _ => self.shared_trouble(b, w.id, lane, req, byte, trouble),
        }
    }

    /// Atomics and strong accesses, lane by lane. Between the lanes of one warp they are taken to be in order.
    fn shared_strong(&mut self, b: &mut BlockMemory, w: &Warp, req: &Request<'_>) {
        for lane in lanes(req.mask) {
            let range = b.shadow.granules(req.addresses[lane] as u32, req.bytes);
            let found = if req.access == Access::Read { b.shadow.read_strong(w.id, range) } else { b.shadow.update(w.id, range) };
            if let Some((granule, trouble)) = found {
                let byte = b.shadow.byte_of(granule);
                self.shared_trouble(b, w.id, lane as u32, req, byte, trouble);
            }
        }
    }

    /// Notes a weak access of the bytes from `first` on and gives the first granule with trouble. Lanes of this very warp come before other warps.
    fn shared_hazard(&mut self, b: &mut BlockMemory, w: &Warp, req: &Request<'_>, first: i64) -> Option<(usize, Trouble)> {
        let (now, writes) = (w.moment(), req.access == Access::Write);
        let pattern = &mut self.patterns[req.slot as usize];
        if !b.lanes.is_off() {
            pattern.own(b.shadow.shift(), is_collective(req.inst.op));
        }
        let touched = &*pattern;
        let (mut owners, mut bad) = (touched.owners.as_slice(), None);
        for &(start, len) in &touched.ranges {
            let range = b.shadow.granules((first + start) as u32, len);
            if !b.lanes.is_off() {
                let (mine, rest) = owners.split_at(range.len());
                owners = rest;
                let hazard = match &w.parted {
                    None if writes => b.lanes.write(now, range.clone(), mine, &Together),
                    None => b.lanes.read(now, range.clone(), mine, &Together),
                    Some(parted) => {
                        let at = |granule: usize| i64::from(b.shadow.byte_of(range.start + granule)) - first;
                        let all = is_collective(req.inst.op);
                        let touching = |granule| if all { FULL } else { touched.lanes_in(at(granule), 1 << b.shadow.shift()) };
                        let apart = Apart { parted, touching };
                        if writes {
                            b.lanes.write(now, range.clone(), mine, &apart)
                        } else {
                            b.lanes.read(now, range.clone(), mine, &apart)
                        }
                    }
                };
                bad = bad.or(hazard.filter(|&(at, _)| !b.shadow.in_flight(at)).map(|(at, hazard)| (at, Trouble::Lane(hazard))));
            }
            let trouble = if writes { b.shadow.write(w.id, range) } else { b.shadow.read(w.id, range) };
            bad = bad.or(trouble);
        }
        bad
    }

    /// Says what an access to shared memory collided with.
    pub(crate) fn shared_trouble(
        &mut self,
        b: &BlockMemory,
        warp: u32,
        lane: u32,
        req: &Request<'_>,
        byte: u32,
        trouble: Trouble,
    ) {
        let kind = match trouble {
            Trouble::Uninitialised => FindingKind::UninitialisedShared,
            Trouble::Lane(_) => FindingKind::WarpRace,
            Trouble::InFlight => FindingKind::UnwaitedCopy,
            _ => FindingKind::SharedRace,
        };
        let verb = req.access.verb();
        self.report(b, req.site(warp, lane), kind, Some(byte.into()), |_| {
            let here = format!("warp {warp} {verb} shared memory at offset {byte:#x}");
            match trouble {
                Trouble::Uninitialised => format!("{here}, which nobody has written"),
                Trouble::Written(other) => format!("{here}, which warp {other} wrote with no barrier in between"),
                Trouble::Read(other) => format!("{here}, which warp {other} reads with no barrier in between"),
                Trouble::Updated(other) => format!("{here}, which warp {other} updates with no barrier in between"),
                Trouble::Lane(hazard) => {
                    let (other, did) = match hazard {
                        Hazard::Written(other) => (other, "wrote"),
                        Hazard::Read(other) => (other, "read"),
                    };
                    let other = if other == SEVERAL { "other lanes".to_owned() } else { format!("lane {other}") };
                    format!("{here} in lane {lane}, which {other} of the same warp {did} with no __syncwarp in between")
                }
                Trouble::InFlight => format!("{here}, to which a cp.async is still in flight"),
            }
        });
    }

    fn shared_fault(&self, b: &BlockMemory, w: &Warp, req: &Request<'_>) -> Fault {
        let size = u64::from(self.env.shared_bytes);
        for lane in lanes(req.mask) {
            let at = req.addresses[lane];
            if let Err(fault) = self.aligned(b, w.id, req, lane as u32, at, "shared") {
                return fault;
            }
            if at.checked_add(req.bytes.into()).is_none_or(|end| end > size) {
                let verb = req.access.verb();
                let past = if at >= size { format!("{} bytes past the end", at - size) } else { "across the end".into() };
                let what =
                    format!("{verb} {} bytes of shared memory at offset {at:#x}, {past} of the block's {size} bytes", req.bytes);
                return self.fault(b, req.site(w.id, lane as u32), FindingKind::OutOfBounds, what, Some(at));
            }
        }
        let site = req.site(w.id, req.mask.trailing_zeros());
        self.fault(b, site, FindingKind::OutOfBounds, "accesses shared memory outside the block's".into(), None)
    }

    /// Global memory.
    pub(crate) fn global(&mut self, b: &mut BlockMemory, w: &Warp, req: &Request<'_>) -> Result<Pointers, Fault> {
        let lead = req.addresses[req.mask.trailing_zeros() as usize];
        let slot = req.slot as usize;
        self.patterns[slot].fit(req.addresses, req.mask, lead, lead & 31, req.bytes);
        let p = &self.patterns[slot];
        if (p.bits | lead) & u64::from(req.bytes - 1) != 0 {
            for lane in lanes(req.mask) {
                self.aligned(b, w.id, req, lane as u32, req.addresses[lane], "global")?;
            }
        }
        let traffic = if req.access == Access::Read { &mut self.counters.global_load } else { &mut self.counters.global_store };
        traffic.requests += 1;
        traffic.requested_bytes += u64::from(req.mask.count_ones() * req.bytes);
        traffic.sectors += u64::from(p.sectors);
        let (low, high) = (lead.wrapping_add(p.low as u64), lead.wrapping_add(p.high as u64));
        let found = if p.far || high < low { None } else { self.locate(slot, low, high) };
        let Some(index) = found else { return self.scattered(b, w, req) };
        let a = &self.env.allocations[index];
        let from = a.data.as_ptr().wrapping_add((lead - a.base) as usize);
        let mut out = [from; 32];
        for (lane, pointer) in out.iter_mut().enumerate() {
            *pointer = from.wrapping_add(self.patterns[slot].rel(lane) as usize);
        }
        self.touched[index] |= if req.access == Access::Read {
            1
        } else if req.access == Access::Write {
            2
        } else {
            3
        };
        self.global_shadow(b, w, req, index, None);
        Ok(out)
    }

    /// The allocation that holds a range.
    #[inline(always)]
    fn locate(&mut self, slot: usize, low: u64, high: u64) -> Option<usize> {
        let all = &self.env.allocations;
        let holds = |i: usize| all.get(i).is_some_and(|a| a.admits(low, high));
        let hint = self.hints[slot] as usize;
        if holds(hint) {
            return Some(hint);
        }
        let at = all.partition_point(|a| a.base <= low).checked_sub(1).filter(|&i| holds(i))?;
        self.hints[slot] = at as u32;
        Some(at)
    }

    /// Lanes in several allocations, or outside them.
    fn scattered(&mut self, b: &mut BlockMemory, w: &Warp, req: &Request<'_>) -> Result<Pointers, Fault> {
        let mut out = [std::ptr::null_mut(); 32];
        for lane in lanes(req.mask) {
            let address = req.addresses[lane];
            let end = address.checked_add(req.bytes.into());
            let Some(index) = end.and_then(|end| self.locate(req.slot as usize, address, end)) else {
                return Err(self.global_fault(b, w, req, lane as u32));
            };
            let a = &self.env.allocations[index];
            out[lane] = a.data.as_ptr().wrapping_add((address - a.base) as usize);
            self.touched[index] |= if req.access == Access::Read {
                1
            } else if req.access == Access::Write {
                2
            } else {
                3
            };
            self.global_shadow(b, w, req, index, Some(lane));
        }
        Ok(out)
    }

    fn global_fault(&self, b: &BlockMemory, w: &Warp, req: &Request<'_>, lane: u32) -> Fault {
        let address = req.addresses[lane as usize];
        let freed = self.env.memory.was_freed(address);
        let place = self.env.memory.describe(address);
        let what = format!("{} {} bytes of global memory at {address:#x}: {place}", req.access.verb(), req.bytes);
        let kind = if freed { FindingKind::Freed } else { FindingKind::OutOfBounds };
        self.fault(b, req.site(w.id, lane), kind, what, Some(address))
    }

    fn global_shadow(&mut self, b: &mut BlockMemory, w: &Warp, req: &Request<'_>, index: usize, lane: Option<usize>) {
        let touch = match (req.access, req.order) {
            (Access::Read, Order::Weak) => Touch::Read,
            (Access::Write, Order::Weak) => Touch::Write,
            (Access::Read, _) => Touch::StrongRead,
            _ => Touch::Update,
        };
        let plain = req.order == Order::Weak;
        if !plain {
            self.env.atomics.store(true, Ordering::Relaxed);
        }
        let Some(shadow) = &self.env.shadow else { return };
        let a = &self.env.allocations[index];
        let mut seen = Seen::default();
        let actor = Actor { block: b.index, stamp: if plain { b.handover.stamp } else { b.handover.strong } };
        let mut visit = |start: u64, len: u64| {
            let range = start - a.base..start - a.base + len;
            shadow.touch(touch, actor, (index, a.size), range, &mut seen);
        };
        let lead = req.addresses[req.mask.trailing_zeros() as usize];
        match lane {
            Some(lane) => visit(req.addresses[lane], req.bytes.into()),
            None => self.patterns[req.slot as usize]
                .ranges
                .iter()
                .for_each(|&(start, len)| visit(lead.wrapping_add(start as u64), len.into())),
        }
        let traffic = if req.access == Access::Read { &mut self.counters.global_load } else { &mut self.counters.global_store };
        traffic.unique_bytes += seen.first << shadow.shift;
        if let Some((granule, collision)) = seen.collision {
            let address = a.base + ((granule as u64) << shadow.shift);
            let lane =
                lane.map_or_else(|| self.patterns[req.slot as usize].lane_at(address.wrapping_sub(lead) as i64), |l| l as u32);
            self.global_race(b, w, req, address, lane, collision);
        }
    }

    /// A collision is a race unless the other block handed on what it did and this one took over since. Of many blocks that is not known one by one: that any
    /// other block handed on something is enough.
    fn global_race(&mut self, b: &BlockMemory, w: &Warp, req: &Request<'_>, address: u64, lane: u32, collision: Collision) {
        let (all, taken) = (&self.env.publications, b.handover.taken);
        let ordered = match collision {
            Collision::Written(other) | Collision::Read(other) | Collision::Updated(other) => {
                all.reached(other.block, other.stamp, taken)
            }
            Collision::ReadByMany | Collision::UpdatedByMany => all.others_reached(b.index, taken),
        };
        if ordered {
            return;
        }
        let verb = req.access.verb();
        self.report(b, req.site(w.id, lane), FindingKind::GlobalRace, Some(address), |worker| {
            let place = worker.env.memory.describe(address);
            let other = match collision {
                Collision::Written(other) => format!("block {} wrote", worker.block_id(other.block)),
                Collision::Read(other) => format!("block {} reads", worker.block_id(other.block)),
                Collision::Updated(other) => format!("block {} updates", worker.block_id(other.block)),
                Collision::ReadByMany => "other blocks read".to_owned(),
                Collision::UpdatedByMany => "other blocks update".to_owned(),
            };
            format!("{verb} global memory at {address:#x} ({place}), which {other} in the same launch")
        });
    }

    fn block_id(&self, index: u32) -> String {
        let [x, y, _] = self.env.launch.grid;
        format!("({}, {}, {})", index % x, index / x % y, index / (x * y))
    }
}

/// Whether a warp moves a matrix as one: which lane gives an address says nothing of which lane's registers it is for.
fn is_collective(op: Op) -> bool {
    matches!(op, Op::Ldmatrix { .. } | Op::Stmatrix { .. } | Op::WmmaLoad(_) | Op::WmmaStore(_))
}

/// Reads `dsts.len()` values of type `ty` a lane.
#[inline(always)]
pub(crate) fn load(pointers: &Pointers, ty: Ty, dsts: &[Reg], regs: Regs, mask: u32) {
    let width = ty.bytes() as usize;
    for (at, &d) in dsts.iter().enumerate() {
        let wide = d.class() == Class::R64;
        if width == 4 && !wide {
            let to = regs.d32(d).cast::<u32>();
            let each = |lane: usize| {
                // SAFETY: the pointers of active lanes were checked for `bytes` and alignment; the register is `Regs`' own.
                unsafe { *to.add(lane) = AtomicU32::from_ptr(pointers[lane].add(at * 4).cast()).load(Ordering::Relaxed) }
            };
            if mask == FULL {
                (0..32).for_each(each)
            } else {
                lanes(mask).for_each(each)
            }
            continue;
        }
        for lane in lanes(mask) {
            // SAFETY: as above.
            let value = unsafe { load_one(pointers[lane].add(at * width), ty) };
            // SAFETY: as above.
            unsafe {
                if wide {
                    (*regs.d64(d))[lane] = value;
                } else {
                    (*regs.d32(d))[lane] = value as u32;
                }
            }
        }
    }
}

/// # Safety
/// `p` is valid for the type's bytes and aligned to them.
#[inline(always)]
unsafe fn load_one(p: *mut u8, ty: Ty) -> u64 {
    // SAFETY: the caller's promise.
    let raw = unsafe {
        match ty.bytes() {
            1 => u64::from(AtomicU8::from_ptr(p).load(Ordering::Relaxed)),
            2 => u64::from(AtomicU16::from_ptr(p.cast()).load(Ordering::Relaxed)),
            4 => u64::from(AtomicU32::from_ptr(p.cast()).load(Ordering::Relaxed)),
            _ => AtomicU64::from_ptr(p.cast()).load(Ordering::Relaxed),
        }
    };
    match ty {
        Ty::S8 => raw as i8 as u64,
        Ty::S16 => raw as i16 as u64,
        Ty::S32 => raw as i32 as u64,
        _ => raw,
    }
}

/// Writes the sources, one after the other, a lane each. Lanes at one address: the last one stays.
#[inline(always)]
pub(crate) fn store(pointers: &Pointers, ty: Ty, srcs: &[Reg], regs: Regs, mask: u32) {
    let width = ty.bytes() as usize;
    for (at, &s) in srcs.iter().enumerate() {
        let wide = s.class() == Class::R64;
        for lane in lanes(mask) {
            // SAFETY: the pointers of active lanes were checked for `bytes` and alignment; the register is `Regs`' own.
            unsafe {
                let value = if wide { (*regs.s64(s))[lane] } else { u64::from((*regs.s32(s))[lane]) };
                let p = pointers[lane].add(at * width);
                match width {
                    1 => AtomicU8::from_ptr(p).store(value as u8, Ordering::Relaxed),
                    2 => AtomicU16::from_ptr(p.cast()).store(value as u16, Ordering::Relaxed),
                    4 => AtomicU32::from_ptr(p.cast()).store(value as u32, Ordering::Relaxed),
                    _ => AtomicU64::from_ptr(p.cast()).store(value, Ordering::Relaxed),
                }
            }
        }
    }
}
