//! What is held out: rows at random, or whole groups. A score means nothing without the name of its split.
//!
//! `rows` is one hold-out of 20 % unless folds are asked for: every test row then has near twins in the training rows, so it is the
//! easiest. A shape is the sizes of a problem alone: with `problem_id` as the group, the same sizes under another layout or factor would
//! be on both sides. Grouped splits are cross-validated: 5 folds balanced by rows, or one group at a time where there are fewer than 5.

use std::collections::BTreeMap;

use polars::prelude::DataFrame;
use tilecast_runs::schema::col;

use crate::ModelError;
use crate::dataset::{Dataset, Test, Train, keys};
use crate::named::named;
use crate::rng::Rng;
use crate::shape::shapes;

/// A way to hold out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Split {
    /// Rows at random.
    Rows,
    /// Whole shapes: problems of the same sizes, whatever their layout, factors, data type and family.
    Shape,
    /// Whole configurations (`config_id`).
    Config,
    /// Whole devices (`device`).
    Device,
    /// Whole kernel families (`family`).
    Family,
}

named!(Split, "split", { Rows = "rows", Shape = "shape", Config = "config", Device = "device", Family = "family" });

/// Folds of a grouped split, unless asked for otherwise.
pub const FOLDS: usize = 5;

/// Row numbers of one fold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Rows to fit on, ascending.
    pub train: Vec<usize>,
    /// Rows to test on, ascending.
    pub test: Vec<usize>,
}

impl Split {
    /// What the groups are, for messages.
    fn groups_are(self) -> &'static str {
        match self {
            Self::Rows => "rows",
            Self::Shape => "shapes (sizes among `problem.*`)",
            Self::Config => "values of `config_id`",
            Self::Device => "values of `device`",
            Self::Family => "values of `family`",
        }
    }

    /// The group of each row, by which the split holds out; `None` for rows.
    ///
    /// # Errors
    /// A column of the schema that holds another type than it should.
    pub fn keys(self, frame: &DataFrame) -> Result<Option<Vec<String>>, ModelError> {
        Ok(Some(match self {
            Self::Rows => return Ok(None),
            Self::Shape => shapes(frame)?,
            Self::Config => keys(frame, col::config_id)?,
            Self::Device => keys(frame, col::device)?,
            Self::Family => keys(frame, col::family)?,
        }))
    }

    /// Number of groups in `data`; for rows, of rows.
    pub(crate) fn groups(self, data: &Dataset) -> Result<usize, ModelError> {
        let Some(keys) = self.keys(&data.frame)? else { return Ok(data.rows()) };
        Ok(keys.into_iter().collect::<std::collections::BTreeSet<_>>().len())
    }

    /// The folds of `data`. With `folds` of `None`: one 80/20 hold-out for rows, [`FOLDS`] or one per group for groups.
    ///
    /// # Errors
    /// Fewer than two groups, fewer than five rows, or more folds than groups.
    pub fn folds(self, data: &Dataset, folds: Option<usize>, seed: u64) -> Result<Vec<Fold>, ModelError> {
        let rows = data.rows();
        if rows < 5 {
            return Err(ModelError::TooFewRows { rows, least: 5 });
        }
        let groups = self.grouped(data)?;
        let limit = groups.len();
        if self != Self::Rows && limit < 2 {
            return Err(ModelError::OneGroup { split: self.name(), what: self.groups_are(), groups: limit });
        }
        if let Some(folds) = folds.filter(|folds| !(2..=limit).contains(folds)) {
            return Err(ModelError::Folds { folds, limit });
        }
        if self == Self::Rows && folds.is_none() {
            return Ok(vec![hold_out(rows, 0.2, seed)]);
        }
        Ok(balance(groups, folds.unwrap_or(FOLDS.min(limit)), rows, seed))
    }

    fn grouped(self, data: &Dataset) -> Result<Vec<Vec<usize>>, ModelError> {
        let Some(keys) = self.keys(&data.frame)? else { return Ok((0..data.rows()).map(|row| vec![row]).collect()) };
        Ok(by_key(keys).into_values().collect())
    }
}

/// Rows by key.
pub(crate) fn by_key(keys: Vec<String>) -> BTreeMap<String, Vec<usize>> {
    let mut groups: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    keys.into_iter().enumerate().for_each(|(row, key)| groups.entry(key).or_default().push(row));
    groups
}

/// One fold that tests on `share` of the rows, at least one.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // share is in (0, 1)
fn hold_out(rows: usize, share: f64, seed: u64) -> Fold {
    let mut order: Vec<usize> = (0..rows).collect();
    Rng::new(seed, 0x5711).shuffle(&mut order);
    let mut test = order.split_off(rows - ((rows as f64 * share).round() as usize).max(1));
    test.sort_unstable();
    order.sort_unstable();
    Fold { train: order, test }
}

/// Largest groups first, each to the fold with the fewest rows so far; equals in seeded order.
pub(crate) fn balance(mut groups: Vec<Vec<usize>>, folds: usize, rows: usize, seed: u64) -> Vec<Fold> {
    Rng::new(seed, 0x5712).shuffle(&mut groups);
    groups.sort_by_key(|group| std::cmp::Reverse(group.len()));
    let mut tests = vec![Vec::new(); folds];
    for group in groups {
        tests.iter_mut().min_by_key(|test| test.len()).expect("at least two folds").extend(group);
    }
    let fold = |mut test: Vec<usize>| {
        test.sort_unstable();
        let train = (0..rows).filter(|row| test.binary_search(row).is_err()).collect();
        Fold { train, test }
    };
    tests.into_iter().map(fold).collect()
}

impl Fold {
    /// The two halves of `data`.
    ///
    /// # Errors
    /// From Polars.
    pub fn halves(&self, data: &Dataset) -> Result<(Train, Test), ModelError> {
        Ok((Train(data.select(&self.train)?), Test(data.select(&self.test)?)))
    }
}
