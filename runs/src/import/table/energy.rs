//! Power and energy of a batch: what there is, why not where not, and what to doubt.

use polars::prelude::*;

use super::cells::{Number, coded};
use super::outcome::Outcomes;
use crate::import::draft::{AT_IDLE, COLD_FIRST, CONTRADICTS, DERIVED, ENERGY_UNITS};
use crate::schema::col;

/// Why there is no energy; the first stands for energy that is there.
const REASONS: [Option<&str>; 6] = [
    None,
    Some("the source file has power only"),
    Some("the source has no power for this row"),
    Some("the source's power is no number"),
    Some("the source's power is not positive"),
    Some("the source file has no usable energy metric"),
];

/// What the table says, in our units.
pub(super) struct Said<'a> {
    pub(super) power: Option<Vec<Number>>,
    pub(super) energy: Option<Vec<Number>>,
    /// 0 to 1.
    pub(super) utilisation: Option<Vec<Number>>,
    /// Whether energy is power × time of the source.
    pub(super) derived: bool,
    pub(super) outcomes: &'a Outcomes,
    /// Knobs by row whose labels contradict the kernel's name; empty where none are held against it.
    pub(super) contradictions: &'a [Option<String>],
}

impl Said<'_> {
    fn positive(numbers: Option<&Vec<Number>>, row: usize) -> Option<f64> {
        numbers?[row].value().filter(|value| *value > 0.0)
    }

    /// Energy columns and the warnings of each row.
    pub(super) fn columns(&self, rows: usize) -> PolarsResult<Vec<Column>> {
        let power: Vec<Option<f64>> = (0..rows).map(|row| Self::positive(self.power.as_ref(), row)).collect();
        let energy: Vec<Option<f64>> = (0..rows).map(|row| Self::positive(self.energy.as_ref(), row)).collect();
        let sources: Vec<usize> = (0..rows).map(|row| usize::from(power[row].or(energy[row]).is_some())).collect();
        let reasons: Vec<usize> = (0..rows).map(|row| self.reason(row, power[row], energy[row])).collect();
        let mut columns = vec![
            coded(col::energy_source, &[Some("unavailable"), Some("import")], &sources)?,
            coded(col::energy_reason, &REASONS, &reasons)?,
        ];
        let warnings: Vec<Option<String>> = (0..rows).map(|row| self.warnings(row, power[row], energy[row])).collect();
        if warnings.iter().any(Option::is_some) {
            columns.push(
                StringChunked::from_iter_options(col::warnings.into(), warnings.iter().map(Option::as_deref)).into_column(),
            );
        }
        for (name, values, there) in [(col::power_w, power, &self.power), (col::energy_j, energy, &self.energy)] {
            if there.is_some() {
                columns.push(Float64Chunked::from_iter_options(name.into(), values.into_iter()).into_column());
            }
        }
        Ok(columns)
    }

    /// A place in [`REASONS`].
    fn reason(&self, row: usize, power: Option<f64>, energy: Option<f64>) -> usize {
        match (power, energy, &self.power) {
            (_, Some(_), _) => 0,
            (Some(_), None, _) => 1,
            (None, None, Some(cells)) => match cells[row] {
                Number::Missing => 2,
                Number::Bad => 3,
                Number::Value(_) => 4,
            },
            (None, None, None) => 5,
        }
    }

    fn warnings(&self, row: usize, power: Option<f64>, energy: Option<f64>) -> Option<String> {
        let mut found: Vec<&str> = Vec::new();
        if self.outcomes.cold.get(row).copied().unwrap_or(false) {
            found.push(COLD_FIRST);
        }
        if self.contradictions.get(row).is_some_and(Option::is_some) {
            found.push(CONTRADICTS);
        }
        let idle = |cells: &Vec<Number>| cells[row] == Number::Value(0.0);
        if power.is_some() && self.utilisation.as_ref().is_some_and(idle) {
            found.push(AT_IDLE);
        }
        if energy.is_some() && self.derived {
            found.push(DERIVED);
        }
        if let (Some(energy), Some(power), Some(time)) = (energy, power, self.outcomes.time[row])
            && !(0.5..=2.0).contains(&(energy / (power * time)))
        {
            found.push(ENERGY_UNITS);
        }
        (!found.is_empty()).then(|| found.join(","))
    }
}
