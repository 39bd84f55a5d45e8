//! Averaging window and lag of a reading from its answer to a known load.
//!
//! A reading that averages `W` seconds and is shown `L` seconds late is a straight line in the share of `[t − L − W, t − L]` that was busy. Of all
//! `W` and `L`, those are taken that leave the least squares; a low pass is tried beside the moving average.

/// When the GPU was busy.
#[derive(Clone, Debug)]
pub(super) struct Busy {
    /// (from, to, busy time before).
    spans: Vec<(f64, f64, f64)>,
}

impl Busy {
    pub(super) fn new(spans: Vec<(f64, f64)>) -> Self {
        let mut before = 0.0;
        let with_sums = |(from, to): (f64, f64)| {
            let span = (from, to, before);
            before += to - from;
            span
        };
        Self { spans: spans.into_iter().map(with_sums).collect() }
    }

    /// Busy time until ascending times.
    fn sums(&self, times: impl Iterator<Item = f64>) -> impl Iterator<Item = f64> {
        let mut at = 0;
        times.map(move |time_s| {
            while self.spans.get(at + 1).is_some_and(|span| span.0 <= time_s) {
                at += 1;
            }
            match self.spans.get(at) {
                Some((from, to, before)) if *from <= time_s => before + time_s.min(*to) - from,
                _ => 0.0,
            }
        })
    }

    /// Busy share of the `window_s` before ascending times.
    fn boxcar(&self, times: impl Iterator<Item = f64> + Clone, window_s: f64) -> Vec<f64> {
        let starts = self.sums(times.clone().map(|time_s| time_s - window_s));
        self.sums(times).zip(starts).map(|(end, start)| (end - start) / window_s).collect()
    }

    /// A low pass of 1 while busy and 0 else, at ascending times.
    fn low_pass(&self, times: impl Iterator<Item = f64>, tau_s: f64) -> Vec<f64> {
        let (mut state, mut at_s, mut next) = (0.0, f64::NEG_INFINITY, 0);
        let toward = |state: f64, target: f64, seconds: f64| target + (state - target) * (-seconds / tau_s).exp();
        let mut values = Vec::new();
        for time_s in times {
            while let Some(&(from, to, _)) = self.spans.get(next).filter(|span| span.0 < time_s) {
                if at_s < from {
                    (state, at_s) = (toward(state, 0.0, from - at_s), from);
                }
                let end = to.min(time_s);
                (state, at_s) = (toward(state, 1.0, end - at_s), end);
                if to > time_s {
                    break;
                }
                next += 1;
            }
            if at_s < time_s {
                (state, at_s) = (toward(state, 0.0, time_s - at_s), time_s);
            }
            values.push(state);
        }
        values
    }
}

/// How a reading follows power.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Shape {
    /// Moving average of so many seconds.
    Boxcar(f64),
    /// Low pass with this time constant.
    Exponential(f64),
}

impl Shape {
    fn scaled(self, factor: f64) -> Self {
        match self {
            Self::Boxcar(window_s) => Self::Boxcar(window_s * factor),
            Self::Exponential(tau_s) => Self::Exponential(tau_s * factor),
        }
    }

    /// Age of what it shows, without the lag.
    fn centre_s(self) -> f64 {
        match self {
            Self::Boxcar(window_s) => window_s / 2.0,
            Self::Exponential(tau_s) => tau_s,
        }
    }

    fn answers(self, samples: &[(f64, f64)], lag_s: f64, busy: &Busy) -> Vec<f64> {
        let times = samples.iter().map(|(time_s, _)| time_s - lag_s);
        match self {
            Self::Boxcar(window_s) => busy.boxcar(times, window_s),
            Self::Exponential(tau_s) => busy.low_pass(times, tau_s),
        }
    }
}

/// The best of a search.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fit {
    pub(super) shape: Shape,
    pub(super) lag_s: f64,
    /// Share of variance explained.
    pub(super) explained: f64,
}

/// Windows from 5 ms to 1.6 s and time constants from 60 ms to 1 s, each a quarter above the one before.
const WINDOWS: (f64, usize) = (0.005, 27);
const TAUS: (f64, usize) = (0.06, 13);
const LAG_STEP_S: f64 = 0.01;
const LAGS: u32 = 22;
/// The grid is searched with about so many of the samples; what it finds is narrowed down with all.
const COARSE: usize = 120;
/// A low pass has to leave clearly less than a moving average before it is believed.
const CLEARLY: f64 = 0.7;

/// Fits `(time, value)` samples, ascending in time; `None` where there are too few to say anything.
pub(super) fn step_response(samples: &[(f64, f64)], busy: &Busy) -> Option<Fit> {
    if samples.len() < 12 {
        return None;
    }
    let coarse: Vec<(f64, f64)> = samples.iter().copied().step_by(samples.len().div_ceil(COARSE)).collect();
    let grid = |(least, steps): (f64, usize), shape: fn(f64) -> Shape| {
        let values = std::iter::successors(Some(least), |value| Some(value * 1.25)).take(steps);
        let lags = move |value| (0..LAGS).map(move |lag| (shape(value), f64::from(lag) * LAG_STEP_S));
        let found = best(values.flat_map(lags), &coarse, busy)?;
        Some(fitted(found.shape, found.lag_s, samples, busy))
    };
    let average = refine(grid(WINDOWS, Shape::Boxcar)?, samples, busy);
    let low_pass = refine(grid(TAUS, Shape::Exponential)?, samples, busy);
    let clearly = 1.0 - low_pass.explained < CLEARLY * (1.0 - average.explained);
    Some(if clearly { low_pass } else { average })
}

fn best(candidates: impl Iterator<Item = (Shape, f64)>, samples: &[(f64, f64)], busy: &Busy) -> Option<Fit> {
    candidates.map(|(shape, lag_s)| fitted(shape, lag_s, samples, busy)).max_by(|a, b| a.explained.total_cmp(&b.explained))
}

fn fitted(shape: Shape, lag_s: f64, samples: &[(f64, f64)], busy: &Busy) -> Fit {
    Fit { shape, lag_s, explained: explained(&shape.answers(samples, lag_s, busy), samples) }
}

/// Narrows a grid point down: shorter and longer, earlier and later, in steps that shrink.
fn refine(mut fit: Fit, samples: &[(f64, f64)], busy: &Busy) -> Fit {
    let (mut factor, mut step_s) = (1.12, LAG_STEP_S / 2.0);
    for _ in 0..10 {
        // A longer window with its centre where it was: the direction in which a fit moves least.
        let centred = |scale: f64| (scale, (1.0 - scale) * fit.shape.centre_s());
        let around = [(factor, 0.0), (1.0 / factor, 0.0), (1.0, step_s), (1.0, -step_s), centred(factor), centred(1.0 / factor)];
        let near = around.map(|(scale, late)| (fit.shape.scaled(scale), (fit.lag_s + late).max(0.0)));
        match best(near.into_iter(), samples, busy) {
            Some(better) if better.explained > fit.explained => fit = better,
            _ => (factor, step_s) = (factor.sqrt(), step_s / 2.0),
        }
    }
    fit
}

/// Square of the correlation, 0 where the reading falls with load.
fn explained(answers: &[f64], samples: &[(f64, f64)]) -> f64 {
    let n = super::statistics::count(samples.len());
    let (mx, my) = (answers.iter().sum::<f64>() / n, samples.iter().map(|(_, y)| y).sum::<f64>() / n);
    let (mut xx, mut yy, mut xy) = (0.0, 0.0, 0.0);
    for (x, (_, y)) in answers.iter().zip(samples) {
        let (dx, dy) = (x - mx, y - my);
        (xx, yy, xy) = (xx + dx * dx, yy + dy * dy, xy + dx * dy);
    }
    if xx <= 0.0 || yy <= 0.0 || xy <= 0.0 { 0.0 } else { xy * xy / (xx * yy) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    fn wave() -> Busy {
        let mut random = Random::new(5);
        let mut at = 1.0;
        let spans = (0..24).map(|_| {
            let (on, off) = (0.05 + 0.15 * (random.signed() + 1.0), 0.05 + 0.15 * (random.signed() + 1.0));
            let span = (at, at + on);
            at += on + off;
            span
        });
        Busy::new(spans.collect())
    }

    #[test]
    fn window_and_lag_of_a_known_answer_are_found() {
        let busy = wave();
        for (window, lag) in [(0.025, 0.04), (0.1, 0.0), (0.1, 0.09), (0.02, 0.1), (1.0, 0.05)] {
            let times: Vec<f64> = (0..110).map(|i| f64::from(i) * 0.1 + 0.013).collect();
            let shares = busy.boxcar(times.iter().map(|t| t - lag), window);
            let samples: Vec<(f64, f64)> = times.iter().zip(shares).map(|(t, share)| (*t, 40.0 + 200.0 * share)).collect();
            let fit = step_response(&samples, &busy).expect("enough samples");
            let Shape::Boxcar(found) = fit.shape else { panic!("{fit:?} for a moving average") };
            assert!((found / window - 1.0).abs() < 0.3 && (fit.lag_s - lag).abs() < 0.012, "{fit:?} for {window} and {lag}");
        }
    }

    #[test]
    fn a_low_pass_is_told_from_a_moving_average() {
        let busy = wave();
        for tau in [0.15, 0.4] {
            let times: Vec<f64> = (0..500).map(|i| f64::from(i) * 0.02).collect();
            let answers = busy.low_pass(times.iter().map(|t| t - 0.01), tau);
            let samples: Vec<(f64, f64)> = times.into_iter().zip(answers.iter().map(|a| 30.0 + 90.0 * a)).collect();
            let fit = step_response(&samples, &busy).expect("enough samples");
            let Shape::Exponential(found) = fit.shape else { panic!("{fit:?} for a low pass") };
            assert!((found / tau - 1.0).abs() < 0.15, "{fit:?} for {tau}");
        }
    }
}
