//! Our side of `scripts/peers/forest`: fits and predicts on request, so that the script can read this process's CPU time
//! around each request. One request per line on standard input, one answer per line on standard output.
//!
//! | request | answer |
//! |---|---|
//! | `load FILE` | `loaded`: rows of features with the target last; training rows, test rows, rows to predict without target |
//! | `fit DEPTH SEED` | `fitted`: 100 trees, `DEPTH` 0 is full |
//! | `predict` | `predicted`: all rows but the training rows |
//! | `r2` | R² of the last prediction over the test rows |

use std::error::Error;
use std::io::{BufRead, Write};

use linfa::ParamGuard;
use ndarray::{Array2, Axis};
use tilecast_models::forest::{Forest, ForestParams};

struct Data {
    train: Array2<f64>,
    targets: Vec<f64>,
    test: Array2<f64>,
    truth: Vec<f64>,
}

/// Reads little-endian numbers: u64 training rows, u64 training and test rows, u64 rows, u64 columns, then f64 values row by row.
fn load(path: &str) -> Result<Data, Box<dyn Error>> {
    #[allow(clippy::disallowed_methods)] // an example reads its own input; the crate itself touches no file
    let bytes = std::fs::read(path)?;
    let words: Vec<[u8; 8]> = bytes.chunks_exact(8).map(|word| word.try_into().expect("chunks of eight")).collect();
    let size = |index: usize| usize::try_from(u64::from_le_bytes(words[index]));
    let (train_rows, known, rows, columns) = (size(0)?, size(1)?, size(2)?, size(3)?);
    let values = words[4..].iter().map(|word| f64::from_le_bytes(*word)).collect();
    let all = Array2::from_shape_vec((rows, columns), values)?;
    let (features, target) = all.view().split_at(Axis(1), columns - 1);
    let (train, test) = features.split_at(Axis(0), train_rows);
    let target = target.column(0).to_vec();
    let (targets, truth) = (target[..train_rows].to_vec(), target[train_rows..known].to_vec());
    Ok(Data { train: train.to_owned(), targets, test: test.to_owned(), truth })
}

fn r2(predicted: &[f64], truth: &[f64]) -> f64 {
    let mean = truth.iter().sum::<f64>() / truth.len() as f64;
    let left: f64 = predicted.iter().zip(truth).map(|(p, t)| (p - t).powi(2)).sum();
    1.0 - left / truth.iter().map(|t| (t - mean).powi(2)).sum::<f64>()
}

fn main() -> Result<(), Box<dyn Error>> {
    let (mut data, mut forest, mut predicted) = (None, None, Vec::new());
    for line in std::io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let answer = match words.as_slice() {
            ["load", path] => {
                data = Some(load(path)?);
                "loaded".to_owned()
            }
            ["fit", depth, seed] => {
                let data = data.as_ref().ok_or("fit before load")?;
                let depth = Some(depth.parse()?).filter(|depth| *depth > 0);
                let params = ForestParams::cart().max_depth(depth).seed(seed.parse()?).check()?;
                forest = Some(Forest::fit(&params, data.train.view(), &data.targets)?);
                "fitted".to_owned()
            }
            ["predict"] => {
                let (data, forest) = (data.as_ref().ok_or("predict before load")?, forest.as_ref().ok_or("predict before fit")?);
                predicted = forest.predict(data.test.view())?;
                "predicted".to_owned()
            }
            ["r2"] => {
                let truth = &data.as_ref().ok_or("r2 before load")?.truth;
                r2(&predicted[..truth.len()], truth).to_string()
            }
            _ => return Err(format!("request `{line}` is unknown").into()),
        };
        writeln!(std::io::stdout(), "{answer}")?;
    }
    Ok(())
}
