//! A structured family against the dense rival it would replace.

use std::collections::BTreeMap;

use tilecast_runs::schema::col;

use super::{Figure, Span, anchor};
use crate::chart::speedup::{Line, Plot, Quantity, Reading, Speedup};
use crate::contest::{Contest, Entry, ratio};
use crate::number;
use crate::story::Story;
use crate::table::{Role, Run, Value};

/// Lines beyond this would need a second figure.
const LINES: usize = 6;

/// A problem on which the family and its dense rival were both timed.
pub(crate) struct Rivalry<'a> {
    pub(crate) structured: Entry<'a>,
    pub(crate) dense: Entry<'a>,
    pub(crate) label: String,
    size: f64,
    line: String,
}

impl<'a> Rivalry<'a> {
    /// Dense time over structured time, with the widest interval their own allow.
    pub(crate) fn speedup(&self) -> (f64, Option<(f64, f64)>) {
        ratio(self.dense.estimate, self.structured.estimate)
    }

    /// Whether there are sizes enough to draw.
    pub(crate) fn has_figure(all: &[Self]) -> bool {
        all.iter().any(|one| one.size > all[0].size)
    }

    /// Size on the axis of the figure.
    pub(crate) fn size(&self) -> f64 {
        self.size
    }

    /// All rivalries of `family` by ascending size, and the name of the axis that is their size.
    pub(crate) fn all(story: &Story<'a>, family: &str) -> Option<(String, Vec<Self>)> {
        let pairs: Vec<_> =
            story.contests.iter().filter(|contest| contest.family == family).filter_map(|contest| pair(story, contest)).collect();
        let size = size_axis(&pairs)?;
        let others = free_axes(&pairs, &size);
        let rivalry = |(contest, structured, dense): &Pair<'_, 'a>| {
            let axes = &structured.run.axes;
            let line: Vec<String> =
                others.iter().filter_map(|name| Some(format!("{name}={}", axes.get(name)?.label()))).collect();
            let size = axes.get(&size)?.number()?;
            let line = if line.is_empty() { family.to_owned() } else { line.join(" ") };
            Some(Self { structured: *structured, dense: *dense, label: story.label(contest), size, line })
        };
        let mut all: Vec<_> = pairs.iter().filter_map(rivalry).collect();
        all.sort_by(|a, b| a.size.total_cmp(&b.size));
        Some((size, all))
    }

    /// Size at which the speed-up passes 1, between the two sizes around it (straight in log–log); from the first line only.
    pub(crate) fn crossover(all: &[Self]) -> Option<f64> {
        let line: Vec<&Self> = all.iter().filter(|one| one.line == all[0].line).collect();
        line.windows(2).find_map(|pair| {
            let (a, b) = (pair[0].speedup().0.ln(), pair[1].speedup().0.ln());
            (a < 0.0 && b >= 0.0).then(|| (pair[0].size.ln() + (pair[1].size / pair[0].size).ln() * (-a / (b - a))).exp())
        })
    }
}

type Pair<'b, 'a> = (&'b Contest<'a>, Entry<'a>, Entry<'a>);

fn pair<'b, 'a>(story: &Story<'a>, contest: &'b Contest<'a>) -> Option<Pair<'b, 'a>> {
    let rival = |run: &&Run| {
        matches!(&run.role, Role::Baseline(of) if of == contest.problem_id)
            && run.device == contest.device
            && run.cache_mode == contest.cache_mode
    };
    let entries = story.runs.iter().filter(rival).filter_map(|run| Some(Entry { run, estimate: run.estimate()? }));
    let dense = entries.min_by(|a, b| a.estimate.seconds.total_cmp(&b.estimate.seconds))?;
    Some((contest, contest.best()?, dense))
}

/// The numeric axis with the most values; of equals the one whose name is `n` or begins with it, then the first.
fn size_axis(pairs: &[Pair<'_, '_>]) -> Option<String> {
    let mut values: BTreeMap<&String, Vec<f64>> = BTreeMap::new();
    for (_, entry, _) in pairs {
        for (name, value) in &entry.run.axes {
            let Some(value) = value.number() else { continue };
            let seen = values.entry(name).or_default();
            if !seen.contains(&value) {
                seen.push(value);
            }
        }
    }
    values
        .into_iter()
        .max_by_key(|(name, seen)| (seen.len(), name.as_str() == "n", name.starts_with('n'), std::cmp::Reverse((*name).clone())))
        .map(|(name, _)| name.clone())
}

/// Axes that take more than one value at the same size: they make lines apart.
fn free_axes(pairs: &[Pair<'_, '_>], size: &str) -> Vec<String> {
    let mut free = Vec::new();
    for name in pairs.iter().flat_map(|(_, entry, _)| entry.run.axes.keys()).filter(|name| *name != size) {
        let mut seen: Vec<(Option<&Value>, Option<&Value>)> = Vec::new();
        for (_, entry, _) in pairs {
            let key = (entry.run.axes.get(size), entry.run.axes.get(name));
            if !seen.contains(&key) {
                seen.push(key);
            }
        }
        let mut sizes: Vec<_> = seen.iter().map(|(size, _)| *size).collect();
        sizes.sort_by(|a, b| a.partial_cmp(b).unwrap_or(std::cmp::Ordering::Equal));
        sizes.dedup();
        if seen.len() > sizes.len() && !free.contains(name) {
            free.push(name.clone());
        }
    }
    free
}

pub(super) fn figure(story: &Story<'_>, family: &str) -> Option<Figure> {
    let (size, all) = Rivalry::all(story, family)?;
    // One size makes no line: its numbers are a finding and a row of the table.
    if !Rivalry::has_figure(&all) {
        return None;
    }
    let mut names: Vec<String> = Vec::new();
    for one in &all {
        if !names.contains(&one.line) {
            names.push(one.line.clone());
        }
    }
    names.truncate(LINES);
    let crossover = Rivalry::crossover(&all);
    let title = title(family, &size, &all, crossover);
    let subtitle = format!(
        "{family} at its best configuration against the dense product it replaces, both {} in the same sweep; {} by {size}.",
        story.origin,
        number::things(all.len(), "problem")
    );
    let caption = "Above the line at 1 the structured product is faster. Speed alone decides nothing: read it beside the error, which is that of the operator \
        against the dense one it stands for (none where it is exact). Preparation happens once and is not in the speed-up.";
    let label = format!("{family} against dense: {title}");
    let chart = Box::new(Speedup { label, size_name: size, plots: plots(story, &all, &names, crossover), names });
    Some(Figure { id: anchor("dense", family), title, subtitle, caption: caption.into(), span: Span::Broad, chart })
}

fn title(family: &str, size: &str, all: &[Rivalry<'_>], crossover: Option<f64>) -> String {
    let fastest = all.iter().max_by(|a, b| a.speedup().0.total_cmp(&b.speedup().0));
    let Some(fastest) = fastest else { return format!("{family} against dense") };
    let best = format!("{} at {size}\u{a0}=\u{a0}{}", number::ratio(fastest.speedup().0), fastest.size);
    match (crossover, fastest.speedup().0 >= 1.0) {
        (Some(at), _) => format!("{family} passes dense near {size}\u{a0}=\u{a0}{at:.0} and reaches {best}"),
        (None, true) if all.iter().all(|one| one.speedup().0 >= 1.0) => {
            format!("{family} is faster than dense at every size, up to {best}")
        }
        (None, true) => format!("{family} is faster than dense at some sizes, up to {best}"),
        (None, false) => format!("{family} is nowhere faster than dense: at best {best}"),
    }
}

fn plots(story: &Story<'_>, all: &[Rivalry<'_>], names: &[String], crossover: Option<f64>) -> Vec<Plot> {
    let speed = |one: &Rivalry<'_>| {
        let (value, interval) = one.speedup();
        Some((value, interval))
    };
    let error = |one: &Rivalry<'_>| Some((one.structured.run.number(col::quality_error)?, None));
    let prepare = |one: &Rivalry<'_>| Some((one.structured.run.number(col::prepare_s).filter(|s| *s > 0.0)?, None));
    let plot = |quantity, title: &str, crossover, lines: Vec<Line>| Plot { quantity, title: title.to_owned(), lines, crossover };
    let all_plots = [
        plot(Quantity::Speedup, "dense time / structured time", crossover, lines(story, all, names, speed)),
        plot(Quantity::Error, "relative error of the operator", None, lines(story, all, names, error)),
        plot(Quantity::Seconds, "preparation, once", None, lines(story, all, names, prepare)),
    ];
    all_plots.into_iter().filter(|plot| plot.lines.iter().any(|line| !line.readings.is_empty())).collect()
}

fn lines<'a>(
    story: &Story<'_>,
    all: &[Rivalry<'a>],
    names: &[String],
    value: impl Fn(&Rivalry<'a>) -> Option<(f64, Option<(f64, f64)>)>,
) -> Vec<Line> {
    let line = |(name, text): (usize, &String)| {
        let readings = all.iter().filter(|one| one.line == *text).filter_map(|one| {
            let (value, interval) = value(one)?;
            let mut hover = story.hover(one.structured.run);
            hover.text = format!(
                "{}\n{}\ndense {}",
                one.label,
                hover.text,
                number::time_with_interval(one.dense.estimate.seconds, one.dense.estimate.interval)
            );
            Some(Reading { size: one.size, value, interval, hover })
        });
        Line { name, readings: readings.collect() }
    };
    names.iter().enumerate().map(line).filter(|line| !line.readings.is_empty()).collect()
}
