//! Small multiples of what a configuration costs against what its code takes of the device: one row per cost, one column per resource, all
//! panels of a row on one scale.

use super::axis::Axis;
use super::canvas::{Align, Canvas, Lettering, Stroke};
use super::ink::Ink;
use super::marks::{self, KEY_LINE, Mark, Sign};
use super::panel::{BOTTOM, Panel, Ticks, gutter};
use super::{Chart, Hover, canvas};

/// A value with its interval.
#[derive(Clone, Copy, Debug)]
pub struct Reading {
    /// Value in the axis' unit.
    pub value: f64,
    /// Its 95 % interval.
    pub interval: Option<(f64, f64)>,
}

/// One configuration.
#[derive(Clone, Debug)]
pub struct Spot {
    /// One per resource.
    pub resources: Vec<Option<f64>>,
    /// One per cost.
    pub costs: Vec<Option<Reading>>,
    /// Marks it carries.
    pub marks: Vec<Mark>,
    /// Hover text and command.
    pub hover: Hover,
}

/// The chart.
#[derive(Clone, Debug)]
pub struct Resources {
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// Horizontal axes, one per column of panels.
    pub resources: Vec<Axis>,
    /// Vertical axes, one per row of panels.
    pub costs: Vec<Axis>,
    /// The configurations.
    pub spots: Vec<Spot>,
}

/// Height of a plotting area, px.
const HEIGHT: f64 = 150.0;
/// Room above a plotting area for the name of its vertical axis, px.
const HEAD: f64 = 30.0;
/// Between neighbours, px.
const GAP: f64 = 22.0;

impl Chart for Resources {
    fn draw(&self, width: f64) -> String {
        let most = if width > 1000.0 {
            4
        } else if width > 500.0 {
            2
        } else {
            1
        };
        let across = most.min(self.resources.len()).max(1);
        let bands = self.resources.len().div_ceil(across);
        let key = self.key();
        let top = KEY_LINE * marks::key_lines(2.0, width, &key);
        let each = HEAD + HEIGHT + BOTTOM;
        #[allow(clippy::cast_precision_loss)] // a handful of panels
        let sheet = canvas(width, top + each * (bands * self.costs.len()) as f64, &self.label);
        marks::key(&sheet, (2.0, 10.0), width, &key);
        let left = self.costs.iter().map(|axis| gutter(axis, HEIGHT)).fold(0.0, f64::max);
        for (cost, axis) in self.costs.iter().enumerate() {
            for resource in 0..self.resources.len() {
                #[allow(clippy::cast_precision_loss)] // a handful of panels
                let (line, column) = ((cost * bands + resource / across) as f64, (resource % across) as f64);
                #[allow(clippy::cast_precision_loss)] // a handful of panels
                let slot = (width - left - 14.0 + GAP) / across as f64;
                let panel = Panel {
                    left: left + column * slot,
                    top: top + line * each + HEAD,
                    width: slot - GAP,
                    height: HEIGHT,
                    x: self.resources[resource].clone(),
                    y: axis.clone(),
                };
                self.panel(&sheet, &panel, (resource, cost));
            }
        }
        sheet.finish()
    }
}

impl Resources {
    fn key(&self) -> Vec<(Sign, String)> {
        let carried = |mark: &Mark| self.spots.iter().any(|spot| spot.marks.contains(mark));
        let known = [Mark::Best, Mark::Default, Mark::Recommended].into_iter().filter(carried);
        let mut key: Vec<(Sign, String)> = vec![(Sign::Shape(0), "a configuration".to_owned())];
        key.extend(known.map(|mark| (Sign::Mark(mark), mark.word().to_owned())));
        key
    }

    fn panel(&self, sheet: &Canvas, panel: &Panel, (resource, cost): (usize, usize)) {
        let first = panel.left < panel_left_limit(&self.costs);
        panel.axes(sheet, Ticks::Written, if first { Ticks::Written } else { Ticks::Silent });
        let alpha = if self.spots.len() > 300 { 0.35 } else { 0.6 };
        let mut drawn = 0;
        let (marked, plain): (Vec<&Spot>, Vec<&Spot>) = self.spots.iter().partition(|spot| !spot.marks.is_empty());
        for spot in plain.into_iter().chain(marked) {
            let (Some(x), Some(y)) = (spot.resources[resource], spot.costs[cost]) else { continue };
            drawn += 1;
            let at = panel.inside(x, y.value);
            sheet.hovered(&spot.hover, |sheet| {
                if let Some((low, high)) = y.interval {
                    let ends = (panel.inside(x, low), panel.inside(x, high));
                    sheet.line(ends.0, ends.1, Stroke::new(Ink::Soft, 1.0).faint(0.5));
                }
                if spot.marks.is_empty() {
                    marks::shape(sheet, 0, at, 2.6, alpha);
                } else {
                    marks::draw_all(sheet, at, &spot.marks);
                }
            });
        }
        if drawn == 0 {
            let middle = (panel.left + panel.width / 2.0, panel.top + panel.height / 2.0);
            sheet.text(middle, "not known", Lettering::soft(Align::Middle));
        }
    }
}

/// Panels left of this stand in the first column and write the ticks of their row.
fn panel_left_limit(costs: &[Axis]) -> f64 {
    costs.iter().map(|axis| gutter(axis, HEIGHT)).fold(0.0, f64::max) + 1.0
}
