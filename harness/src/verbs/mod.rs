//! One file per verb: its arguments and what it does.

pub mod asked;
pub mod audit;
pub mod constraints;
pub mod demo;
pub mod devices;
pub mod evaluate;
pub mod export;
pub mod families;
pub mod fit;
pub mod import;
pub mod modelled;
pub mod plan;
pub mod predict;
pub mod profile;
pub mod recommend;
pub mod report;
pub mod runs;
pub mod sweep;
pub mod worker;
