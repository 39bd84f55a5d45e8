//! The program as a user runs it, from spec to store and page.

#![allow(clippy::print_stderr)] // a skipped test says so

mod audit;
mod bad_input;
mod families;
mod faults;
mod help;
mod import;
mod limits;
#[path = "../../../runs/tests/planted/mod.rs"]
mod planted;
mod resume;
mod runs;
mod story;
mod sweep;
mod vgpu;
mod workdir;
