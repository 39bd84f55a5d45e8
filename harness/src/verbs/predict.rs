//! `tilecast predict`: the points of a sweep, predicted instead of measured.

use std::path::PathBuf;

use serde_json::json;

use crate::advise::{asked_frame, facts_here};
use crate::fail::Fail;
use crate::plan::{Plan, Role};
use crate::verbs::asked::{Output, SpecArgs};
use crate::verbs::modelled::{interval, quantity, read_model, require_family, warn_of_device};
use crate::verbs::plan::refuse_empty;
use crate::{Exit, terminal};

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "The roofs of the device are measured first (about a second): the model scales with them.

Example: tilecast predict time.model sweeps/gemm-cpu.toml --axis m=768")]
pub struct Args {
    /// Model file
    model: PathBuf,
    #[command(flatten)]
    spec: SpecArgs,
    /// Points shown, fastest first
    #[arg(long, default_value_t = 20)]
    top: usize,
    #[command(flatten)]
    output: Output,
}

impl Args {
    /// Predicts and prints.
    ///
    /// # Errors
    /// [`Fail`] where the model does not fit the sweep.
    pub fn run(self) -> Result<Exit, Fail> {
        let predictor = read_model(&self.model)?;
        let asked = self.spec.open()?;
        let plan = Plan::new(&asked.sweep, asked.device.info());
        refuse_empty(&plan)?;
        for (_, point) in plan.points().filter(|(_, point)| point.role == Role::Point) {
            require_family(&predictor, &self.model, &point.problem.family)?;
        }
        let device_seen = warn_of_device(&predictor, &self.model, &asked.device.info().slug);
        let facts = facts_here(asked.device.as_ref(), &asked.sweep.name, asked.sweep.seed);
        let mut rows = Vec::new();
        for group in &plan.groups {
            // A dense rival was not asked for: it is left out where the model does not know its family.
            let points = || group.points.iter().filter(|point| predictor.families().contains(&point.problem.family));
            let predictions = predictor.predict(&asked_frame(points(), &facts, group.cache)?)?;
            rows.extend(points().zip(predictions));
        }
        rows.sort_by(|a, b| a.1.value.total_cmp(&b.1.value));
        if self.output.json {
            let all = rows.iter().map(|(point, predicted)| {
                json!({ "problem": point.problem.to_string(), "config": point.config.to_string(), "experiment_id": point.experiment_id,
                        "target": predictor.target().name(), "predicted": predicted.value, "lo": predicted.lo, "hi": predicted.hi,
                        "device": facts.device.slug, "device_seen": device_seen })
            });
            terminal::json(&all.collect::<Vec<_>>())?;
            return Ok(Exit::Done);
        }
        let shown = rows.iter().take(self.top).map(|(point, predicted)| {
            let target = predictor.target();
            let between = interval(target, (predicted.lo, predicted.hi));
            vec![point.problem.to_string(), point.config.to_string(), quantity(target, predicted.value), between]
        });
        terminal::say(terminal::table(&["problem", "configuration", "predicted", "90 % interval"], shown.collect()));
        terminal::say(format_args!("{} of {} points; predicted, not measured", rows.len().min(self.top), rows.len()));
        Ok(Exit::Done)
    }
}
