//! Where findings, faults and compile errors are told: standard error, or the file named by `VGPU_LOG`.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::PathBuf;

/// A place lines are appended to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Sink {
    /// Standard error.
    #[default]
    StandardError,
    /// A file, opened for each line so that several processes can share it.
    File(PathBuf),
    /// Nowhere.
    Nowhere,
}

impl Sink {
    /// Appends `text` and a line end. A sink that cannot be written loses the line: a log must not fail the program it is about.
    pub fn write(&self, text: &str) {
        let line = format!("{text}\n");
        let _ = match self {
            Sink::StandardError => std::io::stderr().write_all(line.as_bytes()),
            Sink::File(path) => {
                OpenOptions::new().create(true).append(true).open(path).and_then(|mut file| file.write_all(line.as_bytes()))
            }
            Sink::Nowhere => Ok(()),
        };
    }
}

/// Tells the machine's log.
pub(crate) fn say(text: &str) {
    match crate::state::existing() {
        Some(machine) => machine.config.log.write(&format!("vgpu: {text}")),
        None => Sink::StandardError.write(&format!("vgpu: {text}")),
    }
}
