//! Lines over problem size: speed-up of a structured family over its dense rival, its error, its preparation.

use super::axis::{Axis, ends};
use super::canvas::{Align, Canvas, Lettering, Stroke, Weight};
use super::ink::Ink;
use super::marks::{self, KEY_LINE, Sign};
use super::panel::{BOTTOM, Panel, TOP, Ticks, fit, gutter};
use super::{Chart, Hover, canvas};

/// What a panel plots: decides its axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    /// A ratio: logarithmic, symmetric around a marked 1.
    Speedup,
    /// A relative error from zero.
    Error,
    /// A time in seconds: logarithmic.
    Seconds,
}

/// A value at a size.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Size of the problem.
    pub size: f64,
    /// Value.
    pub value: f64,
    /// Ends of its interval.
    pub interval: Option<(f64, f64)>,
    /// Hover text and command.
    pub hover: Hover,
}

/// One line.
#[derive(Clone, Debug)]
pub struct Line {
    /// Index into [`Speedup::names`].
    pub name: usize,
    /// Readings by ascending size.
    pub readings: Vec<Reading>,
}

/// One panel.
#[derive(Clone, Debug)]
pub struct Plot {
    /// What it plots.
    pub quantity: Quantity,
    /// Title in words.
    pub title: String,
    /// Its lines.
    pub lines: Vec<Line>,
    /// Size at which the ratio passes 1, marked.
    pub crossover: Option<f64>,
}

/// The chart: panels over one shared size axis.
#[derive(Clone, Debug)]
pub struct Speedup {
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// Name of the size axis.
    pub size_name: String,
    /// Names of the lines.
    pub names: Vec<String>,
    /// Panels.
    pub plots: Vec<Plot>,
}

impl Chart for Speedup {
    fn draw(&self, width: f64) -> String {
        let most = if width > 1000.0 {
            3
        } else if width > 500.0 {
            2
        } else {
            1
        };
        let across = most.min(self.plots.len()).max(1);
        let entries: Vec<_> = self.names.iter().enumerate().map(|(index, name)| (Sign::Shape(index), name.clone())).collect();
        let head = marks::key_lines(4.0, width, &entries) * KEY_LINE;
        #[allow(clippy::cast_precision_loss)] // a handful of panels
        let (slot, lines) = ((width + 20.0) / across as f64, self.plots.len().div_ceil(across) as f64);
        let height = 220.0;
        let each = TOP + 6.0 + height + BOTTOM;
        let sheet = canvas(width, head + lines * each, &self.label);
        marks::key(&sheet, (4.0, 10.0), width, &entries);
        for (index, plot) in self.plots.iter().enumerate() {
            #[allow(clippy::cast_precision_loss)] // a handful of panels
            let (column, line) = ((index % across) as f64, (index / across) as f64);
            let y = plot.axis();
            let left = gutter(&y, height);
            let panel = Panel {
                left: column * slot + left,
                top: head + line * each + TOP + 6.0,
                width: slot - 20.0 - left - 8.0,
                height,
                x: self.sizes(),
                y,
            };
            plot.draw(&sheet, &panel, column * slot);
        }
        sheet.finish()
    }
}

impl Speedup {
    fn sizes(&self) -> Axis {
        let readings = self.plots.iter().flat_map(|plot| &plot.lines).flat_map(|line| &line.readings);
        let sizes: Vec<f64> = readings.map(|reading| reading.size).collect();
        Axis::log(self.size_name.clone(), sizes.iter().copied(), 1.15).only(sizes)
    }
}

impl Plot {
    fn axis(&self) -> Axis {
        let readings = || self.lines.iter().flat_map(|line| &line.readings);
        let all = || {
            readings()
                .flat_map(|reading| [Some(reading.value), reading.interval.map(|i| i.0), reading.interval.map(|i| i.1)])
                .flatten()
        };
        match self.quantity {
            Quantity::Speedup => {
                let (low, high) = ends(all()).unwrap_or((0.5, 2.0));
                let reach = high.max(1.0 / low).max(1.5) * 1.15;
                Axis::log("", [1.0 / reach, reach], 1.0).suffixed("×")
            }
            Quantity::Error => Axis::linear("", 0.0, ends(all()).map_or(1.0, |(_, high)| high * 1.1)),
            Quantity::Seconds => {
                let axis = Axis::log("", all(), 1.5).si("", "s");
                Axis { name: String::new(), ..axis }
            }
        }
    }

    fn draw(&self, sheet: &Canvas, panel: &Panel, left: f64) {
        let unit =
            if self.quantity == Quantity::Seconds { panel.y.clone().si(&self.title, "s").name } else { self.title.clone() };
        let title = fit(&unit, panel.right() - left, 12.0, Weight::Strong);
        sheet.text((left + 2.0, panel.top - 20.0), &title, Lettering::main(Align::Start).strong());
        panel.axes(sheet, Ticks::Written, Ticks::Written);
        if self.quantity == Quantity::Speedup {
            self.parity(sheet, panel);
        }
        for line in &self.lines {
            let path: Vec<_> = line.readings.iter().map(|reading| panel.inside(reading.size, reading.value)).collect();
            sheet.path(&path, Stroke::new(Ink::Category(line.name), 1.6));
            for (reading, &at) in line.readings.iter().zip(&path) {
                sheet.hovered(&reading.hover, |sheet| {
                    if let Some((low, high)) = reading.interval {
                        let ends = (panel.inside(reading.size, low), panel.inside(reading.size, high));
                        sheet.line(ends.0, ends.1, Stroke::new(Ink::Category(line.name), 1.4));
                    }
                    marks::shape(sheet, line.name, at, 4.0, 1.0);
                });
            }
        }
    }

    /// The line at 1 and the size at which it is crossed.
    fn parity(&self, sheet: &Canvas, panel: &Panel) {
        let (_, y) = panel.at(panel.x.low, 1.0);
        sheet.line((panel.left, y), (panel.right(), y), Stroke::new(Ink::Text, 1.2));
        sheet.haloed(|sheet| {
            sheet.text((panel.right() - 4.0, y - 9.0), "faster ↑", Lettering::soft(Align::End).sized(11.0));
            sheet.text((panel.right() - 4.0, y + 10.0), "slower ↓", Lettering::soft(Align::End).sized(11.0));
        });
        let Some(size) = self.crossover else { return };
        let (x, _) = panel.at(size, 1.0);
        sheet.dashed(|sheet| sheet.line((x, panel.top), (x, panel.bottom()), Stroke::new(Ink::Accent, 1.2)));
        let text = format!("crossover {size:.0}");
        let side = if panel.x.share(size) > 0.6 { (Align::End, -5.0) } else { (Align::Start, 5.0) };
        sheet.text((x + side.1, panel.bottom() - 12.0), &text, Lettering::main(side.0).inked(Ink::Accent));
    }
}
