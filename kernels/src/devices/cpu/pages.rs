//! Zeroed memory on huge pages where the system grants them.

use std::alloc::{Layout, alloc, dealloc, handle_alloc_error};
use std::ptr::NonNull;

/// Huge pages are 2 MiB on x86-64 and most AArch64 kernels.
const HUGE: usize = 2 << 20;

/// Plain elements that any bit pattern is valid for.
pub trait Plain: Copy + sealed::Sealed {}
mod sealed {
    pub trait Sealed {}
    impl Sealed for f32 {}
    impl Sealed for f64 {}
    impl Sealed for u8 {}
    impl Sealed for i8 {}
    impl Sealed for i32 {}
    impl Sealed for half::f16 {}
    impl Sealed for half::bf16 {}
}
impl Plain for f32 {}
impl Plain for f64 {}
impl Plain for u8 {}
impl Plain for i8 {}
impl Plain for i32 {}
impl Plain for half::f16 {}
impl Plain for half::bf16 {}

/// An owned, zeroed block of memory; 2 MiB-aligned and advised for huge pages from 2 MiB up, 64 B-aligned below.
///
/// Small tensors would otherwise all start at the same page offset and compete for the same cache sets.
#[derive(Debug)]
pub struct Pages {
    start: NonNull<u8>,
    layout: Layout,
}

// SAFETY: `Pages` owns its memory exclusively, like a `Vec<u8>`.
unsafe impl Send for Pages {}
// SAFETY: shared access only reads.
unsafe impl Sync for Pages {}

impl Pages {
    /// `bytes` of zeros.
    #[must_use]
    pub fn zeroed(bytes: usize) -> Self {
        let align = if bytes >= HUGE { HUGE } else { 64 };
        let layout = Layout::from_size_align(bytes.max(64).next_multiple_of(64), align).expect("below isize::MAX");
        // SAFETY: the layout's size is at least 64.
        let start = NonNull::new(unsafe { alloc(layout) }).unwrap_or_else(|| handle_alloc_error(layout));
        if align == HUGE {
            // Advised before the first touch: what an aligned `alloc_zeroed` has already filled stays on small pages.
            // SAFETY: the range was just allocated; MADV_HUGEPAGE changes no content. A refusal costs speed only.
            unsafe { libc::madvise(start.as_ptr().cast(), layout.size(), libc::MADV_HUGEPAGE) };
        }
        // SAFETY: the block has as many bytes.
        unsafe { start.write_bytes(0, layout.size()) };
        Self { start, layout }
    }

    /// Bytes held.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.layout.size()
    }

    /// The memory as elements of `T`.
    #[must_use]
    pub fn slice<T: Plain>(&self) -> &[T] {
        // SAFETY: 64 B alignment suits every `Plain` type, all bytes are initialised and any pattern is valid.
        unsafe { std::slice::from_raw_parts(self.start.as_ptr().cast(), self.bytes() / size_of::<T>()) }
    }

    /// The memory as elements of `T`, writable.
    pub fn slice_mut<T: Plain>(&mut self) -> &mut [T] {
        // SAFETY: as `slice`, and `&mut self` makes it exclusive.
        unsafe { std::slice::from_raw_parts_mut(self.start.as_ptr().cast(), self.bytes() / size_of::<T>()) }
    }
}

impl Drop for Pages {
    fn drop(&mut self) {
        // SAFETY: allocated with this layout and not freed before.
        unsafe { dealloc(self.start.as_ptr(), self.layout) }
    }
}
