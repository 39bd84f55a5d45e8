//! The drawing target behind plotters: shapes in, compact SVG elements out.
//!
//! Plotters' own SVG target knows whole pixels and fixed colours only. This one takes tenths of a pixel and writes CSS
//! variables; it cannot fail, because it writes to memory.

use std::cell::RefCell;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::rc::Rc;

use plotters_backend::text_anchor::{HPos, VPos};
use plotters_backend::{
    BackendColor, BackendCoord, BackendStyle, BackendTextStyle, DrawingBackend, DrawingErrorKind, FontStyle, FontTransform,
};

use super::ink::css;

/// Units of plotters per pixel.
pub(super) const UNITS: f64 = 10.0;
/// Line height of Inter over its em, (2728 + 680) / 2816: plotters sizes a font by the former, SVG by the latter.
pub(super) const FONT_HEIGHT: f64 = 3408.0 / 2816.0;

type Drawn = Result<(), DrawingErrorKind<Infallible>>;

/// Elements so far, shared between plotters and the canvas that opens groups around them.
#[derive(Clone, Default)]
pub(super) struct Sink {
    pub(super) body: Rc<RefCell<String>>,
    size: (u32, u32),
}

impl Sink {
    pub(super) fn new(size: (u32, u32)) -> Self {
        Self { body: Rc::default(), size }
    }

    fn push(&self, element: std::fmt::Arguments<'_>) -> Drawn {
        self.body.borrow_mut().write_fmt(element).expect("writing to memory does not fail");
        Ok(())
    }
}

/// A coordinate in pixels with at most one decimal.
fn px(units: i32) -> String {
    let (sign, units) = (if units < 0 { "-" } else { "" }, units.unsigned_abs());
    if units % 10 == 0 { format!("{sign}{}", units / 10) } else { format!("{sign}{}.{}", units / 10, units % 10) }
}

fn alpha(name: &str, color: BackendColor) -> String {
    if color.alpha >= 1.0 { String::new() } else { format!(" {name}=\"{:.2}\"", color.alpha) }
}

fn paint<S: BackendStyle>(style: &S, fill: bool) -> String {
    let color = style.color();
    if fill {
        return format!(" fill=\"{}\"{}", css(color.rgb), alpha("fill-opacity", color));
    }
    #[allow(clippy::cast_possible_wrap)] // stroke widths are tens of units
    let width = px(style.stroke_width() as i32);
    let width = if width == "1" { String::new() } else { format!(" stroke-width=\"{width}\"") };
    format!(" fill=\"none\" stroke=\"{}\"{width}{}", css(color.rgb), alpha("stroke-opacity", color))
}

fn points(path: impl IntoIterator<Item = BackendCoord>) -> String {
    path.into_iter().map(|(x, y)| format!("{},{}", px(x), px(y))).collect::<Vec<_>>().join(" ")
}

/// `text` with the five characters of XML escaped.
pub(super) fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            '\'' => out.push_str("&#39;"),
            _ => out.push(c),
        }
    }
    out
}

impl DrawingBackend for Sink {
    type ErrorType = Infallible;

    fn get_size(&self) -> (u32, u32) {
        self.size
    }

    fn ensure_prepared(&mut self) -> Drawn {
        Ok(())
    }

    fn present(&mut self) -> Drawn {
        Ok(())
    }

    fn draw_pixel(&mut self, (x, y): BackendCoord, color: BackendColor) -> Drawn {
        let fill = css(color.rgb);
        self.push(format_args!("<rect x=\"{}\" y=\"{}\" width=\".1\" height=\".1\" fill=\"{fill}\"/>", px(x), px(y)))
    }

    fn draw_line<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S) -> Drawn {
        let ends = format!("x1=\"{}\" y1=\"{}\" x2=\"{}\" y2=\"{}\"", px(from.0), px(from.1), px(to.0), px(to.1));
        self.push(format_args!("<line {ends}{}/>", paint(style, false)))
    }

    fn draw_rect<S: BackendStyle>(&mut self, from: BackendCoord, to: BackendCoord, style: &S, fill: bool) -> Drawn {
        let (x, y, w, h) = (px(from.0), px(from.1), px(to.0 - from.0), px(to.1 - from.1));
        self.push(format_args!("<rect x=\"{x}\" y=\"{y}\" width=\"{w}\" height=\"{h}\"{}/>", paint(style, fill)))
    }

    fn draw_path<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, path: I, style: &S) -> Drawn {
        self.push(format_args!("<polyline points=\"{}\"{}/>", points(path), paint(style, false)))
    }

    fn draw_circle<S: BackendStyle>(&mut self, center: BackendCoord, radius: u32, style: &S, fill: bool) -> Drawn {
        #[allow(clippy::cast_possible_wrap)] // radii are tens of units
        let (x, y, r) = (px(center.0), px(center.1), px(radius as i32));
        self.push(format_args!("<circle cx=\"{x}\" cy=\"{y}\" r=\"{r}\"{}/>", paint(style, fill)))
    }

    fn fill_polygon<S: BackendStyle, I: IntoIterator<Item = BackendCoord>>(&mut self, vertices: I, style: &S) -> Drawn {
        self.push(format_args!("<polygon points=\"{}\"{}/>", points(vertices), paint(style, true)))
    }

    fn draw_text<S: BackendTextStyle>(&mut self, text: &str, style: &S, (x, y): BackendCoord) -> Drawn {
        let size = style.size() / UNITS / FONT_HEIGHT;
        let anchor = match style.anchor().h_pos {
            HPos::Left => "",
            HPos::Center => " text-anchor=\"middle\"",
            HPos::Right => " text-anchor=\"end\"",
        };
        // Half of Inter's cap height (0.727 em) centres capitals and digits on the point.
        let lift = match style.anchor().v_pos {
            VPos::Top => 0.727,
            VPos::Center => 0.364,
            VPos::Bottom => 0.0,
        };
        #[allow(clippy::cast_possible_truncation)] // a few tens of units
        let y = y + (lift * size * UNITS).round() as i32;
        let weight = if matches!(style.style(), FontStyle::Bold) { " font-weight=\"600\"" } else { "" };
        let (x, y) = (px(x), px(y));
        let turn = match style.transform() {
            FontTransform::None => String::new(),
            FontTransform::Rotate90 => format!(" transform=\"rotate(90 {x} {y})\""),
            FontTransform::Rotate180 => format!(" transform=\"rotate(180 {x} {y})\""),
            FontTransform::Rotate270 => format!(" transform=\"rotate(270 {x} {y})\""),
        };
        let (fill, text) = (css(style.color().rgb), escape(text));
        self.push(format_args!(
            "<text x=\"{x}\" y=\"{y}\" font-size=\"{size:.0}\"{anchor}{weight}{turn} fill=\"{fill}\">{text}</text>"
        ))
    }
}
