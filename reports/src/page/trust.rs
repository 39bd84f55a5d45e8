//! How far the numbers can be trusted: noise, drift, verification, splits, and where the time of the sweep went.

use std::collections::{BTreeMap, BTreeSet};

use maud::{Markup, html};
use tilecast_models::Score;
use tilecast_runs::schema::col;

use super::figure;
use super::grid::{Kind, Reach, cell, grid};
use crate::figure::{Figures, MeasuredRoof, roofs};
use crate::input::Overhead;
use crate::number;
use crate::story::Story;
use crate::table::{Origin, Outcome, Run};

pub(super) fn section(story: &Story<'_>, figures: &Figures) -> Markup {
    let facts = facts(story);
    html! {
        section id="trust" {
            h2 { "Trust" }
            @for one in &figures.trust { (figure(one)) }
            @if !facts.is_empty() { dl { @for (name, value) in facts { dt { (name) } dd { (value) } } } }
            (scores(story))
            (roof_table(story))
            (overhead(story))
        }
    }
}

type Fact = (&'static str, String);

fn facts(story: &Story<'_>) -> Vec<Fact> {
    let timed: Vec<&Run> = story.runs.iter().filter(|run| run.seconds().is_some()).collect();
    let mut facts = vec![("origin", format!("every time is {}", story.origin))];
    facts.extend(verification(story));
    facts.extend(tally("timed by", &timed, col::time_basis));
    facts.extend(tally("statistic", &timed, col::time_statistic));
    facts.extend(tally("stopped by", &timed, col::stop_reason));
    facts.extend(range("samples per point", &timed, col::samples, |value| format!("{value:.0}")));
    facts.extend(range("noise", &timed, col::noise, number::percent));
    facts.extend(range("drift of the reference", &timed, col::drift, number::percent));
    facts.extend(contention(&timed));
    facts.extend(tally("energy", &timed, col::energy_source));
    facts
}

fn verification(story: &Story<'_>) -> Vec<Fact> {
    let wrong =
        story.runs.iter().filter(|run| matches!(&run.outcome, Outcome::Failed { status, .. } if status == "incorrect")).count();
    let checked: Vec<f64> =
        story.runs.iter().filter(|run| run.seconds().is_some()).filter_map(|run| run.number(col::err_bound_ratio)).collect();
    let timed = story.runs.iter().filter(|run| run.seconds().is_some()).count();
    let imported = story.runs.iter().any(|run| matches!(run.origin, Origin::Imported(_)));
    let unchecked = timed - checked.len();
    let mut text = match checked.iter().copied().reduce(f64::max) {
        Some(worst) => format!(
            "{} of {} checked against an f64 reference; the largest error is {} of its bound",
            number::count(checked.len()),
            number::things(timed, "timed row"),
            number::percent(worst)
        ),
        None => format!("none of {} was checked against a reference here", number::things(timed, "timed row")),
    };
    let sampled: Vec<f64> =
        story.runs.iter().filter_map(|run| run.number(col::checked_share)).filter(|&share| share < 1.0).collect();
    if let Some(least) = sampled.iter().copied().reduce(f64::min) {
        text +=
            &format!("; {} by a sample of its rows, {} of them at least", number::count(sampled.len()), number::percent(least));
    }
    if unchecked > 0 && imported {
        text += "; imported rows are as good as the tool they come from";
    }
    if wrong > 0 || !checked.is_empty() {
        text += &format!("; {} wrong", number::things(wrong, "result"));
    }
    vec![("verification", text)]
}

/// `value: rows` for each value of a text column.
fn tally(name: &'static str, runs: &[&Run], column: &'static str) -> Option<Fact> {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for value in runs.iter().filter_map(|run| run.text(column)) {
        *counts.entry(value).or_default() += 1;
    }
    let parts: Vec<String> =
        counts.into_iter().map(|(value, count)| format!("{} ({})", value.replace('_', " "), number::count(count))).collect();
    (!parts.is_empty()).then(|| (name, parts.join(", ")))
}

fn range(name: &'static str, runs: &[&Run], column: &'static str, words: impl Fn(f64) -> String) -> Option<Fact> {
    let (low, high) = crate::chart::axis::ends(runs.iter().filter_map(|run| run.number(column)))?;
    let text = if (high - low).abs() < f64::EPSILON { words(low) } else { format!("{} to {}", words(low), words(high)) };
    Some((name, text))
}

fn contention(runs: &[&Run]) -> Option<Fact> {
    let shares: Vec<f64> = runs.iter().filter_map(|run| run.number(col::contended_share)).collect();
    let disturbed = shares.iter().filter(|share| **share > 0.0).count();
    (!shares.is_empty()).then(|| {
        (
            "contention",
            format!(
                "{} of {} had a sample whose wall time exceeded its CPU time by more than 5\u{a0}%",
                number::count(disturbed),
                number::things(shares.len(), "point")
            ),
        )
    })
}

const SCORE_HEADS: [(&str, Kind); 13] = [
    ("target", Kind::Short),
    ("held out by", Kind::Short),
    ("preset", Kind::Short),
    ("train", Kind::Number),
    ("test", Kind::Number),
    ("MAPE", Kind::Number),
    ("median APE", Kind::Number),
    ("R²", Kind::Number),
    ("R² log", Kind::Number),
    ("τ", Kind::Number),
    ("top 1", Kind::Number),
    ("top 5", Kind::Number),
    ("in 90 %", Kind::Number),
];

fn scores(story: &Story<'_>) -> Markup {
    let rows: Vec<_> = story.input.scores.iter().map(score).collect();
    html! {
        @if !rows.is_empty() {
            h3 id="scores" { "Scores by split" }
            p class="soft" {
                "Rows are held out at random (rows), by problem size (shape) or by configuration (config), and never fitted. τ is Kendall's rank correlation within \
                 a problem on one device in one cache mode; top 1 and top 5 are what the first and the best of the first five choices lose to the fastest; the last column is the share of rows inside their 90 % interval."
            }
            (grid(Reach::Column, &SCORE_HEADS, &rows))
        }
    }
}

fn score(score: &Score) -> Vec<Markup> {
    let optional = |value: Option<f64>, words: fn(f64) -> String| cell(value.map_or_else(|| "–".into(), words));
    let three = |value: f64| number::figures(value, 3);
    vec![
        cell(score.target.name()),
        cell(score.split.name()),
        cell(score.preset.name()),
        cell(number::count(score.n_train)),
        cell(number::count(score.n_test)),
        cell(number::percent(score.mape)),
        cell(number::percent(score.mdape)),
        optional(score.r2, three),
        optional(score.r2_log, three),
        optional(score.tau, three),
        cell(number::percent(score.top1)),
        cell(number::percent(score.top5)),
        optional(score.coverage, number::percent),
    ]
}

/// Every roof as the rows carry it; the chart shows those that bound its points.
fn roof_table(story: &Story<'_>) -> Markup {
    let devices: BTreeSet<&str> = story.runs.iter().map(|run| run.device.as_str()).collect();
    let rows: Vec<_> = devices.into_iter().flat_map(|device| device_roofs(story, device)).collect();
    let heads = [("device", Kind::Short), ("roof", Kind::Text), ("value", Kind::Number), ("spread", Kind::Number)];
    html! {
        @if !rows.is_empty() {
            h3 id="roofs" { "Roofs" }
            (grid(Reach::Column, &heads, &rows))
        }
    }
}

fn device_roofs(story: &Story<'_>, device: &str) -> Vec<Vec<Markup>> {
    let row = |measured: MeasuredRoof| {
        let roof = &measured.roof;
        let unit = roof.limit.unit();
        let spread = roof
            .spread
            .map_or_else(|| "nominal".into(), |(low, high)| format!("{} to {}", number::si(low, unit), number::si(high, unit)));
        vec![cell(device), cell(measured.full_name()), cell(number::si(roof.value, unit)), html! { (spread) }]
    };
    roofs(story.runs.iter().filter(|run| run.device == device)).into_iter().map(row).collect()
}

fn overhead(story: &Story<'_>) -> Markup {
    let parts = &story.input.overhead;
    let total: f64 = parts.iter().map(|part| part.seconds).sum();
    let row =
        |part: &Overhead| vec![cell(&part.part), cell(number::time(part.seconds)), cell(number::percent(part.seconds / total))];
    let heads = [("part", Kind::Short), ("time", Kind::Number), ("share", Kind::Number)];
    html! {
        @if total > 0.0 {
            h3 id="overhead" { "Where the time of the sweep went" }
            (grid(Reach::Column, &heads, &parts.iter().map(row).collect::<Vec<_>>()))
        }
    }
}
