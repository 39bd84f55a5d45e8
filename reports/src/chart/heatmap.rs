//! Heat map of two knobs: each cell is the fastest configuration with these two values, coloured by how much slower it is than
//! the best of its problem.

use super::axis::ends;
use super::canvas::{Align, Canvas, Lettering, Point, SMALL, Stroke, Weight, text_width};
use super::ink::{Ink, on, sequential};
use super::marks::{self, Mark, Sign};
use super::panel::fit;
use super::{Chart, Hover, canvas};
use crate::number;

/// What a cell holds.
#[derive(Clone, Debug)]
pub enum Content {
    /// Time over the best time of the problem, 1 or more.
    Slowdown(f64),
    /// No configuration with these values can run; the hover says why.
    Illegal,
}

/// One cell that holds something; cells nobody asked for stay empty.
#[derive(Clone, Debug)]
pub struct Cell {
    /// Index into [`Heatmap::columns`].
    pub column: usize,
    /// Index into [`Heatmap::rows`].
    pub row: usize,
    /// Its value.
    pub content: Content,
    /// Marks of the configurations in it.
    pub marks: Vec<Mark>,
    /// Hover text and command.
    pub hover: Hover,
}

/// One problem.
#[derive(Clone, Debug)]
pub struct Facet {
    /// Problem and its best time.
    pub title: String,
    /// Cells in any order.
    pub cells: Vec<Cell>,
}

/// The chart: facets share both axes and the colour scale.
#[derive(Clone, Debug)]
pub struct Heatmap {
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// Name of the horizontal knob.
    pub column_name: String,
    /// Name of the vertical knob.
    pub row_name: String,
    /// Values of the horizontal knob, ascending.
    pub columns: Vec<String>,
    /// Values of the vertical knob, ascending upwards.
    pub rows: Vec<String>,
    /// One per problem.
    pub facets: Vec<Facet>,
}

/// Cells of more than this are not annotated (page brief).
const ANNOTATED: usize = 80;
const TITLE: f64 = 40.0;
const FOOT: f64 = 44.0;
const GAP: f64 = 28.0;

/// Sizes that follow from the width.
struct Layout {
    across: usize,
    left: f64,
    cell: (f64, f64),
    facet: (f64, f64),
}

impl Chart for Heatmap {
    fn draw(&self, width: f64) -> String {
        let layout = self.layout(width);
        #[allow(clippy::cast_precision_loss)] // a handful of facets
        let lines = self.facets.len().div_ceil(layout.across) as f64;
        let top = if width < 500.0 { 60.0 } else { 34.0 };
        let sheet = canvas(width, top + lines * layout.facet.1, &self.label);
        self.scale(&sheet, width);
        for (index, facet) in self.facets.iter().enumerate() {
            #[allow(clippy::cast_precision_loss)] // a handful of facets
            let (column, line) = ((index % layout.across) as f64, (index / layout.across) as f64);
            let origin = (column * layout.facet.0 + layout.left, top + line * layout.facet.1 + TITLE);
            self.facet(&sheet, facet, origin, &layout);
        }
        sheet.finish()
    }
}

impl Heatmap {
    fn layout(&self, width: f64) -> Layout {
        let label = self.rows.iter().map(|row| text_width(row, SMALL, Weight::Plain)).fold(0.0, f64::max);
        let left = label + 14.0;
        #[allow(clippy::cast_precision_loss)] // a handful of values and facets
        let (columns, rows) = (self.columns.len() as f64, self.rows.len() as f64);
        // A cell needs 38 px for a number; facets go side by side as long as their cells keep it.
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // a handful
        let fits = (((width + GAP) / (left + columns * 38.0 + GAP)) as usize).max(1);
        let across = fits.min(self.facets.len()).clamp(1, 4);
        #[allow(clippy::cast_precision_loss)] // at most four
        let slot = (width + GAP) / across as f64;
        let cell_width = ((slot - GAP - left) / columns).min(88.0);
        let cell_height = if rows > 16.0 { 16.0 } else { 28.0 };
        Layout { across, left, cell: (cell_width, cell_height), facet: (slot, TITLE + rows * cell_height + FOOT) }
    }

    fn worst(&self) -> f64 {
        let slowdowns = self.facets.iter().flat_map(|facet| &facet.cells).filter_map(|cell| match cell.content {
            Content::Slowdown(value) => Some(value),
            Content::Illegal => None,
        });
        ends(slowdowns).map_or(2.0, |(_, high)| high.max(1.05))
    }

    fn shade(&self, slowdown: f64) -> Ink {
        sequential(slowdown.max(1.0).ln() / self.worst().ln())
    }

    /// Colour bar and key.
    fn scale(&self, sheet: &Canvas, width: f64) {
        let caption = "time over the best of the problem";
        let mut x = text_width(caption, 12.0, Weight::Plain) + 10.0;
        sheet.text((0.0, 10.0), caption, Lettering::soft(Align::Start));
        sheet.text((x, 10.0), "1×", Lettering::soft(Align::Start));
        x += 20.0;
        for step in 0..24 {
            let left = x + f64::from(step) * 4.0;
            sheet.block((left, 4.0), (left + 4.0, 16.0), sequential(f64::from(step) / 23.0));
        }
        sheet.text((x + 102.0, 10.0), &number::ratio(self.worst()), Lettering::soft(Align::Start));
        let below = width < 500.0;
        let at = if below { (0.0, 32.0) } else { (x + 160.0, 10.0) };
        marks::key(sheet, at, width, &self.key());
    }

    fn key(&self) -> Vec<(Sign, String)> {
        let cells = || self.facets.iter().flat_map(|facet| &facet.cells);
        let mut key: Vec<(Sign, String)> = [Mark::Default, Mark::Recommended]
            .into_iter()
            .filter(|mark| cells().any(|cell| cell.marks.contains(mark)))
            .map(|mark| (Sign::Mark(mark), mark.word().to_owned()))
            .collect();
        if cells().any(|cell| matches!(cell.content, Content::Illegal)) {
            key.push((Sign::Hatch, "cannot run".into()));
        }
        key
    }

    fn facet(&self, sheet: &Canvas, facet: &Facet, origin: Point, layout: &Layout) {
        let room = layout.facet.0 - GAP;
        let title = fit(&facet.title, room, 12.0, Weight::Strong);
        sheet.text((origin.0 - layout.left, origin.1 - 30.0), &title, Lettering::main(Align::Start).strong());
        sheet.text(
            (origin.0 - layout.left, origin.1 - 12.0),
            &format!("{} ↑", self.row_name),
            Lettering::soft(Align::Start).sized(SMALL),
        );
        self.names(sheet, origin, layout);
        for cell in &facet.cells {
            self.cell(sheet, cell, origin, layout);
        }
        // Outlines last, so that no neighbour covers them.
        for cell in facet.cells.iter().filter(|cell| cell.marks.contains(&Mark::Best)) {
            let (from, to) = self.corners(cell, origin, layout.cell);
            sheet.outline(from, to, Stroke::new(Ink::Paper, 5.0));
            sheet.outline(from, to, Stroke::new(Ink::Accent, 3.0));
        }
    }

    fn names(&self, sheet: &Canvas, (x, y): Point, layout: &Layout) {
        let (width, height) = layout.cell;
        #[allow(clippy::cast_precision_loss)] // a handful of values
        let spot = |index: usize| index as f64 + 0.5;
        let bottom = y + height * (spot(self.rows.len()) - 0.5);
        for (index, row) in self.rows.iter().enumerate() {
            sheet.text((x - 6.0, bottom - spot(index) * height), row, Lettering::soft(Align::End).sized(SMALL));
        }
        let mut free = f64::NEG_INFINITY;
        for (index, column) in self.columns.iter().enumerate() {
            let (middle, half) = (x + spot(index) * width, text_width(column, SMALL, Weight::Plain) / 2.0);
            if middle - half > free {
                sheet.text((middle, bottom + 12.0), column, Lettering::soft(Align::Middle).sized(SMALL));
                free = middle + half + 4.0;
            }
        }
        let middle = x + width * (spot(self.columns.len()) - 0.5) / 2.0;
        sheet.text((middle, bottom + 28.0), &format!("{} →", self.column_name), Lettering::soft(Align::Middle).sized(SMALL));
    }

    fn corners(&self, cell: &Cell, (x, y): Point, (width, height): (f64, f64)) -> (Point, Point) {
        #[allow(clippy::cast_precision_loss)] // a handful of values
        let (column, row) = (cell.column as f64, (self.rows.len() - 1 - cell.row) as f64);
        let from = (x + column * width, y + row * height);
        (from, (from.0 + width - 1.5, from.1 + height - 1.5))
    }

    fn cell(&self, sheet: &Canvas, cell: &Cell, origin: Point, layout: &Layout) {
        let (from, to) = self.corners(cell, origin, layout.cell);
        let middle = ((from.0 + to.0) / 2.0, (from.1 + to.1) / 2.0);
        sheet.hovered(&cell.hover, |sheet| match cell.content {
            Content::Illegal => sheet.block(from, to, Ink::Hatch),
            Content::Slowdown(slowdown) => {
                let shade = self.shade(slowdown);
                sheet.block(from, to, shade);
                let text = number::figures(slowdown, if slowdown < 10.0 { 3 } else { 2 });
                let marked = cell.marks.iter().any(|mark| *mark != Mark::Best);
                let room = to.0 - from.0 - if marked { 22.0 } else { 4.0 };
                if self.columns.len() * self.rows.len() < ANNOTATED && text_width(&text, SMALL, Weight::Plain) <= room {
                    let shift = if marked { 8.0 } else { 0.0 };
                    sheet.text((middle.0 + shift, middle.1), &text, Lettering::main(Align::Middle).sized(SMALL).inked(on(shade)));
                }
                self.corner_marks(sheet, cell, (from.0 + 11.0, middle.1), shade);
            }
        });
    }

    /// Default and recommended sit at the left of their cell, in the colour of its text.
    fn corner_marks(&self, sheet: &Canvas, cell: &Cell, at: Point, shade: Ink) {
        if cell.marks.contains(&Mark::Recommended) {
            sheet.ring(at, 7.5, Stroke::new(on(shade), 2.0));
        }
        if cell.marks.contains(&Mark::Default) {
            sheet.ring(at, 4.0, Stroke::new(on(shade), 1.8));
        }
    }
}
