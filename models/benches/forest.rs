//! Fit and predict of a forest on a smooth function of twelve features; ratios to scikit-learn are in `scripts/peers/forest`.

use std::hint::black_box;

use criterion::{Criterion, criterion_group, criterion_main};
use linfa::ParamGuard;
use ndarray::Array2;
use tilecast_models::forest::{Forest, ForestParams};

/// 4,096 rows of a sweep-like grid: powers of two per column, in an order mixed by a multiplicative hash.
fn data() -> (Array2<f64>, Vec<f64>) {
    let code = |row: usize, column: usize| (row.wrapping_mul(0x9E37_79B1) >> (column + 3)) % 6;
    let x = Array2::from_shape_fn((4096, 12), |(row, column)| (code(row, column) as f64).exp2());
    let y = x.rows().into_iter().map(|row| row.iter().enumerate().map(|(at, value)| value.ln() * (at as f64 + 1.0).sin()).sum());
    let y = y.collect();
    (x, y)
}

fn forest(bench: &mut Criterion) {
    let (x, y) = data();
    for (name, params) in [("cart", ForestParams::cart()), ("extra_trees", ForestParams::extra_trees())] {
        let params = params.trees(20).check().expect("parameters are in range");
        bench.bench_function(&format!("fit/{name}"), |b| b.iter(|| Forest::fit(&params, black_box(x.view()), &y)));
        let forest = Forest::fit(&params, x.view(), &y).expect("data are finite");
        bench.bench_function(&format!("predict/{name}"), |b| b.iter(|| forest.predict(black_box(x.view()))));
    }
}

criterion_group! { name = benches; config = Criterion::default().sample_size(10); targets = forest }
criterion_main!(benches);
