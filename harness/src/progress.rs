//! A bar with time left and current noise on a terminal, plain lines elsewhere; on standard error, so that standard output stays data.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tilecast_runs::row::Row;
use tilecast_runs::schema::col;

use crate::plan::Point;

/// Results over which the noise shown is taken.
const WINDOW: usize = 20;
/// Where there is no terminal, a line is printed this often at most.
const LINE_EVERY: Duration = Duration::from_secs(10);

/// Where progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Show {
    /// On standard error.
    Progress,
    /// Nowhere.
    Nothing,
}

/// Progress of a sweep.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    lines: bool,
    last_line: Instant,
    noise: VecDeque<f64>,
    samples: u64,
    failed: u64,
}

impl Progress {
    /// A bar, lines, or nothing.
    #[must_use]
    pub fn new(show: Show) -> Self {
        let terminal = std::io::stderr().is_terminal();
        let target = if show == Show::Progress && terminal { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
        let lines = show == Show::Progress && !terminal;
        let bar = ProgressBar::with_draw_target(None, target);
        Self { bar, lines, last_line: Instant::now(), noise: VecDeque::new(), samples: 0, failed: 0 }
    }

    /// `points` are to be measured, `done` of them are.
    pub fn start(&mut self, points: usize, done: usize) {
        let style = ProgressStyle::with_template("{bar:28} {pos}/{len} points  {elapsed} elapsed, {eta} left  {msg}");
        if let Ok(style) = style {
            self.bar.set_style(style.progress_chars("━╸ "));
        }
        self.bar.set_length(points as u64);
        self.bar.set_position(done as u64);
        self.bar.reset_eta();
        self.line(true);
    }

    /// A sample of `point` was taken.
    pub fn sampled(&mut self, point: &Point) {
        self.samples += 1;
        if self.samples.is_multiple_of(16) {
            self.bar.set_message(format!("{}{}", self.state(), point.problem.family));
        }
        self.line(false);
    }

    /// A point has its row.
    pub fn finished(&mut self, row: &Row) {
        if let Some(noise) = row.real(col::noise) {
            self.noise.push_back(noise);
            if self.noise.len() > WINDOW {
                self.noise.pop_front();
            }
        }
        self.failed += u64::from(row.text(col::status) != Some("ok"));
        self.bar.inc(1);
        self.bar.set_message(self.state());
        self.line(false);
    }

    /// The end.
    pub fn finish(&mut self) {
        // Before the bar is: that sets it to all points, measured or not.
        self.line(true);
        self.bar.finish_and_clear();
    }

    fn state(&self) -> String {
        let mut sorted: Vec<f64> = self.noise.iter().copied().collect();
        sorted.sort_by(f64::total_cmp);
        let noise = sorted.get(sorted.len() / 2).map_or(String::new(), |noise| format!("noise {:.1} %  ", noise * 100.0));
        let failed = if self.failed > 0 { format!("{} failed  ", self.failed) } else { String::new() };
        format!("{noise}{failed}")
    }

    #[allow(clippy::print_stderr)] // progress is talk, and talk goes to standard error
    fn line(&mut self, due: bool) {
        if self.lines && (due || self.last_line.elapsed() >= LINE_EVERY) {
            self.last_line = Instant::now();
            let (done, all) = (self.bar.position(), self.bar.length().unwrap_or(0));
            eprintln!("{done}/{all} points, {} samples  {}", self.samples, self.state());
        }
    }
}
