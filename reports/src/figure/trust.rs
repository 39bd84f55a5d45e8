//! How noisy the points are and how far the machine moved under them.

use std::collections::BTreeMap;

use tilecast_runs::schema::col;

use super::{Figure, Span};
use crate::chart::noise::{Drift, NoiseChart};
use crate::number;
use crate::story::Story;

/// Noise that the title counts points against: the interquartile range is 2 % of the median.
pub(crate) const QUIET: f64 = 0.02;
/// Problems beyond this are left to the store.
const DRIFTS: usize = 12;

pub(super) fn figure(story: &Story<'_>) -> Option<Figure> {
    let noise: Vec<f64> =
        story.runs.iter().filter(|run| run.seconds().is_some()).filter_map(|run| run.number(col::noise)).collect();
    let drifts = drifts(story);
    if noise.is_empty() && drifts.is_empty() {
        return None;
    }
    let quiet = noise.iter().filter(|noise| **noise <= QUIET).count();
    let drift = drifts.first().map(|drift| format!("the reference kernel drifts up to {}", number::percent(drift.value)));
    let spread = (!noise.is_empty()).then(|| {
        format!("{} of {} points vary by at most {}", number::count(quiet), number::count(noise.len()), number::percent(QUIET))
    });
    let title = sentence(&[spread, drift].into_iter().flatten().collect::<Vec<_>>().join("; "));
    let points =
        (!noise.is_empty()).then(|| format!("interquartile range over median of each point's samples, {}", story.origin));
    let moves = (!drifts.is_empty()).then(|| "movement of a fixed reference kernel while each problem was measured".to_owned());
    let span = if points.is_some() && moves.is_some() { Span::Broad } else { Span::Column };
    let subtitle = sentence(&[points, moves].into_iter().flatten().collect::<Vec<_>>().join("; ")) + ".";
    let caption = "Differences smaller than the noise of a point or the drift of its problem are not differences.";
    let label = format!("Noise and drift: {title}");
    let chart = Box::new(NoiseChart { label, noise, drifts });
    Some(Figure { id: "fig-noise".into(), title, subtitle, caption: caption.into(), span, chart })
}

fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

fn drifts(story: &Story<'_>) -> Vec<Drift> {
    let mut worst: BTreeMap<String, f64> = BTreeMap::new();
    let several = story.families().len() > 1;
    for contest in story.timed() {
        let name = if several { format!("{} {}", contest.family, story.label(contest)) } else { story.label(contest) };
        for value in contest.timed.iter().filter_map(|entry| entry.run.number(col::drift)) {
            let most = worst.entry(name.clone()).or_insert(value);
            *most = most.max(value);
        }
    }
    let mut drifts: Vec<_> = worst.into_iter().map(|(name, value)| Drift { name, value }).collect();
    drifts.sort_by(|a, b| b.value.total_cmp(&a.value));
    drifts.truncate(DRIFTS);
    drifts
}
