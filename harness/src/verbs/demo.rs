//! `tilecast demo`: the whole way, from a sweep to a page, in about a minute of measuring.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

use polars::prelude::DataFrame;
use tilecast_kernels::{CacheMode, DeviceInfo, Dtype, Value};
use tilecast_models::{EvaluateOptions, FitOptions, Predictor, Preset, Ranked, Score, Split, evaluate, fit};
use tilecast_reports::input::{Candidate, Estimate, Recommendation};
use tilecast_runs::query::filter;
use tilecast_runs::row::Row;
use tilecast_runs::schema::col;
use tilecast_runs::store::Store;

use crate::advise::{Advice, Question, advise, measure_best, predicted_facts};
use crate::campaign::{Again, Campaign, CampaignEnd, create_store};
use crate::fail::Fail;
use crate::gather::{Material, journal_header, overhead, page, page_input};
use crate::measure::{Ended, Session};
use crate::plan::{Plan, Point};
use crate::progress::{Progress, Show};
use crate::spec::{self, Measure, Sweep};
use crate::verbs::asked::Output;
use crate::verbs::modelled::write_whole;
use crate::verbs::plan::refuse_empty;
use crate::verbs::runs::read_store;
use crate::verbs::sweep::{start_session, watch_interrupts};
use crate::{Exit, device, terminal};

/// A sweep and the side of the square problem it leaves out, to recommend for.
#[derive(Clone, Copy)]
struct Script {
    text: &'static str,
    size: u64,
}

const CPU: Script = Script { text: include_str!("../../../sweeps/demo.toml"), size: 384 };
const QUICK: Script = Script { text: include_str!("../../../sweeps/demo-quick.toml"), size: 56 };
const CUDA: Script = Script { text: include_str!("../../../sweeps/demo-cuda.toml"), size: 1536 };
const VIRTUAL: Script = Script { text: include_str!("../../../sweeps/demo-vgpu.toml"), size: 96 };

impl Script {
    /// A GPU needs larger problems than a CPU, and an interpreted one smaller ones than either.
    fn of(device: &DeviceInfo, quick: bool) -> Self {
        match &device.gpu {
            Some(gpu) if gpu.simulated => VIRTUAL,
            Some(_) if !quick => CUDA,
            _ if quick => QUICK,
            _ => CPU,
        }
    }
}

/// Family the demo recommends for.
const FAMILY: &str = "gemm_regblock";
/// Configurations measured beside the default.
const TOP: usize = 5;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tilecast demo -o tc-demo
  tilecast demo --device cuda:0 -o tc-cuda")]
pub struct Args {
    /// Folder for store, model and page
    #[arg(short, long, default_value = "tc-demo")]
    out: PathBuf,
    /// A few seconds of measuring on tiny shapes, to see the way rather than the numbers
    #[arg(long)]
    quick: bool,
    /// Device; one thread where not given, whose CPU time is the steadiest clock on a shared machine
    #[arg(long, default_value = "cpu:1t")]
    device: String,
    #[command(flatten)]
    output: Output,
    #[command(flatten)]
    cuda: device::CudaArgs,
}

impl Args {
    /// Sweeps, fits, evaluates, recommends, measures, reports.
    ///
    /// # Errors
    /// [`Fail`] where a step cannot start; what earlier steps made stays.
    pub fn run(self) -> Result<Exit, Fail> {
        self.cuda.apply();
        let demo = Demo::prepare(&self)?;
        let (end, facts_session) = demo.sweep()?;
        if end.ended == Ended::Interrupted {
            demo.tell("interrupted; the same command resumes where it stopped");
            return Ok(Exit::Partial);
        }
        let swept = demo.swept(&end)?;
        let predictor = demo.fit(&swept)?;
        let scores = demo.scores(&swept)?;
        let (recommendation, remeasured) = demo.recommend(&predictor, &swept, &facts_session)?;
        if self.output.json {
            terminal::json(&demo.facts(&scores, &recommendation))?;
        }
        demo.report(&end, &swept, recommendation)?;
        Ok(end.exit().and(remeasured))
    }
}

struct Demo {
    out: PathBuf,
    spec_path: PathBuf,
    text: &'static str,
    sweep: Sweep,
    device: String,
    size: u64,
    store: Store,
    output: Output,
}

impl Demo {
    fn prepare(args: &Args) -> Result<Self, Fail> {
        let opened = device::open(&args.device)?;
        let Script { text, size } = Script::of(opened.info(), args.quick);
        let sweep = spec::parse(text, "demo", &|family| family.knobs(opened.info()))?;
        let spec_path = args.out.join("demo.toml");
        write_whole(&spec_path, text.as_bytes())?;
        let store = create_store(&args.out.join("store"))?;
        Ok(Self {
            out: args.out.clone(),
            spec_path,
            text,
            sweep,
            device: opened.info().spec.clone(),
            size,
            store,
            output: args.output,
        })
    }

    /// The story goes to standard output, and aside to standard error where that is for JSON.
    fn tell(&self, line: impl std::fmt::Display) {
        if self.output.json {
            terminal::note(line);
        } else {
            terminal::say(line);
        }
    }

    fn facts(&self, scores: &[Score], recommendation: &Recommendation) -> serde_json::Value {
        let seconds = |candidate: &Candidate| candidate.measured.map(|measured| measured.seconds);
        serde_json::json!({
            "store": Self::shown(&self.store_path()),
            "model": Self::shown(&self.out.join("time.model")),
            "page": Self::shown(&self.out.join("report.html")),
            "scores": scores,
            "recommendation": {
                "problem": recommendation.problem,
                "config": recommendation.recommended.config,
                "predicted_s": recommendation.recommended.predicted.map(|predicted| predicted.seconds),
                "measured_s": seconds(&recommendation.recommended),
                "default_measured_s": recommendation.default.as_ref().and_then(seconds),
            },
        })
    }

    fn store_path(&self) -> PathBuf {
        self.out.join("store")
    }

    fn shown(path: &Path) -> String {
        path.display().to_string()
    }

    fn sweep(&self) -> Result<(CampaignEnd, Session), Fail> {
        let mut session = start_session(&self.device, &self.sweep, None)?;
        let plan = Plan::new(&self.sweep, &session.device);
        refuse_empty(&plan)?;
        let points = plan.points().count();
        self.tell(format_args!(
            "1. sweep      {points} configurations of GEMM over {} problems on {}",
            plan.groups.len(),
            session.device.slug
        ));
        let interrupted = watch_interrupts()?;
        let campaign = Campaign {
            sweep: &self.sweep,
            spec_text: self.text,
            plan: &plan,
            store: &self.store,
            again: Again::Reuse,
            interrupted,
        };
        let end = campaign.run(&mut session, &mut Progress::new(Show::Progress))?;
        let ok = end.by_status.get("ok").copied().unwrap_or(0);
        let refused = end.by_status.get("constraint").copied().unwrap_or(0);
        let took = if end.wall_s > 0.0 {
            format!(" in {}, overhead {:.1} %", terminal::seconds(end.wall_s), end.overhead() * 100.0)
        } else {
            " before".to_owned()
        };
        self.tell(format_args!(
            "              {ok} measured and verified{took}; {} failed; {refused} illegal ones kept with their reason",
            end.failed()
        ));
        Ok((end, session))
    }

    /// The sweep's own rows. The store also holds what earlier demos measured of the shape left out, which no model may see.
    fn swept(&self, end: &CampaignEnd) -> Result<DataFrame, Fail> {
        let own = format!("{} = '{}'", col::run_id, end.run_id);
        Ok(filter(&read_store(&self.store_path())?, &own)?)
    }

    fn fit(&self, frame: &DataFrame) -> Result<Predictor, Fail> {
        let predictor = fit(frame, &FitOptions { seed: self.sweep.seed, ..FitOptions::default() })?;
        let path = self.out.join("time.model");
        write_whole(&path, &predictor.to_bytes())?;
        self.tell(format_args!(
            "2. fit        a forest on {} rows and {} features",
            predictor.rows(),
            predictor.features().len()
        ));
        Ok(predictor)
    }

    fn scores(&self, frame: &DataFrame) -> Result<Vec<Score>, Fail> {
        let options = EvaluateOptions {
            presets: vec![Preset::Default, Preset::Gpperf, Preset::Roofline],
            splits: vec![Split::Shape],
            seed: self.sweep.seed,
            ..EvaluateOptions::default()
        };
        let evaluation = evaluate(frame, &options)?;
        for (index, score) in evaluation.scores.iter().enumerate() {
            let head =
                if index == 0 { "3. evaluate   on shapes held out whole:" } else { "                                       " };
            self.tell(format_args!("{head} {}", words(score)));
        }
        Ok(evaluation.scores)
    }

    fn recommend(&self, predictor: &Predictor, frame: &DataFrame, session: &Session) -> Result<(Recommendation, Exit), Fail> {
        let family = spec::find_family(FAMILY)?;
        let axes = ["m", "n", "k"].map(|axis| (axis.to_owned(), Value::Int(self.size))).to_vec();
        let question = Question {
            family,
            dtype: Dtype::F32,
            axes,
            knobs: Vec::new(),
            cache: CacheMode::Hot,
            seed: self.sweep.seed,
            measure: Measure { max_noise: 0.005, ..Measure::default() },
        };
        let roofs = crate::gather::roofs_of(frame);
        let facts = predicted_facts(session.device.clone(), session.energy.clone(), roofs, ("demo", self.sweep.seed));
        let advice = advise(predictor, &question, &facts, TOP)?;
        self.tell(format_args!(
            "4. recommend  for m = n = k = {}, which the model has not seen: {} configurations ranked",
            self.size, advice.candidates
        ));
        let measured = measure_best(&advice, &question, TOP, &self.store, (&self.device, Show::Nothing))?;
        let recommendation = recommendation(&advice, &measured.rows);
        self.story(&recommendation);
        Ok((recommendation, measured.end.exit()))
    }

    fn report(&self, end: &CampaignEnd, swept: &DataFrame, recommendation: Recommendation) -> Result<(), Fail> {
        let frame = read_store(&self.store_path())?;
        let (spec, store, out) = (Self::shown(&self.spec_path), Self::shown(&self.store_path()), Self::shown(&self.out));
        let material = Material {
            title: "tilecast demo".to_owned(),
            frame: &frame,
            learned: swept,
            recommendations: vec![recommendation],
            overhead: overhead(end),
            headers: journal_header(&self.store_path(), &end.run_id).into_iter().collect(),
            commands: vec![
                format!("tilecast demo -o {out}"),
                format!("tilecast sweep {spec} -o {store} --again"),
                format!("tilecast report {store}"),
            ],
            point_command: Some(format!("tilecast sweep {spec} -o {store} --again")),
            seed: self.sweep.seed,
        };
        let (input, _) = page_input(material)?;
        let path = self.out.join("report.html");
        write_whole(&path, page(&input)?.as_bytes())?;
        self.tell(format_args!(
            "6. report     {}   store {store}   model {}",
            path.display(),
            self.out.join("time.model").display()
        ));
        Ok(())
    }

    /// What the recommendation is worth, in the words the numbers carry.
    fn story(&self, recommendation: &Recommendation) {
        let (Some(best), Some(default)) =
            (recommendation.recommended.measured, recommendation.default.as_ref().and_then(|d| d.measured))
        else {
            self.tell("5. re-measure no recommended configuration could be measured");
            return;
        };
        self.tell(format_args!(
            "5. re-measure the best of {TOP} takes {} where the default takes {}: {:.2}× its speed",
            terminal::seconds(best.seconds),
            terminal::seconds(default.seconds),
            default.seconds / best.seconds,
        ));
        self.tell(format_args!("              {}", recommendation.recommended.config));
        if let Some(predicted) = recommendation.recommended.predicted {
            let off = predicted.seconds / best.seconds - 1.0;
            self.tell(format_args!(
                "              predicted {} from other shapes alone ({:+.1} %)",
                terminal::seconds(predicted.seconds),
                off * 100.0
            ));
        }
    }
}

fn words(score: &Score) -> String {
    let percent = |value: f64| format!("{:.1} %", value * 100.0);
    format!(
        "{:8} median error {}, MAPE {}, regret of its first choice {}",
        score.preset.name(),
        percent(score.mdape),
        percent(score.mape),
        percent(score.top1)
    )
}

fn estimate(row: &Row) -> Option<Estimate> {
    let interval = row.real(col::time_lo_s).zip(row.real(col::time_hi_s));
    Some(Estimate { seconds: row.real(col::time_s)?, interval })
}

fn recommendation(advice: &Advice, measured: &HashMap<String, Row>) -> Recommendation {
    let measured = |point: &Point| measured.get(&point.experiment_id).and_then(estimate);
    let candidate = |point: &Point, ranked: Option<&Ranked>| Candidate {
        config: point.config.to_string(),
        predicted: ranked.map(|ranked| Estimate { seconds: ranked.predicted, interval: ranked.lo.zip(ranked.hi) }),
        measured: measured(point),
    };
    let top: Vec<Candidate> = advice.ranked.iter().map(|(point, ranked)| candidate(point, Some(ranked))).collect();
    let seconds = |candidate: &&Candidate| candidate.measured.map_or(f64::INFINITY, |measured| measured.seconds);
    let recommended = top.iter().min_by(|a, b| seconds(a).total_cmp(&seconds(b))).cloned().unwrap_or_default();
    Recommendation {
        family: advice.default.problem.family.clone(),
        problem: advice.default.problem.to_string(),
        held_out: true,
        default: Some(candidate(&advice.default, advice.of_default.as_ref())),
        recommended,
        top,
        exhaustive: None,
    }
}
