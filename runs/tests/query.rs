//! A frame answers questions about its rows, or says what is wrong with the question.

use polars::prelude::*;
use tilecast_runs::query::{Aggregate, QueryError, counts, describe, filter, group, parse, select, sort};

fn frame() -> DataFrame {
    df!(
        "source" => ["cpu", "cpu", "cuda", "cuda", "cpu"],
        "device" => ["epyc", "epyc", "rtx-4070", "rtx-4070", "epyc"],
        "family" => ["gemm", "gemm", "gemm", "monarch", "monarch"],
        "status" => ["ok", "ok", "ok", "timeout", "ok"],
        "time_s" => [Some(4e-3), Some(1e-3), Some(2e-3), None, Some(8e-3)],
        "power_w" => [None, None, Some(150.0), None, None::<f64>],
        "is_default" => [Some(true), Some(false), None, Some(false), Some(true)],
        "problem.m" => [64i64, 128, 64, 64, 256],
        "knob.tile_m" => [Some(8i64), Some(16), Some(32), None, Some(8)],
        "knob.order" => [Some("it's"), Some("50%"), Some("a_b"), Some("aXb"), None],
        "extra" => [Some(r#"{"util": 0, "who": "me"}"#), Some(r#"{"util": 100}"#), Some("damaged"), None, Some(r#"{"util": 7.5}"#)],
        "knob.k" => [1i64, 1, 1, 1, 1],
        "problem.k" => [1i64, 1, 1, 1, 1]
    )
    .expect("columns are equally long")
}

/// Numbers of the rows where the expression is true.
fn rows(text: &str) -> Vec<i64> {
    let numbered = frame().with_row_index("row".into(), None).expect("numbered");
    let kept = filter(&numbered, text).unwrap_or_else(|error| panic!("{text}: {error}"));
    let rows = kept.column("row").expect("kept").cast(&DataType::Int64).expect("integers");
    rows.i64().expect("integers").iter().flatten().collect()
}

#[test]
fn an_expression_keeps_the_rows_where_it_is_true() {
    let cases: &[(&str, &[i64])] = &[
        ("time_s < 3e-3", &[1, 2]),
        ("time_s <= 0.002 and source = 'cuda'", &[2]),
        ("source == \"cuda\" or problem.m >= 256", &[2, 3, 4]),
        ("source='cpu' and family='gemm' or status='timeout'", &[0, 1, 3]),
        ("source='cpu' and (family='gemm' or status='timeout')", &[0, 1]),
        ("not source = 'cpu'", &[2, 3]),
        ("not (source = 'cpu' or family = 'monarch')", &[2]),
        ("time_s is null", &[3]),
        ("time_s is not null and power_w IS NOT NULL", &[2]),
        ("tile_m in (8, 32)", &[0, 2, 4]),
        ("tile_m not in (8, 32)", &[1]),
        ("device in ('epyc')", &[0, 1, 4]),
        ("device like 'RTX%'", &[2, 3]),
        ("device not like '%4070'", &[0, 1, 4]),
        ("order like 'a_b'", &[2, 3]),
        ("order = 'it''s'", &[0]),
        ("`knob.order` = '50%'", &[1]),
        ("problem.m between 100 and 256", &[1, 4]),
        ("problem.m not between 100 and 256", &[0, 2, 3]),
        ("is_default", &[0, 4]),
        ("not is_default", &[1, 3]),
        ("is_default = false", &[1, 3]),
        ("is_default != true", &[1, 3]),
        ("problem.m > tile_m and tile_m > 8", &[1, 2]),
        ("3e-3 > time_s", &[1, 2]),
        ("time_s > -1 and power_w > 1_00", &[2]),
        // Null makes unknown: neither the comparison nor its negation holds.
        ("power_w > 100 or time_s > 5e-3", &[2, 4]),
        ("not power_w > 100", &[]),
        ("extra.util < 50", &[0, 4]),
        ("extra.who = 'me'", &[0]),
        ("true", &[0, 1, 2, 3, 4]),
    ];
    for (text, expected) in cases {
        assert_eq!(rows(text), *expected, "{text}");
    }
}

#[test]
fn a_wrong_expression_says_what_stands_where_and_what_may() {
    for (text, message) in [
        ("", "expression ``: found the end at character 1, expected a column or a value"),
        ("time_s <", "found the end at character 9, expected a column or a value"),
        ("time_s < 1 status", "found `status` at character 12, expected `and`, `or` or the end"),
        ("(time_s < 1", "found the end at character 12, expected `)`"),
        ("time_s in 1", "found `1` at character 11, expected `(` and a list of values"),
        ("time_s in (status)", "found `status` at character 12, expected a number or a text in quotes"),
        ("time_s = null", "found `null` at character 10, expected a column or a value; `is null` asks for null"),
        ("status = 'ok", "found `'ok` at character 10, expected a closing quote"),
        ("status like ok", "found `ok` at character 13, expected a pattern in quotes"),
        ("time_s < 1x", "found `1x` at character 10, expected a number"),
        ("time_s < 1e999", "found `1e999` at character 10, expected a number"),
        ("time_s ; 1", "found `;` at character 8, expected a column, a comparison or a value"),
        ("5", "found the end at character 2, expected a comparison"),
        ("time_s not 5", "found `5` at character 12, expected `in`, `like` or `between`"),
        ("tiem_s < 1", "column `tiem_s` is not in the store"),
        ("k = 1", "column `k` may be any of `problem.k`, `knob.k`"),
        ("time_s = 'fast'", "`time_s` holds numbers, compared with text (`'fast'`)"),
        ("status = 1", "`status` holds text, compared with numbers (`1`)"),
        ("status in (1, 'ok')", "`status` holds text, compared with `1`"),
        ("time_s like '1%'", "column `time_s` holds numbers, expected text"),
        ("status", "column `status` holds text, expected a comparison or a flag"),
    ] {
        let error = filter(&frame(), text).expect_err(text);
        assert!(error.to_string().contains(message), "{text}: {error}");
        assert!(error.hint().is_some(), "{text}");
    }
    for (text, advice) in [
        ("tiem_s < 1", "did you mean `time_s`?"),
        ("tile_n = 1", "did you mean `knob.tile_m`?"),
        ("zzzzzzz = 1", "problem axes and knobs: problem.m, knob.tile_m"),
    ] {
        assert!(filter(&frame(), text).expect_err(text).hint().is_some_and(|hint| hint.contains(advice)), "{text}");
    }
}

#[test]
fn nesting_without_end_is_refused_before_the_stack_is_full() {
    for text in [format!("{}time_s < 1", "(".repeat(100_000)), format!("{} is_default", "not ".repeat(100_000))] {
        assert!(matches!(parse(&text), Err(QueryError::Depth { limit: 64 })));
    }
    assert!(parse(&format!("{}time_s < 1{}", "(".repeat(60), ")".repeat(60))).is_ok());
}

#[test]
fn sorting_puts_nulls_last_in_either_direction_and_keeps_the_order_of_equals() {
    for (keys, expected) in [
        (vec!["time_s"], [1, 2, 0, 4, 3]),
        (vec!["-time_s"], [4, 0, 2, 1, 3]),
        (vec!["-source", "tile_m"], [2, 3, 0, 4, 1]),
        (vec!["is_default", "-m"], [1, 3, 4, 0, 2]),
    ] {
        let keys: Vec<String> = keys.into_iter().map(str::to_owned).collect();
        let sorted = sort(&frame().with_row_index("row".into(), None).expect("numbered"), &keys).expect("sorts");
        let rows: Vec<u32> = sorted.column("row").expect("kept").u32().expect("numbers").iter().flatten().collect();
        assert_eq!(rows, expected, "{keys:?}");
    }
}

#[test]
fn chosen_columns_come_in_the_order_asked_under_their_whole_names() {
    let chosen = select(&frame(), &["tile_m", "time_s", "extra.util", "knob.tile_m"].map(str::to_owned)).expect("chosen");
    assert_eq!(chosen.get_column_names_owned(), ["knob.tile_m", "time_s", "extra.util"]);
    assert_eq!(chosen.column("extra.util").expect("there").f64().expect("numbers").get(4), Some(7.5));
    assert!(select(&frame(), &["nothing".to_owned()]).is_err());
}

#[test]
fn groups_are_summed_up_as_worked_out_by_hand() {
    let texts = |list: &[&str]| list.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>();
    let aggregates =
        ["count", "count(time_s)", "min", "median", "p90", "max(problem.m)", "mean", "sum", "std", "distinct(device)"];
    let aggregates: Vec<Aggregate> = aggregates.iter().map(|text| text.parse().expect(text)).collect();
    let groups = group(&frame(), &texts(&["source"]), &aggregates, &[]).expect("grouped");
    let expected = df!(
        "source" => ["cpu", "cuda"], "count" => [3u64, 2], "count(time_s)" => [3u64, 1], "min(time_s)" => [1e-3, 2e-3],
        "median(time_s)" => [4e-3, 2e-3], "p90(time_s)" => [4e-3 + 0.8 * 4e-3, 2e-3], "max(problem.m)" => [256.0, 64.0],
        "mean(time_s)" => [13e-3 / 3.0, 2e-3], "sum(time_s)" => [13e-3, 2e-3],
        "std(time_s)" => [Some((((4e-3 - 13e-3 / 3.0f64).powi(2) + (1e-3 - 13e-3 / 3.0f64).powi(2) + (8e-3 - 13e-3 / 3.0f64).powi(2)) / 2.0).sqrt()), None],
        "distinct(device)" => [1u64, 1]
    )
    .expect("columns are equally long");
    assert_eq!(groups.get_column_names(), expected.get_column_names());
    for (found, wanted) in groups.columns().iter().zip(expected.columns()) {
        match (found.cast(&DataType::Float64), wanted.cast(&DataType::Float64)) {
            (Ok(found), Ok(wanted)) if found.dtype() == &DataType::Float64 && wanted.null_count() < 2 => {
                for (a, b) in found.f64().expect("numbers").iter().zip(wanted.f64().expect("numbers").iter()) {
                    assert_eq!(a.is_some(), b.is_some(), "{}", wanted.name());
                    assert!((a.unwrap_or(0.0) - b.unwrap_or(0.0)).abs() < 1e-12, "{}: {a:?} {b:?}", wanted.name());
                }
            }
            _ => assert_eq!(found, wanted),
        }
    }
    let by_two = group(&frame(), &texts(&["family", "is_default"]), &["count".parse().expect("count")], &[]).expect("grouped");
    assert_eq!(by_two.column("count").expect("counted").u64().expect("counts").iter().flatten().sum::<u64>(), 5);
    assert_eq!(by_two.height(), 5, "null is a group of its own");
    let of = group(&frame(), &texts(&["source"]), &["max".parse().expect("max")], &texts(&["m", "tile_m"])).expect("grouped");
    assert_eq!(of.get_column_names_owned(), ["source", "max(problem.m)", "max(knob.tile_m)"]);
    for (word, message) in [("avg", "unknown aggregate `avg`"), ("p101", "`p101`"), ("max(", "`max(`"), ("p", "`p`")] {
        let error = word.parse::<Aggregate>().expect_err(word);
        assert!(error.to_string().contains(message) && error.hint().is_some(), "{error}");
    }
    let error = group(&frame(), &texts(&["source"]), &["mean(status)".parse().expect("mean")], &[]).expect_err("text");
    assert_eq!(error.to_string(), "column `status` holds text, expected numbers");
}

#[test]
fn columns_and_counts_are_described() {
    let all = describe(&frame()).expect("described");
    let of = |name: &str| all.iter().find(|column| column.name == name).expect(name);
    assert_eq!((of("time_s").kind, of("time_s").present, of("time_s").distinct), ("real", 4, Some(4)));
    assert_eq!((of("time_s").min.as_deref(), of("time_s").max.as_deref()), (Some("0.001"), Some("0.008")));
    assert!(of("time_s").meaning.starts_with("Headline time"));
    assert_eq!((of("knob.order").min.as_deref(), of("is_default").kind), (Some("50%"), "flag"));
    let counts = counts(&frame()).expect("counted");
    assert_eq!((counts.by_source["cpu"], counts.by_device["rtx-4070"], counts.by_status["timeout"]), (3, 2, 1));
}
