//! CUDA text that families share: put before a family's own in [`super::Unit::texts`], in the order of this list.

/// 16-bit floating point as bits; no header needed.
pub const HALF: &str = include_str!("half.cuh");
/// Element types by definition `DTYPE_…`, vector accesses, D = alpha·sum + beta·C. Needs [`HALF`].
pub const ELEMENT: &str = include_str!("element.cuh");
/// `cp.async` (compute capability 8.0 and later).
pub const ASYNC: &str = include_str!("async.cuh");
/// Which tile and which slice of k a block computes (`TILE_M TILE_N TILE_K SWIZZLE SPLIT_K`), and adding slices up. Needs [`ELEMENT`].
pub const BLOCKS: &str = include_str!("blocks.cuh");
/// Tiles of A and B from device to shared memory in stages. Needs [`BLOCKS`] and, for `FEED_ASYNC`, [`ASYNC`].
pub const FEED: &str = include_str!("feed.cuh");
/// `ldmatrix` and `mma.sync` for the element types of tensor cores.
pub const MMA: &str = include_str!("mma.cuh");
/// `wgmma` of compute capability 9.0a for 16-bit types, `TILE_N` of 64, 128 or 256. Goes before [`FEED`], whose copies it fences.
pub const WGMMA: &str = include_str!("wgmma.cuh");
