//! Plan → outcomes: the sweep's side of measuring. `docs/measuring.md` says why it is done this way.

mod blocks;
mod group;
mod outcome;
mod session;
pub mod stats;
mod stop;

pub use group::{Ended, GroupContext, Recovered, Sink, measure_group};
pub use outcome::{Outcome, Timing};
pub use session::{Session, SessionFail};
pub use stop::HEADLINE;
