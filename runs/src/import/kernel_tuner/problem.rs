//! What problem a cache is about, as far as it says.

use serde_json::Value;

use super::cache::{Cache, plain};
use crate::import::Options;
use crate::import::draft::{element_bytes, gemm_flop};
use crate::row::{Cell, Row};
use crate::schema::col;

/// The problem's columns, the same for all rows of a file.
pub(super) struct Problem {
    pub(super) text: String,
    pub(super) dtype: Option<String>,
    pub(super) axes: Vec<(String, Cell)>,
    gemm: Option<[i64; 3]>,
    pub(super) warnings: Vec<String>,
}

/// How many entries have to agree on the inner dimension that their rates imply.
const WITNESSES: usize = 64;

impl Problem {
    pub(super) fn of(cache: &Cache, family: &str, file_name: &str, options: &Options) -> Self {
        let mut warnings = Vec::new();
        let dtype = dtype(cache);
        let sizes = sizes(&cache.problem_size);
        let like_gemm = [family, file_name].iter().any(|name| name.to_lowercase().contains("gemm"));
        let (gemm, axes) = match (sizes.as_deref(), like_gemm) {
            (Some([m, n, rest @ ..]), true) => {
                let k = rest.first().copied().filter(|k| *k > 1).or(options.k);
                let k = k.or_else(|| infer_k(cache, *m, *n).inspect(|k| warnings.push(inferred(*k))));
                if k.is_none() {
                    warnings
                        .push("problem: inner dimension `k` is not in the file, FLOP and bytes are unknown; give `k`".to_owned());
                }
                let named = [("m", Some(*m)), ("n", Some(*n)), ("k", k)];
                let axes = named.into_iter().filter_map(|(name, size)| Some((name.to_owned(), Cell::Int(size?)))).collect();
                (k.map(|k| [*m, *n, k]), axes)
            }
            (Some(sizes), _) => {
                let name = |at: usize| format!("size_{}", ["x", "y", "z"].get(at).map_or(at.to_string(), ToString::to_string));
                (None, sizes.iter().enumerate().map(|(at, size)| (name(at), Cell::Int(*size))).collect())
            }
            (None, _) => {
                warnings.push(format!("problem: size `{}` is no list of sizes", cache.problem_size));
                (None, vec![("size".to_owned(), Cell::Text(plain(&cache.problem_size)))])
            }
        };
        let mut text = family.to_owned();
        for (name, cell) in &axes {
            let value = match cell {
                Cell::Int(value) => value.to_string(),
                Cell::Text(value) => value.clone(),
                other => format!("{other:?}"),
            };
            text += &format!(" {name}={value}");
        }
        text += &dtype.as_ref().map(|dtype| format!(" {dtype}")).unwrap_or_default();
        Self { text, dtype, axes, gemm, warnings }
    }

    /// Sets axes and, for a matrix product, work: FLOP; bytes of A, B and C once each.
    pub(super) fn fill(&self, row: &mut Row) {
        row.set(col::problem, self.text.as_str()).set_some(col::dtype, self.dtype.as_deref());
        for (name, cell) in &self.axes {
            row.set(format!("problem.{name}"), cell.clone());
        }
        #[allow(clippy::cast_precision_loss)] // sizes stay far below 2^53
        if let Some([m, n, k]) =
            self.gemm.filter(|sizes| sizes.iter().all(|size| *size > 0)).map(|sizes| sizes.map(|size| size as f64))
        {
            let flop = gemm_flop([m, n, k], self.dtype.as_deref());
            row.set(col::useful_flop, flop).set(col::dense_flop, flop);
            let bytes = self.dtype.as_deref().and_then(element_bytes).map(|bytes| bytes * (m * k + k * n + m * n));
            row.set_some(col::compulsory_bytes, bytes);
        }
    }
}

fn inferred(k: i64) -> String {
    format!("problem: `k` = {k} is not in the file; it follows from the reported GFLOP/s and time of its entries")
}

fn sizes(problem_size: &Value) -> Option<Vec<i64>> {
    match problem_size {
        Value::Number(size) => Some(vec![size.as_i64()?]),
        Value::Array(sizes) if !sizes.is_empty() => sizes.iter().map(Value::as_i64).collect(),
        _ => None,
    }
}

/// CLBlast's `PRECISION`, where it is the same for all entries.
fn dtype(cache: &Cache) -> Option<String> {
    let Some(Value::Array(values)) = cache.values.get("PRECISION") else { return None };
    let [precision] = values.as_slice() else { return None };
    let dtype = match precision.as_i64()? {
        16 => "f16",
        32 => "f32",
        64 => "f64",
        3232 => "c32",
        6464 => "c64",
        _ => return None,
    };
    Some(dtype.to_owned())
}

/// GFLOP/s × time counts `2mnk`, or `2mn(k + 1)` where scaling and adding C is counted as CLBlast's tuner does. Of the two the one
/// is taken that `KWG`, the tile in the inner dimension, divides; then the one that equals another size.
#[allow(clippy::cast_precision_loss, clippy::cast_possible_truncation)] // sizes stay far below 2^53
fn infer_k(cache: &Cache, m: i64, n: i64) -> Option<i64> {
    let ratio =
        |entry: &Value| Some(entry.get("GFLOP/s")?.as_f64()? * 1e6 * entry.get("time")?.as_f64()? / (2.0 * m as f64 * n as f64));
    let ratios: Vec<f64> = cache.entries.values().filter_map(ratio).filter(|ratio| ratio.is_finite()).take(WITNESSES).collect();
    let found = ratios.first()?.round();
    if found < 1.0 || ratios.iter().any(|ratio| (ratio / found - 1.0).abs() > 1e-6) {
        return None;
    }
    let tiles: Vec<i64> = match cache.values.get("KWG") {
        Some(Value::Array(tiles)) => tiles.iter().filter_map(Value::as_i64).filter(|tile| *tile > 0).collect(),
        _ => Vec::new(),
    };
    let found = found as i64;
    let candidates: Vec<i64> =
        [found, found - 1].into_iter().filter(|k| *k > 0 && tiles.iter().all(|tile| k % tile == 0)).collect();
    candidates.iter().find(|k| **k == m || **k == n).or(candidates.first()).copied()
}
