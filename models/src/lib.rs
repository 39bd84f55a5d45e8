//! From a frame of runs to predictions, scores and rankings.
//!
//! | module | holds |
//! |---|---|
//! | [`forest`] | regression forests of our own, on linfa's traits |
//! | [`dataset`] | the rows that can be learned from; training and test halves |
//! | [`split`], `shape` | what is held out |
//! | `prior`, `features` | the analytic prior and the features made from axes and knobs |
//! | [`preset`], `baseline` | the models by name |
//! | [`mod@fit`], [`mod@evaluate`], [`recommend`], [`mod@importance`] | fitting, scoring, ranking, explaining |
//! | [`score`] | error measures and regret |
//! | [`artifact`] | a model as bytes |
//! | [`mod@leakage`] | the auditor's check that needs a model |

pub mod artifact;
mod baseline;
pub mod dataset;
mod error;
pub mod evaluate;
mod features;
pub mod fit;
pub mod forest;
pub mod importance;
pub mod leakage;
mod named;
pub mod preset;
mod prior;
pub mod recommend;
mod rng;
pub mod score;
mod shape;
pub mod split;
mod table;

pub use artifact::ArtifactError;
pub use dataset::{Dataset, Target, Test, Train};
pub use error::ModelError;
pub use evaluate::{EvaluateOptions, Evaluation, Parity, Score, evaluate};
pub use fit::{FitOptions, Prediction, Predictor, fit, fit_train};
pub use importance::{ColumnImportance, importance};
pub use leakage::leakage;
pub use preset::Preset;
pub use recommend::{Ranked, rank};
pub use split::Split;
