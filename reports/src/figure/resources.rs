//! Time, power and energy of compiled configurations against what their code takes of the device: occupancy, shared memory, registers, waves.

use tilecast_runs::schema::col;

use super::{Figure, Span, anchor};
use crate::chart::axis::{Axis, ends};
use crate::chart::resources::{Reading, Resources, Spot};
use crate::contest::{Contest, Entry, ratio};
use crate::input::Estimate;
use crate::number;
use crate::story::{Story, marks};
use crate::table::Run;

/// Fewer points than this show no relation.
const FEWEST: usize = 3;

pub(super) fn figure(story: &Story<'_>, family: &str) -> Option<Figure> {
    let contest = largest(story, family)?;
    let entries: Vec<Entry<'_>> = contest.timed.iter().filter(|entry| has_code(entry.run)).copied().collect();
    let costs: Vec<Cost> = Cost::ALL.into_iter().filter(|cost| entries.iter().any(|entry| cost.of(entry).is_some())).collect();
    let resources: Vec<Resource> = Resource::ALL.into_iter().filter(|resource| resource.tells(&entries)).collect();
    if resources.is_empty() {
        return None;
    }
    let title = title(contest);
    let subtitle = format!(
        "{family} at {}: {} per call against the resources its compiled code takes, {}; {}.",
        story.label(contest),
        costs.iter().map(|cost| cost.word()).collect::<Vec<_>>().join(", "),
        story.origin,
        number::things(entries.len(), "configuration")
    );
    let spot = |entry: &Entry<'_>| Spot {
        resources: resources.iter().map(|resource| resource.of(entry.run)).collect(),
        costs: costs.iter().map(|cost| cost.of(entry)).collect(),
        marks: marks(contest, *entry),
        hover: story.hover(entry.run),
    };
    let chart = Resources {
        label: format!("Costs of {family} against resources: {title}"),
        resources: resources.iter().map(|resource| resource.axis(&entries)).collect(),
        costs: costs.iter().map(|cost| cost.axis(&entries)).collect(),
        spots: entries.iter().map(spot).collect(),
    };
    let caption = caption(&costs, &entries);
    Some(Figure { id: anchor("resources", family), title, subtitle, caption, span: Span::Broad, chart: Box::new(chart) })
}

/// The problem with the most compiled configurations, the larger one among equals.
fn largest<'s, 'a>(story: &'s Story<'a>, family: &str) -> Option<&'s Contest<'a>> {
    let compiled = |contest: &Contest<'_>| contest.timed.iter().filter(|entry| has_code(entry.run)).count();
    let known = story.of(family).into_iter().filter(|contest| compiled(contest) >= FEWEST);
    known.max_by(|a, b| compiled(a).cmp(&compiled(b)).then(a.useful_flop().total_cmp(&b.useful_flop())))
}

fn has_code(run: &Run) -> bool {
    run.number(col::registers).is_some()
}

/// What the choice is worth in time, and in energy where there is any.
fn title(contest: &Contest<'_>) -> String {
    let gain = |of: &dyn Fn(&Entry<'_>) -> Option<Estimate>| {
        let costs: Vec<Estimate> = contest.timed.iter().filter_map(of).collect();
        let best = costs.iter().copied().min_by(|a, b| a.seconds.total_cmp(&b.seconds))?;
        let worst = costs.iter().copied().max_by(|a, b| a.seconds.total_cmp(&b.seconds))?;
        let over = |slow: Estimate| number::ratio(ratio(slow, best).0);
        let default = contest.default().and_then(|entry| of(&entry));
        Some((over(worst), default.map_or_else(String::new, |default| format!(" and {} over the default", over(default)))))
    };
    let Some((time, time_default)) = gain(&|entry| Some(entry.estimate)) else { return String::new() };
    let energy =
        gain(&energy).map_or_else(String::new, |(worst, default)| format!("; in energy {worst} over the worst{default}"));
    format!("Choosing the tile is worth {time} in time over the worst{time_default}{energy}")
}

fn caption(costs: &[Cost], entries: &[Entry<'_>]) -> String {
    let look = "Look for what the fast configurations share. A column without a slope says that its resource does not decide; high occupancy alone \
                seldom does. Registers, shared memory and occupancy were read back from the compiled code, not assumed.";
    if costs.contains(&Cost::Energy) {
        return format!("{look} Energy is per call, idle included, with its 95 % interval.");
    }
    let reason = entries.iter().find_map(|entry| entry.run.text(col::energy_reason));
    let reason = reason.map_or_else(String::new, |reason| format!(": {reason}"));
    format!("{look} There is no energy here{reason}.")
}

/// What a call costs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Cost {
    Time,
    Power,
    Energy,
}

impl Cost {
    const ALL: [Self; 3] = [Self::Time, Self::Power, Self::Energy];

    fn word(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Power => "mean power",
            Self::Energy => "energy",
        }
    }

    fn of(self, entry: &Entry<'_>) -> Option<Reading> {
        let reading = |estimate: Estimate| Reading { value: estimate.seconds, interval: estimate.interval };
        match self {
            Self::Time => Some(reading(entry.estimate)),
            Self::Power => entry.run.number(col::power_w).map(|value| Reading { value, interval: None }),
            Self::Energy => energy(entry).map(reading),
        }
    }

    fn axis(self, entries: &[Entry<'_>]) -> Axis {
        let values = || entries.iter().filter_map(|entry| self.of(entry)).map(|reading| reading.value);
        match self {
            Self::Time => Axis::log("", values(), 1.15).si("time per call", "s"),
            Self::Energy => Axis::log("", values(), 1.15).si("energy per call", "J"),
            Self::Power => {
                let (low, high) = ends(values()).unwrap_or((0.0, 1.0));
                let margin = 0.08 * (high - low).max(0.05 * high);
                Axis::linear("mean power (W)", low - margin, high + margin)
            }
        }
    }
}

/// Energy per call in joules; an [`Estimate`] holds any positive quantity with its interval.
fn energy(entry: &Entry<'_>) -> Option<Estimate> {
    let value = entry.run.number(col::energy_j).filter(|value| *value > 0.0)?;
    let half = entry.run.number(col::energy_uncertainty_j);
    Some(Estimate { seconds: value, interval: half.filter(|half| *half < value).map(|half| (value - half, value + half)) })
}

/// What compiled code takes of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Resource {
    Occupancy,
    Shared,
    Registers,
    Waves,
}

impl Resource {
    const ALL: [Self; 4] = [Self::Occupancy, Self::Shared, Self::Registers, Self::Waves];

    fn of(self, run: &Run) -> Option<f64> {
        match self {
            Self::Occupancy => run.number(col::occupancy).map(|share| 100.0 * share),
            Self::Shared => {
                Some((run.number(col::shared_static_bytes)? + run.number(col::shared_dynamic_bytes).unwrap_or(0.0)) / 1024.0)
            }
            Self::Registers => run.number(col::registers),
            Self::Waves => run.number(col::waves).filter(|waves| *waves > 0.0),
        }
    }

    /// Whether it differs between the entries.
    fn tells(self, entries: &[Entry<'_>]) -> bool {
        ends(entries.iter().filter_map(|entry| self.of(entry.run))).is_some_and(|(low, high)| high > low)
    }

    fn axis(self, entries: &[Entry<'_>]) -> Axis {
        let values = || entries.iter().filter_map(|entry| self.of(entry.run));
        let (low, high) = ends(values()).unwrap_or((0.0, 1.0));
        match self {
            Self::Occupancy => Axis::linear("occupancy (%)", 0.0, high.max(1.0) * 1.04),
            Self::Shared => Axis::linear("shared memory per block (KiB)", 0.0, high.max(1.0) * 1.04),
            Self::Registers => Axis::linear("registers per thread", (low - 8.0).max(0.0), high + 8.0),
            Self::Waves => Axis::log("waves of blocks", values(), 1.15),
        }
    }
}
