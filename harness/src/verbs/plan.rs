//! `tilecast plan`: what a sweep would measure.

use crate::fail::Fail;
use crate::plan::{Plan, SkipKind, Summary};
use crate::verbs::asked::{Output, SpecArgs};
use crate::{Exit, terminal};

/// Rate a plan assumes for its estimate: a middling configuration on one thread of a server core.
const ASSUMED_FLOP_PER_S: f64 = 2e10;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tilecast plan sweeps/demo.toml --axis m=512,1024")]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    #[command(flatten)]
    output: Output,
    /// List every skipped configuration with its reason, not only counts
    #[arg(long)]
    skips: bool,
}

impl Args {
    /// Prints the plan.
    ///
    /// # Errors
    /// [`Fail`] where the spec is wrong or nothing is left to measure.
    pub fn run(self) -> Result<Exit, Fail> {
        let asked = self.spec.open()?;
        let plan = Plan::new(&asked.sweep, asked.device.info());
        let summary = plan.summary(ASSUMED_FLOP_PER_S, f64::from(asked.sweep.measure.min_samples) + 4.0);
        if self.output.json {
            print_json(&plan, &summary, self.skips)?;
        } else {
            print(&plan, &summary, &asked.sweep.name, &asked.device.info().slug, self.skips);
        }
        refuse_empty(&plan)?;
        Ok(Exit::Done)
    }
}

/// A plan with no point is an error with the first reason.
///
/// # Errors
/// [`Fail`].
pub fn refuse_empty(plan: &Plan) -> Result<(), Fail> {
    if plan.points().next().is_some() {
        return Ok(());
    }
    let first = plan.skipped.first().map_or_else(String::new, |skip| format!(": {}", skip.reason));
    Err(Fail::new(format!("no point of the sweep can be measured{first}"))
        .hint("`tilecast plan SPEC --skips` lists every reason"))
}

fn print_json(plan: &Plan, summary: &Summary, skips: bool) -> Result<(), Fail> {
    let mut value = serde_json::to_value(summary)?;
    if skips {
        let skips = plan.skipped.iter().map(|skip| {
            serde_json::json!({ "family": skip.family, "problem": skip.problem(), "config": skip.config(), "reason": skip.reason })
        });
        value["skips"] = skips.collect();
    }
    terminal::json(&value)
}

fn print(plan: &Plan, summary: &Summary, name: &str, device: &str, skips: bool) {
    terminal::say(format_args!(
        "{name} on {device}: {} points in {} groups, {} dense rivals",
        summary.points, summary.problems, summary.baselines
    ));
    terminal::say(format_args!(
        "{} distinct kernels; {:.3e} FLOP per pass; about {} if kernels average {:.0} GFLOP/s (an assumption)",
        summary.distinct_code,
        summary.flop_per_pass,
        terminal::seconds(summary.estimate_s),
        summary.assumed_flop_per_s / 1e9,
    ));
    if summary.skipped > 0 {
        terminal::say(format_args!("\n{} skipped:", summary.skipped));
    }
    if skips {
        for skip in &plan.skipped {
            terminal::say(format_args!("  {} {}: {}", skip.problem(), skip.config(), skip.reason));
        }
        return;
    }
    for (kind, words) in [
        (SkipKind::Problem, "problems refused"),
        (SkipKind::Config, "configurations refused"),
        (SkipKind::Duplicate, "duplicates of planned code"),
        (SkipKind::Limit, "spaces sampled"),
    ] {
        let of_kind: Vec<_> = plan.skipped.iter().filter(|skip| skip.kind == kind).collect();
        if let Some(first) = of_kind.first() {
            terminal::say(format_args!("  {:6} {words}, e.g. {}", of_kind.len(), first.reason));
        }
    }
}
