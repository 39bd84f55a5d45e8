//! Time by configuration for each problem of a family.

use tilecast_runs::schema::col;

use super::{Figure, Span, anchor, listing};
use crate::chart::Hover;
use crate::chart::ranking::{Bar, Field, POINTS, Ranking};
use crate::contest::{Contest, Entry, ratio};
use crate::number;
use crate::story::{Story, marks, sample};
use crate::table::{Outcome, Run, Value};

/// Panels beyond this move to the table.
const FIELDS: usize = 6;

pub(super) fn figure(story: &Story<'_>, family: &str) -> Option<Figure> {
    let contests: Vec<_> = story.of(family).into_iter().filter(|contest| contest.timed.len() > 1).collect();
    if contests.is_empty() {
        return None;
    }
    let shown = sample(&contests, FIELDS);
    let points: usize = shown.iter().map(|contest| contest.timed.len()).sum();
    let title = title(story, &contests);
    let runs = || contests.iter().flat_map(|contest| &contest.timed).map(|entry| entry.run);
    let statistic = listing(runs().filter_map(|run| run.text(col::time_statistic)));
    let basis = listing(runs().filter_map(|run| run.text(col::time_basis)).filter(|basis| *basis != "unknown"));
    let subtitle = format!(
        "{family}: time per call over the best of the problem, {}; {} in {}{}{}.",
        story.origin,
        number::things(points, "point"),
        number::share_of(shown.len(), contests.len(), "problem"),
        if statistic.is_empty() { String::new() } else { format!("; statistic {statistic}") },
        if basis.is_empty() { String::new() } else { format!(" of {} time", basis.replace('_', " ")) },
    );
    let caption = caption(&shown);
    let label = format!("Time by configuration of {family}: {title}");
    let fields = shown.iter().map(|contest| field(story, contest)).collect();
    let span = if shown.len() == 1 { Span::Column } else { Span::Broad };
    let chart = Box::new(Ranking { label, fields });
    Some(Figure { id: anchor("ranking", family), title, subtitle, caption, span, chart })
}

fn caption(contests: &[&Contest<'_>]) -> String {
    let whiskers = contests.iter().flat_map(|contest| &contest.timed).any(|entry| entry.estimate.interval.is_some());
    let look = "Look at how long the flat part on the left is: many configurations there means the choice is forgiving.";
    if whiskers {
        format!("{look} Whiskers are 95 % bootstrap intervals; neighbours whose whiskers overlap are not ranked by this data.")
    } else {
        format!("{look} These rows carry no intervals, so nothing here says which neighbours differ.")
    }
}

fn title(story: &Story<'_>, contests: &[&Contest<'_>]) -> String {
    let widest = contests.iter().max_by(|a, b| a.spread().total_cmp(&b.spread()));
    let narrowest = contests.iter().map(|contest| contest.spread()).fold(f64::INFINITY, f64::min);
    let Some(widest) = widest else { return String::new() };
    if contests.len() == 1 || number::ratio(narrowest) == number::ratio(widest.spread()) {
        return format!("The slowest configuration takes {} as long as the best", number::ratio(widest.spread()));
    }
    format!(
        "The slowest configuration takes {} to {} as long as the best, most at {}",
        number::ratio(narrowest),
        number::ratio(widest.spread()),
        story.label(widest)
    )
}

fn field(story: &Story<'_>, contest: &Contest<'_>) -> Field {
    let knobs = varying(contest);
    let bars = contest.timed.iter().map(|entry| bar(story, contest, *entry, &knobs)).collect();
    let failed = contest.failed.iter().filter(|run| run.ran()).map(|run| Hover::text(failure(run))).collect();
    Field { title: story.label(contest), subtitle: subtitle(contest), knobs: knobs.join(" "), bars, failed }
}

/// Knobs that take more than one value among the timed configurations.
fn varying<'a>(contest: &Contest<'a>) -> Vec<&'a str> {
    let Some(first) = contest.best() else { return Vec::new() };
    let moves = |name: &str| contest.timed.iter().any(|entry| entry.run.knobs.get(name) != first.run.knobs.get(name));
    first.run.knobs.keys().map(String::as_str).filter(|name| moves(name)).collect()
}

fn subtitle(contest: &Contest<'_>) -> String {
    let mut parts = Vec::new();
    parts.extend(contest.best().map(|best| format!("best {}", number::time(best.estimate.seconds))));
    if let (Some(default), Some(best)) = (contest.default(), contest.best()) {
        parts.push(format!("default {}", number::ratio(ratio(default.estimate, best.estimate).0)));
    }
    if let (Some(recommended), Some(best)) = (contest.recommended(), contest.best()) {
        parts.push(format!("recommended {}", number::ratio(ratio(recommended.estimate, best.estimate).0)));
    }
    let failed = contest.failed.iter().filter(|run| run.ran()).count();
    let words = [(failed, "failed"), (contest.failed.len() - failed, "cannot run")];
    parts.extend(
        words.into_iter().filter(|(count, _)| *count > 0).map(|(count, word)| format!("{} {word}", number::count(count))),
    );
    parts.join(" · ")
}

fn bar(story: &Story<'_>, contest: &Contest<'_>, entry: Entry<'_>, knobs: &[&str]) -> Bar {
    let values: Vec<String> = knobs.iter().filter_map(|knob| entry.run.knobs.get(*knob)).map(Value::label).collect();
    let best = contest.best().map_or(entry.estimate.seconds, |best| best.estimate.seconds);
    let interval = entry.estimate.interval.map(|(low, high)| (low / best, high / best));
    let marks = marks(contest, entry);
    // Beyond this many the points become a line, and only the marked ones can be pointed at.
    let reachable = contest.timed.len() <= POINTS || !marks.is_empty();
    let hover = if reachable { story.hover(entry.run) } else { Hover::default() };
    Bar { name: values.join(" "), slowdown: entry.estimate.seconds / best, interval, marks, hover }
}

fn failure(run: &Run) -> String {
    match &run.outcome {
        Outcome::Failed { status, reason } => format!("{}\n{status}: {reason}", run.config),
        Outcome::Timed(_) => run.config.clone(),
    }
}
