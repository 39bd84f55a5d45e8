//! Whether a result is right: f64 references, an error bound for every element, and what was found.
//!
//! The bound for an element that sums `depth` products is `2·(γ + 2·u_in)·magnitude`, where `magnitude` bounds the sum of absolute
//! products and γ is the smaller of the worst case `depth·u/(1 − depth·u)` and the probabilistic `λ·√depth·u` with λ = 6
//! (Higham and Mary, "A new approach to probabilistic rounding error analysis", 2019: λ of a few units fails with negligible probability).
//! The worst case alone would let a missing product pass once depth exceeds a few thousand in f32.

use serde::{Deserialize, Serialize};

use crate::{Dtype, Tensor};

/// λ of the probabilistic bound.
const LAMBDA: f64 = 6.0;

/// Bound on the sum of absolute products behind each element.
#[derive(Clone, Debug)]
pub enum Magnitude {
    /// `rows[i]·cols[j]`: Cauchy–Schwarz with row norms of the left and column norms of the right operand.
    Outer {
        /// One per row.
        rows: Vec<f64>,
        /// One per column.
        cols: Vec<f64>,
    },
    /// One per element of the reference, row-major.
    Full(Vec<f64>),
}

/// The result in f64 for all rows, or for a sample of them where all would take too long.
#[derive(Clone, Debug)]
pub struct Reference {
    /// Row indices that are checked, ascending.
    pub rows: Vec<usize>,
    /// Columns.
    pub cols: usize,
    /// `rows.len() × cols` values, row-major.
    pub values: Vec<f64>,
    /// Error scale. `Outer::rows` and `Full` are indexed like `rows` and `values`.
    pub magnitude: Magnitude,
    /// Products summed per element (for a chain of products: the sum of their depths).
    pub depth: usize,
}

/// What comparing an output with its reference found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Verification {
    /// Verdict.
    pub verdict: Verdict,
    /// Largest absolute error; infinite where a NaN or infinity was not expected.
    #[serde(with = "infinite")]
    pub max_abs_err: f64,
    /// Largest absolute error over the largest reference magnitude.
    #[serde(with = "infinite")]
    pub max_rel_err: f64,
    /// Largest error over its own bound; above 1 is incorrect.
    #[serde(with = "infinite")]
    pub bound_ratio: f64,
    /// Share of rows compared; below 1 where the reference was sampled.
    pub rows_checked: f64,
}

/// Verdict of a verification.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// Every compared element is within its bound and no canary was touched.
    Correct,
    /// What is wrong: element, value, expectation.
    Incorrect(String),
}

/// JSON has no infinity: it travels as null.
mod infinite {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    pub(super) fn serialize<S: Serializer>(value: &f64, s: S) -> Result<S::Ok, S::Error> {
        value.is_finite().then_some(*value).serialize(s)
    }
    pub(super) fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<f64, D::Error> {
        Ok(Option::deserialize(d)?.unwrap_or(f64::INFINITY))
    }
}

/// Rows to check so that the reference costs at most `budget_flop`, given the cost of one row: all where they fit, else an even sample
/// with the first and last two rows and one seeded row in every stretch.
#[must_use]
pub fn rows_to_check(rows: usize, flop_per_row: f64, budget_flop: f64, seed: u64) -> Vec<usize> {
    #[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a row count
    let fit = (budget_flop / flop_per_row.max(1.0)).max(16.0) as usize;
    if rows <= fit {
        return (0..rows).collect();
    }
    let stretch = rows.div_ceil(fit);
    let mut random = crate::random::Random::new(seed);
    let inner = (0..rows).step_by(stretch).map(|start| start + random.below(stretch.min(rows - start)));
    let mut picked: Vec<usize> = inner.chain([0, 1, rows - 2, rows - 1]).collect();
    picked.sort_unstable();
    picked.dedup();
    picked
}

/// γ of the module's bound for `depth` products with unit roundoff `u`.
#[must_use]
pub fn gamma(depth: usize, u: f64) -> f64 {
    #[allow(clippy::cast_precision_loss)] // depths stay below 2^53
    let depth = depth.max(1) as f64;
    let worst = depth * u / (1.0 - depth * u).max(u);
    worst.min(LAMBDA * depth.sqrt() * u)
}

/// Compares `output` with `reference`.
#[must_use]
pub fn check(output: &Tensor, reference: &Reference) -> Verification {
    let mut findings = Findings::default();
    let (factor, least) = (error_factor(output.dtype(), reference.depth), smallest_step(output.dtype()));
    for (row, &i) in reference.rows.iter().enumerate() {
        for j in 0..reference.cols {
            let expected = reference.values[row * reference.cols + j];
            let magnitude = match &reference.magnitude {
                Magnitude::Outer { rows, cols } => rows[row] * cols[j],
                Magnitude::Full(all) => all[row * reference.cols + j],
            };
            findings.add((i, j), output.at(i, j), expected, factor * magnitude + least);
        }
    }
    findings.verdict(output, reference)
}

/// Error per magnitude: rounding of the sums, kept in the accumulator's type, and one rounding of the result. Operands are already rounded to the element type.
fn error_factor(dtype: Dtype, depth: usize) -> f64 {
    2.0 * (gamma(depth, dtype.accumulator().unit_roundoff()) + 2.0 * dtype.unit_roundoff())
}

/// Distance of the smallest values of a type: below its smallest normal number rounding is absolute. Sums of random products get there in
/// binary16 alone, whose smallest normal number is 6·10⁻⁵.
fn smallest_step(dtype: Dtype) -> f64 {
    if dtype == Dtype::F16 { 2f64.powi(-24) } else { 0.0 }
}

#[derive(Default)]
struct Findings {
    max_abs: f64,
    max_expected: f64,
    max_ratio: f64,
    worst: Option<String>,
}

impl Findings {
    fn add(&mut self, (i, j): (usize, usize), got: f64, expected: f64, bound: f64) {
        let same_special = !expected.is_finite() && (got == expected || (got.is_nan() && expected.is_nan()));
        let error = if same_special || got == expected { 0.0 } else { (got - expected).abs() };
        let error = if error.is_nan() { f64::INFINITY } else { error };
        // Below the smallest normal number of the type relative bounds lose their meaning; 1e-37 is far under any random operand's product.
        let ratio = if error == 0.0 { 0.0 } else { error / bound.max(1e-37) };
        self.max_abs = self.max_abs.max(error);
        if expected.is_finite() {
            self.max_expected = self.max_expected.max(expected.abs());
        }
        if ratio > self.max_ratio {
            self.max_ratio = ratio;
            self.worst =
                (ratio > 1.0).then(|| format!("element ({i}, {j}) is `{got:e}`, expected `{expected:e}` within {bound:.2e}"));
        }
    }

    fn verdict(self, output: &Tensor, reference: &Reference) -> Verification {
        let canaries = (!output.canaries_intact()).then(|| format!("canaries around `{}` were overwritten", output.name));
        let shape = (reference.cols != output.cols || reference.rows.last().is_some_and(|&i| i >= output.rows))
            .then(|| format!("reference has {} columns, the output {}", reference.cols, output.cols));
        #[allow(clippy::cast_precision_loss)] // a share
        let rows_checked = if output.rows == 0 { 1.0 } else { reference.rows.len() as f64 / output.rows as f64 };
        Verification {
            verdict: shape.or(self.worst).or(canaries).map_or(Verdict::Correct, Verdict::Incorrect),
            max_abs_err: self.max_abs,
            max_rel_err: if self.max_abs == 0.0 { 0.0 } else { self.max_abs / self.max_expected.max(f64::MIN_POSITIVE) },
            bound_ratio: self.max_ratio,
            rows_checked,
        }
    }
}
