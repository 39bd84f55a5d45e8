//! Roofline: attained rate against arithmetic intensity under the measured roofs (Williams, Waterman and Patterson 2009).

use super::axis::{Axis, ends};
use super::canvas::{Align, Canvas, Lettering, SMALL, Stroke, Weight, text_width};
use super::ink::Ink;
use super::marks::{self, KEY_LINE, Mark, Sign};
use super::panel::{BOTTOM, Panel, TOP, Ticks, gutter};
use super::{Chart, Hover, canvas};
use crate::number;

/// What a roof limits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Limit {
    /// FLOP per second at any intensity.
    Compute,
    /// Bytes per second of a memory level.
    Bandwidth,
}

impl Limit {
    /// Unit of its values.
    #[must_use]
    pub fn unit(self) -> &'static str {
        match self {
            Self::Compute => "FLOP/s",
            Self::Bandwidth => "B/s",
        }
    }
}

/// A measured roof.
#[derive(Clone, Debug)]
pub struct Roof {
    /// `FMA peak`, `DRAM`, `L2`.
    pub name: String,
    /// What it limits.
    pub limit: Limit,
    /// FLOP/s or byte/s.
    pub value: f64,
    /// Spread of the measurement, drawn as a band.
    pub spread: Option<(f64, f64)>,
}

impl Roof {
    fn at(&self, intensity: f64, value: f64) -> f64 {
        if self.limit == Limit::Compute { value } else { value * intensity }
    }
}

/// A measured point.
#[derive(Clone, Debug)]
pub struct Spot {
    /// Useful FLOP per compulsory byte.
    pub intensity: f64,
    /// Useful FLOP per second.
    pub flop_per_s: f64,
    /// Index into [`Roofline::families`].
    pub family: usize,
    /// Share of the time of all points drawn, 0 to 1: its area.
    pub share: f64,
    /// Whether it is the best or the default of its problem; other points are faint.
    pub marks: Vec<Mark>,
    /// Hover text and command.
    pub hover: Hover,
}

/// The chart.
#[derive(Clone, Debug)]
pub struct Roofline {
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// Roofs in any order.
    pub roofs: Vec<Roof>,
    /// Points.
    pub spots: Vec<Spot>,
    /// Families in the order of their colours.
    pub families: Vec<String>,
}

impl Chart for Roofline {
    fn draw(&self, width: f64) -> String {
        let entries = self.key();
        let lines = marks::key_lines(4.0, width, &entries);
        let top = TOP - 8.0 + lines * KEY_LINE;
        let height = (width * 0.52).clamp(280.0, 480.0);
        let sheet = canvas(width, top + height + BOTTOM, &self.label);
        let panel = self.panel(width, top, height);
        marks::key(&sheet, (4.0, 10.0), width, &entries);
        panel.axes(&sheet, Ticks::Written, Ticks::Written);
        self.draw_roofs(&sheet, &panel);
        self.draw_spots(&sheet, &panel);
        sheet.finish()
    }
}

impl Roofline {
    fn key(&self) -> Vec<(Sign, String)> {
        let mut key: Vec<_> = self.families.iter().enumerate().map(|(index, name)| (Sign::Shape(index), name.clone())).collect();
        let has = |mark: Mark| self.spots.iter().any(|spot| spot.marks.contains(&mark));
        if has(Mark::Best) {
            key.push((Sign::Solid, "best of its problem (solid)".into()));
        }
        let rings = [Mark::Default, Mark::Recommended].into_iter().filter(|mark| has(*mark));
        key.extend(rings.map(|mark| (Sign::Mark(mark), mark.word().to_owned())));
        key
    }

    fn peak(&self) -> Option<&Roof> {
        self.roofs.iter().filter(|roof| roof.limit == Limit::Compute).max_by(|a, b| a.value.total_cmp(&b.value))
    }

    /// Intensities at which a bandwidth roof meets the highest compute roof.
    fn ridges(&self) -> Vec<f64> {
        let Some(peak) = self.peak() else { return Vec::new() };
        self.roofs.iter().filter(|roof| roof.limit == Limit::Bandwidth).map(|roof| peak.value / roof.value).collect()
    }

    fn panel(&self, width: f64, top: f64, height: f64) -> Panel {
        let x = Axis::log(
            "arithmetic intensity (useful FLOP / compulsory byte)",
            self.spots.iter().map(|s| s.intensity).chain(self.ridges()),
            3.0,
        );
        let low = ends(self.spots.iter().map(|spot| spot.flop_per_s));
        let high = ends(
            self.spots
                .iter()
                .map(|spot| spot.flop_per_s)
                .chain(self.roofs.iter().filter(|r| r.limit == Limit::Compute).map(|r| r.value)),
        );
        let reach = low.zip(high).map_or(vec![], |((low, _), (_, high))| vec![low, high]);
        let y = Axis::log("", reach, 1.6).si("attained", "FLOP/s");
        let left = gutter(&y, height);
        let x = if width < 500.0 { Axis { name: "intensity (FLOP / byte)".into(), ..x } } else { x };
        Panel { left, top, width: width - left - 16.0, height, x, y }
    }

    fn draw_roofs(&self, sheet: &Canvas, panel: &Panel) {
        let cap = self.peak().map_or(f64::INFINITY, |roof| roof.spread.map_or(roof.value, |(_, high)| high));
        let mut taken: Vec<(f64, f64)> = Vec::new();
        let mut paths = Vec::new();
        let mut roofs: Vec<&Roof> = self.roofs.iter().collect();
        roofs.sort_by(|a, b| b.value.total_cmp(&a.value));
        for roof in roofs {
            if let Some((low, high)) = roof.spread {
                let band = band(line(panel, roof, low, cap), line(panel, roof, high, cap), panel);
                if band.len() > 2 {
                    sheet.polygon(&band, Ink::Soft, 0.22);
                }
            }
            let path = line(panel, roof, roof.value, cap.min(self.peak().map_or(f64::INFINITY, |peak| peak.value)));
            if path.len() > 1 {
                sheet.hovered(&Hover::text(roof_words(roof)), |sheet| sheet.path(&path, Stroke::new(Ink::Soft, 1.6)));
                paths.push((roof, path));
            }
        }
        // Names last: no line runs through them.
        for (roof, path) in paths {
            name_roof(sheet, panel, roof, &path, &mut taken);
        }
    }

    fn draw_spots(&self, sheet: &Canvas, panel: &Panel) {
        let mut order: Vec<&Spot> = self.spots.iter().collect();
        order.sort_by_key(|spot| spot.marks.len());
        for spot in order {
            let at = panel.inside(spot.intensity, spot.flop_per_s);
            // Area by share of time, from 2 px so that no point vanishes.
            let radius = 2.0 + 5.0 * spot.share.clamp(0.0, 1.0).sqrt();
            sheet.hovered(&spot.hover, |sheet| draw_spot(sheet, spot, at, radius));
        }
    }
}

/// The filled mark keeps the shape and the colour of its family here: solid and never small among faint ones.
fn draw_spot(sheet: &Canvas, spot: &Spot, at: (f64, f64), radius: f64) {
    if spot.marks.contains(&Mark::Best) {
        marks::shape(sheet, spot.family, at, radius.max(5.0), 1.0);
    } else if !spot.marks.contains(&Mark::Default) {
        marks::shape(sheet, spot.family, at, radius, 0.28);
    }
    let rings: Vec<Mark> = spot.marks.iter().copied().filter(|mark| *mark != Mark::Best).collect();
    if spot.marks.contains(&Mark::Best) && rings.contains(&Mark::Default) {
        sheet.ring(at, radius.max(5.0) + 1.5, Stroke::new(Ink::Text, 1.8));
    } else {
        marks::draw_all(sheet, at, &rings);
    }
}

/// The area between the lower and the upper line of a roof, with the corner of the panel where only the lower one is cut there.
fn band(low: Vec<(f64, f64)>, high: Vec<(f64, f64)>, panel: &Panel) -> Vec<(f64, f64)> {
    let cut = |line: &[(f64, f64)]| line.first().is_some_and(|(x, _)| *x > panel.left + 0.1);
    let corner = (cut(&low) && !cut(&high)).then(|| (panel.left, panel.bottom()));
    corner.into_iter().chain(low).chain(high.into_iter().rev()).collect()
}

fn roof_words(roof: &Roof) -> String {
    let unit = roof.limit.unit();
    let spread = roof.spread.map(|(low, high)| format!("\nspread {} to {}", number::si(low, unit), number::si(high, unit)));
    format!("{} {}{}", roof.name, number::si(roof.value, unit), spread.unwrap_or_default())
}

/// The visible part of a roof at `value`, ending where it meets `cap`.
fn line(panel: &Panel, roof: &Roof, value: f64, cap: f64) -> Vec<(f64, f64)> {
    let (mut low, mut high) = (panel.x.low, panel.x.high);
    if roof.limit == Limit::Bandwidth {
        low = low.max(panel.y.low / value);
        high = high.min(cap.min(panel.y.high) / value);
    } else if value < panel.y.low || value > panel.y.high {
        return Vec::new();
    }
    if low >= high {
        return Vec::new();
    }
    [low, high].map(|x| panel.at(x, roof.at(x, value))).to_vec()
}

/// Writes the roof's name: a compute roof above its right end, a bandwidth roof beside its lower end, clear of other names.
fn name_roof(sheet: &Canvas, panel: &Panel, roof: &Roof, path: &[(f64, f64)], taken: &mut Vec<(f64, f64)>) {
    let unit = roof.limit.unit();
    let text = format!("{} {}", roof.name, number::si(roof.value, unit));
    let lettering = Lettering::main(Align::End).sized(SMALL);
    if roof.limit == Limit::Compute {
        let (x, y) = path[1];
        sheet.haloed(|sheet| sheet.text((x - 2.0, y - 9.0), &text, lettering));
        return;
    }
    let ((x0, y0), (x1, y1)) = (path[0], path[1]);
    let width = text_width(&text, SMALL, Weight::Plain);
    // Along the line, the first place whose row is free and where the name fits to the right of the line.
    for step in 1..20 {
        let share = f64::from(step) / 20.0;
        let (x, y) = (x0 + (x1 - x0) * share, y0 + (y1 - y0) * share);
        let free = taken.iter().all(|&(tx, ty)| (ty - y).abs() > 15.0 || (tx - x).abs() > width + 20.0);
        if free && x + 8.0 + width < panel.right() && y < panel.bottom() - 8.0 {
            taken.push((x, y));
            sheet.haloed(|sheet| sheet.text((x + 8.0, y + 5.0), &text, Lettering::main(Align::Start).sized(SMALL)));
            return;
        }
    }
}
