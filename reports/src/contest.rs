//! A contest: one problem of one family on one device in one cache mode. All its configurations answer the same question, so
//! their times rank against each other and against nothing else.

use std::collections::{BTreeMap, BTreeSet};

use tilecast_runs::schema::col;

use crate::input::{Estimate, Recommendation};
use crate::table::{Origin, Outcome, Role, Run};

/// One timed configuration of a contest.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Entry<'a> {
    pub(crate) run: &'a Run,
    pub(crate) estimate: Estimate,
}

/// One problem and everything measured on it. `timed` is sorted by time and never empty where [`Contest::best`] is used.
#[derive(Clone, Debug)]
pub(crate) struct Contest<'a> {
    pub(crate) family: &'a str,
    pub(crate) device: &'a str,
    pub(crate) problem: &'a str,
    pub(crate) problem_id: &'a str,
    pub(crate) cache_mode: &'a str,
    pub(crate) timed: Vec<Entry<'a>>,
    pub(crate) failed: Vec<&'a Run>,
    recommended_config: Option<&'a str>,
    /// Places in `timed`, found once: a page asks for them at every point.
    default: Option<usize>,
    recommended: Option<usize>,
}

impl<'a> Contest<'a> {
    pub(crate) fn best(&self) -> Option<Entry<'a>> {
        self.timed.first().copied()
    }

    pub(crate) fn worst(&self) -> Option<Entry<'a>> {
        self.timed.last().copied()
    }

    pub(crate) fn default(&self) -> Option<Entry<'a>> {
        self.timed.get(self.default?).copied()
    }

    pub(crate) fn recommended(&self) -> Option<Entry<'a>> {
        self.timed.get(self.recommended?).copied()
    }

    /// Slowest over fastest.
    pub(crate) fn spread(&self) -> f64 {
        match (self.worst(), self.best()) {
            (Some(worst), Some(best)) => worst.estimate.seconds / best.estimate.seconds,
            _ => 1.0,
        }
    }

    pub(crate) fn useful_flop(&self) -> f64 {
        self.best().and_then(|entry| entry.run.number(col::useful_flop)).unwrap_or(0.0)
    }
}

/// Sorts `runs` into contests: by family, device, then size. Drift probes and dense rivals are not contestants.
pub(crate) fn contests<'a>(runs: &'a [Run], recommendations: &'a [Recommendation]) -> Vec<Contest<'a>> {
    let mut groups: BTreeMap<(&str, &str, &str, &str), Contest<'a>> = BTreeMap::new();
    // A failed point has no cache mode of its own when it never ran: it joins every mode its problem was measured in.
    let modes = cache_modes(runs);
    for run in runs.iter().filter(|run| run.role == Role::Point) {
        for &mode in &modes_of(run, &modes) {
            let key = (run.family.as_str(), run.device.as_str(), run.problem_id.as_str(), mode);
            groups.entry(key).or_insert_with(|| open(run, mode, recommendations)).add(run);
        }
    }
    let mut contests: Vec<_> = groups.into_values().collect();
    for contest in &mut contests {
        contest.close();
    }
    contests.sort_by(|a, b| {
        (a.family, a.device)
            .cmp(&(b.family, b.device))
            .then(a.useful_flop().total_cmp(&b.useful_flop()))
            .then(a.problem.cmp(b.problem))
    });
    contests
}

type Modes<'a> = BTreeMap<(&'a str, &'a str), BTreeSet<&'a str>>;

fn cache_modes(runs: &[Run]) -> Modes<'_> {
    let mut modes = Modes::new();
    for run in runs.iter().filter(|run| run.seconds().is_some()) {
        modes.entry((&run.device, &run.problem_id)).or_default().insert(&run.cache_mode);
    }
    modes
}

fn modes_of<'a>(run: &'a Run, modes: &Modes<'a>) -> Vec<&'a str> {
    let known = modes.get(&(run.device.as_str(), run.problem_id.as_str()));
    if let Some(known) = known.filter(|_| run.cache_mode.is_empty()) {
        return known.iter().copied().collect();
    }
    vec![&run.cache_mode]
}

fn open<'a>(run: &'a Run, mode: &'a str, recommendations: &'a [Recommendation]) -> Contest<'a> {
    let recommended = recommendations.iter().find(|one| one.problem == run.problem && one.family == run.family);
    Contest {
        family: &run.family,
        device: &run.device,
        problem: &run.problem,
        problem_id: &run.problem_id,
        cache_mode: mode,
        timed: Vec::new(),
        failed: Vec::new(),
        recommended_config: recommended.map(|one| one.recommended.config.as_str()),
        default: None,
        recommended: None,
    }
}

impl<'a> Contest<'a> {
    /// Ranks the entries once all are in.
    fn close(&mut self) {
        self.timed.sort_by(|a, b| a.estimate.seconds.total_cmp(&b.estimate.seconds));
        self.default = self.timed.iter().position(|entry| entry.run.is_default);
        self.recommended =
            self.recommended_config.and_then(|config| self.timed.iter().position(|entry| entry.run.config == config));
    }

    fn add(&mut self, run: &'a Run) {
        match &run.outcome {
            Outcome::Timed(estimate) => self.timed.push(Entry { run, estimate: *estimate }),
            Outcome::Failed { .. } => self.failed.push(run),
        }
    }
}

/// `slow` over `fast` with the widest ratio their intervals allow.
pub(crate) fn ratio(slow: Estimate, fast: Estimate) -> (f64, Option<(f64, f64)>) {
    let interval = slow.interval.zip(fast.interval).map(|(slow, fast)| (slow.0 / fast.1, slow.1 / fast.0));
    (slow.seconds / fast.seconds, interval)
}

/// The verb of figures and captions: `measured`, `imported from kernel_tuner`, `simulated on a virtual device`.
pub(crate) fn origin_words(runs: &[Run]) -> String {
    let origins: BTreeSet<&Origin> = runs.iter().map(|run| &run.origin).collect();
    let words = origins.into_iter().map(|origin| match origin {
        Origin::Measured => "measured".to_owned(),
        Origin::Imported(tool) => format!("imported from {tool}"),
        Origin::Simulated => "simulated on a virtual device".to_owned(),
    });
    words.collect::<Vec<_>>().join(" and ")
}
