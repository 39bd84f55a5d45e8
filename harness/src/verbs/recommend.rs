//! `tilecast recommend`: which configuration to use, and how the best of them do when measured.

use std::path::PathBuf;

use serde_json::{Value as Json, json};
use tilecast_kernels::CacheMode;
use tilecast_models::{Ranked, Target};
use tilecast_runs::row::Row;
use tilecast_runs::schema::col;

use crate::advise::{Advice, Question, advise, facts_here, measure_best};
use crate::campaign::create_store;
use crate::fail::Fail;
use crate::measure::Ended;
use crate::plan::Point;
use crate::progress::Show;
use crate::spec::{Measure, find_family};
use crate::verbs::asked::{Output, parse_knobs, parse_problem};
use crate::verbs::modelled::{interval, read_model, require_family, warn_of_device};
use crate::{Exit, device, terminal};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: tilecast recommend time.model --family gemm_regblock --problem m=768,n=768,k=768 --measure 5 -o store"
)]
pub struct Args {
    /// Model file
    model: PathBuf,
    /// Kernel family
    #[arg(long)]
    family: String,
    /// Problem axes: `m=768,n=768,k=768`; what is not named takes its default
    #[arg(long)]
    problem: String,
    /// Only these values of a knob: `--axis tile=16,32`. A model that knows clocks needs them named: `--axis nvml_clock=1200,1800`
    #[arg(long = "axis", value_name = "NAME=V[,V…]")]
    axes: Vec<String>,
    /// Element type
    #[arg(long, default_value = "f32")]
    dtype: String,
    /// Device
    #[arg(long, default_value = device::DEFAULT)]
    device: String,
    /// Configurations shown
    #[arg(long, default_value_t = 5)]
    top: usize,
    /// Measure the best K beside the default, interleaved
    #[arg(long, value_name = "K", requires = "out")]
    measure: Option<usize>,
    /// Store for what is measured
    #[arg(short, long, value_name = "STORE")]
    out: Option<PathBuf>,
    /// Seed of operands and order
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cuda: device::CudaArgs,
}

impl Args {
    /// Ranks, measures where asked, prints.
    ///
    /// # Errors
    /// [`Fail`] where the model does not fit the family or the problem is not legal.
    pub fn run(self) -> Result<Exit, Fail> {
        self.cuda.apply();
        let predictor = read_model(&self.model)?;
        if predictor.target() != Target::Time {
            let fail = Fail::new(format!(
                "model `{}` predicts {}, and a recommendation ranks by time",
                self.model.display(),
                predictor.target()
            ));
            return Err(fail.hint("fit one with `--target time`"));
        }
        let family = find_family(&self.family)?;
        require_family(&predictor, &self.model, &self.family)?;
        let device = device::open(&self.device)?;
        let device_seen = warn_of_device(&predictor, &self.model, &device.info().slug);
        let question = Question {
            family,
            dtype: self.dtype.parse()?,
            axes: parse_problem(&self.problem, family)?,
            knobs: parse_knobs(&self.axes, family, device.info())?,
            cache: CacheMode::Hot,
            seed: self.seed,
            measure: Measure::default(),
        };
        let facts = facts_here(device.as_ref(), "recommend", self.seed);
        let keep = self.top.max(self.measure.unwrap_or(0));
        let advice = advise(&predictor, &question, &facts, keep)?;
        let measured = match (self.measure, &self.out) {
            (Some(count), Some(out)) => {
                let store = create_store(out)?;
                Some(measure_best(&advice, &question, count, &store, (&facts.device.spec, Show::Progress))?)
            }
            _ => None,
        };
        let rows = measured.as_ref().map(|measured| &measured.rows);
        if self.output.json {
            let mut answer = as_json(&advice, rows);
            answer["device"] = json!(facts.device.slug);
            answer["device_seen"] = json!(device_seen);
            terminal::json(&answer)?;
        } else {
            print(&advice, rows);
        }
        if let (Some(Ended::Interrupted), Some(out)) = (measured.as_ref().map(|measured| measured.end.ended), &self.out) {
            terminal::note(format_args!(
                "interrupted: `{}` keeps what was measured; the same command goes on from there",
                out.display()
            ));
        }
        Ok(measured.map_or(Exit::Done, |measured| measured.end.exit()))
    }
}

type Measured = std::collections::HashMap<String, Row>;

fn time(point: &Point, measured: Option<&Measured>) -> Option<f64> {
    measured?.get(&point.experiment_id)?.real(col::time_s)
}

fn as_json(advice: &Advice, measured: Option<&Measured>) -> Json {
    let one = |point: &Point, ranked: Option<&Ranked>| {
        json!({ "config": point.config.to_string(), "is_default": point.is_default, "predicted_s": ranked.map(|ranked| ranked.predicted),
                "predicted_lo_s": ranked.and_then(|ranked| ranked.lo), "predicted_hi_s": ranked.and_then(|ranked| ranked.hi),
                "measured_s": time(point, measured) })
    };
    json!({
        "problem": advice.default.problem.to_string(),
        "candidates": advice.candidates,
        "default": one(&advice.default, advice.of_default.as_ref()),
        "ranked": advice.ranked.iter().map(|(point, ranked)| one(point, Some(ranked))).collect::<Vec<_>>(),
    })
}

fn print(advice: &Advice, measured: Option<&Measured>) {
    terminal::say(format_args!("{}: {} configurations ranked", advice.default.problem, advice.candidates));
    let shown = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), terminal::seconds);
    let row = |point: &Point, ranked: Option<&Ranked>| {
        let between = ranked.map_or_else(String::new, |ranked| interval(Target::Time, (ranked.lo, ranked.hi)));
        let config = if point.is_default { format!("{} (default)", point.config) } else { point.config.to_string() };
        vec![config, shown(ranked.map(|ranked| ranked.predicted)), between, shown(time(point, measured))]
    };
    let mut rows: Vec<Vec<String>> = advice.ranked.iter().map(|(point, ranked)| row(point, Some(ranked))).collect();
    if !advice.ranked.iter().any(|(point, _)| point.is_default) {
        rows.push(row(&advice.default, advice.of_default.as_ref()));
    }
    terminal::say(terminal::table(&["configuration", "predicted", "90 % interval", "measured"], rows));
    match measured {
        None => terminal::say("predicted, not measured; `--measure 5 -o STORE` measures the best beside the default"),
        Some(_) => verdict(advice, measured),
    }
}

/// One sentence: what to use and what it is worth.
fn verdict(advice: &Advice, measured: Option<&Measured>) {
    let timed = advice.ranked.iter().filter_map(|(point, _)| Some((time(point, measured)?, point)));
    let Some((best, point)) = timed.min_by(|a, b| a.0.total_cmp(&b.0)) else {
        terminal::say("none of the recommended configurations could be measured");
        return;
    };
    let worth = time(&advice.default, measured)
        .map_or(String::new(), |default| format!(", {:.2}× the speed of the default", default / best));
    terminal::say(format_args!("use `{}`: {} measured{worth}", point.config, terminal::seconds(best)));
}
