//! A plotting area with its axes: hairline grid, ticks that never overlap, names where they are read.

use super::axis::{Axis, Scale, Tick};
use super::canvas::{Align, Canvas, Lettering, Point, SIZE, SMALL, Stroke, Weight, text_width};
use super::ink::Ink;

/// At most one vertical label per this many px: two lines stay free between labels.
const ROW: f64 = 42.0;

/// Room kept around plotting areas, px.
pub const TOP: f64 = 40.0;
/// Below: ticks and the axis name.
pub const BOTTOM: f64 = 44.0;

/// A plotting area from `(left, top)` of `width` × `height` px.
#[derive(Clone, Debug)]
pub struct Panel {
    /// Left edge, px.
    pub left: f64,
    /// Top edge, px.
    pub top: f64,
    /// Width, px.
    pub width: f64,
    /// Height, px.
    pub height: f64,
    /// Horizontal axis.
    pub x: Axis,
    /// Vertical axis.
    pub y: Axis,
}

/// Whether an axis writes its ticks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ticks {
    /// Grid and labels.
    Written,
    /// Grid only: the neighbour writes them.
    Silent,
}

impl Panel {
    /// Right edge, px.
    #[must_use]
    pub fn right(&self) -> f64 {
        self.left + self.width
    }

    /// Bottom edge, px.
    #[must_use]
    pub fn bottom(&self) -> f64 {
        self.top + self.height
    }

    /// Where the values fall, px.
    #[must_use]
    pub fn at(&self, x: f64, y: f64) -> Point {
        (self.left + self.x.share(x) * self.width, self.bottom() - self.y.share(y) * self.height)
    }

    /// The same, kept inside the plotting area.
    #[must_use]
    pub fn inside(&self, x: f64, y: f64) -> Point {
        let (x, y) = self.at(x, y);
        (x.clamp(self.left, self.right()), y.clamp(self.top, self.bottom()))
    }

    /// Grid, ticks and names.
    pub fn axes(&self, canvas: &Canvas, ticks_x: Ticks, ticks_y: Ticks) {
        self.horizontal(canvas, ticks_y);
        self.vertical(canvas, ticks_x);
    }

    fn horizontal(&self, canvas: &Canvas, ticks: Ticks) {
        let mut last = f64::INFINITY;
        if self.height > 0.0 && self.y.scale == Scale::Log {
            canvas.line((self.left, self.top), (self.left, self.bottom()), Stroke::hair());
        }
        for tick in self.y.ticks(room(self.height, ROW)) {
            let (_, y) = self.at(self.x.low, tick.value);
            let Tick { label: Some(label), .. } = tick else {
                canvas.line((self.left - 3.0, y), (self.left, y), Stroke::hair());
                continue;
            };
            canvas.line((self.left, y), (self.right(), y), Stroke::hair());
            if ticks == Ticks::Written && last - y > 15.0 {
                canvas.text((self.left - 6.0, y), &label, Lettering::soft(Align::End).sized(SMALL));
                last = y;
            }
        }
        if ticks == Ticks::Written && !self.y.name.is_empty() {
            let x = (self.left - gutter(&self.y, self.height) + 2.0).max(0.0);
            canvas.text((x, self.top - 14.0), &self.y.name, Lettering::soft(Align::Start));
        }
    }

    fn vertical(&self, canvas: &Canvas, ticks: Ticks) {
        let mut free = f64::NEG_INFINITY;
        for tick in self.x.ticks(room(self.width, 62.0)) {
            let (x, bottom) = self.at(tick.value, self.y.low);
            let length = if tick.label.is_some() { 5.0 } else { 3.0 };
            if tick.label.is_some() && self.x.scale == Scale::Log {
                canvas.line((x, self.top), (x, bottom), Stroke::hair());
            }
            canvas.line((x, bottom), (x, bottom + length), Stroke::hair());
            let Some(label) = tick.label.filter(|_| ticks == Ticks::Written) else { continue };
            let half = text_width(&label, SMALL, Weight::Plain) / 2.0;
            if x - half > free {
                canvas.text((x, bottom + 14.0), &label, Lettering::soft(Align::Middle).sized(SMALL));
                free = x + half + 8.0;
            }
        }
        canvas.line((self.left, self.bottom()), (self.right(), self.bottom()), Stroke::new(Ink::Soft, 1.0));
        if ticks == Ticks::Written && !self.x.name.is_empty() {
            // A name wider than the plotting area ends at its right edge instead of running off the sheet.
            let half = text_width(&self.x.name, SIZE, Weight::Plain) / 2.0;
            let middle = (self.left + self.width / 2.0).min(self.right() + 8.0 - half);
            canvas.text((middle, self.bottom() + 33.0), &self.x.name, Lettering::soft(Align::Middle));
        }
    }
}

#[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // sheets are a few thousand px
fn room(length: f64, each: f64) -> usize {
    (length / each) as usize
}

/// Px that the tick labels of `axis`, drawn `height` px tall, need on its left.
#[must_use]
pub fn gutter(axis: &Axis, height: f64) -> f64 {
    let labels = axis.ticks(room(height, ROW)).into_iter().filter_map(|tick| tick.label);
    labels.map(|label| text_width(&label, SMALL, Weight::Plain)).fold(12.0, f64::max) + 10.0
}

/// `text` cut with an ellipsis so that it is at most `width` px wide.
#[must_use]
pub fn fit(text: &str, width: f64, size: f64, weight: Weight) -> String {
    if text_width(text, size, weight) <= width {
        return text.to_owned();
    }
    let mut kept: String = text.to_owned();
    while kept.pop().is_some() {
        let shorter = format!("{}…", kept.trim_end());
        if text_width(&shorter, size, weight) <= width {
            return shorter;
        }
    }
    String::new()
}
