//! What the model predicts, and from what.

use tilecast_models::Score;
use tilecast_runs::schema;

use super::{Figure, Span, TIME};
use crate::chart::Hover;
use crate::chart::importance::{Feature, ImportanceChart};
use crate::chart::parity::{Pair, Parity, Split};
use crate::input::ParityPoint;
use crate::number;
use crate::story::{Story, short_id};

/// Features beyond this are in no one's interest.
const FEATURES: usize = 12;

/// The score of `preset` on `split` for times.
pub(crate) fn score<'s>(story: &'s Story<'_>, split: &str, preset: &str) -> Option<&'s Score> {
    let names = |score: &&Score| (score.target.name(), score.split.name(), score.preset.name());
    story.input.scores.iter().find(|score| names(score) == (TIME, split, preset))
}

/// The preset whose predictions are shown: `default` where it is there, else the first.
fn shown_preset<'s>(story: &'s Story<'_>) -> Option<&'s str> {
    let presets = || story.input.parity.iter().map(|point| point.preset.as_str());
    presets().find(|preset| *preset == "default").or_else(|| presets().next())
}

pub(super) fn parity(story: &Story<'_>) -> Option<Figure> {
    let preset = shown_preset(story)?;
    let points: Vec<&ParityPoint> = story
        .input
        .parity
        .iter()
        .filter(|point| point.preset == preset && point.actual_s > 0.0 && point.predicted_s > 0.0)
        .collect();
    let mut names: Vec<&str> = points.iter().map(|point| point.split.as_str()).collect();
    names.sort_unstable();
    names.dedup();
    let splits: Vec<Split> = names.iter().map(|name| split(story, name, preset, &points)).collect();
    if splits.is_empty() {
        return None;
    }
    // The hardest way of holding out leads: it is what a new problem will see.
    let hardest = names.iter().filter_map(|name| score(story, name, preset)).max_by(|a, b| a.mape.total_cmp(&b.mape));
    let title = match hardest {
        Some(score) => {
            format!("Held out by {}, predictions miss the time by {} on average", score.split.name(), number::percent(score.mape))
        }
        None => "Predicted against measured time of held-out rows".into(),
    };
    let subtitle = format!(
        "Predicted against {} time per call, preset {preset}, rows the model was not fitted on; {}.",
        story.origin,
        number::things(points.len(), "row")
    );
    let caption = "On the diagonal the prediction is right; the bands are ±10 % and ±25 %. Held out by rows, a model has seen neighbours of \
        every point; only the split by shape says what to expect on a problem it never saw. MAPE is the mean absolute percentage error.";
    let label = format!("Parity plot: {title}");
    let chart = Box::new(Parity { label, splits });
    Some(Figure { id: "fig-parity".into(), title, subtitle, caption: caption.into(), span: Span::Broad, chart })
}

fn split(story: &Story<'_>, name: &str, preset: &str, points: &[&ParityPoint]) -> Split {
    let pairs: Vec<Pair> = points.iter().filter(|point| point.split == name).map(|point| pair(story, point)).collect();
    let n = number::count(pairs.len());
    let score = match score(story, name, preset) {
        Some(score) => format!("MAPE {}, n = {n}", number::percent(score.mape)),
        None => format!("n = {n}"),
    };
    Split { name: name.to_owned(), score, pairs }
}

fn pair(story: &Story<'_>, point: &ParityPoint) -> Pair {
    let text = format!(
        "{}\nmeasured {}\npredicted {}\nrow {}",
        point.label,
        number::time(point.actual_s),
        number::time_with_interval(point.predicted_s, point.interval),
        short_id(&point.row)
    );
    let hover = Hover { text, command: story.input.commands.get(&point.row).cloned() };
    Pair { actual: point.actual_s, predicted: point.predicted_s, hover }
}

/// Knobs and axes by the names they have in specs.
fn short(feature: &str) -> &str {
    feature.strip_prefix(schema::KNOB).or(feature.strip_prefix(schema::PROBLEM)).unwrap_or(feature)
}

pub(super) fn importance(story: &Story<'_>) -> Option<Figure> {
    let mut ranked: Vec<_> = story.input.importance.iter().collect();
    ranked.sort_by(|a, b| b.value.total_cmp(&a.value).then(a.feature.cmp(&b.feature)));
    let first = *ranked.first()?;
    let unit = if story.input.importance_unit.is_empty() { "importance" } else { &story.input.importance_unit };
    let features: Vec<Feature> = ranked
        .iter()
        .take(FEATURES)
        .map(|one| Feature {
            name: one.feature.clone(),
            value: one.value,
            interval: one.interval,
            hover: Hover::text(format!("{}\n{unit} {}", one.feature, number::figures(one.value, 3))),
        })
        .collect();
    let title = match ranked.get(1) {
        Some(second) => format!("{} tells the model most about time, then {}", short(&first.feature), short(&second.feature)),
        None => format!("{} tells the model most about time", short(&first.feature)),
    };
    let subtitle = format!("{unit}, the first {} of {}.", features.len(), number::things(ranked.len(), "feature"));
    let caption = "A large value means the model leans on this feature, not that changing it makes a kernel faster. Features that say the same share their importance.";
    let label = format!("Feature importance: {title}");
    let chart = Box::new(ImportanceChart { label, axis: unit.to_owned(), features });
    Some(Figure { id: "fig-importance".into(), title, subtitle, caption: caption.into(), span: Span::Column, chart })
}
