//! `docs/schema.md`, written from the columns themselves.

use super::{COLUMNS, Kind, VERSION};

const HEAD: &str = "\
# Columns of a run

One row is one configuration on one problem on one device: measured, failed, skipped, imported or predicted. This page is generated from
`runs/src/schema.rs` (`UPDATE=1 cargo test -p tilecast-runs --test schema`).

Every quantity ends in its unit: `_s` seconds, `_j` joules, `_w` watts, `_hz` hertz, `_c` degrees Celsius, `_bytes`, `_flop`, `_flop_per_s`; what has
none is a count, a ratio or text. What is unknown is null: never zero, never NaN.
";

const OPEN: &str = "\
## Open columns

Names that begin with one of these prefixes come from the kernel family or the device.

| prefix | type | meaning |
|---|---|---|
| `problem.` | integer, real or text | axes of the problem (`problem.m`, `problem.layout`) |
| `knob.` | integer, real or text | values of the configuration (`knob.tile_m`, `knob.isa`) |
| `traffic.` | real | modelled bytes per call and memory level (`traffic.l2_bytes`) |
| `roof.` | real | roofs of the device (`roof.flop_per_s`, `roof.dram_bytes_per_s`), measured unless `extra` says `datasheet` |

Where files disagree on the type of an open column, integers become reals, and both become text.

## Versions

Each row carries `schema_version`, `major.minor`. A newer minor adds columns, which older programs leave out with a warning. A newer major is refused;
older majors are read by renaming their columns.
";

/// The text of `docs/schema.md`.
#[must_use]
pub fn markdown() -> String {
    let mut text = format!("{HEAD}\nThe version is {}.{}.\n", VERSION.0, VERSION.1);
    let mut group = "";
    for column in COLUMNS {
        if column.group != group {
            group = column.group;
            text += &format!("\n## {}\n\n| column | type | always | meaning |\n|---|---|---|---|\n", capitalised(group));
        }
        let always = if column.required { "yes" } else { "" };
        let doc = column.doc.replace('|', "\\|");
        text += &format!("| `{}` | {} | {always} | {doc} |\n", column.name, kind(column.kind));
    }
    text + "\n" + OPEN
}

fn capitalised(group: &str) -> String {
    let mut letters = group.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Text => "text",
        Kind::Int => "integer",
        Kind::Real => "real",
        Kind::Flag => "flag",
        Kind::Reals => "list of reals",
    }
}
