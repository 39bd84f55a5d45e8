//! A virtual GPU: PTX text is parsed into modules, and modules are run by a warp interpreter that checks every access and counts what a kernel does.
//!
//! The way through: [`ptx::parse`] → [`launch::Image::load`] → [`launch::run`] → [`launch::Report`] or [`launch::Fault`].

pub mod check;
pub mod counters;
pub mod driver;
pub(crate) mod exec;
pub mod launch;
pub mod memory;
pub mod nvml;
pub mod profile;
pub mod ptx;
pub mod state;
pub mod time;
