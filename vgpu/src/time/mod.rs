//! Virtual time and virtual power: how long a launch takes, what it draws, and what hour it is.
//!
//! Nothing here looks at the machine's own clock. Time passes only because work was enqueued, a call was made or somebody waited, each at a cost written down in [`costs`];
//! so the same calls give the same nanoseconds on any machine, under any load, with any number of interpreter threads.
//!
//! # A launch
//!
//! [`Model::cost`] turns what the interpreter counted into a duration:
//!
//! `t = t_start + (Σ tᵢ⁸)^(1/8)`, with one term per resource. The soft maximum removes kinks.
//!
//! - *Pipes* (issue, fp32, fp64, fp16, integer, special, load/store, tensor, shared memory): cycles the whole launch needs of that pipe on one multiprocessor, times the
//!   share of the busiest multiprocessor, `ceil(blocks / SMs) / blocks`. That is where tile quantisation comes from. Arithmetic is charged per warp instruction, so a half
//!   empty warp costs as much as a full one; tensor work is charged per operation. Bank conflicts add their cycles.
//! - *L2*: 32-byte sectors requested × 32, over the L2 bandwidth, and over 64 B per clock for the busiest multiprocessor.
//! - *DRAM*: distinct bytes where they fit L2; of the repeats beyond, a share `1 − L2/unique` misses. Over the bandwidth at the memory clock, 92 % of which is reachable.
//! - *Latency*: waves, `ceil(blocks / (SMs × resident blocks))`, times the longest warp's path: two cycles an instruction, a quarter of the DRAM latency a global request
//!   of the average warp (four are in flight), 20 cycles a barrier.
//!
//! # Power
//!
//! Power above idle is `(max − idle) × (w·u)`: weights in [`WEIGHTS`] times utilisations of the same terms, multiprocessor parts scaled with `f·V²`. Where that exceeds the
//! power limit, the highest clock of the 15 MHz grid that stays below it is taken, for that launch, at once. The true power follows its target with a first-order rise; its
//! integral is exact.
//!
//! # Limits of the model
//!
//! L1 is not modelled: repeated reads of one line by different warps go to L2. Dual issue, instruction caches, TLBs, DRAM pages, write-backs and atomics' serialisation are
//! not modelled. Kernels of different streams do not overlap each other; copies overlap kernels. A power cap acts per launch where a real one acts on some ten milliseconds'
//! average. Power does not depend on the values of the operands. Durations are right in order of magnitude and in what depends on what; they are not
//! measurements, and rows made from them must say so.

pub mod clock;
pub mod costs;
mod model;
mod power;
pub mod timeline;
mod traces;
mod work;

pub use clock::{Clock, Engine, Span};
pub use model::{Clocks, Cost, Model, Shape, Terms};
pub use power::{Envelope, WEIGHTS, Weights, board_power_w, capped};
pub use timeline::Timeline;
pub(crate) use traces::REASON_POWER_CAP;
pub use traces::{Activity, Traces};
pub use work::Work;
