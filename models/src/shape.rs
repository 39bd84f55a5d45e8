//! The shape of a problem: its sizes alone, whatever else makes it another problem.

use polars::prelude::DataFrame;
use tilecast_runs::frame::{open_columns, reals};
use tilecast_runs::schema::{PROBLEM, col};

use crate::ModelError;
use crate::dataset::keys;

/// Whole numbers among the axes of families and importers that are no sizes: factors, padding of leading dimensions, numbers of an
/// experiment, and a parameter of how operands were filled.
const NO_SIZES: [&str; 6] = ["alpha", "beta", "ld_pad", "seed", "experiment", "value"];

/// The shape of each row as text (`m=512 n=512 k=512`): the whole-numbered axes of its problem by name. Factors, layouts, padding, data
/// types, families and devices make other problems or runs, not other shapes. A row without sizes is known by its `problem_id`.
///
/// # Errors
/// A `problem_id` that is no text.
pub(crate) fn shapes(frame: &DataFrame) -> Result<Vec<String>, ModelError> {
    let mut shapes = vec![String::new(); frame.height()];
    for (name, sizes) in sizes(frame)? {
        for (shape, size) in shapes.iter_mut().zip(sizes) {
            let Some(size) = size else { continue };
            let joint = if shape.is_empty() { "" } else { " " };
            *shape += &format!("{joint}{name}={size}");
        }
    }
    if shapes.iter().any(String::is_empty) {
        let problems = keys(frame, col::problem_id)?.into_iter();
        shapes.iter_mut().zip(problems).filter(|(shape, _)| shape.is_empty()).for_each(|(shape, problem)| *shape = problem);
    }
    Ok(shapes)
}

/// Name and values of an axis.
type Axis = (String, Vec<Option<f64>>);

/// Axes whose numbers are all whole.
fn sizes(frame: &DataFrame) -> Result<Vec<Axis>, ModelError> {
    let mut found = Vec::new();
    for column in open_columns(frame, PROBLEM) {
        let name = &column[PROBLEM.len()..];
        let numeric = frame.column(&column).is_ok_and(|column| column.dtype().is_primitive_numeric());
        if !numeric || NO_SIZES.contains(&name) {
            continue;
        }
        let values = reals(frame, &column)?;
        if values.iter().flatten().all(|value| value.fract() == 0.0) {
            found.push((name.to_owned(), values));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use polars::prelude::*;

    #[test]
    fn a_shape_is_the_sizes_of_a_problem_and_nothing_else() {
        let frame = df!(
            "problem_id" => ["a", "b", "c", "d", "e"], "family" => ["x", "y", "x", "x", "z"], "dtype" => ["f32", "f16", "f32", "f32", "f32"],
            "problem.m" => [Some(64.0), Some(64.0), Some(64.0), Some(32.0), None], "problem.k" => [Some(8_i64), Some(8), None, Some(8), None],
            "problem.alpha" => [1_i64, 2, 1, 1, 1], "problem.beta" => [0.0, 0.5, 0.0, 0.0, 0.0], "problem.ld_pad" => [0_i64, 8, 0, 0, 0],
            "problem.layout" => ["nn", "tn", "nn", "nn", "nn"], "problem.spread" => [0.5, 1.0, 2.0, 1.0, 1.0],
        )
        .expect("columns are equally long");
        assert_eq!(shapes(&frame).expect("read"), ["m=64 k=8", "m=64 k=8", "m=64", "m=32 k=8", "e"]);
        let without = frame.select(["problem_id", "problem.layout"]).expect("columns");
        assert_eq!(shapes(&without).expect("read"), ["a", "b", "c", "d", "e"]);
    }
}
