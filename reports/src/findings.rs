//! Three to seven sentences: each a claim with a number, its interval where there is one, and the figure that shows it.

use std::collections::{BTreeMap, BTreeSet};

use tilecast_models::{Preset, Split, Target};
use tilecast_runs::schema::col;

use crate::contest::{Contest, ratio};
use crate::figure::{Rivalry, anchor};
use crate::input::{Candidate, Recommendation};
use crate::number;
use crate::story::Story;
use crate::table::{Outcome, Role};

/// Sentences beyond this belong to figures.
const MOST: usize = 7;

/// Whether a finding is good to know or a reason for care.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Tone {
    Plain,
    Caution,
}

/// One sentence.
pub(crate) struct Finding {
    pub(crate) text: String,
    /// Anchor of its figure or table.
    pub(crate) link: Option<(String, &'static str)>,
    pub(crate) tone: Tone,
}

impl Finding {
    fn new(text: String, link: Option<(String, &'static str)>) -> Self {
        Self { text, link, tone: Tone::Plain }
    }

    fn caution(self) -> Self {
        Self { tone: Tone::Caution, ..self }
    }
}

/// Findings in the order of their use: what to do first, then how sure, then what is missing.
pub(crate) fn findings(story: &Story<'_>) -> Vec<Finding> {
    if story.timed().next().is_none() {
        return vec![nothing_timed(story)].into_iter().chain(failures(story)).chain(energy(story)).collect();
    }
    let families: Vec<String> = story.families().into_iter().map(str::to_owned).collect();
    let mut all: Vec<Finding> = recommendation(story).into_iter().collect();
    all.extend(choice(story));
    all.extend(families.iter().filter_map(|family| rivalry(story, family)));
    all.extend(model(story));
    all.extend(disturbance(story));
    // Failures and missing energy are said even when there is much else to say.
    let closing: Vec<Finding> = failures(story).into_iter().chain(energy(story)).collect();
    all.truncate(MOST - closing.len());
    all.extend(closing);
    all
}

fn nothing_timed(story: &Story<'_>) -> Finding {
    let text = format!("No configuration gave a usable time: all {} ended otherwise.", number::things(story.runs.len(), "row"));
    Finding::new(text, Some(("failures".into(), "failures"))).caution()
}

/// What the choice of configuration is worth, on the largest problem that knows its default.
fn choice(story: &Story<'_>) -> Option<Finding> {
    let several = story.timed().filter(|contest| contest.timed.len() > 1);
    let by_size = |a: &&Contest<'_>, b: &&Contest<'_>| {
        a.default()
            .is_some()
            .cmp(&b.default().is_some())
            .then(a.useful_flop().total_cmp(&b.useful_flop()))
            .then(a.spread().total_cmp(&b.spread()))
    };
    let contest = several.max_by(by_size)?;
    let (best, worst) = (contest.best()?, contest.worst()?);
    let (value, interval) = ratio(worst.estimate, best.estimate);
    let mut text = format!(
        "Choosing the configuration of {} is worth {} over the worst",
        contest.family,
        number::ratio_with_interval(value, interval)
    );
    if let Some(default) = contest.default() {
        let (value, interval) = ratio(default.estimate, best.estimate);
        text += &format!(" and {} over the default", number::ratio_with_interval(value, interval));
    }
    text += &format!(
        " at {}, where the best is `{}` in {}",
        story.label(contest),
        best.run.config,
        number::time_with_interval(best.estimate.seconds, best.estimate.interval)
    );
    if let Some(rate) = best.run.flop_per_s() {
        text += &format!(", {}", number::si(rate, "FLOP/s"));
    }
    Some(Finding::new(text + ".", Some((anchor("ranking", contest.family), "times"))))
}

/// How the re-measured recommendations compare with the defaults: the held-out problem first, the widest gap among equals.
fn recommendation(story: &Story<'_>) -> Option<Finding> {
    let gain = |one: &Recommendation| Some(ratio(one.default.as_ref()?.measured?, one.recommended.measured?));
    let measured = story.input.recommendations.iter().filter_map(|one| Some((one, gain(one)?)));
    let (one, (value, interval)) = measured.max_by(|a, b| a.0.held_out.cmp(&b.0.held_out).then((a.1).0.total_cmp(&(b.1).0)))?;
    let time = one.recommended.measured?;
    let unseen = if one.held_out { ", a problem the model never saw," } else { "" };
    let verdict = if value >= 1.0 { "faster than" } else { "the speed of" };
    let mut text = format!(
        "For {} at {}{unseen} use `{}`: re-measured at {}, {} {verdict} the default",
        one.family,
        story.label_of(&one.family, &one.problem),
        one.recommended.config,
        number::time_with_interval(time.seconds, time.interval),
        number::ratio_with_interval(value, interval)
    );
    if let Some((regret, _)) = one.exhaustive.as_ref().and_then(|best| best.measured).map(|best| ratio(time, best)) {
        text += &format!(" and {} the time of the best that an exhaustive sweep found", number::ratio(regret));
    }
    let finding = Finding::new(text + ".", Some(("recommendations".into(), "recommendations")));
    let loses = interval.map_or(value < 1.0, |(low, _)| low < 1.0);
    Some(if loses { finding.caution() } else { finding })
}

fn rivalry(story: &Story<'_>, family: &str) -> Option<Finding> {
    let (size, all) = Rivalry::all(story, family)?;
    let best = all.iter().max_by(|a, b| a.speedup().0.total_cmp(&b.speedup().0))?;
    let (value, interval) = best.speedup();
    let speed = number::ratio_with_interval(value, interval);
    let mut text = if value >= 1.0 {
        format!("{family} is {speed} as fast as its dense rival {} at {}", best.dense.run.family, best.label)
    } else {
        format!(
            "{family} is slower than its dense rival {} at every size: at best {speed} its speed, at {}",
            best.dense.run.family, best.label
        )
    };
    match Rivalry::crossover(&all) {
        Some(at) => text += &format!(", and passes it near {size}\u{a0}=\u{a0}{at:.0}"),
        None if all.len() > 1 && all.iter().all(|one| one.speedup().0 >= 1.0) => {
            text += &format!(", and ahead at every size from {size}\u{a0}=\u{a0}{}", all[0].size());
        }
        None => {}
    }
    match best.structured.run.number(col::quality_error) {
        Some(error) => text += &format!("; its operator differs from the dense one by {}", number::percent(error)),
        // The schema leaves the error null where the operator is exact.
        None => text += "; the operator is exact",
    }
    if let Some(seconds) = best.structured.run.number(col::prepare_s).filter(|seconds| *seconds > 0.0) {
        text += &format!("; preparing it takes {} once", number::time(seconds));
    }
    let link = if Rivalry::has_figure(&all) { (anchor("dense", family), "speed-up") } else { ("problems".to_owned(), "times") };
    let finding = Finding::new(text + ".", Some(link));
    Some(if value < 1.0 { finding.caution() } else { finding })
}

/// The default model on the hardest split it was scored on, beside the best other.
fn model(story: &Story<'_>) -> Option<Finding> {
    let times = || story.input.scores.iter().filter(|score| score.target == Target::Time);
    let own = || times().filter(|score| score.preset == Preset::Default);
    let score = own()
        .find(|score| score.split == Split::Shape)
        .or_else(|| own().max_by(|a, b| a.mape.total_cmp(&b.mape)))
        .or_else(|| times().next())?;
    let mut text = format!(
        "On rows held out by {}, the model misses times by {} on average (median {}, n\u{a0}=\u{a0}{})",
        score.split.name(),
        number::percent(score.mape),
        number::percent(score.mdape),
        number::count(score.n_test)
    );
    text += &format!("; its first choice loses {} to the best", number::percent(score.top1));
    let rival = times()
        .filter(|other| other.split == score.split && other.preset != score.preset)
        .min_by(|a, b| a.mape.total_cmp(&b.mape));
    if let Some(rival) = rival {
        text += &format!("; {} misses by {}", rival.preset.name(), number::percent(rival.mape));
    }
    let link = (!story.input.parity.is_empty()).then(|| ("fig-parity".to_owned(), "predictions"));
    let worse = rival.is_some_and(|rival| rival.mape < score.mape);
    let finding = Finding::new(text + ".", link.or(Some(("scores".into(), "scores"))));
    Some(if worse { finding.caution() } else { finding })
}

/// Noise and drift, only where they would change a reading.
fn disturbance(story: &Story<'_>) -> Option<Finding> {
    let noise: Vec<f64> =
        story.runs.iter().filter(|run| run.seconds().is_some()).filter_map(|run| run.number(col::noise)).collect();
    let loud = noise.iter().filter(|noise| **noise > 0.05).count();
    let drift = story.runs.iter().filter_map(|run| run.number(col::drift)).fold(0.0, f64::max);
    if loud * 10 <= noise.len() && drift <= 0.05 {
        return None;
    }
    let mut text = format!("{} of {} vary by more than 5 %", number::count(loud), number::things(noise.len(), "point"));
    if drift > 0.0 {
        text += &format!(", and the reference kernel drifts by up to {} within a problem", number::percent(drift));
    }
    text += "; small differences on this page are not differences.";
    Some(Finding::new(text, Some(("fig-noise".into(), "noise"))).caution())
}

fn failures(story: &Story<'_>) -> Option<Finding> {
    let mut by_status: BTreeMap<&str, usize> = BTreeMap::new();
    let mut never_run = 0;
    for run in story.runs {
        match &run.outcome {
            Outcome::Failed { status, .. } if run.ran() => *by_status.entry(status).or_default() += 1,
            Outcome::Failed { .. } => never_run += 1,
            Outcome::Timed(_) => {}
        }
    }
    let failed: usize = by_status.values().sum();
    let mut sentences = Vec::new();
    if failed > 0 {
        let mut parts: Vec<_> = by_status.iter().collect();
        parts.sort_by_key(|(_, count)| std::cmp::Reverse(**count));
        let list: Vec<String> =
            parts.iter().map(|(status, count)| format!("{} {}", number::count(**count), status.replace('_', " "))).collect();
        let of = number::things(story.runs.len() - never_run, "row");
        sentences.push(format!("{} of {of} gave no time: {}.", number::count(failed), list.join(", ")));
    }
    if never_run > 0 {
        sentences.push(format!(
            "{} cannot run here and kept their place with the reason.",
            number::things(never_run, "configuration")
        ));
    }
    if sentences.is_empty() {
        return None;
    }
    let finding = Finding::new(sentences.join(" "), Some(("failures".into(), "reasons")));
    let wrong = by_status.keys().any(|status| ["incorrect", "runtime_error", "timeout"].contains(status));
    Some(if wrong { finding.caution() } else { finding })
}

fn energy(story: &Story<'_>) -> Option<Finding> {
    let points = || story.runs.iter().filter(|run| run.role == Role::Point && run.seconds().is_some());
    let measured = points().filter(|run| run.number(col::energy_j).is_some()).count();
    if measured > 0 {
        let sources: BTreeSet<&str> = points().filter_map(|run| run.text(col::energy_source)).collect();
        let text = format!(
            "Energy is known for {} of {} (source: {}).",
            number::count(measured),
            number::things(points().count(), "point"),
            sources.into_iter().collect::<Vec<_>>().join(", ")
        );
        return Some(Finding::new(text, None));
    }
    let reasons: BTreeSet<&str> = story.runs.iter().filter_map(|run| run.text(col::energy_reason)).collect();
    let reasons: Vec<&str> = reasons.into_iter().take(2).collect();
    (!reasons.is_empty()).then(|| Finding::new(format!("Energy was not measured: {}.", reasons.join("; ")), None))
}

/// Time of a candidate that was measured, in words.
pub(crate) fn measured(candidate: Option<&Candidate>) -> String {
    candidate
        .and_then(|one| one.measured)
        .map_or_else(|| "–".into(), |time| number::time_with_interval(time.seconds, time.interval))
}
