//! Predicted against measured time: log–log, with bands of ±10 % and ±25 %.

use std::collections::BTreeMap;

use super::axis::Axis;
use super::canvas::{Align, Canvas, Lettering, SMALL, Stroke};
use super::ink::Ink;
use super::marks::{self, KEY_LINE, Sign};
use super::panel::{BOTTOM, Panel, TOP, Ticks, gutter};
use super::{Chart, Hover, canvas};
use crate::number;

/// One held-out row.
#[derive(Clone, Debug)]
pub struct Pair {
    /// Measured, s.
    pub actual: f64,
    /// Predicted, s.
    pub predicted: f64,
    /// Hover text and command.
    pub hover: Hover,
}

/// One way of holding rows out.
#[derive(Clone, Debug)]
pub struct Split {
    /// `rows`, `shape`, `config` …
    pub name: String,
    /// Scores in words (`MAPE 12 %, n = 48`).
    pub score: String,
    /// Its rows.
    pub pairs: Vec<Pair>,
}

/// The chart: one panel per split, with shared axes.
#[derive(Clone, Debug)]
pub struct Parity {
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// One per panel.
    pub splits: Vec<Split>,
}

/// Above this many rows a panel shows density instead of points (page brief).
const POINTS: usize = 2000;
/// Side of a density cell, px.
const BIN: f64 = 5.0;

impl Chart for Parity {
    fn draw(&self, width: f64) -> String {
        let most = if width > 1000.0 {
            3
        } else if width > 500.0 {
            2
        } else {
            1
        };
        let across = most.min(self.splits.len()).max(1);
        #[allow(clippy::cast_precision_loss)] // a handful of panels
        let (slot, lines) = ((width + 16.0) / across as f64, self.splits.len().div_ceil(across) as f64);
        let (x, y) = self.axes();
        let left = gutter(&y, 300.0);
        let side = (slot - 16.0 - left - 8.0).min(400.0);
        let each = TOP + KEY_LINE + side + BOTTOM;
        let sheet = canvas(width, lines * each, &self.label);
        for (index, split) in self.splits.iter().enumerate() {
            #[allow(clippy::cast_precision_loss)] // a handful of panels
            let (column, line) = ((index % across) as f64, (index / across) as f64);
            let origin = (column * slot + left, line * each + TOP + KEY_LINE);
            let panel = Panel { left: origin.0, top: origin.1, width: side, height: side, x: x.clone(), y: y.clone() };
            marks::key(
                &sheet,
                (column * slot + 2.0, line * each + 10.0),
                width,
                &[(Sign::Shape(index), format!("held out by {}", split.name))],
            );
            split.draw(&sheet, &panel, index);
        }
        sheet.finish()
    }
}

impl Parity {
    fn axes(&self) -> (Axis, Axis) {
        let pairs = || self.splits.iter().flat_map(|split| &split.pairs);
        let axis = Axis::log("", pairs().flat_map(|pair| [pair.actual, pair.predicted]), 1.25);
        (axis.clone().si("measured time", "s"), axis.si("predicted time", "s"))
    }
}

impl Split {
    fn draw(&self, sheet: &Canvas, panel: &Panel, index: usize) {
        panel.axes(sheet, Ticks::Written, Ticks::Written);
        band(sheet, panel, 1.25, 0.10);
        band(sheet, panel, 1.10, 0.16);
        sheet.line((panel.left, panel.bottom()), (panel.right(), panel.top), Stroke::new(Ink::Soft, 1.0));
        if self.pairs.len() > POINTS {
            self.density(sheet, panel, index)
        } else {
            self.points(sheet, panel, index)
        }
        let at = (panel.left + 8.0, panel.top + 12.0);
        sheet.text(at, &self.score, Lettering::main(Align::Start).strong());
        let note = (panel.right() - 6.0, panel.bottom() - 12.0);
        sheet.text(note, "bands ±10 % and ±25 %", Lettering::soft(Align::End).sized(SMALL));
    }

    fn points(&self, sheet: &Canvas, panel: &Panel, index: usize) {
        let alpha = if self.pairs.len() > 300 { 0.45 } else { 0.75 };
        for pair in &self.pairs {
            let at = panel.inside(pair.actual, pair.predicted);
            sheet.hovered(&pair.hover, |sheet| marks::shape(sheet, index, at, 2.6, alpha));
        }
    }

    fn density(&self, sheet: &Canvas, panel: &Panel, index: usize) {
        let mut bins: BTreeMap<(i32, i32), u32> = BTreeMap::new();
        for pair in &self.pairs {
            let (x, y) = panel.inside(pair.actual, pair.predicted);
            #[allow(clippy::cast_possible_truncation)] // sheets are a few thousand px
            let bin = (((x - panel.left) / BIN) as i32, ((y - panel.top) / BIN) as i32);
            *bins.entry(bin).or_default() += 1;
        }
        let most = bins.values().copied().max().unwrap_or(1);
        for ((x, y), count) in bins {
            let (left, top) = (panel.left + f64::from(x) * BIN, panel.top + f64::from(y) * BIN);
            let alpha = 0.2 + 0.8 * (f64::from(count).ln_1p() / f64::from(most).ln_1p());
            let corners = [(left, top), (left + BIN, top), (left + BIN, top + BIN), (left, top + BIN)];
            let hover = Hover::text(number::things(count as usize, "row"));
            sheet.hovered(&hover, |sheet| sheet.polygon(&corners, Ink::Category(index), alpha));
        }
    }
}

/// The area where the prediction is within `factor` of the measurement, clipped to the panel.
fn band(sheet: &Canvas, panel: &Panel, factor: f64, alpha: f64) {
    let (low, high) = (panel.x.low, panel.x.high);
    let at = |x: f64, y: f64| panel.inside(x, y);
    let corners = [
        at(low, low),
        at(low, low * factor),
        at(high / factor, high),
        at(high, high),
        at(high, high / factor),
        at(low * factor, low),
    ];
    sheet.polygon(&corners, Ink::Soft, alpha);
}
