//! Trust in one look: how noisy the points are, and how far the reference kernel moved while each problem was measured.

use super::axis::Axis;
use super::canvas::{Align, Canvas, Lettering, SIZE, Stroke, Weight, text_width};
use super::ink::Ink;
use super::panel::{BOTTOM, Panel, TOP, Ticks, fit, gutter};
use super::{Chart, Hover, canvas};
use crate::number;

/// Movement of the reference kernel during one problem.
#[derive(Clone, Debug)]
pub struct Drift {
    /// Problem.
    pub name: String,
    /// Max over min of its per-round medians, minus 1.
    pub value: f64,
}

/// The chart.
#[derive(Clone, Debug)]
pub struct NoiseChart {
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// Interquartile range over median, one per timed point.
    pub noise: Vec<f64>,
    /// One per problem, largest first.
    pub drifts: Vec<Drift>,
}

/// Upper ends of the histogram's bins; the last bin takes the rest.
const EDGES: [f64; 9] = [0.0025, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1.0];
const LINE: f64 = 22.0;

impl Chart for NoiseChart {
    fn draw(&self, width: f64) -> String {
        let both = !self.noise.is_empty() && !self.drifts.is_empty();
        let beside = both && width > 500.0;
        let slot = if beside { (width - 32.0) / 2.0 } else { width };
        #[allow(clippy::cast_precision_loss)] // a dozen problems
        let drift_height = if self.drifts.is_empty() { 0.0 } else { 26.0 + self.drifts.len() as f64 * LINE + BOTTOM };
        let noise_height = if self.noise.is_empty() { 0.0 } else { TOP + 190.0 + BOTTOM };
        let height = if beside { drift_height.max(noise_height) } else { drift_height + noise_height };
        let sheet = canvas(width, height, &self.label);
        if !self.noise.is_empty() {
            self.histogram(&sheet, slot);
        }
        if !self.drifts.is_empty() {
            let origin = if beside { (slot + 32.0, 0.0) } else { (0.0, noise_height) };
            self.drift(&sheet, origin, slot);
        }
        sheet.finish()
    }
}

impl NoiseChart {
    fn histogram(&self, sheet: &Canvas, width: f64) {
        let mut counts = [0_usize; EDGES.len() + 1];
        for noise in &self.noise {
            counts[EDGES.iter().position(|edge| noise <= edge).unwrap_or(EDGES.len())] += 1;
        }
        #[allow(clippy::cast_precision_loss)] // counts of points
        let most = counts.iter().copied().max().unwrap_or(1) as f64;
        let y = Axis::linear("points", 0.0, most * 1.12);
        let left = gutter(&y, 190.0);
        #[allow(clippy::cast_precision_loss)] // ten bins
        let x = Axis::linear("", 0.0, counts.len() as f64);
        let panel = Panel { left, top: TOP, width: width - left - 8.0, height: 190.0, x, y };
        sheet.text((0.0, 8.0), "noise of points (IQR / median)", Lettering::main(Align::Start).strong());
        panel.axes(sheet, Ticks::Silent, Ticks::Written);
        let step = panel.width / panel.x.high;
        for (index, &count) in counts.iter().enumerate() {
            #[allow(clippy::cast_precision_loss)] // counts of points
            let (place, count_real) = (index as f64, count as f64);
            let (from, to) = (panel.at(place, count_real), panel.at(place + 1.0, 0.0));
            if count > 0 {
                let hover = Hover::text(format!("{}: noise {}", number::things(count, "point"), bin_words(index)));
                sheet.hovered(&hover, |sheet| sheet.block((from.0 + 1.0, from.1), (to.0 - 1.0, to.1), Ink::Category(0)));
            }
            if index < EDGES.len() && (step > 34.0 || index % 2 == 1) {
                sheet.text((to.0, panel.bottom() + 14.0), &edge(index), Lettering::soft(Align::Middle).sized(11.0));
            }
        }
        let middle = panel.left + panel.width / 2.0;
        sheet.text((middle, panel.bottom() + 33.0), "noise (% of the median)", Lettering::soft(Align::Middle));
    }

    fn drift(&self, sheet: &Canvas, (left, top): (f64, f64), width: f64) {
        sheet.text((left, top + 8.0), "drift of the reference kernel, by problem", Lettering::main(Align::Start).strong());
        let widest = self.drifts.iter().map(|drift| text_width(&drift.name, SIZE, Weight::Plain)).fold(0.0, f64::max);
        let names = (widest + 12.0).min(width * 0.55);
        let most = self.drifts.iter().map(|drift| drift.value * 100.0).fold(1.0, f64::max);
        #[allow(clippy::cast_precision_loss)] // a dozen problems
        let height = self.drifts.len() as f64 * LINE;
        let axis = Axis::linear("slowest over fastest round − 1 (%)", 0.0, most * 1.1);
        let panel = Panel {
            left: left + names,
            top: top + 26.0 + height,
            width: width - names - 14.0,
            height: 0.0,
            x: axis,
            y: Axis::linear("", 0.0, 1.0),
        };
        panel.axes(sheet, Ticks::Written, Ticks::Silent);
        for (index, drift) in self.drifts.iter().enumerate() {
            #[allow(clippy::cast_precision_loss)] // a dozen problems
            let y = top + 26.0 + (index as f64 + 0.5) * LINE;
            let x = panel.at(drift.value * 100.0, 0.0).0;
            sheet.text((panel.left - 8.0, y), &fit(&drift.name, names - 10.0, SIZE, Weight::Plain), Lettering::main(Align::End));
            let hover = Hover::text(format!("{}\ndrift {}", drift.name, number::percent(drift.value)));
            sheet.hovered(&hover, |sheet| {
                sheet.line((panel.left, y), (x, y), Stroke::new(Ink::Soft, 1.5));
                sheet.disc((x, y), 4.0, Ink::Category(0), 1.0);
            });
        }
    }
}

fn edge(index: usize) -> String {
    super::axis::plain(EDGES[index] * 100.0)
}

fn bin_words(index: usize) -> String {
    match (index.checked_sub(1).map(edge), index < EDGES.len()) {
        (None, _) => format!("up to {} %", edge(0)),
        (Some(low), true) => format!("{low} to {} %", edge(index)),
        (Some(low), false) => format!("above {low} %"),
    }
}
