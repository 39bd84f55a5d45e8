//! Tables for looking up.

use std::collections::BTreeMap;

use maud::{Markup, html};

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

fn problems(story: &Story<'_>) -> Option<Markup> {
    let contests: Vec<_> = story.timed().collect();
    if contests.is_empty() {
        return None;
    }
    let families = story.families().len() > 1;
    Some(html! {
        h3 id="problems" { "Best, default and worst of each problem" }
        p class="soft" { "Times are " (story.origin) "; ratios are over the best of the problem, with the widest interval that both times allow." }
        div class="scroll broad" { table {
            thead { tr {
                @if families { th { "family" } }
                th { "problem" } th class="n" { "timed" } th { "best configuration" } th class="n" { "best time" } th class="n" { "rate" } th class="n" { "default" } th class="n" { "worst" }
            } }
            tbody { @for contest in contests.iter().take(ROWS) { (problem(story, contest, families)) } }
        } }
        @if contests.len() > ROWS { p class="soft" { "The first " (ROWS) " of " (number::count(contests.len())) " problems." } }
    })
}

fn problem(story: &Story<'_>, contest: &Contest<'_>, families: bool) -> Markup {
    let over_best = |entry: Option<Entry<'_>>| {
        let (entry, best) = entry.zip(contest.best())?;
        let (value, interval) = ratio(entry.estimate, best.estimate);
        Some(number::ratio_with_interval(value, interval))
    };
    let Some(best) = contest.best() else { return html! {} };
    html! {
        tr {
            @if families { td class="k" { (contest.family) } }
            td class="k" title=(contest.problem) { (story.label(contest)) }
            td class="n" { (number::count(contest.timed.len())) }
            td class="mono" { (best.run.config) }
            td class="n" { (time(Some(best.estimate))) }
            td class="n" { (best.run.flop_per_s().map_or_else(dash, |rate| number::si(rate, "FLOP/s"))) }
            td class="n" { (over_best(contest.default()).unwrap_or_else(dash)) }
            td class="n" { (over_best(contest.worst()).unwrap_or_else(dash)) }
        }
    }
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

fn recommendation(story: &Story<'_>, one: &Recommendation) -> Markup {
    let mut rows: Vec<(String, &Candidate)> = Vec::new();
    rows.extend(one.default.as_ref().map(|candidate| ("default".to_owned(), candidate)));
    rows.push(("recommended".into(), &one.recommended));
    let rest = one.top.iter().enumerate().filter(|(_, candidate)| candidate.config != one.recommended.config);
    rows.extend(rest.map(|(index, candidate)| (format!("no. {} of the ranking", index + 1), candidate)));
    rows.extend(one.exhaustive.as_ref().map(|candidate| ("best of an exhaustive sweep".to_owned(), candidate)));
    let base = one.default.as_ref().and_then(|candidate| candidate.measured);
    html! {
        h3 {
            (one.family) " at " (story.label_of(&one.family, &one.problem))
            @if one.held_out { span class="soft" { " · not in the training data" } }
        }
        div class="scroll" { table {
            thead { tr { th { "what" } th { "configuration" } th class="n" { "predicted" } th class="n" { "re-measured" } th class="n" { "over default" } } }
            tbody { @for (what, candidate) in rows { tr {
                td class="k" { (what) }
                td class="mono" { (candidate.config) }
                td class="n" { (time(candidate.predicted)) }
                td class="n" { (measured(Some(candidate))) }
                td class="n" { (gain(base, candidate)) }
            } } }
        } }
    }
}

fn gain(base: Option<Estimate>, candidate: &Candidate) -> String {
    let pair = base.zip(candidate.measured);
    pair.map_or_else(dash, |(base, own)| {
        let (value, interval) = ratio(base, own);
        number::ratio_with_interval(value, interval)
    })
}

/// Reason, how many, and one configuration of each, most frequent first.
fn failures(story: &Story<'_>) -> Option<Markup> {
    let mut groups: BTreeMap<(&str, &str, &str), (usize, &str)> = BTreeMap::new();
    for run in story.runs {
        if let Outcome::Failed { status, reason } = &run.outcome {
            groups.entry((&run.family, status, reason)).or_insert((0, &run.config)).0 += 1;
        }
    }
    if groups.is_empty() {
        return None;
    }
    let mut rows: Vec<_> = groups.into_iter().collect();
    rows.sort_by(|a, b| b.1.0.cmp(&a.1.0).then(a.0.cmp(&b.0)));
    Some(html! {
        h3 id="failures" { "Rows without a time, by reason" }
        div class="scroll" { table {
            thead { tr { th class="n" { "rows" } th { "family" } th { "status" } th { "reason" } th { "for example" } } }
            tbody { @for ((family, status, reason), (count, config)) in rows.iter().take(ROWS) { tr {
                td class="n" { (number::count(*count)) }
                td class="k" { (family) }
                td class="k" { (status.replace('_', " ")) }
                td { @if reason.is_empty() { "none given" } @else { (super::prose(reason)) } }
                td class="mono" { (config) }
            } } }
        } }
        @if rows.len() > ROWS { p class="soft" { "The " (ROWS) " most frequent of " (number::count(rows.len())) " reasons." } }
    })
}

fn skips(story: &Story<'_>) -> Option<Markup> {
    let mut skips: Vec<_> = story.input.skips.iter().collect();
    if skips.is_empty() {
        return None;
    }
    skips.sort_by(|a, b| b.count.cmp(&a.count).then(a.reason.cmp(&b.reason)));
    Some(html! {
        h3 id="skips" { "Left out by the plan, by reason" }
        div class="scroll" { table {
            thead { tr { th class="n" { "configurations" } th { "family" } th { "reason" } th { "for example" } } }
            tbody { @for skip in skips.iter().take(ROWS) { tr {
                td class="n" { (number::count(skip.count)) }
                td class="k" { (skip.family) }
                td { (super::prose(&skip.reason)) }
                td class="mono" { (skip.config) }
            } } }
        } }
    })
}
