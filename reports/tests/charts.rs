//! Golden charts: small inputs, every byte of the SVG.

use tilecast_reports::chart::axis::Axis;
use tilecast_reports::chart::canvas::{Weight, text_width};
use tilecast_reports::chart::heatmap::{Cell, Content, Facet, Heatmap};
use tilecast_reports::chart::importance::{Feature, ImportanceChart};
use tilecast_reports::chart::marks::Mark;
use tilecast_reports::chart::noise::{Drift, NoiseChart};
use tilecast_reports::chart::parity::{Pair, Parity, Split};
use tilecast_reports::chart::ranking::{Bar, Field, Ranking};
use tilecast_reports::chart::resources::{self, Resources};
use tilecast_reports::chart::roofline::{Limit, Roof, Roofline, Spot};
use tilecast_reports::chart::speedup::{Line, Plot, Quantity, Reading, Speedup};
use tilecast_reports::chart::{Chart, Hover};

fn hover(text: &str) -> Hover {
    Hover { text: text.into(), command: Some(format!("tilecast {text} <&>")) }
}

fn roofline() -> Roofline {
    let roof =
        |name: &str, limit, value: f64| Roof { name: name.into(), limit, value, spread: Some((value * 0.95, value * 1.02)) };
    let spot = |flop_per_s, marks| Spot { intensity: 16.0, flop_per_s, family: 0, share: 0.5, marks, hover: hover("spot") };
    Roofline {
        label: "roofline".into(),
        roofs: vec![roof("arithmetic peak", Limit::Compute, 1e11), roof("DRAM", Limit::Bandwidth, 1.2e10)],
        spots: vec![spot(8e10, vec![Mark::Best]), spot(4e10, vec![Mark::Default]), spot(1e10, vec![])],
        families: vec!["toy".into()],
    }
}

fn heatmap() -> Heatmap {
    let cell = |column, row, content, marks| Cell { column, row, content, marks, hover: hover("cell") };
    let cells = vec![
        cell(0, 0, Content::Slowdown(1.0), vec![Mark::Best]),
        cell(1, 0, Content::Slowdown(1.5), vec![Mark::Default]),
        cell(0, 1, Content::Slowdown(3.0), vec![]),
        cell(1, 1, Content::Illegal, vec![]),
    ];
    Heatmap {
        label: "heat map".into(),
        column_name: "tile_m".into(),
        row_name: "tile_n".into(),
        columns: vec!["32".into(), "64".into()],
        rows: vec!["8".into(), "16".into()],
        facets: vec![Facet { title: "n=64".into(), cells }],
    }
}

fn ranking() -> Ranking {
    let bar = |slowdown: f64, marks| Bar {
        name: format!("{slowdown}"),
        slowdown,
        interval: Some((slowdown * 0.98, slowdown * 1.03)),
        marks,
        hover: hover("bar"),
    };
    let bars = vec![bar(1.0, vec![Mark::Best, Mark::Recommended]), bar(1.4, vec![Mark::Default]), bar(3.0, vec![])];
    let field = Field {
        title: "n=64".into(),
        subtitle: "best 1.00 ms".into(),
        knobs: "tile".into(),
        bars,
        failed: vec![hover("failed")],
    };
    Ranking { label: "ranking".into(), fields: vec![field] }
}

fn parity(pairs: usize) -> Parity {
    let pair =
        |index: usize| Pair { actual: 1e-3 * (index + 1) as f64, predicted: 1.1e-3 * (index + 1) as f64, hover: hover("pair") };
    let split = Split { name: "shape".into(), score: "MAPE 10 %".into(), pairs: (0..pairs).map(pair).collect() };
    Parity { label: "parity".into(), splits: vec![split] }
}

fn importance() -> ImportanceChart {
    let feature = |name: &str, value: f64| Feature {
        name: name.into(),
        value,
        interval: Some((value - 0.02, value + 0.02)),
        hover: hover(name),
    };
    ImportanceChart {
        label: "importance".into(),
        axis: "increase of MAPE".into(),
        features: vec![feature("knob.tile_m", 0.3), feature("problem.m", 0.1)],
    }
}

fn speedup() -> Speedup {
    let reading = |size, value| Reading { size, value, interval: Some((value * 0.9, value * 1.1)), hover: hover("reading") };
    let plot = |quantity, values: [f64; 2], crossover| Plot {
        quantity,
        title: format!("{quantity:?}"),
        lines: vec![Line { name: 0, readings: vec![reading(256.0, values[0]), reading(1024.0, values[1])] }],
        crossover,
    };
    let plots = vec![
        plot(Quantity::Speedup, [0.5, 2.0], Some(512.0)),
        plot(Quantity::Error, [0.1, 0.2], None),
        plot(Quantity::Seconds, [1e-3, 1e-2], None),
    ];
    Speedup { label: "speed-up".into(), size_name: "n".into(), names: vec!["toy".into()], plots }
}

fn resources() -> Resources {
    let spot = |at: f64, marks| resources::Spot {
        resources: vec![Some(25.0 * at), None, Some(32.0 * at), Some(at)],
        costs: vec![
            Some(resources::Reading { value: 1e-3 / at, interval: Some((0.9e-3 / at, 1.1e-3 / at)) }),
            Some(resources::Reading { value: 100.0 + 20.0 * at, interval: None }),
        ],
        marks,
        hover: hover("spot"),
    };
    Resources {
        label: "resources".into(),
        resources: vec![
            Axis::linear("occupancy (%)", 0.0, 100.0),
            Axis::linear("shared memory per block (KiB)", 0.0, 96.0),
            Axis::linear("registers per thread", 0.0, 128.0),
            Axis::log("waves of blocks", [1.0, 4.0], 1.15),
        ],
        costs: vec![Axis::log("", [0.25e-3, 1e-3], 1.15).si("time per call", "s"), Axis::linear("mean power (W)", 100.0, 200.0)],
        spots: vec![spot(1.0, vec![Mark::Default]), spot(2.0, vec![]), spot(4.0, vec![Mark::Best])],
    }
}

fn noise() -> NoiseChart {
    NoiseChart {
        label: "noise".into(),
        noise: vec![0.004, 0.004, 0.015, 3.0],
        drifts: vec![Drift { name: "n=64".into(), value: 0.02 }],
    }
}

#[test]
fn small_charts_are_drawn_byte_for_byte() {
    let charts: [(&str, Box<dyn Chart>); 8] = [
        ("roofline", Box::new(roofline())),
        ("heatmap", Box::new(heatmap())),
        ("ranking", Box::new(ranking())),
        ("parity", Box::new(parity(3))),
        ("importance", Box::new(importance())),
        ("speedup", Box::new(speedup())),
        ("noise", Box::new(noise())),
        ("resources", Box::new(resources())),
    ];
    for (name, chart) in charts {
        insta::assert_snapshot!(format!("{name}_medium"), chart.draw(720.0));
    }
}

#[test]
fn many_points_become_density() {
    let few = parity(2000).draw(720.0);
    let many = parity(2001).draw(720.0);
    assert!(few.matches("<circle").count() >= 2000);
    assert!(many.matches("<circle").count() < 10 && many.matches("<polygon").count() > 50);
}

/// Left and right end of every text in `svg`, px.
fn texts(svg: &str) -> Vec<(String, f64, f64)> {
    let attribute = |tag: &str, name: &str| tag.split(&format!(" {name}=\"")).nth(1)?.split('"').next().map(str::to_owned);
    let elements = svg.split("<text").skip(1);
    let ends = |element: &str| {
        let (tag, rest) = element.split_once('>')?;
        let text = rest.split("</text>").next()?.replace("&lt;", "<").replace("&amp;", "&");
        let weight = if tag.contains("font-weight") { Weight::Strong } else { Weight::Plain };
        let x: f64 = attribute(tag, "x")?.parse().ok()?;
        let width = text_width(&text, attribute(tag, "font-size")?.parse().ok()?, weight);
        let left = match attribute(tag, "text-anchor").as_deref() {
            Some("middle") => x - width / 2.0,
            Some("end") => x - width,
            _ => x,
        };
        Some((text, left, left + width))
    };
    elements.map(|element| ends(element).expect("a text element")).collect()
}

#[test]
fn no_text_is_cut_at_the_edge_of_the_sheet() {
    let charts: [Box<dyn Chart>; 8] = [
        Box::new(roofline()),
        Box::new(heatmap()),
        Box::new(ranking()),
        Box::new(parity(3)),
        Box::new(importance()),
        Box::new(speedup()),
        Box::new(noise()),
        Box::new(resources()),
    ];
    for chart in &charts {
        for width in [1120.0, 720.0, 360.0] {
            let svg = chart.draw(width);
            let texts = texts(&svg);
            assert!(texts.len() > 3);
            for (text, left, right) in texts {
                assert!(left >= -1.0 && right <= width + 1.0, "`{text}` from {left} to {right} at {width}");
            }
        }
    }
}

#[test]
fn text_on_charts_is_escaped_and_phones_get_no_hover() {
    let wide = ranking().draw(720.0);
    assert!(wide.contains("data-copy=\"tilecast bar &lt;&amp;&gt;\""));
    assert!(!ranking().draw(360.0).contains("<title>"));
}

#[test]
fn charts_carry_no_theme_of_their_own() {
    for svg in [roofline().draw(720.0), ranking().draw(720.0), speedup().draw(720.0), noise().draw(720.0)] {
        assert!(!svg.contains("=\"#"), "a fixed colour");
        assert!(svg.contains("var(--"));
    }
}
