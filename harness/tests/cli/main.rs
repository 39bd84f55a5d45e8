//! The program as a user runs it, from spec to store and page.

mod bad_input;
mod faults;
mod help;
mod resume;
mod story;
mod sweep;
mod workdir;
