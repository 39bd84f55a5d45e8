//! The models there are, by name.

use crate::forest::{ForestParams, Sampling};
use crate::named::named;

/// A model with its features and its form of the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Preset {
    /// Extra-trees at full depth on engineered features, target ln(time / prior). On 17,956 configurations of the RTX 2080 Ti
    /// (random 80/20) its error was lower than that of CART on the same features.
    Default,
    /// GPPerf's recipe (arXiv 2411.16954): random forest of depth 6, 100 trees, raw problem axes and knobs, linear target.
    Gpperf,
    /// The prior times one fitted constant.
    Roofline,
    /// Least squares of the log target on the logs of sizes, work and knobs.
    Loglinear,
    /// The nearest training row in scaled log features, scaled by the ratio of FLOP.
    Nearest,
}

named!(Preset, "preset", {
    Default = "default", Gpperf = "gpperf", Roofline = "roofline", Loglinear = "loglinear", Nearest = "nearest",
});

impl Preset {
    /// A sentence for help texts.
    #[must_use]
    pub fn about(self) -> &'static str {
        match self {
            Self::Default => "extra-trees on engineered features, log of time over the analytic prior",
            Self::Gpperf => "random forest of depth 6 on raw features, linear target (GPPerf's recipe)",
            Self::Roofline => "analytic prior times one fitted constant",
            Self::Loglinear => "least squares on logarithms",
            Self::Nearest => "nearest measured row, scaled by FLOP",
        }
    }

    /// Forest of the preset, if it is one.
    pub(crate) fn forest(self, trees: usize, seed: u64) -> Option<ForestParams> {
        match self {
            Self::Default => Some(ForestParams::extra_trees().trees(trees).seed(seed)),
            Self::Gpperf => Some(ForestParams::cart().sampling(Sampling::Bootstrap).max_depth(Some(6)).trees(trees).seed(seed)),
            Self::Roofline | Self::Loglinear | Self::Nearest => None,
        }
    }
}
