//! What every part of a page shares: the rows, the contests, and how problems are called for short.

use std::collections::{BTreeMap, BTreeSet};

use crate::chart::Hover;
use crate::chart::marks::Mark;
use crate::contest::{Contest, Entry, contests, origin_words};
use crate::input::PageInput;
use crate::number;
use crate::table::{Run, Value};

/// The material of a page.
pub(crate) struct Story<'a> {
    pub(crate) input: &'a PageInput,
    pub(crate) runs: &'a [Run],
    pub(crate) contests: Vec<Contest<'a>>,
    /// `measured`, `imported from …`, `simulated …`: said at every figure.
    pub(crate) origin: String,
    labels: BTreeMap<(&'a str, &'a str, &'a str), String>,
}

impl<'a> Story<'a> {
    pub(crate) fn new(input: &'a PageInput, runs: &'a [Run]) -> Self {
        let contests = contests(runs, &input.recommendations);
        let labels = labels(&contests);
        Self { input, runs, contests, origin: origin_words(runs), labels }
    }

    /// Contests with at least one time.
    pub(crate) fn timed(&self) -> impl Iterator<Item = &Contest<'a>> {
        self.contests.iter().filter(|contest| !contest.timed.is_empty())
    }

    /// Contests of `family` with at least one time.
    pub(crate) fn of(&self, family: &str) -> Vec<&Contest<'a>> {
        self.timed().filter(|contest| contest.family == family).collect()
    }

    /// Families in the order of the caller's words, then of the frame.
    pub(crate) fn families(&self) -> Vec<&str> {
        let mut order: Vec<&str> = self.input.families.iter().map(|words| words.id.as_str()).collect();
        for contest in &self.contests {
            if !order.contains(&contest.family) {
                order.push(contest.family);
            }
        }
        order.retain(|family| self.contests.iter().any(|contest| contest.family == *family));
        order
    }

    /// The axes in which the problems of its family differ: `m=n=k=1024`.
    pub(crate) fn label(&self, contest: &Contest<'_>) -> String {
        let label = self.labels.get(&(contest.device, contest.problem_id, contest.cache_mode));
        label.cloned().unwrap_or_else(|| contest.problem.to_owned())
    }

    /// Short name of the problem with the text form `problem`, where it is on the page.
    pub(crate) fn label_of(&self, family: &str, problem: &str) -> String {
        let contest = self.contests.iter().find(|contest| contest.family == family && contest.problem == problem);
        contest.map_or_else(|| shorten(family, problem), |contest| self.label(contest))
    }

    /// Configuration, time with interval, rate and row id.
    pub(crate) fn hover(&self, run: &Run) -> Hover {
        let mut lines = vec![run.config.clone()];
        if let Some(estimate) = run.estimate() {
            lines.push(number::time_with_interval(estimate.seconds, estimate.interval));
        }
        lines.extend(run.flop_per_s().map(|rate| number::si(rate, "FLOP/s")));
        lines.push(format!("row {}", short_id(&run.experiment_id)));
        let command = self.input.commands.get(&run.experiment_id).cloned();
        if command.is_some() {
            lines.push("click copies the command that measures it again".into());
        }
        Hover { text: lines.join("\n"), command }
    }
}

/// First twelve characters of an id: enough to find the row.
pub(crate) fn short_id(id: &str) -> &str {
    id.get(..12).unwrap_or(id)
}

/// Which of the three marks `entry` carries.
pub(crate) fn marks(contest: &Contest<'_>, entry: Entry<'_>) -> Vec<Mark> {
    let same = |other: Option<Entry<'_>>| other.is_some_and(|other| std::ptr::eq(other.run, entry.run));
    let pairs = [(Mark::Best, contest.best()), (Mark::Default, contest.default()), (Mark::Recommended, contest.recommended())];
    pairs.into_iter().filter(|(_, other)| same(*other)).map(|(mark, _)| mark).collect()
}

/// At most `most` contests, spread evenly over the sizes, the largest always among them.
pub(crate) fn sample<'b, 'a>(contests: &[&'b Contest<'a>], most: usize) -> Vec<&'b Contest<'a>> {
    if contests.len() <= most {
        return contests.to_vec();
    }
    (0..most).map(|index| contests[index * (contests.len() - 1) / (most - 1).max(1)]).collect()
}

fn labels<'a>(contests: &[Contest<'a>]) -> BTreeMap<(&'a str, &'a str, &'a str), String> {
    let devices: BTreeSet<&str> = contests.iter().map(|contest| contest.device).collect();
    let modes: BTreeSet<&str> = contests.iter().filter(|c| !c.timed.is_empty()).map(|contest| contest.cache_mode).collect();
    let mut labels = BTreeMap::new();
    for contest in contests {
        let peers: Vec<_> = contests.iter().filter(|other| other.family == contest.family).collect();
        let mut label = problem_label(contest, &peers);
        if devices.len() > 1 {
            label = format!("{label} · {}", contest.device);
        }
        if modes.len() > 1 && !contest.cache_mode.is_empty() {
            label = format!("{label} · {}", contest.cache_mode);
        }
        labels.insert((contest.device, contest.problem_id, contest.cache_mode), label);
    }
    labels
}

fn any_run<'a>(contest: &Contest<'a>) -> Option<&'a Run> {
    contest.timed.first().map(|entry| entry.run).or(contest.failed.first().copied())
}

fn problem_label(contest: &Contest<'_>, peers: &[&Contest<'_>]) -> String {
    let Some(run) = any_run(contest) else { return shorten(contest.family, contest.problem) };
    let varies = |name: &str| {
        let values = peers.iter().filter_map(|peer| any_run(peer)).map(|run| run.axes.get(name));
        let mut values = values.collect::<Vec<_>>();
        values.dedup();
        values.len() > 1
    };
    let mut axes: Vec<(&String, &Value)> = run.axes.iter().filter(|(name, _)| varies(name) || is_size(name)).collect();
    // In the order in which the problem itself names them.
    axes.sort_by_key(|(name, _)| position(contest.problem, name));
    let dtypes: BTreeSet<&str> = peers.iter().filter_map(|peer| any_run(peer)).map(|run| run.dtype.as_str()).collect();
    let dtype = (dtypes.len() > 1).then(|| run.dtype.clone()).filter(|dtype| !dtype.is_empty());
    if axes.is_empty() {
        return dtype.unwrap_or_else(|| shorten(contest.family, contest.problem));
    }
    let mut parts = chain(&axes);
    parts.extend(dtype);
    parts.join(" ")
}

/// Where `problem` names the axis `name`, as a whole word.
fn position(problem: &str, name: &str) -> usize {
    let whole = |at: &usize| !problem[..*at].ends_with(|c: char| c.is_alphanumeric() || c == '_');
    let mut places = problem.match_indices(name).filter(|(at, _)| problem[at + name.len()..].starts_with('=')).map(|(at, _)| at);
    places.find(whole).unwrap_or(usize::MAX)
}

/// A name of one letter is a size of the problem in every family's notation (m, n, k): part of the label even when constant.
fn is_size(name: &str) -> bool {
    name.len() == 1
}

/// `m=n=k=1024` for neighbours with the same value, `m=1024` otherwise.
fn chain(axes: &[(&String, &Value)]) -> Vec<String> {
    let mut parts: Vec<(Vec<&str>, &Value)> = Vec::new();
    for &(name, value) in axes {
        match parts.last_mut() {
            Some((names, last)) if *last == value && is_size(name) && is_size(names[0]) => names.push(name),
            _ => parts.push((vec![name], value)),
        }
    }
    parts.into_iter().map(|(names, value)| format!("{}={}", names.join("="), value.label())).collect()
}

/// The text form of a problem that is not in the frame, without its family and with equal sizes joined.
fn shorten(family: &str, problem: &str) -> String {
    let words = problem.strip_prefix(family).unwrap_or(problem).split([' ', ',']).filter(|word| !word.is_empty());
    let mut parts: Vec<(String, &str)> = Vec::new();
    for word in words {
        let (name, value) = word.split_once('=').unwrap_or((word, ""));
        match parts.last_mut() {
            Some((names, last)) if *last == value && is_size(name) && !value.is_empty() => *names = format!("{names}={name}"),
            _ => parts.push((name.to_owned(), value)),
        }
    }
    let joined = parts.into_iter().map(|(name, value)| if value.is_empty() { name } else { format!("{name}={value}") });
    joined.collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::{position, shorten};

    #[test]
    fn problems_are_called_by_what_tells_them_apart() {
        for (problem, expected) in [
            ("gemm f32 m=1024 n=1024 k=1024 layout=nn", "f32 m=n=k=1024 layout=nn"),
            ("gemm m=8,n=4,k=4", "m=8 n=k=4"),
            ("other", "other"),
        ] {
            assert_eq!(shorten("gemm", problem), expected);
        }
    }

    #[test]
    fn axes_are_found_as_whole_words() {
        assert!(position("gemm dim=3 m=1", "m") > position("gemm dim=3 m=1", "dim"));
        assert_eq!(position("gemm dim=3", "m"), usize::MAX);
    }
}
