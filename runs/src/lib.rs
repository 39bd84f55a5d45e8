//! What one run's record is, and where records live.
//!
//! | module | holds |
//! |---|---|
//! | [`schema`] | the columns, their units and meaning |
//! | [`row`] | one record before it joins a frame |
//! | [`frame`] | rows to a Polars frame and back; typed columns |

pub mod frame;
pub mod row;
pub mod schema;
