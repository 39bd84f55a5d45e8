use linfa::prelude::*;
use ndarray::{Array2, array};
use proptest::prelude::*;

use super::*;

fn fitted(params: ForestParams, x: &Array2<f64>, y: &[f64]) -> Forest {
    Forest::fit(&params.check().expect("parameters are in range"), x.view(), y).expect("data are finite")
}

/// A curved surface over a grid of `rows` × 3 features with ties, noise-free.
fn surface(rows: usize) -> (Array2<f64>, Vec<f64>) {
    let x = Array2::from_shape_fn((rows, 3), |(row, column)| ((row * [7, 13, 29][column]) % [5, 11, 17][column]) as f64);
    let y = x.rows().into_iter().map(|row| row[0] * row[1] + (row[2] - 8.0).powi(2)).collect();
    (x, y)
}

fn all_kinds() -> Vec<ForestParams> {
    let some = ForestParams::cart().max_features(MaxFeatures::Count(2));
    let limited = ForestParams::cart().max_depth(Some(4)).min_leaf(3);
    let wild = ForestParams::extra_trees().max_features(MaxFeatures::Fraction(0.7)).min_leaf(2);
    vec![ForestParams::cart(), ForestParams::extra_trees(), some, limited, wild].into_iter().map(|p| p.trees(12)).collect()
}

#[test]
fn full_trees_on_every_row_repeat_the_training_targets() {
    let (x, y) = surface(200);
    for params in [ForestParams::cart().sampling(Sampling::Every), ForestParams::extra_trees()] {
        let predicted = fitted(params.trees(3), &x, &y).try_predict(x.view()).expect("same width");
        assert!(predicted.iter().zip(&y).all(|(p, y)| (p - y).abs() < 1e-4), "{predicted:?}");
    }
}

#[test]
fn one_tree_of_depth_one_splits_where_a_hand_would() {
    let (x, y) = (array![[1.0, 0.0], [2.0, 1.0], [10.0, 0.0], [11.0, 1.0]], [1.0, 2.0, 9.0, 10.0]);
    let forest = fitted(ForestParams::cart().sampling(Sampling::Every).trees(1).max_depth(Some(1)), &x, &y);
    let predicted = forest.try_predict(array![[0.0, 0.0], [5.9, 0.0], [6.1, 1.0], [99.0, 1.0]].view()).expect("same width");
    assert!(predicted.iter().zip([1.5, 1.5, 9.5, 9.5]).all(|(p, e)| (p - e).abs() < 1e-6), "{predicted:?}");
    assert_eq!(forest.nodes(), 3);
}

#[test]
fn the_fit_is_the_same_whatever_the_number_of_threads() {
    let (x, y) = surface(500);
    for params in all_kinds() {
        let with = |threads: usize| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().expect("a pool");
            pool.install(|| {
                let forest = fitted(params.clone(), &x, &y);
                let predicted = forest.try_predict(x.view()).expect("same width");
                (forest, predicted)
            })
        };
        assert_eq!(with(1), with(3), "{params:?}");
        assert_ne!(with(1).0, fitted(params.clone().seed(1), &x, &y), "another seed is another forest: {params:?}");
    }
}

#[test]
fn limits_of_depth_and_leaf_are_kept() {
    let (x, y) = surface(300);
    for (depth, leaf) in [(1, 1), (3, 1), (6, 10), (20, 40)] {
        let params = ForestParams::cart().trees(5).max_depth(Some(depth)).min_leaf(leaf).sampling(Sampling::Every);
        let forest = fitted(params, &x, &y);
        let mut counts = std::collections::BTreeMap::new();
        let table = forest.grid.table::<u8>(x.view(), 1);
        for row in 0..x.nrows() {
            let (mut at, mut steps) = (0, 0);
            let tree = &forest.trees[0];
            while !tree.is_leaf(at) {
                let node = tree.nodes[at];
                at = node.child as usize + usize::from(u16::from(table.row(row)[node.feature as usize]) > node.threshold);
                steps += 1;
            }
            assert!(steps <= depth);
            *counts.entry(at).or_insert(0) += 1;
        }
        assert!(counts.values().all(|count| *count >= leaf), "{counts:?}");
    }
}

#[test]
fn odd_data_fit_and_predict_their_mean_or_better() {
    let cases: [(&str, Array2<f64>, Vec<f64>); 6] = [
        ("one row", array![[1.0, 2.0]], vec![5.0]),
        ("constant features", Array2::ones((4, 2)), vec![1.0, 2.0, 3.0, 6.0]),
        ("constant target", surface(20).0, vec![7.0; 20]),
        ("duplicate rows", array![[1.0], [1.0], [2.0], [2.0]], vec![1.0, 3.0, 5.0, 5.0]),
        ("more features than rows", Array2::from_shape_fn((3, 400), |(r, c)| ((r * c) % 7) as f64), vec![1.0, 2.0, 3.0]),
        ("huge and tiny", array![[1e300], [-1e300], [1e-300]], vec![1e300, -1e300, 0.0]),
    ];
    for (name, x, y) in cases {
        for params in all_kinds() {
            let predicted = fitted(params, &x, &y).try_predict(x.view()).expect("same width");
            let (low, high) = y.iter().fold((f64::MAX, f64::MIN), |(low, high), y| (low.min(*y), high.max(*y)));
            assert!(predicted.iter().all(|p| (low..=high).contains(p)), "{name}: {predicted:?}");
        }
    }
}

#[test]
fn data_that_cannot_be_fitted_are_refused_by_name() {
    let params = ForestParams::cart().check().expect("parameters are in range");
    let mut holed = surface(5).0;
    holed[[3, 1]] = f64::NAN;
    let cases: [(Array2<f64>, Vec<f64>, &str); 6] = [
        (Array2::zeros((0, 3)), vec![], "training data has 0 rows and 3 features, at least one of each is needed"),
        (Array2::zeros((3, 0)), vec![1.0; 3], "training data has 3 rows and 0 features, at least one of each is needed"),
        (surface(5).0, vec![1.0; 4], "training data has 5 rows but 4 targets"),
        (holed, vec![1.0; 5], "feature 1 of row 3 is `NaN`, features must be finite"),
        (surface(2).0, vec![1.0, f64::INFINITY], "target of row 1 is `inf`, targets must be finite"),
        (
            Array2::zeros((1, MAX_COLUMNS + 1)),
            vec![1.0],
            "training data has 1 rows and 65537 features, at most 4194304 and 65536 fit",
        ),
    ];
    for (x, y, expected) in cases {
        assert_eq!(Forest::fit(&params, x.view(), &y).expect_err("refused").to_string(), expected);
    }
    let (x, y) = surface(9);
    let forest = fitted(ForestParams::cart().trees(2), &x, &y);
    let narrow = forest.try_predict(Array2::zeros((2, 2)).view()).expect_err("refused");
    assert_eq!(narrow, ForestError::Width { expected: 3, found: 2 });
}

#[test]
fn linfa_fits_predicts_and_refuses_through_its_own_traits() {
    let (x, y) = surface(60);
    let dataset = linfa::Dataset::new(x.clone(), Array1::from(y.clone()));
    let forest = ForestParams::extra_trees().trees(5).fit(&dataset).expect("fits");
    assert_eq!(
        forest.predict(&x).to_vec(),
        fitted(ForestParams::extra_trees().trees(5), &x, &y).try_predict(x.view()).expect("same")
    );
    assert!(matches!(ForestParams::cart().trees(0).fit(&dataset), Err(ForestError::Parameter { name: "trees", .. })));
    let weighted = dataset.with_weights(Array1::ones(60));
    assert_eq!(ForestParams::cart().fit(&weighted).expect_err("refused"), ForestError::Weights);
}

#[test]
fn out_of_bag_scores_agree_with_a_hold_out() {
    let (x, y) = surface(900);
    let forest = fitted(ForestParams::cart().trees(60), &x, &y);
    let out = forest.out_of_bag(x.view(), &y).expect("a bootstrap");
    assert!(out.predictions.iter().flatten().count() > 890);
    assert!(out.r2 > 0.9 && out.r2 < 1.0 - 1e-6, "{}", out.r2);
    let every = fitted(ForestParams::extra_trees().trees(2), &x, &y);
    assert_eq!(every.out_of_bag(x.view(), &y), Err(ForestError::NoBootstrap));
}

#[test]
fn importance_finds_the_feature_that_matters_and_repeats_with_its_seed() {
    let x = Array2::from_shape_fn((400, 3), |(row, column)| ((row * [7, 13, 29][column]) % [5, 11, 17][column]) as f64);
    let y: Vec<f64> = x.column(1).iter().map(|value| value * value).collect();
    let forest = fitted(ForestParams::cart().trees(20), &x, &y);
    let importance = forest.permutation_importance(x.view(), &y, 1, 3).expect("fits");
    assert!(importance[1].increase > 100.0 * importance[0].increase.abs().max(importance[2].increase.abs()), "{importance:?}");
    assert_eq!(importance, forest.permutation_importance(x.view(), &y, 1, 3).expect("fits"));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn predictions_stay_in_the_training_range_and_follow_the_scale(
        values in prop::collection::vec((-4_i8..4, -100.0..100.0_f64, -1e3..1e3_f64), 1..60), kind in 0..5_usize, power in -20..20_i32,
    ) {
        let x = Array2::from_shape_fn((values.len(), 2), |(row, column)| if column == 0 { f64::from(values[row].0) } else { values[row].1 });
        let y: Vec<f64> = values.iter().map(|value| value.2).collect();
        let factor = f64::from(power).exp2();
        let scaled: Vec<f64> = y.iter().map(|y| y * factor).collect();
        let params = all_kinds().swap_remove(kind);
        let far = &x * 3.0 - 5.0;
        let predicted = fitted(params.clone(), &x, &y).try_predict(far.view()).expect("same width");
        let (low, high) = y.iter().fold((f64::MAX, f64::MIN), |(low, high), y| (low.min(*y), high.max(*y)));
        prop_assert!(predicted.iter().all(|p| (low..=high).contains(p)));
        let other = fitted(params, &x, &scaled).try_predict(far.view()).expect("same width");
        prop_assert!(predicted.iter().zip(&other).all(|(p, o)| (p * factor - o).abs() <= 1e-9 * o.abs()), "{predicted:?} {other:?}");
    }

    #[test]
    fn many_valued_features_use_wide_codes_and_agree_with_narrow_ones(seed in 0..40_u64) {
        // 300 distinct values in a useless third column force two-byte codes; its split positions differ, the two others' do not.
        let (x, y) = surface(300);
        let mut wide = x.clone();
        wide.column_mut(2).iter_mut().enumerate().for_each(|(row, value)| *value += row as f64 * 1e-9);
        let params = ForestParams::cart().sampling(Sampling::Every).trees(2).seed(seed);
        let predicted = |x: &Array2<f64>| fitted(params.clone(), x, &y).try_predict(x.view()).expect("same width");
        prop_assert!(predicted(&x).iter().zip(predicted(&wide)).all(|(a, b)| (a - b).abs() < 1e-4));
    }
}
