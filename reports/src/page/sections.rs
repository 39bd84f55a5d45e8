//! The figures of a page in their reading order.

use maud::{Markup, html};

use super::figure;
use crate::figure::{Figure, Figures};
use crate::input::FamilyWords;
use crate::story::Story;

pub(super) fn overview(figures: &Figures) -> Markup {
    group("overview", "Against the machine", &figures.overview)
}

pub(super) fn model(figures: &Figures) -> Markup {
    group("model", "The model", &figures.model)
}

fn group(id: &str, title: &str, figures: &[Figure]) -> Markup {
    html! {
        @if !figures.is_empty() {
            section id=(id) {
                h2 { (title) }
                @for one in figures { (figure(one)) }
            }
        }
    }
}

/// One section per family, opened by the family's own words.
pub(super) fn families(story: &Story<'_>, figures: &Figures) -> Markup {
    html! {
        @for (id, drawn) in &figures.families {
            @let words = story.input.families.iter().find(|words| words.id == *id);
            @if words.is_some() || !drawn.is_empty() {
                section id={ "family-" (id) } {
                    @match words {
                        Some(words) => { (opening(words)) }
                        None => { h2 { (id) } }
                    }
                    @for one in drawn { (figure(one)) }
                }
            }
        }
    }
}

fn opening(words: &FamilyWords) -> Markup {
    html! {
        div class="opening" {
            h2 { @if words.title.is_empty() { (words.id) } @else { (words.title) } }
            @if !words.math.is_empty() { p class="math" { (words.math) } }
            @if !words.references.is_empty() { p class="soft" { "References: " (words.references.join("; ")) } }
        }
    }
}
