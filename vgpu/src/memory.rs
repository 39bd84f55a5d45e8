//! Device memory: an allocation table over host buffers. Device pointers are addresses of a range of their own, so that none is a host pointer by accident,
//! and are never used twice, so that a pointer to freed memory is known for what it is.

use std::alloc::{Layout, alloc_zeroed, dealloc};
use std::collections::{BTreeMap, VecDeque};
use std::ptr::NonNull;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// First device address.
const BASE: u64 = 0x7e00_0000_0000;
/// Alignment of allocations, as on a GPU.
const ALIGN: u64 = 512;
/// Bytes behind each allocation that belong to nobody; any access there is caught.
const RED_ZONE: u64 = 4096;
/// Freed allocations that messages can still name.
const REMEMBERED: usize = 1024;

/// Names one allocation for as long as the memory lives; never used twice.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AllocationId(pub u64);

/// The device has no room left.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{wanted}` bytes do not fit: `{free}` of `{total}` bytes are free")]
pub struct OutOfMemory {
    /// Bytes asked for.
    pub wanted: u64,
    /// Bytes free.
    pub free: u64,
    /// Capacity in bytes.
    pub total: u64,
}

/// An address range that lies in no allocation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("address `{address:#x}` + `{bytes}` bytes: {reason}")]
pub struct BadAddress {
    /// First byte of the range.
    pub address: u64,
    /// Length of the range.
    pub bytes: u64,
    /// Where it lies instead.
    pub reason: String,
}

/// One allocation. Its bytes are only ever touched through atomics, so that blocks may run in parallel over it.
pub(crate) struct Allocation {
    pub(crate) id: AllocationId,
    pub(crate) base: u64,
    pub(crate) size: u64,
    /// What kernels may touch of it: first address and the one past the last.
    open: [AtomicU64; 2],
    pub(crate) label: String,
    pub(crate) data: NonNull<u8>,
    layout: Layout,
    version: AtomicU64,
}

// SAFETY: `data` is owned, lives as long as the allocation, and is only accessed through atomic operations.
unsafe impl Send for Allocation {}
// SAFETY: as above.
unsafe impl Sync for Allocation {}

impl Drop for Allocation {
    fn drop(&mut self) {
        // SAFETY: `data` came from `alloc_zeroed` with this layout.
        unsafe { dealloc(self.data.as_ptr(), self.layout) }
    }
}

impl Allocation {
    /// Whether a kernel may touch `low..high`.
    #[inline(always)]
    pub(crate) fn admits(&self, low: u64, high: u64) -> bool {
        low >= self.open[0].load(Ordering::Relaxed) && high <= self.open[1].load(Ordering::Relaxed)
    }
    pub(crate) fn bump(&self) {
        self.version.fetch_add(1, Ordering::Relaxed);
    }
    fn byte(&self, at: u64) -> &AtomicU8 {
        assert!(at < self.size);
        // SAFETY: `at` lies within the buffer, which lives as long as `self`; bytes are only touched atomically.
        unsafe { AtomicU8::from_ptr(self.data.as_ptr().add(at as usize)) }
    }
    /// Words of eight bytes of `at..at + len` and the bytes on both sides that fill none.
    fn word(&self, at: u64) -> &AtomicU64 {
        assert!(at.is_multiple_of(8) && at + 8 <= self.size);
        // SAFETY: within the buffer, aligned as the buffer is aligned to more than 8.
        unsafe { AtomicU64::from_ptr(self.data.as_ptr().add(at as usize).cast()) }
    }
    fn put(&self, at: u64, src: &[u8]) {
        let (head, body) = src.split_at(src.len().min((at.next_multiple_of(8) - at) as usize));
        head.iter().enumerate().for_each(|(i, &b)| self.byte(at + i as u64).store(b, Ordering::Relaxed));
        let start = at + head.len() as u64;
        let words = body.chunks_exact(8);
        let tail_at = start + (body.len() - words.remainder().len()) as u64;
        words.remainder().iter().enumerate().for_each(|(i, &b)| self.byte(tail_at + i as u64).store(b, Ordering::Relaxed));
        for (i, chunk) in words.enumerate() {
            let mut word = [0; 8];
            word.copy_from_slice(chunk);
            self.word(start + 8 * i as u64).store(u64::from_ne_bytes(word), Ordering::Relaxed);
        }
    }
    fn get(&self, at: u64, dst: &mut [u8]) {
        let head = dst.len().min((at.next_multiple_of(8) - at) as usize);
        let (head, body) = dst.split_at_mut(head);
        head.iter_mut().enumerate().for_each(|(i, b)| *b = self.byte(at + i as u64).load(Ordering::Relaxed));
        let start = at + head.len() as u64;
        let whole = body.len() / 8 * 8;
        let (words, tail) = body.split_at_mut(whole);
        for (i, chunk) in words.chunks_exact_mut(8).enumerate() {
            chunk.copy_from_slice(&self.word(start + 8 * i as u64).load(Ordering::Relaxed).to_ne_bytes());
        }
        let tail_at = start + whole as u64;
        tail.iter_mut().enumerate().for_each(|(i, b)| *b = self.byte(tail_at + i as u64).load(Ordering::Relaxed));
    }
}

struct Gone {
    base: u64,
    size: u64,
    label: String,
}

struct Table {
    live: BTreeMap<u64, Arc<Allocation>>,
    ids: BTreeMap<AllocationId, Arc<Allocation>>,
    gone: VecDeque<Gone>,
    next: u64,
    next_id: u64,
    used: u64,
}

/// Device memory; shared by all blocks of a launch.
pub struct Memory {
    capacity: u64,
    table: RwLock<Table>,
}

impl Memory {
    /// Memory with room for `capacity_bytes`.
    pub fn new(capacity_bytes: u64) -> Self {
        Self::at(capacity_bytes, BASE)
    }

    /// The same with addresses from `base` on, so that several devices share one address space.
    pub fn at(capacity_bytes: u64, base: u64) -> Self {
        let table = Table { live: BTreeMap::new(), ids: BTreeMap::new(), gone: VecDeque::new(), next: base, next_id: 1, used: 0 };
        Self { capacity: capacity_bytes, table: RwLock::new(table) }
    }

    fn table(&self) -> RwLockReadGuard<'_, Table> {
        self.table.read().unwrap_or_else(PoisonError::into_inner)
    }
    fn table_mut(&self) -> RwLockWriteGuard<'_, Table> {
        self.table.write().unwrap_or_else(PoisonError::into_inner)
    }

    /// Zeroed memory, 512-byte aligned, followed by a red zone that belongs to nobody. Counts against the capacity in steps of 512 bytes.
    ///
    /// # Errors
    /// The capacity, or the host's memory, is exhausted.
    pub fn alloc(&self, bytes: u64, label: &str) -> Result<u64, OutOfMemory> {
        let mut table = self.table_mut();
        let room = bytes.max(1).checked_next_multiple_of(ALIGN);
        let refusal = OutOfMemory { wanted: bytes, free: self.capacity - table.used, total: self.capacity };
        let room = room.filter(|&r| r <= self.capacity - table.used).ok_or_else(|| refusal.clone())?;
        let layout = Layout::from_size_align(room as usize, 64).map_err(|_| refusal.clone())?;
        // SAFETY: the layout has a size of at least 512.
        let data = NonNull::new(unsafe { alloc_zeroed(layout) }).ok_or(refusal)?;
        let (base, id) = (table.next, AllocationId(table.next_id));
        let (open, version) = ([AtomicU64::new(base), AtomicU64::new(base + bytes)], AtomicU64::new(1));
        let allocation = Arc::new(Allocation { id, base, size: bytes, open, label: label.to_owned(), data, layout, version });
        table.next += room + RED_ZONE;
        table.next_id += 1;
        table.used += room;
        table.live.insert(base, Arc::clone(&allocation));
        table.ids.insert(id, allocation);
        Ok(base)
    }

    /// Frees what `alloc` gave.
    ///
    /// # Errors
    /// `ptr` is not the start of an allocation, or it was freed before.
    pub fn free(&self, ptr: u64) -> Result<(), BadAddress> {
        let mut table = self.table_mut();
        let Some(allocation) = table.live.remove(&ptr) else {
            let reason = format!("it is not the start of an allocation; {}", nearest(&table, ptr));
            return Err(BadAddress { address: ptr, bytes: 0, reason });
        };
        table.ids.remove(&allocation.id);
        table.used -= allocation.layout.size() as u64;
        if table.gone.len() == REMEMBERED {
            table.gone.pop_front();
        }
        table.gone.push_back(Gone { base: allocation.base, size: allocation.size, label: allocation.label.clone() });
        Ok(())
    }

    fn range(&self, address: u64, bytes: u64) -> Result<Arc<Allocation>, BadAddress> {
        let table = self.table();
        let found = table.live.range(..=address).next_back().map(|(_, a)| a);
        let inside = |a: &&Arc<Allocation>| address.checked_add(bytes).is_some_and(|end| end <= a.base + a.size);
        match found.filter(inside) {
            Some(allocation) => Ok(Arc::clone(allocation)),
            None => Err(BadAddress { address, bytes, reason: nearest(&table, address) }),
        }
    }

    /// Forbids kernels to touch `bytes` at `ptr`, at the start or at the end of an allocation, as if they lay outside it. Copies and fills go on.
    ///
    /// # Errors
    /// The range lies elsewhere.
    pub fn guard(&self, ptr: u64, bytes: u64) -> Result<(), BadAddress> {
        let allocation = self.range(ptr, bytes)?;
        let [low, high] = &allocation.open;
        if ptr == allocation.base {
            low.fetch_max(ptr + bytes, Ordering::Relaxed);
        } else if ptr + bytes == allocation.base + allocation.size {
            high.fetch_min(ptr, Ordering::Relaxed);
        } else {
            let reason = "it is neither at the start nor at the end of an allocation".to_owned();
            return Err(BadAddress { address: ptr, bytes, reason });
        }
        // What ran before may be refused now.
        allocation.bump();
        Ok(())
    }

    /// Host to device; bumps the allocation's version.
    ///
    /// # Errors
    /// The range lies in no allocation.
    pub fn write(&self, dst: u64, src: &[u8]) -> Result<(), BadAddress> {
        let allocation = self.range(dst, src.len() as u64)?;
        allocation.put(dst - allocation.base, src);
        allocation.bump();
        Ok(())
    }

    /// Device to host.
    ///
    /// # Errors
    /// The range lies in no allocation.
    pub fn read(&self, src: u64, dst: &mut [u8]) -> Result<(), BadAddress> {
        let allocation = self.range(src, dst.len() as u64)?;
        allocation.get(src - allocation.base, dst);
        Ok(())
    }

    /// `count` times `pattern`.
    ///
    /// # Errors
    /// The range lies in no allocation.
    pub fn fill(&self, dst: u64, pattern: &[u8], count: u64) -> Result<(), BadAddress> {
        let bytes = (pattern.len() as u64).saturating_mul(count);
        let allocation = self.range(dst, bytes)?;
        let per_chunk = (4096 / pattern.len().max(1)).max(1);
        let chunk = pattern.repeat(per_chunk);
        let mut at = 0;
        while at < bytes {
            let n = (bytes - at).min(chunk.len() as u64);
            allocation.put(dst - allocation.base + at, &chunk[..n as usize]);
            at += n;
        }
        allocation.bump();
        Ok(())
    }

    /// Device to device; the ranges may overlap.
    ///
    /// # Errors
    /// One of the ranges lies in no allocation.
    pub fn copy(&self, dst: u64, src: u64, bytes: u64) -> Result<(), BadAddress> {
        let (from, to) = (self.range(src, bytes)?, self.range(dst, bytes)?);
        let mut buffer = vec![0; bytes as usize];
        from.get(src - from.base, &mut buffer);
        to.put(dst - to.base, &buffer);
        to.bump();
        Ok(())
    }

    /// Bytes that can still be allocated.
    pub fn free_bytes(&self) -> u64 {
        self.capacity - self.table().used
    }

    /// Capacity.
    pub fn total_bytes(&self) -> u64 {
        self.capacity
    }

    /// Bumped by every write, copy, fill and by every launch that wrote it; 0 for an allocation that is gone.
    pub fn version(&self, allocation: AllocationId) -> u64 {
        self.table().ids.get(&allocation).map_or(0, |a| a.version.load(Ordering::Relaxed))
    }

    /// The allocation that holds `address`, with its base and size (`cuMemGetAddressRange`).
    pub fn find(&self, address: u64) -> Option<(AllocationId, u64, u64)> {
        self.range(address, 1).ok().map(|a| (a.id, a.base, a.size))
    }

    /// Says where an address lies in relation to the allocations, freed ones included.
    pub fn describe(&self, address: u64) -> String {
        nearest(&self.table(), address)
    }

    /// Whether an address lay in an allocation that is freed.
    pub(crate) fn was_freed(&self, address: u64) -> bool {
        self.table().gone.iter().any(|g| (g.base..g.base + g.size).contains(&address))
    }

    /// All allocations by address, kept alive for a launch.
    pub(crate) fn snapshot(&self) -> Vec<Arc<Allocation>> {
        self.table().live.values().cloned().collect()
    }
}

fn named(label: &str, size: u64) -> String {
    if label.is_empty() { format!("an allocation of {size} bytes") } else { format!("`{label}` ({size} bytes)") }
}

fn nearest(table: &Table, address: u64) -> String {
    if let Some(gone) = table.gone.iter().find(|g| (g.base..g.base + g.size.max(1)).contains(&address)) {
        return format!("{} bytes into {}, which was freed", address - gone.base, named(&gone.label, gone.size));
    }
    let below = table.live.range(..=address).next_back().map(|(_, a)| a);
    let above = table.live.range(address..).next().map(|(_, a)| a);
    if let Some(a) = below.filter(|a| address < a.base + a.size) {
        let [low, high] = [0, 1].map(|end| a.open[end].load(Ordering::Relaxed));
        if address < low || address >= high {
            let whole = named(&a.label, a.size);
            let (far, side) =
                if address < low { (low - address, "before the first") } else { (address + 1 - high, "past the last") };
            return format!("{far} bytes {side} that kernels may touch of {whole}");
        }
        return format!(
            "{} bytes into {}, {} before its end",
            address - a.base,
            named(&a.label, a.size),
            a.base + a.size - address
        );
    }
    let past = below.map(|a| (address - (a.base + a.size), a));
    let short = above.map(|a| (a.base - address, a));
    match (past, short) {
        (Some((past, a)), short) if short.is_none_or(|(s, _)| past <= s) && past < 1 << 32 => {
            format!("{past} bytes past the end of {}", named(&a.label, a.size))
        }
        (_, Some((short, a))) if short < 1 << 32 => format!("{short} bytes before {}", named(&a.label, a.size)),
        _ => "no allocation is near it".into(),
    }
}
