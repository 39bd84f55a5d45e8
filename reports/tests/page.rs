//! The page as a whole: what is on it, what is refused, and that nothing leaves it.

mod fixture;

use std::collections::BTreeSet;

use fixture::{input, row, rows, timed};
use tilecast_reports::input::{PageInput, PlanSkip, Provenance};
use tilecast_reports::{ReportError, page};
use tilecast_runs::frame::from_rows;
use tilecast_runs::row::Row;

/// An input with nothing but rows.
fn bare(rows: &[Row]) -> PageInput {
    PageInput { title: "Test".into(), frame: from_rows(rows).expect("rows fit the schema"), ..PageInput::default() }
}

/// Two timed configurations of one problem from `source`.
fn pair(source: &str) -> Vec<Row> {
    [("tile=8", 2e-3), ("tile=16", 1e-3)]
        .map(|(config, seconds)| {
            let mut row = row(source, "toy", "n=64", config);
            timed(&mut row, seconds, 0.01);
            row.set("problem.n", 64).set("useful_flop", 524_288.0).set("compulsory_bytes", 49_152.0);
            row
        })
        .to_vec()
}

fn failed(status: &str, reason: &str) -> Row {
    let mut row = row("cpu", "toy", "n=64", "tile=512");
    row.set("status", status).set("reason", reason);
    row
}

fn written(input: &PageInput) -> String {
    page(input).expect("a page")
}

#[test]
fn a_section_appears_only_where_its_data_exists() {
    type Change = fn(&mut PageInput);
    let cases: [(&str, Change); 7] = [
        ("id=\"recommendations\"", |input| input.recommendations.clear()),
        ("id=\"scores\"", |input| input.scores.clear()),
        ("id=\"fig-parity\"", |input| input.parity.clear()),
        ("id=\"fig-importance\"", |input| input.importance.clear()),
        ("id=\"skips\"", |input| input.skips.clear()),
        ("id=\"overhead\"", |input| input.overhead.clear()),
        ("<details>", |input| input.provenance = Provenance::default()),
    ];
    let rows = rows();
    let whole = written(&input(&rows));
    for (part, remove) in cases {
        assert!(whole.contains(part), "{part} is missing");
        let mut less = input(&rows);
        remove(&mut less);
        assert!(!written(&less).contains(part), "{part} stays");
    }
    for part in [
        "fig-roofline-fixture-2t",
        "fig-tiles-gemm-regblock",
        "fig-ranking-gemm-tiled",
        "fig-dense-monarch",
        "fig-noise",
        "failures",
    ] {
        assert!(whole.contains(&format!("id=\"{part}\"")), "{part} is missing");
    }
    // One knob makes no heat map, a dense family has no dense rival.
    for part in ["fig-tiles-gemm-tiled", "fig-dense-gemm-tiled"] {
        assert!(!whole.contains(&format!("id=\"{part}\"")), "{part} is there");
    }
}

#[test]
fn a_page_of_two_rows_stands_without_everything_else() {
    let page = written(&bare(&pair("cpu")));
    assert!(page.contains("id=\"problems\"") && page.contains("2.00×"));
    for part in ["id=\"model\"", "id=\"recommendations\"", "id=\"failures\"", "id=\"scores\""] {
        assert!(!page.contains(part), "{part} is there");
    }
}

#[test]
fn a_page_says_how_much_of_the_output_was_compared() {
    let mut rows = pair("cpu");
    rows.iter_mut().for_each(|row| {
        row.set("checked_share", 1.0);
    });
    assert!(!written(&bare(&rows)).contains("by a sample of its rows"));
    rows[0].set("checked_share", 0.25);
    assert!(written(&bare(&rows)).contains("1 by a sample of its rows, 25\u{a0}% of them at least"));
}

/// Three compiled configurations of one problem, with power and energy where `energy` says so.
fn compiled(energy: bool) -> Vec<Row> {
    let each = [("tile=8", 4e-3, 20, 0.9), ("tile=16", 1e-3, 40, 0.4), ("tile=32", 2e-3, 168, 0.6)];
    let row = |(config, seconds, registers, joules)| {
        let mut row = row("cuda", "toy", "n=64", config);
        timed(&mut row, seconds, 0.01);
        row.set("useful_flop", 524_288.0).set("is_default", config == "tile=32").set("registers", registers);
        row.set("shared_static_bytes", 4096).set("shared_dynamic_bytes", 0).set("occupancy", 0.5).set("waves", seconds * 1e3);
        if energy {
            row.set("energy_source", "nvml")
                .set("energy_j", joules)
                .set("energy_uncertainty_j", 0.02)
                .set("power_w", joules / seconds);
            row.0.remove("energy_reason");
        }
        row
    };
    each.map(row).to_vec()
}

#[test]
fn compiled_code_is_shown_against_the_resources_it_takes() {
    let page = written(&bare(&compiled(true)));
    for words in [
        "id=\"fig-resources-toy\"",
        "worth 4.00× in time over the worst and 2.00× over the default; in energy 2.25× over the worst and 1.50× over the default",
        "registers per thread",
        "waves of blocks",
        "energy per call (mJ)",
    ] {
        assert!(page.contains(words), "{words} is missing");
    }
    // What is the same for all configurations decides nothing and is not drawn.
    assert!(!page.contains("occupancy (%)") && !page.contains("shared memory per block"));
    let without = written(&bare(&compiled(false)));
    assert!(without.contains("There is no energy here: this machine exposes no RAPL"), "the reason is missing");
    assert!(!without.contains("energy per call"));
}

#[test]
fn every_family_speaks_its_own_words_in_its_own_section() {
    let page = written(&input(&rows()));
    for words in ["Monarch product", "y = P · L · P · R · x", "Dao et al., Monarch, 2022"] {
        assert!(page.contains(words), "{words} is missing");
    }
}

#[test]
fn the_findings_carry_numbers_intervals_and_links() {
    let page = written(&input(&rows()));
    let findings = &page[page.find("id=\"findings\"").expect("findings")..page.find("id=\"overview\"").expect("overview")];
    let count = findings.matches("<li>").count();
    assert!((3..=7).contains(&count), "{count} findings");
    for words in [
        "over the worst",
        "over the default",
        "re-measured at",
        "as fast as its dense rival",
        "held out by shape",
        "gave no time",
        "Energy was not measured",
    ] {
        assert!(findings.contains(words), "{words} is missing");
    }
    assert!(findings.contains("(9.16–9.44×)"), "the speed-up has no interval");
}

#[test]
fn links_inside_the_page_have_targets() {
    let page = written(&input(&rows()));
    let ids: BTreeSet<&str> = page.split(" id=\"").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    let links: Vec<&str> = page.split("href=\"#").skip(1).filter_map(|rest| rest.split('"').next()).collect();
    assert!(!links.is_empty());
    for link in links {
        assert!(ids.contains(link), "#{link} leads nowhere");
    }
}

#[test]
fn nothing_on_the_page_comes_from_elsewhere() {
    let page = written(&input(&rows()));
    for opening in ["src=\"", "href=\"", "url(", "src='", "href='"] {
        for value in page.split(opening).skip(1) {
            let start: String = value.chars().take(20).collect();
            assert!(value.starts_with('#') || value.starts_with("data:font/woff2;base64,"), "{opening}{start}");
        }
    }
    for word in ["<link", "@import", "<iframe", "fetch(", "XMLHttpRequest", "http://", "https://"] {
        assert!(!page.contains(word), "{word} is on the page");
    }
}

#[test]
fn text_from_outside_is_escaped_everywhere() {
    const EVIL: &str = "<script>alert(\"x\")</script>&'";
    let mut rows = pair("cpu");
    rows.push(failed("timeout", EVIL));
    for row in &mut rows {
        row.set("config", format!("{}{EVIL}", row.text("config").unwrap_or_default()))
            .set("device_name", EVIL)
            .set("family", EVIL);
        row.set("problem", EVIL).set("problem.kind", EVIL).set("energy_reason", EVIL);
    }
    let mut input = bare(&rows);
    input.title = EVIL.into();
    input.skips = vec![PlanSkip { family: EVIL.into(), config: EVIL.into(), reason: EVIL.into(), count: 1 }];
    input.provenance =
        Provenance { host: EVIL.into(), spec_text: EVIL.into(), commands: vec![EVIL.into()], ..Provenance::default() };
    input.commands = rows.iter().filter_map(|row| Some((row.text("experiment_id")?.to_owned(), EVIL.to_owned()))).collect();
    let page = written(&input);
    assert_eq!(page.matches("<script>").count(), 1, "only the page's own script");
    assert!(page.contains("&lt;script&gt;"));
}

#[test]
fn frames_that_make_no_honest_page_are_refused() {
    let mut mixed = pair("cpu");
    mixed.extend(pair("vgpu"));
    let mut imported = pair("import:kernel_tuner");
    imported.extend(pair("vgpu"));
    for (rows, expected, hint) in [
        (vec![], "frame has no rows", "store path"),
        (pair("predicted"), "all of them are `predicted`", "measure or import"),
        (mixed, "mixes 2 rows of source `vgpu` with 2 rows of source `cpu`", "a store of their own"),
        (imported, "source `import:kernel_tuner`", "a store of their own"),
    ] {
        let error = page(&bare(&rows)).expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.hint().contains(hint), "{}", error.hint());
    }
    let mut input = bare(&pair("cpu"));
    input.frame = input.frame.drop("status").expect("a column");
    assert!(matches!(page(&input), Err(ReportError::MissingColumn { column: "status", .. })));
}

#[test]
fn a_page_says_where_its_times_come_from() {
    for (source, words, banner) in [
        ("cpu", "measured", false),
        ("import:kernel_tuner", "imported from kernel_tuner", false),
        ("vgpu", "simulated on a virtual device", true),
    ] {
        let page = written(&bare(&pair(source)));
        let figure = &page[page.find("<figure").expect("a figure")..];
        assert!(figure[..figure.find("</p>").expect("a subtitle")].contains(words), "{source}");
        assert_eq!(page.contains("class=\"banner\""), banner, "{source}");
    }
}

#[test]
fn predicted_rows_stay_off_the_page() {
    let mut rows = pair("cpu");
    rows.extend(pair("predicted"));
    assert_eq!(written(&bare(&rows)), written(&bare(&pair("cpu"))));
}

#[test]
fn a_frame_where_everything_failed_makes_a_page_that_says_so() {
    let rows = [failed("timeout", "point took longer than `10` s"), failed("incorrect", "error is `3` times its bound")];
    let page = written(&bare(&rows));
    for words in
        ["No configuration gave a usable time", "2 of 2 rows gave no time", "longer than <code>10</code> s", "id=\"failures\""]
    {
        assert!(page.contains(words), "{words} is missing");
    }
    assert!(!page.contains("<figure"));
}

#[test]
fn reasons_that_differ_in_figures_alone_are_one_entry_with_the_most_frequent() {
    let refused = |tile: i64| failed("constraint", &format!("`tile={tile}` is above 64"));
    let mut rows: Vec<Row> = pair("cpu").into_iter().chain([128, 256, 256, 1024].map(refused)).collect();
    rows.push(failed("constraint", "`tile=7` is not a multiple of 4"));
    let page = written(&bare(&rows));
    let table = &page[page.find("id=\"failures\"").expect("the table")..];
    let table = &table[..table.find("</table>").expect("its end")];
    assert_eq!(table.matches("<tr").count(), 3, "a head and two rules: {table}");
    for (words, there) in [
        ("<code>tile=256</code> is above 64", true),
        ("and 2 more with other figures", true),
        ("<code>tile=7</code> is not a multiple of 4", true),
        ("tile=1024", false),
    ] {
        assert_eq!(table.contains(words), there, "{words} in {table}");
    }
}

#[test]
fn a_status_that_is_not_a_success_never_counts_as_a_time() {
    let mut rows = pair("cpu");
    let mut wrong = failed("incorrect", "error is `3` times its bound");
    timed(&mut wrong, 1e-9, 0.01);
    wrong.set("status", "incorrect");
    rows.push(wrong);
    let page = written(&bare(&rows));
    assert!(page.contains("2.00×") && !page.contains("1.00\u{a0}ns"));
}

#[test]
fn the_same_input_gives_the_same_bytes() {
    let rows = rows();
    assert_eq!(written(&input(&rows)), written(&input(&rows)));
}

#[test]
fn roofs_from_a_catalogue_are_not_called_measured() {
    let mut nominal = pair("import:kernel_tuner");
    for row in &mut nominal {
        row.0.retain(|name, _| !(name.starts_with("roof.") && (name.ends_with("_low") || name.ends_with("_high"))));
    }
    for (rows, words) in [
        (nominal, "nominal values of the device, not measured"),
        (pair("cpu"), "roofs are measured, bands their spread"),
        (pair("vgpu"), "roofs are simulated like the times"),
    ] {
        let page = written(&bare(&rows));
        assert!(page.contains(words), "{words} is missing");
    }
}

#[test]
fn a_family_slower_than_its_dense_rival_everywhere_is_called_that() {
    let mut rows = Vec::new();
    for (n, dense_s) in [(64_i64, 0.4e-3), (128, 0.9e-3)] {
        let problem = format!("n={n}");
        let mut own = row("cpu", "toy", &problem, "tile=8");
        own.set("problem.n", n);
        timed(&mut own, 1e-3, 0.01);
        let mut rival = row("cpu", "gemm", &format!("m={n}"), "tile=1");
        rival.set("role", "baseline").set("baseline_of", format!("p-toy-{problem}"));
        timed(&mut rival, dense_s, 0.01);
        rows.extend([own, rival]);
    }
    let page = written(&bare(&rows));
    assert!(page.contains("slower than its dense rival gemm at every size: at best 0.90×"));
    assert!(page.contains("nowhere faster than dense"));
    assert!(page.contains("the operator is exact"));
}
