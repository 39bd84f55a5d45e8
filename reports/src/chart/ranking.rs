//! Time by configuration: the configurations of each problem from fastest to slowest.

use super::axis::{Axis, ends};
use super::canvas::{Align, Canvas, Lettering, SMALL, Stroke, Weight, text_width};
use super::ink::Ink;
use super::marks::{self, KEY_LINE, Mark, Sign};
use super::panel::{BOTTOM, Panel, TOP, Ticks, fit, gutter};
use super::{Chart, Hover, canvas};

/// One timed configuration.
#[derive(Clone, Debug)]
pub struct Bar {
    /// Values of the knobs that vary, written under the point where a panel has few enough.
    pub name: String,
    /// Time over the best time of the problem.
    pub slowdown: f64,
    /// The same for the ends of its interval.
    pub interval: Option<(f64, f64)>,
    /// Marks on it.
    pub marks: Vec<Mark>,
    /// Hover text and command.
    pub hover: Hover,
}

/// One problem.
#[derive(Clone, Debug)]
pub struct Field {
    /// Problem.
    pub title: String,
    /// Best time and what the others lose.
    pub subtitle: String,
    /// Names of the knobs that vary.
    pub knobs: String,
    /// Configurations, fastest first.
    pub bars: Vec<Bar>,
    /// Configurations that failed, as crosses on the margin.
    pub failed: Vec<Hover>,
}

/// The chart: small multiples with one vertical axis.
#[derive(Clone, Debug)]
pub struct Ranking {
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// One per problem.
    pub fields: Vec<Field>,
}

/// Above this many configurations in a panel the points become a line; the marks stay.
pub const POINTS: usize = 400;
/// Crosses on the margin; failures beyond this are in the count above the panel and in the table.
const CROSSES: usize = 8;

impl Chart for Ranking {
    fn draw(&self, width: f64) -> String {
        let entries = self.key();
        let head = marks::key_lines(4.0, width, &entries) * KEY_LINE;
        let across = if width > 1000.0 {
            3
        } else if width > 500.0 {
            2
        } else {
            1
        }
        .min(self.fields.len())
        .max(1);
        #[allow(clippy::cast_precision_loss)] // a handful of panels
        let (slot, lines) = ((width + 16.0) / across as f64, self.fields.len().div_ceil(across) as f64);
        let height = if across == 1 && width > 500.0 { 300.0 } else { 190.0 };
        let each = TOP + 24.0 + height + BOTTOM;
        let sheet = canvas(width, head + lines * each, &self.label);
        marks::key(&sheet, (4.0, 10.0), width, &entries);
        let y = self.axis();
        for (index, field) in self.fields.iter().enumerate() {
            #[allow(clippy::cast_precision_loss)] // a handful of panels
            let (column, line) = ((index % across) as f64, (index / across) as f64);
            let left = column * slot + gutter(&y, height);
            let panel = Panel {
                left,
                top: head + line * each + TOP + 24.0,
                width: slot - 16.0 - gutter(&y, height) - 6.0,
                height,
                x: field.axis(),
                y: y.clone(),
            };
            field.draw(&sheet, &panel);
        }
        sheet.finish()
    }
}

impl Ranking {
    fn key(&self) -> Vec<(Sign, String)> {
        let has = |mark: &Mark| self.fields.iter().flat_map(|field| &field.bars).any(|bar| bar.marks.contains(mark));
        let all = [Mark::Best, Mark::Default, Mark::Recommended].into_iter().filter(has);
        let mut key: Vec<_> = all.map(|mark| (Sign::Mark(mark), mark.word().to_owned())).collect();
        if self.fields.iter().any(|field| !field.failed.is_empty()) {
            key.push((Sign::Cross, "failed".into()));
        }
        key
    }

    fn axis(&self) -> Axis {
        let bars = || self.fields.iter().flat_map(|field| &field.bars);
        let reach =
            bars().map(|bar| bar.slowdown).chain(bars().filter_map(|bar| bar.interval).flat_map(|(low, high)| [low, high]));
        let (low, high) = ends(reach).unwrap_or((1.0, 2.0));
        let axis = Axis::log("time over the best", [low.min(1.0), high.max(1.1)], 1.0).suffixed("×");
        let margin = (axis.high / axis.low).powf(0.05);
        Axis { low: axis.low / margin, high: axis.high * margin, ..axis }
    }
}

impl Field {
    #[allow(clippy::cast_precision_loss)] // counts of configurations
    fn axis(&self) -> Axis {
        let last = self.bars.len().max(1) as f64;
        // Above zero, so that no tick is written for a rank that does not exist.
        let axis = Axis::linear("configurations, fastest first", (1.0 - last * 0.04).max(0.01), last * 1.04 + 0.1);
        if last < 8.0 { axis.only((1..=self.bars.len()).map(|rank| rank as f64)) } else { axis }
    }

    fn draw(&self, sheet: &Canvas, panel: &Panel) {
        let x = panel.left - gutter(&panel.y, panel.height) + 2.0;
        let room = panel.right() - x;
        sheet.text((x, panel.top - 50.0), &fit(&self.title, room, 12.0, Weight::Strong), Lettering::main(Align::Start).strong());
        sheet.text((x, panel.top - 34.0), &fit(&self.subtitle, room, 12.0, Weight::Plain), Lettering::soft(Align::Start));
        let named = self.named(panel);
        panel.axes(sheet, if named { Ticks::Silent } else { Ticks::Written }, Ticks::Written);
        if named {
            self.names(sheet, panel);
        }
        if let (Some(first), true) = (self.bars.first(), panel.y.low < 1.0) {
            let y = panel.at(1.0, first.slowdown).1;
            sheet.line((panel.left, y), (panel.right(), y), Stroke::new(Ink::Soft, 1.0));
        }
        if self.bars.len() > POINTS {
            self.curve(sheet, panel)
        } else {
            self.points(sheet, panel)
        }
        self.marks(sheet, panel);
        for (index, hover) in self.failed.iter().take(CROSSES).enumerate() {
            #[allow(clippy::cast_precision_loss)] // a dozen
            let x = panel.right() - 5.0 - index as f64 * 9.0;
            sheet.hovered(hover, |sheet| marks::cross(sheet, (x, panel.top - 7.0)));
        }
    }

    /// Whether every configuration can be named under its point.
    fn named(&self, panel: &Panel) -> bool {
        #[allow(clippy::cast_precision_loss)] // counts of configurations
        let slot = panel.width / self.bars.len().max(1) as f64;
        self.bars.iter().all(|bar| !bar.name.is_empty() && text_width(&bar.name, SMALL, Weight::Plain) + 6.0 <= slot)
    }

    fn names(&self, sheet: &Canvas, panel: &Panel) {
        for (index, bar) in self.bars.iter().enumerate() {
            let (x, _) = self.place(panel, index, bar.slowdown);
            sheet.text((x, panel.bottom() + 14.0), &bar.name, Lettering::soft(Align::Middle).sized(SMALL));
        }
        let middle = panel.left + panel.width / 2.0;
        sheet.text((middle, panel.bottom() + 33.0), &format!("{}, fastest first", self.knobs), Lettering::soft(Align::Middle));
    }

    fn place(&self, panel: &Panel, index: usize, slowdown: f64) -> (f64, f64) {
        #[allow(clippy::cast_precision_loss)] // counts of configurations
        let rank = (index + 1) as f64;
        panel.inside(rank, slowdown)
    }

    fn points(&self, sheet: &Canvas, panel: &Panel) {
        #[allow(clippy::cast_precision_loss)] // counts of configurations
        let radius = (panel.width / self.bars.len().max(1) as f64 * 0.4).clamp(1.4, 2.8);
        for (index, bar) in self.bars.iter().enumerate() {
            sheet.hovered(&bar.hover, |sheet| {
                if let Some((low, high)) = bar.interval {
                    sheet.line(
                        self.place(panel, index, low),
                        self.place(panel, index, high),
                        Stroke::new(Ink::Soft, 1.0).faint(0.8),
                    );
                }
                sheet.disc(self.place(panel, index, bar.slowdown), radius, Ink::Soft, 1.0);
            });
        }
    }

    fn curve(&self, sheet: &Canvas, panel: &Panel) {
        // One vertex per half pixel is all a screen can show.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a few thousand
        let stride = (self.bars.len() / (panel.width * 2.0) as usize).max(1);
        let kept = self.bars.iter().enumerate().filter(|(index, _)| index % stride == 0 || index + 1 == self.bars.len());
        let path: Vec<_> = kept.map(|(index, bar)| self.place(panel, index, bar.slowdown)).collect();
        sheet.path(&path, Stroke::new(Ink::Soft, 2.0));
    }

    fn marks(&self, sheet: &Canvas, panel: &Panel) {
        for (index, bar) in self.bars.iter().enumerate().filter(|(_, bar)| !bar.marks.is_empty()) {
            sheet.hovered(&bar.hover, |sheet| marks::draw_all(sheet, self.place(panel, index, bar.slowdown), &bar.marks));
        }
    }
}
