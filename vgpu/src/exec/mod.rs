//! The warp interpreter.
//!
//! [`block`] runs the warps of a block from barrier to barrier; [`step`] runs one warp; the other modules do what single instructions say.

mod access;
mod async_copy;
mod atomics;
pub(crate) mod block;
mod compare;
mod convert;
mod copies;
mod exchange;
mod float;
mod int;
pub(crate) mod lanes;
mod matrix;
mod number;
mod pattern;
mod step;
mod taint;
mod warp;
pub(crate) mod worker;
