//! Colours. Plotters carries fixed RGB values, so every themed colour travels as a sentinel and leaves as a CSS variable.

/// What a stroke, a fill or a text is drawn in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Main text and marks.
    Text,
    /// Secondary text.
    Soft,
    /// Hairlines and grids.
    Hair,
    /// The page itself.
    Paper,
    /// The best or the recommended.
    Accent,
    /// Something to be careful about.
    Warn,
    /// Something that failed.
    Fail,
    /// Diagonal hatch for what cannot run.
    Hatch,
    /// One of [`CATEGORIES`] categories, in Okabe–Ito order.
    Category(usize),
    /// A colour that means a number and is the same in both themes.
    Exact(u8, u8, u8),
}

/// Distinct category colours; a seventh category shares the colour of the first and differs by its mark.
pub const CATEGORIES: usize = 6;

/// First two channels of every sentinel. No colour of the sequential scale has them.
const SENTINEL: (u8, u8) = (1, 2);
const NAMES: [&str; 14] = ["ink", "soft", "hair", "paper", "accent", "warn", "fail", "", "c0", "c1", "c2", "c3", "c4", "c5"];

impl Ink {
    pub(super) fn rgb(self) -> (u8, u8, u8) {
        let slot = match self {
            Self::Text => 0,
            Self::Soft => 1,
            Self::Hair => 2,
            Self::Paper => 3,
            Self::Accent => 4,
            Self::Warn => 5,
            Self::Fail => 6,
            Self::Hatch => 7,
            Self::Category(index) => 8 + u8::try_from(index % CATEGORIES).unwrap_or(0),
            Self::Exact(r, g, b) => return (r, g, b),
        };
        (SENTINEL.0, SENTINEL.1, slot)
    }
}

/// CSS of a colour as plotters hands it over.
pub(super) fn css((r, g, b): (u8, u8, u8)) -> String {
    let name = NAMES.get(usize::from(b)).filter(|_| (r, g) == SENTINEL);
    match name {
        Some(&"") => "url(#hatch)".into(),
        Some(name) => format!("var(--{name})"),
        None => format!("#{r:02x}{g:02x}{b:02x}"),
    }
}

/// Cividis (Nuñez, Anderton and Renslow 2018) at nine equal steps, dark blue to yellow; colours between are interpolated.
const CIVIDIS: [(u8, u8, u8); 9] = [
    (0, 34, 78),
    (33, 56, 110),
    (72, 80, 108),
    (98, 102, 112),
    (124, 123, 120),
    (153, 147, 118),
    (184, 173, 106),
    (219, 202, 85),
    (254, 232, 56),
];

/// Colour of `share` (0 to 1) on the sequential scale: 0 is yellow, 1 is dark blue.
#[must_use]
pub fn sequential(share: f64) -> Ink {
    let position = (1.0 - share.clamp(0.0, 1.0)) * 8.0;
    let step = position.floor().min(7.0);
    #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // 0..=7
    let (from, to) = (CIVIDIS[step as usize], CIVIDIS[step as usize + 1]);
    let mix = |a: u8, b: u8| {
        let value = f64::from(a) + (f64::from(b) - f64::from(a)) * (position - step);
        #[allow(clippy::cast_possible_truncation, clippy::cast_sign_loss)] // between two u8
        let rounded = value.round() as u8;
        rounded
    };
    Ink::Exact(mix(from.0, to.0), mix(from.1, to.1), mix(from.2, to.2))
}

/// Text colour that reads on `ground`: near-black on light cells, near-white on dark ones (relative luminance, WCAG 2).
#[must_use]
pub fn on(ground: Ink) -> Ink {
    let Ink::Exact(r, g, b) = ground else { return Ink::Text };
    let linear = |channel: u8| (f64::from(channel) / 255.0).powf(2.2);
    let luminance = 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
    // 0.18 is where the contrast to black equals the contrast to white.
    if luminance > 0.18 { Ink::Exact(16, 20, 24) } else { Ink::Exact(248, 249, 250) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sentinels_become_variables_and_numbers_stay_colours() {
        for (ink, expected) in [
            (Ink::Text, "var(--ink)"),
            (Ink::Category(1), "var(--c1)"),
            (Ink::Category(7), "var(--c1)"),
            (Ink::Hatch, "url(#hatch)"),
            (Ink::Exact(0, 34, 78), "#00224e"),
            (sequential(0.0), "#fee838"),
            (sequential(1.0), "#00224e"),
        ] {
            assert_eq!(css(ink.rgb()), expected, "{ink:?}");
        }
    }

    #[test]
    fn no_sequential_colour_is_a_sentinel() {
        for step in 0..=1000 {
            assert!(css(sequential(f64::from(step) / 1000.0).rgb()).starts_with('#'));
        }
    }

    #[test]
    fn text_on_a_cell_contrasts() {
        assert_eq!(on(sequential(0.0)), Ink::Exact(16, 20, 24));
        assert_eq!(on(sequential(1.0)), Ink::Exact(248, 249, 250));
    }
}
