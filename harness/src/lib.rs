//! The `tilecast` program: specs, plans, measuring, command line. The only crate that touches arguments, environment, terminal and clock.
//!
//! | module | holds |
//! |---|---|
//! | [`cli`], [`verbs`] | the command line, one file per verb |
//! | [`spec`] | TOML → a checked sweep |
//! | [`plan`] | a sweep on a device → points and skips |
//! | [`campaign`] | a plan measured into a store: journal, resume, seal |
//! | [`measure`] | interleaved rounds, stopping, statistics |
//! | [`worker`] | the process in which kernels run |
//! | [`owed`] | clocks and power limits that workers may have changed, put back |
//! | [`record`] | a measured point → a row |
//! | [`fail`] | errors with subject, value, limit, hint |

pub mod advise;
pub mod campaign;
pub mod cli;
pub mod clock;
pub mod device;
pub mod fail;
pub mod gather;
pub mod measure;
pub mod owed;
pub mod plan;
pub mod progress;
pub mod record;
pub mod spec;
pub mod terminal;
pub mod verbs;
pub mod worker;

/// How the program ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Exit {
    /// Done.
    Done,
    /// Done, but some points failed or a gate tripped.
    Partial,
}

impl Exit {
    /// Done only where both are.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        if self == Self::Done { other } else { self }
    }
}
