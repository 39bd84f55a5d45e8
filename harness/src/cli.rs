//! The command line.

use clap::{Parser, Subcommand};

use crate::verbs;

/// Measure, model and choose matrix kernels, by time and by energy.
#[derive(Debug, Parser)]
#[command(
    name = "tilecast",
    version,
    max_term_width = 110,
    after_help = "Exit codes: 0 done, 1 done but some points failed or a gate tripped, 2 could not start.\nStart with: tilecast demo -o tc-demo"
)]
pub struct Cli {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// List the devices here, what can be measured on them, and why not where not
    Devices(verbs::devices::Args),
    /// List kernel families, or show one: math, knobs, constraints
    Families(verbs::families::Args),
    /// Show what a sweep would measure, without measuring
    Plan(verbs::plan::Args),
    /// Measure a sweep into a store; the same command resumes
    Sweep(verbs::sweep::Args),
    /// Bring another tool's results into a store
    Import(verbs::import::Args),
    /// Show what a store holds
    Runs(verbs::runs::Args),
    /// Answer a sweep's requests (started by `sweep` itself)
    #[command(hide = true)]
    Worker(verbs::worker::Args),
}

impl Verb {
    /// Runs the verb and gives the exit code.
    ///
    /// # Errors
    /// What could not start.
    pub fn run(self) -> Result<crate::Exit, crate::fail::Fail> {
        match self {
            Self::Devices(args) => args.run(),
            Self::Families(args) => args.run(),
            Self::Plan(args) => args.run(),
            Self::Sweep(args) => args.run(),
            Self::Import(args) => args.run(),
            Self::Runs(args) => args.run(),
            Self::Worker(args) => args.run(),
        }
    }
}
