//! Figures: one idea each, its title the conclusion drawn from the data.

mod model;
mod ranking;
mod resources;
mod roofline;
mod roofs;
mod structured;
mod tiles;
mod trust;

pub(crate) use roofs::{MeasuredRoof, roofs};
pub(crate) use structured::Rivalry;

use crate::chart::Chart;
use crate::story::Story;

/// Name of the target whose scores figures and findings quote.
pub(crate) const TIME: &str = "time";

/// Widest that a figure grows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Span {
    /// The text column.
    Column,
    /// Beyond it.
    Broad,
}

/// One figure.
pub(crate) struct Figure {
    /// Anchor that findings link to.
    pub(crate) id: String,
    /// The conclusion.
    pub(crate) title: String,
    /// What is plotted, with n and the statistic.
    pub(crate) subtitle: String,
    /// What to look at and what not to conclude.
    pub(crate) caption: String,
    pub(crate) span: Span,
    pub(crate) chart: Box<dyn Chart>,
}

/// All figures of a page, by where they stand.
pub(crate) struct Figures {
    pub(crate) overview: Vec<Figure>,
    pub(crate) families: Vec<(String, Vec<Figure>)>,
    pub(crate) model: Vec<Figure>,
    pub(crate) trust: Vec<Figure>,
}

/// Draws what the data allows.
pub(crate) fn figures(story: &Story<'_>) -> Figures {
    let family = |id: &str| {
        let figures =
            [tiles::figure(story, id), ranking::figure(story, id), structured::figure(story, id), resources::figure(story, id)];
        (id.to_owned(), figures.into_iter().flatten().collect())
    };
    Figures {
        overview: roofline::figures(story),
        families: story.families().into_iter().map(family).collect(),
        model: [model::parity(story), model::importance(story)].into_iter().flatten().collect(),
        trust: trust::figure(story).into_iter().collect(),
    }
}

/// Anchor of the figure `kind` of `subject`: letters, digits and hyphens only.
pub(crate) fn anchor(kind: &str, subject: &str) -> String {
    let subject: String = subject.chars().map(|c| if c.is_ascii_alphanumeric() { c.to_ascii_lowercase() } else { '-' }).collect();
    format!("fig-{kind}-{subject}")
}

/// The text of columns that should agree, or all its values with commas.
pub(crate) fn listing<'a>(values: impl Iterator<Item = &'a str>) -> String {
    let values: std::collections::BTreeSet<&str> = values.filter(|value| !value.is_empty()).collect();
    values.into_iter().collect::<Vec<_>>().join(", ")
}
