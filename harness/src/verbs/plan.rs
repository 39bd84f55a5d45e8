//! `tilecast plan`: what a sweep would measure.

use tilecast_kernels::{DeviceInfo, DeviceKind};

use crate::fail::Fail;
use crate::plan::{Plan, SkipKind, Summary};
use crate::spec::Sweep;
use crate::verbs::asked::{Output, SpecArgs};
use crate::{Exit, device, terminal};

/// Rate a plan assumes for its estimate: a middling configuration on one thread of a server core.
const ASSUMED_FLOP_PER_S: f64 = 2e10;
/// The same on a GPU: a middling configuration in f32.
const ASSUMED_GPU_FLOP_PER_S: f64 = 5e12;

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Examples:
  tilecast plan sweeps/demo.toml --axis m=512,1024
  tilecast plan sweeps/gemm-rtx4070.toml --assume sm_89")]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    /// Plan for a GPU that is not here, known by its architecture alone
    #[arg(long, value_name = "ARCH", conflicts_with = "device")]
    assume: Option<String>,
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
        let (sweep, info) = self.asked()?;
        let plan = Plan::new(&sweep, &info);
        let rate = if info.kind == DeviceKind::Cuda { ASSUMED_GPU_FLOP_PER_S } else { ASSUMED_FLOP_PER_S };
        let summary = plan.summary(&info, &sweep.measure, rate);
        if self.output.json {
            print_json(&plan, &summary, self.skips)?;
        } else {
            print(&plan, &summary, &sweep.name, &info.slug, self.skips);
        }
        refuse_empty(&plan)?;
        Ok(Exit::Done)
    }
}

impl Args {
    fn asked(&self) -> Result<(Sweep, DeviceInfo), Fail> {
        if let Some(arch) = &self.assume {
            let info = device::assume(arch)?;
            return Ok((self.spec.open_for(&info)?, info));
        }
        let asked = self.spec.open()?;
        let info = asked.device.info().clone();
        Ok((asked.sweep, info))
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
            serde_json::json!({ "family": skip.family, "problem": skip.problem(), "config": skip.config(), "reason": &*skip.reason })
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
