//! Charts as SVG text. Each chart is plain data with a `draw` for a width in pixels; colours are CSS variables, so that one SVG
//! serves the light theme, the dark theme and print. Plotters measures and places text and shapes; nothing outside this folder
//! knows of it.

pub mod axis;
pub mod canvas;
pub mod heatmap;
pub mod importance;
pub mod ink;
pub mod marks;
pub mod noise;
pub mod panel;
pub mod parity;
pub mod ranking;
pub mod resources;
pub mod roofline;
mod sink;
pub mod speedup;

use canvas::Canvas;

/// Widths at which a page draws each chart, in pixels: wide screens, tablets and print, phones.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Width {
    /// 1120 px.
    Wide,
    /// 720 px.
    Medium,
    /// 360 px.
    Narrow,
}

impl Width {
    /// All widths, widest first.
    pub const ALL: [Self; 3] = [Self::Wide, Self::Medium, Self::Narrow];

    /// Pixels of it.
    #[must_use]
    pub fn pixels(self) -> f64 {
        match self {
            Self::Wide => 1120.0,
            Self::Medium => 720.0,
            Self::Narrow => 360.0,
        }
    }

    /// Class of the element that holds a chart of this width.
    #[must_use]
    pub fn class(self) -> &'static str {
        match self {
            Self::Wide => "wide",
            Self::Medium => "medium",
            Self::Narrow => "narrow",
        }
    }
}

/// What a pointer over a mark reads, and what a click copies.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hover {
    /// Configuration, value with interval, row id; lines separated by `\n`.
    pub text: String,
    /// Command that measures the point again.
    pub command: Option<String>,
}

impl Hover {
    /// A hover without a command.
    #[must_use]
    pub fn text(text: impl Into<String>) -> Self {
        Self { text: text.into(), command: None }
    }
}

/// Anything that can be drawn at a width.
pub trait Chart {
    /// SVG text at `width` pixels.
    fn draw(&self, width: f64) -> String;
}

/// A canvas of `width` by `height` pixels with `label` for readers who hear the page.
fn canvas(width: f64, height: f64, label: &str) -> Canvas {
    Canvas::new(width, height, label)
}
