//! Marks that mean the same on every chart: the three of best, default and recommended, and one shape per category.

use super::canvas::{Align, Canvas, Lettering, Point, SIZE, Stroke, Weight, text_width};
use super::ink::Ink;

/// A configuration that every chart points out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Filled: the fastest measured.
    Best,
    /// Hollow: what is in use without tilecast.
    Default,
    /// Ring: what the model recommends; around the filled mark where both are one.
    Recommended,
}

impl Mark {
    /// Word beside the mark in keys.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Best => "best",
            Self::Default => "default",
            Self::Recommended => "recommended",
        }
    }

    /// Draws it at `at`.
    pub fn draw(self, canvas: &Canvas, at: Point) {
        match self {
            Self::Best => canvas.disc(at, 4.5, Ink::Accent, 1.0),
            Self::Default => {
                canvas.disc(at, 4.5, Ink::Paper, 1.0);
                canvas.ring(at, 4.5, Stroke::new(Ink::Text, 1.8));
            }
            Self::Recommended => canvas.ring(at, 8.0, Stroke::new(Ink::Accent, 2.0)),
        }
    }
}

/// Draws the marks of a point, the outer one first.
pub fn draw_all(canvas: &Canvas, at: Point, marks: &[Mark]) {
    for mark in [Mark::Recommended, Mark::Default, Mark::Best].into_iter().filter(|mark| marks.contains(mark)) {
        mark.draw(canvas, at);
    }
    // A point that is best and default at once: the hollow mark would hide under the filled one.
    if marks.contains(&Mark::Best) && marks.contains(&Mark::Default) {
        canvas.ring(at, 4.5, Stroke::new(Ink::Text, 1.8));
    }
}

/// Shape of category `index`: colour never carries a category alone.
pub fn shape(canvas: &Canvas, index: usize, at: Point, radius: f64, alpha: f64) {
    let ink = Ink::Category(index);
    let (x, y) = at;
    let r = radius;
    match index % 6 {
        0 => canvas.disc(at, r, ink, alpha),
        1 => canvas.polygon(
            &[(x - r * 0.9, y - r * 0.9), (x + r * 0.9, y - r * 0.9), (x + r * 0.9, y + r * 0.9), (x - r * 0.9, y + r * 0.9)],
            ink,
            alpha,
        ),
        2 => canvas.polygon(&[(x, y - r * 1.2), (x + r * 1.1, y + r * 0.8), (x - r * 1.1, y + r * 0.8)], ink, alpha),
        3 => canvas.polygon(&[(x, y - r * 1.3), (x + r * 1.3, y), (x, y + r * 1.3), (x - r * 1.3, y)], ink, alpha),
        4 => canvas.polygon(&[(x, y + r * 1.2), (x + r * 1.1, y - r * 0.8), (x - r * 1.1, y - r * 0.8)], ink, alpha),
        _ => {
            canvas.line((x - r, y), (x + r, y), Stroke { ink, width: 2.0, alpha });
            canvas.line((x, y - r), (x, y + r), Stroke { ink, width: 2.0, alpha });
        }
    }
}

/// A small cross for what failed.
pub fn cross(canvas: &Canvas, (x, y): Point) {
    let stroke = Stroke::new(Ink::Fail, 1.3);
    canvas.line((x - 3.0, y - 3.0), (x + 3.0, y + 3.0), stroke);
    canvas.line((x - 3.0, y + 3.0), (x + 3.0, y - 3.0), stroke);
}

/// What an entry of a key shows before its word.
#[derive(Clone, Copy, Debug)]
pub enum Sign {
    /// One of the three marks.
    Mark(Mark),
    /// A category shape.
    Shape(usize),
    /// A large solid disc in no category's colour.
    Solid,
    /// The cross of failures.
    Cross,
    /// The hatch of what cannot run.
    Hatch,
}

/// Draws a key from the left at `at`, wrapping before `right`; returns the y of its last line.
pub fn key(canvas: &Canvas, at: Point, right: f64, entries: &[(Sign, String)]) -> f64 {
    let (mut x, mut y) = at;
    for (sign, word) in entries {
        let length = 22.0 + text_width(word, SIZE, Weight::Plain) + 16.0;
        if x > at.0 && x + length - 16.0 > right {
            (x, y) = (at.0, y + KEY_LINE);
        }
        draw_sign(canvas, *sign, (x + 8.0, y));
        canvas.text((x + 22.0, y), word, Lettering::soft(Align::Start));
        x += length;
    }
    y
}

/// Height of one line of a key, px.
pub const KEY_LINE: f64 = 20.0;

/// Lines that [`key`] needs between `left` and `right`.
#[must_use]
pub fn key_lines(left: f64, right: f64, entries: &[(Sign, String)]) -> f64 {
    let (mut x, mut lines) = (left, 1.0);
    for (_, word) in entries {
        let length = 22.0 + text_width(word, SIZE, Weight::Plain) + 16.0;
        if x > left && x + length - 16.0 > right {
            (x, lines) = (left, lines + 1.0);
        }
        x += length;
    }
    if entries.is_empty() { 0.0 } else { lines }
}

fn draw_sign(canvas: &Canvas, sign: Sign, at: Point) {
    let (x, y) = at;
    match sign {
        Sign::Mark(mark) => mark.draw(canvas, at),
        Sign::Shape(index) => shape(canvas, index, at, 4.5, 1.0),
        Sign::Solid => canvas.disc(at, 5.0, Ink::Text, 1.0),
        Sign::Cross => cross(canvas, at),
        Sign::Hatch => canvas.block((x - 7.0, y - 6.0), (x + 7.0, y + 6.0), Ink::Hatch),
    }
}
