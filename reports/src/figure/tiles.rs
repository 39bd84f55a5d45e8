//! Heat map over the two knobs that move the time of a family most.

use std::collections::{BTreeMap, BTreeSet};

use super::{Figure, Span, anchor};
use crate::chart::Hover;
use crate::chart::heatmap::{Cell, Content, Facet, Heatmap};
use crate::contest::{Contest, Entry};
use crate::number;
use crate::story::{Story, marks, sample};
use crate::table::{Outcome, Run, Value};

/// Facets beyond this move to the table.
const FACETS: usize = 6;
/// A knob with more values than this makes cells too small to read.
const VALUES: usize = 24;

pub(super) fn figure(story: &Story<'_>, family: &str) -> Option<Figure> {
    let contests = story.of(family);
    let (column, row) = knobs(story, &contests)?;
    let shown = sample(&contests, FACETS);
    let columns = values(&shown, &column);
    let rows = values(&shown, &row);
    let grid = Grid { story, column: &column, row: &row, columns: &columns, rows: &rows };
    let facets: Vec<_> = shown.iter().map(|contest| grid.facet(contest)).collect();
    let title = grid.title(&contests);
    let subtitle = format!(
        "{family}: the fastest configuration with each {column} and {row}, over the best of its problem, {}; {}.",
        story.origin,
        number::share_of(facets.len(), contests.len(), "problem")
    );
    let caption = caption(story, family, &column, &row);
    let label = format!("Heat map of {column} and {row}: {title}");
    let names = |values: &[Value]| values.iter().map(Value::label).collect();
    let span = if facets.len() == 1 { Span::Column } else { Span::Broad };
    let chart = Heatmap {
        label,
        column_name: column.clone(),
        row_name: row.clone(),
        columns: names(&columns),
        rows: names(&rows),
        facets,
    };
    Some(Figure { id: anchor("tiles", family), title, subtitle, caption, span, chart: Box::new(chart) })
}

fn caption(story: &Story<'_>, family: &str, column: &str, row: &str) -> String {
    let words = story.input.families.iter().find(|words| words.id == family).map(|words| words.look_at.as_str());
    let general = format!(
        "The best cell of each problem is outlined. Every cell takes the best over all other knobs, so a dark cell is slow whatever \
         the others are; a bright one is fast only with the right others. Empty cells were not measured. Knobs other than {column} and {row} are in the hover text."
    );
    match words.filter(|words| !words.is_empty()) {
        Some(words) => format!("{words} {general}"),
        None => general,
    }
}

/// A knob that could be an axis.
struct Axis {
    name: String,
    values: Vec<Value>,
    importance: Option<f64>,
    spread: f64,
}

/// The two knobs to plot: by the model's importance where it ranks at least two of them, else by how far the best time moves.
fn knobs(story: &Story<'_>, contests: &[&Contest<'_>]) -> Option<(String, String)> {
    let names: BTreeSet<&String> =
        contests.iter().flat_map(|contest| &contest.timed).flat_map(|entry| entry.run.knobs.keys()).collect();
    let axis = |name: &String| {
        let values = values(contests, name);
        let plottable = (2..=VALUES).contains(&values.len());
        plottable.then(|| Axis { importance: weight(story, name), spread: spread(contests, name), name: name.clone(), values })
    };
    let mut axes: Vec<Axis> = names.into_iter().filter_map(axis).collect();
    let numeric = |axis: &Axis| axis.values.iter().all(|value| value.number().is_some());
    if axes.iter().filter(|axis| numeric(axis)).count() >= 2 {
        axes.retain(numeric);
    }
    let ranked = axes.iter().filter(|axis| axis.importance.is_some()).count() >= 2;
    let rank = |axis: &Axis| if ranked { axis.importance.unwrap_or(0.0) } else { axis.spread };
    axes.sort_by(|a, b| rank(b).total_cmp(&rank(a)).then(a.name.cmp(&b.name)));
    let [first, second, ..] = axes.as_slice() else { return None };
    // The knob with more values lies along the page, which is wider than high.
    let (column, row) = if second.values.len() > first.values.len() { (second, first) } else { (first, second) };
    Some((column.name.clone(), row.name.clone()))
}

fn weight(story: &Story<'_>, knob: &str) -> Option<f64> {
    let feature = format!("knob.{knob}");
    story.input.importance.iter().find(|one| one.feature == feature).map(|one| one.value)
}

/// Largest ratio, over problems, between the best times at the worst and the best value of `knob`.
fn spread(contests: &[&Contest<'_>], knob: &str) -> f64 {
    let of = |contest: &&Contest<'_>| {
        let mut best: Vec<(&Value, f64)> = Vec::new();
        for entry in &contest.timed {
            let Some(value) = entry.run.knobs.get(knob) else { continue };
            // Entries come fastest first: the first of a value is its best.
            if best.iter().all(|(seen, _)| *seen != value) {
                best.push((value, entry.estimate.seconds));
            }
        }
        best.last().zip(best.first()).map_or(1.0, |(slow, fast)| slow.1 / fast.1)
    };
    contests.iter().map(of).fold(1.0, f64::max)
}

fn values(contests: &[&Contest<'_>], knob: &str) -> Vec<Value> {
    let runs =
        contests.iter().flat_map(|contest| contest.timed.iter().map(|entry| entry.run).chain(contest.failed.iter().copied()));
    let mut values: Vec<Value> = Vec::new();
    for value in runs.filter_map(|run| run.knobs.get(knob)) {
        if !values.contains(value) {
            values.push(value.clone());
        }
    }
    values.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
    values
}

struct Grid<'g> {
    story: &'g Story<'g>,
    column: &'g str,
    row: &'g str,
    columns: &'g [Value],
    rows: &'g [Value],
}

type Place = (usize, usize);

impl Grid<'_> {
    fn place(&self, run: &Run) -> Option<Place> {
        let index = |values: &[Value], knob: &str| values.iter().position(|value| Some(value) == run.knobs.get(knob));
        Some((index(self.columns, self.column)?, index(self.rows, self.row)?))
    }

    fn facet(&self, contest: &Contest<'_>) -> Facet {
        let mut timed: BTreeMap<Place, Vec<Entry<'_>>> = BTreeMap::new();
        for entry in &contest.timed {
            if let Some(place) = self.place(entry.run) {
                timed.entry(place).or_default().push(*entry);
            }
        }
        let mut failed: BTreeMap<Place, Vec<&Run>> = BTreeMap::new();
        for run in &contest.failed {
            if let Some(place) = self.place(run).filter(|place| !timed.contains_key(place)) {
                failed.entry(place).or_default().push(run);
            }
        }
        let illegal = failed.into_iter().map(|(place, runs)| self.illegal(place, &runs));
        let cells = timed.iter().map(|(place, entries)| self.timed(contest, *place, entries)).chain(illegal).collect();
        let best = contest.best().map(|entry| number::time(entry.estimate.seconds)).unwrap_or_default();
        Facet { title: format!("{} · best {best}", self.story.label(contest)), cells }
    }

    fn timed(&self, contest: &Contest<'_>, (column, row): Place, entries: &[Entry<'_>]) -> Cell {
        let fastest = entries[0];
        let best = contest.best().map_or(fastest.estimate.seconds, |entry| entry.estimate.seconds);
        let mut carried: Vec<_> = entries.iter().flat_map(|entry| marks(contest, *entry)).collect();
        carried.sort();
        carried.dedup();
        let mut hover = self.story.hover(fastest.run);
        if entries.len() > 1 {
            hover.text = format!("best of {}\n{}", number::things(entries.len(), "configuration"), hover.text);
        }
        Cell { column, row, content: Content::Slowdown(fastest.estimate.seconds / best), marks: carried, hover }
    }

    fn illegal(&self, (column, row): Place, runs: &[&Run]) -> Cell {
        let mut reasons: Vec<String> = Vec::new();
        for run in runs {
            if let Outcome::Failed { status, reason } = &run.outcome {
                let words = if reason.is_empty() { status.clone() } else { format!("{status}: {reason}") };
                if !reasons.contains(&words) {
                    reasons.push(words);
                }
            }
        }
        reasons.truncate(3);
        let hover = Hover::text(format!(
            "{}={} {}={}\n{}",
            self.column,
            self.columns[column].label(),
            self.row,
            self.rows[row].label(),
            reasons.join("\n")
        ));
        Cell { column, row, content: Content::Illegal, marks: Vec::new(), hover }
    }

    /// The pair that is fastest most often, or that there is none.
    fn title(&self, contests: &[&Contest<'_>]) -> String {
        let mut wins: BTreeMap<Place, usize> = BTreeMap::new();
        for place in contests.iter().filter_map(|contest| self.place(contest.best()?.run)) {
            *wins.entry(place).or_default() += 1;
        }
        let (column, row) = (self.column, self.row);
        match wins.iter().max_by_key(|(_, count)| **count) {
            Some((place, &count)) if count * 2 > contests.len() => {
                let pair = format!("{column} {} with {row} {}", self.columns[place.0].label(), self.rows[place.1].label());
                if contests.len() == 1 {
                    format!("{pair} is fastest")
                } else {
                    format!("{pair} is fastest for {count} of {} problems", contests.len())
                }
            }
            _ => format!(
                "No one pair of {column} and {row} wins: {} different pairs are fastest for {}",
                wins.len(),
                number::things(contests.len(), "problem")
            ),
        }
    }
}
