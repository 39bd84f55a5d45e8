//! What to fit: parameters, unchecked and checked.

use linfa::ParamGuard;
use serde::{Deserialize, Serialize};

use super::error::ForestError;

/// How a node chooses its split.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Splitter {
    /// The threshold that lowers the variance most, over all candidates (CART; Breiman et al. 1984).
    Best,
    /// One threshold per feature, drawn uniformly between the node's smallest and largest value; the best feature wins
    /// (extremely randomised trees; Geurts, Ernst and Wehenkel 2006).
    Random,
}

/// Which rows a tree sees.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Sampling {
    /// As many draws with replacement as there are rows (bagging; Breiman 1996). Rows never drawn are out of bag.
    Bootstrap,
    /// Every row once. There is no out-of-bag estimate then.
    Every,
}

/// How many features a node may look at.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub enum MaxFeatures {
    /// All of them.
    All,
    /// This share of them in `(0, 1]`, at least one.
    Fraction(f64),
    /// This many, at least one and at most as many as there are.
    Count(usize),
}

/// Parameters of a forest before they are checked. [`ParamGuard::check`] turns them into [`ForestValidParams`]; `fit` does so
/// by itself.
#[derive(Clone, Debug, PartialEq)]
pub struct ForestParams(ForestValidParams);

/// Parameters of a forest after they are checked.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ForestValidParams {
    pub(crate) splitter: Splitter,
    pub(crate) sampling: Sampling,
    pub(crate) trees: usize,
    pub(crate) max_depth: Option<usize>,
    pub(crate) min_leaf: usize,
    pub(crate) max_features: MaxFeatures,
    pub(crate) seed: u64,
}

/// More trees than anyone needs; beyond it a slip of the keyboard is likelier than a wish.
pub const MAX_TREES: usize = 100_000;

impl ForestParams {
    /// A random forest: best splits on bootstrap samples, 100 trees, full depth, all features.
    #[must_use]
    pub fn cart() -> Self {
        Self(ForestValidParams {
            splitter: Splitter::Best,
            sampling: Sampling::Bootstrap,
            trees: 100,
            max_depth: None,
            min_leaf: 1,
            max_features: MaxFeatures::All,
            seed: 0,
        })
    }

    /// Extra-trees: random thresholds on every row, 100 trees, full depth, all features.
    #[must_use]
    pub fn extra_trees() -> Self {
        let Self(cart) = Self::cart();
        Self(ForestValidParams { splitter: Splitter::Random, sampling: Sampling::Every, ..cart })
    }

    /// Number of trees, 1 to [`MAX_TREES`].
    #[must_use]
    pub fn trees(mut self, trees: usize) -> Self {
        self.0.trees = trees;
        self
    }

    /// Largest number of splits between root and leaf, at least 1; `None` grows until nodes are pure.
    #[must_use]
    pub fn max_depth(mut self, depth: Option<usize>) -> Self {
        self.0.max_depth = depth;
        self
    }

    /// Fewest draws in a leaf, at least 1. A row drawn twice by the bootstrap counts twice.
    #[must_use]
    pub fn min_leaf(mut self, draws: usize) -> Self {
        self.0.min_leaf = draws;
        self
    }

    /// How many features a node may look at.
    #[must_use]
    pub fn max_features(mut self, features: MaxFeatures) -> Self {
        self.0.max_features = features;
        self
    }

    /// Which rows a tree sees.
    #[must_use]
    pub fn sampling(mut self, sampling: Sampling) -> Self {
        self.0.sampling = sampling;
        self
    }

    /// Seed of everything random; the number of threads plays no part.
    #[must_use]
    pub fn seed(mut self, seed: u64) -> Self {
        self.0.seed = seed;
        self
    }
}

impl ParamGuard for ForestParams {
    type Checked = ForestValidParams;
    type Error = ForestError;

    fn check_ref(&self) -> Result<&ForestValidParams, ForestError> {
        let refuse = |name, value: String, limit| Err(ForestError::Parameter { name, value, limit });
        let params = &self.0;
        if !(1..=MAX_TREES).contains(&params.trees) {
            return refuse("trees", params.trees.to_string(), "must be 1 to 100000");
        }
        if params.max_depth == Some(0) {
            return refuse("max_depth", "0".into(), "must be at least 1");
        }
        if params.min_leaf == 0 {
            return refuse("min_leaf", "0".into(), "must be at least 1");
        }
        match params.max_features {
            MaxFeatures::Count(0) => refuse("max_features", "0".into(), "must be at least 1"),
            MaxFeatures::Fraction(share) if !(share > 0.0 && share <= 1.0) => {
                refuse("max_features", share.to_string(), "must be above 0 and at most 1")
            }
            _ => Ok(params),
        }
    }

    fn check(self) -> Result<ForestValidParams, ForestError> {
        self.check_ref()?;
        Ok(self.0)
    }
}

impl MaxFeatures {
    /// The number of features of `available` that a node looks at.
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss, clippy::cast_precision_loss)] // share is in (0, 1]
    pub(crate) fn of(self, available: usize) -> usize {
        match self {
            Self::All => available,
            Self::Fraction(share) => ((share * available as f64) as usize).max(1),
            Self::Count(count) => count.min(available),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_parameter_is_checked() {
        let cases: [(ForestParams, Option<&str>); 12] = [
            (ForestParams::cart(), None),
            (ForestParams::extra_trees(), None),
            (ForestParams::cart().trees(0), Some("trees")),
            (ForestParams::cart().trees(MAX_TREES + 1), Some("trees")),
            (ForestParams::cart().max_depth(Some(0)), Some("max_depth")),
            (ForestParams::cart().max_depth(Some(1)), None),
            (ForestParams::cart().min_leaf(0), Some("min_leaf")),
            (ForestParams::cart().max_features(MaxFeatures::Count(0)), Some("max_features")),
            (ForestParams::cart().max_features(MaxFeatures::Fraction(0.0)), Some("max_features")),
            (ForestParams::cart().max_features(MaxFeatures::Fraction(1.01)), Some("max_features")),
            (ForestParams::cart().max_features(MaxFeatures::Fraction(f64::NAN)), Some("max_features")),
            (ForestParams::cart().max_features(MaxFeatures::Fraction(1.0)), None),
        ];
        for (params, expected) in cases {
            let refused = match params.check_ref() {
                Err(ForestError::Parameter { name, .. }) => Some(name),
                _ => None,
            };
            assert_eq!(refused, expected, "{params:?}");
        }
    }

    #[test]
    fn a_share_of_features_is_rounded_down_but_never_to_none() {
        assert_eq!(MaxFeatures::Fraction(0.5).of(7), 3);
        assert_eq!(MaxFeatures::Fraction(0.01).of(7), 1);
        assert_eq!(MaxFeatures::Count(9).of(7), 7);
        assert_eq!(MaxFeatures::All.of(7), 7);
    }
}
