//! `tilecast profile`: what one configuration really executes, counted by the virtual GPU and held against what its family says.

use serde::{Deserialize, Serialize};
use serde_json::json;
use tilecast_kernels::{Config, DeviceInfo, Dtype, Family, Problem, Value, Work, check_dtype};

use crate::device::CudaArgs;
use crate::fail::{Fail, unknown};
use crate::measure::{Session, SessionFail};
use crate::spec::{Measure, find_family};
use crate::verbs::asked::{Output, parse_problem, parse_value};
use crate::verbs::sweep::worker_options;
use crate::worker::{Ask, Said};
use crate::{Exit, terminal};

/// Variable by which the virtual GPU is told where to write what it counted.
const COUNTERS: &str = "VGPU_COUNTERS";

/// Arguments.
#[derive(Debug, clap::Args)]
#[command(
    after_help = "Example: tilecast profile gemm_tiled --problem m=64,n=64,k=64 --axis tile=16 --cuda-lib FOLDER/libcuda.so.1
(scripts/setup-vgpu builds the virtual GPU and prints FOLDER)"
)]
pub struct Args {
    /// Kernel family
    family: String,
    /// Problem axes: `m=64,n=64,k=64`; what is not named takes its default
    #[arg(long)]
    problem: Option<String>,
    /// Element type; the family's first where not given
    #[arg(long)]
    dtype: Option<String>,
    /// A knob that differs from the default configuration: `--axis tile=16`
    #[arg(long = "axis", value_name = "NAME=V")]
    axes: Vec<String>,
    /// Device
    #[arg(long, default_value = "cuda:0")]
    device: String,
    #[command(flatten)]
    cuda: CudaArgs,
    /// Seed of the operands
    #[arg(long, default_value_t = 1)]
    seed: u64,
    #[command(flatten)]
    output: Output,
}

impl Args {
    /// Runs the configuration once and prints what was counted.
    ///
    /// # Errors
    /// [`Fail`] where the device counts nothing or the configuration cannot run.
    pub fn run(self) -> Result<Exit, Fail> {
        self.cuda.apply();
        let family = find_family(&self.family)?;
        let log = tempfile::NamedTempFile::new().map_err(|error| unreadable(&error))?.into_temp_path();
        let mut options = worker_options(&self.device, None, Measure::default().timeout_s)?;
        options.environment.push((COUNTERS.to_owned(), log.to_string_lossy().into_owned()));
        let mut session = Session::start(options)?;
        refuse_silicon(&session.device, &self.device)?;
        let (problem, config) = self.point(family, &session.device)?;
        ask(&mut session, &Ask::Prepare { slot: 0, problem: Box::new(problem.clone()), config: config.clone() })?;
        let before = lines(&log)?.len();
        let said = ask(&mut session, &Ask::Verify { slot: 0 })?;
        let launches =
            lines(&log)?.split_off(before).iter().map(|line| Ok(serde_json::from_str(line)?)).collect::<Result<_, Fail>>()?;
        let Said::Verified { verification } = said else {
            return Err(Fail::new(format!("worker answered {said:?} to a request to verify")));
        };
        let work = family.work(&problem, &family.effective(&problem, &config, &session.device), &session.device);
        let profile = Profile { problem, config, work, launches };
        if self.output.json {
            let mut value = profile.as_json();
            value["verification"] = serde_json::to_value(&verification)?;
            terminal::json(&value)?;
        } else {
            profile.print(&session.device.name);
        }
        Ok(Exit::Done)
    }

    fn point(&self, family: &'static dyn Family, device: &DeviceInfo) -> Result<(Problem, Config), Fail> {
        let dtype = self.dtype.as_deref().map_or(Ok(family.dtypes()[0]), str::parse::<Dtype>)?;
        check_dtype(family, dtype, device)?;
        let axes = self.problem.as_deref().map_or(Ok(Vec::new()), |text| parse_problem(text, family))?;
        let problem = family.problem(dtype, &axes, self.seed)?;
        let mut config = family.default_config(&problem, device);
        for axis in &self.axes {
            let (name, value) = self.knob(axis, family, device)?;
            config = Config(config.0.with(&name, value));
        }
        family.check(&problem, &config, device)?;
        Ok((problem, config))
    }

    fn knob(&self, axis: &str, family: &dyn Family, device: &DeviceInfo) -> Result<(String, Value), Fail> {
        let knobs = family.knobs(device);
        let Some((name, word)) = axis.split_once('=') else {
            return Err(Fail::new(format!("`--axis {axis}` has no `=`")).hint("write `--axis tile=16`"));
        };
        let known = knobs.iter().find(|knob| knob.name == name);
        let knob = known.ok_or_else(|| unknown("knob", name, knobs.iter().map(|knob| knob.name)))?;
        Ok((name.to_owned(), parse_value(word, knob)?))
    }
}

/// Real hardware does not count for us.
fn refuse_silicon(device: &DeviceInfo, spec: &str) -> Result<(), Fail> {
    if device.gpu.as_ref().is_some_and(|gpu| gpu.simulated) {
        return Ok(());
    }
    Err(Fail::new(format!("device `{spec}` ({}) counts no instructions: profiles come from the virtual GPU", device.name))
        .hint("scripts/setup-vgpu builds it; on a GPU use NVIDIA's Nsight Compute (`ncu`)"))
}

fn ask(session: &mut Session, ask: &Ask) -> Result<Said, Fail> {
    session.ask(ask).map_err(|fail| match fail {
        SessionFail::Over(fail) => fail,
        other => Fail::new(other.row().1),
    })
}

fn lines(path: &std::path::Path) -> Result<Vec<String>, Fail> {
    match std::fs::read_to_string(path) {
        Ok(text) => Ok(text.lines().map(str::to_owned).collect()),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(error) => Err(unreadable(&error)),
    }
}

fn unreadable(error: &std::io::Error) -> Fail {
    Fail::new(format!("the file of counters cannot be used: {error}")).hint("the folder for temporary files must be writable")
}

struct Profile {
    problem: Problem,
    config: Config,
    work: Work,
    launches: Vec<Launch>,
}

/// One launch as the virtual GPU writes it.
#[derive(Debug, Deserialize, Serialize)]
struct Launch {
    kernel: String,
    grid: [u32; 3],
    block: [u32; 3],
    counters: serde_json::Value,
    #[serde(flatten)]
    rest: serde_json::Map<String, serde_json::Value>,
}

impl Launch {
    fn count(&self, path: &str) -> f64 {
        self.counters.pointer(path).and_then(serde_json::Value::as_f64).unwrap_or(0.0)
    }

    /// Operations of all pipes.
    fn flop(&self) -> f64 {
        let pipes = self.counters.get("flops").and_then(serde_json::Value::as_object);
        pipes.into_iter().flat_map(|pipes| pipes.values()).filter_map(serde_json::Value::as_f64).sum()
    }

    /// Bytes asked for over bytes of the sectors moved.
    fn coalescing(&self, direction: &str) -> Option<f64> {
        let sectors = self.count(&format!("/{direction}/sectors"));
        (sectors > 0.0).then(|| self.count(&format!("/{direction}/requested_bytes")) / (32.0 * sectors))
    }
}

impl Profile {
    fn sum(&self, of: impl Fn(&Launch) -> f64) -> f64 {
        self.launches.iter().map(of).sum()
    }

    fn as_json(&self) -> serde_json::Value {
        json!({
            "problem": self.problem.to_string(),
            "config": self.config.to_string(),
            "launches": self.launches,
            "counted_flop": self.sum(Launch::flop),
            "executed_flop": self.work.executed_flop,
            "counted_load_bytes": self.sum(|launch| launch.count("/global_load/requested_bytes")),
            "counted_store_bytes": self.sum(|launch| launch.count("/global_store/requested_bytes")),
            "traffic": self.work.traffic.iter().map(|(level, bytes)| json!({ "level": level.name(), "bytes": bytes })).collect::<Vec<_>>(),
            "compulsory_bytes": self.work.compulsory_bytes,
            "family_launches": self.work.launches,
        })
    }

    fn print(&self, device: &str) {
        terminal::say(format_args!("{} {}\non {device}: counted, not timed\n", self.problem, self.config));
        let cell = |value: f64| terminal::significant(value);
        let share = |value: Option<f64>| value.map_or_else(|| "–".to_owned(), |value| format!("{:.0} %", 100.0 * value));
        let row = |launch: &Launch| {
            vec![
                launch.kernel.clone(),
                format!("{:?} × {:?}", launch.grid, launch.block),
                cell(launch.count("/instructions/total")),
                cell(launch.flop()),
                cell(launch.count("/global_load/requested_bytes")),
                share(launch.coalescing("global_load")),
                cell(launch.count("/global_store/requested_bytes")),
                share(launch.coalescing("global_store")),
                cell(launch.count("/shared_conflict_cycles")),
                cell(launch.count("/barriers")),
                cell(launch.count("/divergent_branches")),
            ]
        };
        let heads = [
            "kernel",
            "grid × block",
            "warp instructions",
            "FLOP",
            "load B",
            "coalesced",
            "store B",
            "coalesced",
            "bank conflicts",
            "barriers",
            "divergent",
        ];
        terminal::say(terminal::table(&heads, self.launches.iter().map(row).collect()));
        let (counted, said) = (self.sum(Launch::flop), self.work.executed_flop);
        terminal::say(format_args!("\nFLOP counted {counted:.0}, by the family's formula {said:.0}: {}", verdict(counted, said)));
        let bytes =
            self.sum(|launch| launch.count("/global_load/requested_bytes") + launch.count("/global_store/requested_bytes"));
        let modelled: Vec<String> =
            self.work.traffic.iter().map(|(level, bytes)| format!("{} {bytes:.0}", level.name())).collect();
        terminal::say(format_args!(
            "bytes asked of global memory {bytes:.0}; the family models {}; compulsory {:.0}",
            modelled.join(", "),
            self.work.compulsory_bytes
        ));
    }
}

fn verdict(counted: f64, said: f64) -> String {
    if counted == said { "equal".to_owned() } else { format!("ratio {:.4}", counted / said) }
}
