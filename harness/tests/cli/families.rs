//! `docs/families.md` is generated from the families' own words: `UPDATE=1` rewrites it.

use serde_json::Value;

use crate::workdir::Workdir;

fn word<'a>(family: &'a Value, key: &str) -> &'a str {
    family[key].as_str().unwrap_or_else(|| panic!("{key} is missing: {family}"))
}

/// Axes or knobs as a table. Values are left out: which are swept depends on the device.
fn table(list: &Value, what: &str) -> String {
    let mut text = format!("| {what} | |\n|---|---|\n");
    for parameter in list.as_array().expect("a list") {
        text.push_str(&format!("| `{}` | {} |\n", word(parameter, "name"), word(parameter, "doc")));
    }
    text
}

fn section(family: &Value) -> String {
    let references: Vec<String> =
        family["references"].as_array().expect("a list").iter().map(|r| format!("- {}", r.as_str().expect("text"))).collect();
    format!(
        "## {}\n\n{}. Group {}.\n\n{}\n\n{}\n\n{}\n{}\n{}\n",
        word(family, "family"),
        word(family, "title"),
        word(family, "group"),
        word(family, "math"),
        word(family, "look_at"),
        table(&family["problem"], "problem axis"),
        table(&family["knobs"], "knob on the CPU"),
        references.join("\n"),
    )
}

#[test]
fn the_page_of_families_is_generated_from_their_own_words() {
    let families = Workdir::new().json(0, &["families", "--json"]);
    let families = families.as_array().expect("a list");
    for family in families {
        for key in ["family", "group", "devices", "knobs", "problem"] {
            assert!(family.get(key).is_some(), "{key} is missing: {family}");
        }
    }
    let sections: Vec<String> = families.iter().map(section).collect();
    let text = format!(
        "# Kernel families\n\nGenerated from the families' own words; `tilecast families NAME` adds the values swept on a device.\n\n{}",
        sections.join("\n")
    );
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/families.md");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, &text).expect("writable");
    }
    let page = std::fs::read_to_string(path).expect("docs/families.md; make it with UPDATE=1");
    assert!(page == text, "docs/families.md differs from the families' words; run with UPDATE=1 and look at it");
}
