//! What one run's record is, and where records live.
//!
//! | module | holds |
//! |---|---|
//! | [`schema`] | the columns, their units and meaning |
//! | [`row`] | one record before it joins a frame |
//! | [`frame`] | rows to a Polars frame and back; typed columns |
//! | [`id`] | stable identifiers and hashes |
//! | [`journal`] | the open record of a run: a synced line per result |
//! | [`store`] | the folder of Parquet files and journals |
//! | [`device`] | the device catalogue: data-sheet facts with their sources |
//! | [`import`] | other tools' files as frames of runs |
//! | [`query`] | which rows, which columns, in what order, summed up how |
//! | [`audit`] | what is wrong with a frame of runs |
//! | [`extra`] | members of the `extra` objects |
//! | [`export`] | frames of runs as other tools' files |
//! | [`kernel_name`] | what the name of a GEMM kernel says |

pub mod audit;
mod claims;
pub mod device;
pub mod export;
pub mod extra;
pub mod frame;
pub mod id;
pub mod import;
pub mod journal;
pub mod kernel_name;
mod quantile;
pub mod query;
pub mod row;
mod scale;
pub mod schema;
pub mod store;
