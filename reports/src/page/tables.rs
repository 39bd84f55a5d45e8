//! Tables for looking up.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::grid::{Kind, Reach, cell, grid};
use crate::contest::{Contest, Entry, ratio};
use crate::findings::measured;
use crate::input::{Candidate, Estimate, Recommendation};
use crate::number;
use crate::story::Story;
use crate::table::Outcome;

/// Rows beyond this are left to the store: nobody looks them up on a page.
const ROWS: usize = 200;

pub(super) fn section(story: &Story<'_>) -> Markup {
    let parts = [problems(story), recommendations(story), failures(story), skips(story)];
    html! {
        @if parts.iter().any(Option::is_some) {
            section id="tables" {
                h2 { "Tables" }
                @for part in parts.into_iter().flatten() { (part) }
            }
        }
    }
}

const PROBLEM_HEADS: [(&str, Kind); 8] = [
    ("family", Kind::Short),
    ("problem", Kind::Text),
    ("timed", Kind::Number),
    ("best configuration", Kind::Config),
    ("best time", Kind::Number),
    ("rate", Kind::Number),
    ("default", Kind::Number),
    ("worst", Kind::Number),
];

fn problems(story: &Story<'_>) -> Option<Markup> {
    let contests: Vec<_> = story.timed().collect();
    if contests.is_empty() {
        return None;
    }
    let rows: Vec<_> = contests.iter().take(ROWS).filter_map(|contest| problem(story, contest)).collect();
    Some(html! {
        h3 id="problems" { "Best, default and worst of each problem" }
        p class="soft" { "Times are " (story.origin) "; ratios are over the best of the problem, with the widest interval that both times allow." }
        (grid(Reach::Broad, &PROBLEM_HEADS, &rows))
        @if contests.len() > ROWS { p class="soft" { "The first " (ROWS) " of " (number::count(contests.len())) " problems." } }
    })
}

fn problem(story: &Story<'_>, contest: &Contest<'_>) -> Option<Vec<Markup>> {
    let best = contest.best()?;
    let over_best = |entry: Option<Entry<'_>>| {
        let ratio = entry.map(|entry| ratio(entry.estimate, best.estimate));
        cell(ratio.map_or_else(dash, |(value, interval)| number::ratio_with_interval(value, interval)))
    };
    Some(vec![
        cell(contest.family),
        html! { span title=(contest.problem) { (story.label(contest)) } },
        cell(number::count(contest.timed.len())),
        cell(&best.run.config),
        cell(time(Some(best.estimate))),
        cell(best.run.flop_per_s().map_or_else(dash, |rate| number::si(rate, "FLOP/s"))),
        over_best(contest.default()),
        over_best(contest.worst()),
    ])
}

fn dash() -> String {
    "–".into()
}

fn time(estimate: Option<Estimate>) -> String {
    estimate.map_or_else(dash, |time| number::time_with_interval(time.seconds, time.interval))
}

fn recommendations(story: &Story<'_>) -> Option<Markup> {
    let all = &story.input.recommendations;
    if all.is_empty() {
        return None;
    }
    Some(html! {
        h3 id="recommendations" { "Recommendations and their re-measurement" }
        p class="soft" { "The ranking is the model's; the re-measurement puts the default beside the first of the ranking in the same interleaved rounds." }
        @for one in all { (recommendation(story, one)) }
    })
}

const RECOMMENDATION_HEADS: [(&str, Kind); 5] = [
    ("what", Kind::Short),
    ("configuration", Kind::Config),
    ("predicted", Kind::Number),
    ("re-measured", Kind::Number),
    ("over default", Kind::Number),
];

fn recommendation(story: &Story<'_>, one: &Recommendation) -> Markup {
    let mut rows: Vec<(String, &Candidate)> = Vec::new();
    rows.extend(one.default.as_ref().map(|candidate| ("default".to_owned(), candidate)));
    rows.push(("recommended".into(), &one.recommended));
    let rest = one.top.iter().enumerate().filter(|(_, candidate)| candidate.config != one.recommended.config);
    rows.extend(rest.map(|(index, candidate)| (format!("no. {} of the ranking", index + 1), candidate)));
    rows.extend(one.exhaustive.as_ref().map(|candidate| ("best of an exhaustive sweep".to_owned(), candidate)));
    let base = one.default.as_ref().and_then(|candidate| candidate.measured);
    let cells = |(what, candidate): &(String, &Candidate)| {
        vec![
            cell(what),
            cell(&candidate.config),
            cell(time(candidate.predicted)),
            cell(measured(Some(candidate))),
            cell(gain(base, candidate)),
        ]
    };
    let rows: Vec<_> = rows.iter().map(cells).collect();
    html! {
        h3 {
            (one.family) " at " (story.label_of(&one.family, &one.problem))
            @if one.held_out { span class="soft" { " · not in the training data" } }
        }
        (grid(Reach::Column, &RECOMMENDATION_HEADS, &rows))
    }
}

fn gain(base: Option<Estimate>, candidate: &Candidate) -> String {
    let pair = base.zip(candidate.measured);
    pair.map_or_else(dash, |(base, own)| {
        let (value, interval) = ratio(base, own);
        number::ratio_with_interval(value, interval)
    })
}

/// Reasons that differ in figures alone.
#[derive(Default)]
struct Alike<'a> {
    rows: usize,
    /// Reason → rows, and a configuration.
    reasons: BTreeMap<&'a str, (usize, &'a str)>,
}

/// Reason, how many, and one configuration of each, most frequent first. What differs in figures alone, as where one rule refuses many sizes, is one entry.
fn failures(story: &Story<'_>) -> Option<Markup> {
    let mut groups: BTreeMap<(&str, &str, String), Alike<'_>> = BTreeMap::new();
    for run in story.runs {
        if let Outcome::Failed { status, reason } = &run.outcome {
            let words = reason.chars().filter(|c| !c.is_ascii_digit()).collect();
            let alike = groups.entry((&run.family, status, words)).or_default();
            alike.rows += 1;
            alike.reasons.entry(reason).or_insert((0, &run.config)).0 += 1;
        }
    }
    if groups.is_empty() {
        return None;
    }
    let mut rows: Vec<_> = groups.into_iter().collect();
    rows.sort_by(|a, b| b.1.rows.cmp(&a.1.rows).then(a.0.cmp(&b.0)));
    let heads = [
        ("rows", Kind::Number),
        ("family", Kind::Short),
        ("status", Kind::Short),
        ("reason", Kind::Text),
        ("for example", Kind::Config),
    ];
    let cells = rows.iter().take(ROWS).filter_map(|((family, status, _), alike)| {
        // Of equally frequent ones the first by text.
        let (reason, (_, config)) = alike.reasons.iter().min_by_key(|(_, (rows, _))| std::cmp::Reverse(*rows))?;
        let reason = html! {
            (super::prose(if reason.is_empty() { "none given" } else { reason }))
            @if alike.reasons.len() > 1 { span class="soft" { " · and " (number::count(alike.reasons.len() - 1)) " more with other figures" } }
        };
        Some(vec![cell(number::count(alike.rows)), cell(family), cell(status.replace('_', " ")), reason, cell(config)])
    });
    Some(html! {
        h3 id="failures" { "Rows without a time, by reason" }
        (grid(Reach::Column, &heads, &cells.collect::<Vec<_>>()))
        @if rows.len() > ROWS { p class="soft" { "The " (ROWS) " most frequent of " (number::count(rows.len())) " reasons." } }
    })
}

fn skips(story: &Story<'_>) -> Option<Markup> {
    let mut skips: Vec<_> = story.input.skips.iter().collect();
    if skips.is_empty() {
        return None;
    }
    skips.sort_by(|a, b| b.count.cmp(&a.count).then(a.reason.cmp(&b.reason)));
    let heads = [("times", Kind::Number), ("family", Kind::Short), ("reason", Kind::Text), ("for example", Kind::Config)];
    let cells = skips
        .iter()
        .take(ROWS)
        .map(|skip| vec![cell(number::count(skip.count)), cell(&skip.family), super::prose(&skip.reason), cell(&skip.config)]);
    Some(html! {
        h3 id="skips" { "Left out by the plan, by reason" }
        (grid(Reach::Column, &heads, &cells.collect::<Vec<_>>()))
    })
}
