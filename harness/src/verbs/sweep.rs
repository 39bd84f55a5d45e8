//! `tilecast sweep`: measure into a store.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::json;

use crate::campaign::{Again, Campaign, CampaignEnd, create_store};
use crate::fail::Fail;
use crate::measure::{Ended, Session};
use crate::plan::Plan;
use crate::progress::{Progress, Show};
use crate::spec::Sweep;
use crate::verbs::asked::{Output, SpecArgs};
use crate::verbs::plan::refuse_empty;
use crate::worker::{Fault, WorkerOptions};
use crate::{Exit, device, owed, terminal};

/// Set by Ctrl-C or SIGTERM.
static INTERRUPTED: AtomicBool = AtomicBool::new(false);

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(after_help = "Example: tilecast sweep sweeps/demo.toml -o runs-cpu

A small spec:
  [[sweep]]
  family = \"gemm_tiled\"
  problems = [{ m = 512, n = 512, k = 512 }]
  knobs = { tile = [8, 16, 32] }

On a GPU, knobs may also name nvml_clock and nvml_memory_clock (MHz) and nvml_power_limit (W), where the user may set
them: they are in force while their points run, read back, and put back at the end, on Ctrl-C and after a crash.

Ctrl-C or a crash loses at most the sample in flight; the same command resumes.")]
pub struct Args {
    #[command(flatten)]
    spec: SpecArgs,
    /// Store to measure into
    #[arg(short, long, value_name = "STORE")]
    out: PathBuf,
    /// Measure once more what the store holds already
    #[arg(long)]
    again: bool,
    /// No progress
    #[arg(short, long)]
    quiet: bool,
    #[command(flatten)]
    output: Output,
    /// Plant a fault in the worker, to test the sweep's answer to it
    #[arg(long, hide = true)]
    fault: Option<String>,
}

impl Args {
    /// Measures and prints what came of it.
    ///
    /// # Errors
    /// [`Fail`] where the spec is wrong, nothing can be measured or the store cannot be written.
    pub fn run(self) -> Result<Exit, Fail> {
        let asked = self.spec.open()?;
        if let Some(fault) = &self.fault {
            fault.parse::<Fault>()?;
        }
        let plan = Plan::new(&asked.sweep, asked.device.info());
        refuse_empty(&plan)?;
        let store = create_store(&self.out)?;
        let again = if self.again { Again::Measure } else { Again::Reuse };
        let show = if self.quiet { Show::Nothing } else { Show::Progress };
        let campaign = Campaign {
            sweep: &asked.sweep,
            spec_text: &asked.text,
            plan: &plan,
            store: &store,
            again,
            interrupted: watch_interrupts()?,
        };
        let mut session = start_session(&asked.device.info().spec, &asked.sweep, self.fault.as_deref())?;
        let end = campaign.run(&mut session, &mut Progress::new(show))?;
        if self.output.json {
            terminal::json(&summary(&end))?;
        } else {
            print(&end, &self.out.display().to_string());
        }
        Ok(end.exit())
    }
}

/// Starts this program's worker for device `spec`.
///
/// # Errors
/// [`Fail`] where it cannot start.
pub fn start_session(device: &str, sweep: &Sweep, fault: Option<&str>) -> Result<Session, Fail> {
    let mut options = worker_options(device, sweep.blas.as_deref(), sweep.measure.timeout_s)?;
    options.arguments.extend(fault.into_iter().flat_map(|fault| ["--fault".to_owned(), fault.to_owned()]));
    Session::start(options)
}

/// How this program starts itself as the worker of `device`.
///
/// # Errors
/// [`Fail`] where the program cannot find itself.
pub fn worker_options(device: &str, blas: Option<&Path>, timeout_s: f64) -> Result<WorkerOptions, Fail> {
    let program = std::env::current_exe().map_err(|error| Fail::new(format!("the program cannot find itself: {error}")))?;
    let mut arguments = vec!["worker".to_owned(), "--device".to_owned(), device.to_owned()];
    if let Some(blas) = blas {
        arguments.extend(["--blas".to_owned(), blas.display().to_string()]);
    }
    arguments.extend(device::cuda_arguments());
    Ok(WorkerOptions { program, arguments, environment: Vec::new(), timeout_s })
}

/// The flag that Ctrl-C and SIGTERM set; a second one ends the program at once.
///
/// # Errors
/// [`Fail`] where the handler cannot be installed.
pub fn watch_interrupts() -> Result<&'static AtomicBool, Fail> {
    let handler = || {
        if INTERRUPTED.swap(true, Ordering::Relaxed) {
            owed::put_back(None);
            std::process::exit(1);
        }
    };
    match ctrlc::set_handler(handler) {
        Ok(()) | Err(ctrlc::Error::MultipleHandlers) => Ok(&INTERRUPTED),
        Err(error) => Err(Fail::new(format!("no handler for Ctrl-C: {error}"))),
    }
}

fn summary(end: &CampaignEnd) -> serde_json::Value {
    json!({
        "run_id": end.run_id,
        "complete": end.ended == Ended::Complete,
        "by_status": end.by_status,
        "resumed": end.resumed,
        "wall_s": end.wall_s,
        "kernel_s": end.busy.kernel_s,
        "verify_s": end.busy.verify_s,
        "flush_s": end.busy.flush_s,
        "prepare_s": end.busy.prepare_s,
        "sensor_s": end.busy.sensor_s,
        "overhead": end.overhead(),
        "worker_restarts": end.restarts,
    })
}

fn print(end: &CampaignEnd, store: &str) {
    let statuses: Vec<String> = end.by_status.iter().map(|(status, count)| format!("{count} {status}")).collect();
    terminal::say(format_args!("{}: {} in `{store}`", end.run_id, statuses.join(", ")));
    if end.wall_s == 0.0 {
        terminal::say("the store holds this sweep already; `--again` measures it once more");
        return;
    }
    if end.resumed > 0 {
        terminal::say(format_args!("{} points were finished by an earlier invocation", end.resumed));
    }
    terminal::say(format_args!(
        "{} in all: {} in kernels, {} verifying, {} preparing, {} in roofs and sensors, {} flushing caches; overhead {:.1} %",
        terminal::seconds(end.wall_s),
        terminal::seconds(end.busy.kernel_s),
        terminal::seconds(end.busy.verify_s),
        terminal::seconds(end.busy.prepare_s),
        terminal::seconds(end.busy.sensor_s),
        terminal::seconds(end.busy.flush_s),
        end.overhead() * 100.0,
    ));
    if end.ended == Ended::Interrupted {
        terminal::say("interrupted; the same command resumes where it stopped");
    }
}
