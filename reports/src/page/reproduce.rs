//! How to get this page again.

use std::collections::BTreeSet;

use maud::{Markup, html};
use tilecast_runs::schema::col;

use crate::story::Story;

pub(super) fn section(story: &Story<'_>) -> Markup {
    let from = &story.input.provenance;
    html! {
        section id="reproduce" {
            h2 { "Reproduce" }
            @if !from.commands.is_empty() { pre { (from.commands.join("\n")) } }
            dl { @for (name, value) in facts(story) { dt { (name) } dd { (value) } } }
            @if !from.spec_text.is_empty() {
                details {
                    summary { @if from.spec_name.is_empty() { "Spec" } @else { "Spec: " (from.spec_name) } }
                    pre { (from.spec_text) }
                }
            }
        }
    }
}

fn facts(story: &Story<'_>) -> Vec<(&'static str, String)> {
    let from = &story.input.provenance;
    let column = |name: &str| {
        let values: BTreeSet<&str> = story.runs.iter().filter_map(|run| run.text(name)).collect();
        values.into_iter().collect::<Vec<_>>().join(", ")
    };
    let given = |value: &String, name: &str| if value.is_empty() { column(name) } else { value.clone() };
    let facts = [
        ("device", from.device.clone()),
        ("host", from.host.clone()),
        ("system", from.os.clone()),
        ("driver", given(&from.driver, col::driver)),
        ("clocks", from.clocks.clone()),
        ("started", from.started_at.clone()),
        ("tilecast", given(&from.version, col::tool_version)),
        ("spec", from.spec_name.clone()),
        ("spec hash", from.spec_hash.clone()),
        ("data hash", from.data_hash.clone()),
        ("seed", from.seed.clone()),
        ("imported from", column(col::source_file)),
    ];
    facts.into_iter().filter(|(_, value)| !value.is_empty()).collect()
}
