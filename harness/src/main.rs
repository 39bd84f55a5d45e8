//! The `tilecast` program.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`], [`verbs`] | the command line, one file per verb |
//! | [`spec`] | TOML → a checked sweep |
//! | [`plan`] | a sweep on a device → points and skips |
//! | [`campaign`] | a plan measured into a store: journal, resume, seal |
//! | [`measure`] | interleaved rounds, stopping, statistics |
//! | [`worker`] | the process in which kernels run |
//! | [`record`] | a measured point → a row |
//! | [`fail`] | errors with subject, value, limit, hint |

mod campaign;
mod cli;
mod clock;
mod device;
mod fail;
mod measure;
mod plan;
mod progress;
mod record;
mod spec;
mod terminal;
mod verbs;
mod worker;

use std::process::ExitCode;

use clap::Parser;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Done, but some points failed or a gate tripped.
    Partial,
}

fn main() -> ExitCode {
    let cli = cli::Cli::parse();
    match cli.verb.run() {
        Ok(Exit::Done) => ExitCode::SUCCESS,
        Ok(Exit::Partial) => ExitCode::from(1),
        Err(fail) => {
            terminal::complain(&fail);
            ExitCode::from(2)
        }
    }
}
