//! The formats that can be imported, by name.

/// A format that can be imported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Format {
    /// Kernel Tuner cache, `.json` or `.json.gz`.
    KernelTuner,
    /// T4 results of auto-tuners (schema 1.0.0).
    T4,
    /// CSV of `cutlass_profiler`, 2.x or 3.x kernels.
    Cutlass,
    /// nvbench, JSON with sidecar samples, or CSV.
    Nvbench,
    /// KTT results, JSON.
    Ktt,
    /// CLBlast tuner, JSON.
    Clblast,
    /// Triton's cache of autotuning, JSON.
    Triton,
    /// google/benchmark, JSON.
    GoogleBenchmark,
    /// hyperfine, JSON.
    Hyperfine,
    /// GPPerf's CSVs: the CUTLASS log, times and powers of the tiled kernel.
    Gpperf,
    /// The SGEMM data set of the UCI repository, CSV or the zip archive it comes in.
    UciSgemm,
    /// Any CSV or Parquet table, through a mapping file.
    Table,
}

impl Format {
    /// All formats.
    pub const ALL: [Self; 12] = [
        Self::KernelTuner,
        Self::T4,
        Self::Cutlass,
        Self::Nvbench,
        Self::Ktt,
        Self::Clblast,
        Self::Triton,
        Self::GoogleBenchmark,
        Self::Hyperfine,
        Self::Gpperf,
        Self::UciSgemm,
        Self::Table,
    ];

    /// The name on the command line and in `source` (`import:kernel-tuner`).
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            Self::KernelTuner => "kernel-tuner",
            Self::T4 => "t4",
            Self::Cutlass => "cutlass",
            Self::Nvbench => "nvbench",
            Self::Ktt => "ktt",
            Self::Clblast => "clblast",
            Self::Triton => "triton",
            Self::GoogleBenchmark => "google-benchmark",
            Self::Hyperfine => "hyperfine",
            Self::Gpperf => "gpperf",
            Self::UciSgemm => "uci-sgemm",
            Self::Table => "table",
        }
    }

    /// What the files are, in a few words.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::KernelTuner => "Kernel Tuner cache files",
            Self::T4 => "T4 results of auto-tuners, JSON",
            Self::Cutlass => "cutlass_profiler CSV (2.x and 3.x kernels)",
            Self::Nvbench => "nvbench JSON with sidecar samples, or CSV",
            Self::Ktt => "KTT results, JSON",
            Self::Clblast => "CLBlast tuner results, JSON",
            Self::Triton => "Triton `*.autotune.json`",
            Self::GoogleBenchmark => "google/benchmark JSON",
            Self::Hyperfine => "hyperfine `--export-json`",
            Self::Gpperf => "GPPerf CSVs (CUTLASS log, tiled times, tiled powers)",
            Self::UciSgemm => "UCI SGEMM data set, CSV or zip",
            Self::Table => "any CSV or Parquet, with --mapping FILE or NAME",
        }
    }

    /// The format called `name`.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.name() == name)
    }
}
