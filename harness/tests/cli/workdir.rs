//! A folder of its own and the program to run in it.

use std::path::PathBuf;
use std::process::{Command, Output};

use serde_json::Value;
use tempfile::TempDir;

/// A folder that goes with the test.
pub(crate) struct Workdir(TempDir);

/// What a run of the program said.
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Workdir {
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().expect("a folder for the test"))
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    pub(crate) fn file(&self, name: &str, content: impl AsRef<[u8]>) -> PathBuf {
        let path = self.path(name);
        std::fs::write(&path, content).expect("the test's own folder is writable");
        path
    }

    pub(crate) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_tilecast"));
        command.args(arguments).current_dir(self.0.path()).stdin(std::process::Stdio::null());
        // A test says for itself when it wants the virtual GPU.
        command.env_remove("TILECAST_CUDA_LIB").env_remove("TILECAST_NVML_LIB");
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Said {
        let Output { status, stdout, stderr } = self.command(arguments).output().expect("the program starts");
        Said { code: status.code(), out: lossy(&stdout), err: lossy(&stderr) }
    }

    /// Runs and demands exit code `code`.
    pub(crate) fn run_to(&self, code: i32, arguments: &[&str]) -> Said {
        let said = self.run(arguments);
        assert_eq!(said.code, Some(code), "tilecast {}\n{}\n{}", arguments.join(" "), said.out, said.err);
        said
    }

    /// Runs to exit code `code` and parses standard output.
    pub(crate) fn json(&self, code: i32, arguments: &[&str]) -> Value {
        let said = self.run_to(code, arguments);
        serde_json::from_str(&said.out).unwrap_or_else(|error| panic!("tilecast {}: {error}\n{}", arguments.join(" "), said.out))
    }

    /// All rows of a store.
    pub(crate) fn rows(&self, store: &str) -> Vec<Value> {
        let said = self.run_to(0, &["runs", store, "--rows"]);
        said.out.lines().map(|line| serde_json::from_str(line).expect("a row is JSON")).collect()
    }
}

fn lossy(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A spec of four tiles on one small problem: a second of measuring in a debug build.
pub(crate) const SMALL: &str = r#"
name = "small"
device = "cpu:1t"
[measure]
max_samples = 6
point_s = 0.05
timeout_s = 20
[[sweep]]
family = "gemm_tiled"
problems = [{ m = 48, n = 40, k = 33 }]
knobs = { tile = [4, 8, 16, 64] }
"#;
