//! The sheet a chart is drawn on, in pixels from the top left.

use std::sync::Once;

use plotters::coord::Shift;
use plotters::element::{Circle, PathElement, Polygon, Rectangle, Text};
use plotters::prelude::{DrawingArea, IntoDrawingArea, RGBAColor};
use plotters::style::{FontDesc, FontFamily, FontStyle, ShapeStyle, TextStyle, register_font, text_anchor};

use super::Hover;
use super::ink::Ink;
use super::sink::{FONT_HEIGHT, Sink, UNITS, escape};

const FAMILY: &str = "tilecast Inter";
static REGULAR: &[u8] = include_bytes!("../../assets/Inter-Regular.otf");
static BOLD: &[u8] = include_bytes!("../../assets/Inter-SemiBold.otf");

/// Size of most text in charts, px.
pub const SIZE: f64 = 12.0;
/// Size of text that must be small to fit, px.
pub const SMALL: f64 = 11.0;

/// Sheets narrower than this are for phones, px.
const POINTER: f64 = 500.0;

/// A point in pixels.
pub type Point = (f64, f64);

/// Where a text sits relative to its point.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Align {
    /// The text begins at the point.
    Start,
    /// The text is centred on the point.
    Middle,
    /// The text ends at the point.
    End,
}

/// Weight of a text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Regular.
    Plain,
    /// Semi-bold.
    Strong,
}

/// How a text looks. It is centred vertically on its point.
#[derive(Clone, Copy, Debug)]
pub struct Lettering {
    /// Colour.
    pub ink: Ink,
    /// Size in px.
    pub size: f64,
    /// Side on which it stands.
    pub align: Align,
    /// Weight.
    pub weight: Weight,
}

impl Lettering {
    /// Secondary text of the usual size.
    #[must_use]
    pub fn soft(align: Align) -> Self {
        Self { ink: Ink::Soft, size: SIZE, align, weight: Weight::Plain }
    }

    /// Main text of the usual size.
    #[must_use]
    pub fn main(align: Align) -> Self {
        Self { ink: Ink::Text, size: SIZE, align, weight: Weight::Plain }
    }

    /// The same in semi-bold.
    #[must_use]
    pub fn strong(self) -> Self {
        Self { weight: Weight::Strong, ..self }
    }

    /// The same in another size.
    #[must_use]
    pub fn sized(self, size: f64) -> Self {
        Self { size, ..self }
    }

    /// The same in another colour.
    #[must_use]
    pub fn inked(self, ink: Ink) -> Self {
        Self { ink, ..self }
    }
}

/// How a line looks.
#[derive(Clone, Copy, Debug)]
pub struct Stroke {
    /// Colour.
    pub ink: Ink,
    /// Width in px.
    pub width: f64,
    /// Opacity, 0 to 1.
    pub alpha: f64,
}

impl Stroke {
    /// An opaque line.
    #[must_use]
    pub fn new(ink: Ink, width: f64) -> Self {
        Self { ink, width, alpha: 1.0 }
    }

    /// A hairline of the grid.
    #[must_use]
    pub fn hair() -> Self {
        Self::new(Ink::Hair, 1.0)
    }

    /// The same, see-through.
    #[must_use]
    pub fn faint(self, alpha: f64) -> Self {
        Self { alpha, ..self }
    }

    fn style(self) -> ShapeStyle {
        let width = (self.width * UNITS).round();
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // widths are a few px
        ShapeStyle { color: rgba(self.ink, self.alpha), filled: false, stroke_width: width as u32 }
    }
}

fn rgba(ink: Ink, alpha: f64) -> RGBAColor {
    let (r, g, b) = ink.rgb();
    RGBAColor(r, g, b, alpha)
}

fn fill(ink: Ink, alpha: f64) -> ShapeStyle {
    ShapeStyle { color: rgba(ink, alpha), filled: true, stroke_width: 0 }
}

#[allow(clippy::cast_possible_truncation)] // sheets are a few thousand px
fn units((x, y): Point) -> (i32, i32) {
    ((x * UNITS).round() as i32, (y * UNITS).round() as i32)
}

fn font(size: f64, weight: Weight) -> FontDesc<'static> {
    static REGISTERED: Once = Once::new();
    REGISTERED.call_once(|| {
        for (style, bytes) in [(FontStyle::Normal, REGULAR), (FontStyle::Bold, BOLD)] {
            register_font(FAMILY, style, bytes).map_err(|_| ()).expect("the bundled fonts are OpenType files");
        }
    });
    let style = if weight == Weight::Strong { FontStyle::Bold } else { FontStyle::Normal };
    FontDesc::new(FontFamily::Name(FAMILY), size * UNITS * FONT_HEIGHT, style)
}

/// Width of `text` in px.
#[must_use]
pub fn text_width(text: &str, size: f64, weight: Weight) -> f64 {
    let (width, _) = font(size, weight).box_size(text).expect("the bundled fonts are registered");
    f64::from(width) / UNITS
}

/// A sheet.
pub struct Canvas {
    area: DrawingArea<Sink, Shift>,
    sink: Sink,
    size: Point,
    label: String,
}

impl Canvas {
    /// An empty sheet of `width` × `height` px; `label` says what it shows to those who cannot see it.
    #[must_use]
    pub fn new(width: f64, height: f64, label: &str) -> Self {
        let (w, h) = units((width, height));
        let sink = Sink::new((w.unsigned_abs(), h.unsigned_abs()));
        Self { area: sink.clone().into_drawing_area(), sink, size: (width, height), label: label.to_owned() }
    }

    /// A straight line.
    pub fn line(&self, from: Point, to: Point, stroke: Stroke) {
        self.path(&[from, to], stroke);
    }

    /// An open path.
    pub fn path(&self, points: &[Point], stroke: Stroke) {
        let path = PathElement::new(points.iter().copied().map(units).collect::<Vec<_>>(), stroke.style());
        self.area.draw(&path).expect("the sink writes to memory");
    }

    /// A filled area.
    pub fn polygon(&self, points: &[Point], ink: Ink, alpha: f64) {
        let polygon = Polygon::new(points.iter().copied().map(units).collect::<Vec<_>>(), fill(ink, alpha));
        self.area.draw(&polygon).expect("the sink writes to memory");
    }

    /// A filled rectangle between two corners.
    pub fn block(&self, from: Point, to: Point, ink: Ink) {
        let block = Rectangle::new([units(from), units(to)], fill(ink, 1.0));
        self.area.draw(&block).expect("the sink writes to memory");
    }

    /// The outline of a rectangle.
    pub fn outline(&self, from: Point, to: Point, stroke: Stroke) {
        let outline = Rectangle::new([units(from), units(to)], stroke.style());
        self.area.draw(&outline).expect("the sink writes to memory");
    }

    /// A filled disc.
    pub fn disc(&self, center: Point, radius: f64, ink: Ink, alpha: f64) {
        self.circle(center, radius, fill(ink, alpha));
    }

    /// A circle line.
    pub fn ring(&self, center: Point, radius: f64, stroke: Stroke) {
        self.circle(center, radius, stroke.style());
    }

    fn circle(&self, center: Point, radius: f64, style: ShapeStyle) {
        #[allow(clippy::cast_possible_truncation)] // radii are a few px
        let circle = Circle::new(units(center), (radius * UNITS).round() as i32, style);
        self.area.draw(&circle).expect("the sink writes to memory");
    }

    /// One line of text, centred vertically on `at`.
    pub fn text(&self, at: Point, text: &str, lettering: Lettering) {
        let side = match lettering.align {
            Align::Start => text_anchor::HPos::Left,
            Align::Middle => text_anchor::HPos::Center,
            Align::End => text_anchor::HPos::Right,
        };
        let ink = rgba(lettering.ink, 1.0);
        let style = TextStyle::from(font(lettering.size, lettering.weight))
            .color(&ink)
            .pos(text_anchor::Pos::new(side, text_anchor::VPos::Center));
        self.area.draw(&Text::new(text, units(at), style)).expect("the sink writes to memory");
    }

    /// Draws with a title for pointers and a command to copy. Phones have no pointer: narrow sheets go without, which halves
    /// their size.
    pub fn hovered(&self, hover: &Hover, draw: impl FnOnce(&Self)) {
        if self.size.0 < POINTER {
            return draw(self);
        }
        let copy = hover.command.as_ref().map(|command| format!(" data-copy=\"{}\"", escape(command))).unwrap_or_default();
        self.group(&format!("class=\"p\"{copy}"), |canvas| {
            canvas.sink.body.borrow_mut().push_str(&format!("<title>{}</title>", escape(&hover.text)));
            draw(canvas);
        });
    }

    /// Draws texts with a rim in the colour of the page, to be read across lines.
    pub fn haloed(&self, draw: impl FnOnce(&Self)) {
        self.group("class=\"h\"", draw);
    }

    /// Draws dashed.
    pub fn dashed(&self, draw: impl FnOnce(&Self)) {
        self.group("stroke-dasharray=\"4 3\"", draw);
    }

    fn group(&self, attributes: &str, draw: impl FnOnce(&Self)) {
        self.sink.body.borrow_mut().push_str(&format!("<g {attributes}>"));
        draw(self);
        self.sink.body.borrow_mut().push_str("</g>\n");
    }

    /// The sheet as SVG text.
    #[must_use]
    pub fn finish(self) -> String {
        let (width, height) = self.size;
        let (body, label) = (self.sink.body.borrow(), escape(&self.label));
        format!("<svg viewBox=\"0 0 {width} {height}\" role=\"img\" aria-label=\"{label}\">{body}</svg>")
    }
}
