//! From a frame of runs to predictions, scores and rankings.
//!
//! | module | holds |
//! |---|---|
//! | [`forest`] | regression forests of our own, on linfa's traits |
//! | [`dataset`] | the rows that can be learned from; training and test halves |
//! | [`split`] | what is held out |
//! | `prior`, `features` | the analytic prior and the features made from axes and knobs |
//! | [`preset`], `baseline` | the models by name |
//! | [`fit`], [`evaluate`], [`recommend`], [`importance`] | fitting, scoring, ranking, explaining |
//! | [`score`] | error measures and regret |
//! | [`artifact`] | a model as bytes |

pub mod artifact;
mod baseline;
pub mod dataset;
mod error;
pub mod evaluate;
mod features;
pub mod fit;
pub mod forest;
pub mod importance;
mod named;
pub mod preset;
mod prior;
pub mod recommend;
mod rng;
pub mod score;
pub mod split;
mod table;

pub use artifact::ArtifactError;
pub use dataset::{Dataset, Target, Test, Train};
pub use error::ModelError;
pub use evaluate::{EvaluateOptions, Evaluation, Parity, Score, evaluate};
pub use fit::{FitOptions, Prediction, Predictor, fit, fit_train};
pub use importance::{ColumnImportance, importance};
pub use preset::Preset;
pub use recommend::{Ranked, rank};
pub use split::Split;
