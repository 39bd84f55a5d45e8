//! Roofline per device, from the roofs stored with its rows.

use std::collections::BTreeSet;

use tilecast_runs::schema::col;

use super::roofs::{MeasuredRoof, bounding, peak, roofs};
use super::{Figure, Span, anchor};
use crate::chart::roofline::{Roof, Roofline, Spot};
use crate::contest::{Contest, Entry};
use crate::number;
use crate::story::{Story, marks};
use crate::table::{Origin, Run};

/// Above this many points only every so many is drawn: all points of a problem share one column of the chart.
const POINTS: usize = 1200;

pub(super) fn figures(story: &Story<'_>) -> Vec<Figure> {
    let devices: BTreeSet<&str> = story.timed().map(|contest| contest.device).collect();
    devices.into_iter().filter_map(|device| figure(story, device)).collect()
}

fn figure(story: &Story<'_>, device: &str) -> Option<Figure> {
    let contests: Vec<_> = story.timed().filter(|contest| contest.device == device).collect();
    let runs: Vec<&Run> = contests.iter().flat_map(|contest| &contest.timed).map(|entry| entry.run).collect();
    let all = roofs(story.runs.iter().filter(|run| run.device == device));
    let roofs = bounding(&all, &runs);
    let families = families(&contests);
    let spots = spots(story, &contests, &families);
    if roofs.is_empty() || spots.is_empty() {
        return None;
    }
    let title = title(story, &contests, &all, &roofs);
    let subtitle = format!(
        "Useful FLOP/s against useful FLOP per compulsory byte on {device}, {}; {} of {}{}, area by share of time; {}.",
        story.origin,
        number::things(spots.len(), "point"),
        number::things(contests.len(), "problem"),
        if stride(&contests) > 1 { format!(" (one in {}, and the marked ones)", stride(&contests)) } else { String::new() },
        if runs_are_simulated(story) {
            "roofs are simulated like the times"
        } else if nominal(&roofs) {
            "roofs without a band are nominal values of the device, not measured"
        } else {
            "roofs are measured, bands their spread"
        },
    );
    let caption = "A point under the slope of a memory roof is limited by that level at best; a point under the flat roof by arithmetic. \
        Intensity counts each operand once, so only the DRAM slope bounds a point strictly: inner levels see more traffic than this axis shows.";
    let label = format!("Roofline of {device}: {title}");
    let families = families.into_iter().map(str::to_owned).collect();
    let chart = Box::new(Roofline { label, roofs, spots, families });
    Some(Figure { id: anchor("roofline", device), title, subtitle, caption: caption.into(), span: Span::Broad, chart })
}

fn families<'a>(contests: &[&Contest<'a>]) -> Vec<&'a str> {
    contests.iter().map(|contest| contest.family).collect::<BTreeSet<_>>().into_iter().collect()
}

/// True where a roof carries no measured spread: it comes from a catalogue.
fn nominal(roofs: &[Roof]) -> bool {
    roofs.iter().any(|roof| roof.spread.is_none())
}

/// One in how many points is drawn.
fn stride(contests: &[&Contest<'_>]) -> usize {
    let all: usize = contests.iter().map(|contest| contest.timed.len()).sum();
    all.div_ceil(POINTS).max(1)
}

fn spots(story: &Story<'_>, contests: &[&Contest<'_>], families: &[&str]) -> Vec<Spot> {
    let stride = stride(contests);
    let mut spots = Vec::new();
    for contest in contests {
        let entries =
            contest.timed.iter().enumerate().filter(|(rank, entry)| rank % stride == 0 || !marks(contest, **entry).is_empty());
        spots.extend(entries.filter_map(|(_, entry)| spot(story, contest, *entry, families)));
    }
    let most = spots.iter().map(|spot| spot.share).fold(0.0, f64::max);
    spots.iter_mut().for_each(|spot| spot.share /= most);
    spots
}

/// `share` is the time in seconds until the caller scales it by the longest.
fn spot(story: &Story<'_>, contest: &Contest<'_>, entry: Entry<'_>, families: &[&str]) -> Option<Spot> {
    let mut hover = story.hover(entry.run);
    hover.text = format!("{} · {}\n{}", contest.family, story.label(contest), hover.text);
    Some(Spot {
        intensity: entry.run.intensity()?,
        flop_per_s: entry.run.flop_per_s()?,
        family: families.iter().position(|family| *family == contest.family)?,
        share: entry.estimate.seconds,
        marks: marks(contest, entry),
        hover,
    })
}

fn title(story: &Story<'_>, contests: &[&Contest<'_>], all: &[MeasuredRoof], roofs: &[Roof]) -> String {
    let shares = contests.iter().filter_map(|contest| {
        let run = contest.best()?.run;
        let roof = &peak(all, run)?.roof;
        Some((run.number(col::useful_flop)? / run.seconds()? / roof.value, contest))
    });
    match shares.max_by(|a, b| a.0.total_cmp(&b.0)) {
        Some((share, contest)) => format!(
            "The nearest to the {}arithmetic peak is {} at {}: {} of it",
            if nominal(roofs) { "nominal " } else { "" },
            contest.family,
            story.label(contest),
            number::percent(share)
        ),
        None => format!("{} problems under the measured roofs", contests.len()),
    }
}

/// The roofs of a virtual device come from the model that its times come from.
fn runs_are_simulated(story: &Story<'_>) -> bool {
    story.runs.iter().any(|run| run.origin == Origin::Simulated)
}
