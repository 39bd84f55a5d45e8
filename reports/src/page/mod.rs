//! The page: one HTML file with everything in it. No network, no other file, one small script for copying commands.

mod base64;
mod grid;
mod reproduce;
mod sections;
mod tables;
mod trust;

use std::collections::BTreeSet;

use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::chart::Width;
use crate::error::ReportError;
use crate::figure::{Figure, Span, figures};
use crate::findings::{Finding, Tone, findings};
use crate::input::PageInput;
use crate::number;
use crate::story::Story;
use crate::table::{self, Origin, Outcome, Run};

const STYLE: &str = include_str!("style.css");
const SCRIPT: &str = include_str!("script.js");
const REGULAR: &[u8] = include_bytes!("../../assets/Inter-Regular.woff2");
const BOLD: &[u8] = include_bytes!("../../assets/Inter-SemiBold.woff2");

/// Writes the page. The same input gives the same bytes.
///
/// # Errors
/// An empty frame, one with predictions only, simulated rows beside measured ones, or columns that do not fit the schema.
pub fn page(input: &PageInput) -> Result<String, ReportError> {
    let runs = table::read(&input.frame)?;
    let story = Story::new(input, &runs);
    let figures = figures(&story);
    let body = html! {
        main {
            (banner(&runs))
            h1 { (headline(&story)) }
            (provenance_line(&story))
            (findings_section(&findings(&story)))
            (sections::overview(&figures))
            (sections::families(&story, &figures))
            (sections::model(&figures))
            (tables::section(&story))
            (trust::section(&story, &figures))
            (reproduce::section(&story))
        }
    };
    Ok(shell(&input.title, &body))
}

fn shell(title: &str, body: &Markup) -> String {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) }
                style { (PreEscaped(fonts())) (PreEscaped(STYLE)) }
            }
            body {
                svg class="defs" aria-hidden="true" {
                    defs {
                        pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)" {
                            rect width="6" height="6" fill="var(--paper)" {}
                            rect width="1.6" height="6" fill="var(--soft)" {}
                        }
                    }
                }
                (body)
                div id="copied" role="status" {}
                script { (PreEscaped(SCRIPT)) }
            }
        }
    }
    .into_string()
}

fn fonts() -> String {
    let face = |weight: u32, bytes: &[u8]| {
        format!(
            "@font-face {{ font-family: \"tilecast Inter\"; font-weight: {weight}; src: url(data:font/woff2;base64,{}) format(\"woff2\"); }}\n",
            base64::encode(bytes)
        )
    };
    face(400, REGULAR) + &face(600, BOLD)
}

/// Text in which backticks mark what a command line would say.
fn prose(text: &str) -> Markup {
    html! {
        @for (index, part) in text.split('`').enumerate() {
            @if index % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// Simulated pages say so before anything else.
fn banner(runs: &[Run]) -> Markup {
    let simulated = runs.iter().any(|run| run.origin == Origin::Simulated);
    html! {
        @if simulated {
            p class="banner" role="note" { "Virtual device: every time on this page is simulated. None of it was measured on hardware." }
        }
    }
}

/// What was swept, how many points, how many failed.
fn headline(story: &Story<'_>) -> String {
    let timed = story.runs.iter().filter(|run| run.seconds().is_some()).count();
    let failed = story.runs.iter().filter(|run| run.ran() && matches!(run.outcome, Outcome::Failed { .. })).count();
    let problems: BTreeSet<&str> = story.contests.iter().map(|contest| contest.problem_id).collect();
    let points = number::things(timed, "timed point");
    let mut text = format!("{}: {points} on {}", story.input.title, number::things(problems.len(), "problem"));
    text += &if failed == 0 { "; none failed".to_owned() } else { format!("; {} without a time", number::things(failed, "row")) };
    text
}

fn provenance_line(story: &Story<'_>) -> Markup {
    let from = &story.input.provenance;
    let devices: BTreeSet<&str> = story.runs.iter().map(|run| run.device_name.as_str()).filter(|name| !name.is_empty()).collect();
    let device = if from.device.is_empty() { devices.into_iter().collect::<Vec<_>>().join(", ") } else { from.device.clone() };
    let mut parts = vec![format!("Times are {}", story.origin)];
    let named = [
        ("on", &device),
        ("host", &from.host),
        ("driver", &from.driver),
        ("clocks", &from.clocks),
        ("started", &from.started_at),
        ("tilecast", &from.version),
        ("spec", &from.spec_hash),
    ];
    parts.extend(named.into_iter().filter(|(_, value)| !value.is_empty()).map(|(name, value)| format!("{name} {value}")));
    html! {
        p class="line" { (parts.join(" · ")) ". " a href="#reproduce" { "Everything else" } }
    }
}

fn findings_section(findings: &[Finding]) -> Markup {
    html! {
        section id="findings" {
            h2 { "Findings" }
            ul class="findings" {
                @for finding in findings {
                    li {
                        @if finding.tone == Tone::Caution { span class="care" { "Careful: " } }
                        (prose(&finding.text))
                        @if let Some((anchor, word)) = &finding.link { " " a href={ "#" (anchor) } { "→ " (word) } }
                    }
                }
            }
        }
    }
}

/// A figure at every width; the style sheet shows the one that fits.
fn figure(figure: &Figure) -> Markup {
    let class = if figure.span == Span::Broad { "broad" } else { "column" };
    html! {
        figure id=(figure.id) class=(class) {
            h3 { (figure.title) }
            p class="sub" { (figure.subtitle) }
            @for width in Width::ALL {
                @let pixels = if figure.span == Span::Column { width.pixels().min(736.0) } else { width.pixels() };
                div class={ "plot " (width.class()) } { (PreEscaped(figure.chart.draw(pixels))) }
            }
            figcaption { (figure.caption) }
        }
    }
}
