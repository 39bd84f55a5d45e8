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
    /// Write a store's rows in another tool's format
    Export(verbs::export::Args),
    /// Show what a store holds, ask for rows, compact and merge
    Runs(verbs::runs::Args),
    /// Find what is wrong with a store
    Audit(verbs::audit::Args),
    /// Fit a predictor to a store
    Fit(verbs::fit::Args),
    /// Score predictors on held-out rows, shapes or configurations
    Evaluate(verbs::evaluate::Args),
    /// Predict the points of a sweep without measuring
    Predict(verbs::predict::Args),
    /// Count what one configuration executes, on the virtual GPU
    Profile(verbs::profile::Args),
    /// Recommend configurations for a problem, and measure the best of them
    Recommend(verbs::recommend::Args),
    /// Write a page about a store
    Report(verbs::report::Args),
    /// Sweep, fit, recommend and report in about a minute
    Demo(verbs::demo::Args),
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
            Self::Export(args) => args.run(),
            Self::Runs(args) => args.run(),
            Self::Audit(args) => args.run(),
            Self::Fit(args) => args.run(),
            Self::Evaluate(args) => args.run(),
            Self::Predict(args) => args.run(),
            Self::Profile(args) => args.run(),
            Self::Recommend(args) => args.run(),
            Self::Report(args) => args.run(),
            Self::Demo(args) => args.run(),
            Self::Worker(args) => args.run(),
        }
    }
}
