//! `--help` of every verb, as golden text: `UPDATE=1` rewrites it after a look.

use crate::workdir::Workdir;

const VERBS: &[&str] = &[
    "",
    "devices",
    "families",
    "plan",
    "sweep",
    "import",
    "export",
    "runs",
    "audit",
    "fit",
    "evaluate",
    "predict",
    "profile",
    "recommend",
    "report",
    "demo",
];

#[test]
fn help_is_what_was_agreed_and_every_verb_has_an_example() {
    let dir = Workdir::new();
    let mut all = String::new();
    for verb in VERBS {
        let arguments: Vec<&str> = verb.split_whitespace().chain(["--help"]).collect();
        let said = dir.run_to(0, &arguments);
        assert!(
            ["xample: tilecast", "xamples:", "Start with: tilecast"].iter().any(|words| said.out.contains(words)),
            "{verb} has no example"
        );
        all.push_str(&format!("$ tilecast {}\n{}\n", arguments.join(" "), said.out.trim_end()));
        all.push('\n');
    }
    let golden = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden/help.txt");
    if std::env::var_os("UPDATE").is_some() {
        std::fs::create_dir_all(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/golden")).expect("writable");
        std::fs::write(golden, &all).expect("writable");
    }
    let expected = std::fs::read_to_string(golden).expect("tests/golden/help.txt; make it with UPDATE=1");
    let changed = all.lines().zip(expected.lines()).find(|(now, agreed)| now != agreed);
    assert!(all == expected, "help changed; look at it, then run with UPDATE=1. First change (now, agreed): {changed:?}");
}
