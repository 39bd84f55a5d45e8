//! From frames and predictions to charts and one self-contained page.
//!
//! | module | holds |
//! |---|---|
//! | [`input`] | what a page is made of: plain data, no clock, no files |
//! | [`mod@page`] | the page itself |
//! | [`chart`] | charts as SVG text |
//! | [`number`] | numbers as a reader wants them |
//! | [`error`] | why no page came out |

pub mod chart;
mod contest;
pub mod error;
mod figure;
mod findings;
pub mod input;
pub mod number;
pub mod page;
mod story;
mod table;

pub use error::ReportError;
pub use input::PageInput;
pub use page::page;
