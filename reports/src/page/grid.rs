//! A table for looking up, which becomes one block per row where the screen is too narrow for its columns.

use maud::{Markup, html};

/// What a column holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// Short text that stays on one line.
    Short,
    /// Running text.
    Text,
    /// A number, to the right.
    Number,
    /// A configuration.
    Config,
}

impl Kind {
    fn class(self) -> &'static str {
        match self {
            Self::Short => "k",
            Self::Text => "t",
            Self::Number => "n",
            Self::Config => "mono",
        }
    }
}

/// How far a table may reach.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Reach {
    /// The text column.
    Column,
    /// Beyond it.
    Broad,
}

/// Column names with what they hold.
pub(super) type Heads = [(&'static str, Kind)];

/// The table; each row has as many cells as there are heads.
pub(super) fn grid(reach: Reach, heads: &Heads, rows: &[Vec<Markup>]) -> Markup {
    let class = if reach == Reach::Broad { "scroll broad" } else { "scroll" };
    html! {
        div class=(class) { table {
            thead { tr { @for (name, kind) in heads { th class=(kind.class()) data-l=(name) { (name) } } } }
            tbody {
                @for row in rows {
                    tr { @for ((name, kind), cell) in heads.iter().zip(row) { td class=(kind.class()) data-l=(name) { (cell) } } }
                }
            }
        } }
    }
}

/// A cell of plain text; an interval in parentheses after a number moves to a line of its own where the column is narrow.
pub(super) fn cell(text: impl AsRef<str>) -> Markup {
    let text = text.as_ref();
    match text.split_once(" (").filter(|(value, rest)| rest.contains('–') && value.starts_with(|c: char| c.is_ascii_digit())) {
        Some((value, interval)) => html! { span class="v" { (value) } " " span class="v i" { "(" (interval) } },
        None if text.starts_with(|c: char| c.is_ascii_digit()) => html! { span class="v" { (text) } },
        None => html! { (text) },
    }
}
