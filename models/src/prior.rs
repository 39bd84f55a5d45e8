//! The analytic prior: how long a row should take by its work and the device's measured roofs.
//!
//! Over levels ℓ (arithmetic and each memory level that has a roof), t₀ = (Σ t_ℓᵖ)^(1/p) with t_ℓ = work_ℓ / roof_ℓ and p = 6: nearly the largest
//! term, with a soft corner where two are close (Williams et al., Roofline, 2009, has the hard corner). Predicting log(time / t₀) lets a forest
//! speak about sizes and devices it never saw: on unseen GPUs it lowered the error from 255 % to 36 % (NeuSight's H100 bmm data).

use polars::prelude::DataFrame;
use serde::{Deserialize, Serialize};
use tilecast_runs::frame::open_columns;
use tilecast_runs::schema::{ROOF, TRAFFIC, col};

use crate::ModelError;
use crate::table::Table;

/// Exponent of the norm that joins the terms.
const P: f64 = 6.0;
/// Launch of a CUDA kernel in seconds, a few microseconds on all current drivers; added per launch on CUDA devices only.
const LAUNCH_S: f64 = 3e-6;

/// The arithmetic peak of no type, and what the columns of typed ones begin with.
const PEAK: &str = "roof.flop_per_s";
const PEAK_OF: &str = "roof.flop_per_s_";

/// What the prior of a model is made of; decided when it is fitted, the same for all rows.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) enum Prior {
    /// Roofs and work are known for every row. Levels with a roof: name of the roof's column, of the traffic's. Peaks of single element types, by column:
    /// a row of such a type is held against its own where it has it.
    Roofline {
        work: String,
        levels: Vec<(String, String)>,
        #[serde(default)]
        peaks: Vec<String>,
    },
    /// FLOP are known, roofs are not: t₀ is the time at a nominal 10¹² FLOP/s, so that targets are log(time / FLOP) up to a constant.
    Flop { work: String },
    /// Nothing is known: t₀ is 1 s.
    None,
}

impl Prior {
    /// The richest prior that every row of `frame` supports.
    pub(crate) fn of(frame: &DataFrame) -> Result<Self, ModelError> {
        let full =
            |name: &str| frame.column(name).is_ok_and(|column| column.null_count() == 0 && column.dtype().is_primitive_numeric());
        let Some(work) = [col::executed_flop, col::useful_flop].into_iter().find(|name| full(name)).map(str::to_owned) else {
            return Ok(Self::None);
        };
        if !full(PEAK) {
            return Ok(Self::Flop { work });
        }
        let roofs = open_columns(frame, ROOF).into_iter().filter(|name| name.ends_with("_bytes_per_s") && full(name));
        let level = |roof: String| {
            let level = roof.trim_start_matches(ROOF).trim_end_matches("_bytes_per_s");
            let traffic = format!("{TRAFFIC}{level}_bytes");
            let bytes = if full(&traffic) {
                Some(traffic)
            } else {
                (level == "dram" && full(col::compulsory_bytes)).then(|| col::compulsory_bytes.to_owned())
            };
            bytes.map(|bytes| (roof, bytes))
        };
        let spread = |name: &str| ["_low", "_high", "_all"].iter().any(|end| name.ends_with(end));
        let peaks = open_columns(frame, ROOF).into_iter().filter(|name| name.starts_with(PEAK_OF) && !spread(name)).collect();
        Ok(Self::Roofline { work, levels: roofs.filter_map(level).collect(), peaks })
    }

    /// Columns it reads.
    pub(crate) fn columns(&self) -> Vec<String> {
        match self {
            Self::None => Vec::new(),
            Self::Flop { work } => vec![work.clone()],
            Self::Roofline { work, levels, .. } => {
                let fixed = [work.clone(), PEAK.to_owned()];
                fixed.into_iter().chain(levels.iter().flat_map(|(roof, bytes)| [roof.clone(), bytes.clone()])).collect()
            }
        }
    }

    /// t₀ of every row in seconds: positive and finite, 1 s where a row lacks what its fellows have.
    pub(crate) fn seconds(&self, frame: &DataFrame) -> Result<Vec<f64>, ModelError> {
        let table = Table::read(frame, &self.columns())?;
        let peaks: &[String] = if let Self::Roofline { peaks, .. } = self { peaks } else { &[] };
        let fixed = [col::launches, col::device_kind, col::dtype].map(str::to_owned);
        let optional: Vec<String> = fixed.iter().chain(peaks).filter(|name| frame.column(name).is_ok()).cloned().collect();
        let extra = Table::read(frame, &optional)?;
        Ok((0..frame.height()).map(|row| self.of_row(&table, &extra, row)).collect())
    }

    fn of_row(&self, table: &Table, extra: &Table, row: usize) -> f64 {
        let seconds = match self {
            Self::None => 1.0,
            Self::Flop { work } => table.number(work, row) / 1e12,
            Self::Roofline { work, levels, .. } => {
                let memory = levels.iter().map(|(roof, bytes)| table.number(bytes, row) / table.number(roof, row));
                let own = extra.text(col::dtype, row).map_or(f64::NAN, |dtype| extra.number(&format!("{PEAK_OF}{dtype}"), row));
                let arithmetic = table.number(work, row) / if own > 0.0 { own } else { table.number(PEAK, row) };
                p_norm(std::iter::once(arithmetic).chain(memory)) + launch_s(extra, row)
            }
        };
        if seconds.is_finite() && seconds > 0.0 { seconds } else { 1.0 }
    }
}

fn launch_s(extra: &Table, row: usize) -> f64 {
    let launches = extra.number(col::launches, row);
    if extra.text(col::device_kind, row) == Some("cuda") && launches.is_finite() { launches * LAUNCH_S } else { 0.0 }
}

/// (Σ tᵖ)^(1/p), scaled by the largest term against overflow.
fn p_norm(terms: impl Iterator<Item = f64> + Clone) -> f64 {
    let largest = terms.clone().fold(0.0, f64::max);
    largest * terms.map(|term| (term / largest).powf(P)).sum::<f64>().powf(1.0 / P)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::df;

    #[test]
    fn the_norm_is_the_largest_term_with_a_soft_corner() {
        assert!((p_norm([3.0, 1e-9].into_iter()) - 3.0).abs() < 1e-12);
        assert!((p_norm([2.0, 2.0].into_iter()) - 2.0 * 2.0_f64.powf(1.0 / 6.0)).abs() < 1e-12);
    }

    #[test]
    fn the_prior_takes_what_every_row_has() {
        let frame = df!("useful_flop" => [2e9, 4e9], "compulsory_bytes" => [1e6, 2e6], "roof.flop_per_s" => [1e11, 1e11],
            "roof.dram_bytes_per_s" => [1e10, 1e10]);
        let frame = frame.expect("columns are equally long");
        let check = |drop: &[&str], expected: [f64; 2]| {
            let frame = drop.iter().fold(frame.clone(), |frame, name| frame.drop(name).expect("column exists"));
            let prior = Prior::of(&frame).expect("prior");
            let seconds = prior.seconds(&frame).expect("seconds");
            assert!(seconds.iter().zip(expected).all(|(a, b)| (a / b - 1.0).abs() < 1e-6), "{prior:?} {seconds:?}");
        };
        check(&[], [0.02, 0.04]);
        check(&["roof.dram_bytes_per_s"], [0.02, 0.04]);
        check(&["roof.flop_per_s"], [0.002, 0.004]);
        check(&["useful_flop"], [1.0, 1.0]);
    }

    #[test]
    fn a_row_is_held_against_the_peak_of_its_own_type_where_there_is_one() {
        let frame = df!("useful_flop" => [2e9, 2e9, 2e9], "dtype" => ["f32", "f16", "bf16"], "roof.flop_per_s" => [1e11, 1e11, 1e11],
            "roof.flop_per_s_f16" => [Some(1e12), Some(1e12), Some(1e12)], "roof.flop_per_s_bf16" => [None::<f64>, None, None]);
        let frame = frame.expect("columns are equally long");
        let prior = Prior::of(&frame).expect("prior");
        let found = |frame: &DataFrame| prior.seconds(frame).expect("seconds");
        assert!(found(&frame).iter().zip([0.02, 0.002, 0.02]).all(|(a, b)| (a / b - 1.0).abs() < 1e-6), "{:?}", found(&frame));
        let without = frame.drop("roof.flop_per_s_f16").expect("it is there");
        assert!((found(&without)[1] / 0.02 - 1.0).abs() < 1e-6, "what a later frame lacks is no error");
    }
}
