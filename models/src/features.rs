//! From a frame to a named matrix, whatever the kernel family: axes, knobs, work, and what they make together.
//!
//! Tile counts, tile efficiency and products say the same for a size never measured as for a measured one, which raw sizes and
//! knobs do not. Null, and what is made from null, becomes −1, a value none of the features takes otherwise.

use std::collections::{BTreeMap, BTreeSet};

use ndarray::Array2;
use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use tilecast_runs::frame::open_columns;
use tilecast_runs::schema::{KNOB, PROBLEM, TRAFFIC, col};

use crate::ModelError;
use crate::prior::Prior;
use crate::table::{Table, texts_or_empty};

/// Stands for null.
const ABSENT: f64 = -1.0;
/// Up to so many numeric knobs, all pairs are multiplied and divided; above, pairs would drown the rest.
const PAIRED_KNOBS: usize = 10;

/// How much is made of the columns.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Wealth {
    /// Problem axes and knobs as they are.
    Raw,
    /// Logarithms of sizes and work, and the knobs.
    Logs,
    /// All that is described above.
    Engineered,
}

/// One feature and the columns it is made of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Feature {
    Raw(String),
    Log2(String),
    /// Position of the text among the levels met when fitting; an unknown text counts as the most common one.
    Level {
        column: String,
        levels: Vec<String>,
        common: usize,
    },
    Product(Vec<String>),
    Ratio(String, String),
    /// ⌈size / tile⌉.
    Tiles {
        size: String,
        tile: String,
    },
    /// Share of the last tile's row that is useful, averaged: size / (⌈size / tile⌉ · tile).
    TileShare {
        size: String,
        tile: String,
    },
    /// Product of the numbers of tiles.
    TileCount(Vec<(String, String)>),
    /// log2 of the prior in seconds.
    Prior,
}

impl Feature {
    /// Name in reports.
    pub(crate) fn name(&self) -> String {
        match self {
            Self::Raw(column) | Self::Level { column, .. } => column.clone(),
            Self::Log2(column) => format!("log2({column})"),
            Self::Product(columns) => columns.join("*"),
            Self::Ratio(a, b) => format!("{a}/{b}"),
            Self::Tiles { size, tile } => format!("tiles({size}, {tile})"),
            Self::TileShare { size, tile } => format!("tile_share({size}, {tile})"),
            Self::TileCount(pairs) => {
                format!("tiles({})", pairs.iter().map(|(_, tile)| tile.as_str()).collect::<Vec<_>>().join(", "))
            }
            Self::Prior => "log2(prior_s)".to_owned(),
        }
    }

    fn columns(&self) -> Vec<String> {
        match self {
            Self::Raw(column) | Self::Log2(column) | Self::Level { column, .. } => vec![column.clone()],
            Self::Product(columns) => columns.clone(),
            Self::Ratio(a, b) | Self::Tiles { size: a, tile: b } | Self::TileShare { size: a, tile: b } => {
                vec![a.clone(), b.clone()]
            }
            Self::TileCount(pairs) => pairs.iter().flat_map(|(size, tile)| [size.clone(), tile.clone()]).collect(),
            Self::Prior => Vec::new(),
        }
    }

    fn value(&self, table: &Table, prior_s: &[f64], row: usize) -> f64 {
        let number = |name: &String| table.number(name, row);
        let tiles = |size: &String, tile: &String| (number(size) / number(tile)).ceil();
        let value = match self {
            Self::Raw(column) => number(column),
            Self::Log2(column) => number(column).log2(), // of zero: not finite, so "absent"
            Self::Level { column, levels, common } => return level(table.text(column, row), levels, *common),
            Self::Product(columns) => columns.iter().map(number).product(),
            Self::Ratio(a, b) => number(a) / number(b),
            Self::Tiles { size, tile } => tiles(size, tile),
            Self::TileShare { size, tile } => number(size) / (tiles(size, tile) * number(tile)),
            Self::TileCount(pairs) => pairs.iter().map(|(size, tile)| tiles(size, tile)).product(),
            Self::Prior => prior_s[row].log2(),
        };
        if value.is_finite() { value } else { ABSENT }
    }
}

#[allow(clippy::cast_precision_loss)] // far fewer than 2^53 levels
fn level(text: Option<&str>, levels: &[String], common: usize) -> f64 {
    match text {
        None => ABSENT,
        Some(text) => levels.iter().position(|level| level == text).unwrap_or(common) as f64,
    }
}

/// The features of a model, constant and repeated ones dropped.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(crate) struct Recipe {
    pub(crate) features: Vec<Feature>,
    /// Families in whose rows an axis, a knob or a level's traffic had a value: rows of other families may come without the column.
    carriers: BTreeMap<String, BTreeSet<String>>,
}

impl Recipe {
    /// Chooses the features that vary over `frame`, and returns their values there.
    pub(crate) fn choose(frame: &DataFrame, wealth: Wealth, prior: &Prior) -> Result<(Self, Array2<f64>), ModelError> {
        let all = Self { features: candidates(frame, wealth)?, carriers: carriers(frame)? };
        let matrix = all.matrix(frame, prior)?;
        let mut seen = BTreeSet::new();
        let keep: Vec<usize> = (0..matrix.ncols())
            .filter(|&column| {
                let bits: Vec<u64> = matrix.column(column).iter().map(|value| value.to_bits()).collect();
                bits.iter().any(|value| *value != bits[0]) && seen.insert(bits)
            })
            .collect();
        let features = keep.iter().map(|&column| all.features[column].clone()).collect();
        Ok((Self { features, ..all }, matrix.select(ndarray::Axis(1), &keep)))
    }

    /// Values of the features over `frame`, one row per row.
    pub(crate) fn matrix(&self, frame: &DataFrame, prior: &Prior) -> Result<Array2<f64>, ModelError> {
        let families: BTreeSet<String> = texts_or_empty(frame, col::family)?.into_iter().collect();
        let foreign = |name: &String| {
            frame.column(name).is_err() && self.carriers.get(name).is_some_and(|carriers| carriers.is_disjoint(&families))
        };
        let columns: BTreeSet<String> = self.features.iter().flat_map(Feature::columns).filter(|name| !foreign(name)).collect();
        let table = Table::read(frame, &columns.into_iter().collect::<Vec<_>>())?;
        let prior_s = prior.seconds(frame)?;
        Ok(Array2::from_shape_fn((table.rows(), self.features.len()), |(row, feature)| {
            self.features[feature].value(&table, &prior_s, row)
        }))
    }
}

/// Which families have a value in each axis, knob and level of traffic.
fn carriers(frame: &DataFrame) -> Result<BTreeMap<String, BTreeSet<String>>, ModelError> {
    let families = texts_or_empty(frame, col::family)?;
    let mut carriers: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for name in [open_columns(frame, PROBLEM), open_columns(frame, KNOB), open_columns(frame, TRAFFIC)].concat() {
        let present = frame.column(&name)?.is_not_null();
        let of_rows = families.iter().zip(present.iter()).filter(|(_, present)| *present == Some(true));
        let of_rows = of_rows.map(|(family, _)| family.clone()).collect();
        carriers.insert(name, of_rows);
    }
    Ok(carriers)
}

/// Every feature the columns of `frame` can make.
fn candidates(frame: &DataFrame, wealth: Wealth) -> Result<Vec<Feature>, ModelError> {
    let (axes, knobs, traffic) = (open_columns(frame, PROBLEM), open_columns(frame, KNOB), open_columns(frame, TRAFFIC));
    let fixed =
        [col::dtype, col::device, col::family, col::cache_mode, col::useful_flop, col::executed_flop, col::compulsory_bytes];
    let fixed: Vec<String> = fixed.into_iter().filter(|name| frame.column(name).is_ok()).map(str::to_owned).collect();
    let names: Vec<String> = [axes.clone(), knobs.clone(), traffic.clone(), fixed.clone()].concat();
    let table = Table::read(frame, &names)?;
    let numeric = |names: &[String]| -> Vec<String> { names.iter().filter(|name| table.is_numeric(name)).cloned().collect() };
    let (sizes, numbers) = (numeric(&axes), numeric(&knobs));
    let texts = names.iter().filter(|name| !table.is_numeric(name)).map(|name| levels(&table, name));
    let mut features: Vec<Feature> = texts.collect();
    features.extend(numbers.iter().cloned().map(Feature::Raw));
    match wealth {
        Wealth::Raw => features.extend(sizes.into_iter().map(Feature::Raw)),
        Wealth::Logs => {
            features.retain(|feature| matches!(feature, Feature::Level { .. }));
            features.extend([sizes, numbers, numeric(&fixed)].concat().into_iter().map(Feature::Log2));
        }
        Wealth::Engineered => {
            features.push(Feature::Prior);
            features.extend([sizes.clone(), numeric(&fixed), numeric(&traffic)].concat().into_iter().map(Feature::Log2));
            if fixed.iter().any(|name| name == col::compulsory_bytes) && fixed.iter().any(|name| name == col::useful_flop) {
                features.push(Feature::Ratio(col::useful_flop.to_owned(), col::compulsory_bytes.to_owned()));
            }
            features.extend(tiling(&sizes, &numbers));
            features.extend(pairs(&varying(&table, &numbers)));
        }
    }
    Ok(features)
}

fn levels(table: &Table, column: &str) -> Feature {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    (0..table.rows()).filter_map(|row| table.text(column, row)).for_each(|text| *counts.entry(text).or_default() += 1);
    let most = counts.values().copied().max().unwrap_or(0);
    let common = counts.values().position(|count| *count == most).unwrap_or(0);
    Feature::Level { column: column.to_owned(), levels: counts.keys().map(ToString::to_string).collect(), common }
}

fn varying(table: &Table, names: &[String]) -> Vec<String> {
    let varies = |name: &&String| (1..table.rows()).any(|row| table.number(name, row) != table.number(name, 0));
    names.iter().filter(varies).cloned().collect()
}

/// For every axis `x` and knob `…_x` (`tile_m`, `micro_m`, `thread_m`): tiles and their share of use; tiles over all axes by kind of knob.
fn tiling(sizes: &[String], knobs: &[String]) -> Vec<Feature> {
    let mut features = Vec::new();
    let mut kinds: BTreeMap<&str, Vec<(String, String)>> = BTreeMap::new();
    for size in sizes {
        let axis = size.trim_start_matches(PROBLEM);
        for tile in knobs {
            let Some((kind, end)) = tile.rsplit_once('_') else { continue };
            if end == axis {
                let (size, tile) = (size.clone(), tile.clone());
                kinds.entry(kind).or_default().push((size.clone(), tile.clone()));
                features.push(Feature::Tiles { size: size.clone(), tile: tile.clone() });
                features.push(Feature::TileShare { size, tile });
            }
        }
    }
    for pairs in kinds.into_values().filter(|pairs| pairs.len() > 1) {
        features.push(Feature::Product(pairs.iter().map(|(_, tile)| tile.clone()).collect()));
        features.push(Feature::TileCount(pairs));
    }
    features
}

/// Products and ratios of all pairs of knobs.
fn pairs(knobs: &[String]) -> Vec<Feature> {
    if knobs.len() > PAIRED_KNOBS {
        return Vec::new();
    }
    let pair = |(at, a): (usize, &String)| -> Vec<Feature> {
        let rest = knobs[at + 1..].iter();
        rest.flat_map(|b| [Feature::Product(vec![a.clone(), b.clone()]), Feature::Ratio(a.clone(), b.clone())]).collect()
    };
    knobs.iter().enumerate().flat_map(pair).collect()
}
