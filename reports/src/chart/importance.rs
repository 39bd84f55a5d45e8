//! Importance of features: a dot per feature on a line from zero.

use super::axis::Axis;
use super::canvas::{Align, Lettering, SIZE, Stroke, Weight, text_width};
use super::ink::Ink;
use super::panel::{Panel, Ticks, fit};
use super::{Chart, Hover, canvas};

/// One feature.
#[derive(Clone, Debug)]
pub struct Feature {
    /// Name as in the frame.
    pub name: String,
    /// Its importance.
    pub value: f64,
    /// Ends over repeats.
    pub interval: Option<(f64, f64)>,
    /// Hover text.
    pub hover: Hover,
}

/// The chart, features from most to least important.
#[derive(Clone, Debug)]
pub struct ImportanceChart {
    /// What it shows, for those who cannot see it.
    pub label: String,
    /// Name and unit of the values.
    pub axis: String,
    /// Features.
    pub features: Vec<Feature>,
}

const LINE: f64 = 24.0;

impl Chart for ImportanceChart {
    fn draw(&self, width: f64) -> String {
        #[allow(clippy::cast_precision_loss)] // a dozen features
        let count = self.features.len() as f64;
        let widest = self.features.iter().map(|feature| text_width(&feature.name, SIZE, Weight::Plain)).fold(0.0, f64::max);
        let left = (widest + 12.0).min(width * 0.5);
        let sheet = canvas(width, count * LINE + 54.0, &self.label);
        let reach =
            self.features.iter().flat_map(|feature| [feature.value, feature.interval.map_or(feature.value, |(_, high)| high)]);
        let low = self.features.iter().map(|feature| feature.interval.map_or(feature.value, |(low, _)| low)).fold(0.0, f64::min);
        let high = reach.fold(0.0, f64::max);
        let x = Axis::linear(self.axis.clone(), low, high * 1.05);
        let silent = Axis::linear("", 0.0, count);
        let panel = Panel { left, top: 6.0, width: width - left - 12.0, height: count * LINE, x, y: silent };
        for tick in panel.x.ticks(4) {
            let (x, _) = panel.at(tick.value, 0.0);
            sheet.line((x, panel.top), (x, panel.bottom()), Stroke::hair());
        }
        let no_rows = Panel { height: 0.0, top: panel.bottom(), ..panel.clone() };
        no_rows.axes(&sheet, Ticks::Written, Ticks::Silent);
        for (index, feature) in self.features.iter().enumerate() {
            #[allow(clippy::cast_precision_loss)] // a dozen features
            let y = panel.top + (index as f64 + 0.5) * LINE;
            let at = |value: f64| (panel.at(value, 0.0).0, y);
            sheet.text((left - 8.0, y), &fit(&feature.name, left - 10.0, SIZE, Weight::Plain), Lettering::main(Align::End));
            sheet.hovered(&feature.hover, |sheet| {
                sheet.line(at(0.0), at(feature.value), Stroke::new(Ink::Hair, 2.0));
                if let Some((low, high)) = feature.interval {
                    sheet.line(at(low), at(high), Stroke::new(Ink::Text, 2.0));
                }
                sheet.disc(at(feature.value), 4.5, Ink::Category(0), 1.0);
            });
        }
        sheet.finish()
    }
}
