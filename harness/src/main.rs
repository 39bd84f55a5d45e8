//! Arguments in, exit code out.

use std::process::ExitCode;

use clap::Parser;
use tilecast_harness::{Exit, cli::Cli, terminal};

fn main() -> ExitCode {
    match Cli::parse().verb.run() {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Partial) => ExitCode::from(1),
        Err(fail) => {
            terminal::complain(&fail);
            ExitCode::from(2)
        }
    }
}
